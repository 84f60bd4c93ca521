//! `[topology]` and the policies of components, from checked tables to the plan's types.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::defaults;
use super::environment::Environment;
use super::node::Table;
use super::plan::{
    DeadLetters, Guarantee, LinkKind, OnStall, RestartPolicy, RetryPolicy, Settings, StallPolicy,
    Then,
};
use super::source::Sources;

/// What `[topology]` says, or else the defaults.
fn read<T: Default>(table: &Table, key: &str, get: fn(&Table, &str) -> Option<T>) -> T {
    get(table, key).or_else(|| get(defaults::topology(), key)).unwrap_or_default()
}

/// The engine's settings. `dir` is the folder of the topology file.
pub(crate) fn settings(
    table: &Table,
    name: &str,
    dir: &Path,
    sources: &Sources,
    environment: &Environment,
) -> Settings {
    let word = |key| table.text(key).map(|text| text.value);
    Settings {
        workers: read(table, "workers", Table::number) as u16,
        guarantee: match word("guarantee").as_deref() {
            Some("at_most_once") => Guarantee::AtMostOnce,
            _ => Guarantee::AtLeastOnce,
        },
        message_timeout: read(table, "message_timeout", Table::duration),
        max_spout_pending: read(table, "max_spout_pending", Table::number) as usize,
        mailbox: read(table, "mailbox", Table::size),
        link_window: read(table, "link_window", Table::size),
        link: match word("link").as_deref() {
            Some("tcp") => LinkKind::Tcp,
            _ => LinkKind::Ipc,
        },
        link_relay: word("link_relay").and_then(|text| relay_address(&text)),
        executor_threads: read(table, "executor_threads", Table::number) as usize,
        drain_timeout: read(table, "drain_timeout", Table::duration),
        state_dir: state_dir(table, name, dir, sources, environment),
        worker_restart: restart(table, "worker_restart"),
        debug: read(table, "debug", Table::flag),
    }
}

/// An address of this machine: links have no authentication.
pub(crate) fn relay_address(text: &str) -> Option<SocketAddr> {
    text.parse().ok().filter(|address: &SocketAddr| address.ip().is_loopback())
}

fn state_dir(
    table: &Table,
    name: &str,
    dir: &Path,
    sources: &Sources,
    environment: &Environment,
) -> PathBuf {
    if let Some(text) = table.text("state_dir") {
        return sources.dir_of(text.span).join(text.value);
    }
    match environment.state_home() {
        Some(home) => home.join("galewire").join(name),
        None => dir.join(".galewire").join(name),
    }
}

/// The timings of child processes, which go into their components' options.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ChildTimings {
    pub(crate) handshake: Duration,
    pub(crate) heartbeat: Duration,
    pub(crate) stop_grace: Duration,
}

impl ChildTimings {
    pub(crate) fn read(table: &Table) -> Self {
        Self {
            handshake: read(table, "handshake_timeout", Table::duration),
            heartbeat: read(table, "child_timeout", Table::duration),
            stop_grace: read(table, "stop_grace", Table::duration),
        }
    }
}

/// `restart` of a component or `worker_restart` of `[topology]`, the defaults already below it.
pub(crate) fn restart(table: &Table, key: &str) -> RestartPolicy {
    let empty = Table::default();
    let table = table.table(key).unwrap_or(&empty);
    let (backoff_least, backoff_greatest) = table.backoff("backoff").unwrap_or_default();
    RestartPolicy {
        max: table.number("max").unwrap_or_default() as u32,
        within: table.duration("within").unwrap_or_default(),
        backoff_least,
        backoff_greatest,
        then: match table.text("then").as_ref().map(|text| text.value.as_str()) {
            Some("pause") => Then::Pause,
            _ => Then::Stop,
        },
    }
}

/// `stall` of a bolt, its defaults already below it. What it may take for one tuple is no stall.
pub(crate) fn stall(component: &Table) -> StallPolicy {
    let empty = Table::default();
    let table = component.table("stall").unwrap_or(&empty);
    let after = table.duration("after").unwrap_or_default();
    let least = component.duration("timeout").unwrap_or_default();
    StallPolicy {
        after: if after.is_zero() { after } else { after.max(least) },
        then: match table.text("then").as_ref().map(|text| text.value.as_str()) {
            Some("restart") => OnStall::Restart,
            Some("stop") => OnStall::Stop,
            _ => OnStall::Report,
        },
    }
}

/// `retry` of a component, its defaults already below it.
pub(crate) fn retry(component: &Table, sources: &Sources) -> RetryPolicy {
    let empty = Table::default();
    let table = component.table("retry").unwrap_or(&empty);
    let (backoff_least, backoff_greatest) = table.backoff("backoff").unwrap_or_default();
    RetryPolicy {
        max: table.number("max").map(|max| max as u32),
        backoff_least,
        backoff_greatest,
        dead_letter: dead_letters(table, sources),
    }
}

fn dead_letters(retry: &Table, sources: &Sources) -> Option<DeadLetters> {
    if let Some(path) = retry.text("dead_letter") {
        return Some(DeadLetters::File(sources.dir_of(path.span).join(path.value)));
    }
    let stream = retry.table("dead_letter")?.text("stream")?;
    Some(DeadLetters::Stream(stream.value))
}
