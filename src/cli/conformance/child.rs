//! Runs cases against children: the loop around [`Script`]s, with the processes and the clock.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use serde_json::{Value, json};

use crate::base::{Runtimes, Signal, StreamIdx, TaskId, Timestamp, WorkerSlot, now};
use crate::component::{Context, Input, Level, Output, Report, Reporter, StreamDecl, Subscriber};
use crate::multilang::{CommandOptions, TRACE_PREFIX, Talk};
use crate::topology::Environment;

use super::case::{Case, Framing};
use super::script::{Action, Failure, Progress, Script};
use super::wire::SOURCE;

/// Lines of the conversation that are kept to explain a failure.
const WIRE_LINES: usize = 5000;
/// A longer line is shortened.
const WIRE_LINE: usize = 4000;
/// The longest that the loop waits without a look at everything.
const LOOK: Duration = Duration::from_millis(250);
/// The task of the component, and those of the one that listens to it.
const TASK: TaskId = TaskId(2);
const SINK: (&str, [TaskId; 2]) = ("sink", [TaskId(3), TaskId(4)]);

/// What went over the pipes: `>` to the child, `<` from it, `!` its standard error.
#[derive(Debug, Default)]
struct Wire(Mutex<VecDeque<String>>);

impl Wire {
    fn take(&self) -> Vec<String> {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *lines).into()
    }
}

impl Report for Wire {
    fn log(&self, _level: Level, message: &str) {
        let line = match message.strip_prefix(TRACE_PREFIX) {
            Some(frame) => frame.to_owned(),
            None => format!("! {message}"),
        };
        let line = match line.char_indices().nth(WIRE_LINE) {
            Some((at, _)) => format!("{}… ({} bytes)", &line[..at], line.len()),
            None => line,
        };
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() == WIRE_LINES {
            lines.pop_front();
        }
        lines.push_back(line);
    }

    fn error(&self, message: &str, _detail: Option<&str>) {
        self.log(Level::Error, message);
    }
}

/// How a case went.
#[derive(Debug)]
pub(super) struct Ran {
    pub(super) failure: Option<Failure>,
    pub(super) wire: Vec<String>,
}

/// What is run, and how.
#[derive(Debug)]
pub(super) struct Children<'a> {
    /// Program and arguments; `{component}` stands for the name of the reference component.
    pub(super) command: &'a [String],
    /// How long each step may take.
    pub(super) patience: Duration,
    pub(super) run_dir: &'a Path,
    pub(super) runtimes: &'a Runtimes,
    pub(super) environment: &'a Environment,
}

