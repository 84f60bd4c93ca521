//! Both directions, pinned bytes, and garbage.

use proptest::prelude::*;

use crate::base::ByteSize;
use crate::tuple::{Scanner, Value};

use super::super::framing::{FramingError, Piece};
use super::decode::decode;
use super::{Maps, MsgpackError, encode};

fn packed(json: &str) -> Vec<u8> {
    let mut out = Vec::new();
    encode(json, &mut out).unwrap();
    out
}

fn pieces(maps: &mut Maps, chunks: &[&[u8]]) -> Result<Vec<String>, FramingError> {
    let mut all = Vec::new();
    let show = |piece: Piece<'_>| match piece {
        Piece::Frame(text) => format!("frame {text}"),
        Piece::Stray(text) => format!("stray {text}"),
    };
    for chunk in chunks {
        maps.push(chunk);
        while let Some(piece) = maps.next_piece()? {
            all.push(show(piece));
        }
    }
    all.extend(maps.finish().map(show));
    Ok(all)
}

fn framed(chunks: &[&[u8]]) -> Result<Vec<String>, FramingError> {
    pieces(&mut Maps::new(ByteSize(1 << 20)), chunks)
}

#[test]
fn values_are_packed_in_their_shortest_form() {
    for (json, bytes) in [
        ("{\"pid\": 6955}", &b"\x81\xa3pid\xcd\x1b\x2b"[..]),
        ("[null,true,false]", b"\x93\xc0\xc3\xc2"),
        ("[127,128,256,65536]", b"\x94\x7f\xcc\x80\xcd\x01\x00\xce\x00\x01\x00\x00"),
        ("[-1,-32,-33,-129]", b"\x94\xff\xe0\xd0\xdf\xd1\xff\x7f"),
        ("-32769", b"\xd2\xff\xff\x7f\xff"),
        ("18446744073709551615", b"\xcf\xff\xff\xff\xff\xff\xff\xff\xff"),
        ("-9223372036854775808", b"\xd3\x80\0\0\0\0\0\0\0"),
        ("1.0", b"\xcb\x3f\xf0\0\0\0\0\0\0"),
        ("-Infinity", b"\xcb\xff\xf0\0\0\0\0\0\0"),
        ("\"\\u65e5\"", b"\xa3\xe6\x97\xa5"),
        ("[[],{},[[1]]]", b"\x93\x90\x80\x91\x91\x01"),
    ] {
        assert_eq!(packed(json), bytes, "{json}");
    }
    assert_eq!(packed(&format!("\"{}\"", "x".repeat(32)))[..2], *b"\xd9\x20");
    assert_eq!(packed(&format!("[{}0]", "0,".repeat(15)))[..3], *b"\xdc\x00\x10");
    assert_eq!(packed(&format!("[{}0]", "0,".repeat(0xffff)))[..5], *b"\xdd\0\x01\0\0");
}

#[test]
fn c53_both_generations_of_text_are_read_and_bytes_become_base64() {
    assert_eq!(decode(b"\xda\x00\x01a").unwrap(), "\"a\"");
    assert_eq!(decode(b"\xd9\x01a").unwrap(), "\"a\"");
    assert_eq!(decode(b"\xa2\xff!").unwrap(), "\"\\ufffd!\"");
    for (bytes, text) in [
        (&b"\xc4\x00"[..], "\"\""),
        (b"\xc4\x01a", "\"YQ==\""),
        (b"\xc5\x00\x02ab", "\"YWI=\""),
        (b"\xc4\x03\xff\xfe\xfd", "\"//79\""),
    ] {
        assert_eq!(decode(bytes).unwrap(), text);
    }
}

#[test]
fn keys_become_text_as_python_would_write_them() {
    assert_eq!(decode(b"\x81\x07\xc0").unwrap(), "{\"7\":null}");
    assert_eq!(decode(b"\x82\xc4\x01k\x01\xc3\x02").unwrap(), "{\"k\":1,\"true\":2}");
    assert_eq!(decode(b"\x81\x90\x01"), Err(MsgpackError::Key));
}

