//! From the table to the plan: shapes, then every rule, then the plan where no rule was broken.
//!
//! The rules themselves are in `rules`; this only says in which order they are asked.

use crate::base::{ComponentIdx, StreamIdx};
use crate::component::{Registry, Role, StreamDecl};
use crate::grouping::{Grouping, GroupingName};

use super::command::{self, Invocation};
use super::diagnostic::{Diagnostic, Diagnostics};
use super::environment::Environment;
use super::graph::Graph;
use super::node::Table;
use super::on_full::OnFull;
use super::placement::{Flow, Placed, place};
use super::plan::{Plan, PlannedComponent, PlannedInput};
use super::rules;
use super::settings;
use super::shape::ShapeCheck;
use super::source::{Sources, Span};
use super::spec::Spec;
use super::{hint, keys, switches};

/// What the rules look at, and where they report.
pub(crate) struct Checker<'a> {
    pub(crate) spec: &'a Spec,
    pub(crate) sources: &'a Sources,
    pub(crate) environment: &'a Environment,
    pub(crate) registry: &'a Registry,
    pub(crate) diagnostics: &'a mut Diagnostics,
    /// What each component runs, where it has a program of its own.
    pub(crate) invocations: Vec<Option<Invocation>>,
    /// The component that each input of each component names; `None` where there is none such.
    pub(crate) links: Vec<Vec<Option<usize>>>,
    /// The streams of each component; `None` where an error hides them.
    pub(crate) streams: Vec<Option<Vec<StreamDecl>>>,
    /// The inputs of each component; `None` where an error hides one.
    pub(crate) wires: Vec<Vec<Option<Wire>>>,
    /// Whether a restart of the component loses something.
    pub(crate) keeps_memory: Vec<bool>,
}

/// An input, looked up.
#[derive(Clone, Debug)]
pub(crate) struct Wire {
    pub(crate) from: usize,
    pub(crate) stream: usize,
    pub(crate) grouping: Grouping,
    pub(crate) on_full: OnFull,
}

impl Checker<'_> {
    pub(crate) fn report(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    /// Who feeds whom, as far as that is known.
    pub(crate) fn graph(&self) -> Graph {
        let links = self.links.iter();
        Graph(links.map(|links| links.iter().copied().flatten().collect()).collect())
    }
}

/// Checks a table and plans it. What is wrong goes to `diagnostics`; with errors there is no plan.
pub(crate) fn check(
    table: &Table,
    sources: &Sources,
    environment: &Environment,
    registry: &Registry,
    diagnostics: &mut Diagnostics,
) -> Option<Plan> {
    let hint = |table: &Table, key: &str| hint::unknown_key(registry, table, key);
    let mut shapes = ShapeCheck { diagnostics: &mut *diagnostics, hint: &hint };
    shapes.table(table, &[keys::FILE], "", Span::TOP);
    let spec = Spec::read(table, sources)?;
    let invocations = spec
        .components
        .iter()
        .map(|component| command::invocation(component, &spec, sources, environment))
        .collect();
    let count = spec.components.len();
    let mut checker = Checker {
        spec: &spec,
        sources,
        environment,
        registry,
        diagnostics,
        invocations,
        links: vec![Vec::new(); count],
        streams: vec![None; count],
        wires: vec![Vec::new(); count],
        keeps_memory: vec![false; count],
    };
    let sorted = apply_rules(&mut checker);
    if checker.diagnostics.has_errors() {
        return None;
    }
    Some(plan(&checker, &sorted))
}

/// Asks every rule; gives the components in the order of the plan.
fn apply_rules(checker: &mut Checker<'_>) -> Vec<usize> {
    rules::settings(checker);
    if rules::too_large(checker) {
        return Vec::new();
    }
    rules::names(checker);
    rules::kinds(checker);
    rules::link(checker);
    let order = checker.graph().order();
    rules::loops(checker, &order.loops);
    rules::reach(checker, &order.loops);
    rules::written_streams(checker);
    let in_loops = order.loops.iter().flatten();
    for &component in order.sorted.iter().chain(in_loops) {
        rules::connect(checker, component);
        rules::declare(checker, component);
    }
    rules::unheard(checker);
    rules::unheard_dead_letters(checker);
    rules::python_names(checker);
    rules::programs(checker);
    rules::bounds(checker);
    switches::rules(checker);
    order.sorted
}

fn plan(checker: &Checker<'_>, sorted: &[usize]) -> Plan {
    let spec = checker.spec;
    let dir = checker.sources.dir_of(Span::NOWHERE).to_owned();
    let (sources, environment) = (checker.sources, checker.environment);
    let name = spec.name.value.clone();
    let mut settings = settings::settings(&spec.settings, &name, &dir, sources, environment);
    let components: Vec<_> =
        sorted.iter().map(|&component| planned(checker, sorted, component)).collect();
    let placed: Vec<_> = sorted
        .iter()
        .zip(&components)
        .map(|(&component, planned)| placed(planned, spec.components[component].parallelism.value))
        .collect();
    // A worker without a task would do nothing; the rules have said so.
    let tasks = placed.iter().map(|component| component.tasks).sum::<usize>();
    settings.workers = settings.workers.min(tasks.try_into().unwrap_or(u16::MAX));
    let tasks = place(&placed, settings.workers);
    Plan { version: 1, name, dir, settings, components, tasks }
}

fn placed(component: &PlannedComponent, tasks: usize) -> Placed {
    let flow = |input: &PlannedInput| Flow {
        from: input.from.index(),
        to_all: input.grouping.name == GroupingName::All,
    };
    Placed {
        tasks,
        is_spout: component.role == Role::Spout,
        inputs: component.inputs.iter().map(flow).collect(),
    }
}

fn planned(checker: &Checker<'_>, sorted: &[usize], index: usize) -> PlannedComponent {
    let component = &checker.spec.components[index];
    let invocation = checker.invocations[index].as_ref();
    let place_of = |other: usize| {
        let place = sorted.iter().position(|&sorted| sorted == other);
        ComponentIdx(place.expect("invariant: without loops all are sorted") as u16)
    };
    let wires = checker.wires[index].iter().flatten();
    let settings = &checker.spec.settings;
    let runs =
        invocation.map(|invocation| (invocation, switches::switches(checker, index, invocation)));
    PlannedComponent {
        name: component.name.value.clone(),
        role: component.role,
        kind: match component.body() {
            Some(super::spec::Body::Kind(kind)) => kind.value.clone(),
            _ => command::KIND.to_owned(),
        },
        options: match &runs {
            Some((invocation, switches)) => {
                command::options(component, invocation, switches, settings, checker.environment)
            }
            None => rules::options_of(component),
        },
        program: invocation.map(|invocation| invocation.program.clone()),
        chosen: runs.map(|(_, switches)| switches.chosen).unwrap_or_default(),
        outputs: checker.streams[index].clone().unwrap_or_default(),
        inputs: wires
            .map(|wire| PlannedInput {
                from: place_of(wire.from),
                stream: StreamIdx(wire.stream as u16),
                grouping: wire.grouping.clone(),
                on_full: wire.on_full,
            })
            .collect(),
        tick: component.table.duration("tick"),
        restart: settings::restart(&component.table, "restart"),
        stall: settings::stall(&component.table),
        retry: settings::retry(&component.table, checker.sources),
        keeps_memory: checker.keeps_memory[index],
    }
}
