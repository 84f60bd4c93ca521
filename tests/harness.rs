//! A project in a folder of its own, run by the real binary with real children.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;

/// Longest that any condition is waited for; a broken test ends here and a slow machine does not.
const PATIENCE: Duration = Duration::from_secs(120);

/// The binary under test.
pub(crate) fn galewire() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_galewire"));
    command.env("NO_COLOR", "1").stdin(Stdio::null());
    command
}

/// Waits until `condition` gives something.
pub(crate) fn wait_for<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = condition() {
            return found;
        }
        assert!(start.elapsed() < PATIENCE, "waited too long for {what}");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

/// Where runs make their private folders.
const TEMPORARY: &str = "tmp";
/// A variable that every process of a run inherits.
const MARK: &str = "GALEWIRE_TEST_PROJECT";
/// Where a run that was started tells what happens.
const TOLD: &str = "told";

/// A folder with a topology and its scripts.
pub(crate) struct Project {
    folder: TempDir,
    /// Variables of its runs.
    env: Vec<(String, String)>,
}

impl Project {
    pub(crate) fn new() -> Self {
        let project = Self { folder: tempfile::tempdir().unwrap(), env: Vec::new() };
        fs::create_dir(project.path(TEMPORARY)).unwrap();
        project
    }

    /// Adds a file.
    pub(crate) fn file(self, path: &str, text: &str) -> Self {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    /// Sets a variable for its runs.
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    pub(crate) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap_or_default()
    }

    /// How many whole lines a file has.
    pub(crate) fn lines(&self, path: &str) -> usize {
        self.read(path).matches('\n').count()
    }

    /// Any command, in the project's folder.
    fn prepared(&self, arguments: &[&str]) -> Command {
        let mut command = galewire();
        command.env(MARK, self.path(""));
        command.args(arguments).current_dir(self.folder.path());
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command.env("XDG_STATE_HOME", self.path("state")).env("TMPDIR", self.path(TEMPORARY));
        command
    }

    fn command(&self, arguments: &[&str]) -> Command {
        self.prepared(&[&["run", "topology.toml"], arguments].concat())
    }

    /// Has galewire do something, to its end.
    pub(crate) fn call(&self, arguments: &[&str]) -> Ended {
        Ended::new(self.prepared(arguments).output().unwrap())
    }

    /// Has `galewire plan` show `topology.toml`.
    pub(crate) fn plan(&self) -> Ended {
        let mut command = galewire();
        command.args(["plan", "topology.toml"]).current_dir(self.path(""));
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        Ended::new(command.output().unwrap())
    }

    /// Runs `topology.toml` to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        Ended::new(self.command(arguments).output().unwrap())
    }

    /// Starts `topology.toml`.
    pub(crate) fn start(&self, arguments: &[&str]) -> Running {
        self.spawn(self.command(arguments))
    }

    /// Has galewire begin with something.
    pub(crate) fn begin(&self, arguments: &[&str]) -> Running {
        self.spawn(self.prepared(arguments))
    }

    fn spawn(&self, mut command: Command) -> Running {
        let told = fs::File::create(self.path(TOLD)).unwrap();
        let child = command.stdout(Stdio::piped()).stderr(told).spawn().unwrap();
        Running { child: Some(child), told: self.path(TOLD) }
    }

    /// Asserts that a run that has ended has left no process, however it was forked off.
    #[track_caller]
    pub(crate) fn assert_no_processes(&self) {
        let mark = format!("{MARK}={}", self.path("").display()).into_bytes();
        wait_for("the last process of the run to end", || {
            let entries = fs::read_dir("/proc").unwrap().flatten();
            let environments =
                entries.filter_map(|entry| fs::read(entry.path().join("environ")).ok());
            let left = environments
                .filter(|all| all.split(|byte| *byte == 0).any(|variable| variable == mark))
                .count();
            (left == 0).then_some(())
        });
    }

    /// Asserts that a run that has ended has left no folder.
    #[track_caller]
    pub(crate) fn assert_no_leftovers(&self) {
        let left: Vec<_> = fs::read_dir(self.path(TEMPORARY)).unwrap().flatten().collect();
        assert!(left.is_empty(), "{left:?}");
    }
}

/// A run that has ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ended {
    fn new(output: Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Asserts the exit code; shows what was told where it differs.
    #[track_caller]
    pub(crate) fn expect_code(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}", self.err);
        self
    }

    /// Asserts that people were told this.
    #[track_caller]
    pub(crate) fn expect_told(self, text: &str) -> Self {
        assert!(self.err.contains(text), "{text:?} is missing in\n{}", self.err);
        self
    }

    /// A component's counters at the end of a run with `--json`.
    #[track_caller]
    pub(crate) fn counters(&self, component: &str) -> Value {
        let last = self.err.lines().last().unwrap_or_default();
        let last = serde_json::from_str(last).unwrap_or_else(|error| panic!("{error}: {last}"));
        counters(&last, component).unwrap_or_else(|| panic!("no {component} in\n{}", self.err))
    }
}

