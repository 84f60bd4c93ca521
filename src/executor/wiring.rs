//! From the plan to running tasks: contexts, mailboxes, lanes, loops.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;

use crate::ack::{EdgeSums, WorkerView};
use crate::base::{ComponentIdx, Job, Signal, Spawner, StreamIdx, TaskId, TaskSpawner, WorkerSlot};
use crate::component::{
    Context, Input, Output as ContextOutput, Registry, Report, Reporter, Role, Subscriber,
};
use crate::grouping::{Chooser, Target};
use crate::metrics::UserMetrics;
use crate::topology::{Guarantee, Plan, PlannedInput, PlannedTask, messages_aside};

use super::bolt_task::BoltTask;
use super::emit::{AckWay, AckWays, Output};
use super::hours::Hours;
use super::housing::{Housing, TaskHandle, Workshop};
use super::lane::{Destination, Lane, RemoteLink};
use super::mailbox::Mailbox;
use super::routes::{Route, Routes, StreamRoutes};
use super::runs::Runs;
use super::spout_task::SpoutTask;

/// What one worker's tasks are made from.
pub struct Wiring<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// The worker.
    pub slot: WorkerSlot,
    /// Whether an earlier life of this worker has run in this run.
    pub restarted: bool,
    /// Makes components.
    pub registry: Arc<Registry>,
    /// What the tasks share.
    pub shop: Workshop,
    /// Tasks that had ended in an earlier life of this worker: there is nothing left to do for them but to
    /// say so.
    pub ended: BTreeSet<TaskId>,
    /// The ways to the other workers.
    pub links: BTreeMap<WorkerSlot, Arc<dyn RemoteLink>>,
    /// What is known of the workers.
    pub view: WorkerView,
    /// The run's private folder.
    pub run_dir: PathBuf,
    /// Storm's settings, for children.
    pub conf: serde_json::Map<String, serde_json::Value>,
    /// Takes a task's log and errors, by component and task.
    pub report: &'a dyn Fn(&str, TaskId) -> Arc<dyn Report>,
    /// Where jobs that wait are started.
    pub io: Spawner,
}

/// Makes and starts every task of a worker. Spouts produce nothing before they are activated.
pub fn start_tasks(wiring: &Wiring<'_>, executors: &TaskSpawner) -> Vec<TaskHandle> {
    let start = |(handle, task): (TaskHandle, TaskLoop)| {
        task.start(executors);
        handle
    };
    make_tasks(wiring).into_iter().map(start).collect()
}

/// Makes every task of a worker.
pub(crate) fn make_tasks(wiring: &Wiring<'_>) -> Vec<(TaskHandle, TaskLoop)> {
    let plan = wiring.plan;
    let limit = plan.settings.mailbox.as_usize();
    let mailboxes: BTreeMap<TaskId, Arc<Mailbox>> = plan
        .tasks_on(wiring.slot)
        .map(|task| (task.id, Arc::new(Mailbox::new(limit, Signal::new()))))
        .collect();
    let tasks: Arc<Vec<_>> = Arc::new(
        plan.tasks
            .iter()
            .map(|task| (task.id, plan.component(task.component).name.clone()))
            .collect(),
    );
    let conf = Arc::new(wiring.conf.clone());
    let ways = ack_ways(wiring, &mailboxes);
    plan.tasks_on(wiring.slot)
        .map(|task| {
            let ways = Arc::clone(&ways);
            Parts { wiring, task, mailboxes: &mailboxes, ways }.make(&tasks, &conf)
        })
        .collect()
}

/// The ways to all tasks that emit anything.
fn ack_ways(wiring: &Wiring<'_>, mailboxes: &BTreeMap<TaskId, Arc<Mailbox>>) -> AckWays {
    let plan = wiring.plan;
    if plan.settings.guarantee != Guarantee::AtLeastOnce {
        return AckWays::default();
    }
    let emits = |task: &&PlannedTask| plan.consumers_of(task.component).next().is_some();
    let tasks = plan.tasks.iter().filter(emits);
    let ways = tasks.map(|task| {
        let way = match mailboxes.get(&task.id) {
            Some(mailbox) => AckWay::Local(Arc::clone(mailbox)),
            None => AckWay::Remote(Arc::clone(&wiring.links[&task.worker])),
        };
        (task.id, way)
    });
    Arc::new(ways.collect())
}

