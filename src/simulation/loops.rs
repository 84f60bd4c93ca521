//! What the threads of a worker do in the world: tasks' loops, links' loops, children.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use crate::base::WorkerSlot;
use crate::control::FromWorker;
use crate::executor::simulated::Step;
use crate::metrics::FailReason;
use crate::multilang;
use crate::transport::TransportEvent;
use crate::transport::simulated::{Answers, Parcel};

use super::books::Life;
use super::children::Script;
use super::faults::{Fault, Moment};
use super::queue::Event;
use super::stage::lock;
use super::supervisor::{HEARTBEAT, PULSE};
use super::worker::{Worker, books};
use super::world::World;

/// How long an answer that can wait does.
const REPLY_DELAY: Duration = Duration::from_millis(1);

impl World {
    fn worker(&mut self, life: Life) -> &mut Worker {
        self.workers.get_mut(&life.0).expect("events are for workers that are there")
    }

    pub(super) fn turn(&mut self, life: Life, place: usize, ticket: u64, rung: bool) {
        let now = self.now;
        let task = &mut self.worker(life).tasks[place];
        if task.ticket != ticket || task.over {
            return;
        }
        if now < task.stopped_until {
            let until = task.stopped_until;
            return self.queue.put(until, Event::Turn(life, place, ticket, rung));
        }
        let slowness = if self.is_slow(life, place) { 200 } else { 1 };
        // No mailbox is ever fuller than before its task takes from it.
        self.check_mailbox(life, place);
        let task = &mut self.worker(life).tasks[place];
        task.called = false;
        let step = task.engine.step(rung, now);
        let timed_out = &task.engine.handle.counters.failed_by[FailReason::TimedOut as usize];
        let timed_out = timed_out.load(Relaxed) > 0;
        task.ticket += 1;
        let ticket = task.ticket;
        match step {
            Step::Again => {
                task.called = true;
                let at = self.soon(5, 200 * slowness);
                self.queue.put(at, Event::Turn(life, place, ticket, false));
            }
            Step::Wait(Some(deadline)) => {
                let at = deadline.max(now + Duration::from_micros(1));
                self.queue.put(at, Event::Turn(life, place, ticket, false));
            }
            Step::Wait(None) => {}
            Step::Over => task.over = true,
        }
        self.adopt(life);
        if self.scenario.patient && timed_out {
            self.violated("something was lost, and only its time-out told".to_owned());
        }
    }

    fn is_slow(&self, life: Life, place: usize) -> bool {
        let Some(slow) = &self.scenario.slow else { return false };
        let task = self.workers[&life.0].tasks[place].engine.handle.task;
        !lock(&self.stage).is_calm() && self.scenario.component_of(task) == *slow
    }

    /// Children that a task has just started.
    fn adopt(&mut self, life: Life) {
        for pipes in multilang::simulated::take_started() {
            let component = self.scenario.component_of(pipes.task);
            let spout = self.scenario.is_spout(pipes.task);
            let mut script = Script::new(self.stage.clone(), component, pipes, spout);
            let children = &mut self.worker(life).children;
            // An earlier one of the task is past. Events name a child by its place.
            match children.iter().position(|other| other.task() == script.task()) {
                Some(place) => {
                    script.ticket = children[place].ticket + 1;
                    children[place] = script;
                }
                None => children.push(script),
            }
        }
    }

    fn check_mailbox(&self, life: Life, place: usize) {
        let limit = self.scenario.plan.settings.mailbox.as_usize();
        let handle = &self.workers[&life.0].tasks[place].engine.handle;
        let (local, deliveries) = handle.mailbox.local_load();
        if local > limit && deliveries > 1 {
            self.violated(format!("{local} bytes wait in front of task {}", handle.task));
        }
        let remote = handle.mailbox.queued_bytes() - local;
        let held = books(&self.books).held(life, handle.task) as usize;
        if remote != held {
            let text = format!("task {} has {remote} bytes of parts, not {held}", handle.task);
            self.violated(text);
        }
    }

    pub(super) fn child(&mut self, life: Life, place: usize, ticket: u64) {
        let Some(script) = self.worker(life).children.get_mut(place) else { return };
        if script.ticket != ticket || script.over {
            return;
        }
        script.ticket += 1;
        script.listen();
        script.work();
        let (ticket, holding) = (script.ticket, script.is_holding());
        if holding {
            let at = self.soon(1_000, 200_000);
            self.queue.put(at, Event::Child(life, place, ticket));
        }
    }

    pub(super) fn pulse(&mut self, life: Life) {
        for script in &self.worker(life).children {
            script.pulse();
        }
        self.queue.put(self.now + PULSE, Event::Pulse(life));
    }

