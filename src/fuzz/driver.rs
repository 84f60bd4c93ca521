//! Runs each target over its corpus and over mutations of it, with a fixed seed, in bounded time.
//!
//! The corpus is what stands in `fuzz/corpus`, and what our own encoders, examples and transcripts make.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::base::{now, panic_text};

use super::counting::peak_of;

/// So many times as many mutations where somebody has the time:
/// `cargo test --release --lib for_minutes -- --ignored`.
const MANY: usize = 500;
/// No input grows beyond this.
const LONGEST: usize = 32 << 10;
/// Far beyond what any input of that length may take on any machine.
const HANGS: Duration = Duration::from_secs(20);

/// A target and what it may take: so many bytes for each of its input, and so many anyway.
struct Target {
    name: &'static str,
    run: fn(&[u8]),
    seeds: fn() -> Vec<Vec<u8>>,
    words: &'static [&'static str],
    /// Mutations in a run of the tests.
    cases: usize,
    factor: usize,
    base: usize,
}

const TOPOLOGY: Target = Target {
    name: "topology",
    run: super::topology,
    seeds: topologies,
    words: &[
        "[bolts.x]\n",
        "[spouts.x]\n",
        "[[",
        "]]",
        "inputs = [",
        "\"\"\"",
        "'''",
        "${",
        "}",
        "$$",
        "${file:",
        "extends = \"t.toml\"\n",
        "# set: ",
        ".a.a.a.a",
        "1e400",
        "9223372036854775808",
        "0x",
        "{ ",
        "nan",
        "parallelism = 1024\n",
        "config = ",
        "1979-05-27",
        "\\u",
        "grouping = ",
        "\r\n",
        "é",
        "outputs = { ",
        "workers = 64\n",
        "limits = { memory = \"1GiB\" }\n",
        "env_inherit = [\"A*\"]\n",
    ],
    cases: 400,
    factor: 600,
    base: 8 << 20,
};

const CHILD: Target = Target {
    name: "child",
    run: super::child,
    seeds: outputs,
    words: &[
        "\nend\n",
        "{\"command\":\"",
        "emit",
        "ack",
        "fail",
        "sync",
        "\"id\":\"1\"",
        "\"anchors\":[\"1\"]",
        "\"tuple\":[1]",
        "{\"done\":1,\"count\":18446744073709551615}",
        "{\"done\":1,\"emits\":[[[1]]]}",
        "{\"emit\":1,\"tuples\":[[1]]}",
        "{\"messages\":[[1,[2]]]}",
        "null",
        "NaN",
        "\\ud800",
        "[",
        "{\"",
        "\"task\":5,\"stream\":\"side\"",
        "\"need_task_ids\":true",
        "{\"command\":\"metrics\",\"name\":\"a\",\"params\":1}",
        "\u{fffd}",
        "{\"command\":\"drained\",\"id\":\"-1\"}",
        "{\"command\":\"exhausted\"}",
        "18446744073709551615",
    ],
    cases: 2000,
    factor: 400,
    base: 8 << 20,
};

const LINK: Target = Target {
    name: "link",
    run: super::link,
    seeds: crate::transport::fuzz::seeds,
    words: &["GW\u{1}", "\u{0}\u{0}\u{0}\u{0}"],
    cases: 5000,
    factor: 300,
    base: 4 << 20,
};

const CONTROL: Target = Target {
    name: "control",
    run: super::control,
    seeds: messages,
    words: &[
        "{\"message\":\"",
        "state",
        "hello",
        "\"task\":4294967295",
        "\"slot\":65535",
        "\n",
        "null",
        "1e999",
        "\"running\"",
        "\"drained\"",
        "\"ended\"",
        "\"failed\"",
        "[",
        "{",
        "\"rss\":18446744073709551615",
    ],
    cases: 3000,
    factor: 300,
    base: 4 << 20,
};

