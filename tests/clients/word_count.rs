//! Word count of some pages of a book with a client's components, against an independent count.

use std::collections::BTreeMap;

use nix::sys::signal::Signal;

use super::super::harness::{Project, Running, wait_for};
use super::installed::{keys, project};

/// A client library, as the page names it.
#[derive(Clone, Copy)]
pub(super) struct Client {
    pub(super) name: &'static str,
    /// The folder of its scripts.
    pub(super) scripts: &'static str,
    /// What lies beside the scripts.
    pub(super) beside: &'static [&'static str],
}

type Counts = BTreeMap<String, u64>;

/// Lines of the sink from which on a child may be killed.
const UNDER_WAY: usize = 100;

impl Client {
    /// Both bolts are the client's.
    pub(super) fn bolts_count_exactly(self) {
        let count = [
            &self.component("bolts.count", "count"),
            "inputs = [{ from = \"split\", grouping = { fields = [\"word\"] } }]",
            "outputs = [\"word\", \"count\"]\nparallelism = 2",
        ];
        let project = self.project(&[LINES, &self.split(), &count.join("\n"), SINK]);
        let ended = project.run(&[]).expect_code(0);
        assert_eq!(counted(&project), expected(&project), "{}", ended.err);
    }

    /// The child of `split` is killed with -9 in mid-run.
    pub(super) fn a_killed_bolt_loses_nothing(self) {
        let project = self.project(&[LINES, &self.split(), COUNT, SINK]);
        let run = project.start(&[]);
        self.kill_child_in_mid_run(&project, &run);
        let ended = run.end().expect_code(0).expect_told("it is started again");
        assert_at_least(&counted(&project), &expected(&project), &ended.err);
    }

    /// The spout is the client's, and tracks its messages.
    pub(super) fn a_spout_is_counted_exactly(self) {
        let project = self.project(&[&self.spout(), SPLIT, COUNT, SINK]);
        let run = project.start(&[]);
        wait_until_all_is_counted(&project);
        Running::signal(run.pid(), Signal::SIGINT);
        let ended = run.end().expect_code(0);
        assert_eq!(counted(&project), expected(&project), "{}", ended.err);
    }

    /// The child of the spout is killed with -9, and begins anew.
    pub(super) fn a_killed_spout_loses_nothing(self) {
        let project = self.project(&[&self.spout(), SPLIT, COUNT, SINK]);
        let run = project.start(&[]);
        self.kill_child_in_mid_run(&project, &run);
        wait_until_all_is_counted(&project);
        Running::signal(run.pid(), Signal::SIGINT);
        let ended = run.end().expect_code(0).expect_told("it is started again");
        assert_at_least(&counted(&project), &expected(&project), &ended.err);
    }

    fn project(self, parts: &[&str]) -> Project {
        let topology = format!("name = \"count\"\n{}", parts.join("\n"));
        let book = include_str!("../../topologies/data/moby-dick.txt");
        let pages: Vec<&str> = book.lines().skip(1000).take(800).collect();
        let pages = pages.join("\n") + "\n";
        project(self.scripts, self.beside)
            .file("topology.toml", &topology)
            .file("input.txt", &pages)
    }

    /// What the page says for `split`, said for another script of the same client.
    fn component(self, table: &str, script: &str) -> String {
        let class = script[..1].to_uppercase() + &script[1..];
        let keys = keys(self.name).replace("split", script).replace("Split", &class);
        format!("[{table}]\n{keys}")
    }

    fn split(self) -> String {
        self.component("bolts.split", "split") + "\ninputs = [\"lines\"]\noutputs = [\"word\"]"
    }

    fn spout(self) -> String {
        let component =
            self.component("spouts.lines", "lines").replace("bolts.lines", "spouts.lines");
        component + "\noutputs = [\"line\"]\nconfig = { path = \"input.txt\" }"
    }

    fn kill_child_in_mid_run(self, project: &Project, run: &Running) {
        wait_for("the sink to have lines", || {
            (project.lines("output.txt") > UNDER_WAY).then_some(())
        });
        let workers = run.processes("galewire worker");
        let children: Vec<_> =
            run.family().into_iter().filter(|pid| !workers.contains(pid)).collect();
        assert_eq!(children.len(), 1, "{}: one child was expected", self.name);
        Running::signal(children[0], Signal::SIGKILL);
    }
}

const LINES: &str = "[spouts.lines]\ntype = \"file\"\nconfig = { path = \"input.txt\" }";
const SPLIT: &str = "[bolts.split]\ntype = \"split\"\ninputs = [\"lines\"]";
const COUNT: &str = "[bolts.count]\ntype = \"count\"\nparallelism = 2\n\
                     inputs = [{ from = \"split\", grouping = { fields = [\"word\"] } }]";
const SINK: &str = "[bolts.sink]\ntype = \"write\"\ninputs = [\"count\"]\n\
                    config = { path = \"output.txt\", sync = false }";

fn expected(project: &Project) -> Counts {
    let mut counts = Counts::new();
    for word in project.read("input.txt").split_ascii_whitespace() {
        *counts.entry(word.to_owned()).or_default() += 1;
    }
    counts
}

/// The greatest count of each word in the sink.
fn counted(project: &Project) -> Counts {
    let mut counts = Counts::new();
    let text = project.read("output.txt");
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    for line in whole.lines() {
        let (word, count) = line.rsplit_once('\t').unwrap();
        let known = counts.entry(word.to_owned()).or_default();
        *known = count.parse().unwrap_or(0).max(*known);
    }
    counts
}

fn reached(counts: &Counts, expected: &Counts) -> bool {
    expected.iter().all(|(word, count)| counts.get(word).is_some_and(|counted| counted >= count))
}

fn wait_until_all_is_counted(project: &Project) {
    let expected = expected(project);
    wait_for("all to be counted", || reached(&counted(project), &expected).then_some(()));
}

#[track_caller]
fn assert_at_least(counts: &Counts, expected: &Counts, told: &str) {
    assert!(reached(counts, expected), "a word is counted too seldom\n{told}");
    assert_eq!(counts.len(), expected.len(), "words that never were in the input\n{told}");
}
