//! The topology as written: names not looked up, nothing promised. `check` makes a plan of it.

use crate::component::{Role, StreamDecl};
use crate::grouping::GroupingName;

use super::defaults;
use super::node::{Entry, Node, NodeValue, Table};
use super::on_full::OnFull;
use super::read::texts_of;
use super::source::{Sources, Span, Spanned};

/// The file.
#[derive(Clone, Debug)]
pub(crate) struct Spec {
    pub(crate) name: Spanned<String>,
    /// `[topology]` over the defaults.
    pub(crate) settings: Table,
    /// Spouts, then bolts, as written.
    pub(crate) components: Vec<ComponentSpec>,
}

/// `[spouts.NAME]` or `[bolts.NAME]`.
#[derive(Clone, Debug)]
pub(crate) struct ComponentSpec {
    pub(crate) role: Role,
    pub(crate) name: Spanned<String>,
    /// What says what it runs, each with the place of its key; there should be exactly one.
    pub(crate) bodies: Vec<(Span, Body)>,
    /// The place is that of the key.
    pub(crate) inputs: Option<Spanned<Vec<InputSpec>>>,
    /// The place is that of the key.
    pub(crate) outputs: Option<Spanned<Vec<StreamSpec>>>,
    /// The place is that of the value.
    pub(crate) parallelism: Spanned<usize>,
    pub(crate) config: Option<Entry>,
    /// The whole table, over the defaults.
    pub(crate) table: Table,
}

/// What a component runs.
#[derive(Clone, Debug)]
pub(crate) enum Body {
    Kind(Spanned<String>),
    Command(Spanned<Vec<Spanned<String>>>),
    /// `FILE.py:NAME`
    Python(Spanned<String>),
    /// `FILE.mjs:NAME`
    Node(Spanned<String>),
}

/// A subscription.
#[derive(Clone, Debug)]
pub(crate) struct InputSpec {
    pub(crate) component: Spanned<String>,
    /// The place is the component's where no stream is named.
    pub(crate) stream: Spanned<String>,
    /// The whole grouping's place, or the whole input's.
    pub(crate) span: Span,
    /// There should be exactly one; none where the table has other keys, which were reported.
    pub(crate) groupings: Vec<GroupingSpec>,
    /// The grouping is a table without keys.
    pub(crate) grouping_is_empty: bool,
    pub(crate) on_full: OnFull,
}

/// A grouping.
#[derive(Clone, Debug)]
pub(crate) struct GroupingSpec {
    pub(crate) name: Spanned<GroupingName>,
    pub(crate) fields: Vec<Spanned<String>>,
}

/// A declared stream.
#[derive(Clone, Debug)]
pub(crate) struct StreamSpec {
    pub(crate) name: Spanned<String>,
    pub(crate) fields: Vec<Spanned<String>>,
    pub(crate) direct: bool,
}

impl Spec {
    /// Reads a table whose shape has been checked; `None` where it has no name.
    pub(crate) fn read(table: &Table, sources: &Sources) -> Option<Self> {
        let mut settings = defaults::topology().clone();
        settings.merge(table.table("topology").cloned().unwrap_or_default());
        let mut components = Vec::new();
        for (role, key) in [(Role::Spout, "spouts"), (Role::Bolt, "bolts")] {
            let entries = table.table(key).map(|table| table.0.as_slice());
            for entry in entries.unwrap_or_default() {
                components.extend(ComponentSpec::read(role, entry, &settings, sources));
            }
        }
        Some(Self { name: table.text("name")?, settings, components })
    }

    pub(crate) fn component_named(&self, name: &str) -> Option<usize> {
        let mut components = self.components.iter();
        components.position(|component| component.name.value == name)
    }
}

impl ComponentSpec {
    fn read(role: Role, entry: &Entry, settings: &Table, sources: &Sources) -> Option<Self> {
        let written = entry.node.as_table()?;
        let mut table = defaults::component().clone();
        for key in ["env_inherit", "limits", "max_in_flight", "restart", "stall", "retry"] {
            let mut inherited = settings.entry(key).cloned();
            if let Some(inherited) = &mut inherited {
                inherited.key_span = Span::NOWHERE;
            }
            table.0.extend(inherited);
        }
        table.merge(written.clone());
        let parallelism = table.get("parallelism");
        Some(Self {
            role,
            name: Spanned::new(entry.key.clone(), entry.key_span),
            bodies: bodies(written),
            inputs: written.entry("inputs").and_then(|entry| {
                if role == Role::Spout {
                    return None; // Reported as an unknown key.
                }
                let nodes = entry.node.as_list()?.iter();
                let inputs = nodes.filter_map(|node| InputSpec::read(node, sources));
                Some(Spanned::new(inputs.collect(), entry.key_span))
            }),
            outputs: written
                .entry("outputs")
                .and_then(|entry| Some(Spanned::new(streams(entry)?, entry.key_span))),
            parallelism: Spanned::new(
                table.number("parallelism").unwrap_or(1) as usize,
                parallelism.map_or(Span::NOWHERE, |node| node.span),
            ),
            config: written.entry("config").cloned(),
            table,
        })
    }

