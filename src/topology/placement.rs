//! Which worker runs which task. Pure.
//!
//! Every worker gets as many tasks of each component as every other, as far as that goes. Who gets those
//! that are left over decides how many tuples go from process to process, which costs more than all else
//! that is done with them. So what is left over is laid in a row along the way of the tuples, and the row is
//! cut into one run for each worker: into such of about the same load that the fewest tuples cross a cut, as
//! if every stream carried as many as every other.
//! (Storm's resource-aware scheduler puts tasks near each other that talk to each other, too.)
//!
//! The same file always gives the same plan.

use std::cmp::Reverse;

use crate::base::{ComponentIdx, TaskId, WorkerSlot};

use super::plan::PlannedTask;

/// What a spout's task does beside its own work is to keep the trees of its messages: it counts as two.
const SPOUT_LOAD: usize = 2;
/// Above so many tasks that are left over, times components, they are dealt out in turn: it would take long to
/// look for the best cuts.
const LARGEST: usize = 1_000_000;
/// Tuples are counted in such parts of what a component emits.
const WHOLE: u64 = 1 << 32;

/// What placing knows of a component.
#[derive(Clone, Debug)]
pub(crate) struct Placed {
    pub(crate) tasks: usize,
    pub(crate) is_spout: bool,
    pub(crate) inputs: Vec<Flow>,
}

/// A subscription.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flow {
    /// The place of the emitting component, before that of the subscriber.
    pub(crate) from: usize,
    /// Every task gets every tuple.
    pub(crate) to_all: bool,
}

/// Places the tasks of each component, producers before consumers, on `workers` workers (at least one).
/// Tasks are numbered from 1 in the order of the components.
pub(crate) fn place(components: &[Placed], workers: u16) -> Vec<PlannedTask> {
    let workers = usize::from(workers.max(1));
    let row = Row::new(components, workers);
    let slots = row.slots();
    let mut tasks = Vec::with_capacity(components.iter().map(|component| component.tasks).sum());
    for (place, component) in components.iter().enumerate() {
        let even = component.tasks - component.tasks % workers;
        for index in 0..component.tasks {
            let worker = if index < even { index % workers } else { slots[place][index - even] };
            tasks.push(PlannedTask {
                id: TaskId(tasks.len() as u32 + 1),
                component: ComponentIdx(place as u16),
                index,
                worker: WorkerSlot(worker as u16),
            });
        }
    }
    tasks
}

/// A task that is left over: the `over`th one of its component.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Over {
    component: usize,
    over: usize,
}

/// How bad runs are, the worst first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Cost {
    /// Load above and below what is even, squared.
    uneven: usize,
    /// Tuples that stay in their worker, less is worse.
    stay: Reverse<u64>,
    /// Load beside spouts.
    beside_spouts: usize,
}

impl Cost {
    fn and(self, other: Self) -> Self {
        Self {
            uneven: self.uneven + other.uneven,
            stay: Reverse(self.stay.0 + other.stay.0),
            beside_spouts: self.beside_spouts + other.beside_spouts,
        }
    }
}

/// The tasks that are left over when all workers have got the same.
struct Row<'a> {
    components: &'a [Placed],
    workers: usize,
    tasks: Vec<Over>,
    /// Who is fed by each component: once for each subscription, with whether all tasks get all.
    consumers: Vec<Vec<(usize, bool)>>,
    /// The load of all of them.
    load: usize,
}

impl<'a> Row<'a> {
    /// Two tasks of one component stand as far apart as can be, so that each run has one at most, and those of
    /// all components along the way of the tuples between them.
    fn new(components: &'a [Placed], workers: usize) -> Self {
        let mut consumers = vec![Vec::new(); components.len()];
        for (place, component) in components.iter().enumerate() {
            for flow in &component.inputs {
                consumers[flow.from].push((place, flow.to_all));
            }
        }
        let along = along(components, &consumers);
        // Twice the components, so that the place of each is a fraction without rounding.
        let whole = components.len() * 2;
        let mut tasks: Vec<_> = (0..components.len())
            .flat_map(|component| {
                let left = components[component].tasks % workers;
                let first = along[component] * 2 + 1;
                (0..left).map(move |over| (over * whole + first, left, Over { component, over }))
            })
            .collect();
        tasks.sort_by(|(a, of_a, left), (b, of_b, right)| {
            (a * of_b).cmp(&(b * of_a)).then(along[left.component].cmp(&along[right.component]))
        });
        let tasks: Vec<_> = tasks.into_iter().map(|(.., task)| task).collect();
        let load = tasks.iter().map(|task| load(&components[task.component])).sum();
        Self { components, workers, tasks, consumers, load }
    }

