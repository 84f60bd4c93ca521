//! What is true of every tree, kept beside the engine: which tuples there are, and which were acked.
//!
//! It counts what components do and never looks at a XOR.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};

use crate::base::{RootId, TaskId};
use crate::tuple::{Anchors, Tuple};

/// A root of one life of one spout task.
type Root = (TaskId, RootId);

#[derive(Debug, Default)]
struct Tree {
    /// Tuples that were made, whether or not they have arrived anywhere.
    made: u64,
    acked: HashSet<u64>,
}

impl Tree {
    fn is_complete(&self) -> bool {
        self.acked.len() as u64 == self.made
    }
}

/// What became of one message of a spout.
#[derive(Debug, Default)]
struct Fate {
    roots: Vec<Root>,
    emitted: usize,
    failed: usize,
    acked: usize,
    /// The spout has begun a new life since: the engine may give it out again without a word.
    reborn: bool,
    /// A sink has acked a tuple of it.
    sunk: bool,
    /// It is a dead letter.
    buried: bool,
}

/// The truth.
#[derive(Debug, Default)]
pub(super) struct Oracle {
    pub(super) violations: Vec<String>,
    trees: HashMap<Root, Tree>,
    messages: BTreeMap<u64, Fate>,
    /// The message of each tree.
    of: HashMap<Root, u64>,
    given: HashSet<u64>,
    /// The last tuple by consuming task, the life of its worker, and producing task.
    last: HashMap<(TaskId, u32, TaskId), u64>,
    tuples: u64,
    /// The final results that a task has emitted, by the life of its worker.
    finals: BTreeMap<TaskId, BTreeMap<u32, Vec<u64>>>,
}

/// The number of the first final result, far behind all messages.
const FIRST_FINAL: u64 = 1 << 40;

impl Oracle {
    pub(super) fn violated(&mut self, text: String) {
        self.violations.push(text);
    }

    /// A number for a new tuple.
    pub(super) fn number(&mut self) -> u64 {
        self.tuples += 1;
        self.tuples
    }

    /// A spout gives a message out.
    pub(super) fn emitted(&mut self, message: u64) {
        self.messages.entry(message).or_default().emitted += 1;
    }

    /// A bolt's task is about to emit so many final results, which are messages of their own.
    pub(super) fn finished(&mut self, task: TaskId, life: u32, count: u64) -> Vec<u64> {
        let messages: Vec<_> = (0..count).map(|_| FIRST_FINAL + self.number()).collect();
        for message in &messages {
            self.emitted(*message);
        }
        // The engine gives them out again without a word.
        self.reborn(&messages);
        self.finals.entry(task).or_default().entry(life).or_default().extend(&messages);
        messages
    }

    /// Whether all final results of a task have come to a sink: those of its last life, or of an earlier
    /// one, after which there are none.
    fn are_there(&self, lives: &BTreeMap<u32, Vec<u64>>) -> bool {
        let mut lives = lives.values();
        lives.any(|finals| finals.iter().all(|message| self.messages[message].sunk))
    }

    /// A spout's new life has begun.
    pub(super) fn reborn(&mut self, messages: &[u64]) {
        for message in messages {
            if let Some(fate) = self.messages.get_mut(message) {
                fate.reborn = true;
            }
        }
    }

    /// A bolt gets a tuple of message `message`, number `number`. `copies`: as how many tuples a
    /// message leaves its spout.
    pub(super) fn executed(
        &mut self,
        task: TaskId,
        life: u32,
        tuple: &Tuple,
        (message, number): (u64, u64),
        copies: u64,
    ) {
        for anchor in &tuple.anchors {
            let root = (anchor.spout, anchor.root);
            let fate = self.messages.entry(message).or_default();
            if let Entry::Vacant(vacant) = self.trees.entry(root) {
                vacant.insert(Tree { made: copies, ..Tree::default() });
                fate.roots.push(root);
                self.of.insert(root, message);
                if fate.roots.len() > fate.emitted + fate.failed && !fate.reborn {
                    let (roots, known) = (fate.roots.len(), fate.emitted + fate.failed);
                    self.violated(format!(
                        "message {message} has {roots} trees, and was given out {known} times"
                    ));
                }
            }
            if !self.given.insert(anchor.edge.0) {
                self.violated(format!("task {task} got tuple {number} of message {message} twice"));
            }
        }
        self.check_order(task, life, tuple.source, (message, number));
    }

