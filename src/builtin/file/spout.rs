//! The spout itself: opens, keeps its position, and hands everything else to [`Reading`].
//!
//! Saving is done by a job of its own; the task's loop never waits for the disk, but at its end.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::base::{now, unix_millis};
use crate::builtin::inputs::bad_options;
use crate::component::{ComponentError, Context, MessageId, Next, Progress, Spout, SpoutCollector};

use super::options::{FileOptions, Settings, Start};
use super::position::{self, Position};
use super::reading::{Earlier, Reading};

/// Reads files.
pub(super) struct FileSpout {
    options: FileOptions,
    restored: Option<Position>,
    running: Option<Running>,
}

struct Running {
    reading: Reading,
    context: Arc<Context>,
    /// The position that was told last.
    told: Position,
    /// Where the position is saved across runs, if it is.
    saved: Option<PathBuf>,
    /// Whether something was told that is not saved.
    unsaved: bool,
    saving: Arc<AtomicBool>,
}

impl FileSpout {
    /// A spout that has not looked at its options yet.
    pub(super) fn new(options: FileOptions) -> Self {
        Self { options, restored: None, running: None }
    }

    fn running(&mut self) -> &mut Running {
        self.running.as_mut().expect("the spout was opened")
    }

    /// What earlier lives left: in this run, otherwise (with `start = "saved"`) in earlier runs.
    fn earlier(
        &mut self,
        settings: &Settings,
        context: &Context,
    ) -> Result<Earlier, ComponentError> {
        let of_folder =
            |folder| position::load(folder, &context.component).map_err(ComponentError::give_up);
        if let Some(position) = self.restored.take() {
            return Ok(Earlier { position, begun: true });
        }
        if settings.start == Start::Saved {
            let position = of_folder(&context.state_dir)?;
            return Ok(Earlier { position, begun: context.restarted });
        }
        let position = if context.restarted && settings.start == Start::End {
            of_folder(&context.run_dir)?
        } else {
            Position::default()
        };
        Ok(Earlier { position, begun: context.restarted })
    }
}

impl Spout for FileSpout {
    fn open(&mut self, context: &Arc<Context>) -> Result<(), ComponentError> {
        let settings = self.options.check().map_err(bad_options)?;
        let earlier = self.earlier(&settings, context)?;
        let first_end = settings.start == Start::End && !earlier.begun;
        let saved_in =
            |folder| position::saved_path(folder, &context.component, context.task_index);
        let saved = (settings.start == Start::Saved).then(|| saved_in(&context.state_dir));
        let mut reading = Reading::start(settings, context, earlier, now())?;
        if first_end {
            // Where the end was when the run began is known to later lives from the start.
            let path = saved_in(&context.run_dir);
            position::save(&path, &reading.position(), unix_millis())
                .map_err(|error| save_error(&path, &error))?;
        }
        self.running = Some(Running {
            reading,
            context: Arc::clone(context),
            told: Position::default(),
            saved,
            unsaved: false,
            saving: Arc::default(),
        });
        Ok(())
    }

    fn next_tuple(&mut self, out: &mut SpoutCollector<'_>) -> Result<Next, ComponentError> {
        self.next_batch(1, out)
    }

    fn next_batch(
        &mut self,
        max: usize,
        out: &mut SpoutCollector<'_>,
    ) -> Result<Next, ComponentError> {
        self.running().reading.next_batch(max, now(), out)
    }

    fn ack(&mut self, id: MessageId) {
        self.running().reading.ack(id);
    }

    fn position(&mut self) -> Option<serde_json::Value> {
        let running = self.running.as_mut()?;
        let position = running.reading.position();
        let changed = position != running.told;
        if changed {
            running.told.clone_from(&position);
            running.unsaved = running.saved.is_some();
        }
        if running.unsaved {
            running.save();
        }
        changed.then(|| serde_json::to_value(&position).expect("a position is plain data"))
    }

    fn restore(&mut self, position: &serde_json::Value) {
        // What another version kept and this one cannot read is as good as nothing: more is
        // given out again than is needed, never less.
        self.restored = serde_json::from_value(position.clone()).ok();
    }

    fn close(&mut self) -> Progress {
        let Some(running) = self.running.as_mut() else {
            return Progress::Done;
        };
        let Some(path) = running.saved.clone() else {
            return Progress::Done;
        };
        if running.saving.load(Ordering::Acquire) {
            return Progress::Pending; // The job rings when it is done.
        }
        if let Err(error) = position::save(&path, &running.reading.position(), unix_millis()) {
            let message = save_error(&path, &error).message;
            running.context.reporter.error(&message, None);
        }
        Progress::Done
    }
}

impl Running {
    /// Saves what was told last, unless a saving is still on its way.
    fn save(&mut self) {
        let Some(path) = self.saved.clone() else {
            return;
        };
        if self.saving.swap(true, Ordering::AcqRel) {
            return;
        }
        self.unsaved = false;
        let position = self.told.clone();
        let saving = Arc::clone(&self.saving);
        let context = Arc::clone(&self.context);
        self.context.io.spawn_blocking(move || {
            if let Err(error) = position::save(&path, &position, unix_millis()) {
                let message = save_error(&path, &error).message;
                context.reporter.error(&message, None);
            }
            saving.store(false, Ordering::Release);
            context.waker.ring();
        });
    }
}

fn save_error(path: &std::path::Path, error: &std::io::Error) -> ComponentError {
    let path = path.display();
    ComponentError::restart(format!("could not save the position in {path}: {error}"))
}
