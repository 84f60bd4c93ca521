//! Rules about the graph as a whole.

use crate::component::Role;
use crate::topology::check::Checker;
use crate::topology::diagnostic::Diagnostic;

/// Bounded queues in a loop would lock.
pub(crate) fn loops(checker: &mut Checker<'_>, loops: &[Vec<usize>]) {
    for found in loops {
        let names = found.iter().chain(found.first());
        let names: Vec<&str> =
            names.map(|&index| checker.spec.components[index].name.value.as_str()).collect();
        let message = format!("the topology has a loop: {}", names.join(" → "));
        // The caret stands where the first component takes from the last.
        let (first, last) = (found[0], found[found.len() - 1]);
        let input = checker.links[first].iter().position(|link| *link == Some(last));
        let component = &checker.spec.components[first];
        let span = input.map_or(component.name.span, |at| component.inputs()[at].component.span);
        let help = "queues are bounded, so a loop would lock: let tuples flow one way";
        checker.report(Diagnostic::error(span, message).help(help));
    }
}

/// Every bolt gets something from a spout. Where an input could not be looked up, or a loop was
/// named, nothing more is said.
pub(crate) fn reach(checker: &mut Checker<'_>, loops: &[Vec<usize>]) {
    let components = &checker.spec.components;
    let excused = (0..components.len()).filter(|&index| {
        components[index].role == Role::Spout
            || checker.links[index].contains(&None)
            || components[index].inputs.is_none()
            || loops.iter().any(|found| found.contains(&index))
    });
    let reached = checker.graph().reached_from(excused);
    for (component, reached) in components.iter().zip(reached) {
        let Some(inputs) = component.inputs.as_ref().filter(|_| !reached) else {
            continue;
        };
        let message = format!("no path leads from a spout to bolt `{}`", component.name.value);
        checker.report(Diagnostic::error(inputs.span, message));
    }
    for component in components {
        let misshapen = component.table.get("inputs").is_some();
        if component.role == Role::Bolt && component.inputs.is_none() && !misshapen {
            let message = format!("bolt `{}` has no inputs", component.name.value);
            let help = format!("add `inputs = [\"COMPONENT\"]` to `{}`", component.header());
            checker.report(Diagnostic::error(component.name.span, message).help(help));
        }
    }
}

/// What a component emits should be for somebody.
pub(crate) fn unheard(checker: &mut Checker<'_>) {
    for (index, component) in checker.spec.components.iter().enumerate() {
        let emits = checker.streams[index].as_ref().is_some_and(|streams| !streams.is_empty());
        let heard = checker.links.iter().flatten().any(|link| *link == Some(index));
        // A misspelt input may well have meant this one.
        let doubt = checker.links.iter().flatten().any(Option::is_none);
        if emits && !heard && !doubt {
            let name = &component.name;
            let message = format!("nobody takes what {} `{}` emits", component.role, name.value);
            let help = format!("give a bolt `inputs = [\"{}\"]`", name.value);
            checker.report(Diagnostic::warning(name.span, message).help(help));
        }
    }
}
