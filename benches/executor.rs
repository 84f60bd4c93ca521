//! Words a second through one worker's tasks, acks on: spout → split → count by word.
//!
//! No processes and no sockets: what is measured is the executor itself.

#![expect(clippy::print_stdout, reason = "a benchmark prints what it measures")]

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use galewire::ack::WorkerView;
use galewire::base::{
    ByteSize, ComponentIdx, Incarnation, Runtimes, StreamIdx, TaskId, WorkerSlot,
};
use galewire::component::{
    Bolt, BoltKind, Collector, ComponentError, Context, Declaration, Declaring, MessageId, Next,
    OptionProblem, Registry, Report, Role, Spout, SpoutCollector, SpoutKind, StreamDecl,
};
use galewire::executor::{
    Congestion, Control, CreditReturn, PositionStore, Wiring, Workshop, start_tasks,
};
use galewire::grouping::{Grouping, GroupingName};
use galewire::topology::{
    Guarantee, LinkKind, OnFull, Plan, PlannedComponent, PlannedInput, PlannedTask, RestartPolicy,
    RetryPolicy, Settings, StallPolicy, Then,
};
use galewire::tuple::{Text, Tuple, Value, Values};
use schemars::JsonSchema;
use serde::Deserialize;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Deserialize, JsonSchema)]
struct NoOptions {}

struct Sentences {
    sentences: Vec<Value>,
    next: u64,
}

impl Spout for Sentences {
    fn open(&mut self, _: &Arc<Context>) -> Result<(), ComponentError> {
        let mut random = fastrand::Rng::with_seed(7);
        let words: Vec<String> = (0..1500)
            .map(|_| (0..random.usize(3..9)).map(|_| random.lowercase()).collect())
            .collect();
        self.sentences = (0..1000)
            .map(|_| {
                let six: Vec<_> =
                    (0..6).map(|_| words[random.usize(..words.len())].as_str()).collect();
                Value::from(six.join(" "))
            })
            .collect();
        Ok(())
    }

    fn next_tuple(&mut self, out: &mut SpoutCollector<'_>) -> Result<Next, ComponentError> {
        let sentence = self.sentences[self.next as usize % self.sentences.len()].clone();
        out.emit(Some(MessageId(self.next)), Values::from_iter([sentence]))
            .map_err(|error| ComponentError::restart(error.to_string()))?;
        self.next += 1;
        Ok(Next::More)
    }
}

impl SpoutKind for Sentences {
    const NAME: &'static str = "sentences";
    const SUMMARY: &'static str = "";
    type Options = NoOptions;

    fn declare(_: &NoOptions, _: &Declaring) -> Result<Declaration, Vec<OptionProblem>> {
        Ok(Declaration::default())
    }

    fn build(_: NoOptions) -> Box<dyn Spout> {
        Box::new(Self { sentences: Vec::new(), next: 0 })
    }
}

struct Split;

impl Bolt for Split {
    fn open(&mut self, _: &Arc<Context>, _: &mut Collector<'_>) -> Result<(), ComponentError> {
        Ok(())
    }

    fn has_idle_work(&self) -> bool {
        false
    }

    fn execute(&mut self, tuple: Tuple, out: &mut Collector<'_>) -> Result<(), ComponentError> {
        let text = tuple.values[0].as_str().unwrap_or_default();
        for word in text.split_ascii_whitespace() {
            let word = Value::from(word);
            out.emit(Values::from_iter([word]))
                .map_err(|error| ComponentError::restart(error.to_string()))?;
        }
        Ok(())
    }
}

impl BoltKind for Split {
    const NAME: &'static str = "split";
    const SUMMARY: &'static str = "";
    type Options = NoOptions;

    fn declare(_: &NoOptions, _: &Declaring) -> Result<Declaration, Vec<OptionProblem>> {
        Ok(Declaration::default())
    }

    fn build(_: NoOptions) -> Box<dyn Bolt> {
        Box::new(Self)
    }
}

#[derive(Default)]
struct Count(HashMap<Text, u64, foldhash::fast::RandomState>);

impl Bolt for Count {
    fn open(&mut self, _: &Arc<Context>, _: &mut Collector<'_>) -> Result<(), ComponentError> {
        Ok(())
    }

    fn has_idle_work(&self) -> bool {
        false
    }

    fn execute(&mut self, tuple: Tuple, _: &mut Collector<'_>) -> Result<(), ComponentError> {
        if let Value::Str(word) = &tuple.values[0] {
            match self.0.get_mut(word) {
                Some(count) => *count += 1,
                None => drop(self.0.insert(word.clone(), 1)),
            }
        }
        Ok(())
    }
}

impl BoltKind for Count {
    const NAME: &'static str = "count";
    const SUMMARY: &'static str = "";
    type Options = NoOptions;

    fn declare(_: &NoOptions, _: &Declaring) -> Result<Declaration, Vec<OptionProblem>> {
        Ok(Declaration::default())
    }

    fn build(_: NoOptions) -> Box<dyn Bolt> {
        Box::new(Self::default())
    }
}

struct Nothing;

impl CreditReturn for Nothing {
    fn credit_back(&self, _: WorkerSlot, _: TaskId, _: usize) {}
}

impl PositionStore for Nothing {
    fn save(&self, _: TaskId, _: &serde_json::Value) {}

    fn load(&self, _: TaskId) -> Option<serde_json::Value> {
        None
    }

    fn dead_letters(&self, _: &std::path::Path, _: &[u8]) -> std::io::Result<()> {
        Ok(())
    }
}