const JSON: Target = Target {
    name: "json",
    run: super::json,
    seeds: texts,
    words: &[
        "[",
        "]",
        "{\"a\":",
        "}",
        "\\u",
        "\\ud83d\\ude00",
        "1e400",
        "-0.0",
        "NaN",
        "Infinity",
        "0",
        ",",
        ".",
        "e+",
    ],
    cases: 8000,
    factor: 200,
    base: 1 << 20,
};

const TUPLE: Target = Target {
    name: "tuple",
    run: super::tuple,
    seeds: tuples,
    words: &["\u{7}\u{7}\u{7}\u{7}", "\u{8}\u{1}\u{1}a", "\u{5}\u{3}abc", "\u{6}\u{2}[]"],
    cases: 8000,
    factor: 300,
    base: 1 << 20,
};

impl Target {
    fn corpus(&self) -> Vec<Vec<u8>> {
        let folder = root().join("fuzz/corpus").join(self.name);
        let files = files(&folder).into_iter().map(|path| fs::read(path).unwrap());
        files.chain((self.seeds)()).collect()
    }

    /// Everything of the corpus as it is, then mutations.
    fn drive(&self, cases: usize, seed: u64) {
        let corpus = self.corpus();
        assert!(corpus.len() >= 3, "the corpus of {} is gone", self.name);
        for input in &corpus {
            self.judge(input);
        }
        let mut random = fastrand::Rng::with_seed(seed);
        for _ in 0..cases {
            let mut input = corpus[random.usize(..corpus.len())].clone();
            for _ in 0..random.usize(1..6) {
                self.mutate(&mut input, &corpus, &mut random);
            }
            input.truncate(LONGEST);
            self.judge(&input);
        }
    }

    fn judge(&self, input: &[u8]) {
        let start = now();
        let mut peak = 0;
        let run = || peak = peak_of(|| (self.run)(input));
        if let Err(panic) = catch_unwind(AssertUnwindSafe(run)) {
            panic!("{}: {}", panic_text(panic.as_ref()), self.keep(input));
        }
        let most = self.base + self.factor * input.len();
        assert!(peak <= most, "{} bytes held for {}: {}", peak, input.len(), self.keep(input));
        let took = now().since(start);
        assert!(took < HANGS, "{took:?} for {} bytes: {}", input.len(), self.keep(input));
    }

    /// Hands the corpus and the words to `cargo fuzz`: `make fuzz` reads them there.
    fn write_seeds(&self) {
        let folder = root().join("target/fuzz").join(self.name);
        fs::create_dir_all(&folder).unwrap();
        for (number, seed) in self.corpus().iter().enumerate() {
            fs::write(folder.join(format!("seed-{number}")), seed).unwrap();
        }
        let escaped = |word: &&str| {
            let bytes: String = word.bytes().map(|byte| format!("\\x{byte:02x}")).collect();
            format!("\"{bytes}\"\n")
        };
        let words: String = self.words.iter().map(escaped).collect();
        fs::write(folder.with_extension("dict"), words).unwrap();
    }

    /// Keeps an input that was found to be wanting.
    fn keep(&self, input: &[u8]) -> String {
        let path =
            std::env::temp_dir().join(format!("gw-found-{}-{:016x}", self.name, fastrand::u64(..)));
        fs::write(&path, input).unwrap();
        format!("the input is in {}", path.display())
    }