impl Children<'_> {
    /// Runs cases, as many at once as `at_once` says. Calls `ran` with each case's place, in any
    /// order.
    ///
    /// # Errors
    /// Where no child can be run at all, and what `ran` returns.
    pub(super) fn run(
        &self,
        cases: &[(&Case, Framing)],
        at_once: usize,
        mut ran: impl FnMut(usize, Ran) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let waker = Signal::new();
        let mut waiting = cases.iter().enumerate();
        let mut running: Vec<(usize, Conversation<'_>)> = Vec::new();
        loop {
            while running.len() < at_once {
                let Some((place, (case, framing))) = waiting.next() else { break };
                running.push((place, self.start(case, *framing, &waker)?));
            }
            if running.is_empty() {
                return Ok(());
            }
            let mut wake = now() + LOOK;
            let mut over = Vec::new();
            for (at, (_, conversation)) in running.iter_mut().enumerate() {
                match conversation.turn() {
                    Some(until) => wake = wake.min(until),
                    None => over.push(at),
                }
            }
            for at in over.iter().rev() {
                let (place, conversation) = running.remove(*at);
                ran(place, conversation.end())?;
            }
            if over.is_empty() {
                self.pause(&waker, wake);
            }
        }
    }

    fn start<'c>(
        &self,
        case: &'c Case,
        framing: Framing,
        waker: &Signal,
    ) -> anyhow::Result<Conversation<'c>> {
        let wire = Arc::new(Wire::default());
        let reporter = Reporter::new(wire.clone(), Arc::default());
        let context = self.context(case, reporter, waker.clone());
        let options = self.options(case, framing)?;
        let (talk, handshake) =
            Talk::start(&options, &context).map_err(|error| anyhow::anyhow!(error.message))?;
        let script = Script::new(case, framing, handshake, self.patience, now());
        Ok(Conversation { talk, script, wire, failure: None })
    }

    fn pause(&self, waker: &Signal, until: Timestamp) {
        let span = until.since(now());
        let wait = async { tokio::time::timeout(span, waker.wait()).await };
        let rung = self.runtimes.io().block_on(wait);
        tracing::trace!(rung = rung.is_ok(), "the loop goes on");
    }

    fn options(&self, case: &Case, framing: Framing) -> anyhow::Result<CommandOptions> {
        let command = self.command.iter().map(|word| word.replace("{component}", &case.component));
        let mut config = case.config.clone();
        config.insert("component".to_owned(), json!(case.component));
        let options = json!({
            "command": command.collect::<Vec<_>>(),
            "config": config,
            "batch": framing == Framing::Batch,
            "trace": true,
            "stop_grace_ms": self.patience.as_millis() as u64 * 2,
            "utf8_locale": self.environment.utf8_locale(),
            "path": self.environment.get("PATH"),
            "pythonpath": self.environment.get("PYTHONPATH"),
            "nodepath": self.environment.get("NODE_PATH"),
            // Values go to the child as they stand in the case.
            "language": Value::Null,
        });
        serde_json::from_value(options).context("the options of a child")
    }

    fn context(&self, case: &Case, reporter: Reporter, waker: Signal) -> Context {
        let source = TaskId(SOURCE.1 as u32);
        let mut tasks = vec![(source, SOURCE.0.to_owned()), (TASK, case.component.clone())];
        tasks.extend(SINK.1.map(|task| (task, SINK.0.to_owned())));
        Context {
            topology: "conformance".to_owned(),
            component: case.component.clone(),
            task: TASK,
            task_index: 0,
            task_count: 1,
            worker: WorkerSlot(0),
            restarted: false,
            tasks: Arc::new(tasks),
            inputs: inputs(case, source),
            outputs: outputs(case),
            conf: Arc::default(),
            message_timeout: Duration::from_secs(30),
            tick: None,
            dir: std::env::current_dir().unwrap_or_else(|_| ".".into()),
            state_dir: self.run_dir.join("state"),
            run_dir: self.run_dir.to_owned(),
            waker,
            io: self.runtimes.io(),
            reporter,
        }
    }
}

/// A case that is under way.
struct Conversation<'c> {
    talk: Talk,
    script: Script<'c>,
    wire: Arc<Wire>,
    failure: Option<Failure>,
}

impl Conversation<'_> {
    /// Does what can be done now; until when it waits, or nothing where it is over.
    fn turn(&mut self) -> Option<Timestamp> {
        self.act();
        while let Some(said) = self.talk.take() {
            self.script.hear(said);
        }
        let progress = self.script.advance(now());
        self.act();
        match progress {
            Ok(Progress::Waits(until)) => Some(until),
            Ok(Progress::Done) => None,
            Err(failure) => {
                self.failure = Some(failure);
                None
            }
        }
    }

    fn act(&mut self) {
        for action in self.script.take_actions() {
            match action {
                Action::Send(message) => self.talk.send(&message),
                Action::Close => self.talk.close(),
                Action::Terminate => self.talk.terminate(),
            }
        }
    }

    fn end(self) -> Ran {
        self.talk.kill();
        Ran { failure: self.failure, wire: self.wire.take() }
    }
}

fn inputs(case: &Case, source: TaskId) -> Vec<Input> {
    let streams = case.inputs.iter().zip(0..);
    streams
        .map(|((stream, fields), place)| Input {
            component: SOURCE.0.to_owned(),
            tasks: vec![source],
            stream: StreamIdx(place),
            decl: StreamDecl { name: stream.clone(), fields: fields.clone(), direct: false },
            grouping: "SHUFFLE",
            grouping_fields: Vec::new(),
        })
        .collect()
}

fn outputs(case: &Case) -> Vec<Output> {
    let stream = |(name, fields): (&String, &Vec<String>)| {
        let direct = case.direct.contains(name);
        let listener = Subscriber {
            component: SINK.0.to_owned(),
            tasks: SINK.1.to_vec(),
            grouping: if direct { "DIRECT" } else { "SHUFFLE" },
            grouping_fields: Vec::new(),
        };
        let decl = StreamDecl { name: name.clone(), fields: fields.clone(), direct };
        Output { decl, subscribers: vec![listener] }
    };
    case.outputs.iter().map(stream).collect()
}
