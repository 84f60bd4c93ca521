//! The first message to a child: `conf`, `pidDir`, `context`.
//!
//! Pure: the folder for pid files is named here and made elsewhere.

use std::path::Path;

use serde_json::{Map, Value as Json, json};

use crate::component::Context;
use crate::tuple::{RawJson, Value};

use super::outbox::BatchLimits;

/// The whole message in one ASCII line.
pub(crate) fn handshake(
    context: &Context,
    config: &Map<String, Json>,
    offer: Option<BatchLimits>,
    pid_dir: &Path,
) -> Vec<u8> {
    let message = json!({
        "conf": conf(context, config, offer),
        "pidDir": pid_dir.to_string_lossy(),
        "context": context_maps(context),
    });
    let mut line = Vec::new();
    Value::Json(RawJson::from_scanned(&message.to_string())).write_json(&mut line);
    line
}

/// Storm's keys, then the component's own, then ours.
fn conf(
    context: &Context,
    config: &Map<String, Json>,
    offer: Option<BatchLimits>,
) -> Map<String, Json> {
    let mut conf = Map::new();
    let defaults = [
        ("topology.name", json!(context.topology)),
        ("topology.debug", json!(false)),
        ("topology.message.timeout.secs", json!(context.message_timeout.as_secs().max(1))),
        ("topology.acker.executors", json!(1)),
        ("topology.workers", json!(1)),
    ];
    conf.extend(defaults.map(|(key, value)| (key.to_owned(), value)));
    conf.extend(context.conf.iter().map(|(key, value)| (key.clone(), value.clone())));
    let tick = context.tick.map_or(Json::Null, |tick| seconds(tick.as_secs_f64()));
    conf.insert("topology.tick.tuple.freq.secs".to_owned(), tick);
    conf.extend(config.iter().map(|(key, value)| (key.clone(), value.clone())));
    if let Some(limits) = offer {
        let offer = json!({
            "version": 1, "max_tuples": limits.max_tuples, "max_bytes": limits.max_bytes,
        });
        conf.insert("galewire.batch".to_owned(), offer);
    }
    conf.insert("galewire.config".to_owned(), Json::Object(config.clone()));
    conf
}

/// A number of seconds, whole where it is.
pub(crate) fn seconds(seconds: f64) -> Json {
    if seconds.fract() == 0.0 { json!(seconds as u64) } else { json!(seconds) }
}

/// Storm's view of the topology around one task.
fn context_maps(context: &Context) -> Json {
    let components: Map<String, Json> = context
        .tasks
        .iter()
        .map(|(task, component)| (task.to_string(), json!(component)))
        .collect();
    let streams: Vec<&str> =
        context.outputs.iter().map(|output| output.decl.name.as_str()).collect();
    let fields: Map<String, Json> = context
        .outputs
        .iter()
        .map(|output| (output.decl.name.clone(), json!(output.decl.fields)))
        .collect();
    json!({
        "task->component": components,
        "taskid": context.task,
        "componentid": context.component,
        "streams": streams,
        "stream->outputfields": fields,
        "stream->target->grouping": targets(context),
        "source->stream->grouping": sources(context, |input| grouping(input.grouping, &input.grouping_fields)),
        "source->stream->fields": sources(context, |input| json!(input.decl.fields)),
    })
}

fn targets(context: &Context) -> Map<String, Json> {
    let mut streams = Map::new();
    for output in &context.outputs {
        let targets: Map<String, Json> = output
            .subscribers
            .iter()
            .map(|target| {
                let grouping = grouping(target.grouping, &target.grouping_fields);
                (target.component.clone(), grouping)
            })
            .collect();
        streams.insert(output.decl.name.clone(), Json::Object(targets));
    }
    streams
}

fn sources(
    context: &Context,
    what: impl Fn(&crate::component::Input) -> Json,
) -> Map<String, Json> {
    let mut sources: Map<String, Json> = Map::new();
    for input in &context.inputs {
        let streams = sources.entry(input.component.clone()).or_insert_with(|| json!({}));
        if let Json::Object(streams) = streams {
            streams.insert(input.decl.name.clone(), what(input));
        }
    }
    sources
}

fn grouping(name: &str, fields: &[String]) -> Json {
    if fields.is_empty() && name != "FIELDS" {
        json!({ "type": name })
    } else {
        json!({ "type": name, "fields": fields })
    }
}