    fn mutate(&self, input: &mut Vec<u8>, corpus: &[Vec<u8>], random: &mut fastrand::Rng) {
        let at = random.usize(..=input.len());
        let to = at + random.usize(..=(input.len() - at).min(64));
        match random.u8(..10) {
            0 if !input.is_empty() => {
                let at = random.usize(..input.len());
                input[at] ^= 1 << random.u8(..8);
            }
            1 if !input.is_empty() => {
                let at = random.usize(..input.len());
                input[at] =
                    *random.choice(&[0, 1, 0x7f, 0x80, 0xff, b'"', b'[', b'{', b'\n']).unwrap();
            }
            2 => drop(input.drain(at..to)),
            3 => input.truncate(at),
            4 => {
                // The same again, sometimes very often: what grows with repetition shows here.
                let part = input[at..to].to_vec();
                let often = *random.choice(&[1, 2, 3, 50, 2_000]).unwrap();
                let often = often.min(LONGEST / part.len().max(1));
                let more: Vec<u8> = part.iter().copied().cycle().take(part.len() * often).collect();
                input.splice(at..at, more);
            }
            5 => {
                let other = &corpus[random.usize(..corpus.len())];
                let from = random.usize(..=other.len());
                let to = from + random.usize(..=(other.len() - from).min(2_000));
                input.splice(at..at, other[from..to].iter().copied());
            }
            6 => {
                let more: Vec<u8> = (0..random.usize(1..9)).map(|_| random.u8(..)).collect();
                input.splice(at..to, more);
            }
            _ => {
                let word = *random.choice(self.words).unwrap();
                let often = *random.choice(&[1, 1, 1, 1, 3_000]).unwrap();
                let end = if random.bool() { at } else { to };
                input.splice(at..end, word.repeat(often).into_bytes());
            }
        }
        input.truncate(LONGEST);
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    let mut paths: Vec<_> =
        entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_file()).collect();
    paths.sort();
    paths
}

fn topologies() -> Vec<Vec<u8>> {
    let folders = ["topologies", "tests/check"].map(|folder| files(&root().join(folder)));
    let paths = folders.into_iter().flatten();
    let paths = paths.filter(|path| path.extension().is_some_and(|extension| extension == "toml"));
    paths.map(|path| fs::read(path).unwrap()).collect()
}

/// What children of the transcripts wrote, and batch frames, each as every kind of child.
fn outputs() -> Vec<Vec<u8>> {
    let batch = concat!(
        "{\"done\":1001,\"emits\":[[[\"a\"],[\"b\"]],[]]}\nend\n{\"emit\":1001,\"tuples\":[[\"a\"]]}\nend\n",
        "[{\"messages\":[[1,[\"a\"]],[null,[2]]]},{\"command\":\"sync\"}]\nend\n{\"done\":1002,\"count\":3}\nend\n",
    );
    let maps = b"\x82\xa7command\xa3ack\xa2id\xa41001\x83\xa7command\xa4emit\xa5tuple\x93\x01\xcb@\t!\xfbTD-\x18\xc0\xa7anchors\x91\xa41001\x81\xa7command\xa4sync";
    let mut written = vec![batch.as_bytes().to_vec(), maps.to_vec()];
    let mut transcripts = files(&root().join("multilang/transcripts"));
    transcripts.retain(|path| path.extension().is_some_and(|extension| extension == "txt"));
    for path in transcripts {
        let text = fs::read_to_string(path).unwrap();
        let lines = text.lines().filter_map(|line| Some(line.split_once(" < ")?.1));
        let literals = lines.filter(|rest| rest.starts_with("b'") || rest.starts_with("b\""));
        let bytes = literals.flat_map(crate::multilang::unquote);
        written.push(bytes.take(LONGEST / 4).collect());
    }
    let kinds = [0, 1, 2, 3, 4, 5, 8, 0x10, 0x20, 0x21];
    let mut all = Vec::new();
    for (number, output) in written.iter().enumerate() {
        for kind in [kinds[number % kinds.len()], kinds[(number * 3 + 1) % kinds.len()]] {
            all.push([&[kind, (number * 37) as u8][..], output].concat());
        }
    }
    all
}

