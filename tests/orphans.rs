//! No process of a run is left when it is over, however it ended and whatever its children started; and
//! no socket or folder either.

use std::fs;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::Value;

use super::harness::{Project, Running, alive, galewire, wait_for};

/// What is promised.
const PROMISE: Duration = Duration::from_secs(2);

const TOPOLOGY: &str = r#"
name = "families"
[topology]
workers = 2
stop_grace = "500ms"
[spouts.numbers]
type = "generate"
config = { fields = { number = { counter = { start = 1 } } }, rate = 200 }
[bolts.parent]
python = "family.py:parent"
inputs = ["numbers"]
outputs = ["number"]
parallelism = 2
[bolts.sink]
type = "write"
inputs = ["parent"]
config = { path = "output.txt" }
"#;

/// A bolt with three processes of its own: one that holds its pipes, one that knows no environment, and
/// a daemon in a session of its own. `born/PARENT.NAME` holds the process id of each.
const FAMILY: &str = r#"
import os, subprocess, sys
import galewire

here = os.path.dirname(os.path.abspath(__file__))
sleeper = [sys.executable, "-c", "import time; time.sleep(600)", here]

def born(parent, name, pid):
    path = os.path.join(here, "born")
    os.makedirs(path, exist_ok=True)
    with open(os.path.join(path, "new-%d-%s" % (parent, name)), "w") as file:
        file.write("%d %d" % (pid, os.getppid()))
    os.rename(file.name, os.path.join(path, "%d-%s" % (parent, name)))

me = os.getpid()
born(me, "holds", subprocess.Popen(sleeper, stdin=0).pid)
born(me, "bare", subprocess.Popen(sleeper, env={}, stdin=subprocess.DEVNULL).pid)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        born(me, "daemon", os.getpid())
        os.execv(sys.executable, sleeper)
    os._exit(0)

@galewire.bolt
def parent(number):
    if os.path.exists(os.path.join(here, "die")):
        os._exit(3)
    yield number
"#;

fn families() -> Project {
    Project::new().file("topology.toml", TOPOLOGY).file("family.py", FAMILY)
}

/// Which processes of the project live: by the variable that all inherit, or by its folder's name in
/// their command line.
fn left(project: &Project) -> Vec<(i32, String)> {
    let folder = project.path("").display().to_string();
    let folder = folder.trim_end_matches('/');
    let own = i32::try_from(std::process::id()).unwrap();
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.filter(|pid| *pid != own)
        .filter_map(|pid| {
            let text = |file: &str| {
                let bytes = fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
                String::from_utf8_lossy(&bytes).replace('\0', " ")
            };
            let command = text("cmdline");
            let ours = command.contains(folder) || text("environ").contains(folder);
            (ours && alive(pid)).then_some((pid, command))
        })
        .collect()
}

/// Nothing is left, soon enough.
#[track_caller]
fn assert_nothing_left(project: &Project) {
    let end = Instant::now();
    loop {
        let left = left(project);
        if left.is_empty() {
            break;
        }
        assert!(end.elapsed() < PROMISE, "still there: {left:?}");
        std::thread::park_timeout(Duration::from_millis(5));
    }
    let tmp = project.path("tmp");
    wait_for("the run's folder to go", || {
        fs::read_dir(&tmp).unwrap().next().is_none().then_some(())
    });
}

/// A process that a bolt has started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Born {
    parent: i32,
    pid: i32,
}

/// What the bolts have started so far.
fn born(project: &Project) -> Vec<Born> {
    let entries = fs::read_dir(project.path("born")).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| {
            let name = entry.file_name().into_string().unwrap();
            let parent = name.split('-').next()?.parse().ok()?;
            let text = fs::read_to_string(entry.path()).ok()?;
            Some(Born { parent, pid: text.split(' ').next()?.parse().ok()? })
        })
        .collect()
}

/// Starts a run and waits until both families are complete and at work.
fn start(project: &Project, arguments: &[&str]) -> (Running, Vec<Born>) {
    let run = project.start(&[&["--json"], arguments].concat());
    let all = wait_for("both families", || {
        let born = born(project);
        (born.len() == 6 && project.lines("output.txt") > 10).then_some(born)
    });
    assert!(all.iter().all(|one| alive(one.pid)), "{all:?}");
    (run, all)
}

