//! The spout itself: makes what is due, remembers what is not acked.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::base::{Timestamp, now, unix_nanos};
use crate::builtin::inputs::{bad_options, refused};
use crate::builtin::window::Window;
use crate::component::{ComponentError, Context, MessageId, Next, Spout, SpoutCollector};

use crate::tuple::Values;

use super::field::Message;
use super::options::{GenerateOptions, Settings};
use super::schedule::share;

/// Where a later life goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Position {
    /// How many of the task's messages are acked without a gap.
    next: u64,
    /// When the schedule began, nanoseconds since 1970.
    started: u64,
}

/// Makes up tuples.
pub(super) struct GenerateSpout {
    options: GenerateOptions,
    restored: Option<Position>,
    running: Option<Running>,
}

/// The task's messages are counted from 0; a message's number among all is its count times the
/// number of tasks, plus the task's index. Its id is its count, in every life.
struct Running {
    settings: Settings,
    task_index: u64,
    task_count: u64,
    /// How many messages the task makes in all.
    total: u64,
    next: u64,
    window: Window,
    clock: Clock,
    needs_time: bool,
    told: Option<Position>,
}

/// The schedule's time, kept on the monotonic clock.
struct Clock {
    started: u64,
    opened: Timestamp,
    /// Nanoseconds from the schedule's start to `opened`.
    before: u64,
}

impl Clock {
    fn elapsed(&self, now: Timestamp) -> u64 {
        self.before + now.0.saturating_sub(self.opened.0)
    }

    fn at(&self, elapsed: u64) -> Timestamp {
        Timestamp(self.opened.0.saturating_add(elapsed.saturating_sub(self.before)))
    }
}

impl GenerateSpout {
    /// A spout that has not looked at its options yet.
    pub(super) fn new(options: GenerateOptions) -> Self {
        Self { options, restored: None, running: None }
    }
}