#[test]
fn numbers_of_every_width_are_read() {
    for (bytes, json) in [
        (&b"\xe0"[..], "-32"),
        (b"\xd0\x80", "-128"),
        (b"\xd1\x80\x00", "-32768"),
        (b"\xd2\xff\xff\xff\xff", "-1"),
        (b"\xd3\xff\xff\xff\xff\xff\xff\xff\xff", "-1"),
        (b"\xcf\xff\xff\xff\xff\xff\xff\xff\xff", "18446744073709551615"),
        (b"\xca\x3f\x80\x00\x00", "1.0"),
        (b"\xcb\x7f\xf8\0\0\0\0\0\0", "NaN"),
    ] {
        assert_eq!(decode(bytes).unwrap(), json);
    }
}

#[test]
fn c53_printed_text_between_maps_is_stray() {
    let bytes = "naïve ’text’\n\u{1}\nlast".as_bytes();
    let chunks = [bytes, b"\x81\xa1a\x01\x80"];
    let expected =
        ["stray naïve ’text’", "stray \u{1}", "stray last", "frame {\"a\":1}", "frame {}"];
    assert_eq!(framed(&chunks).unwrap(), expected);
    assert_eq!(framed(&[b"\x81\xa1"]).unwrap().len(), 1, "what breaks off is shown");
}

#[test]
fn claims_that_cannot_be_true_end_the_session_at_once() {
    for bytes in [&b"\xdf\xff\xff\xff\xff"[..], b"\x81\xa1a\xdb\xff\xff\xff\xff"] {
        assert!(matches!(framed(&[bytes]), Err(FramingError::TooLarge { .. })), "{bytes:?}");
    }
    let deep = [&b"\x81\xa1a"[..], &[0x91; 600]].concat();
    assert_eq!(framed(&[&deep]), Err(FramingError::Msgpack(MsgpackError::TooDeep)));
    let extension = framed(&[b"\x81\xa1a\xd4\x01\x00"]);
    assert_eq!(extension, Err(FramingError::Msgpack(MsgpackError::Unsupported(0xd4))));
}

#[test]
fn what_another_child_has_nested_deeply_is_packed() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(packed(&deep).len(), 100_000);
}

#[test]
fn long_lists_nested_deeply_are_packed_without_moving_each_other() {
    // Each has more items than a header of one byte counts. Once every one moved all that was in it: this
    // took as long as the square of its bytes, which is hours for a message of 64 MiB.
    let (open, levels) = ("[0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,", 100_000);
    let deep = format!("{}1{}", open.repeat(levels), "]".repeat(levels));
    let bytes = packed(&deep);
    assert_eq!(bytes.len(), levels * (3 + 15) + 1);
    assert_eq!(bytes[..4], [0xdc, 0, 16, 0]);
    let mixed = format!("{{\"a\":[[{}1],{{}}],\"b\":[]}}", "2,".repeat(70_000));
    assert_eq!(decode(&packed(&mixed)).unwrap(), mixed);
}

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        any::<f64>()
            .prop_filter("NaN is no JSON", |number| number.is_finite())
            .prop_map(Value::Float),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 200, 20, |inner| {
        let list = prop::collection::vec(inner.clone(), 0..20).prop_map(Value::List);
        let entry = (any::<String>().prop_map(Into::into), inner);
        prop_oneof![
            list,
            prop::collection::vec(entry, 0..20).prop_map(|entries| Value::Map(Box::new(entries)))
        ]
    })
}

proptest! {
    #[test]
    fn json_comes_back_as_it_was(value in json()) {
        let json = value.to_json();
        prop_assert_eq!(decode(&packed(&json)).unwrap(), json);
    }

    #[test]
    fn chunks_may_fall_anywhere(value in json(), size in 1usize..9) {
        let message = format!("{{\"v\":{}}}", value.to_json());
        let bytes = [packed(&message), packed(&message)].concat();
        let chunks: Vec<&[u8]> = bytes.chunks(size).collect();
        let frame = format!("frame {message}");
        prop_assert_eq!(framed(&chunks).unwrap(), [frame.clone(), frame]);
    }

    #[test]
    fn garbage_is_text_a_frame_or_an_error(
        bytes in prop::collection::vec(any::<u8>(), 0..400),
        size in 1usize..50,
    ) {
        let chunks: Vec<&[u8]> = bytes.chunks(size).collect();
        let mut maps = Maps::new(ByteSize(300));
        for piece in pieces(&mut maps, &chunks).into_iter().flatten() {
            if let Some(frame) = piece.strip_prefix("frame ") {
                prop_assert!(Scanner::new(frame).skip_value().is_ok());
            }
        }
    }
}
