//! A point in time as it stands in a dead letter. Reads no clock.

use std::fmt;

use jiff::Timestamp;

/// Milliseconds since 1970, written as `2026-11-23T05:54:41.123Z`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(pub u64);

impl Moment {
    /// Reads a time with a date and an offset, or a date alone, which is its beginning in UTC.
    pub fn parse(text: &str) -> Option<Self> {
        let timestamp: Timestamp = match text.parse() {
            Ok(timestamp) => timestamp,
            Err(_) => format!("{text}T00:00:00Z").parse().ok()?,
        };
        u64::try_from(timestamp.as_millisecond()).ok().map(Self)
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = i64::try_from(self.0).unwrap_or(i64::MAX);
        let timestamp = Timestamp::from_millisecond(millis).unwrap_or(Timestamp::MAX);
        f.pad(&timestamp.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string())
    }
}

impl serde::Serialize for Moment {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Moment {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bad = || serde::de::Error::custom(format!("`{text}` is not a time"));
        Self::parse(&text).ok_or_else(bad)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_to_the_millisecond_and_read_back() {
        let moment = Moment(1_795_412_081_020);
        assert_eq!(moment.to_string(), "2026-11-23T05:34:41.020Z");
        assert_eq!(Moment::parse(&moment.to_string()), Some(moment));
        assert_eq!(Moment::parse("2026-11-23T06:34:41.020+01:00"), Some(moment));
        assert_eq!(Moment::parse("2026-11-23"), Moment::parse("2026-11-23T00:00:00Z"));
        assert_eq!(Moment::parse("yesterday"), None);
    }
}
