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
        let count = self.0.entry(text.to_owned()).or_default();
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
}
