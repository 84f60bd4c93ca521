//! The cases, embedded in the binary, in the order of their names.

use rust_embed::RustEmbed;

use super::case::{Case, Level};

#[derive(RustEmbed)]
#[folder = "multilang/conformance/cases"]
struct Files;

/// All cases: Storm's first, then those of batch frames, then those of SDKs.
pub(super) fn cases() -> Vec<Case> {
    let mut cases: Vec<Case> = Files::iter()
        .filter_map(|path| {
            let name = path.strip_suffix(".json")?.to_owned();
            let text = String::from_utf8(Files::get(&path)?.data.into_owned());
            let text = text.expect("case files are UTF-8, which a test checks");
            Some(
                Case::parse(&name, &text).expect("case files are well formed, which a test checks"),
            )
        })
        .collect();
    let rank = |level: Level| level as u8;
    cases.sort_by(|a, b| (rank(a.level), &a.name).cmp(&(rank(b.level), &b.name)));
    cases
}

#[cfg(test)]
mod tests {
    use super::super::case::Say;
    use super::super::json::Json;
    use super::*;

    #[test]
    fn every_case_file_is_well_formed() {
        for path in Files::iter() {
            let text = String::from_utf8(Files::get(&path).unwrap().data.into_owned()).unwrap();
            let name = path.strip_suffix(".json").unwrap_or_else(|| panic!("{path} is no case"));
            if let Err(wrong) = Case::parse(name, &text) {
                panic!("{path}: {wrong}");
            }
        }
        assert!(cases().len() > 40);
    }

    #[test]
    fn requirements_are_numbers_of_the_list() {
        for case in cases() {
            for requirement in &case.requirements {
                let number =
                    requirement.strip_prefix('C').and_then(|rest| rest.parse::<u32>().ok());
                assert!(number.is_some_and(|number| (1..=53).contains(&number)), "{}", case.name);
            }
        }
    }

    #[test]
    fn every_case_hears_something() {
        for case in cases() {
            let heard = case.steps.iter().filter_map(|step| step.hear.as_ref());
            assert!(heard.flatten().count() > 0, "{} checks nothing", case.name);
        }
    }

    #[test]
    fn words_of_spouts_are_for_spouts() {
        for case in cases() {
            for say in case.steps.iter().filter_map(|step| step.say.as_ref()) {
                let for_bolt = matches!(say, Say::Tuples(_) | Say::Drain(_) | Say::End(_));
                let for_spout = matches!(say, Say::Next(_) | Say::Ack(_) | Say::Fail(_));
                let is_spout = case.role == super::super::case::Role::Spout;
                assert!(!(for_bolt && is_spout || for_spout && !is_spout), "{}", case.name);
            }
            let known = ["emit", "ack", "fail", "sync", "log", "error", "metrics", "drained"];
            let known = [&known[..], &["ended", "exhausted", "reset_timeout", "hello"]].concat();
            for pattern in case.steps.iter().filter_map(|step| step.hear.as_ref()).flatten() {
                let command = pattern.get("command").and_then(Json::as_text).unwrap_or_default();
                assert!(known.contains(&command.as_str()), "{}: {}", case.name, pattern.show());
            }
        }
    }
}
