//! The bolt itself: encodes, gathers, and leaves the rest to its committer.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use crate::base::now;
use crate::builtin::commit::Committer;
use crate::builtin::encode::Encoder;
use crate::builtin::inputs::bad_options;
use crate::builtin::record_options::Format;
use crate::builtin::records::Framing;
use crate::component::{
    Acking, Bolt, Collector, ComponentError, Context, FailKind, Level, Progress,
};
use crate::tuple::Tuple;

use super::lines::{Begin, LineFile};
use super::options::WriteOptions;

/// Writes tuples to a file.
pub(super) struct Write {
    options: WriteOptions,
    running: Option<Running>,
}

struct Running {
    path: PathBuf,
    encoder: Encoder,
    committer: Committer<LineFile>,
    context: Arc<Context>,
}

impl Write {
    /// A bolt that has not looked at its options yet.
    pub(super) fn new(options: WriteOptions) -> Self {
        Self { options, running: None }
    }

    fn running(&mut self) -> &mut Running {
        self.running.as_mut().expect("the bolt was opened")
    }
}

impl Running {
    fn failed(&self, error: &io::Error) -> ComponentError {
        let path = self.path.display();
        ComponentError::restart(format!("could not write {path}: {error}"))
    }

    fn advance(&mut self, out: &mut Collector<'_>) -> Result<(), ComponentError> {
        let result = self.committer.advance(now(), out);
        result.map_err(|error| self.failed(&error))
    }

    fn flush(&mut self, out: &mut Collector<'_>) -> Result<Progress, ComponentError> {
        let result = self.committer.flush(now(), out);
        result.map_err(|error| self.failed(&error))?;
        Ok(if self.committer.is_clean() { Progress::Done } else { Progress::Pending })
    }
}

impl Bolt for Write {
    fn open(
        &mut self,
        context: &Arc<Context>,
        _: &mut Collector<'_>,
    ) -> Result<(), ComponentError> {
        let settings = self.options.check().map_err(bad_options)?;
        let task = context.task_index.to_string();
        let path = context.resolve(&self.options.path.replace("{task}", &task));
        let begin = match (context.restarted, self.options.append) {
            (true, _) => Begin::Continue,
            (false, true) => Begin::Append,
            (false, false) => Begin::Anew,
        };
        let framing = match self.options.format {
            Format::Csv => Framing::Csv { delimiter: settings.delimiter },
            Format::Text | Format::Json => Framing::Lines,
        };
        let file = LineFile::open(&path, begin, framing, self.options.sync).map_err(|error| {
            let message = format!("could not open {} for writing: {error}", path.display());
            ComponentError::of_system(message, &error)
        })?;
        let encoder = Encoder::new(self.options.format, settings.delimiter, context);
        let header = encoder.header().filter(|_| file.is_empty());
        let mut committer = Committer::new(file, settings.gather, context);
        committer.lines().extend(header.unwrap_or_default());
        self.running = Some(Running { path, encoder, committer, context: Arc::clone(context) });
        Ok(())
    }

    fn execute(&mut self, tuple: Tuple, _: &mut Collector<'_>) -> Result<(), ComponentError> {
        let running = self.running();
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
        self.running().advance(out)
    }

