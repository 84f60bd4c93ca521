//! The loop around the coordinator: processes, sockets, signals, time.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use tokio::process::Child;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::sync::oneshot;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use crate::base::{Incarnation, Job, Runtimes, Spawner, WorkerSlot, now};
use crate::control::{FromWorker, Listener, Received, ToWorker};
use crate::topology::Plan;

use super::coordinator::{Coordinator, Effect, Event};
use super::event::{Finish, Outcome, RunEvent};
use super::process::{WorkerCommand, describe};
use super::strays::Strays;

/// Events that may wait for the loop; readers wait beyond that.
const EVENTS: usize = 1024;
/// Messages that may wait for a worker; one that takes none is killed as silent long before.
const MESSAGES: usize = 256;
const TICK_EVERY: Duration = Duration::from_millis(200);
/// How long the last messages of a dead worker may take.
const LAST_WORDS: Duration = Duration::from_millis(500);
/// How long workers may take to leave when a run ends before its time.
const LEAVE_GRACE: Duration = Duration::from_secs(1);

/// What a run needs.
#[derive(Debug)]
pub struct RunOptions {
    /// The plan.
    pub plan: Plan,
    /// This binary; workers are started from it.
    pub executable: PathBuf,
    /// The run's private folder.
    pub run_dir: PathBuf,
    /// Stop taking input after this long.
    pub time_limit: Option<Duration>,
    /// How often progress is told.
    pub progress_every: Duration,
    /// Log level of workers.
    pub log: String,
    /// Whether workers log JSON objects.
    pub log_as_json: bool,
}

/// Why a run could not be started.
#[derive(Debug, thiserror::Error)]
#[error("{what}: {error}")]
pub struct RunError {
    what: &'static str,
    error: io::Error,
}

fn failed(what: &'static str) -> impl Fn(io::Error) -> RunError {
    move |error| RunError { what, error }
}

/// Runs a topology to its end. `observe` hears what happens, in order.
///
/// # Errors
/// A run that could not be started; what goes wrong later is in the outcome.
pub fn run(options: &RunOptions, observe: &mut dyn FnMut(RunEvent)) -> Result<Outcome, RunError> {
    let runtimes = Runtimes::io_only().map_err(failed("no threads"))?;
    let io = runtimes.io();
    let outcome = io.block_on(async {
        let mut run = Run::prepare(options, io.clone())?;
        Ok(run.drive(options, observe).await)
    });
    runtimes.shut_down(Duration::from_millis(100));
    outcome
}

/// What the loop hears.
enum Heard {
    /// A worker's back-off is over.
    Due(WorkerSlot, Incarnation),
    /// A worker has connected.
    Linked(WorkerSlot, Incarnation, Link),
    /// Something for the coordinator.
    Event(Event),
    /// A worker's process has ended; what it sent last may still be on its way.
    Ended(WorkerSlot, Incarnation, String),
}

/// A worker's control link.
struct Link {
    messages: Sender<ToWorker>,
    /// Resolves when all that the worker sent has been heard.
    drained: oneshot::Receiver<()>,
}

struct Run {
    command: WorkerCommand,
    coordinator: Coordinator,
    io: Spawner,
    heard: Sender<Heard>,
    source: Receiver<Heard>,
    workers: BTreeMap<WorkerSlot, Process>,
    first: Vec<Effect>,
    /// Workers that have been killed or told to leave and are not reaped yet.
    alive: usize,
}

/// One worker process.
struct Process {
    incarnation: Incarnation,
    link: Option<Link>,
    kill: Option<oneshot::Sender<()>>,
}

impl Run {
    fn prepare(options: &RunOptions, io: Spawner) -> Result<Self, RunError> {
        let text = serde_json::to_vec(&options.plan).expect("a plan is JSON");
        let path = options.run_dir.join("plan.json");
        std::fs::write(path, text).map_err(failed("the plan cannot be written"))?;
        let (coordinator, first) = Coordinator::new(options.plan.clone(), now());
        let (heard, source) = mpsc::channel(EVENTS);
        let command = WorkerCommand {
            executable: options.executable.clone(),
            run_dir: options.run_dir.clone(),
            stdin: stdin_slot(&options.plan),
            log: options.log.clone(),
            log_as_json: options.log_as_json,
        };
        let workers = BTreeMap::new();
        Ok(Self { command, coordinator, io, heard, source, workers, first, alive: 0 })
    }

    async fn drive(&mut self, options: &RunOptions, observe: &mut dyn FnMut(RunEvent)) -> Outcome {
        let finish = match self.listen() {
            Ok(()) => self.events_until_finish(options, observe).await,
            Err(error) => Finish::Failed { reason: error.to_string(), detail: None },
        };
        self.stop_all().await;
        Outcome { finish, totals: self.coordinator.totals() }
    }

