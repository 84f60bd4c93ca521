//! The name of a dead letter, which it keeps for as long as it is in a file.

use std::fmt;
use std::str::FromStr;

/// Letters and digits that people do not take for one another.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const LENGTH: usize = 10;
const BITS: u32 = 5;

/// Ten letters and digits, drawn at random.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LetterId(u64);

/// Text that is not the name of a dead letter.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not the id of a dead letter: those have {LENGTH} letters and digits")]
pub struct BadLetterId(String);

impl LetterId {
    /// A new one.
    pub fn random() -> Self {
        Self(fastrand::u64(..1 << (LENGTH as u32 * BITS)))
    }

    /// As a number, which is less than 2^50.
    pub fn number(self) -> u64 {
        self.0
    }

    /// The id of that number; `None` where it is too large.
    pub fn of_number(number: u64) -> Option<Self> {
        (number >> (LENGTH as u32 * BITS) == 0).then_some(Self(number))
    }
}

impl fmt::Display for LetterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let places = (0..LENGTH as u32).rev();
        let text: String = places
            .map(|place| char::from(ALPHABET[(self.0 >> (place * BITS)) as usize % ALPHABET.len()]))
            .collect();
        f.pad(&text)
    }
}

impl FromStr for LetterId {
    type Err = BadLetterId;

    fn from_str(text: &str) -> Result<Self, BadLetterId> {
        let bad = || BadLetterId(text.to_owned());
        if text.len() != LENGTH {
            return Err(bad());
        }
        let mut number = 0;
        for letter in text.bytes() {
            let digit = ALPHABET.iter().position(|known| *known == letter).ok_or_else(bad)?;
            number = number << BITS | digit as u64;
        }
        Ok(Self(number))
    }
}

impl serde::Serialize for LetterId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for LetterId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_from_its_text_and_its_number() {
        for id in [LetterId(0), LetterId((1 << 50) - 1), LetterId::random()] {
            assert_eq!(id.to_string().len(), LENGTH);
            assert_eq!(id.to_string().parse(), Ok(id));
            assert_eq!(LetterId::of_number(id.number()), Some(id));
        }
        assert_eq!(LetterId::of_number(1 << 50), None);
        for text in ["", "000000000", "00000000000", "000000000i", "000000000A"] {
            assert!(text.parse::<LetterId>().is_err(), "{text}");
        }
    }
}
