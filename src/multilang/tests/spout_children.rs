//! Spouts in real processes.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use crate::component::{
    ComponentError, Context, MessageId, Next, Progress, Replay, Spout, SpoutCollector,
};
use crate::multilang::{CommandOptions, ShellSpout};

use super::harness::{Event, PATIENCE, Recorder, World, python};

struct SpoutRig {
    world: World,
    context: Arc<Context>,
    spout: ShellSpout,
    out: Recorder,
    exhausted: bool,
}

impl SpoutRig {
    fn new(options: CommandOptions) -> Self {
        let world = World::new();
        let context = Arc::new(world.context("lines"));
        let mut spout = ShellSpout::new(options);
        spout.open(&context).unwrap();
        Self { world, context, spout, out: Recorder::default(), exhausted: false }
    }

    fn turn(&mut self) -> Result<(), ComponentError> {
        let mut out = SpoutCollector::new(&mut self.out);
        self.spout.wake(&mut out)?;
        if self.spout.ready() {
            self.exhausted |= self.spout.next_batch(10, &mut out)? == Next::Exhausted;
        }
        Ok(())
    }

    fn try_until(
        &mut self,
        what: &str,
        mut done: impl FnMut(&mut Self) -> bool,
    ) -> Result<(), ComponentError> {
        let start = crate::base::now();
        while !done(self) {
            self.turn()?;
            let waited = crate::base::now().since(start);
            assert!(waited < PATIENCE, "waited in vain: {what}; {:?}", self.world.reports);
            let bell = self.context.waker.clone();
            self.context.io.block_on(async {
                let ring = tokio::time::timeout(Duration::from_millis(5), bell.wait());
                let _rang = ring.await.is_ok();
            });
        }
        Ok(())
    }

    fn until(&mut self, what: &str, done: impl FnMut(&mut Self) -> bool) {
        self.try_until(what, done).unwrap();
    }

    fn ids(&self) -> Vec<MessageId> {
        let ids = self.out.events.iter().filter_map(|event| match event {
            Event::Message { id, .. } => id.map(MessageId),
            _ => None,
        });
        ids.collect()
    }

    fn close(&mut self) {
        let start = crate::base::now();
        while self.spout.close() == Progress::Pending {
            assert!(crate::base::now().since(start) < PATIENCE);
            let bell = self.context.waker.clone();
            self.context.io.block_on(bell.wait());
        }
    }
}

const LINES: &str = r#"
hello()
n = 0
while True:
    m = read()
    if m["command"] == "next" and n < 3:
        n += 1
        send({"command": "emit", "id": n, "tuple": ["line %d" % n], "need_task_ids": False})
    elif m["command"] == "fail":
        send({"command": "emit", "id": m["id"], "tuple": ["again"], "need_task_ids": False})
    elif m["command"] != "next":
        send({"command": "log", "msg": "%s %r" % (m["command"], m["id"])})
    send({"command": "sync"})
"#;

#[test]
fn a_storm_spout_is_activated_asked_acked_and_failed() {
    let mut rig = SpoutRig::new(python(LINES, json!({})));
    rig.until("three lines", |rig| rig.out.emitted().len() == 3);
    assert!(rig.world.reports.has_log("activate ''"));
    let ids = rig.ids();
    rig.spout.ack(ids[0]);
    rig.until("ack", |rig| rig.world.reports.has_log("ack 1"));
    assert_eq!(rig.spout.fail(ids[1], "timed out"), Replay::Source);
    rig.until("again", |rig| rig.out.emitted().len() == 4);
    assert_ne!(rig.ids()[3], ids[1], "a message given out again is a new one");
    rig.close();
    assert!(rig.world.reports.has_log("deactivate"));
}

#[test]
fn a_restarted_spout_never_hears_of_messages_it_did_not_send() {
    let mut rig = SpoutRig::new(python(LINES, json!({})));
    rig.until("three lines", |rig| rig.out.emitted().len() == 3);
    let old = rig.ids();
    rig.spout = ShellSpout::new(python(LINES, json!({})));
    rig.spout.open(&rig.context).unwrap();
    rig.until("six lines", |rig| rig.out.emitted().len() == 6);
    assert!(rig.ids()[3..].iter().all(|id| !old.contains(id)));
    assert_eq!(rig.spout.fail(old[0], "died"), Replay::Engine);
    rig.spout.settle(old[1]);
    rig.spout.ack(rig.ids()[3]);
    rig.until("ack", |rig| rig.world.reports.has_log("ack 1"));
    assert!(!rig.world.reports.has_log("ack 2"));
    assert_eq!(rig.out.emitted().len(), 6);
}

#[test]
fn a_spout_that_dies_of_activate_is_not_activated_in_its_next_life() {
    let script = LINES.replace("    m = read()\n", "    m = read()\n    if \"activate\" in m[\"command\"]: sys.exit(\"unknown command: activate\")\n");
    let mut rig = SpoutRig::new(python(&script, json!({})));
    let error = rig.try_until("death", |_| false).unwrap_err();
    assert!(error.message.ends_with("exited with status 1"), "{error}");
    assert!(rig.world.reports.has_log("the child died of `activate`"));
    rig.spout = ShellSpout::new(python(&script, json!({})));
    rig.spout.open(&rig.context).unwrap();
    rig.until("three lines", |rig| rig.out.emitted().len() == 3);
    rig.close();
}

const BATCH: &str = r#"
hello(batch=1, replay="engine")
n = 0
while True:
    frame = read()
    for m in frame if isinstance(frame, list) else [frame]:
        if m["command"] == "next":
            more = [[i, ["line %d" % i]] for i in range(n, min(n + m["max"], 25))]
            n += len(more)
            out = [{"messages": more}] if more else []
            if n == 25:
                out.append({"command": "exhausted"})
            send(out + [{"command": "sync"}])
        elif "ids" in m:
            send({"command": "log", "msg": "%s %r" % (m["command"], m["ids"])})
"#;

#[test]
fn a_batch_spout_gives_all_it_has_and_is_exhausted() {
    let mut rig = SpoutRig::new(python(BATCH, json!({})));
    rig.until("exhausted", |rig| rig.exhausted);
    assert_eq!(rig.out.emitted().len(), 25);
    let ids = rig.ids();
    rig.spout.ack(ids[0]);
    rig.spout.ack(ids[1]);
    assert_eq!(rig.spout.fail(ids[2], "failed"), Replay::Engine);
    rig.until("told", |rig| rig.world.reports.has_log("fail [2]"));
    assert!(rig.world.reports.has_log("ack [0, 1]"));
    rig.close();
}

#[test]
fn a_spouts_death_is_told_with_its_last_words() {
    let script = "hello()\nread()\nraise KeyError('config')";
    let mut rig = SpoutRig::new(python(script, json!({})));
    let error = rig.try_until("death", |_| false).unwrap_err();
    assert!(error.message.ends_with("exited with status 1"), "{error}");
    assert!(error.detail.unwrap().contains("KeyError"));
}
