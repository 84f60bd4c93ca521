//! Diagnostics as text: place, source line, caret, help.
//!
//! It never prints: the command line does.

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use super::{Diagnostic, Diagnostics, Severity, Sources, Span};

/// More than this many are counted, not shown.
const MOST_SHOWN: usize = 200;

impl Diagnostics {
    /// All diagnostics and the summary line, with colours; the writer strips them where they do
    /// not belong. Empty where there is nothing to say.
    pub fn render(&self, sources: &Sources) -> String {
        self.render_with(sources, &Renderer::styled())
    }

    /// The same without colours.
    pub fn render_plain(&self, sources: &Sources) -> String {
        self.render_with(sources, &Renderer::plain())
    }

    fn render_with(&self, sources: &Sources, renderer: &Renderer) -> String {
        if self.is_empty() {
            return String::new();
        }
        let renderer = renderer.clone().decor_style(DecorStyle::Ascii);
        let mut text = String::new();
        for diagnostic in self.iter().take(MOST_SHOWN) {
            for group in groups(diagnostic, sources) {
                text.push_str(&renderer.render(&[group]));
                text.push('\n');
            }
            text.push('\n');
        }
        let hidden = self.iter().count().saturating_sub(MOST_SHOWN);
        if hidden > 0 {
            text.extend(["and ", &hidden.to_string(), " more\n\n"]);
        }
        text.push_str(&self.summary(sources));
        text.push('\n');
        text
    }

    /// `word-count.toml: 6 errors, 1 warning`
    pub fn summary(&self, sources: &Sources) -> String {
        let mut parts = Vec::new();
        for (severity, word) in [(Severity::Error, "error"), (Severity::Warning, "warning")] {
            match self.count(severity) {
                0 => {}
                1 => parts.push(format!("1 {word}")),
                many => parts.push(format!("{many} {word}s")),
            }
        }
        if parts.is_empty() {
            parts.push("no errors".to_owned());
        }
        format!("{}: {}", sources.main_name(), parts.join(", "))
    }
}

fn groups<'a>(diagnostic: &'a Diagnostic, sources: &'a Sources) -> Vec<Group<'a>> {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let mut group = Group::with_title(level.primary_title(diagnostic.message.as_str()));
    if let Some(snippet) = diagnostic.span.and_then(|span| {
        let label = diagnostic.label.as_deref();
        snippet(sources, span, label, AnnotationKind::Primary)
    }) {
        match &diagnostic.also {
            Some((span, why)) if Some(span.source) == diagnostic.span.map(|span| span.source) => {
                let range = sources.range(*span).unwrap_or_default();
                let context = AnnotationKind::Context.span(range).label(why.as_str());
                group = group.element(snippet.annotation(context));
            }
            Some((span, why)) => {
                group = group.element(snippet);
                let other = self::snippet(sources, *span, Some(why), AnnotationKind::Context);
                group = group.elements(other);
            }
            None => group = group.element(snippet),
        }
    }
    if diagnostic.span.is_none() {
        let help = diagnostic.help.iter();
        let help = help.map(|help| Group::with_title(Level::HELP.secondary_title(help.as_str())));
        return std::iter::once(group).chain(help).collect();
    }
    for help in &diagnostic.help {
        group = group.element(Level::HELP.message(help.as_str()));
    }
    vec![group]
}

fn snippet<'a>(
    sources: &'a Sources,
    span: Span,
    label: Option<&'a str>,
    kind: AnnotationKind,
) -> Option<Snippet<'a, annotate_snippets::Annotation<'a>>> {
    let source = sources.get(span.source)?;
    let range = sources.range(span)?;
    let mut annotation = kind.span(range);
    if let Some(label) = label {
        annotation = annotation.label(label);
    }
    Some(Snippet::source(source.text.as_str()).path(source.name.as_str()).annotation(annotation))
}
