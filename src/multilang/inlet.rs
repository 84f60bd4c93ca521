//! The engine's end of a child's input pipe: a message goes in whole, or not yet.
//!
//! Many clients take what one read gives them for whole lines, and lose a message that one read begins
//! and the next one ends. A pipe takes a page whole or not at all, and more than that where it has as
//! many free pages; so it is counted what may still be unread. It never changes or reorders bytes.

use std::collections::VecDeque;
use std::os::fd::OwnedFd;

use memchr::memmem;

/// What a pipe takes whole, or not at all (`PIPE_BUF`).
const PAGE: usize = 4096;
/// The pages of a pipe. It is also what most clients read at once.
const PAGES: usize = 16;
/// Writes that are counted one by one.
const WRITES: usize = 64;
/// The end of a message.
const END: &[u8] = b"\nend\n";

/// What to do with bytes that wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// So many may be written at once.
    Write(usize),
    /// The first message has no room yet.
    Wait,
}

/// Counts what may still be unread.
#[derive(Debug, Default)]
struct Room {
    /// Bytes and pages of each write, the oldest first.
    writes: VecDeque<(usize, usize)>,
    unread: usize,
}

impl Room {
    /// The child has read all but `unread` bytes.
    fn read_up_to(&mut self, unread: usize) {
        let mut read = self.unread.saturating_sub(unread);
        self.unread -= read;
        while let Some((bytes, _)) = self.writes.front_mut().filter(|_| read > 0) {
            let part = read.min(*bytes);
            *bytes -= part;
            read -= part;
            if *bytes == 0 {
                self.writes.pop_front();
            }
        }
    }

    fn wrote(&mut self, bytes: usize) {
        self.unread += bytes;
        self.writes.push_back((bytes, bytes.div_ceil(PAGE)));
        if self.writes.len() > WRITES
            && let Some((bytes, pages)) = self.writes.pop_back()
            && let Some(last) = self.writes.back_mut()
        {
            *last = (last.0 + bytes, last.1 + pages);
        }
    }

    /// Bytes that are taken whole for certain.
    fn free(&self) -> usize {
        let used: usize = self.writes.iter().map(|(_, pages)| pages).sum();
        PAGES.saturating_sub(used) * PAGE
    }

    fn step(&self, waiting: &[u8]) -> Step {
        // Who knows batch frames puts together what was cut, and msgpack has no lines.
        let first = if waiting.starts_with(b"[{") { None } else { memmem::find(waiting, END) };
        let Some(first) = first.map(|at| at + END.len()) else {
            return Step::Write(waiting.len());
        };
        // A page needs no counting: the pipe takes it whole, or has the writer wait.
        let whole = self.free().max(PAGE).min(waiting.len());
        if let Some(at) = memmem::rfind(&waiting[..whole], END) {
            return Step::Write(at + END.len());
        }
        if first > PAGES * PAGE { Step::Write(first) } else { Step::Wait }
    }
}

/// Where a child's input is written.
#[derive(Debug, Default)]
pub(super) struct Inlet {
    /// Must not block.
    pipe: Option<OwnedFd>,
    room: Room,
}

impl Inlet {
    /// Writes go into `pipe`, which must not block.
    pub(super) fn lend(&mut self, pipe: OwnedFd) {
        self.pipe = Some(pipe);
    }

    /// The pipe is let go, so that the child's input can end.
    pub(super) fn close(&mut self) {
        self.pipe = None;
    }

    /// How much of `waiting` to write next.
    pub(super) fn step(&mut self, waiting: &[u8]) -> Step {
        let unread = self.pipe.as_ref().and_then(|pipe| rustix::io::ioctl_fionread(pipe).ok());
        let Some(unread) = unread else {
            return Step::Write(waiting.len());
        };
        self.room.read_up_to(usize::try_from(unread).unwrap_or(usize::MAX));
        self.room.step(waiting)
    }

    /// So many bytes have gone into the pipe.
    pub(super) fn wrote(&mut self, bytes: usize) {
        self.room.wrote(bytes);
    }

