//! Keeps one complaint that comes again and again from burying everything else. Pure.

use std::collections::HashMap;

use super::rates::grouped;

/// A complaint is told this often as it comes, and then at every power of ten.
const PLAIN: u64 = 5;
/// So many different texts are remembered; then it starts anew.
const REMEMBERED: usize = 1000;

/// How often each text has come.
#[derive(Debug, Default)]
pub(super) struct Repeats(HashMap<String, u64>);

impl Repeats {
    /// What to add to a text when it is told; `None` where it is not told this time.
    pub(super) fn note(&mut self, text: &str) -> Option<String> {
        if self.0.len() >= REMEMBERED {
            self.0.clear();
        }
        let count = self.0.entry(shape(text)).or_default();
        *count += 1;
        match *count {
            1..PLAIN => Some(String::new()),
            PLAIN => Some("\n    (from now on this is told at every tenfold only)".to_owned()),
            count if is_power_of_ten(count) => {
                Some(format!("\n    ({} times so far)", grouped(count)))
            }
            _ => None,
        }
    }
}

/// The first line without its numbers and what stands in quotes or brackets: two tuples that fail for
/// one reason are one complaint, whatever their values.
fn shape(text: &str) -> String {
    let mut shape = String::new();
    let mut closing = None;
    for letter in text.lines().next().unwrap_or_default().chars() {
        match closing {
            Some(end) if letter == end => closing = None,
            Some(_) => continue,
            None => {
                closing = match letter {
                    '"' | '\'' | '`' => Some(letter),
                    '[' => Some(']'),
                    '{' => Some('}'),
                    _ => None,
                };
            }
        }
        if !letter.is_ascii_digit() {
            shape.push(letter);
        }
    }
    shape
}

fn is_power_of_ten(mut number: u64) -> bool {
    while number >= 10 && number.is_multiple_of(10) {
        number /= 10;
    }
    number == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_complaint_gets_rare_and_another_one_does_not() {
        let mut repeats = Repeats::default();
        let told = (1..=1000).filter(|_| repeats.note("again").is_some()).count();
        assert_eq!(told, 5 + 3);
        assert_eq!(repeats.note("new"), Some(String::new()));
    }

    #[test]
    fn complaints_that_differ_in_values_alone_are_one() {
        let of =
            |n: u32| format!("split (task 2): expected \"word\", got [{n}, \"a{n}\"] at 3{n}\n{n}");
        assert_eq!(shape(&of(1)), shape(&of(77)));
        assert_ne!(shape("split: no field"), shape("split: no stream"));
    }
}
