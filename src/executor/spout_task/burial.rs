//! What becomes of a message whose retries are spent: it goes to a file or a stream of dead letters,
//! and is done when that is safe. It is never given up for want of a place to put it.

use std::time::Duration;

use crate::base::{Timestamp, unix_millis};
use crate::component::Level;
use crate::dead_letter::{Letter, Moment};
use crate::metrics::TaskCounters;
use crate::topology::DeadLetters;

use super::super::dead_letter;
use super::super::replay::Kept;
use super::SpoutTask;

/// How long a letter waits that could not be written.
const WAIT: Duration = Duration::from_secs(1);
/// About how many bytes are written at a time.
const GROUP: usize = 1 << 20;

/// Letters that are to be written to the file.
#[derive(Default)]
pub(super) struct Burials {
    waiting: Vec<(Kept, Letter)>,
    /// Not before this time.
    not_before: Timestamp,
    /// The last try failed, and people were told.
    trouble: bool,
}

impl Burials {
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// When there is something to write.
    pub(super) fn due(&self) -> Option<Timestamp> {
        (!self.waiting.is_empty()).then_some(self.not_before)
    }
}

impl SpoutTask {
    /// Puts a message aside whose retries are spent. It stays pending until that is safely done.
    pub(super) fn bury(&mut self, kept: Kept, now: Timestamp) {
        let earlier = self.tell(|spout| spout.letter(kept.id)).flatten();
        let context = &self.housing.context;
        let age = now.since(kept.first);
        let letter =
            dead_letter::letter(context, &kept, age, Moment(unix_millis()), earlier.as_deref());
        match &self.housing.retry.dead_letter {
            None => {}
            Some(DeadLetters::File(_)) => self.burials.waiting.push((kept, letter)),
            Some(DeadLetters::Stream(name)) => {
                let stream = context.output_named(name).expect("the check has added the stream");
                self.warn_buried(&letter, &format!("stream `{name}`"));
                let values = dead_letter::values(&letter);
                self.replays.put(kept.letter(stream, values), now);
            }
        }
    }

    /// Writes the letters that wait.
    pub(super) fn write_letters(&mut self, now: Timestamp) {
        let Some(DeadLetters::File(path)) = &self.housing.retry.dead_letter else { return };
        let is_due = self.burials.due().is_some_and(|at| at <= now);
        // A life that is not there could not be told that they are done.
        if !is_due || !self.is_open() {
            return;
        }
        let path = self.housing.context.dir.join(path);
        while !self.burials.waiting.is_empty() {
            let (mut lines, mut count) = (Vec::new(), 0);
            for (_, letter) in &self.burials.waiting {
                lines.extend_from_slice(&letter.to_line());
                lines.push(b'\n');
                count += 1;
                if lines.len() >= GROUP {
                    break;
                }
            }
            if let Err(error) = self.housing.shop.positions.dead_letters(&path, &lines) {
                self.burials.not_before = now + WAIT;
                if !std::mem::replace(&mut self.burials.trouble, true) {
                    let text = format!(
                        "dead letters cannot be written to {}: {error}; their messages stay \
                         pending, and it is tried again every second",
                        path.display()
                    );
                    self.housing.context.reporter.error(&text, None);
                }
                return;
            }
            let place = path.display().to_string();
            if std::mem::take(&mut self.burials.trouble) {
                let text = format!("dead letters can be written to {place} again");
                self.housing.context.reporter.log(Level::Info, &text);
            }
            for (kept, letter) in self.burials.waiting.drain(..count).collect::<Vec<_>>() {
                self.warn_buried(&letter, &place);
                self.buried(&kept);
            }
        }
    }

    /// A dead letter is where it belongs.
    pub(super) fn buried(&mut self, kept: &Kept) {
        TaskCounters::add(&self.housing.counters.dead_letters, 1);
        self.unsaved = true;
        self.settle(kept);
    }

    fn warn_buried(&self, letter: &Letter, place: &str) {
        let (at, why) = dead_letter::cause(letter);
        let values = dead_letter::preview(&letter.values);
        let text =
            format!("a message failed in {at} and was put aside in {place}: {why}: {values}");
        self.housing.context.reporter.log(Level::Warn, &text);
    }
}