fn parent_of(pid: i32) -> i32 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    stat.rsplit(')').next().unwrap().split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn a_killed_supervisor_leaves_nothing() {
    for signal in [Signal::SIGKILL, Signal::SIGHUP, Signal::SIGABRT] {
        let project = families();
        let (run, _) = start(&project, &[]);
        Running::signal(run.pid(), signal);
        assert_eq!(run.end().code, None, "{signal}");
        assert_nothing_left(&project);
    }
}

#[test]
fn a_supervisor_killed_at_any_time_of_the_start_leaves_nothing() {
    let project = families();
    for processes in 0..8 {
        let run = project.start(&["--json"]);
        wait_for("some of the family", || (run.family().len() >= processes).then_some(()));
        Running::signal(run.pid(), Signal::SIGKILL);
        run.end();
        assert_nothing_left(&project);
    }
}

#[test]
fn a_run_killed_with_all_its_workers_and_children_at_once_leaves_nothing() {
    let project = families();
    let (run, _) = start(&project, &[]);
    // What `pkill -9 galewire` and `pkill -9 -f galewire` find: all but the guard.
    let named: Vec<i32> = run.processes("galewire");
    assert!(!named.contains(&run.process("gw-guard")));
    assert!(named.len() >= 5, "{named:?}");
    for pid in named {
        Running::signal(pid, Signal::SIGKILL);
    }
    assert_eq!(run.end().code, None);
    assert_nothing_left(&project);
}

#[test]
fn a_run_that_is_asked_to_end_leaves_nothing() {
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let project = families();
        let (run, _) = start(&project, &[]);
        Running::signal(run.pid(), signal);
        run.end().expect_code(0);
        assert_nothing_left(&project);
    }
}

#[test]
fn a_run_that_is_interrupted_twice_leaves_nothing() {
    let project = families();
    let (run, born) = start(&project, &[]);
    // It cannot drain while a child stands still.
    Running::signal(born[0].parent, Signal::SIGSTOP);
    Running::signal(run.pid(), Signal::SIGINT);
    wait_for("the drain", || {
        run.told().iter().any(|event| event["event"] == "draining").then_some(())
    });
    wait_for("the end", || {
        Running::signal(run.pid(), Signal::SIGINT);
        run.has_ended().then_some(())
    });
    run.end().expect_code(6);
    assert_nothing_left(&project);
}

#[test]
fn a_failed_run_leaves_nothing() {
    let project = families();
    let (run, _) = start(&project, &["--set", "topology.restart={ max = 0 }"]);
    fs::write(project.path("die"), "").unwrap();
    run.end().expect_code(1);
    assert_nothing_left(&project);
}

#[test]
fn what_a_killed_child_had_started_is_gone_before_its_successor_is_at_work() {
    let project = families();
    let (run, before) = start(&project, &[]);
    let victim = before[0].parent;
    Running::signal(victim, Signal::SIGKILL);
    wait_for("the successor's family", || (born(&project).len() == 9).then_some(()));
    for one in before {
        assert_eq!(alive(one.pid), one.parent != victim, "{one:?} of {victim}");
    }
    Running::signal(run.pid(), Signal::SIGTERM);
    run.end().expect_code(0);
    assert_nothing_left(&project);
}

#[test]
fn what_a_killed_workers_children_had_started_is_gone_before_its_successor_is_at_work() {
    let project = families();
    let (run, before) = start(&project, &[]);
    let victim = before[0].parent;
    Running::signal(parent_of(victim), Signal::SIGKILL);
    wait_for("the successor's family", || (born(&project).len() == 9).then_some(()));
    for one in before {
        assert_eq!(alive(one.pid), one.parent != victim, "{one:?} of {victim}");
    }
    Running::signal(run.pid(), Signal::SIGTERM);
    run.end();
    assert_nothing_left(&project);
}

#[test]
fn a_run_without_its_guard_leaves_nothing_where_it_ends_in_order() {
    let project = families();
    let (run, _) = start(&project, &[]);
    Running::signal(run.process("gw-guard"), Signal::SIGKILL);
    Running::signal(run.pid(), Signal::SIGTERM);
    run.end().expect_code(0);
    assert_nothing_left(&project);
}

#[test]
fn a_run_whose_guard_was_killed_before_leaves_nothing_where_it_is_killed() {
    let project = families();
    let (run, _) = start(&project, &[]);
    for _ in 0..2 {
        let victim = run.process("gw-guard");
        Running::signal(victim, Signal::SIGKILL);
        wait_for("another guard", || {
            run.processes("gw-guard").iter().any(|pid| *pid != victim && alive(*pid)).then_some(())
        });
    }
    let warned = |event: &Value| event["event"] == "engine_log" && event["level"] == "warn";
    assert_eq!(run.told().iter().filter(|event| warned(event)).count(), 2);
    Running::signal(run.pid(), Signal::SIGKILL);
    assert_eq!(run.end().code, None);
    assert_nothing_left(&project);
}

