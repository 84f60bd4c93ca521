//! The line that stands in a dead-letter file for a message whose retries are spent.

use crate::base::unix_millis;
use crate::component::Context;
use crate::metrics::FailReason;
use crate::tuple::write_json_string;

use super::replay::Kept;

/// One JSON object: when, who, why, how often, and the values as they were.
pub(crate) fn line(context: &Context, kept: &Kept, reason: FailReason, message: &str) -> String {
    let mut out = format!("{{\"time_ms\":{},\"topology\":", unix_millis()).into_bytes();
    write_json_string(&context.topology, &mut out);
    out.extend_from_slice(b",\"spout\":");
    write_json_string(&context.component, &mut out);
    out.extend_from_slice(b",\"stream\":");
    let stream = context.outputs.get(kept.stream.index());
    write_json_string(stream.map_or("default", |output| &output.decl.name), &mut out);
    out.extend_from_slice(b",\"reason\":");
    write_json_string(reason.as_str(), &mut out);
    out.extend_from_slice(b",\"message\":");
    write_json_string(message, &mut out);
    out.extend_from_slice(format!(",\"failures\":{},\"values\":[", kept.failures).as_bytes());
    for (index, value) in kept.values.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        value.write_json(&mut out);
    }
    out.extend_from_slice(b"]}");
    String::from_utf8(out).expect("JSON written here is ASCII")
}
