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
fn c53_streamparse_is_understood_and_answered_in_msgpack() {
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

#[test]
fn c53_ids_may_be_numbers_and_text_may_be_of_the_old_generation() {
    let world = World::new();
    let (mut out, now) = (Recorder::default(), Timestamp(0));
    let settings = options(json!({"protocol": "msgpack"}));
    let mut session = BoltSession::new(&settings, &world.context("split"), b"{}", now);
    let mut hear = |session: &mut BoltSession, bytes: &[u8]| {
        session.read(bytes, now, &mut Collector::new(&mut out)).unwrap();
    };
    hear(&mut session, b"\x81\xa3pid\x07");
    session.give(text(1, "a"), now);
    session.give(text(2, "b"), now);
    // 40 bytes of text as raw 16, which new libraries would write as str 8.
    let old = [&b"\x83\xa7command\xa4emit\xa5tuple\x91\xda\x00\x28"[..], &[b'x'; 40]].concat();
    hear(&mut session, &[&old, &b"\xa7anchors\x91\x01"[..]].concat());
    hear(&mut session, b"\x82\xa7command\xa3ack\xa2id\x01");
    hear(&mut session, b"\x82\xa7command\xa3ack\xa2id\xa12");
    assert_eq!(out.emitted(), [format!("[\"{}\"]", "x".repeat(40))]);
    assert_eq!(out.acked(), [1, 2]);
}
