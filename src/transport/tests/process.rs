//! Peers in processes of their own, stopped and killed. The test binary runs itself as the peer.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use bytes::Bytes;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::{Signal as Kill, kill};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

use crate::base::{Runtimes, Signal, TaskId, WorkerSlot};

use super::super::{Inbound, Lane, PeerAddress, Transport, TransportEvent};
use super::harness::{Node, fill, options, part, send, until, within};

const TASK: TaskId = TaskId(4);
const PEER: WorkerSlot = WorkerSlot(1);

/// In this file a process finds, in its working folder, which peer it is to play.
const ROLE: &str = "role.json";

#[derive(Serialize, Deserialize)]
struct Role {
    incarnation: u32,
}

/// Prints the number of each part, and gives its credit back.
struct Printer(std::sync::OnceLock<std::sync::Weak<Transport>>);

impl Inbound for Printer {
    fn deliver(&self, from: WorkerSlot, task: TaskId, _lane: Lane, part: Bytes) {
        let number = u64::from_le_bytes(part[..8].try_into().unwrap());
        println!("\n@part {number}");
        if let Some(transport) = self.0.get().and_then(std::sync::Weak::upgrade) {
            transport.return_credit(from, task, part.len());
        }
    }
}

/// Plays the peer until its input ends; in the test suite itself there is no role to play.
#[test]
fn a_process_plays_the_peer_where_its_folder_names_a_role() {
    let Ok(role) = std::fs::read(ROLE) else {
        assert!(!Path::new(ROLE).exists());
        return;
    };
    let role: Role = serde_json::from_slice(&role).unwrap();
    let runtimes = Runtimes::io_only().unwrap();
    let io = runtimes.io();
    let printer = Arc::new(Printer(std::sync::OnceLock::new()));
    let dir = std::env::current_dir().unwrap();
    let transport = io.block_on(Transport::bind(
        options(PEER.0, role.incarnation, &dir),
        Arc::clone(&printer) as Arc<dyn Inbound>,
        |_| {},
        runtimes.io(),
    ));
    let transport = Arc::new(transport.unwrap());
    assert!(printer.0.set(Arc::downgrade(&transport)).is_ok());
    let address = serde_json::to_string(&transport.address()).unwrap();
    println!("\n@address {address}");
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    let mut starved = Instant::now();
    for line in std::io::stdin().lines() {
        match line.unwrap().as_str() {
            "starve" => {
                starved = Instant::now();
                setrlimit(Resource::RLIMIT_NOFILE, 0, hard).unwrap();
            }
            "feed" => setrlimit(Resource::RLIMIT_NOFILE, soft, hard).unwrap(),
            "count" => {
                let since = starved.elapsed().as_millis();
                println!("\n@failures {} {since}", transport.stats().garbage);
            }
            other => panic!("{other}"),
        }
    }
}

struct PeerProcess {
    child: Child,
    address: PeerAddress,
    parts: Arc<Mutex<Vec<u64>>>,
    /// Connections that it could not accept, and the milliseconds that they took.
    failures: Arc<Mutex<Option<(u64, u64)>>>,
}

impl PeerProcess {
    fn start(dir: &Path, incarnation: u32) -> Self {
        let role = serde_json::to_vec(&Role { incarnation }).unwrap();
        std::fs::write(dir.join(ROLE), role).unwrap();
        let test =
            "transport::tests::process::a_process_plays_the_peer_where_its_folder_names_a_role";
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([test, "--exact", "--nocapture"])
            .current_dir(dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let address = lines
            .find_map(|line| Some(line.unwrap().strip_prefix("@address ")?.to_owned()))
            .unwrap();
        let parts = Arc::new(Mutex::new(Vec::new()));
        let failures = Arc::new(Mutex::new(None));
        let (seen, failed) = (Arc::clone(&parts), Arc::clone(&failures));
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                if let Some(number) = line.strip_prefix("@part ") {
                    seen.lock().unwrap().push(number.parse().unwrap());
                }
                if let Some(numbers) = line.strip_prefix("@failures ") {
                    let (count, time) = numbers.split_once(' ').unwrap();
                    let numbers = (count.parse().unwrap(), time.parse().unwrap());
                    *failed.lock().unwrap() = Some(numbers);
                }
            }
        });
        Self { child, address: serde_json::from_str(&address).unwrap(), parts, failures }
    }

    fn tell(&mut self, what: &str) {
        writeln!(self.child.stdin.as_mut().unwrap(), "{what}").unwrap();
    }

    fn signal(&self, signal: Kill) {
        kill(Pid::from_raw(self.child.id().cast_signed()), signal).unwrap();
    }

    /// Stops it, and waits until none of its threads runs any more: the signal alone says only that
    /// they soon will not.
    async fn stop(&self) {
        self.signal(Kill::SIGSTOP);
        let threads = format!("/proc/{}/task", self.child.id());
        until(|| {
            let mut threads = std::fs::read_dir(&threads).unwrap();
            threads.all(|thread| {
                let stat = std::fs::read_to_string(thread.unwrap().path().join("stat")).unwrap();
                let (_, state) = stat.rsplit_once(") ").unwrap();
                state.starts_with('T')
            })
        })
        .await;
    }

    fn parts(&self) -> Vec<u64> {
        self.parts.lock().unwrap().clone()
    }
}

