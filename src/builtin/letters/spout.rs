//! Gives out letters of a file. A blocking job reads it, a bounded number of letters ahead.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};

use schemars::JsonSchema;
use serde::Deserialize;

use crate::base::Signal;
use crate::component::{
    ComponentError, Context, Declaration, Declaring, Level, MessageId, Next, OptionProblem,
    Progress, Spout, SpoutCollector, SpoutEmission, SpoutKind, Tasks,
};
use crate::dead_letter::{Letter, LetterId, Letters};

use super::remover::{End, Remover};

/// How many letters the reader may be ahead.
const AHEAD: usize = 256;

/// Which letters of which file.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct LettersOptions {
    /// The file of dead letters.
    path: PathBuf,
    /// The letters to give out, by id, each with how often it was replayed before.
    letters: HashMap<String, u32>,
}

/// The hidden kind `dead_letters`.
pub(in super::super) struct LettersKind;

impl SpoutKind for LettersKind {
    const NAME: &'static str = "dead_letters";
    const SUMMARY: &'static str = "gives out dead letters again, in place of a spout";
    type Options = LettersOptions;

    fn declare(
        _: &LettersOptions,
        declaring: &Declaring,
    ) -> Result<Declaration, Vec<OptionProblem>> {
        let streams = declaring.outputs.clone().unwrap_or_default();
        Ok(Declaration { streams, keeps_memory: false })
    }

    fn build(options: LettersOptions) -> Box<dyn Spout> {
        let letters = options.letters.iter();
        let chosen = letters.filter_map(|(id, replays)| Some((id.parse().ok()?, *replays)));
        let chosen = Arc::new(chosen.collect());
        Box::new(LettersSpout { path: options.path, chosen, open: None, pending: HashMap::new() })
    }
}

type Chosen = HashMap<LetterId, u32>;

/// Gives out its share of the chosen letters.
struct LettersSpout {
    path: PathBuf,
    chosen: Arc<Chosen>,
    open: Option<Open>,
    /// What is under way.
    pending: HashMap<LetterId, Arc<Letter>>,
}

struct Open {
    context: Arc<Context>,
    letters: Receiver<Result<Letter, String>>,
    remover: Remover,
}

/// The part of a task in the letters of its spout; the same in every life.
#[derive(Clone, Copy)]
struct Share {
    index: usize,
    count: usize,
}

impl Share {
    fn has(self, id: LetterId) -> bool {
        id.number() as usize % self.count.max(1) == self.index
    }
}

/// Reads until the end; waits while the spout is behind, and ends when nobody listens.
fn read(
    path: &Path,
    chosen: &Chosen,
    share: Share,
    to: &SyncSender<Result<Letter, String>>,
    waker: &Signal,
) {
    let fail = |error: std::io::Error| format!("{} cannot be read: {error}", path.display());
    let letters = match Letters::open(path) {
        Ok(letters) => letters,
        Err(error) => return drop(to.send(Err(fail(error)))),
    };
    for entry in letters {
        let letter = match entry {
            Ok(entry) => entry.letter.ok().map(Ok),
            Err(error) => Some(Err(fail(error))),
        };
        let wanted = |letter: &Letter| {
            share.has(letter.id) && chosen.get(&letter.id) == Some(&letter.replays)
        };
        let Some(letter) = letter.filter(|read| read.as_ref().map_or(true, wanted)) else {
            continue;
        };
        if to.send(letter).is_err() {
            return;
        }
        waker.ring();
    }
}

impl Spout for LettersSpout {
    fn open(&mut self, context: &Arc<Context>) -> Result<(), ComponentError> {
        let (sender, letters) = sync_channel(AHEAD);
        let (path, chosen) = (self.path.clone(), Arc::clone(&self.chosen));
        let share = Share { index: context.task_index, count: context.task_count };
        let waker = context.waker.clone();
        // It ends with the file, or with this life.
        drop(context.io.spawn_blocking(move || {
            read(&path, &chosen, share, &sender, &waker);
            drop(sender);
            waker.ring();
        }));
        let remover = Remover::new(self.path.clone(), context.io.clone(), context.waker.clone());
        self.open = Some(Open { context: Arc::clone(context), letters, remover });
        Ok(())
    }

    fn next_tuple(&mut self, out: &mut SpoutCollector<'_>) -> Result<Next, ComponentError> {
        let Some(open) = &self.open else { return Ok(Next::Idle) };
        if let Some(trouble) = open.remover.trouble() {
            let text = format!("letters cannot be taken out of the file yet: {trouble}");
            open.context.reporter.error(&text, None);
        }
        let letter = match open.letters.try_recv() {
            Ok(letter) => letter.map_err(ComponentError::give_up)?,
            Err(TryRecvError::Empty) => return Ok(Next::Idle),
            Err(TryRecvError::Disconnected) => return Ok(Next::Exhausted),
        };
        let letter = Arc::new(letter);
        // Known before it goes: a letter that nobody takes is acked at once.
        self.pending.insert(letter.id, Arc::clone(&letter));
        let emitted = match open.context.output_named(&letter.stream) {
            Some(stream) => out
                .emit_with(SpoutEmission {
                    stream,
                    direct: letter.direct,
                    id: Some(MessageId(letter.id.number())),
                    values: letter.values.clone(),
                    tasks: Tasks::Any,
                })
                .map_err(|error| error.to_string()),
            None => Err(format!("there is no stream `{}`", letter.stream)),
        };
        if let Err(error) = emitted {
            self.pending.remove(&letter.id);
            let text = format!("letter {} stays in the file: {error}", letter.id);
            open.context.reporter.log(Level::Error, &text);
        }
        Ok(Next::More)
    }