    fn wake(&mut self, out: &mut Collector<'_>) -> Result<(), ComponentError> {
        self.running().advance(out)
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
        let Some(running) = &mut self.running else {
            return Progress::Done;
        };
        running.flush(out).unwrap_or_else(|error| {
            let reporter = &running.context.reporter;
            reporter.log(Level::Error, &error.message);
            reporter.error(&error.message, None);
            Progress::Done
        })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::builtin::testing::{BoltOut, context_with_inputs, tuple, until};
    use crate::tuple::Value;

    fn open(options: serde_json::Value, folder: &Path, restarted: bool) -> (Write, BoltOut) {
        let mut bolt = Write::new(serde_json::from_value(options).unwrap());
        let mut context = context_with_inputs(folder, &[("in", &["line"])]);
        context.restarted = restarted;
        let mut out = BoltOut::default();
        out.open(&mut bolt, &Arc::new(context));
        (bolt, out)
    }

    fn drain(bolt: &mut Write, out: &mut BoltOut) {
        until("the bolt to drain", || {
            bolt.drain(&mut Collector::new(out)).unwrap() == Progress::Done
        });
    }

    #[test]
    fn a_tuple_is_acked_when_its_line_is_in_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let (mut bolt, mut out) = open(json!({"path": "a/b-{task}.txt"}), folder.path(), false);
        let path = folder.path().join("a/b-0.txt");
        for line in 0..1000 {
            out.give(&mut bolt, [Value::from(format!("line {line}"))]).unwrap();
        }
        until("all acks", || {
            bolt.idle(&mut Collector::new(&mut out)).unwrap();
            let lines = fs::read_to_string(&path).unwrap().lines().count();
            assert!(out.acked.len() <= lines);
            out.acked.len() == 1000
        });
        assert_eq!(bolt.held(), 0);
        let expected: Vec<_> = (0..1000).map(|line| format!("line {line}")).collect();
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn csv_has_one_header_over_two_lives() {
        let folder = tempfile::tempdir().unwrap();
        let options = json!({"path": "o.csv", "format": "csv"});
        for restarted in [false, true] {
            let (mut bolt, mut out) = open(options.clone(), folder.path(), restarted);
            out.give(&mut bolt, [Value::from("a,b")]).unwrap();
            drain(&mut bolt, &mut out);
        }
        let text = fs::read_to_string(folder.path().join("o.csv")).unwrap();
        assert_eq!(text, "line\n\"a,b\"\n\"a,b\"\n");
    }

    #[test]
    fn a_full_disk_fails_what_is_held_and_the_bolt() {
        let folder = tempfile::tempdir().unwrap();
        let (mut bolt, mut out) = open(json!({"path": "/dev/full"}), folder.path(), false);
        out.give(&mut bolt, [Value::from("a")]).unwrap();
        let mut error = None;
        until("the error", || {
            error = bolt.idle(&mut Collector::new(&mut out)).err();
            error.is_some()
        });
        let message = error.unwrap().message;
        assert!(message.starts_with("could not write /dev/full: No space left"), "{message}");
        assert_eq!((out.acked.len(), out.failed.len(), bolt.held()), (0, 1, 0));
    }

    #[test]
    fn gathered_lines_are_written_when_their_time_has_come() {
        let folder = tempfile::tempdir().unwrap();
        let options = json!({"path": "o", "flush": "5ms"});
        let (mut bolt, mut out) = open(options, folder.path(), false);
        out.give(&mut bolt, [Value::from("a")]).unwrap();
        bolt.idle(&mut Collector::new(&mut out)).unwrap();
        let context = Arc::clone(&bolt.running().context);
        // Nothing but the bolt's own rings moves it on.
        while out.acked.is_empty() {
            context.io.block_on(context.waker.wait());
            bolt.wake(&mut Collector::new(&mut out)).unwrap();
        }
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("file"), "").unwrap();
        let options = serde_json::from_value(json!({"path": "file/o.txt"})).unwrap();
        let context = Arc::new(context_with_inputs(folder.path(), &[]));
        let mut out = BoltOut::default();
        let error = Write::new(options).open(&context, &mut Collector::new(&mut out)).unwrap_err();
        assert!(error.message.contains("file/o.txt for writing"), "{error}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn no_acked_line_is_lost_over_lives(
            lives in prop::collection::vec((0usize..50, 0usize..4, any::<bool>()), 1..5),
        ) {
            let folder = tempfile::tempdir().unwrap();
            let mut acked = Vec::new();
            for (life, (lines, rounds, abandoned)) in lives.into_iter().enumerate() {
                let (mut bolt, mut out) = open(json!({"path": "o"}), folder.path(), life > 0);
                let mut given = Vec::new();
                for line in 0..lines {
                    let text = format!("{life}-{line}");
                    let tuple = tuple([Value::from(text.as_str())]);
                    given.push((tuple.anchors.clone(), text));
                    bolt.execute(tuple, &mut Collector::new(&mut out)).unwrap();
                    if line % 10 < rounds {
                        bolt.idle(&mut Collector::new(&mut out)).unwrap();
                    }
                }
                if abandoned {
                    bolt.abandon(FailKind::Died, &mut Collector::new(&mut out));
                } else {
                    drain(&mut bolt, &mut out);
                }
                prop_assert_eq!(out.acked.len() + out.failed.len(), lines);
                given.retain(|(anchors, _)| out.acked.contains(anchors));
                acked.extend(given.into_iter().map(|(_, text)| text));
            }
            let text = fs::read_to_string(folder.path().join("o")).unwrap();
            let written: Vec<_> = text.lines().collect();
            prop_assert!(acked.iter().all(|line| written.contains(&line.as_str())));
        }
    }
}