impl Drop for PeerProcess {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn is_unresponsive(event: &TransportEvent) -> bool {
    matches!(event, TransportEvent::Unresponsive { .. })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_process_is_told_and_goes_on_without_loss() {
    let dir = tempfile::tempdir().unwrap();
    let mut sender = Node::quick(options(0, 0, dir.path())).await;
    let peer = PeerProcess::start(dir.path(), 0);
    sender.transport.set_peer(peer.address.clone()).unwrap();
    let outbound = sender.transport.peer(PEER);
    send(&outbound, Lane::Data, TASK, part(0, 1_000)).await;
    assert!(sender.flushed().await);

    peer.stop().await;
    let bell = Signal::new();
    let sent = 1 + fill(&outbound, TASK, 1, 1_000, &bell);
    sender.event(is_unresponsive).await;
    let told = sender.event(is_unresponsive).await;
    let TransportEvent::Unresponsive { slot, boot, .. } = told else {
        unreachable!("asked for");
    };
    assert_eq!((slot, boot), (PEER, peer.address.boot));
    assert_eq!(fill(&outbound, TASK, sent, 1_000, &bell), 0, "memory stays bounded");

    peer.signal(Kill::SIGCONT);
    sender.event(|event| matches!(event, TransportEvent::Connected { .. })).await;
    for number in sent..sent + 2_000 {
        send(&outbound, Lane::Data, TASK, part(number, 1_000)).await;
    }
    assert!(sender.flushed().await);
    until(|| peer.parts().len() as u64 >= sent + 2_000).await;
    assert_eq!(peer.parts(), (0..sent + 2_000).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_process_s_parts_do_not_reach_the_one_that_replaces_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut sender = Node::quick(options(0, 0, dir.path())).await;
    let mut killed = PeerProcess::start(dir.path(), 0);
    sender.transport.set_peer(killed.address.clone()).unwrap();
    let outbound = sender.transport.peer(PEER);
    send(&outbound, Lane::Data, TASK, part(0, 1_000)).await;
    assert!(sender.flushed().await);
    until(|| killed.parts() == [0]).await;

    killed.stop().await;
    let bell = Signal::new();
    let lost = fill(&outbound, TASK, 1, 1_000, &bell);
    killed.signal(Kill::SIGKILL);
    killed.child.wait().unwrap();
    sender.event(|event| matches!(event, TransportEvent::Disconnected { .. })).await;

    let fresh = PeerProcess::start(dir.path(), 1);
    let undelivered = sender.transport.set_peer(fresh.address.clone()).unwrap();
    assert_eq!(undelivered.parts, lost);
    within(bell.wait()).await;
    for number in 5_000..6_000 {
        send(&outbound, Lane::Data, TASK, part(number, 1_000)).await;
    }
    assert!(sender.flushed().await);
    until(|| fresh.parts().len() >= 1_000).await;
    assert_eq!(fresh.parts(), (5_000..6_000).collect::<Vec<_>>());
    assert_eq!(killed.parts(), [0]);
    assert_eq!(sender.stats(PEER).dropped_parts, lost);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_without_file_descriptors_waits_for_some_and_then_takes_who_waits() {
    let dir = tempfile::tempdir().unwrap();
    let mut sender = Node::quick(options(0, 0, dir.path())).await;
    let mut peer = PeerProcess::start(dir.path(), 0);
    peer.tell("starve");
    peer.tell("count");
    until(|| peer.failures.lock().unwrap().is_some()).await;
    sender.transport.set_peer(peer.address.clone()).unwrap();
    let outbound = sender.transport.peer(PEER);
    send(&outbound, Lane::Data, TASK, part(0, 1_000)).await;
    until(|| {
        peer.tell("count");
        peer.failures.lock().unwrap().is_some_and(|(count, _)| count >= 5)
    })
    .await;
    let (failures, millis) = peer.failures.lock().unwrap().unwrap();
    assert!(failures <= millis / 50 + 1, "{failures} in {millis} ms");
    assert!(peer.parts().is_empty());

    peer.tell("feed");
    sender.event(|event| matches!(event, TransportEvent::Connected { .. })).await;
    assert!(sender.flushed().await);
    until(|| peer.parts() == [0]).await;
}
