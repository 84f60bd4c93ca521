//! What is wrong with a topology, and where: collected first, shown together.
//!
//! It never decides anything: rules do.

use std::collections::HashSet;

use super::Span;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Nothing can be started.
    Error,
    /// It can be started, but is hardly what was meant.
    Warning,
}

/// What kind of trouble it is, for the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The file has to be changed.
    File,
    /// A program has to be installed.
    Program,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// What kind of trouble it is.
    pub trouble: Trouble,
    /// What is wrong: one line, lower-case.
    pub message: String,
    /// Where; nowhere for a file that cannot be read.
    pub span: Option<Span>,
    /// A word at the caret.
    pub label: Option<String>,
    /// Another place that has to do with it, and why.
    pub also: Option<(Span, String)>,
    /// Ways to mend it.
    pub help: Vec<String>,
}

impl Diagnostic {
    /// An error at a place.
    pub(crate) fn error(span: Span, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            trouble: Trouble::File,
            message: message.into(),
            span: Some(span),
            label: None,
            also: None,
            help: Vec::new(),
        }
    }

    /// A warning at a place.
    pub(crate) fn warning(span: Span, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(span, message) }
    }

    /// An error without a place.
    pub(crate) fn placeless(message: impl Into<String>) -> Self {
        Self { span: None, ..Self::error(Span::NOWHERE, message) }
    }

    /// With a word at the caret.
    pub(crate) fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// With a way to mend it.
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help.push(help.into());
        self
    }

    /// With a way to mend it, where one is known.
    pub(crate) fn maybe_help(mut self, help: Option<String>) -> Self {
        self.help.extend(help);
        self
    }

    /// With another place.
    pub(crate) fn also(mut self, span: Span, why: impl Into<String>) -> Self {
        self.also = Some((span, why.into()));
        self
    }

    /// As trouble that an installation mends.
    pub(crate) fn about_program(mut self) -> Self {
        self.trouble = Trouble::Program;
        self
    }
}

/// Everything that is wrong, in the order of places.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diagnostics {
    all: Vec<Diagnostic>,
    /// What has been said where, so that nothing is said twice.
    said: HashSet<(Option<Span>, String)>,
}

impl Diagnostics {
    pub(crate) fn push(&mut self, diagnostic: Diagnostic) {
        if self.said.insert((diagnostic.span, diagnostic.message.clone())) {
            self.all.push(diagnostic);
        }
    }

    /// Leaves out what is about a place around one of these.
    pub(crate) fn leave_out(&mut self, spans: &[Span]) {
        self.all.retain(|diagnostic| {
            let around = |inner: &Span| {
                diagnostic.span.is_some_and(|outer| {
                    outer.source == inner.source
                        && outer.start <= inner.start
                        && inner.end <= outer.end
                })
            };
            !spans.iter().any(around)
        });
    }

    /// Takes others in.
    pub(crate) fn append(&mut self, others: Self) {
        for diagnostic in others.all {
            self.push(diagnostic);
        }
    }

    /// Puts them in the order of their places; those without a place come first.
    pub(crate) fn sort(&mut self) {
        self.all.sort_by_key(|diagnostic| (diagnostic.span, diagnostic.severity));
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Diagnostic> {
        self.all.iter()
    }

    /// Whether there is nothing to say.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Whether nothing can be started.
    pub fn has_errors(&self) -> bool {
        self.count(Severity::Error) > 0
    }

    /// How many there are of that severity.
    pub fn count(&self, severity: Severity) -> usize {
        let same = |diagnostic: &&Diagnostic| diagnostic.severity == severity;
        self.all.iter().filter(same).count()
    }

    /// Whether the file is right and only programs are missing.
    pub fn only_programs_missing(&self) -> bool {
        let mut errors =
            self.all.iter().filter(|diagnostic| diagnostic.severity == Severity::Error).peekable();
        errors.peek().is_some() && errors.all(|error| error.trouble == Trouble::Program)
    }
}