    /// Writes what the pipe takes without waiting; says how much that was, and whether a message is
    /// begun and not ended.
    pub(super) fn write_at_once(&mut self, bytes: &[u8]) -> (usize, bool) {
        let Step::Write(count) = self.step(bytes) else {
            return (0, false);
        };
        let Some(pipe) = &self.pipe else {
            return (0, false);
        };
        // A failure shows again where the job writes.
        let written = nix::unistd::write(pipe, &bytes[..count]).unwrap_or(0);
        self.room.wrote(written);
        let ended = written == 0 || written == bytes.len() || bytes[..written].ends_with(END);
        (written, !ended)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Messages of so many bytes each, with their ends.
    fn messages(count: usize, bytes: usize) -> Vec<u8> {
        let mut message = vec![b'x'; bytes - END.len()];
        message.extend_from_slice(END);
        message.repeat(count)
    }

    fn after(writes: &[usize]) -> Room {
        let mut room = Room::default();
        for bytes in writes {
            room.wrote(*bytes);
        }
        room
    }

    #[test]
    fn c29_an_empty_pipe_takes_as_many_whole_messages_as_it_holds() {
        let waiting = messages(10, 10_000);
        assert_eq!(after(&[]).step(&waiting), Step::Write(60_000));
        assert_eq!(after(&[]).step(&waiting[..20_000]), Step::Write(20_000));
    }

    #[test]
    fn c29_a_pipe_in_use_takes_what_fits_its_free_pages_or_one_page() {
        assert_eq!(after(&[40_000]).step(&messages(100, 1000)), Step::Write(24_000));
        assert_eq!(after(&[100; 16]).step(&messages(100, 1000)), Step::Write(4000));
        assert_eq!(after(&[60_000]).step(&messages(2, 10_000)), Step::Wait);
    }

    #[test]
    fn c29_what_was_read_makes_room_again() {
        let mut room = after(&[30_000, 30_000]);
        assert_eq!(room.step(&messages(1, 10_000)), Step::Wait);
        room.read_up_to(29_000);
        assert_eq!(room.step(&messages(1, 10_000)), Step::Write(10_000));
        room.read_up_to(0);
        assert_eq!(room.free(), PAGES * PAGE);
        let mut room = after(&[1; 1000]);
        assert!(room.writes.len() <= WRITES);
        room.read_up_to(0);
        assert!(room.writes.is_empty());
    }

    #[test]
    fn c29_what_no_pipe_holds_and_what_has_no_lines_is_not_held_back() {
        assert_eq!(after(&[60_000]).step(&messages(2, 100_000)), Step::Write(100_000));
        assert_eq!(after(&[60_000]).step(&[0x81; 10_000]), Step::Write(10_000));
        let frame = [b"[{".to_vec(), messages(1, 10_000)].concat();
        assert_eq!(after(&[60_000]).step(&frame), Step::Write(frame.len()));
    }

    #[test]
    fn c29_however_a_pipe_is_read_its_reader_sees_whole_messages() {
        use nix::fcntl::{FcntlArg, OFlag, fcntl};
        use std::io::Read as _;
        let (read, write) = nix::unistd::pipe().unwrap();
        fcntl(&write, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).unwrap();
        let mut inlet = Inlet::default();
        inlet.lend(write);
        let sizes = [60, 5000, 900, 17, 12_000, 300, 4096, 40_000, 77, 2100];
        let mut waiting: Vec<u8> =
            sizes.iter().cycle().take(400).flat_map(|bytes| messages(1, *bytes)).collect();
        let total = waiting.len();
        let (mut pipe, mut chunk, mut got) = (std::fs::File::from(read), vec![0; 64 << 10], 0);
        for turn in 0.. {
            while !waiting.is_empty() {
                let (written, begun) = inlet.write_at_once(&waiting);
                assert!(!begun, "in turn {turn}");
                if written == 0 {
                    break;
                }
                waiting.drain(..written);
            }
            let count = pipe.read(&mut chunk).unwrap();
            assert!(chunk[..count].ends_with(END), "in turn {turn}");
            got += count;
            if got == total {
                break;
            }
        }
    }
}