/// The loop of a task.
pub(crate) enum TaskLoop {
    Spout(Box<SpoutTask>),
    Bolt(Box<BoltTask>),
}

impl TaskLoop {
    fn skip(&mut self) {
        match self {
            Self::Spout(task) => task.skip(),
            Self::Bolt(task) => task.skip(),
        }
    }

    fn start(self, executors: &TaskSpawner) {
        match self {
            Self::Spout(task) => executors.spawn(Job::Vital("spout task"), task.run()),
            Self::Bolt(task) => executors.spawn(Job::Vital("bolt task"), task.run()),
        }
    }
}

struct Parts<'a> {
    wiring: &'a Wiring<'a>,
    task: &'a PlannedTask,
    mailboxes: &'a BTreeMap<TaskId, Arc<Mailbox>>,
    ways: AckWays,
}

impl Parts<'_> {
    fn make(
        &self,
        tasks: &Arc<Vec<(TaskId, String)>>,
        conf: &Arc<serde_json::Map<String, serde_json::Value>>,
    ) -> (TaskHandle, TaskLoop) {
        let Wiring { plan, registry, shop, .. } = self.wiring;
        let component = plan.component(self.task.component);
        let mailbox = Arc::clone(&self.mailboxes[&self.task.id]);
        let handle = TaskHandle::new(self.task.id, Arc::clone(&mailbox));
        let context = self.context(tasks, conf, &handle.user_metrics, mailbox.signal());
        let (role, kind) = (component.role, component.kind.clone());
        let (registry, options) = (Arc::clone(registry), component.options.clone());
        let housing = Housing {
            context: Arc::new(context),
            mailbox,
            counters: Arc::clone(&handle.counters),
            status: Arc::clone(&handle.status),
            build: Box::new(move || registry.build(role, &kind, &options)),
            restart: component.restart.clone(),
            retry: component.retry.clone(),
            shop: shop.clone(),
            downstream: downstream(plan, self.task.component),
            producers: producers(plan, self.task.component),
            max_pending: max_pending(plan, self.task.component),
            hours: Hours::default(),
        };
        let output = self.output(&housing);
        let mut task = match role {
            Role::Spout => TaskLoop::Spout(Box::new(SpoutTask::new(housing, output))),
            Role::Bolt => TaskLoop::Bolt(Box::new(BoltTask::new(housing, output))),
        };
        if self.wiring.ended.contains(&self.task.id) {
            task.skip();
        }
        (handle, task)
    }

    fn context(
        &self,
        tasks: &Arc<Vec<(TaskId, String)>>,
        conf: &Arc<serde_json::Map<String, serde_json::Value>>,
        metrics: &Arc<UserMetrics>,
        waker: &Signal,
    ) -> Context {
        let Wiring { plan, slot, restarted, run_dir, report, io, .. } = self.wiring;
        let component = plan.component(self.task.component);
        let reporter = Reporter::new(report(&component.name, self.task.id), Arc::clone(metrics));
        Context {
            topology: plan.name.clone(),
            component: component.name.clone(),
            task: self.task.id,
            task_index: self.task.index,
            task_count: plan.tasks_of(self.task.component).count(),
            worker: *slot,
            restarted: *restarted,
            tasks: Arc::clone(tasks),
            inputs: component.inputs.iter().map(|input| context_input(plan, input)).collect(),
            outputs: context_outputs(plan, self.task.component),
            conf: Arc::clone(conf),
            message_timeout: plan.settings.message_timeout,
            tick: component.tick,
            dir: plan.dir.clone(),
            state_dir: plan.settings.state_dir.clone(),
            run_dir: run_dir.clone(),
            waker: waker.clone(),
            io: io.clone(),
            reporter,
        }
    }

    fn output(&self, housing: &Housing) -> Output {
        let plan = self.wiring.plan;
        let waiter = housing.mailbox.signal().clone();
        let mut lanes: Vec<Lane> = Vec::new();
        let own = plan.component(self.task.component);
        let streams = own.outputs.iter().enumerate().map(|(number, decl)| {
            let stream = StreamIdx(number as u16);
            let consumers =
                plan.consumers_of(self.task.component).filter(|(_, input)| input.stream == stream);
            let routes = consumers.map(|(consumer, input)| self.route(consumer, input, &mut lanes));
            StreamRoutes::new(decl.clone(), routes.collect())
        });
        let streams: Vec<_> = streams.collect();
        let budget = plan.settings.mailbox.as_usize();
        let runs = Runs::new(plan.settings.max_spout_pending);
        let routes = Routes::new(self.task.id, streams, lanes, budget, runs, waiter.clone());
        let sums = EdgeSums::new(self.task.id, self.wiring.view.clone());
        let ways = Arc::clone(&self.ways);
        let reporter = housing.context.reporter.clone();
        let tasks = Arc::clone(&housing.context.tasks);
        Output::new(routes, sums, ways, Arc::clone(&housing.counters), reporter, tasks, waiter)
    }

    fn route(&self, consumer: ComponentIdx, input: &PlannedInput, lanes: &mut Vec<Lane>) -> Route {
        let plan = self.wiring.plan;
        let (mut targets, mut own) = (Vec::new(), Vec::new());
        for task in plan.tasks_of(consumer) {
            targets.push(Target { task: task.id, local: task.worker == self.wiring.slot });
            let lane = lanes.iter().position(|lane| lane.task() == task.id);
            own.push(lane.unwrap_or_else(|| {
                let budget = plan.settings.mailbox.as_usize();
                lanes.push(Lane::new(task.id, self.destination(task), budget));
                lanes.len() - 1
            }));
        }
        let chooser = Chooser::new(input.grouping.clone(), targets);
        Route { chooser, lanes: own, on_full: input.on_full }
    }

    fn destination(&self, task: &PlannedTask) -> Destination {
        match self.mailboxes.get(&task.id) {
            Some(mailbox) => Destination::Local(Arc::clone(mailbox)),
            None => Destination::Remote(task.worker, self.link(task.worker)),
        }
    }

    fn link(&self, slot: WorkerSlot) -> Arc<dyn RemoteLink> {
        Arc::clone(&self.wiring.links[&slot])
    }
}