    /// What it runs, as far as that is clear.
    pub(crate) fn body(&self) -> Option<&Body> {
        self.bodies.first().map(|(_, body)| body)
    }

    /// Whether it has a program of its own.
    pub(crate) fn has_program(&self) -> bool {
        self.body().is_some_and(|body| !matches!(body, Body::Kind(_)))
    }

    /// `[bolts.count]`
    pub(crate) fn header(&self) -> String {
        format!("[{}s.{}]", self.role, self.name.value)
    }

    /// The inputs; none for a spout.
    pub(crate) fn inputs(&self) -> &[InputSpec] {
        let inputs = self.inputs.as_ref();
        inputs.map_or(&[], |inputs| inputs.value.as_slice())
    }

    /// The written outputs as the engine knows them: `default` first, the others in order.
    pub(crate) fn declared_streams(&self) -> Option<Vec<StreamDecl>> {
        let outputs = &self.outputs.as_ref()?.value;
        let mut streams: Vec<StreamDecl> = outputs
            .iter()
            .map(|stream| StreamDecl {
                name: stream.name.value.clone(),
                fields: stream.fields.iter().map(|field| field.value.clone()).collect(),
                direct: stream.direct,
            })
            .collect();
        streams.sort_by_key(|stream| stream.name != "default");
        Some(streams)
    }
}

fn bodies(table: &Table) -> Vec<(Span, Body)> {
    let of = |key: &str, make: fn(Spanned<String>) -> Body| {
        let span = table.entry(key)?.key_span;
        Some((span, make(table.text(key)?)))
    };
    let command = table.entry("command").and_then(|entry| {
        let words = Spanned::new(table.texts("command")?, entry.node.span);
        Some((entry.key_span, Body::Command(words)))
    });
    let mut bodies: Vec<_> =
        [of("type", Body::Kind), command, of("python", Body::Python), of("node", Body::Node)]
            .into_iter()
            .flatten()
            .collect();
    bodies.sort_by_key(|(span, _)| *span);
    bodies
}

impl InputSpec {
    fn read(node: &Node, sources: &Sources) -> Option<Self> {
        let (from, grouping, on_full) = match &node.value {
            NodeValue::Table(table) => {
                (table.text("from")?, table.entry("grouping"), table.text("on_full"))
            }
            NodeValue::Text(text) => (Spanned::new(text.clone(), node.span), None, None),
            _ => return None,
        };
        let (component, stream) = match from.value.split_once('.') {
            Some((component, stream)) => {
                let component_at = sources.part(from.span, component);
                let stream_at = sources.last_part(from.span, stream);
                (
                    Spanned::new(component.to_owned(), component_at),
                    Spanned::new(stream.to_owned(), stream_at),
                )
            }
            None => (from.clone(), Spanned::new("default".to_owned(), from.span)),
        };
        let span = grouping.map_or(node.span, |entry| entry.node.span);
        let groupings = match grouping.map(|entry| &entry.node.value) {
            Some(NodeValue::Table(table)) => table_groupings(table),
            Some(NodeValue::Text(text)) => vec![GroupingSpec::plain(text, span)],
            _ => vec![GroupingSpec::plain("shuffle", span)],
        };
        let table = grouping.and_then(|entry| entry.node.as_table());
        Some(Self {
            component,
            stream,
            span,
            groupings,
            grouping_is_empty: table.is_some_and(|table| table.0.is_empty()),
            on_full: on_full.and_then(|word| OnFull::of_word(&word.value)).unwrap_or_default(),
        })
    }
}

impl GroupingSpec {
    fn plain(text: &str, span: Span) -> Self {
        let mut names = GroupingName::PLAIN.iter().copied();
        let name = names.find(|name| name.as_str() == text);
        Self { name: Spanned::new(name.unwrap_or(GroupingName::Shuffle), span), fields: Vec::new() }
    }
}

fn table_groupings(table: &Table) -> Vec<GroupingSpec> {
    let over = [GroupingName::Fields, GroupingName::PartialKey];
    over.into_iter()
        .filter_map(|name| {
            let span = table.entry(name.as_str())?.node.span;
            let fields = table.texts(name.as_str())?;
            Some(GroupingSpec { name: Spanned::new(name, span), fields })
        })
        .collect()
}

fn streams(outputs: &Entry) -> Option<Vec<StreamSpec>> {
    match &outputs.node.value {
        NodeValue::List(fields) => Some(vec![StreamSpec {
            name: Spanned::new("default".to_owned(), outputs.key_span),
            fields: texts_of(fields),
            direct: false,
        }]),
        NodeValue::Table(table) => Some(table.0.iter().filter_map(stream).collect()),
        _ => None,
    }
}

fn stream(entry: &Entry) -> Option<StreamSpec> {
    let name = Spanned::new(entry.key.clone(), entry.key_span);
    match &entry.node.value {
        NodeValue::List(fields) => {
            Some(StreamSpec { name, fields: texts_of(fields), direct: false })
        }
        NodeValue::Table(table) => Some(StreamSpec {
            name,
            fields: table.texts("fields")?,
            direct: table.flag("direct").unwrap_or(false),
        }),
        _ => None,
    }
}
