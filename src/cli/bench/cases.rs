//! The list of cases. It says what is run and measures nothing.

/// What a case measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Messages a second, of this many.
    Rate(u64),
    /// Ages of messages at this rate, for some seconds.
    Latency {
        /// Messages a second.
        rate: u64,
    },
    /// Time from the command to the first line of output.
    FirstResult,
    /// Memory and CPU time of a topology that does next to nothing.
    Rest,
}

/// One thing to measure.
#[derive(Clone, Copy, Debug)]
pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    pub(super) kind: Kind,
    /// A file of [`FILES`].
    pub(super) topology: &'static str,
    /// Settings, as `--set` takes them.
    pub(super) set: &'static [&'static str],
    /// Whether it is run when no case is named.
    pub(super) usual: bool,
    /// A program without which it is left out.
    pub(super) needs: Option<&'static str>,
}

/// The topologies and scripts, which lie in one folder when they are run.
pub(super) const FILES: &[(&str, &str)] = &[
    ("sentences.toml", include_str!("topologies/sentences.toml")),
    ("word-count.toml", include_str!("topologies/word-count.toml")),
    ("pass.toml", include_str!("topologies/pass.toml")),
    ("fan-out.toml", include_str!("topologies/fan-out.toml")),
    ("diamond.toml", include_str!("topologies/diamond.toml")),
    ("keys.toml", include_str!("topologies/keys.toml")),
    ("payload.toml", include_str!("topologies/payload.toml")),
    ("python.toml", include_str!("topologies/python.toml")),
    ("node.toml", include_str!("topologies/node.toml")),
    ("latency.toml", include_str!("topologies/latency.toml")),
    ("print.toml", include_str!("topologies/print.toml")),
    ("split.py", include_str!("topologies/split.py")),
    ("split.mjs", include_str!("topologies/split.mjs")),
];

const fn rate(
    name: &'static str,
    about: &'static str,
    count: u64,
    topology: &'static str,
    set: &'static [&'static str],
) -> Case {
    let kind = Kind::Rate(count);
    Case { name, about, kind, topology, set, usual: false, needs: None }
}

const fn latency(name: &'static str, rate: u64, set: &'static [&'static str]) -> Case {
    let (kind, topology) = (Kind::Latency { rate }, "latency.toml");
    let about = "how old messages are at the next task, from when each was to be emitted";
    Case { name, about, kind, topology, set, usual: false, needs: None }
}

impl Case {
    const fn usual(self) -> Self {
        Self { usual: true, ..self }
    }

    const fn needs(self, program: &'static str) -> Self {
        Self { needs: Some(program), ..self }
    }
}

const ONE: &[&str] = &["topology.workers=1"];
const TWO: &[&str] = &["topology.workers=2"];
const UNTRACKED: &[&str] = &["topology.guarantee=\"at_most_once\""];
const WORDS: &str = "sentences of six words, split and counted";
const PAYLOAD: &str = "texts of this size from one worker to the other";

macro_rules! tasks {
    ($count:literal) => {
        &[concat!("bolts.split.parallelism=", $count), concat!("bolts.count.parallelism=", $count)]
    };
}

/// Every case, in the order in which they are run.
pub(super) const CASES: &[Case] = &[
    rate("word-count", WORDS, 6_000_000, "word-count.toml", ONE).usual(),
    rate("word-count-2-workers", WORDS, 4_000_000, "word-count.toml", TWO).usual(),
    rate("word-count-2-tasks", WORDS, 6_000_000, "word-count.toml", tasks!(2)),
    rate("word-count-4-tasks", WORDS, 6_000_000, "word-count.toml", tasks!(4)),
    rate("word-count-untracked", WORDS, 6_000_000, "word-count.toml", UNTRACKED),
    rate("pass", "a constant through two bolts", 12_000_000, "pass.toml", ONE).usual(),
    rate("pass-untracked", "the same without acks", 12_000_000, "pass.toml", UNTRACKED),
    rate("pass-2-workers", "the same over two workers", 6_000_000, "pass.toml", TWO),
    rate("fan-out", "each message to eight tasks", 3_000_000, "fan-out.toml", ONE),
    rate("diamond", "two branches that meet in a join", 4_000_000, "diamond.toml", ONE),
    rate("keys", "a million keys, counted by two tasks", 8_000_000, "keys.toml", ONE),
    rate("payload-100b", PAYLOAD, 8_000_000, "payload.toml", &[PAYLOAD_100]),
    rate("payload-1kib", PAYLOAD, 2_000_000, "payload.toml", &[PAYLOAD_1K]),
    rate("payload-10kib", PAYLOAD, 200_000, "payload.toml", &[PAYLOAD_10K]),
    rate("python", "sentences split by a Python handler", 1_500_000, "python.toml", &[])
        .usual()
        .needs("python3"),
    rate("node", "sentences split by a Node handler", 1_500_000, "node.toml", &[])
        .usual()
        .needs("node"),
    latency("latency-100", 100, TWO),
    latency("latency-1k", 1_000, TWO),
    latency("latency-10k", 10_000, TWO).usual(),
    latency("latency-100k", 100_000, TWO),
    latency("latency-10k-1-worker", 10_000, ONE),
    Case {
        name: "first-result",
        about: "from the command to the first line of output",
        kind: Kind::FirstResult,
        topology: "print.toml",
        set: &[],
        usual: true,
        needs: None,
    },
    Case {
        name: "rest",
        about: "two workers with a message a second",
        kind: Kind::Rest,
        topology: "word-count.toml",
        set: TWO,
        usual: true,
        needs: None,
    },
];

/// The case of that name.
pub(super) fn find(name: &str) -> Option<&'static Case> {
    CASES.iter().find(|case| case.name == name)
}

const PAYLOAD_100: &str = "PAYLOAD 100";
const PAYLOAD_1K: &str = "PAYLOAD 1024";
const PAYLOAD_10K: &str = "PAYLOAD 10240";

/// A setting as `--set` takes it: `PAYLOAD 100` stands for a text of a hundred letters.
pub(super) fn setting(written: &str) -> String {
    match written.strip_prefix("PAYLOAD ").and_then(|size| size.parse().ok()) {
        Some(size) => format!("spouts.source.config.fields.value=\"{}\"", "x".repeat(size)),
        None => written.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_case_has_its_own_name_and_a_file() {
        let names: BTreeSet<_> = CASES.iter().map(|case| case.name).collect();
        assert_eq!(names.len(), CASES.len());
        for case in CASES {
            assert!(FILES.iter().any(|(name, _)| *name == case.topology), "{}", case.name);
            assert!(find(case.name).is_some());
        }
    }

    #[test]
    fn a_payload_has_the_size_that_is_written() {
        let text = setting(PAYLOAD_1K);
        assert_eq!(text.matches('x').count(), 1024);
        assert_eq!(setting("a=1"), "a=1");
    }
}
