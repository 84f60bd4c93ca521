//! Where the last complete line of a file ends. It reads from the back, a block at a time.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use memchr::memrchr;

const BLOCK: u64 = 64 * 1024;

/// The offset behind the last line break below `end`; 0 where there is none.
pub(super) fn last_line_end(file: &File, end: u64) -> io::Result<u64> {
    let mut block = vec![0; BLOCK as usize];
    let mut end = end;
    while end > 0 {
        let start = end.saturating_sub(BLOCK);
        let bytes = &mut block[..(end - start) as usize];
        file.read_exact_at(bytes, start)?;
        if let Some(place) = memrchr(b'\n', bytes) {
            return Ok(start + place as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_last_break_is_found_across_blocks() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        let end_of = |text: &str| {
            fs::write(&path, text).unwrap();
            last_line_end(&File::open(&path).unwrap(), text.len() as u64).unwrap()
        };
        assert_eq!(end_of(""), 0);
        assert_eq!(end_of("abc"), 0);
        assert_eq!(end_of("abc\n"), 4);
        assert_eq!(end_of(&format!("a\n{}", "b".repeat(200_000))), 2);
    }
}
