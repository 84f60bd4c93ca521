//! Comma-separated values as RFC 4180 has them. Pure: bytes in, bytes out.
//!
//! A quote opens a field only as its first byte; inside quotes a doubled quote is one, and line
//! breaks belong to the field. What follows a closing quote is taken as it stands.

use std::borrow::Cow;

use memchr::{memchr, memchr2, memchr3};

/// The length of the record at the start of `bytes`, its line break included, where it is complete.
pub(super) fn record_end(bytes: &[u8], delimiter: u8) -> Option<usize> {
    let mut at = 0;
    loop {
        if bytes.get(at) == Some(&b'"') {
            at = closing_quote(bytes, at + 1)? + 1;
        }
        at += memchr2(delimiter, b'\n', &bytes[at..])? + 1;
        if bytes[at - 1] == b'\n' {
            return Some(at);
        }
    }
}

/// The place of the quote that closes the field whose text starts at `at`.
fn closing_quote(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        let quote = at + memchr(b'"', bytes.get(at..)?)?;
        if bytes.get(quote + 1) != Some(&b'"') {
            return Some(quote);
        }
        at = quote + 2;
    }
}

/// Calls `each` with every field of a record (without its line break).
pub(super) fn for_each_field<'a>(
    record: &'a [u8],
    delimiter: u8,
    mut each: impl FnMut(Cow<'a, [u8]>),
) {
    let mut at = 0;
    loop {
        let (field, end) = field_at(record, at, delimiter);
        each(field);
        if end >= record.len() {
            return;
        }
        at = end + 1;
    }
}

/// The field at `at`, and where the delimiter behind it stands (or the record's end).
fn field_at(record: &[u8], at: usize, delimiter: u8) -> (Cow<'_, [u8]>, usize) {
    let end_from = |from: usize| {
        memchr(delimiter, &record[from..]).map_or(record.len(), |length| from + length)
    };
    if record.get(at) != Some(&b'"') {
        let end = end_from(at);
        return (Cow::Borrowed(&record[at..end]), end);
    }
    let quote = closing_quote(record, at + 1).unwrap_or(record.len());
    let inner = &record[at + 1..quote];
    let end = end_from((quote + 1).min(record.len()));
    let behind = record.get(quote + 1..end).unwrap_or_default();
    if behind.is_empty() && memchr(b'"', inner).is_none() {
        return (Cow::Borrowed(inner), end);
    }
    let mut text = Vec::with_capacity(inner.len() + behind.len());
    let mut rest = inner;
    while let Some(place) = memchr(b'"', rest) {
        text.extend_from_slice(&rest[..=place]);
        rest = rest.get(place + 2..).unwrap_or_default();
    }
    text.extend_from_slice(rest);
    text.extend_from_slice(behind);
    (Cow::Owned(text), end)
}

/// Appends a field, in quotes where it needs them.
pub(super) fn write_field(text: &str, delimiter: u8, out: &mut Vec<u8>) {
    let bytes = text.as_bytes();
    let quoted = memchr3(b'"', b'\n', b'\r', bytes).is_some() || memchr(delimiter, bytes).is_some();
    if !quoted {
        out.extend_from_slice(bytes);
        return;
    }
    out.push(b'"');
    let mut rest = bytes;
    while let Some(place) = memchr(b'"', rest) {
        out.extend_from_slice(&rest[..=place]);
        out.push(b'"');
        rest = &rest[place + 1..];
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}

/// Appends a whole record with its line break.
pub(super) fn write_record<'a>(
    fields: impl IntoIterator<Item = Cow<'a, str>>,
    delimiter: u8,
    out: &mut Vec<u8>,
) {
    let start = out.len();
    let mut first = true;
    for field in fields {
        if !first {
            out.push(delimiter);
        }
        first = false;
        write_field(&field, delimiter, out);
    }
    if out.len() == start {
        out.extend_from_slice(b"\"\""); // A blank line would not read back as a record.
    }
    out.push(b'\n');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fields(record: &[u8]) -> Vec<String> {
        let mut fields = Vec::new();
        for_each_field(record, b',', |field| {
            fields.push(String::from_utf8(field.into_owned()).unwrap());
        });
        fields
    }

    #[test]
    fn quotes_count_only_at_the_start_of_a_field() {
        assert_eq!(fields(b"5\" pipe,2"), ["5\" pipe", "2"]);
        assert_eq!(record_end(b"5\" pipe,2\nx", b','), Some(10));
        assert_eq!(fields(b"\"a\"\"b\",,\"x\ny\""), ["a\"b", "", "x\ny"]);
        assert_eq!(record_end(b"\"x\ny\",1\nz", b','), Some(8));
        assert_eq!(record_end(b"\"x\ny", b','), None);
        assert_eq!(fields(b"\"a\"b,c"), ["ab", "c"]);
        assert_eq!(fields(b""), [""]);
        assert_eq!(fields(b"a,"), ["a", ""]);
    }

    proptest! {
        #[test]
        fn records_written_here_are_read_back_here_and_by_the_csv_crate(
            record in prop::collection::vec("[a-c,\"\n ]{0,5}", 1..5),
        ) {
            let mut bytes = Vec::new();
            write_record(record.iter().map(|field| Cow::Borrowed(field.as_str())), b',', &mut bytes);
            prop_assert_eq!(record_end(&bytes, b','), Some(bytes.len()));
            prop_assert_eq!(&fields(&bytes[..bytes.len() - 1]), &record);
            let mut reader = ::csv::ReaderBuilder::new().has_headers(false).from_reader(&bytes[..]);
            let theirs = reader.records().next().unwrap().unwrap();
            prop_assert_eq!(theirs.iter().collect::<Vec<_>>(), record);
        }

        #[test]
        fn any_bytes_split_without_a_panic(record in "[a,\"\n]{0,12}") {
            for_each_field(record.as_bytes(), b',', |_| {});
            if let Some(end) = record_end(record.as_bytes(), b',') {
                prop_assert!(end <= record.len());
            }
        }
    }
}
