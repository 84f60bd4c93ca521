//! The embedded `conf/defaults.toml`: the one place that says what a setting is when a file does not.

use std::sync::OnceLock;

use toml::de::DeTable;

use super::diagnostic::Diagnostics;
use super::node::{self, Table};
use super::source::Span;

/// The file, as it can be shown to people.
pub const DEFAULTS_TOML: &str = include_str!("../../conf/defaults.toml");

fn document() -> &'static Table {
    static DOCUMENT: OnceLock<Table> = OnceLock::new();
    DOCUMENT.get_or_init(|| {
        let table = DeTable::parse(DEFAULTS_TOML).expect("invariant: the embedded file is TOML");
        let mut diagnostics = Diagnostics::default();
        let nowhere = Span::NOWHERE.source;
        node::from_toml(table.get_ref(), nowhere, &mut diagnostics)
    })
}

/// The defaults of `[topology]`.
pub(crate) fn topology() -> &'static Table {
    let table = document().table("topology");
    table.expect("invariant: the embedded file has [topology]")
}

/// The defaults of every component.
pub(crate) fn component() -> &'static Table {
    let table = document().table("component");
    table.expect("invariant: the embedded file has [component]")
}

#[cfg(test)]
mod tests {
    use crate::topology::keys;
    use crate::topology::shape::{Key, ShapeCheck};

    use super::*;

    fn missing(table: &Table, keys: &[Key]) -> Vec<&'static str> {
        let names = keys.iter().map(|key| key.name);
        names
            .filter(|name| {
                let commented = format!("# {name} = ");
                table.entry(name).is_none() && !DEFAULTS_TOML.contains(&commented)
            })
            .collect()
    }

    #[test]
    fn every_setting_stands_in_the_file_and_is_valid() {
        assert_eq!(missing(topology(), keys::SETTINGS), [""; 0]);
        let mut diagnostics = Diagnostics::default();
        let hint = |_: &Table, _: &str| None;
        let mut check = ShapeCheck { diagnostics: &mut diagnostics, hint: &hint };
        check.table(topology(), &[keys::SETTINGS], "`[topology]`", Span::NOWHERE);
        check.table(component(), &[keys::COMPONENT], "`[component]`", Span::NOWHERE);
        assert_eq!(diagnostics, Diagnostics::default());
    }

    #[test]
    fn every_setting_has_a_comment_above_it() {
        let lines: Vec<&str> = DEFAULTS_TOML.lines().collect();
        for pair in lines.windows(2) {
            if pair[1].contains(" = ") && !pair[1].starts_with("# What") {
                let is_prose = pair[1].starts_with('#') && !is_commented_key(pair[1]);
                assert!(is_prose || pair[0].starts_with("# "), "{}", pair[1]);
            }
        }
    }

    fn is_commented_key(line: &str) -> bool {
        let word = line.trim_start_matches("# ").split(" = ").next();
        word.is_some_and(|word| keys::SETTINGS.iter().any(|key| key.name == word))
    }
}