fn messages() -> Vec<Vec<u8>> {
    let hello = r#"{"message":"hello","version":2,"address":{"slot":0,"incarnation":0,"boot":"00000000-0000-0000-0000-000000000001","endpoint":"ipc:///a"}}"#;
    let second = hello.replace("\"slot\":0", "\"slot\":1");
    let begin = r#"{"message":"begin","workers":[],"incarnations":[0,0],"producing":true}"#;
    let told = r#"{"message":"state","task":1,"state":"drained"}
{"message":"failed","task":2,"reason":"x","detail":null}
{"message":"restarted","task":2,"reason":"x","detail":"y","lost_memory":true}
{"message":"log","task":2,"level":3,"text":"z"}
{"message":"error","task":2,"text":"z","detail":null}
{"message":"log_dropped","task":2,"repeated":1,"dropped":2}
{"message":"peer_unresponsive","slot":1,"boot":"00000000-0000-0000-0000-000000000001"}
{"message":"report","tasks":[],"rss":1}
{"message":"unwanted","task":3,"reason":"x"}
{"message":"fatal","reason":"x"}"#;
    let orders = r#"{"message":"peer_lost","slot":1,"successor":2}
{"message":"congested","tasks":[1,2]}
{"message":"stop_input"}
{"message":"end"}
{"message":"exit"}"#;
    let whole = [hello, &second, &second, begin, told, orders].join("\n");
    [hello, begin, told, orders, &whole].map(|text| text.as_bytes().to_vec()).into()
}

fn texts() -> Vec<Vec<u8>> {
    let texts = [
        r#"[NaN, Infinity, -Infinity, 1180591620717411303424, 1e-07, -0.0, null, true, {"k": [1]}, "\ud800"]"#,
        r#"{"a":{"b":[1,2.5,"\u00e9\ud83d\ude00",""]},"a":1}"#,
        r#""to be or not \"to\" be\n""#,
        "1e400",
        "-9223372036854775808",
        "100000000000000000000000.5e-3",
        "[[[[]]],{}]",
    ];
    texts.map(|text| text.as_bytes().to_vec()).into()
}

fn tuples() -> Vec<Vec<u8>> {
    use crate::base::{EdgeId, RootId, StreamIdx, TaskId};
    use crate::tuple::wire::put_tuple;
    use crate::tuple::{Anchor, Scanner, Tuple, Value, parse_value};

    let mut all: Vec<Vec<u8>> = texts()
        .iter()
        .map(|text| {
            let text = std::str::from_utf8(text).unwrap();
            let span = Scanner::new(text).skip_value().unwrap();
            let values = [parse_value(&text[span]), Value::from("x"), Value::Float(0.5)];
            let mut tuple = Tuple::new(TaskId(3), StreamIdx(1), values);
            tuple.anchors.push(Anchor { root: RootId(1), edge: EdgeId(2), spout: TaskId(1) });
            let mut bytes = Vec::new();
            put_tuple(&tuple, &mut bytes);
            bytes
        })
        .collect();
    all.push(all.concat());
    // Lists in lists, each of which promises a thousand: once that made room for all of them.
    let promises = [&[1, 0, 0, 0, 0, 1][..], &[7, 0xe8, 7].repeat(250), &[0; 1_000]].concat();
    all.push(promises);
    all
}

/// The seed is the same in every run: what is found is found again.
const SEED: u64 = 0x6761_6c65_7769_7265;

macro_rules! targets {
    ($($name:ident, $target:ident;)*) => {$(
        mod $name {
            use super::*;

            #[test]
            fn holds_under_mutations_of_its_corpus() {
                $target.drive($target.cases, SEED);
            }

            #[test]
            #[ignore = "runs for minutes, with another seed each time"]
            fn holds_for_minutes() {
                $target.drive($target.cases * MANY, fastrand::u64(..));
            }

            #[test]
            #[ignore = "writes what cargo fuzz begins with"]
            fn seeds_are_written() {
                $target.write_seeds();
            }
        }
    )*};
}

targets! {
    topology, TOPOLOGY;
    child, CHILD;
    link, LINK;
    control, CONTROL;
    json, JSON;
    tuple, TUPLE;
}
