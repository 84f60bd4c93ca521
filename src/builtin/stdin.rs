//! The spout `stdin`: what is piped into the process, record by record.
//!
//! A process has one standard input, so one thread reads it for all lives of the spout: what it
//! has read and a dead life did not give out is given out by the next. It cannot read twice, so
//! the engine keeps what is in flight.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};

use schemars::JsonSchema;
use serde::Deserialize;

use crate::base::{ByteSize, Signal};
use crate::component::{
    ComponentError, Context, Declaration, Declaring, MessageId, Next, OptionProblem, Spout,
    SpoutCollector, SpoutKind, StreamDecl,
};

use super::complaints::Complaints;
use super::decode::{Decoder, Format, OnError, RecordOptions, RecordSettings};
use super::inputs::{bad_options, refused};
use super::records::RecordBuffer;

const CHUNK_BYTES: usize = 128 * 1024;
/// How many chunks the reader may be ahead.
const CHUNKS: usize = 8;

/// Options of the spout `stdin`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StdinOptions {
    /// "text" emits each line as `line`; "json" (one object a line) and "csv" emit `fields`.
    #[serde(default)]
    format: Format,
    /// The fields to emit, in this order, for "json" and "csv". What a JSON object lacks is null.
    fields: Option<Vec<String>>,
    /// Whether the first CSV record names the columns (default true).
    header: Option<bool>,
    /// What stands between CSV fields: one character, default ",".
    delimiter: Option<String>,
    /// The longest line that is taken, a size (default "8MiB"); a longer one is an error.
    max_line: Option<String>,
    /// A line that is not valid JSON or CSV: "skip" (default; counted and reported) or "stop".
    #[serde(default)]
    on_error: OnError,
}

impl StdinOptions {
    fn check(&self) -> Result<RecordSettings, Vec<OptionProblem>> {
        let options = RecordOptions {
            format: self.format,
            fields: self.fields.clone(),
            header: self.header,
            delimiter: self.delimiter.clone(),
            max_line: self.max_line.clone(),
            on_error: self.on_error,
        };
        options.check()
    }
}

/// The kind `stdin`.
pub struct StdinKind;

impl SpoutKind for StdinKind {
    const NAME: &'static str = "stdin";
    const SUMMARY: &'static str = "reads lines, JSON or CSV from standard input";
    type Options = StdinOptions;

    fn declare(
        options: &StdinOptions,
        declaring: &Declaring,
    ) -> Result<Declaration, Vec<OptionProblem>> {
        let mut problems = Vec::new();
        if declaring.tasks > 1 {
            let message =
                format!("there is one standard input, but the spout has {} tasks", declaring.tasks);
            let problem = OptionProblem::whole(message);
            problems.push(problem.with_help("set `parallelism = 1`"));
        }
        match options.check() {
            Ok(settings) if problems.is_empty() => Ok(Declaration {
                streams: vec![StreamDecl::default_stream(settings.fields)],
                keeps_memory: false,
            }),
            Ok(_) => Err(problems),
            Err(more) => {
                problems.extend(more);
                Err(problems)
            }
        }
    }

    fn build(options: StdinOptions) -> Box<dyn Spout> {
        static INPUT: OnceLock<Arc<Input>> = OnceLock::new();
        let input = INPUT.get_or_init(Arc::default);
        Box::new(Stdin::new(options, Arc::clone(input), || Box::new(io::stdin())))
    }
}

/// What the reading thread and the spout share.
#[derive(Default)]
struct Input {
    state: Mutex<State>,
    /// A chunk was taken.
    room: Condvar,
}

#[derive(Default)]
struct State {
    started: bool,
    chunks: VecDeque<Vec<u8>>,
    /// The end, or why reading ended.
    ended: Option<Result<(), String>>,
    waker: Option<Signal>,
    /// The record buffer and decoder between two lives.
    rest: Option<Cutting>,
}

struct Cutting {
    buffer: RecordBuffer,
    decoder: Decoder,
    lines: u64,
    messages: u64,
    /// Records that were not UTF-8, as far as people were told.
    lossy: u64,
}

