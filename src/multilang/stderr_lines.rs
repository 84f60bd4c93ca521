//! Splits a child's standard error into lines, and cuts those that are too long. Pure; never keeps more
//! than one line of the greatest length.

use memchr::memchr;

/// A longer line is cut into lines of at most this many bytes.
pub(super) const LONGEST: usize = 16 << 10;

/// The lines of one child's life.
#[derive(Debug, Default)]
pub(super) struct StderrLines {
    /// A line whose end has not come; at most [`LONGEST`] bytes.
    rest: Vec<u8>,
}

impl StderrLines {
    /// Says the lines that these bytes, behind those before, complete.
    pub(super) fn push(&mut self, mut bytes: &[u8], mut say: impl FnMut(&[u8])) {
        while !bytes.is_empty() {
            let room = LONGEST - self.rest.len();
            let next = &bytes[..bytes.len().min(room + 1)];
            if let Some(end) = memchr(b'\n', next) {
                self.rest.extend_from_slice(&next[..end]);
                bytes = &bytes[end + 1..];
                say(&self.rest);
                self.rest.clear();
                continue;
            }
            let taken = next.len().min(room);
            self.rest.extend_from_slice(&next[..taken]);
            bytes = &bytes[taken..];
            if next.len() > room {
                let end = whole_letters(&self.rest);
                say(&self.rest[..end]);
                self.rest.drain(..end);
            }
        }
    }

    /// What was left without an end.
    pub(super) fn finish(self, mut say: impl FnMut(&[u8])) {
        if !self.rest.is_empty() {
            say(&self.rest);
        }
    }
}

/// The length without a letter at the end that may not be whole.
fn whole_letters(line: &[u8]) -> usize {
    let continued = line.iter().rev().take(3).take_while(|byte| *byte & 0xc0 == 0x80).count();
    let start = line.len() - continued - 1;
    if line[start] >= 0xc0 { start } else { line.len() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lines(chunks: &[&[u8]]) -> Vec<String> {
        let mut lines = StderrLines::default();
        let mut all = Vec::new();
        let mut say = |line: &[u8]| all.push(String::from_utf8_lossy(line).into_owned());
        for chunk in chunks {
            lines.push(chunk, &mut say);
        }
        lines.finish(&mut say);
        all
    }

    #[test]
    fn a_line_of_the_greatest_length_is_whole_and_a_longer_one_is_cut() {
        for (length, cut) in [
            (LONGEST, vec![LONGEST]),
            (LONGEST + 1, vec![LONGEST, 1]),
            (5 * LONGEST, vec![LONGEST; 5]),
        ] {
            for end in ["", "\n"] {
                let line = format!("{}{end}", "x".repeat(length));
                for chunk in [1_000, 64 << 10, 1 << 20] {
                    let chunks: Vec<&[u8]> = line.as_bytes().chunks(chunk).collect();
                    let lengths: Vec<_> = lines(&chunks).iter().map(String::len).collect();
                    assert_eq!(lengths, cut, "{length} {chunk} {end:?}");
                }
            }
        }
    }

    #[test]
    fn letters_are_not_cut() {
        let line = format!("x{}", "é".repeat(LONGEST));
        let cut = lines(&[line.as_bytes()]);
        assert_eq!(cut.concat(), line);
        assert!(cut.len() == 3 && cut[0].len() == LONGEST - 1, "{}", cut[0].len());
        let no_text = [0x80].repeat(LONGEST + 1);
        assert_eq!(lines(&[no_text.as_slice()]).len(), 2, "what is no text is cut anywhere");
    }

    proptest! {
        #[test]
        fn lines_do_not_depend_on_how_the_bytes_were_cut(
            text in "[ab\n]{0,60}", cut in 1..20_usize,
        ) {
            let chunks: Vec<&[u8]> = text.as_bytes().chunks(cut).collect();
            let mut whole: Vec<_> = text.split('\n').map(str::to_owned).collect();
            if whole.last().is_some_and(String::is_empty) {
                whole.pop();
            }
            prop_assert_eq!(lines(&chunks), whole);
        }
    }
}
