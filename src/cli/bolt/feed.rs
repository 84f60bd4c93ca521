//! Standard input, line by line, read ahead by a thread of its own. It does not look into lines.

use std::io::{self, BufRead, Read as _};

use tokio::sync::mpsc::{Receiver, Sender, channel, error::TryRecvError};

use crate::base::{ByteSize, Signal, Spawner};

/// Lines that are read ahead.
const AHEAD: usize = 64;
/// The longest line that is taken.
const LONGEST: ByteSize = ByteSize(64 << 20);

/// What comes next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fed {
    Line(String),
    /// Nothing yet; the bell rings when there is.
    Wait,
    End,
    /// The input cannot be read any further.
    Broken(String),
}

pub(super) struct Feed(Receiver<Result<String, String>>);

impl Feed {
    /// Starts to read the process's input.
    pub(super) fn start(io: &Spawner, bell: &Signal) -> Self {
        let (sender, receiver) = channel(AHEAD);
        let bell = bell.clone();
        // Nobody waits for it: it may sit in a read when everything else is over.
        drop(io.spawn_blocking(move || {
            read(io::stdin().lock(), LONGEST.as_usize(), &sender, &bell);
            drop(sender);
            bell.ring();
        }));
        Self(receiver)
    }

    pub(super) fn take(&mut self) -> Fed {
        match self.0.try_recv() {
            Ok(Ok(line)) => Fed::Line(line),
            Ok(Err(problem)) => Fed::Broken(problem),
            Err(TryRecvError::Empty) => Fed::Wait,
            Err(TryRecvError::Disconnected) => Fed::End,
        }
    }
}

fn read(
    mut input: impl BufRead,
    longest: usize,
    sender: &Sender<Result<String, String>>,
    bell: &Signal,
) {
    loop {
        let mut line = Vec::new();
        let read = input.by_ref().take(longest as u64 + 1).read_until(b'\n', &mut line);
        let next = match read {
            Ok(0) => return,
            Ok(_) if line.len() > longest => {
                Err(format!("a line is longer than {}", ByteSize(longest as u64)))
            }
            Ok(_) => String::from_utf8(line).map_err(|_| "a line is not UTF-8 text".to_owned()),
            Err(error) => Err(format!("standard input cannot be read: {error}")),
        };
        let broken = next.is_err();
        if sender.blocking_send(next).is_err() || broken {
            return;
        }
        bell.ring();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &[u8]) -> Vec<Fed> {
        let (sender, receiver) = channel(AHEAD);
        read(text, 10, &sender, &Signal::new());
        drop(sender);
        let mut feed = Feed(receiver);
        std::iter::from_fn(|| Some(feed.take()).filter(|fed| *fed != Fed::End)).collect()
    }

    #[test]
    fn the_last_line_needs_no_line_break() {
        assert_eq!(all(b"[1]\n[2]"), [Fed::Line("[1]\n".to_owned()), Fed::Line("[2]".to_owned())]);
    }

    #[test]
    fn what_is_too_long_or_no_text_ends_the_input() {
        for text in [&b"[1]\n12345678901\n[2]"[..], b"[1]\n\xff\n[2]"] {
            let fed = all(text);
            assert!(matches!(fed[1..], [Fed::Broken(_)]), "{fed:?}");
        }
    }
}