    fn listen(&self) -> Result<(), RunError> {
        let path = self.command.run_dir.join("control.sock");
        let listener = Listener::bind(&path).map_err(failed("no control socket"))?;
        let accepting = accept(listener, self.heard.clone(), self.io.clone());
        self.io.spawn(Job::Vital("control listener"), accepting);
        Ok(())
    }

    async fn events_until_finish(
        &mut self,
        options: &RunOptions,
        observe: &mut dyn FnMut(RunEvent),
    ) -> Finish {
        let go_on = SignalKind::from_raw(nix::sys::signal::Signal::SIGCONT as i32);
        let [Ok(mut interrupts), Ok(mut terminations), Ok(mut resumes)] =
            [SignalKind::interrupt(), SignalKind::terminate(), go_on].map(signal)
        else {
            let reason = "signals cannot be received".to_owned();
            return Finish::Failed { reason, detail: None };
        };
        let mut ticks = interval(TICK_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut progress = interval(options.progress_every);
        progress.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let limit = async {
            match options.time_limit {
                Some(limit) => sleep(limit).await,
                None => std::future::pending().await,
            }
        };
        tokio::pin!(limit);
        let mut limit_over = false;
        let mut effects = std::mem::take(&mut self.first);
        loop {
            if let Some(finish) = self.carry_out(effects, observe) {
                return finish;
            }
            effects = tokio::select! {
                Some(heard) = self.source.recv() => self.hear(heard),
                _ = interrupts.recv() => self.decide(Event::Interrupt),
                _ = terminations.recv() => self.decide(Event::Interrupt),
                _ = resumes.recv() => self.decide(Event::Resume),
                () = &mut limit, if !limit_over => {
                    limit_over = true;
                    self.decide(Event::TimeIsUp)
                }
                _ = ticks.tick() => self.decide(Event::Tick),
                _ = progress.tick() => {
                    observe(RunEvent::Progress(self.coordinator.totals()));
                    Vec::new()
                }
            };
        }
    }

    fn hear(&mut self, heard: Heard) -> Vec<Effect> {
        match heard {
            Heard::Due(slot, incarnation) => {
                self.spawn(slot, incarnation);
                Vec::new()
            }
            Heard::Linked(slot, incarnation, link) => {
                if let Some(worker) = self.workers.get_mut(&slot)
                    && worker.incarnation == incarnation
                {
                    worker.link = Some(link);
                }
                Vec::new()
            }
            Heard::Event(event) => self.decide(event),
            Heard::Ended(slot, incarnation, how) => {
                self.alive -= 1;
                self.tell_exit_when_drained(slot, incarnation, how);
                Vec::new()
            }
        }
    }

    fn tell_exit_when_drained(&mut self, slot: WorkerSlot, incarnation: Incarnation, how: String) {
        let worker = self.workers.get_mut(&slot);
        let link = worker.and_then(|worker| worker.link.take());
        let heard = self.heard.clone();
        self.io.spawn(Job::Vital("worker exit"), async move {
            if let Some(link) = link
                && timeout(LAST_WORDS, link.drained).await.is_err()
            {
                tracing::warn!(worker = slot.0, "a dead worker's control link stays open");
            }
            tell(&heard, Heard::Event(Event::Exited(slot, incarnation, how))).await;
        });
    }

    fn decide(&mut self, event: Event) -> Vec<Effect> {
        self.coordinator.handle(event, now(), fastrand::f64())
    }

    fn carry_out(
        &mut self,
        effects: Vec<Effect>,
        observe: &mut dyn FnMut(RunEvent),
    ) -> Option<Finish> {
        for effect in effects {
            match effect {
                Effect::Spawn(slot, incarnation, delay) => {
                    self.spawn_after(slot, incarnation, delay);
                }
                Effect::Send(slot, message) => self.send(slot, message),
                Effect::Kill(slot) => self.kill(slot),
                Effect::Notify(event) => observe(event),
                Effect::Finish(finish) => return Some(finish),
            }
        }
        None
    }

    fn spawn_after(&mut self, slot: WorkerSlot, incarnation: Incarnation, delay: Duration) {
        self.workers.insert(slot, Process { incarnation, link: None, kill: None });
        if delay.is_zero() {
            return self.spawn(slot, incarnation);
        }
        let heard = self.heard.clone();
        self.io.spawn(Job::Vital("worker back-off"), async move {
            sleep(delay).await;
            tell(&heard, Heard::Due(slot, incarnation)).await;
        });
    }

    /// Starts a worker from this thread, the process's first: workers die with it.
    fn spawn(&mut self, slot: WorkerSlot, incarnation: Incarnation) {
        let Some(worker) = self.workers.get_mut(&slot) else {
            return;
        };
        if worker.incarnation != incarnation {
            return;
        }
        let heard = self.heard.clone();
        self.alive += 1;
        match self.command.spawn(slot, incarnation) {
            Ok(child) => {
                let (kill, killed) = oneshot::channel();
                worker.kill = Some(kill);
                let strays = Strays { run_dir: self.command.run_dir.clone(), io: self.io.clone() };
                let watching = watch(child, slot, incarnation, killed, strays, heard);
                self.io.spawn(Job::Vital("worker watch"), watching);
            }
            Err(error) => {
                let how = format!("could not be started: {error}");
                self.io.spawn(Job::Vital("spawn failure"), async move {
                    tell(&heard, Heard::Ended(slot, incarnation, how)).await;
                });
            }
        }
    }

    fn send(&mut self, slot: WorkerSlot, message: ToWorker) {
        let Some(link) = self.workers.get(&slot).and_then(|worker| worker.link.as_ref()) else {
            // It has ended, and the coordinator will hear of that when it has heard its last words.
            tracing::debug!(worker = slot.0, "a message to a worker that has ended");
            return;
        };
        if link.messages.try_send(message).is_err() {
            tracing::debug!(worker = slot.0, "the worker takes no messages; it is killed");
            self.kill(slot);
        }
    }

    fn kill(&mut self, slot: WorkerSlot) {
        if let Some(kill) = self.workers.get_mut(&slot).and_then(|worker| worker.kill.take()) {
            // A worker that has just ended by itself takes no kill.
            if kill.send(()).is_err() {
                tracing::debug!(worker = slot.0, "the worker had ended before it was killed");
            }
        }
    }

    /// Closes the control links, which tells workers to leave, then kills those that stay.
    async fn stop_all(&mut self) {
        for worker in self.workers.values_mut() {
            worker.link = None;
        }
        let left = timeout(LEAVE_GRACE, self.reap()).await.is_ok();
        if !left {
            let slots: Vec<_> = self.workers.keys().copied().collect();
            for slot in slots {
                self.kill(slot);
            }
            self.reap().await;
        }
    }

    async fn reap(&mut self) {
        while self.alive > 0 {
            match self.source.recv().await {
                Some(Heard::Ended(..)) => self.alive -= 1,
                Some(_) => {}
                None => return,
            }
        }
    }
}

fn stdin_slot(plan: &Plan) -> Option<WorkerSlot> {
    let reads_stdin =
        |task: &&crate::topology::PlannedTask| plan.component(task.component).kind == "stdin";
    plan.tasks.iter().find(reads_stdin).map(|task| task.worker)
}

async fn tell(to: &Sender<Heard>, heard: Heard) {
    if to.send(heard).await.is_err() {
        tracing::debug!("the run is over");
    }
}

/// Waits for a worker's end; kills it when told to. It is reaped either way, and nothing that it has
/// started is left when its end is told.
async fn watch(
    mut child: Child,
    slot: WorkerSlot,
    incarnation: Incarnation,
    killed: oneshot::Receiver<()>,
    strays: Strays,
    heard: Sender<Heard>,
) {
    let pid = child.id();
    let status = tokio::select! {
        status = child.wait() => status,
        Ok(()) = killed => {
            if let Err(error) = child.start_kill() {
                tracing::debug!(worker = slot.0, %error, "the worker had ended already");
            }
            child.wait().await
        }
    };
    if let Some(pid) = pid {
        strays.end(pid).await;
    }
    tell(&heard, Heard::Ended(slot, incarnation, describe(status))).await;
}

async fn accept(listener: Listener, heard: Sender<Heard>, io: Spawner) {
    loop {
        match listener.accept().await {
            Ok((received, sender)) => {
                let (messages, outgoing) = mpsc::channel(MESSAGES);
                io.spawn(Job::Owned("control sender"), send_messages(sender, outgoing));
                let reading = read_messages(received, messages, heard.clone());
                io.spawn(Job::Owned("control reader"), reading);
            }
            Err(error) => {
                tracing::error!(%error, "the control socket takes no more workers");
                return;
            }
        }
    }
}

async fn send_messages(
    mut sender: crate::control::Sender<ToWorker>,
    mut outgoing: Receiver<ToWorker>,
) {
    while let Some(message) = outgoing.recv().await {
        if let Err(error) = sender.send(&message).await {
            tracing::debug!(%error, "a worker's control link broke");
            return;
        }
    }
}

async fn read_messages(
    mut received: Received<FromWorker>,
    messages: Sender<ToWorker>,
    heard: Sender<Heard>,
) {
    let Ok(Some(FromWorker::Hello { version, address })) = received.next().await else {
        tracing::warn!("something that is no worker connected to the control socket");
        return;
    };
    let (slot, incarnation) = (address.slot, address.incarnation);
    // Dropped, and so resolved, when this function ends.
    let (_reading, drained) = oneshot::channel();
    tell(&heard, Heard::Linked(slot, incarnation, Link { messages, drained })).await;
    let mut message = Ok(Some(FromWorker::Hello { version, address }));
    loop {
        match message {
            Ok(Some(message)) => {
                tell(&heard, Heard::Event(Event::Message(slot, incarnation, message))).await;
            }
            Ok(None) => return,
            Err(error) => {
                tracing::debug!(worker = slot.0, %error, "a worker's control link broke");
                return;
            }
        }
        message = received.next().await;
    }
}
