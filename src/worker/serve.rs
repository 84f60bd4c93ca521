//! The worker's one loop: control messages, task events, transport events, reports.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use nix::sys::signal::Signal;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::{Receiver, UnboundedReceiver, unbounded_channel};
use tokio::time::{MissedTickBehavior, interval};

use crate::ack::WorkerView;
use crate::base::{
    BootId, ByteSize, ExitCode, Incarnation, Runtimes, Spawner, TaskId, TaskSpawner, WorkerSlot,
    now,
};
use crate::component::{Registry, Report};
use crate::control::{
    CONTROL_VERSION, ControlError, FromWorker, Received, Sender, ToWorker, WorkerAddress, connect,
};
use crate::executor::{
    Congestion, Control, RemoteLink, TaskEvent, TaskHandle, Wiring, Workshop, start_tasks,
};
use crate::topology::{LinkKind, Plan};
use crate::transport::{
    EndpointKind, PeerAddress, Transport, TransportError, TransportEvent, TransportOptions,
};

use super::conf::storm_conf;
use super::inbox::Inbox;
use super::outlet::Outlet;
use super::positions::PositionFiles;
use super::report::{REPORT_EVERY, report, run_state};
use super::uplink::Uplink;

/// How long threads may take to stop.
const STOP_GRACE: Duration = Duration::from_millis(200);

/// What a worker process is told on its command line.
#[derive(Clone, Debug)]
pub struct WorkerOptions {
    /// The run's private folder, with the plan in it.
    pub run_dir: PathBuf,
    /// The worker's slot.
    pub slot: WorkerSlot,
    /// Which of the slot's workers it is.
    pub incarnation: Incarnation,
}