    fn ack(&mut self, id: MessageId) {
        let Some(id) = LetterId::of_number(id.0) else { return };
        self.pending.remove(&id);
        if let (Some(open), Some(replays)) = (&self.open, self.chosen.get(&id)) {
            open.remover.done(id, *replays);
        }
    }

    fn letter(&self, id: MessageId) -> Option<Arc<Letter>> {
        self.pending.get(&LetterId::of_number(id.0)?).cloned()
    }

    fn close(&mut self) -> Progress {
        let Some(open) = &self.open else { return Progress::Done };
        match open.remover.end() {
            End::Done => Progress::Done,
            End::Pending => Progress::Pending,
            End::Left(count, why) => {
                let text = format!(
                    "{count} letters that are done could not be taken out of {}: {why}",
                    self.path.display()
                );
                open.context.reporter.error(&text, None);
                Progress::Done
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use serde_json::json;

    use super::super::super::testing::{SpoutOut, context_in, spout, until};
    use super::*;
    use crate::base::TaskId;
    use crate::component::{Output, StreamDecl};
    use crate::dead_letter::{Moment, append};
    use crate::tuple::Value;

    fn letter(value: &str) -> Letter {
        Letter {
            id: LetterId::random(),
            replays: 0,
            time: Moment(0),
            topology: "t".to_owned(),
            run: "r".to_owned(),
            spout: "part".to_owned(),
            task: TaskId(1),
            message: 1,
            stream: "default".to_owned(),
            direct: None,
            fields: vec!["x".to_owned()],
            values: [Value::from_scanned_json(value)].into_iter().collect(),
            attempts: 1,
            first_emitted: Moment(0),
            failures: Vec::new(),
            left_out: 0,
        }
    }

    fn add(path: &Path, letter: &Letter) {
        append(path, &[&letter.to_line()[..], b"\n"].concat()).unwrap();
    }

    fn context(folder: &Path, index: usize, count: usize) -> Arc<Context> {
        let decl = StreamDecl::default_stream(["x"]);
        Arc::new(Context {
            outputs: vec![Output { decl, subscribers: Vec::new() }],
            task_index: index,
            task_count: count,
            ..context_in(folder)
        })
    }

    fn all(spout: &mut dyn Spout) -> SpoutOut {
        let mut out = SpoutOut::default();
        until("the end of the file", || out.drain(spout) == Next::Exhausted);
        out
    }

    #[test]
    fn chosen_letters_are_given_out_by_one_task_each_and_go_when_they_are_acked() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("dead.jsonl");
        let letters: Vec<Letter> = ["1e400", "2", "3", "4"].map(letter).into();
        for letter in &letters {
            add(&path, letter);
        }
        // What came of an earlier replay counts, and not what it was before.
        let again = Letter { replays: 1, ..letters[1].clone() };
        add(&path, &again);
        let chosen: HashMap<String, u32> = [(&letters[0], 0), (&again, 1), (&letters[2], 0)]
            .map(|(letter, replays)| (letter.id.to_string(), replays))
            .into();
        let mut given = Vec::new();
        for index in 0..2 {
            let mut spout = spout::<LettersKind>(json!({ "path": path, "letters": chosen }));
            spout.open(&context(folder.path(), index, 2)).unwrap();
            let out = all(spout.as_mut());
            given.extend(out.texts());
            for (id, _) in &out.emitted {
                assert_eq!(spout.letter(*id).unwrap().id.number(), id.0);
                spout.ack(*id);
            }
            until("the file to be mended", || spout.close() == Progress::Done);
        }
        given.sort();
        assert_eq!(given, ["1e400", "2", "3"]);
        let left = fs::read_to_string(&path).unwrap();
        assert_eq!(left.lines().count(), 1, "{left}");
        assert!(left.contains(&letters[3].id.to_string()));
    }

    #[test]
    fn what_failed_again_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("dead.jsonl");
        let first = letter("1");
        add(&path, &first);
        let chosen = json!({ first.id.to_string(): 0 });
        let mut spout = spout::<LettersKind>(json!({ "path": path, "letters": chosen }));
        spout.open(&context(folder.path(), 0, 1)).unwrap();
        let out = all(spout.as_mut());
        let again = Letter { replays: 1, ..Letter::clone(&first) };
        add(&path, &again);
        spout.settle(out.emitted[0].0);
        until("the file to be mended", || spout.close() == Progress::Done);
        let left: Vec<_> = Letters::open(&path).unwrap().map(Result::unwrap).collect();
        assert_eq!(left.len(), 1);
        assert_eq!(left[0].letter.as_ref().unwrap(), &again);
    }

    #[test]
    fn a_file_that_is_gone_ends_the_run() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("none.jsonl");
        let mut spout = spout::<LettersKind>(json!({ "path": path, "letters": {} }));
        spout.open(&context(folder.path(), 0, 1)).unwrap();
        let mut out = SpoutOut::default();
        let mut failed = None;
        until("the failure", || {
            failed = spout.next_tuple(&mut SpoutCollector::new(&mut out)).err();
            failed.is_some()
        });
        assert!(failed.unwrap().message.contains("none.jsonl cannot be read"));
    }
}
