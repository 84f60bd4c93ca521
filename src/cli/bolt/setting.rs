//! The world of the one task: its context, made from the plan as a worker would, and its options,
//! changed as the command line wants. It runs nothing.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::{Value, json};

use crate::base::{ComponentIdx, ExitCode, Runtimes, Signal, Spawner, TaskId, WorkerSlot};
use crate::component::{Component, Context, Registry, Reporter};
use crate::executor::{context_input, context_outputs};
use crate::supervisor::{self, RunDir};
use crate::topology::{COMMAND_KIND, Plan, PlannedComponent};
use crate::worker::storm_conf;

use super::super::run::run_base;
use super::BoltArguments;
use super::events::{Events, Form};

/// As good as for ever, and far from any overflow.
const NO_TIMEOUT: Duration = Duration::from_secs(30 * 24 * 3600);
/// How long threads may take to stop.
const STOP_GRACE: Duration = Duration::from_millis(200);

/// Why a component is not run.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    #[error("there is no component `{name}`; there are {}", known.join(", "))]
    Unknown { name: String, known: Vec<String> },
    #[error("`{name}` is built in: it has no protocol to trace")]
    NothingToTrace { name: String },
    #[error(
        "`{name}` does not run in Node.js; in Python, call `debugpy.listen(5678)` and \
         `debugpy.wait_for_client()` in the file and use --no-timeouts"
    )]
    NotNode { name: String },
    #[error("{}", .0.join("\ngalewire: "))]
    MissingProgram(Vec<String>),
    #[error("could not prepare the run: {0}")]
    Io(#[from] io::Error),
}

impl Refusal {
    pub(super) fn code(&self) -> ExitCode {
        match self {
            Self::Unknown { .. } | Self::NothingToTrace { .. } | Self::NotNode { .. } => {
                ExitCode::Usage
            }
            Self::MissingProgram(_) => ExitCode::MissingProgram,
            Self::Io(_) => ExitCode::RunFailed,
        }
    }
}

/// What a lone component runs in. Its folders go with it.
pub(super) struct Setting {
    pub(super) context: Arc<Context>,
    pub(super) events: Arc<Events>,
    pub(super) runtimes: Runtimes,
    component: PlannedComponent,
    _run_dir: RunDir,
}

impl Setting {
    pub(super) fn new(plan: Plan, arguments: &BoltArguments) -> Result<Self, Refusal> {
        let name = &arguments.component;
        let place = plan.components.iter().position(|component| component.name == *name);
        let Some(place) = place else {
            let known = plan.components.iter().map(|component| component.name.clone());
            return Err(Refusal::Unknown { name: name.clone(), known: known.collect() });
        };
        let component = changed(&plan.components[place], arguments)?;
        let alone = Plan { components: vec![component.clone()], ..plan.clone() };
        let missing = supervisor::missing_programs(&alone);
        if !missing.is_empty() {
            let problems = missing.iter().map(ToString::to_string);
            return Err(Refusal::MissingProgram(problems.collect()));
        }
        let run_dir = RunDir::create(&run_base())?.guarded(&std::env::current_exe()?)?;
        let runtimes = Runtimes::io_only()?;
        let waker = Signal::new();
        let form = if arguments.json { Form::Json } else { Form::Plain };
        let events = Arc::new(Events::new(form, waker.clone()));
        let reporter = Reporter::new(events.clone(), Arc::default());
        let task = Task { place: ComponentIdx(place as u16), waker, io: runtimes.io(), reporter };
        let mut context = task.context(&plan, run_dir.path());
        if arguments.no_timeouts || arguments.inspect {
            context.message_timeout = NO_TIMEOUT;
        }
        Ok(Self { context: Arc::new(context), events, runtimes, component, _run_dir: run_dir })
    }

    /// A fresh component.
    pub(super) fn make(&self, registry: &Registry) -> anyhow::Result<Component> {
        let PlannedComponent { role, kind, options, name, .. } = &self.component;
        registry.build(*role, kind, options).with_context(|| format!("could not make {name}"))
    }

    /// Stops the threads; a reader of standard input that waits is left behind.
    pub(super) fn leave(self) {
        self.runtimes.shut_down(STOP_GRACE);
    }
}

/// The component with the options that the command line asks for.
fn changed(
    component: &PlannedComponent,
    arguments: &BoltArguments,
) -> Result<PlannedComponent, Refusal> {
    let mut component = component.clone();
    let name = || arguments.component.clone();
    let has_program = component.kind == COMMAND_KIND;
    if arguments.trace_protocol && !has_program {
        return Err(Refusal::NothingToTrace { name: name() });
    }
    if arguments.inspect && component.options.get("language") != Some(&json!("node")) {
        return Err(Refusal::NotNode { name: name() });
    }
    let Some(options) = component.options.as_object_mut().filter(|_| has_program) else {
        return Ok(component);
    };
    options.insert("trace".to_owned(), json!(arguments.trace_protocol));
    if arguments.inspect
        && let Some(Value::Array(command)) = options.get_mut("command")
    {
        command.insert(1.min(command.len()), json!("--inspect-brk"));
    }
    if arguments.no_timeouts || arguments.inspect {
        let span = json!(NO_TIMEOUT.as_millis() as u64);
        options.insert("timeout_ms".to_owned(), Value::Null);
        options.insert("handshake_timeout_ms".to_owned(), span.clone());
        options.insert("heartbeat_timeout_ms".to_owned(), span);
    }
    Ok(component)
}

/// The component's first task, and what it is given beside the plan.
struct Task {
    place: ComponentIdx,
    waker: Signal,
    io: Spawner,
    reporter: Reporter,
}

impl Task {
    /// What the task is told. Its state goes with the run, so that trying a component out does not
    /// move the place where a real run goes on.
    fn context(self, plan: &Plan, run_dir: &Path) -> Context {
        let component = plan.component(self.place);
        let tasks = plan.tasks.iter();
        let tasks = tasks.map(|task| (task.id, plan.component(task.component).name.clone()));
        let task = plan.tasks_of(self.place).next().map_or(TaskId(0), |task| task.id);
        Context {
            topology: plan.name.clone(),
            component: component.name.clone(),
            task,
            task_index: 0,
            task_count: 1,
            worker: WorkerSlot(0),
            restarted: false,
            tasks: Arc::new(tasks.collect()),
            inputs: component.inputs.iter().map(|input| context_input(plan, input)).collect(),
            outputs: context_outputs(plan, self.place),
            conf: Arc::new(storm_conf(plan)),
            message_timeout: plan.settings.message_timeout,
            tick: component.tick,
            dir: plan.dir.clone(),
            state_dir: run_dir.join("state"),
            run_dir: run_dir.to_owned(),
            waker: self.waker,
            io: self.io,
            reporter: self.reporter,
        }
    }
}