    /// Everything that rings in a worker is seen to.
    pub(super) fn settle(&mut self, slot: WorkerSlot) {
        let Some(worker) = self.workers.get_mut(&slot) else { return };
        let life = worker.life;
        if self.now < worker.frozen_until {
            return;
        }
        self.call_tasks(life);
        for to in self.worker(life).node.peers() {
            if self.worker(life).node.link_rung(to) {
                self.pump(life, to);
            }
        }
        if self.worker(life).node.answers_rung() {
            let answers = self.worker(life).node.answer_all(false);
            self.send_answers(life, answers);
        }
        let told = self.worker(life).told.as_mut();
        let told: Vec<_> = told
            .map(|told| std::iter::from_fn(|| told.try_recv().ok()).collect())
            .unwrap_or_default();
        for event in told {
            self.pass_on(life, event);
        }
        self.notice(life);
        self.call_children(life);
    }

    fn call_tasks(&mut self, life: Life) {
        for place in 0..self.worker(life).tasks.len() {
            let task = &mut self.worker(life).tasks[place];
            if task.called || task.over || !task.engine.rung() {
                continue;
            }
            task.called = true;
            task.ticket += 1;
            let ticket = task.ticket;
            let slowness = if self.is_slow(life, place) { 200 } else { 1 };
            let at = self.soon(5, 300 * slowness);
            self.queue.put(at, Event::Turn(life, place, ticket, true));
        }
    }

    fn call_children(&mut self, life: Life) {
        for place in 0..self.worker(life).children.len() {
            let script = &mut self.worker(life).children[place];
            if !script.is_called && script.listen() {
                script.is_called = true;
                script.ticket += 1;
                let ticket = script.ticket;
                let at = self.soon(20, 3_000);
                self.queue.put(at, Event::Child(life, place, ticket));
            }
        }
    }

    fn notice(&mut self, life: Life) {
        let noticed = std::mem::take(&mut *self.worker(life).noticed.lock().unwrap());
        for event in noticed {
            match event {
                TransportEvent::Unresponsive { slot, boot, .. } => {
                    self.up(life, FromWorker::PeerUnresponsive { slot, boot });
                }
                TransportEvent::ProtocolError { message, .. }
                    if self.wires.lost > 0
                        && (message.contains("came too early")
                            || message.contains("never came")) => {}
                TransportEvent::ProtocolError { slot, message } => {
                    self.violated(format!("{life:?} was told by {slot:?}: {message}"));
                }
                TransportEvent::Connected { .. } | TransportEvent::Disconnected { .. } => {}
            }
        }
    }

    /// Sends all batches that may go.
    fn pump(&mut self, life: Life, to: WorkerSlot) {
        let Some(wire) = self.wires.line(life, to) else { return };
        while let Some(batch) = self.worker(life).node.next(to) {
            books(&self.books).carried(life, to, batch.sequence, batch.bytes as u64);
            self.spring(to, Moment::Batch);
            self.send(wire, false, batch.parcel);
        }
    }

    /// A worker that was waited for is killed, and what is put on wires from now on comes late.
    pub(super) fn spring(&mut self, slot: WorkerSlot, moment: Moment) {
        let Some(&(awaited, span)) = self.ambushes.get(&slot) else { return };
        let early = moment == Moment::Batch && self.dice.bool();
        let at_end = moment == Moment::End;
        if awaited != moment || early || lock(&self.stage).is_calm() && !at_end {
            return;
        }
        self.ambushes.remove(&slot);
        lock(&self.stage).seen.ambushes += 1;
        self.slow_until = self.slow_until.max(self.now + span);
        let at = if at_end { self.soon(0, 60_000) } else { self.now };
        self.queue.put(at, Event::Fault(Fault::Kill(slot)));
    }

    /// All connections that a worker has made break.
    pub(super) fn cut_off(&mut self, slot: WorkerSlot) {
        let Some(life) = self.workers.get(&slot).map(|worker| worker.life) else { return };
        for wire in self.wires.of(life) {
            if self.wires.get(wire).from == life {
                self.cut(wire);
            }
        }
    }

    /// Puts a frame on a wire.
    fn send(&mut self, wire: u64, back: bool, parcel: Parcel) {
        let slow = if self.now < self.slow_until { 400_000 } else { 0 };
        let at = self.soon(20, 800 + slow);
        let Some((at, end)) = self.wires.send(wire, back, &parcel, at) else { return };
        let event =
            if back { Event::Back(wire, end, parcel) } else { Event::Forward(wire, end, parcel) };
        self.queue.put(at, event);
    }

