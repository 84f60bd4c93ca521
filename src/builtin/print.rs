//! The bolt `print`: tuples as lines on standard output. The only module that prints.
//!
//! It writes whole lines, in a job, so that a slow reader holds up this bolt and no other.

use std::io::{self, Write as _};
use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::base::now;
use crate::component::{
    Acking, Bolt, BoltKind, Collector, ComponentError, Context, Declaration, Declaring, FailKind,
    OptionProblem, Progress,
};
use crate::tuple::Tuple;

use super::commit::{Committer, Sink};
use super::encode::Encoder;
use super::inputs::same_fields;
use super::record_options::Format;

/// Options of the bolt `print`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PrintOptions {
    /// "text" (default): values joined by a tab; "json": one object a line; "csv": with a header.
    #[serde(default)]
    format: Format,
    /// How many tuples each task prints; the rest is taken without a word. Default: all.
    limit: Option<u64>,
}

/// The kind `print`.
pub(super) struct PrintKind;

impl BoltKind for PrintKind {
    const NAME: &'static str = "print";
    const SUMMARY: &'static str = "prints tuples to standard output";
    type Options = PrintOptions;

    fn declare(
        options: &PrintOptions,
        declaring: &Declaring,
    ) -> Result<Declaration, Vec<OptionProblem>> {
        match same_fields(declaring) {
            Err(message) if options.format == Format::Csv => {
                Err(vec![OptionProblem::at("format", message)])
            }
            _ => Ok(Declaration::default()),
        }
    }

    fn build(options: PrintOptions) -> Box<dyn Bolt> {
        Box::new(Print::new(options, || Box::new(io::stdout())))
    }
}

struct Stdout(Box<dyn io::Write + Send>);

impl Sink for Stdout {
    fn commit(&mut self, lines: &[u8]) -> io::Result<()> {
        self.0.write_all(lines)?;
        self.0.flush()
    }
}

type OpenOutput = fn() -> Box<dyn io::Write + Send>;

struct Print {
    options: PrintOptions,
    open_output: OpenOutput,
    running: Option<Running>,
}

struct Running {
    encoder: Encoder,
    committer: Committer<Stdout>,
    left: u64,
}

impl Print {
    fn new(options: PrintOptions, open_output: OpenOutput) -> Self {
        Self { options, open_output, running: None }
    }

    fn running(&mut self) -> &mut Running {
        self.running.as_mut().expect("the bolt was opened")
    }
}

fn failed(error: io::Error) -> ComponentError {
    if error.kind() == io::ErrorKind::BrokenPipe {
        ComponentError::end_run("nobody reads standard output any more")
    } else {
        ComponentError::give_up(format!("could not write to stdout: {error}"))
    }
}

impl Running {
    fn flush(&mut self, out: &mut Collector<'_>) -> Result<Progress, ComponentError> {
        self.committer.flush(now(), out).map_err(failed)?;
        Ok(if self.committer.is_clean() { Progress::Done } else { Progress::Pending })
    }
}

impl Bolt for Print {
    fn open(
        &mut self,
        context: &Arc<Context>,
        _: &mut Collector<'_>,
    ) -> Result<(), ComponentError> {
        let encoder = Encoder::new(self.options.format, b',', context);
        let sink = Stdout((self.open_output)());
        let mut committer = Committer::new(sink, Duration::ZERO, context);
        let header = encoder.header().filter(|_| !context.restarted);
        committer.lines().extend(header.unwrap_or_default());
        self.running =
            Some(Running { encoder, committer, left: self.options.limit.unwrap_or(u64::MAX) });
        Ok(())
    }

    fn execute(&mut self, tuple: Tuple, out: &mut Collector<'_>) -> Result<(), ComponentError> {
        let running = self.running();
        if running.left == 0 {
            out.ack(tuple.into_ticket());
            return Ok(());
        }
        running.left -= 1;
        running.encoder.encode(&tuple, running.committer.lines());
        running.committer.hold(tuple.into_ticket());
        Ok(())
    }

    fn execute_error_is_fatal(&self) -> bool {
        true
    }

    fn acking(&self) -> Acking {
        Acking::Manual
    }

    fn ready(&self) -> bool {
        self.running.as_ref().is_none_or(|running| running.committer.ready())
    }

    fn idle(&mut self, out: &mut Collector<'_>) -> Result<(), ComponentError> {
        self.running().committer.advance(now(), out).map_err(failed)
    }

    fn wake(&mut self, out: &mut Collector<'_>) -> Result<(), ComponentError> {
        self.running().committer.advance(now(), out).map_err(failed)
    }

    fn drain(&mut self, out: &mut Collector<'_>) -> Result<Progress, ComponentError> {
        self.running().flush(out)
    }

    fn end(&mut self, out: &mut Collector<'_>) -> Result<Progress, ComponentError> {
        self.running().flush(out)
    }

    fn held(&self) -> usize {
        self.running.as_ref().map_or(0, |running| running.committer.held())
    }

    fn abandon(&mut self, kind: FailKind, out: &mut Collector<'_>) {
        if let Some(running) = &mut self.running {
            running.committer.abandon(kind, out);
        }
    }

    fn close(&mut self, out: &mut Collector<'_>) -> Progress {
        match &mut self.running {
            // A closed stdout is nothing to report at the end: nobody reads what is left.
            Some(running) => running.flush(out).unwrap_or(Progress::Done),
            None => Progress::Done,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use serde_json::json;

    use super::*;
    use crate::builtin::testing::{BoltOut, bolt_context, until};
    use crate::tuple::Value;

    static PRINTED: Mutex<Vec<u8>> = Mutex::new(Vec::new());

    struct Screen;

    impl io::Write for Screen {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            PRINTED.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    struct Closed;

    impl io::Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn print(options: serde_json::Value, open_output: OpenOutput) -> (Print, BoltOut) {
        let mut bolt = Print::new(serde_json::from_value(options).unwrap(), open_output);
        let mut out = BoltOut::default();
        out.open(&mut bolt, &bolt_context(&[("in", &["word", "count"])]));
        (bolt, out)
    }

    #[test]
    fn the_limit_is_printed_and_all_are_acked() {
        let (mut bolt, mut out) = print(json!({"limit": 2}), || Box::new(Screen));
        for count in 0..5_i64 {
            out.give(&mut bolt, [Value::from("a"), Value::from(count)]).unwrap();
        }
        until("the bolt to drain", || {
            bolt.drain(&mut Collector::new(&mut out)).unwrap() == Progress::Done
        });
        assert_eq!(*PRINTED.lock().unwrap(), b"a\t0\na\t1\n");
        assert_eq!((out.acked.len(), bolt.held()), (5, 0));
    }

    #[test]
    fn a_closed_stdout_ends_the_bolt_cleanly() {
        let (mut bolt, mut out) = print(json!({}), || Box::new(Closed));
        out.give(&mut bolt, [Value::from("a"), Value::Null]).unwrap();
        let mut error = None;
        until("the error", || {
            error = bolt.idle(&mut Collector::new(&mut out)).err();
            error.is_some()
        });
        assert_eq!(
            error.unwrap(),
            ComponentError::end_run("nobody reads standard output any more")
        );
        assert_eq!(out.failed.len(), 1);
    }
}