/// Why a worker could not serve.
#[derive(Debug, thiserror::Error)]
pub(super) enum WorkerError {
    #[error("{what}: {error}")]
    Io { what: &'static str, error: io::Error },
    #[error("the plan cannot be read: {0}")]
    Plan(#[from] serde_json::Error),
    #[error(transparent)]
    Control(#[from] ControlError),
    #[error(transparent)]
    Transport(#[from] TransportError),
    #[error("the supervisor closed the control link")]
    SupervisorGone,
}

fn io_error(what: &'static str) -> impl Fn(io::Error) -> WorkerError {
    move |error| WorkerError::Io { what, error }
}

/// Runs a worker until its supervisor tells it to exit, or is gone.
pub fn run(options: WorkerOptions, registry: Registry) -> ExitCode {
    let outcome = prepare(&options).and_then(|(plan, runtimes)| {
        let io = runtimes.io();
        let served = io.block_on(serve(&options, plan, registry, &runtimes));
        runtimes.shut_down(STOP_GRACE);
        served
    });
    match outcome {
        Ok(()) => ExitCode::Success,
        Err(error @ WorkerError::SupervisorGone) => {
            // That is how a run that failed or was killed ends its workers, and says so itself.
            tracing::debug!(worker = options.slot.0, %error, "the worker ends");
            ExitCode::RunFailed
        }
        Err(error) => {
            tracing::error!(worker = options.slot.0, %error, "the worker ends");
            ExitCode::RunFailed
        }
    }
}

fn prepare(options: &WorkerOptions) -> Result<(Plan, Runtimes), WorkerError> {
    let path = options.run_dir.join("plan.json");
    let text = std::fs::read(path).map_err(io_error("the plan cannot be read"))?;
    let plan: Plan = serde_json::from_slice(&text)?;
    let threads = match plan.settings.executor_threads {
        0 => share(cores(), plan.settings.workers, options.slot),
        threads => threads,
    };
    let runtimes = Runtimes::with_executors(threads).map_err(io_error("no threads"))?;
    Ok((plan, runtimes))
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(2, usize::from)
}

/// A worker's part of the cores: all workers run on this machine. At least one.
fn share(cores: usize, workers: u16, slot: WorkerSlot) -> usize {
    let workers = usize::from(workers.max(1));
    (cores / workers + usize::from(usize::from(slot.0) < cores % workers)).max(1)
}

/// Everything of a running worker.
struct Worker {
    plan: Plan,
    slot: WorkerSlot,
    incarnations: Vec<Incarnation>,
    transport: Option<Arc<Transport>>,
    tasks: Vec<TaskHandle>,
    congestion: Arc<Congestion>,
    uplink: Uplink,
    control: Sender<FromWorker>,
}

struct Sources {
    control: Received<ToWorker>,
    lines: Receiver<FromWorker>,
    tasks: UnboundedReceiver<TaskEvent>,
    transport: UnboundedReceiver<TransportEvent>,
}

async fn serve(
    options: &WorkerOptions,
    plan: Plan,
    registry: Registry,
    runtimes: &Runtimes,
) -> Result<(), WorkerError> {
    let inbox = Arc::new(Inbox::default());
    let (transport_events, transport_source) = unbounded_channel();
    let boot = BootId::random();
    let (transport, endpoint) = if plan.settings.workers > 1 {
        let settings = transport_options(options, &plan, boot);
        let notify = move |event| drop(transport_events.send(event));
        let bound = Transport::bind(settings, inbox.clone(), notify, runtimes.io()).await?;
        let transport = Arc::new(bound);
        inbox.set_transport(Arc::clone(&transport));
        let endpoint = relayed(options.slot, &plan).unwrap_or(transport.address().endpoint);
        (Some(transport), endpoint)
    } else {
        (None, String::new())
    };
    // With a handler, a file at its size limit is an error of whoever writes it, and not our end.
    let handler = signal(SignalKind::from_raw(Signal::SIGXFSZ as i32));
    drop(handler.map_err(io_error("no signal handler"))?); // It stays.
    let (mut control, mut sender) = connect(&options.run_dir.join("control.sock"))
        .await
        .map_err(io_error("the supervisor cannot be reached"))?;
    let (slot, incarnation) = (options.slot, options.incarnation);
    let address = WorkerAddress { slot, incarnation, boot, endpoint };
    sender.send(&FromWorker::Hello { version: CONTROL_VERSION, address }).await?;
    let (workers, incarnations, producing, paused, ended) = match control.next().await? {
        Some(ToWorker::Begin { workers, incarnations, producing, paused, ended }) => {
            (workers, incarnations, producing, paused, ended)
        }
        Some(ToWorker::Exit) => return Ok(()),
        _ => return Err(WorkerError::SupervisorGone),
    };
    let (uplink, lines) = Uplink::new();
    let (task_events, tasks) = unbounded_channel();
    let congestion = Arc::new(Congestion::default());
    let mut worker = Worker {
        incarnations,
        plan,
        slot,
        transport,
        tasks: Vec::new(),
        congestion: Arc::clone(&congestion),
        uplink,
        control: sender,
    };
    worker.set_peers(&workers);
    let executors = runtimes.executors().expect("a worker has executors");
    let shop = Workshop {
        settings: Arc::new(worker.plan.settings.clone()),
        alarms: runtimes.alarms(),
        credit: inbox.clone(),
        positions: Arc::new(
            PositionFiles::open(options.run_dir.join("positions"))
                .map_err(io_error("the folder for positions cannot be made"))?,
        ),
        congestion,
        events: task_events,
    };
    worker.start(options, registry, shop, ended, (runtimes.io(), &executors));
    inbox.set_tasks(&worker.tasks);
    if paused {
        worker.order_all(&Control::Pause);
    }
    worker.order_all(&if producing { Control::Activate } else { Control::StopInput });
    worker.run(Sources { control, lines, tasks, transport: transport_source }).await
}

/// Where others are told to connect to, if not to the worker's own socket.
fn relayed(slot: WorkerSlot, plan: &Plan) -> Option<String> {
    let mut relay = plan.settings.link_relay?;
    relay.set_port(relay.port().checked_add(slot.0)?);
    Some(format!("tcp://{relay}"))
}

fn transport_options(options: &WorkerOptions, plan: &Plan, boot: BootId) -> TransportOptions {
    let folder = options.run_dir.join("links");
    let ByteSize(window) = plan.settings.link_window;
    TransportOptions {
        kind: match plan.settings.link {
            LinkKind::Ipc => EndpointKind::Ipc,
            LinkKind::Tcp => EndpointKind::Tcp,
        },
        window: window as usize,
        credit: plan.settings.mailbox.as_usize(),
        ..TransportOptions::new(options.slot, boot, options.incarnation, folder)
    }
}

impl Worker {
    fn start(
        &mut self,
        options: &WorkerOptions,
        registry: Registry,
        shop: Workshop,
        ended: Vec<TaskId>,
        (io, executors): (Spawner, &TaskSpawner),
    ) {
        let uplink = self.uplink.clone();
        let make_report = |_: &str, task: TaskId| -> Arc<dyn Report> { uplink.task(task) };
        let wiring = Wiring {
            plan: &self.plan,
            slot: self.slot,
            restarted: options.incarnation > Incarnation(0),
            registry: Arc::new(registry),
            shop,
            ended: ended.into_iter().collect(),
            links: self.links(),
            view: WorkerView::new(self.incarnations.iter().copied()),
            run_dir: options.run_dir.clone(),
            conf: storm_conf(&self.plan),
            report: &make_report,
            io,
        };
        self.tasks = start_tasks(&wiring, executors);
    }

    fn links(&self) -> BTreeMap<WorkerSlot, Arc<dyn RemoteLink>> {
        let Some(transport) = &self.transport else { return BTreeMap::new() };
        (0..self.plan.settings.workers)
            .map(WorkerSlot)
            .filter(|slot| *slot != self.slot)
            .map(|slot| (slot, Arc::new(Outlet(transport.peer(slot))) as Arc<dyn RemoteLink>))
            .collect()
    }

    fn set_peers(&self, workers: &[WorkerAddress]) {
        let Some(transport) = &self.transport else { return };
        for worker in workers.iter().filter(|worker| worker.slot != self.slot) {
            if let Err(error) = transport.set_peer(peer_address(worker)) {
                tracing::error!(peer = worker.slot.0, %error, "a peer's address cannot be used");
            }
        }
    }

    fn order_all(&self, control: &Control) {
        for task in &self.tasks {
            task.mailbox.push_control(control.clone());
        }
    }

    fn order(&self, task: TaskId, control: Control) {
        if let Some(task) = self.tasks.iter().find(|handle| handle.task == task) {
            task.mailbox.push_control(control);
        }
    }

    async fn run(mut self, mut sources: Sources) -> Result<(), WorkerError> {
        let mut reports = interval(REPORT_EVERY);
        reports.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                message = sources.control.next() => match message? {
                    Some(ToWorker::Exit) => return self.leave().await,
                    Some(message) => self.obey(message),
                    None => return Err(WorkerError::SupervisorGone),
                },
                Some(event) = sources.tasks.recv() => self.tell(event).await?,
                Some(line) = sources.lines.recv() => self.control.send(&line).await?,
                Some(event) = sources.transport.recv() => self.transport_event(event).await?,
                _ = reports.tick() => self.report().await?,
            }
        }
    }

    fn obey(&mut self, message: ToWorker) {
        match message {
            ToWorker::PeerLost { slot, successor } => {
                // The link goes first: nothing sent under the new view may reach the dead one.
                if let Some(transport) = &self.transport {
                    transport.remove_peer(slot);
                }
                if let Some(known) = self.incarnations.get_mut(slot.index()) {
                    *known = successor;
                }
                let view = WorkerView::new(self.incarnations.iter().copied());
                self.order_all(&Control::PeerLost(slot, view));
            }
            ToWorker::PeerReplaced { address } => {
                self.set_peers(std::slice::from_ref(&address));
                self.order_all(&Control::PeerReplaced(address.slot));
            }
            ToWorker::Congested { tasks } => self.congestion.set(tasks.into_iter().collect()),
            ToWorker::StopInput => self.order_all(&Control::StopInput),
            ToWorker::Pause => self.order_all(&Control::Pause),
            ToWorker::Resume => self.order_all(&Control::Resume),
            ToWorker::ShowStacks { task } => self.order(task, Control::ShowStacks),
            ToWorker::Restart { task, reason } => self.order(task, Control::Restart(reason)),
            ToWorker::End => self.order_all(&Control::End),
            ToWorker::Begin { .. } | ToWorker::Exit => {}
        }
    }

    async fn tell(&mut self, event: TaskEvent) -> Result<(), WorkerError> {
        let message = match event {
            TaskEvent::State(task, state) => FromWorker::State { task, state: run_state(state) },
            TaskEvent::Failed { task, reason, detail, lost_memory } => {
                FromWorker::Failed { task, reason, detail, lost_memory }
            }
            TaskEvent::Unwanted { task, reason } => FromWorker::Unwanted { task, reason },
            TaskEvent::Stacks { task, text } => FromWorker::Stacks { task, text },
            TaskEvent::Restarted { task, reason, detail, lost_memory } => {
                FromWorker::Restarted { task, reason, detail, lost_memory }
            }
        };
        Ok(self.control.send(&message).await?)
    }

    async fn transport_event(&mut self, event: TransportEvent) -> Result<(), WorkerError> {
        match event {
            TransportEvent::Connected { slot, .. } => {
                tracing::debug!(peer = slot.0, "link is up");
            }
            TransportEvent::Disconnected { slot, reason, .. } => {
                tracing::debug!(peer = slot.0, reason, "link broke");
            }
            TransportEvent::Unresponsive { slot, boot, .. } => {
                self.control.send(&FromWorker::PeerUnresponsive { slot, boot }).await?;
            }
            TransportEvent::ProtocolError { slot, message } => {
                let peer = slot.map(|slot| slot.0);
                tracing::warn!(peer, message, "unexpected bytes on a link were dropped");
            }
        }
        Ok(())
    }

    async fn report(&mut self) -> Result<(), WorkerError> {
        for counts in self.uplink.take_counts() {
            self.control.send(&counts).await?;
        }
        let report = report(&self.tasks, self.plan.settings.message_timeout, now());
        Ok(self.control.send(&report).await?)
    }

    /// Leaves: the last numbers go up. Every task of the run has ended, and so has taken all that was
    /// for it: nothing is on the links but credit that nobody will spend. To wait for that would be
    /// to wait for workers that have left.
    async fn leave(mut self) -> Result<(), WorkerError> {
        // The supervisor may have left already; the run's result no longer depends on it.
        if let Err(error) = self.report().await {
            tracing::debug!(%error, "the last report was not taken");
        }
        Ok(())
    }
}

fn peer_address(worker: &WorkerAddress) -> PeerAddress {
    PeerAddress {
        slot: worker.slot,
        incarnation: worker.incarnation,
        boot: worker.boot,
        endpoint: worker.endpoint.clone(),
    }
}