#[test]
fn a_run_killed_together_with_its_guard_leaves_what_its_children_had_started_to_the_next_run() {
    let project = families();
    let (run, born) = start(&project, &[]);
    let family = run.family();
    Running::signal(run.pid(), Signal::SIGSTOP); // It would start another guard.
    for pid in [run.process("gw-guard"), run.pid()] {
        Running::signal(pid, Signal::SIGKILL);
    }
    let killed = Instant::now();
    assert_eq!(run.end().code, None);
    let grandchildren: Vec<i32> = born.iter().map(|one| one.pid).collect();
    let engine = |pid: &&i32| !grandchildren.contains(pid);
    wait_for("workers and children to be gone", || {
        let left = family.iter().filter(engine).any(|pid| alive(*pid));
        assert!(!left || killed.elapsed() < PROMISE, "still there: {family:?}");
        (!left).then_some(())
    });
    assert_eq!(fs::read_dir(project.path("tmp")).unwrap().count(), 1, "the folder");
    // Six were born; those that were started without the variable cannot be told from strangers later.
    let bare = |pid: &i32| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.is_empty()
    };
    let unmarked: Vec<i32> = grandchildren.iter().copied().filter(bare).collect();
    assert!(unmarked.len() >= 2, "{unmarked:?}");
    let next = project.start(&["--json"]);
    wait_for("the next run to begin", || (!next.told().is_empty()).then_some(()));
    for pid in grandchildren.iter().filter(|pid| !unmarked.contains(pid)) {
        assert!(!alive(*pid), "{pid} has the mark of the run that was killed");
    }
    for pid in unmarked {
        Running::signal(pid, Signal::SIGKILL);
    }
    Running::signal(next.pid(), Signal::SIGKILL);
    next.end();
    assert_nothing_left(&project);
}

#[test]
fn a_bolt_alone_that_is_killed_leaves_nothing() {
    let project = families();
    let mut command = galewire();
    command.args(["bolt", "topology.toml", "parent"]).current_dir(project.path(""));
    command.env("TMPDIR", project.path("tmp"));
    let mut bolt = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    wait_for("its family", || (born(&project).len() == 3).then_some(()));
    bolt.kill().unwrap();
    bolt.wait().unwrap();
    assert_nothing_left(&project);
}

#[test]
fn a_daemon_that_gives_up_the_mark_and_the_group_is_left_alone() {
    let daemon = FAMILY.replace(
        "        os.execv(sys.executable, sleeper)",
        "        del os.environ['GALEWIRE_RUN']\n        os.execv(sys.executable, sleeper)",
    );
    let project = Project::new().file("topology.toml", TOPOLOGY).file("family.py", &daemon);
    let (run, _) = start(&project, &["--set", "bolts.parent.parallelism=2"]);
    Running::signal(run.pid(), Signal::SIGTERM);
    run.end().expect_code(0);
    let daemons = left(&project);
    assert_eq!(daemons.len(), 2, "{daemons:?}");
    for (pid, _) in daemons {
        Running::signal(pid, Signal::SIGKILL);
    }
    assert_nothing_left(&project);
}

#[test]
fn sockets_stand_in_folders_of_their_own_user_alone_whatever_the_umask() {
    let project = families();
    let script = "umask 000; exec \"$0\" run topology.toml --json 2>told";
    let mut command = Command::new("bash");
    command.args(["-c", script, env!("CARGO_BIN_EXE_galewire")]).current_dir(project.path(""));
    command.env("TMPDIR", project.path("tmp")).stdin(Stdio::null());
    let mut run = command.spawn().unwrap();
    wait_for("both families", || (born(&project).len() == 6).then_some(()));
    let run_dir = fs::read_dir(project.path("tmp")).unwrap().next().unwrap().unwrap().path();
    let mut sockets = 0;
    for folder in [run_dir.clone(), run_dir.join("links")] {
        assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
        let entries = fs::read_dir(&folder).unwrap();
        sockets +=
            entries.filter(|one| one.as_ref().unwrap().file_type().unwrap().is_socket()).count();
    }
    assert_eq!(sockets, 3, "one for control, one for each worker");
    run.kill().unwrap();
    run.wait().unwrap();
    assert_nothing_left(&project);
}
