//! The terminal: the one place of the command line that writes to stdout and stderr.

use std::fmt;
use std::io::{self, Write};

/// Standard output and error, or what stands in for them.
pub struct Output {
    out: Box<dyn Write + Send>,
    err: Box<dyn Write + Send>,
    width: Option<u16>,
    terminal: bool,
}

impl Output {
    /// The process's own. Colours are stripped where they go to a file or pipe, or `NO_COLOR` is
    /// set.
    pub fn of_process() -> Self {
        let width = terminal_size::terminal_size_of(io::stdout()).map(|(width, _)| width.0);
        Self {
            out: Box::new(anstream::stdout()),
            err: Box::new(anstream::stderr()),
            width,
            terminal: io::IsTerminal::is_terminal(&io::stderr()),
        }
    }

    /// Two writers of the caller's; colours are stripped.
    pub fn to(out: impl Write + Send + 'static, err: impl Write + Send + 'static) -> Self {
        Self {
            out: Box::new(anstream::StripStream::new(Box::new(out) as Box<dyn Write + Send>)),
            err: Box::new(anstream::StripStream::new(Box::new(err) as Box<dyn Write + Send>)),
            width: None,
            terminal: false,
        }
    }

    /// Writes results. A reader that went away (`| head`) is no error; any other is.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub fn result(&mut self, text: &str) -> io::Result<()> {
        let written = self.out.write_all(text.as_bytes());
        match written.and_then(|()| self.out.flush()) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            other => other,
        }
    }

    /// Writes for people, beside the results. Where standard error is closed there is nobody to tell.
    pub fn message(&mut self, text: &str) {
        let _ = self.err.write_all(text.as_bytes());
        let _ = self.err.flush();
    }

    /// The width of the terminal that messages go to, now; `None` for a file or pipe.
    pub fn message_width(&self) -> Option<u16> {
        terminal_size::terminal_size_of(io::stderr()).map(|(width, _)| width.0)
    }

    /// Whether messages go to a terminal that can be drawn on.
    pub fn is_terminal(&self) -> bool {
        self.terminal
    }

    /// The width of the terminal that results go to, in columns; `None` for a file or pipe.
    pub fn width(&self) -> Option<u16> {
        self.width
    }
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Output").field("width", &self.width).finish_non_exhaustive()
    }
}