    fn check_order(
        &mut self,
        task: TaskId,
        life: u32,
        source: TaskId,
        (message, number): (u64, u64),
    ) {
        let last = self.last.entry((task, life, source)).or_default();
        let fate = &self.messages[&message];
        let again = fate.failed > 0 || fate.reborn;
        if number <= *last && !again {
            let text = format!(
                "task {task} got tuple {number} of message {message} from task {source} behind {last}"
            );
            self.violated(text);
        } else {
            *last = number.max(*last);
        }
    }

    /// A component emits a tuple anchored to these, of which `copies` go out.
    pub(super) fn made(&mut self, anchors: &[Anchors], copies: u64) {
        let roots: HashSet<Root> =
            anchors.iter().flatten().map(|anchor| (anchor.spout, anchor.root)).collect();
        for root in roots {
            self.trees.entry(root).or_default().made += copies;
        }
    }

    /// A component acks a tuple of message `message`.
    pub(super) fn acked(&mut self, anchors: &Anchors, message: u64, at_sink: bool) {
        for anchor in anchors {
            let tree = self.trees.entry((anchor.spout, anchor.root)).or_default();
            tree.acked.insert(anchor.edge.0);
        }
        if at_sink {
            for anchor in anchors {
                let fate = self.of.get(&(anchor.spout, anchor.root));
                if let Some(fate) = fate.and_then(|message| self.messages.get_mut(message)) {
                    fate.sunk = true;
                }
            }
        }
        debug_assert!(self.messages.contains_key(&message));
    }

    /// A message becomes a dead letter after more failures than `retries`.
    pub(super) fn buried(&mut self, message: u64, retries: u32) {
        let fate = self.messages.entry(message).or_default();
        let (failed, told) = (fate.failed, !fate.reborn);
        if told && failed <= retries as usize {
            let text = format!("message {message} was put aside after {failed} failures");
            self.violated(text);
        }
        self.messages.entry(message).or_default().buried = true;
    }

    /// The run is started again: what came before orders nothing any more.
    pub(super) fn begin_anew(&mut self) {
        self.last.clear();
        self.finals.clear();
    }

    /// A spout hears that a message is done.
    pub(super) fn done(&mut self, message: u64) {
        let fate = self.messages.entry(message).or_default();
        fate.acked += 1;
        if fate.buried {
            return;
        }
        let complete = fate.roots.iter().any(|root| self.trees[root].is_complete());
        let (acked, emitted, sunk) = (fate.acked, fate.emitted, fate.sunk);
        if !complete {
            let trees: Vec<_> = fate.roots.iter().map(|root| &self.trees[root]).collect();
            let counts: Vec<_> = trees.iter().map(|tree| (tree.acked.len(), tree.made)).collect();
            self.violated(format!(
                "message {message} was acked early: tuples acked and made by tree: {counts:?}"
            ));
        }
        if !sunk {
            self.violated(format!("message {message} was acked and reached no sink"));
        }
        if acked > emitted {
            self.violated(format!("message {message}: {acked} acks for {emitted} emissions"));
        }
    }

    /// A spout hears that a message failed.
    pub(super) fn failed(&mut self, message: u64) {
        self.messages.entry(message).or_default().failed += 1;
    }

    /// Whether a message was acked.
    pub(super) fn is_done(&self, message: u64) -> bool {
        self.messages.get(&message).is_some_and(|fate| fate.acked > 0 || fate.buried)
    }

    /// The run is over: `wanted` should all be done.
    pub(super) fn check_end(&mut self, wanted: &[u64]) {
        let forgotten: Vec<_> =
            wanted.iter().copied().filter(|message| !self.is_done(*message)).collect();
        if !forgotten.is_empty() {
            self.violated(format!("messages {forgotten:?} were forgotten"));
        }
        let lost: Vec<_> = self.finals.iter().filter(|(_, lives)| !self.are_there(lives)).collect();
        if !lost.is_empty() {
            let text = format!("final results are lost, by task and life: {lost:?}");
            self.violated(text);
        }
    }

    /// How many trees there were, and how many messages.
    pub(super) fn size(&self) -> (usize, usize) {
        (self.trees.len(), self.messages.len())
    }
}
