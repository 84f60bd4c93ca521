//! A run's events as JSON objects, one a line. Pure.

use serde_json::{Value, json};

use crate::supervisor::{Culprit, Finish, Outcome, RunEvent};

/// One event. Every object has `event`.
pub(super) fn event(event: &RunEvent) -> Value {
    match event {
        RunEvent::Started { workers, tasks } => {
            json!({"event": "started", "workers": workers, "tasks": tasks})
        }
        RunEvent::WorkerLost { slot, how, delay } => json!({
            "event": "worker_lost", "worker": slot, "how": how, "delay_ms": delay.as_millis() as u64
        }),
        RunEvent::WorkerReplaced { slot, incarnation } => {
            json!({"event": "worker_replaced", "worker": slot, "incarnation": incarnation})
        }
        RunEvent::Restarted { component, task, reason, detail } => json!({
            "event": "restarted", "component": component, "task": task, "reason": reason,
            "detail": detail
        }),
        RunEvent::MemoryLost { component, task } => {
            json!({"event": "memory_lost", "component": component, "task": task})
        }
        RunEvent::Log { component, task, level, text } => json!({
            "event": "log", "component": component, "task": task, "level": level, "text": text
        }),
        RunEvent::Error { component, task, text, detail } => json!({
            "event": "error", "component": component, "task": task, "text": text, "detail": detail
        }),
        RunEvent::TimedOut { component, count, holding } => json!({
            "event": "timed_out", "component": component, "count": count,
            "holding": holding.iter().cloned().collect::<std::collections::BTreeMap<_, _>>()
        }),
        RunEvent::LogDropped { component, task, repeated, dropped } => json!({
            "event": "log_dropped", "component": component, "task": task, "repeated": repeated,
            "dropped": dropped
        }),
        RunEvent::Draining { reason } => json!({"event": "draining", "reason": reason}),
        RunEvent::Stalled { component, task, from, span, queued_bytes, held, stack, then } => {
            json!({
                "event": "stalled", "component": component, "task": task, "from": from,
                "seconds": span.as_secs_f64(), "queued_bytes": queued_bytes, "held": held,
                "stack": stack, "then": then
            })
        }
        RunEvent::Paused { culprit, reason, detail } => paused(culprit, reason, detail.as_deref()),
        RunEvent::Resumed => json!({"event": "resumed"}),
        RunEvent::Progress(totals) => json!({"event": "progress", "totals": totals}),
    }
}

/// What failed, and the process that is to get SIGHUP once it is mended.
fn paused(culprit: &Culprit, reason: &str, detail: Option<&str>) -> Value {
    let mut event = json!({
        "event": "paused", "reason": reason, "detail": detail, "pid": std::process::id()
    });
    match culprit {
        Culprit::Task { component, task } => {
            event["component"] = json!(component);
            event["task"] = json!(task);
        }
        Culprit::Worker(slot) => event["worker"] = json!(slot),
    }
    event
}

/// The last event.
pub(super) fn finished(outcome: &Outcome, seconds: f64) -> Value {
    let (result, reason) = match &outcome.finish {
        Finish::Complete => ("complete", Value::Null),
        Finish::MemoryLost(components) => ("memory_lost", json!(components)),
        Finish::Failed { reason, .. } => ("failed", json!(reason)),
        Finish::Unwanted { reason } => ("unwanted", json!(reason)),
        Finish::Killed => ("killed", Value::Null),
    };
    let detail = match &outcome.finish {
        Finish::Failed { detail, .. } => detail.clone(),
        _ => None,
    };
    json!({
        "event": "finished", "result": result, "reason": reason, "detail": detail,
        "exit_code": outcome.finish.exit_code() as u8, "seconds": seconds, "totals": outcome.totals
    })
}