impl Report for Nothing {
    fn log(&self, _: galewire::component::Level, _: &str) {}
    fn error(&self, _: &str, _: Option<&str>) {}
}

fn component(
    name: &str,
    role: Role,
    field: &str,
    input: Option<(u16, Grouping)>,
) -> PlannedComponent {
    let second = Duration::from_secs(1);
    PlannedComponent {
        name: name.to_owned(),
        role,
        kind: name.to_owned(),
        options: serde_json::json!({}),
        program: None,
        chosen: Vec::new(),
        outputs: vec![StreamDecl::default_stream([field])],
        inputs: input
            .map(|(from, grouping)| PlannedInput {
                from: ComponentIdx(from),
                stream: StreamIdx(0),
                grouping,
                on_full: OnFull::Block,
            })
            .into_iter()
            .collect(),
        tick: None,
        restart: restart_policy(),
        stall: StallPolicy::default(),
        retry: RetryPolicy {
            max: None,
            backoff_least: second,
            backoff_greatest: second,
            dead_letter: None,
        },
        keeps_memory: false,
    }
}

fn restart_policy() -> RestartPolicy {
    let second = Duration::from_secs(1);
    RestartPolicy {
        max: 1,
        within: second,
        backoff_least: second,
        backoff_greatest: second,
        then: Then::Stop,
    }
}

fn plan(tasks: [usize; 3], guarantee: Guarantee) -> Plan {
    let shuffle = Grouping::plain(GroupingName::Shuffle);
    let fields = Grouping::over(GroupingName::Fields, vec!["word".to_owned()], vec![0]);
    let mut planned = Vec::new();
    for (number, count) in tasks.into_iter().enumerate() {
        for index in 0..count {
            planned.push(PlannedTask {
                id: TaskId(planned.len() as u32 + 1),
                component: ComponentIdx(number as u16),
                index,
                worker: WorkerSlot(0),
            });
        }
    }
    Plan {
        version: 1,
        name: "bench".to_owned(),
        dir: PathBuf::from("/"),
        settings: Settings {
            workers: 1,
            guarantee,
            message_timeout: Duration::from_secs(30),
            max_spout_pending: 4096,
            mailbox: ByteSize(256 * 1024),
            link_window: ByteSize(1 << 20),
            link_relay: None,
            link: LinkKind::Ipc,
            executor_threads: 2,
            drain_timeout: Duration::from_secs(60),
            state_dir: PathBuf::from("/"),
            worker_restart: restart_policy(),
            debug: false,
        },
        components: vec![
            component("sentences", Role::Spout, "sentence", None),
            component("split", Role::Bolt, "word", Some((0, shuffle))),
            component("count", Role::Bolt, "count", Some((1, fields))),
        ],
        tasks: planned,
    }
}

fn measure(tasks: [usize; 3], guarantee: Guarantee, span: Duration) -> (f64, f64) {
    let plan = plan(tasks, guarantee);
    let runtimes = Runtimes::with_executors(2).expect("threads");
    let (events, _source) = tokio::sync::mpsc::unbounded_channel();
    let shop = Workshop {
        settings: Arc::new(plan.settings.clone()),
        alarms: runtimes.alarms(),
        credit: Arc::new(Nothing),
        positions: Arc::new(Nothing),
        congestion: Arc::new(Congestion::default()),
        events,
    };
    let registry = Registry::new().spout::<Sentences>().bolt::<Split>().bolt::<Count>();
    let wiring = Wiring {
        plan: &plan,
        slot: WorkerSlot(0),
        restarted: false,
        registry: Arc::new(registry),
        shop,
        ended: BTreeSet::new(),
        links: BTreeMap::new(),
        view: WorkerView::new([Incarnation(0)]),
        run_dir: PathBuf::from("/tmp"),
        conf: serde_json::Map::new(),
        report: &|_, _| Arc::new(Nothing),
        io: runtimes.io(),
    };
    let handles = start_tasks(&wiring, &runtimes.executors().expect("executors"));
    for handle in &handles {
        handle.mailbox.push_control(Control::Activate);
    }
    let spouts = &handles[..tasks[0]];
    let done = || spouts.iter().map(|task| task.counters.acked.load(Relaxed)).sum::<u64>();
    std::thread::sleep(Duration::from_millis(300));
    let (start, first, cpu) = (Instant::now(), done(), cpu_seconds());
    std::thread::sleep(span);
    let count = (done() - first) as f64;
    let rates = (count / start.elapsed().as_secs_f64(), (cpu_seconds() - cpu) / count * 1e6);
    runtimes.shut_down(Duration::from_millis(50));
    rates
}

fn cpu_seconds() -> f64 {
    let usage = nix::sys::resource::getrusage(nix::sys::resource::UsageWho::RUSAGE_SELF)
        .expect("own usage");
    let seconds =
        |time: nix::sys::time::TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
    seconds(usage.user_time()) + seconds(usage.system_time())
}

fn main() {
    let span = Duration::from_secs(2);
    for (tasks, guarantee) in [
        ([1, 1, 1], Guarantee::AtLeastOnce),
        ([1, 2, 2], Guarantee::AtLeastOnce),
        ([1, 1, 1], Guarantee::AtMostOnce),
    ] {
        let (rate, cpu) = measure(tasks, guarantee, span);
        println!(
            "{tasks:?} {guarantee:?}: {:.2} M sentences/s, {:.2} M words/s, {cpu:.2} CPU s per M sentences",
            rate / 1e6,
            rate * 6.0 / 1e6
        );
    }
}