    pub(super) fn forward(&mut self, wire: u64, end: u64, parcel: Parcel) {
        if let Some(until) = self.wires.held_until(wire).filter(|until| self.now < *until) {
            return self.queue.put(until, Event::Forward(wire, end, parcel));
        }
        if !self.wires.arrive(wire, false, end, parcel.len()) {
            return;
        }
        let line = self.wires.get(wire);
        books(&self.books).sender = Some(line.from);
        let answers = self.worker(line.to).node.take(wire, parcel);
        books(&self.books).sender = None;
        if !self.workers.values().any(|worker| worker.life == line.from) {
            // What a dead worker had sent is told as odd where its successor has said hello.
            let odd = |event: &TransportEvent| {
                matches!(event, TransportEvent::ProtocolError { message, .. }
                    if message.contains("before its sender said hello"))
            };
            self.worker(line.to).noticed.lock().unwrap().retain(|event| !odd(event));
        }
        self.send_answers(line.to, answers);
    }

    fn send_answers(&mut self, life: Life, (answers, later): Answers) {
        for (wire, parcel) in answers {
            // Now and then an answer comes twice, which must do no harm.
            if self.dice.u32(..20) == 0 {
                self.send(wire, true, parcel.clone());
            }
            self.send(wire, true, parcel);
        }
        if later && !std::mem::replace(&mut self.worker(life).answers_later, true) {
            self.queue.put(self.now + REPLY_DELAY, Event::Answer(life));
        }
    }

    pub(super) fn answer_late(&mut self, life: Life) {
        self.worker(life).answers_later = false;
        let answers = self.worker(life).node.answer_all(true);
        self.send_answers(life, answers);
    }

    pub(super) fn back(&mut self, wire: u64, end: u64, parcel: &Parcel) {
        let line = self.wires.get(wire);
        if !self.wires.arrive(wire, true, end, parcel.len())
            || self.wires.line(line.from, line.to.0) != Some(wire)
        {
            return;
        }
        match self.worker(line.from).node.answered(line.to.0, parcel) {
            Ok(()) => self.pump(line.from, line.to.0),
            Err(why) => {
                self.say(|| format!("{:?} gives its wire to {:?} up: {why}", line.from, line.to));
                self.cut(wire);
            }
        }
    }

    pub(super) fn connect(&mut self, life: Life, to: WorkerSlot) {
        let node = &mut self.worker(life).node;
        if !node.peers().contains(&to) || node.is_connected(to) {
            return;
        }
        let Some(peer) = self.workers.get(&to).map(|worker| worker.life) else {
            let at = self.soon(10_000, 200_000);
            return self.queue.put(at, Event::Connect(life, to));
        };
        let Some(hello) = self.worker(life).node.connect(to) else { return };
        let wire = self.wires.connect(life, peer);
        self.say(|| format!("{life:?} connects to {peer:?} by wire {wire}"));
        if self.dice.u32(..20) == 0 && !lock(&self.stage).is_calm() {
            let back = self.dice.bool();
            self.wires.lose(wire, back, 0);
        }
        self.spring(life.0, Moment::Hello);
        self.send(wire, false, hello);
        self.pump(life, to);
    }

    pub(super) fn cut(&mut self, wire: u64) {
        // Now and then the rest comes when its sender has long been replaced.
        let most = if self.dice.u32(..4) == 0 { 1_000_000 } else { 80_000 };
        let held = self.soon(0, most);
        if !self.wires.cut(wire, held, &mut self.dice) {
            return;
        }
        lock(&self.stage).seen.cuts += 1;
        let line = self.wires.get(wire);
        self.say(|| format!("wire {wire} from {:?} to {:?} is cut", line.from, line.to));
        let at = self.soon(10, 5_000);
        self.queue.put(at, Event::Broken(line.from, line.to.0, wire));
    }

    pub(super) fn broken(&mut self, life: Life, to: WorkerSlot, wire: u64) {
        if self.wires.drop_line(life, to, wire) {
            self.worker(life).node.disconnect(to);
            let at = self.soon(100, 60_000);
            self.queue.put(at, Event::Connect(life, to));
        }
    }

    pub(super) fn heartbeat(&mut self, life: Life) {
        for to in self.worker(life).node.peers() {
            let tick = self.worker(life).node.tick(to);
            match (tick, self.wires.line(life, to)) {
                (Ok(Some(ping)), Some(wire)) => self.send(wire, false, ping),
                (Err(_), Some(wire)) => self.cut(wire),
                _ => {}
            }
        }
        self.queue.put(self.now + HEARTBEAT, Event::Heartbeat(life));
    }
}