    /// The slot of each component's tasks that are left over.
    fn slots(&self) -> Vec<Vec<usize>> {
        let cuts = (self.tasks.len() * self.components.len() <= LARGEST).then(|| self.cut());
        let mut runs: Vec<Vec<Over>> = match cuts {
            Some(cuts) => cuts.windows(2).map(|cut| self.tasks[cut[0]..cut[1]].to_vec()).collect(),
            None => self.deal(),
        };
        let spread = |runs: &[Vec<Over>]| {
            let load = |task: &Over| load(&self.components[task.component]);
            let loads = runs.iter().map(|run| run.iter().map(load).sum::<usize>());
            loads.clone().max().unwrap_or(0) - loads.min().unwrap_or(0)
        };
        if spread(&runs) > SPOUT_LOAD {
            runs = self.deal();
        }
        // Worker 0 has the first task, and so on.
        runs.sort_by_key(|run| (run.is_empty(), run.iter().min().copied()));
        let mut slots: Vec<_> = self
            .components
            .iter()
            .map(|component| vec![0; component.tasks % self.workers])
            .collect();
        for (slot, run) in runs.iter().enumerate() {
            for task in run {
                slots[task.component][task.over] = slot;
            }
        }
        slots
    }

    /// In turn, one component after the other.
    fn deal(&self) -> Vec<Vec<Over>> {
        let mut tasks = self.tasks.clone();
        tasks.sort_unstable();
        let mut runs = vec![Vec::new(); self.workers];
        for (place, task) in tasks.into_iter().enumerate() {
            runs[place % self.workers].push(task);
        }
        runs
    }

    /// Where each run begins, and where the last one ends.
    fn cut(&self) -> Vec<usize> {
        let count = self.tasks.len();
        // Of each number of runs: the best cost of the tasks up to a place, and where the last run begins.
        let mut best = vec![vec![None; count + 1]; self.workers + 1];
        best[0][0] = Some((Cost::default(), 0));
        for begin in 0..=count {
            let runs = self.runs_from(begin);
            for number in 0..self.workers {
                let Some((before, _)) = best[number][begin] else { continue };
                for (length, run) in runs.iter().enumerate() {
                    let (cost, next) = (before.and(*run), &mut best[number + 1][begin + length]);
                    if next.is_none_or(|(other, _)| cost < other) {
                        *next = Some((cost, begin));
                    }
                }
            }
        }
        let mut cuts = vec![count];
        for number in (1..=self.workers).rev() {
            let end = cuts[cuts.len() - 1];
            let (_, begin) = best[number][end].expect("a row falls into such runs");
            cuts.push(begin);
        }
        cuts.reverse();
        cuts
    }

    /// The costs of the runs of 0, 1, 2 and more tasks from a place on, none with two of a component.
    fn runs_from(&self, begin: usize) -> Vec<Cost> {
        let (least, most) = (self.load / self.workers, self.load.div_ceil(self.workers));
        let mut has = vec![false; self.components.len()];
        let (mut run, mut beside, mut spouts, mut stay) = (0, 0, 0, 0);
        let mut costs = Vec::new();
        let mut rest = self.tasks[begin..].iter();
        loop {
            let off = least.saturating_sub(run) + run.saturating_sub(most);
            costs.push(Cost {
                uneven: off * off,
                stay: Reverse(stay),
                beside_spouts: if spouts > 0 { beside } else { 0 },
            });
            let Some(task) = rest.next().filter(|task| !has[task.component]) else {
                return costs;
            };
            has[task.component] = true;
            stay += self.joined(task.component, &has);
            run += load(&self.components[task.component]);
            if self.components[task.component].is_spout {
                spouts += 1;
            } else {
                beside += 1;
            }
        }
    }

