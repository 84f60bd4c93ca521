//! Asks a child that hangs where it does so: a signal, and a file that the child writes to.
//!
//! Only a child that has said that it understands is asked; never by SIGUSR1, on which programs in
//! other languages open a debugger or end.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::Path;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, getpgid};
use tokio::time::sleep;

/// How often the file is looked at, and how many times.
const LOOK_EVERY: Duration = Duration::from_millis(50);
const LOOKS: usize = 20;
/// The most that is shown.
const MOST: u64 = 32 << 10;

/// Sends the signal to process `pid` of the child's process group, and reads what it adds to `file`.
/// `None` where it is of another group, or shows nothing within a second.
pub(super) async fn ask(pid: u32, group: u32, file: &Path) -> Option<String> {
    let pid = Pid::from_raw(i32::try_from(pid).ok().filter(|pid| *pid > 1)?);
    let of_group = getpgid(Some(pid)).is_ok_and(|found| found.as_raw().unsigned_abs() == group);
    let before = length(file)?;
    if !of_group || kill(pid, Signal::SIGUSR2).is_err() {
        return None;
    }
    let mut last = before;
    for _ in 0..LOOKS {
        sleep(LOOK_EVERY).await;
        let now = length(file)?;
        if now > before && now == last {
            break;
        }
        last = now;
    }
    let text = read_from(file, before).inspect_err(|error| {
        tracing::debug!(%error, "a child's stacks cannot be read");
    });
    text.ok().filter(|text| !text.is_empty())
}

/// Bytes of a plain file; `None` where there is none.
fn length(file: &Path) -> Option<u64> {
    std::fs::symlink_metadata(file).ok().filter(std::fs::Metadata::is_file).map(|data| data.len())
}

fn read_from(file: &Path, start: u64) -> io::Result<String> {
    let mut file = File::open(file)?;
    file.seek(SeekFrom::Start(start))?;
    let mut bytes = Vec::new();
    file.take(MOST).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).trim_end().to_owned())
}
