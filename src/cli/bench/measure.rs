//! One run of a topology by a `galewire` program, watched from outside: wall clock, CPU time, memory,
//! what it prints and what it tells. Knows nothing of cases.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;
use serde_json::Value;

use crate::base::{Timestamp, now};

use super::memory::Memory;

/// How often it is looked whether the run is over.
const LOOK_EVERY: Duration = Duration::from_millis(2);
/// How often memory is read.
const READ_EVERY: Duration = Duration::from_millis(100);

/// What is to be run.
#[derive(Debug)]
pub(super) struct Order<'a> {
    pub(super) program: &'a Path,
    pub(super) file: PathBuf,
    /// As `--set` takes them.
    pub(super) set: Vec<String>,
    /// `--for`.
    pub(super) time: Option<Duration>,
}

/// What was seen of a run that was complete.
#[derive(Debug)]
pub(super) struct Ran {
    pub(super) wall: Duration,
    /// User and system time of all processes.
    pub(super) cpu: Duration,
    pub(super) memory: Memory,
    pub(super) output: String,
    /// The events of `--json`.
    pub(super) events: Vec<Value>,
}

impl Ran {
    /// A counter of all spouts together at an event that carries totals.
    pub(super) fn of_spouts(event: &Value, counter: &str) -> u64 {
        let components = event["totals"]["components"].as_array().into_iter().flatten();
        let spouts = components.filter(|component| component["role"] == "spout");
        spouts.filter_map(|spout| spout["counters"][counter].as_u64()).sum()
    }

    /// A counter of all spouts together at the end.
    pub(super) fn total(&self, counter: &str) -> u64 {
        self.events.last().map_or(0, |event| Self::of_spouts(event, counter))
    }
}

/// Runs it and waits for its end; `folder` takes what it tells.
///
/// # Errors
/// A program that cannot be run, or a run that was not complete, with what it told last.
pub(super) fn run(order: &Order<'_>, folder: &Path) -> anyhow::Result<Ran> {
    let told = folder.join("told");
    let mut command = Command::new(order.program);
    command.arg("run").arg(&order.file).arg("--json");
    for setting in &order.set {
        command.arg("--set").arg(setting);
    }
    if let Some(time) = order.time {
        command.arg("--for").arg(format!("{}ms", time.as_millis()));
    }
    let cpu_before = cpu_of_children()?;
    let started = now();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(File::create(&told)?)
        .spawn()
        .with_context(|| format!("could not run {}", order.program.display()))?;
    let mut stdout = child.stdout.take().expect("it was asked for");
    let mut memory = Memory::default();
    let mut read_at = Timestamp::default();
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if now().since(read_at) >= READ_EVERY {
            memory.read(child.id());
            read_at = now();
        }
        // A topology of a case prints a line or two at most, which the pipe holds.
        std::thread::sleep(LOOK_EVERY);
    };
    let wall = now().since(started);
    let cpu = cpu_of_children()?.saturating_sub(cpu_before);
    let mut output = String::new();
    stdout.read_to_string(&mut output)?;
    let told = fs::read_to_string(told)?;
    if !status.success() {
        let settings = order.set.join(" ");
        bail!("{} {settings} ended with {status}:\n{}", order.file.display(), last_lines(&told));
    }
    let events = told.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    Ok(Ran { wall, cpu, memory, output, events })
}

/// Runs it and looks when the first byte of output comes.
///
/// # Errors
/// As [`run`]; or no output.
pub(super) fn run_for_output(order: &Order<'_>) -> anyhow::Result<Duration> {
    let started = now();
    let mut child = Command::new(order.program)
        .arg("run")
        .arg(&order.file)
        .arg("--quiet")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("could not run {}", order.program.display()))?;
    let mut stdout = child.stdout.take().expect("it was asked for");
    let mut byte = [0];
    let read = stdout.read_exact(&mut byte);
    let first = now().since(started);
    let mut rest = Vec::new();
    stdout.read_to_end(&mut rest)?;
    let status = child.wait()?;
    if !status.success() {
        bail!("{} ended with {status}", order.file.display());
    }
    read.map_err(|_| anyhow!("{} printed nothing", order.file.display()))?;
    Ok(first)
}

fn cpu_of_children() -> anyhow::Result<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let micros = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    Ok(Duration::from_micros(u64::try_from(micros)?))
}

fn last_lines(text: &str) -> String {
    const LINES: usize = 5;
    const LONGEST: usize = 400;
    let lines: Vec<&str> = text.lines().collect();
    let last = &lines[lines.len().saturating_sub(LINES)..];
    last.iter().map(|line| format!("  {}\n", crate::base::beginning(line, LONGEST))).collect()
}
