//! Strangers at the ports of workers with `link = "tcp"`: the run goes on and counts exactly.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::net::TcpStream;

use super::harness::{Project, Running, peak, wait_for};

const COUNT: usize = 8_000;

const TOPOLOGY: &str = r#"
name = "strangers"
[topology]
workers = 2
link = "tcp"
[spouts.numbers]
type = "generate"
config = { fields = { number = { counter = { start = 1 } } }, count = 8000, rate = 4000 }
[bolts.same]
type = "filter"
inputs = ["numbers"]
config = { when = "true" }
parallelism = 4
[bolts.write]
type = "write"
inputs = ["same"]
config = { path = "numbers.txt" }
"#;

/// The ports that a process listens at.
fn ports(pid: i32) -> BTreeSet<u16> {
    let links = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    let sockets: BTreeSet<String> = links
        .filter_map(|link| Some(fs::read_link(link.path()).ok()?.to_str()?.to_owned()))
        .filter_map(|link| Some(link.strip_prefix("socket:[")?.strip_suffix("]")?.to_owned()))
        .collect();
    let table = fs::read_to_string("/proc/net/tcp").unwrap();
    let rows = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    rows.filter(|row| row.get(3) == Some(&"0A") && sockets.contains(row[9]))
        .map(|row| u16::from_str_radix(row[1].split_once(':').unwrap().1, 16).unwrap())
        .collect()
}

/// How a worker greets, up to its first message.
fn greeting() -> Vec<u8> {
    let mut greeting = vec![0; 64];
    (greeting[0], greeting[9], greeting[10]) = (0xff, 0x7f, 3);
    greeting[12..16].copy_from_slice(b"NULL");
    greeting.extend(b"\x04\x1c\x05READY\x0bSocket-Type\x00\x00\x00\x06DEALER");
    greeting
}

/// What strangers say; all stay connected as long as the worker lets them.
fn visits() -> Vec<Vec<u8>> {
    let huge = |length: u64| [&greeting()[..], &[2], &length.to_be_bytes()].concat();
    vec![
        b"GET / HTTP/1.1\r\nHost: worker\r\n\r\n".to_vec(),
        vec![0xff; 4096],
        vec![0; 1 << 20],
        Vec::new(),
        greeting()[..40].to_vec(),
        greeting(),
        huge(1 << 46),
        huge(u64::MAX),
        [&huge(1 << 30)[..], &[0; 1 << 20]].concat(),
        // A frame that is no hello, a hello of nobody, and half a frame.
        [&greeting()[..], b"\x00\x05hello"].concat(),
        [&greeting()[..], b"\x00\x40GW\x01\x01", &[7; 60]].concat(),
        [&greeting()[..], b"\x00\x40GW"].concat(),
        // Commands and pieces without end.
        [&greeting()[..], &b"\x04\x05\x04PING".repeat(1000)].concat(),
        [&greeting()[..], &b"\x01\x00".repeat(100_000)].concat(),
    ]
}

fn workers(run: &Running) -> [i32; 2] {
    ["--slot 0", "--slot 1"].map(|slot| run.process(slot))
}

#[test]
fn strangers_at_a_workers_port_are_told_of_and_harm_nobody() {
    let project = Project::new().file("topology.toml", TOPOLOGY);
    let run = project.start(&["--json"]);
    let workers = workers(&run);
    wait_for("tuples to cross", || (project.lines("numbers.txt") > 100).then_some(()));
    let mut kept = Vec::new();
    for worker in workers {
        let port = *ports(worker).first().expect("a worker listens");
        for visit in visits() {
            let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
            // The worker may hang up in the middle of it.
            let _ = stream.write_all(&visit);
            kept.push(stream);
        }
    }
    let mut most = 0;
    wait_for("the run to end", || {
        most = workers.iter().map(|worker| peak(*worker)).fold(most, u64::max);
        run.has_ended().then_some(())
    });
    let ended = run.end().expect_code(0);
    let mut numbers: Vec<usize> =
        project.read("numbers.txt").lines().map(|line| line.parse().unwrap()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=COUNT).collect::<Vec<_>>());
    assert_eq!(ended.counters("numbers")["replayed"], 0, "{}", ended.err);
    for told in [
        "a stranger connected that does not speak the protocol of workers",
        "a frame of 70368744177664 bytes was announced, and 512 is the most",
        "a stranger connected that does not know this worker",
    ] {
        assert!(ended.err.contains(told), "{told:?} is missing in\n{}", ended.err);
    }
    assert!(most < 200 << 20, "a worker took {most} bytes");
    drop(kept);
    project.assert_no_leftovers();
}
