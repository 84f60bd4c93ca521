//! The list of built-in kinds. It never finds kinds by itself: what is not named here does not exist.

use crate::component::Registry;
use crate::multilang;

use super::count::CountKind;
use super::file::FileKind;
use super::filter::FilterKind;
use super::generate::GenerateKind;
use super::letters::LettersKind;
use super::map::MapKind;
use super::null::NullKind;
use super::print::PrintKind;
use super::split::SplitKind;
use super::stdin::StdinKind;
use super::write::WriteKind;

/// Every built-in spout and bolt, and the kinds that run programs.
pub fn registry() -> Registry {
    multilang::register(built_in()).hidden_spout::<LettersKind>()
}

fn built_in() -> Registry {
    Registry::new()
        .spout::<FileKind>()
        .spout::<StdinKind>()
        .spout::<GenerateKind>()
        .bolt::<SplitKind>()
        .bolt::<FilterKind>()
        .bolt::<MapKind>()
        .bolt::<CountKind>()
        .bolt::<WriteKind>()
        .bolt::<PrintKind>()
        .bolt::<NullKind>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::component::Role;

    #[test]
    fn every_kind_refuses_unknown_options_and_describes_the_known() {
        let registry = built_in();
        assert_eq!(registry.kinds().count(), 10);
        for kind in registry.kinds() {
            let schema = kind.schema();
            assert_eq!(
                schema.get("additionalProperties").and_then(serde_json::Value::as_bool),
                Some(false),
                "{kind:?}"
            );
            let properties = schema.get("properties").and_then(serde_json::Value::as_object);
            for (name, property) in properties.into_iter().flatten() {
                let text = property.get("description");
                assert!(text.is_some(), "{kind:?}: {name} has no description");
            }
        }
        assert!(registry.get(Role::Spout, "file").is_some());
        assert!(registry.get(Role::Bolt, "file").is_none());
    }
}