impl Input {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads until the end; waits while the spout is behind.
    fn read_all(&self, mut from: Box<dyn Read>) {
        loop {
            let mut chunk = vec![0; CHUNK_BYTES];
            let read = from.read(&mut chunk);
            let mut state = self.lock();
            match read {
                Ok(0) => state.ended = Some(Ok(())),
                Ok(count) => {
                    chunk.truncate(count);
                    state.chunks.push_back(chunk);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => state.ended = Some(Err(error.to_string())),
            }
            if let Some(waker) = &state.waker {
                waker.ring();
            }
            if state.ended.is_some() {
                return;
            }
            while state.chunks.len() >= CHUNKS {
                state = self.room.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
        }
    }
}

type OpenInput = fn() -> Box<dyn Read>;

/// Reads standard input.
struct Stdin {
    options: StdinOptions,
    input: Arc<Input>,
    open_input: OpenInput,
    running: Option<Running>,
}

struct Running {
    settings: RecordSettings,
    cutting: Cutting,
    malformed: Complaints,
    lossy: Complaints,
}

impl Stdin {
    fn new(options: StdinOptions, input: Arc<Input>, open_input: OpenInput) -> Self {
        Self { options, input, open_input, running: None }
    }
}

impl Spout for Stdin {
    fn open(&mut self, context: &Arc<Context>) -> Result<(), ComponentError> {
        let settings = self.options.check().map_err(bad_options)?;
        let mut state = self.input.lock();
        state.waker = Some(context.waker.clone());
        let cutting = state.rest.take().unwrap_or_else(|| Cutting {
            buffer: RecordBuffer::new(settings.framing()),
            decoder: settings.decoder(),
            lines: 0,
            messages: 0,
            lossy: 0,
        });
        if !std::mem::replace(&mut state.started, true) {
            let input = Arc::clone(&self.input);
            let open_input = self.open_input;
            context.io.spawn_blocking(move || input.read_all(open_input()));
        }
        let reporter = &context.reporter;
        self.running = Some(Running {
            settings,
            cutting,
            malformed: Complaints::new(reporter, "malformed_records", "the record is left out"),
            lossy: Complaints::new(
                reporter,
                "records_not_utf8",
                "bad bytes are replaced by U+FFFD",
            ),
        });
        Ok(())
    }

    fn next_tuple(&mut self, out: &mut SpoutCollector<'_>) -> Result<Next, ComponentError> {
        self.next_batch(1, out)
    }

    fn next_batch(
        &mut self,
        max: usize,
        out: &mut SpoutCollector<'_>,
    ) -> Result<Next, ComponentError> {
        let running = self.running.as_mut().expect("the spout was opened");
        for _ in 0..max {
            while !running.give_one(out)? {
                let mut state = self.input.lock();
                if let Some(chunk) = state.chunks.pop_front() {
                    self.input.room.notify_one();
                    drop(state);
                    running.cutting.buffer.push(&chunk);
                    continue;
                }
                match &state.ended {
                    None => return Ok(Next::Idle),
                    Some(Ok(())) => return running.give_last(out),
                    Some(Err(error)) => {
                        let message = format!("could not read standard input: {error}");
                        return Err(ComponentError::give_up(message));
                    }
                }
            }
        }
        Ok(Next::More)
    }
}

impl Drop for Stdin {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            self.input.lock().rest = Some(running.cutting);
        }
    }
}

impl Running {
    /// Gives out the next record that is complete; false where there is none.
    fn give_one(&mut self, out: &mut SpoutCollector<'_>) -> Result<bool, ComponentError> {
        let limit = self.settings.max_record;
        let cutting = &mut self.cutting;
        let Some(record) = cutting.buffer.next() else {
            if cutting.buffer.len() > limit {
                return Err(self.too_long(1));
            }
            return Ok(false);
        };
        cutting.lines += 1;
        if record.length > limit {
            return Err(self.too_long(0));
        }
        let decoded = cutting.decoder.decode(record.bytes);
        self.give(decoded, out)?;
        Ok(true)
    }

    fn give_last(&mut self, out: &mut SpoutCollector<'_>) -> Result<Next, ComponentError> {
        let cutting = &mut self.cutting;
        if let Some(record) = cutting.buffer.rest() {
            cutting.lines += 1;
            let decoded = cutting.decoder.decode(record.bytes);
            self.give(decoded, out)?;
        }
        Ok(Next::Exhausted)
    }