    /// Tuples that stay in a worker because a task of `component` joins what it has.
    fn joined(&self, component: usize, has: &[bool]) -> u64 {
        let here = |place: usize| {
            (self.components[place].tasks / self.workers + usize::from(has[place])) as u64
        };
        let tasks = |place: usize| self.components[place].tasks.max(1) as u64;
        let share = |from: usize, to: usize, to_all: bool, here: u64| {
            WHOLE * here / tasks(from) / if to_all { 1 } else { tasks(to) }
        };
        let into = self.components[component].inputs.iter();
        let into = into.map(|flow| share(flow.from, component, flow.to_all, here(flow.from)));
        let out = self.consumers[component].iter();
        let out = out.map(|&(to, to_all)| share(component, to, to_all, here(to)));
        into.chain(out).sum()
    }
}

fn load(component: &Placed) -> usize {
    if component.is_spout { SPOUT_LOAD } else { 1 }
}

/// The place of each component on the way of the tuples: one branch after the other, and what joins them
/// behind the last.
fn along(components: &[Placed], consumers: &[Vec<(usize, bool)>]) -> Vec<usize> {
    let mut places = vec![None; components.len()];
    let is_ready = |places: &[Option<usize>], place: usize| {
        places[place].is_none()
            && components[place].inputs.iter().all(|flow| places[flow.from].is_some())
    };
    let mut next = 0;
    for first in 0..components.len() {
        let mut ready = vec![first];
        while let Some(place) = ready.pop() {
            if !is_ready(&places, place) {
                continue;
            }
            places[place] = Some(next);
            next += 1;
            ready.extend(consumers[place].iter().rev().map(|(to, _)| *to));
        }
    }
    places.into_iter().map(|place| place.expect("producers stand before consumers")).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn spout(tasks: usize) -> Placed {
        Placed { tasks, is_spout: true, inputs: Vec::new() }
    }

    fn bolt(tasks: usize, from: &[usize]) -> Placed {
        let inputs = from.iter().map(|&from| Flow { from, to_all: false }).collect();
        Placed { tasks, is_spout: false, inputs }
    }

    fn chain(tasks: &[usize]) -> Vec<Placed> {
        let bolts = (1..tasks.len()).map(|place| bolt(tasks[place], &[place - 1]));
        [spout(tasks[0])].into_iter().chain(bolts).collect()
    }

    /// The workers of each component's tasks.
    fn workers_of(components: &[Placed], workers: u16) -> Vec<Vec<u16>> {
        let mut found = vec![Vec::new(); components.len()];
        for task in place(components, workers) {
            found[task.component.index()].push(task.worker.0);
        }
        found
    }

    #[test]
    fn tasks_are_numbered_in_the_order_of_the_components() {
        let tasks = place(&chain(&[1, 2, 2]), 2);
        let placed: Vec<_> = tasks
            .iter()
            .map(|task| (task.id.0, task.component.0, task.index, task.worker.0))
            .collect();
        assert_eq!(placed, [(1, 0, 0, 0), (2, 1, 0, 0), (3, 1, 1, 1), (4, 2, 0, 0), (5, 2, 1, 1)]);
    }

    #[test]
    fn a_chain_is_cut_once_for_each_further_worker() {
        assert_eq!(workers_of(&chain(&[1, 1, 1]), 2), [[0], [1], [1]]);
        assert_eq!(workers_of(&chain(&[1, 1, 1, 1]), 2), [[0], [1], [1], [1]]);
        assert_eq!(workers_of(&chain(&[1; 6]), 2), [[0], [0], [1], [1], [1], [1]]);
        assert_eq!(workers_of(&chain(&[1; 5]), 3), [[0], [1], [1], [2], [2]]);
        assert_eq!(workers_of(&chain(&[1; 4]), 4), [[0], [1], [2], [3]]);
    }

    #[test]
    fn what_every_worker_has_a_part_of_is_whole_in_each() {
        assert_eq!(workers_of(&chain(&[2, 2, 2]), 2), [[0, 1], [0, 1], [0, 1]]);
        assert_eq!(workers_of(&chain(&[2, 2, 2]), 4), [[0, 1], [2, 3], [2, 3]]);
    }

    #[test]
    fn branches_stay_together() {
        // 0 → 1 → 3 → 5 and 0 → 2 → 4 → 6, written in turns.
        let bolts = [0, 0, 1, 2, 3, 4].map(|from| bolt(1, &[from]));
        let branches: Vec<_> = [spout(1)].into_iter().chain(bolts).collect();
        assert_eq!(workers_of(&branches, 3), [[0], [1], [2], [1], [2], [1], [2]]);
    }

    #[test]
    fn the_cut_is_where_the_fewest_tuples_go() {
        let mut chain = chain(&[1; 6]);
        let again = chain[2].inputs[0];
        chain[2].inputs.push(again);
        assert_eq!(workers_of(&chain, 2), [[0], [0], [0], [1], [1], [1]]);
    }

    fn loads(components: &[Placed], workers: u16) -> Vec<usize> {
        let mut found = vec![0; usize::from(workers)];
        for task in place(components, workers) {
            found[usize::from(task.worker.0)] += load(&components[task.component.index()]);
        }
        found
    }

    #[test]
    fn what_several_tasks_keep_apart_does_not_heap_up_between_them() {
        let single = (0..14).map(|_| bolt(1, &[0]));
        let components: Vec<_> = [spout(1), bolt(7, &[0])].into_iter().chain(single).collect();
        let loads = loads(&components, 8);
        assert!(loads.iter().all(|load| [2, 3].contains(load)), "{loads:?}");
    }

    #[test]
    fn thousands_of_components_are_placed_at_once() {
        let many: Vec<_> =
            [spout(1)].into_iter().chain((1..10_000).map(|from| bolt(1, &[from - 1]))).collect();
        for workers in [2, 64] {
            let loads = loads(&many, workers);
            assert!(loads.iter().max().unwrap() - loads.iter().min().unwrap() <= 2, "{loads:?}");
        }
        let wide = chain(&[63; 100]);
        assert_eq!(loads(&wide, 64).iter().sum::<usize>(), 6_300 + 63);
    }

    #[test]
    fn the_worker_of_the_spout_is_the_first() {
        let found = workers_of(&chain(&[1, 8]), 9);
        assert_eq!(found, [vec![0], vec![1, 2, 3, 4, 5, 6, 7, 8]]);
    }

    /// Components that are fed by those before them.
    fn topologies() -> impl Strategy<Value = Vec<Placed>> {
        proptest::collection::vec((1_usize..20, any::<u8>(), any::<bool>()), 1..10).prop_map(
            |all| {
                let placed = |(place, (tasks, from, to_all)): (usize, (usize, u8, bool))| {
                    let from = (place > 0).then(|| usize::from(from) % place);
                    Placed {
                        tasks,
                        is_spout: place == 0,
                        inputs: from.map(|from| Flow { from, to_all }).into_iter().collect(),
                    }
                };
                all.into_iter().enumerate().map(placed).collect()
            },
        )
    }

    proptest! {
        #[test]
        fn tasks_are_spread_evenly(components in topologies(), workers in 1_u16..9) {
            let tasks = place(&components, workers);
            let on = |worker: u16| tasks.iter().filter(move |task| task.worker.0 == worker);
            for component in 0..components.len() {
                let of = |worker| on(worker).filter(|task| task.component.index() == component);
                let counts: Vec<_> = (0..workers).map(|worker| of(worker).count()).collect();
                prop_assert!(counts.iter().max().unwrap() - counts.iter().min().unwrap() <= 1);
            }
            // A task of a spout counts as two.
            let loads = loads(&components, workers);
            prop_assert!(loads.iter().max().unwrap() - loads.iter().min().unwrap() <= 2, "{loads:?}");
            if tasks.len() >= usize::from(workers) {
                prop_assert!(loads.iter().all(|load| *load > 0), "{loads:?}");
            }
        }
    }
}
