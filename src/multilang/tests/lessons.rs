//! Clients that know no heartbeat or no `activate`: old ones, and some that never did.

use std::sync::Arc;

use serde_json::json;

use crate::base::now;
use crate::component::{Bolt as _, Collector, Level, Spout as _, SpoutCollector};
use crate::multilang::{ShellBolt, ShellSpout};

use super::bolt_talk::{HEARTBEAT, Talk, word};
use super::harness::{BoltRig, PATIENCE, Recorder, World, python};

#[test]
fn c43_an_ack_of_a_heartbeat_is_as_good_as_a_sync() {
    let mut talk = Talk::greeted(json!({"max_in_flight": 4}));
    for edge in 1..=3 {
        talk.give(word(edge));
    }
    assert_eq!(talk.sent().matches(HEARTBEAT).count(), 3);
    talk.hear(r#"{"command":"emit","tuple":["junk"],"anchors":["-5"]}"#);
    talk.hear(r#"{"command":"ack","id":"-5"}"#);
    // All three were taken, although none was acked.
    assert_eq!(talk.session.held(), 3);
    for edge in 4..=6 {
        assert!(talk.session.ready());
        talk.give(word(edge));
    }
    assert_eq!(talk.out.emitted(), [""; 0]);
    assert!(talk.sent().starts_with("[]\nend\n"));
    assert!(talk.world.reports.has_log("takes heartbeats for tuples"));
}

#[test]
fn c43_what_is_emitted_for_a_tick_or_for_a_tuple_too_is_sent() {
    let mut talk = Talk::greeted(json!({}));
    talk.give(word(1));
    talk.hear(r#"{"command":"emit","tuple":["a"],"anchors":["-2"]}"#);
    talk.hear(r#"{"command":"emit","tuple":["b"],"anchors":["-1","1"]}"#);
    assert_eq!(talk.out.emitted(), ["[\"a\"]", "[\"b\"]"]);
}

#[test]
fn c43_a_child_that_ends_on_its_first_heartbeat_is_started_again_without() {
    let script = "
hello()
while True:
    message = read()
    if message['stream'] == '__heartbeat':
        raise IndexError('tuple index out of range')
    ack(message)
";
    let options = python(script, json!({"max_in_flight": 4}));
    let mut rig = BoltRig::new(options.clone());
    rig.give(word(1));
    rig.death();
    assert!(rig.world.reports.has_log("the child ended on a heartbeat"));
    rig.bolt = ShellBolt::new(options);
    rig.bolt.open(&rig.context, &mut Collector::new(&mut rig.out)).unwrap();
    for edge in 2..=100 {
        rig.give(word(edge));
    }
    rig.until("acks", |rig| rig.out.acked().len() >= 99);
}

#[test]
fn c43_a_child_that_somebody_killed_is_not_suspected() {
    let script = "
hello()
while True:
    message = read()
    if message['stream'] == '__heartbeat':
        os.kill(os.getpid(), 9)
    ack(message)
";
    let mut rig = BoltRig::new(python(script, json!({"max_in_flight": 4})));
    rig.give(word(1));
    rig.death();
    assert!(!rig.world.reports.has_log("the child ended on a heartbeat"));
}

#[test]
fn c43_a_child_that_knows_heartbeats_is_not_suspected() {
    let script = "
hello()
for message in tuples():
    if message['tuple'] == ['die']:
        os._exit(3)
    ack(message)
";
    let mut rig = BoltRig::new(python(script, json!({"max_in_flight": 4})));
    for edge in 1..=20 {
        rig.give(word(edge));
    }
    rig.give(super::harness::text(21, "die"));
    rig.death();
    assert!(!rig.world.reports.has_log("the child ended on"));
}

#[test]
fn c38_a_spout_that_ends_on_activate_is_started_again_without() {
    let script = "
hello()
while True:
    message = read()
    if message['command'] == 'activate':
        sys.exit('panic: unexpected command received: activate')
    if message['command'] == 'next':
        send({'command': 'emit', 'tuple': ['a'], 'need_task_ids': False})
    send({'command': 'sync'})
";
    let options = python(script, json!({}));
    let world = World::new();
    let context = Arc::new(world.context("lines"));
    let mut out = Recorder::default();
    let start = now();
    let mut deaths = 0;
    while out.emitted().is_empty() {
        let mut spout = ShellSpout::new(options.clone());
        spout.open(&context).unwrap();
        spout.activate();
        while out.emitted().is_empty() {
            assert!(now().since(start) < PATIENCE, "{:?}", world.reports);
            let mut collector = SpoutCollector::new(&mut out);
            if spout.wake(&mut collector).is_err() {
                deaths += 1;
                break;
            }
            if spout.ready() && spout.next_batch(1, &mut collector).is_err() {
                deaths += 1;
                break;
            }
            let bell = context.waker.clone();
            context.io.block_on(async {
                let ring = tokio::time::timeout(std::time::Duration::from_millis(5), bell.wait());
                let _rang = ring.await.is_ok();
            });
        }
    }
    assert_eq!(deaths, 1);
    let logs = world.reports.logs.lock().unwrap();
    let told = |(level, line): &(Level, String)| {
        *level == Level::Warn && line.contains("the child ended on `activate`")
    };
    assert!(logs.iter().any(told));
}
