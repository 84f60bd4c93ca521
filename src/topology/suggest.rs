//! "Did you mean …?"

/// More candidates than this are not listed.
const MOST_NAMED: usize = 24;

/// The candidate that is most like `word`, where one is near enough to be a slip of the hand.
pub(crate) fn nearest<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let lower = word.to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| {
            let distance = strsim::damerau_levenshtein(&lower, &candidate.to_lowercase());
            (distance, candidate)
        })
        .filter(|(distance, candidate)| {
            *distance <= 1 + candidate.chars().count() / 4 && *distance < candidate.len()
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Help for a word that is none of the candidates: the nearest, or all of them.
pub(crate) fn help<'a>(
    word: &str,
    what: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<String> {
    let candidates: Vec<&str> = candidates.into_iter().collect();
    if let Some(near) = nearest(word, candidates.iter().copied()) {
        return Some(format!("did you mean `{near}`?"));
    }
    match candidates.as_slice() {
        [] => None,
        [only] => Some(format!("the only {what} is `{only}`")),
        [first @ .., _] if candidates.len() > MOST_NAMED => {
            let first = &first[..MOST_NAMED.min(first.len())];
            let more = candidates.len() - first.len();
            let named = quoted(first.iter().copied());
            Some(format!("{what}s are {named} and {more} more"))
        }
        _ => Some(format!("{what}s are {}", quoted(candidates))),
    }
}

/// `` `a`, `b`, `c` ``
pub(crate) fn quoted<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let words: Vec<String> = words.into_iter().map(|word| format!("`{word}`")).collect();
    words.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_recognised_and_strangers_are_not() {
        let names = ["sentences", "split", "count"];
        assert_eq!(nearest("sentnces", names), Some("sentences"));
        assert_eq!(nearest("Split", names), Some("split"));
        assert_eq!(nearest("cuont", names), Some("count"));
        assert_eq!(nearest("kafka", names), None);
        assert_eq!(nearest("a", ["b"]), None);
    }
}