/// A subscription as a task is told of it.
pub fn context_input(plan: &Plan, input: &PlannedInput) -> Input {
    let from = plan.component(input.from);
    Input {
        component: from.name.clone(),
        tasks: plan.tasks_of(input.from).map(|task| task.id).collect(),
        stream: input.stream,
        decl: from.outputs[input.stream.index()].clone(),
        grouping: input.grouping.name.storm_name(),
        grouping_fields: input.grouping.fields.clone(),
    }
}

/// A component's streams and their subscribers, as a task is told of them.
pub fn context_outputs(plan: &Plan, component: ComponentIdx) -> Vec<ContextOutput> {
    let outputs = plan.component(component).outputs.iter().enumerate();
    outputs
        .map(|(number, decl)| {
            let stream = StreamIdx(number as u16);
            let consumers =
                plan.consumers_of(component).filter(|(_, input)| input.stream == stream);
            let subscribers = consumers.map(|(consumer, input)| Subscriber {
                component: plan.component(consumer).name.clone(),
                tasks: plan.tasks_of(consumer).map(|task| task.id).collect(),
                grouping: input.grouping.name.storm_name(),
                grouping_fields: input.grouping.fields.clone(),
            });
            ContextOutput { decl: decl.clone(), subscribers: subscribers.collect() }
        })
        .collect()
}

/// Tasks downstream of a component, directly or through others.
fn downstream(plan: &Plan, component: ComponentIdx) -> BTreeSet<TaskId> {
    let mut seen = BTreeSet::new();
    let mut next = VecDeque::from([component]);
    while let Some(component) = next.pop_front() {
        for (consumer, _) in plan.consumers_of(component) {
            if seen.insert(consumer) {
                next.push_back(consumer);
            }
        }
    }
    seen.into_iter().flat_map(|consumer| plan.tasks_of(consumer)).map(|task| task.id).collect()
}

/// Messages that a task of a spout may have in flight.
fn max_pending(plan: &Plan, component: ComponentIdx) -> usize {
    plan.settings.max_spout_pending.saturating_add(messages_aside(plan, component))
}

/// The tasks that send marks to a component's tasks, once each.
fn producers(plan: &Plan, component: ComponentIdx) -> Vec<TaskId> {
    let from: BTreeSet<_> =
        plan.component(component).inputs.iter().map(|input| input.from).collect();
    from.into_iter().flat_map(|producer| plan.tasks_of(producer)).map(|task| task.id).collect()
}
