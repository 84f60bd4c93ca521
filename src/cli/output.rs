//! The terminal: the one place of the command line that writes to stdout and stderr.

use std::io::{self, Write as _};

/// Standard output and error. Colours are stripped where they go to a file or pipe, or `NO_COLOR`
/// is set.
#[derive(Debug)]
pub struct Output {
    out: anstream::Stdout,
    err: anstream::Stderr,
}

impl Output {
    /// The process's own.
    pub fn of_process() -> Self {
        Self { out: anstream::stdout(), err: anstream::stderr() }
    }

    /// Writes results. A reader that went away (`| head`) is no error; any other is.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub fn result(&mut self, text: &str) -> io::Result<()> {
        let written = self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush());
        match written {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            other => other,
        }
    }

    /// Writes for people, beside the results. Where standard error is closed there is nobody to tell.
    pub fn message(&mut self, text: &str) {
        let _ = self.err.write_all(text.as_bytes());
        let _ = self.err.flush();
    }

    /// Whether messages go to a terminal that can be drawn on.
    pub fn is_terminal(&self) -> bool {
        io::IsTerminal::is_terminal(&io::stderr())
    }

    /// The width of the terminal that results go to, in columns; `None` for a file or pipe.
    pub fn width(&self) -> Option<u16> {
        terminal_size::terminal_size_of(io::stdout()).map(|(width, _)| width.0)
    }
}
