//! The JSON Schema of the topology file, made from the declarations that parse it.

use serde_json::{Map, Value, json};

use crate::component::{Kind, Registry, Role};

use super::command;
use super::defaults;
use super::keys;
use super::node::Table;
use super::shape::{Key, Need, Shape};

/// The schema, with the options of every kind in `registry`.
pub fn schema(registry: &Registry) -> Value {
    let mut definitions = Map::new();
    let mut root = table(&[keys::FILE], None, &["name"]);
    // A file that extends another may leave everything out.
    root["anyOf"] = json!([{ "required": ["name"] }, { "required": ["extends"] }]);
    root["$schema"] = "https://json-schema.org/draft/2020-12/schema".into();
    root["title"] = "Galewire topology".into();
    root["properties"]["name"]["pattern"] = "^[a-z0-9-]{1,63}$".into();
    root["properties"]["topology"] = table(&[keys::SETTINGS], Some(defaults::topology()), &[]);
    root["properties"]["topology"]["description"] = "the engine's settings".into();
    for (role, plural, own) in
        [(Role::Spout, "spouts", keys::SPOUT), (Role::Bolt, "bolts", keys::BOLT)]
    {
        let mut component = table(&[keys::COMPONENT, own], Some(defaults::component()), &[]);
        let kinds: Vec<&Kind> = registry
            .kinds()
            .filter(|kind| kind.role == role && kind.name != command::KIND)
            .collect();
        component["properties"]["type"]["enum"] = kinds.iter().map(|kind| kind.name).collect();
        component["not"] = json!({ "anyOf": pairs(&["type", "command", "python", "node"]) });
        let options = kinds.iter().map(|kind| {
            let name = format!("{role}.{}", kind.name);
            define(kind, &name, &mut definitions);
            json!({
                "if": { "properties": { "type": { "const": kind.name } }, "required": ["type"] },
                "then": { "properties": { "config": { "$ref": format!("#/$defs/{name}") } } },
            })
        });
        component["allOf"] = options.collect();
        definitions.insert(role.to_string(), component);
        root["properties"][plural]["additionalProperties"] =
            json!({ "$ref": format!("#/$defs/{role}") });
    }
    root["$defs"] = definitions.into();
    root
}

/// Every pair of keys that must not stand together.
fn pairs(keys: &[&str]) -> Vec<Value> {
    let mut pairs = Vec::new();
    for (at, first) in keys.iter().enumerate() {
        for second in &keys[at + 1..] {
            pairs.push(json!({ "required": [first, second] }));
        }
    }
    pairs
}

/// Puts a kind's own schema among the definitions, its inner definitions beside it.
fn define(kind: &Kind, name: &str, definitions: &mut Map<String, Value>) {
    let mut schema = kind.schema().to_value();
    if let Some(object) = schema.as_object_mut() {
        object.remove("$schema");
        object.remove("title");
        if !object.contains_key("additionalProperties") {
            object.insert("additionalProperties".to_owned(), false.into());
        }
    }
    let inner = schema.as_object_mut().and_then(|object| object.remove("$defs"));
    relocate(&mut schema, name);
    if let Some(Value::Object(inner)) = inner {
        for (key, mut value) in inner {
            relocate(&mut value, name);
            definitions.insert(format!("{name}.{key}"), value);
        }
    }
    definitions.insert(name.to_owned(), schema);
}

/// Makes references to a kind's inner definitions point to where they were put.
fn relocate(schema: &mut Value, name: &str) {
    match schema {
        Value::Object(object) => {
            for (key, value) in object {
                if key == "$ref"
                    && let Some(target) = value.as_str().and_then(|at| at.strip_prefix("#/$defs/"))
                {
                    *value = format!("#/$defs/{name}.{target}").into();
                } else {
                    relocate(value, name);
                }
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|value| relocate(value, name)),
        _ => {}
    }
}

fn table(groups: &[&[Key]], defaults: Option<&Table>, excused: &[&str]) -> Value {
    let keys = || groups.iter().copied().flatten();
    let mut properties = Map::new();
    for key in keys() {
        let mut property = shape(&key.shape);
        property["description"] = key.doc.into();
        if let Some(default) = defaults.and_then(|defaults| defaults.get(key.name)) {
            property["default"] = default.to_json();
        }
        properties.insert(key.name.to_owned(), property);
    }
    let required: Vec<&str> = keys()
        .filter(|key| key.need == Need::Required && !excused.contains(&key.name))
        .map(|key| key.name)
        .collect();
    let mut schema = json!({
        "type": "object",
        "additionalProperties": false,
        "properties": properties,
    });
    if !required.is_empty() {
        schema["required"] = required.into();
    }
    schema
}

fn shape(shape: &Shape) -> Value {
    const DURATION: &str = r"^\s*[0-9].*[a-zµ]\s*$|\$\{";
    const SIZE: &str = r"^\s*[0-9.]+\s*([KkMmGg][Ii]?)?[Bb]\s*$|\$\{";
    const BACKOFF: &str = r"^.+\.\..+$|\$\{";
    match shape {
        Shape::Text => json!({ "type": "string" }),
        Shape::Bool => json!({ "type": "boolean" }),
        Shape::Count { least, most } => {
            json!({ "type": "integer", "minimum": least, "maximum": most })
        }
        Shape::Duration { .. } => {
            json!({ "type": "string", "pattern": DURATION, "examples": ["250ms", "30s", "5m"] })
        }
        Shape::Size { .. } => {
            json!({ "type": "string", "pattern": SIZE, "examples": ["64KiB", "2GiB"] })
        }
        Shape::Backoff => {
            json!({ "type": "string", "pattern": BACKOFF, "examples": ["200ms..30s"] })
        }
        Shape::Choice(words, _) => json!({ "type": "string", "enum": words }),
        Shape::Free => json!({ "type": "object" }),
        Shape::Table(groups) => table(groups, None, &[]),
        Shape::Map(inner) => {
            json!({ "type": "object", "additionalProperties": self::shape(inner) })
        }
        Shape::List(inner) => json!({ "type": "array", "items": self::shape(inner) }),
        Shape::Either(shapes) => {
            let shapes: Vec<Value> = shapes.iter().map(self::shape).collect();
            json!({ "anyOf": shapes })
        }
    }
}
