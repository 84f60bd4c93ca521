//! How a component's program is spoken to: what the file says, what is chosen where it says nothing.
//!
//! What is chosen is chosen for certain or not at all, and `plan` shows it.

use crate::component::Role;
use crate::grouping::GroupingName;

use super::check::{Checker, Wire};
use super::clients::{self, Client};
use super::command::{self, Invocation, Language};
use super::diagnostic::Diagnostic;
use super::spec::Body;

/// `next` commands under way to a spout whose client is known to answer one after the other.
const NEXTS: u64 = 64;

/// The switches of one program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Switches {
    pub(crate) protocol: String,
    pub(crate) heartbeat: bool,
    pub(crate) activation: bool,
    pub(crate) ids_ahead: bool,
    pub(crate) nexts: u64,
    /// What differs from the defaults without being written, and why; for people.
    pub(crate) chosen: Vec<String>,
}

/// The switches of a component.
pub(crate) fn switches(checker: &Checker<'_>, index: usize, invocation: &Invocation) -> Switches {
    let component = &checker.spec.components[index];
    let table = &component.table;
    let client = client(component.body(), invocation);
    let mut chosen = Vec::new();
    let mut protocol = table.text("protocol").map(|text| text.value).unwrap_or_default();
    let command = &invocation.program.command;
    if table.written("protocol").is_none() && clients::speaks_msgpack(command) {
        "msgpack".clone_into(&mut protocol);
        chosen.push("protocol = \"msgpack\": its arguments say so".to_owned());
    }
    let mut heartbeat = table.flag("heartbeat").unwrap_or(true);
    if let Some(client) = client.filter(|client| !client.heartbeats)
        && table.written("heartbeat").is_none()
    {
        heartbeat = false;
        chosen.push(format!("heartbeat = false: {} knows none", client.name));
    }
    let mut ids_ahead = table.text("task_ids").is_some_and(|text| text.value == "ahead");
    if let Some(client) = client.filter(|_| table.written("task_ids").is_none()) {
        match foreseeable(checker, index) {
            Ok(()) => {
                ids_ahead = true;
                chosen.push(format!("task_ids = \"ahead\": {}", client.name));
            }
            Err(why) => chosen.push(format!("task_ids = \"on_request\": {why}")),
        }
    }
    let in_flight = table.written("max_in_flight").and_then(|_| table.number("max_in_flight"));
    let nexts = match (component.role, in_flight, client) {
        (Role::Bolt, ..) | (Role::Spout, None, None) => 1,
        (Role::Spout, Some(written), _) => written,
        (Role::Spout, None, Some(client)) => {
            chosen.push(format!("max_in_flight = {NEXTS}: {}", client.name));
            NEXTS
        }
    };
    let activation = table.flag("activation").unwrap_or(true);
    Switches { protocol, heartbeat, activation, ids_ahead, nexts, chosen }
}

/// The client library, where it is known for certain.
fn client(body: Option<&Body>, invocation: &Invocation) -> Option<Client> {
    let Some(Body::Command(words)) = body else {
        return None;
    };
    // Isolated mode does not look for modules beside the script.
    if words.value.iter().any(|word| word.value == "-I") {
        return None;
    }
    let script = command::script(&words.value)?;
    clients::beside(&words.value.first()?.value, &invocation.program.dir.join(&script.value))
}

/// Whether the tasks that get what a component emits can be told before it emits; if not, why.
fn foreseeable(checker: &Checker<'_>, index: usize) -> Result<(), String> {
    let streams = checker.streams[index].as_deref().unwrap_or_default();
    let mut asked = streams.iter().enumerate().filter(|(_, stream)| !stream.direct);
    let Some((first, _)) = asked.next() else {
        return Ok(());
    };
    let several = asked.clone().next().is_some();
    let answer = answer(checker, index, first, several)?;
    for (stream, _) in asked {
        if self::answer(checker, index, stream, several)? != answer {
            return Err("the output streams go to different tasks".to_owned());
        }
    }
    Ok(())
}

/// Who gets everything on a stream: components, and whether each of their tasks does. With `fixed`
/// that must be the same each time.
fn answer(
    checker: &Checker<'_>,
    index: usize,
    stream: usize,
    fixed: bool,
) -> Result<Vec<(usize, bool)>, String> {
    let mut answer = Vec::new();
    for (consumer, wires) in checker.wires.iter().enumerate() {
        let here = |wire: &&Wire| wire.from == index && wire.stream == stream;
        for wire in wires.iter().flatten().filter(here) {
            let spec = &checker.spec.components[consumer];
            let (name, tasks) = (&spec.name.value, spec.parallelism.value);
            let grouping = &wire.grouping;
            if !grouping.name.is_blind(tasks) {
                let fields = grouping.fields.join("`, `");
                return Err(format!("`{fields}` decides which of the {tasks} tasks of `{name}`"));
            }
            let always_same =
                tasks == 1 || matches!(grouping.name, GroupingName::All | GroupingName::Global);
            if fixed && !always_same {
                return Err("there are several output streams, and shuffling decides".to_owned());
            }
            answer.push((consumer, grouping.name == GroupingName::All));
        }
    }
    Ok(answer)
}

/// `task_ids = "ahead"` must be possible, and make sense.
pub(crate) fn rule(checker: &mut Checker<'_>, index: usize) {
    let component = &checker.spec.components[index];
    let Some(written) = component.table.text("task_ids").filter(|text| text.value == "ahead")
    else {
        return;
    };
    if component.table.written("task_ids").is_none() {
        return;
    }
    let diagnostic = match component.body() {
        Some(Body::Python(_) | Body::Node(_)) => {
            Diagnostic::error(written.span, "the SDKs do not wait for task ids")
                .help("leave `task_ids` out; it is for a `command` whose client waits for them")
        }
        Some(Body::Command(_)) => {
            let language =
                checker.invocations[index].as_ref().and_then(|invocation| invocation.language);
            match foreseeable(checker, index) {
                Err(why) => {
                    let message = format!("task ids cannot be told ahead: {why}");
                    Diagnostic::error(written.span, message).help("write \"on_request\"")
                }
                Ok(()) if language == Some(Language::Node) => {
                    let message =
                        "a client in Node.js may fail on task ids that it did not ask for";
                    Diagnostic::warning(written.span, message)
                        .help("storm.js and node-storm do; write \"on_request\"")
                }
                Ok(()) => return,
            }
        }
        _ => return, // Reported with the keys that are for programs only.
    };
    checker.report(diagnostic);
}

/// Every component's rule, once all are connected.
pub(crate) fn rules(checker: &mut Checker<'_>) {
    for index in 0..checker.spec.components.len() {
        rule(checker, index);
    }
}