impl Spout for GenerateSpout {
    fn open(&mut self, context: &Arc<Context>) -> Result<(), ComponentError> {
        let settings = self.options.check().map_err(bad_options)?;
        let wall = unix_nanos();
        let position = self.restored.take().unwrap_or(Position { next: 0, started: wall });
        let (task_index, task_count) = (context.task_index as u64, context.task_count as u64);
        self.running = Some(Running {
            task_index,
            task_count,
            total: settings.count.map_or(u64::MAX, |count| share(count, task_index, task_count)),
            next: position.next,
            window: Window::starting_at(position.next),
            clock: Clock {
                started: position.started,
                opened: now(),
                before: wall.saturating_sub(position.started),
            },
            needs_time: settings.fields.iter().any(super::field::Field::needs_time),
            told: None,
            settings,
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
        let timed = running.needs_time || running.settings.schedule.is_some();
        let time = if timed { now() } else { Timestamp::default() };
        running.next_batch(max, time, out)
    }

    fn ack(&mut self, id: MessageId) {
        if let Some(running) = &mut self.running {
            running.window.ack(id.0);
        }
    }

    fn position(&mut self) -> Option<serde_json::Value> {
        let running = self.running.as_mut()?;
        let position = Position {
            next: running.window.lowest().unwrap_or(running.next),
            started: running.clock.started,
        };
        if running.told == Some(position) {
            return None;
        }
        running.told = Some(position);
        Some(serde_json::to_value(position).expect("a position is plain data"))
    }

    fn restore(&mut self, position: &serde_json::Value) {
        self.restored = serde_json::from_value(position.clone()).ok();
    }
}

impl Running {
    fn next_batch(
        &mut self,
        max: usize,
        now: Timestamp,
        out: &mut SpoutCollector<'_>,
    ) -> Result<Next, ComponentError> {
        let left = self.total.saturating_sub(self.next);
        if left == 0 {
            return Ok(Next::Exhausted);
        }
        let mut allowed = left.min(max as u64);
        let elapsed = self.clock.elapsed(now);
        if let Some(schedule) = self.settings.schedule {
            let due = share(schedule.due_by(elapsed), self.task_index, self.task_count);
            allowed = allowed.min(due.saturating_sub(self.next));
            if allowed == 0 {
                let at = schedule.due_at(self.number(self.next));
                return Ok(Next::IdleUntil(self.clock.at(at)));
            }
        }
        for _ in 0..allowed {
            self.make_one(elapsed, out)?;
        }
        Ok(Next::More)
    }

    #[inline]
    fn make_one(
        &mut self,
        elapsed: u64,
        out: &mut SpoutCollector<'_>,
    ) -> Result<(), ComponentError> {
        let number = self.number(self.next);
        let after = match self.settings.schedule {
            Some(schedule) if self.needs_time => schedule.due_at(number),
            _ => elapsed,
        };
        let message = Message {
            number,
            seed: self.settings.seed,
            time: self.clock.started.saturating_add(after),
        };
        let mut values = Values::new();
        for (field, place) in self.settings.fields.iter().zip(0..) {
            values.push(field.value(&message, place));
        }
        let id = self.window.push(self.next);
        self.next += 1;
        out.emit(Some(MessageId(id)), values).map_err(refused)
    }

    /// A message's number among those of all tasks.
    fn number(&self, count: u64) -> u64 {
        count.saturating_mul(self.task_count).saturating_add(self.task_index)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::builtin::testing::{SpoutOut, context_in};

    fn spout(options: serde_json::Value, task: usize, tasks: usize) -> GenerateSpout {
        let mut spout = GenerateSpout::new(serde_json::from_value(options).unwrap());
        open(&mut spout, task, tasks);
        spout
    }

    fn open(spout: &mut GenerateSpout, task: usize, tasks: usize) {
        let context = Context {
            task_index: task,
            task_count: tasks,
            ..context_in(Path::new("/nonexistent"))
        };
        spout.open(&Arc::new(context)).unwrap();
    }

    fn at(spout: &mut GenerateSpout, nanos: u64, out: &mut SpoutOut) -> Next {
        let running = spout.running.as_mut().unwrap();
        let now = Timestamp(running.clock.opened.0 + nanos);
        running.next_batch(1000, now, &mut SpoutCollector::new(out)).unwrap()
    }

    #[test]
    fn tasks_share_the_count_and_the_numbers() {
        let mut all = Vec::new();
        for task in 0..3 {
            let options = json!({"fields": {"n": {"counter": {}}}, "count": 10});
            let mut out = SpoutOut::default();
            assert_eq!(out.drain(&mut spout(options, task, 3)), Next::Exhausted);
            all.extend(out.emitted.iter().filter_map(|(_, values)| values[0].as_int()));
        }
        all.sort_unstable();
        assert_eq!(all, (0..10).collect::<Vec<_>>());
    }

    #[test]
    fn a_late_spout_catches_up_and_stamps_the_intended_times() {
        let options = json!({"fields": {"at": {"emit_time": "us"}}, "rate": 1000});
        let mut spout = spout(options, 0, 1);
        let mut out = SpoutOut::default();
        assert_eq!(at(&mut spout, 0, &mut out), Next::More);
        let opened = spout.running.as_ref().unwrap().clock.opened;
        let due = Next::IdleUntil(Timestamp(opened.0 + 1_000_000));
        assert_eq!(at(&mut spout, 999_999, &mut out), due);
        assert_eq!(out.emitted.len(), 1);
        assert_eq!(at(&mut spout, 10_000_000, &mut out), Next::More);
        let times: Vec<_> = out.emitted.iter().filter_map(|(_, v)| v[0].as_int()).collect();
        assert_eq!(times.len(), 11);
        assert!(times.windows(2).all(|pair| pair[1] - pair[0] == 1000));
    }

    #[test]
    fn a_second_life_keeps_the_first_ones_schedule() {
        let options = json!({"fields": {"n": {"counter": {}}}, "rate": 100});
        let mut first = spout(options.clone(), 0, 1);
        let mut out = SpoutOut::default();
        at(&mut first, 50_000_000, &mut out);
        assert_eq!(out.emitted.len(), 6);
        let started = first.running.as_ref().unwrap().clock.started;
        let mut second = GenerateSpout::new(serde_json::from_value(options).unwrap());
        second.restore(&json!({"next": 4, "started": started}));
        open(&mut second, 0, 1);
        let running = second.running.as_ref().unwrap();
        assert!(running.clock.elapsed(running.clock.opened) < 10_000_000_000);
        let mut out = SpoutOut::default();
        at(&mut second, 100_000_000, &mut out);
        assert_eq!(out.emitted[0].1[0].as_int(), Some(4));
    }

    proptest! {
        #[test]
        fn what_was_not_acked_is_made_again_the_same(
            steps in prop::collection::vec((1usize..20, prop::collection::vec(0usize..60, 0..30)), 1..5),
        ) {
            let options = json!({
                "fields": {"a": {"choose": [1, 2, 3]}, "b": {"template": "{counter}-{random:0..99}"}},
                "count": 60, "seed": 5,
            });
            let mut whole = SpoutOut::default();
            whole.drain(&mut spout(options.clone(), 0, 1));
            let mut acked = [false; 60];
            let mut position = None;
            for (asked, acks) in steps {
                let mut life = GenerateSpout::new(serde_json::from_value(options.clone()).unwrap());
                if let Some(position) = &position {
                    life.restore(position);
                }
                open(&mut life, 0, 1);
                let mut out = SpoutOut::default();
                out.ask(&mut life, asked);
                for (id, values) in &out.emitted {
                    prop_assert_eq!(values, &whole.emitted[id.0 as usize].1);
                }
                for ack in acks {
                    if let Some((id, _)) = out.emitted.get(ack) {
                        life.ack(*id);
                        acked[id.0 as usize] = true;
                    }
                }
                position = life.position().or(position);
                let next = position.as_ref().unwrap()["next"].as_u64().unwrap() as usize;
                prop_assert!(acked[..next].iter().all(|acked| *acked));
            }
        }
    }
}