    fn give(
        &mut self,
        decoded: Result<Option<crate::tuple::Values>, super::decode::DecodeError>,
        out: &mut SpoutCollector<'_>,
    ) -> Result<(), ComponentError> {
        let seen = self.cutting.decoder.lossy();
        let place = || format!("standard input:{}", self.cutting.lines);
        match decoded {
            Ok(Some(values)) => {
                let id = MessageId(self.cutting.messages);
                self.cutting.messages += 1;
                out.emit(Some(id), values).map_err(refused)?;
            }
            Ok(None) => {}
            Err(error) if error.is_fatal() || self.settings.on_error == OnError::Stop => {
                return Err(ComponentError::give_up(format!("{}: {error}", place())));
            }
            Err(error) => self.malformed.error(&place(), &error),
        }
        if self.cutting.lossy < seen {
            self.lossy.warn(&place(), &"not valid UTF-8");
            self.cutting.lossy = seen;
        }
        Ok(())
    }

    fn too_long(&self, ahead: u64) -> ComponentError {
        let line = self.cutting.lines + ahead;
        let limit = ByteSize(self.settings.max_record as u64);
        ComponentError::give_up(format!(
            "standard input:{line}: the line is longer than {limit}; `max_line` allows more"
        ))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::json;

    use super::*;
    use crate::builtin::testing::{SpoutOut, context_in, until};

    fn stdin(options: serde_json::Value, input: &Arc<Input>, open_input: OpenInput) -> Stdin {
        let options = serde_json::from_value(options).unwrap();
        let mut spout = Stdin::new(options, Arc::clone(input), open_input);
        spout.open(&Arc::new(context_in(Path::new("/nonexistent")))).unwrap();
        spout
    }

    #[test]
    fn everything_up_to_the_last_line_is_given_out_and_memory_is_bounded() {
        // Far more than the reader may be ahead.
        let open_input: OpenInput =
            || Box::new(io::Cursor::new("0123456789\n".repeat(400_000) + "x"));
        let mut spout = stdin(json!({}), &Arc::default(), open_input);
        let mut out = SpoutOut::default();
        until("the end of input", || {
            assert!(spout.input.lock().chunks.len() <= CHUNKS);
            out.ask(&mut spout, 1000) == Next::Exhausted
        });
        assert_eq!(out.emitted.len(), 400_001);
        assert_eq!(out.lines().last().unwrap(), "x");
        assert_eq!(out.ask(&mut spout, 1), Next::Exhausted);
    }

    #[test]
    fn a_second_life_goes_on_in_the_middle_of_a_line() {
        let input = Arc::<Input>::default();
        let open_input: OpenInput = || Box::new(io::Cursor::new("a,b\n1,2\n3,4\n5,6\n"));
        let options = json!({"format": "csv", "fields": ["b"]});
        let mut out = SpoutOut::default();
        let mut first = stdin(options.clone(), &input, open_input);
        until("two messages", || {
            out.ask(&mut first, 1);
            out.emitted.len() == 2
        });
        drop(first);
        let mut second = stdin(options, &input, open_input);
        until("the end of input", || out.ask(&mut second, 10) == Next::Exhausted);
        assert_eq!(out.lines(), ["2", "4", "6"]);
    }

    #[test]
    fn a_line_beyond_the_limit_is_named() {
        let open_input: OpenInput =
            || Box::new(io::Cursor::new("ok\n".to_owned() + &"x".repeat(5000)));
        let mut spout = stdin(json!({"max_line": "1KiB"}), &Arc::default(), open_input);
        let mut out = SpoutOut::default();
        let mut error = None;
        until("an error", || {
            let answer = spout.next_batch(10, &mut SpoutCollector::new(&mut out));
            error = answer.err();
            error.is_some()
        });
        let message = error.unwrap().message;
        assert_eq!(
            message,
            "standard input:2: the line is longer than 1KiB; `max_line` allows more"
        );
    }

    #[test]
    fn two_tasks_are_refused() {
        let options = serde_json::from_value(json!({})).unwrap();
        let declaring = Declaring { tasks: 2, ..Declaring::default() };
        let problems = StdinKind::declare(&options, &declaring).unwrap_err();
        assert_eq!(problems[0].help.as_deref(), Some("set `parallelism = 1`"));
    }
}
