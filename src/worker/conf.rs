//! The topology's settings under Storm's names, as children expect them in the handshake.

use serde_json::{Map, Value, json};

use crate::topology::{Guarantee, Plan};

/// The flat map that every child gets; a component's own keys are merged over it.
pub fn storm_conf(plan: &Plan) -> Map<String, Value> {
    let settings = &plan.settings;
    let ackers = u16::from(settings.guarantee != Guarantee::AtMostOnce);
    let entries = [
        ("topology.name", json!(plan.name)),
        ("topology.debug", json!(settings.debug)),
        ("topology.message.timeout.secs", json!(settings.message_timeout.as_secs().max(1))),
        ("topology.acker.executors", json!(ackers)),
        ("topology.workers", json!(settings.workers)),
        ("topology.max.spout.pending", json!(settings.max_spout_pending)),
        ("topology.tick.tuple.freq.secs", Value::Null),
    ];
    entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}
