//! A conversation in msgpack with streamparse, byte for byte.
//!
//! Its tracebacks are left out: the folders in them were renamed in the transcript, so that the
//! lengths before them are not true any more.

use std::time::Duration;

use serde_json::json;

use crate::base::Timestamp;
use crate::component::Collector;
use crate::multilang::BoltSession;
use crate::tuple::Value;

use super::harness::{Recorder, World, options, text, tuple};
use super::transcripts::unquote;

const TRANSCRIPT: &str = include_str!("../../../multilang/transcripts/streamparse-msgpack.txt");

/// The bytes of every line with this mark.
fn messages(mark: &str) -> impl Iterator<Item = Vec<u8>> {
    let lines = TRANSCRIPT.lines().map_while(|line| Some(line).filter(|l| !l.ends_with("EOF")));
    lines
        .filter_map(move |line| line.split_once(mark))
        .map(|(_, bytes)| bytes)
        .filter(|bytes| !bytes.contains("Traceback"))
        .map(unquote)
}

#[test]
fn streamparse_is_understood_and_answered_in_msgpack() {
    let world = World::new();
    let (mut out, mut now) = (Recorder::default(), Timestamp(0));
    let settings = options(json!({"protocol": "msgpack"}));
    let mut session = BoltSession::new(&settings, &world.context("split"), b"{}", now);
    assert_eq!(session.take_bytes().1, b"\x80");
    let mut sent: Vec<Vec<u8>> = Vec::new();
    for bytes in messages(" < (msgpack) ") {
        session.read(&bytes, now, &mut Collector::new(&mut out)).unwrap();
        match sent.len() {
            0 => session.give(text(1, "a b \u{65e5}"), now),
            1 if out.acked() == [1] => {
                now = now + Duration::from_secs(1);
                session.advance(now, true, &mut Collector::new(&mut out)).unwrap();
            }
            2 => session.give(tuple(2, [Value::Int(42)]), now),
            _ => continue,
        }
        sent.extend(Some(session.take_bytes().1).filter(|bytes| !bytes.is_empty()));
    }
    let mut expected: Vec<Vec<u8>> = messages(" > ").skip(1).collect();
    // The probe chose another id for its heartbeat.
    let at = expected[1].windows(2).position(|pair| pair == b"hb").unwrap();
    expected[1][at..at + 2].copy_from_slice(b"-1");
    assert_eq!(sent, expected);
    assert_eq!(out.emitted(), ["[\"a\"]", "[\"b\"]", "[\"\\u65e5\"]"]);
    assert_eq!((out.acked(), out.failed().len()), (vec![1], 1));
    assert!(world.reports.has_log("pystorm StormHandler logging enabled"));
    assert!(!world.reports.has_log("[stdout"));
    assert!(!world.reports.has_log("unknown message"));
}