/// A run that is under way. Killed when dropped.
pub(crate) struct Running {
    child: Option<Child>,
    told: PathBuf,
}

/// A component's counters in an event that has them.
fn counters(event: &Value, component: &str) -> Option<Value> {
    let all = event["totals"]["components"].as_array()?;
    let found = all.iter().find(|counts| counts["component"] == component)?;
    Some(found["counters"].clone())
}

impl Running {
    pub(crate) fn pid(&self) -> i32 {
        i32::try_from(self.child.as_ref().unwrap().id()).unwrap()
    }

    /// Processes of the run, at any depth, whose command line contains `text`.
    pub(crate) fn processes(&self, text: &str) -> Vec<i32> {
        let all = processes();
        let mut family = vec![self.pid()];
        let mut at = 0;
        while at < family.len() {
            let parent = family[at];
            family.extend(all.iter().filter(|process| process.parent == parent).map(|p| p.pid));
            at += 1;
        }
        // The guard is there for the end alone, and only what names it looks for it.
        let is_guard = |process: &Process| process.command.starts_with("gw-guard");
        let mut found: Vec<_> = all
            .into_iter()
            .filter(|process| family.contains(&process.pid) && process.command.contains(text))
            .filter(|process| !is_guard(process) || text == "gw-guard")
            .map(|process| process.pid)
            .collect();
        found.sort_unstable();
        found
    }

    /// Waits for a process of the run whose command line contains `text`.
    pub(crate) fn process(&self, text: &str) -> i32 {
        wait_for(text, || self.processes(text).first().copied())
    }

    /// What the run has told so far, where it was started with `--json`.
    pub(crate) fn told(&self) -> Vec<Value> {
        let text = fs::read_to_string(&self.told).unwrap_or_default();
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// A component's counters as last told.
    pub(crate) fn counters(&self, component: &str) -> Option<Value> {
        self.told().iter().rev().find_map(|event| counters(event, component))
    }

    /// Every process of the run but the first.
    pub(crate) fn family(&self) -> Vec<i32> {
        self.processes("").into_iter().filter(|pid| *pid != self.pid()).collect()
    }

    /// Signals a process, by default of the run.
    pub(crate) fn signal(pid: i32, signal: Signal) {
        // A process that has just ended takes no signal; what is tested shows elsewhere.
        let _ = kill(Pid::from_raw(pid), signal);
    }

    /// Whether it is over; nothing is waited for.
    pub(crate) fn has_ended(&self) -> bool {
        !alive(self.pid())
    }

    /// Waits for the end.
    pub(crate) fn end(mut self) -> Ended {
        let ended = self.child.take().unwrap().wait_with_output().unwrap();
        Ended { err: fs::read_to_string(&self.told).unwrap(), ..Ended::new(ended) }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

struct Process {
    pid: i32,
    parent: i32,
    command: String,
}

fn processes() -> Vec<Process> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    entries.filter_map(|entry| process(&entry.path())).collect()
}

fn process(folder: &Path) -> Option<Process> {
    let pid = folder.file_name()?.to_str()?.parse().ok()?;
    let stat = fs::read_to_string(folder.join("stat")).ok()?;
    // The name stands in brackets and may hold anything.
    let parent = stat.rsplit(')').next()?.split_whitespace().nth(1)?.parse().ok()?;
    let command = fs::read(folder.join("cmdline")).ok()?;
    let command = String::from_utf8_lossy(&command).replace('\0', " ");
    Some(Process { pid, parent, command })
}

/// Whether a process is alive (and not a zombie).
pub(crate) fn alive(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(')').next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with(" Z"))
}

/// Resident bytes of a process.
pub(crate) fn resident(pid: i32) -> u64 {
    let statm = fs::read_to_string(format!("/proc/{pid}/statm")).unwrap_or_default();
    statm.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0) * 4096
}

/// The most bytes that a process has had resident so far; 0 when it is gone.
pub(crate) fn peak(pid: i32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kibibytes = line.and_then(|rest| rest.trim().split(' ').next()?.parse::<u64>().ok());
    kibibytes.unwrap_or(0) * 1024
}

/// Seconds of processor time that a process has used.
pub(crate) fn cpu_seconds(pid: i32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields: Vec<_> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok());
    // User and system time, in hundredths of a second.
    (ticks(11).unwrap_or(0.0) + ticks(12).unwrap_or(0.0)) / 100.0
}
