//! What to say about a key in the wrong place.

use crate::component::{Registry, Role};

use super::keys;
use super::node::Table;
use super::suggest;

/// Where an unknown key may belong: it is another table's, or an option of the component's kind.
pub(crate) fn unknown_key(registry: &Registry, table: &Table, key: &str) -> Option<String> {
    let known = |keys: &[keys::KeyTable]| keys.iter().copied().flatten().any(|k| k.name == key);
    let is_file = table.entry("spouts").is_some() || table.entry("bolts").is_some();
    if is_file || table.entry("name").is_some() {
        if known(&[keys::SETTINGS]) {
            return Some(format!("`{key}` belongs in `[topology]`"));
        }
        if let Some(near) = suggest::nearest(key, ["spouts", "bolts", "topology"]) {
            return Some(format!("did you mean `{near}`?"));
        }
    }
    if let Some(kind) = table.text("type") {
        let kind =
            [Role::Spout, Role::Bolt].into_iter().find_map(|role| registry.get(role, &kind.value));
        if let Some(kind) = kind.filter(|kind| kind.option_names().iter().any(|name| name == key)) {
            return Some(format!(
                "`{key}` is an option of {} \"{}\": write it in `config`",
                kind.role, kind.name
            ));
        }
    }
    if key == "inputs" {
        return Some("a spout has no inputs; a component with inputs is a bolt".to_owned());
    }
    if key == "retry" {
        return Some("messages are given out again by spouts: write it there".to_owned());
    }
    if key == "custom" {
        return Some("groupings of one's own are not available yet".to_owned());
    }
    None
}
