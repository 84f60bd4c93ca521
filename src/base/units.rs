//! Durations and sizes as people write them: `"30s"`, `"1h 30m"`, `"64KiB"`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Why a duration or size could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnitError {
    /// A number without a unit.
    #[error("a unit is missing: write \"{0}\"")]
    NoUnit(String),
    /// Something else.
    #[error("expected {expected}")]
    Malformed {
        /// What would have been right, with examples.
        expected: &'static str,
    },
}

const DURATION: &str = "a duration such as \"250ms\", \"30s\", \"5m\" or \"1h 30m\"";
const SIZE: &str = "a size such as \"512B\", \"64KiB\", \"10MB\" or \"2GiB\"";

/// Reads a duration; zero is allowed, a negative one is not.
///
/// # Errors
/// A bare number (with the fix) or anything that is not a duration.
pub fn parse_duration(text: &str) -> Result<Duration, UnitError> {
    let text = text.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return Err(UnitError::NoUnit(format!("{text}s")));
    }
    let malformed = || UnitError::Malformed { expected: DURATION };
    let signed: jiff::SignedDuration = text.parse().map_err(|_| malformed())?;
    Duration::try_from(signed).map_err(|_| malformed())
}

/// Writes a duration in the form that [`parse_duration`] reads, in its largest exact unit.
pub fn show_duration(span: Duration) -> String {
    let nanos = span.as_nanos();
    for (unit, size) in [
        ("h", 3_600_000_000_000),
        ("m", 60_000_000_000),
        ("s", 1_000_000_000),
        ("ms", 1_000_000),
        ("us", 1_000),
    ] {
        if nanos >= size && nanos.is_multiple_of(size) {
            return format!("{}{unit}", nanos / size);
        }
    }
    if nanos == 0 { "0s".to_owned() } else { format!("{nanos}ns") }
}

/// A number of bytes.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct ByteSize(pub u64);

impl ByteSize {
    /// As a length in memory.
    pub fn as_usize(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl FromStr for ByteSize {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let text = text.trim();
        let split = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
        let (number, unit) = (&text[..split], text[split..].trim());
        let malformed = || UnitError::Malformed { expected: SIZE };
        let number: f64 = number.parse().map_err(|_| malformed())?;
        let factor: f64 = match unit.to_ascii_lowercase().as_str() {
            "" => return Err(UnitError::NoUnit(format!("{text}KiB"))),
            "b" => 1.0,
            "kb" => 1e3,
            "mb" => 1e6,
            "gb" => 1e9,
            "kib" => 1024.0,
            "mib" => 1024.0 * 1024.0,
            "gib" => 1024.0 * 1024.0 * 1024.0,
            _ => return Err(malformed()),
        };
        Ok(Self((number * factor) as u64))
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (unit, size) in [("GiB", 1_u64 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)] {
            if self.0 >= size {
                let whole = self.0 as f64 / size as f64;
                return if self.0.is_multiple_of(size) {
                    write!(f, "{whole:.0}{unit}")
                } else {
                    write!(f, "{whole:.1}{unit}")
                };
            }
        }
        write!(f, "{}B", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_people_write_them() {
        assert_eq!(parse_duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(parse_duration("1h 30m"), Ok(Duration::from_secs(5400)));
        assert_eq!(parse_duration("30"), Err(UnitError::NoUnit("30s".to_owned())));
        assert!(parse_duration("-1s").is_err());
        assert!(parse_duration("soon").is_err());
        for text in ["2h", "5m", "30s", "250ms", "0s"] {
            assert_eq!(show_duration(parse_duration(text).unwrap()), text);
        }
    }

    #[test]
    fn sizes_read_as_people_write_them() {
        assert_eq!("64KiB".parse(), Ok(ByteSize(65_536)));
        assert_eq!("1.5 MB".parse(), Ok(ByteSize(1_500_000)));
        assert_eq!("64".parse::<ByteSize>(), Err(UnitError::NoUnit("64KiB".to_owned())));
        assert_eq!(ByteSize(65_536).to_string(), "64KiB");
        assert_eq!(ByteSize(1_600_000).to_string(), "1.5MiB");
    }
}
