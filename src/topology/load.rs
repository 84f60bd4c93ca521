//! From files, `--set` and the environment to one table that remembers where each part came from,
//! and on to the plan.
//!
//! It starts nothing, and judges nothing but syntax and references.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use toml::de::DeTable;

use crate::component::Registry;

use super::check;
use super::diagnostic::{Diagnostic, Diagnostics};
use super::environment::Environment;
use super::interpolate::{Problem, Unresolved, interpolate};
use super::node::{self, NodeValue, Table};
use super::overrides::{self, Overrides};
use super::plan::Plan;
use super::source::{SourceId, Sources, Span};
use super::suggest;
use super::syntax::{self, repeated_table};

/// No topology file, and no file in a `${file:…}`, is larger.
const LARGEST_FILE: u64 = 16 * 1024 * 1024;

/// What became of a topology file.
#[derive(Clone, Debug)]
pub struct Checked {
    /// What to run; `None` where there are errors.
    pub plan: Option<Plan>,
    /// Errors and warnings, in the order of their places.
    pub diagnostics: Diagnostics,
    /// The texts that the diagnostics point into.
    pub sources: Sources,
}

impl Checked {
    /// The diagnostics as text with colours, and the summary line; empty where there are none.
    pub fn render(&self) -> String {
        self.diagnostics.render(&self.sources)
    }

    /// The diagnostics as text without colours, and the summary line; empty where there are none.
    pub fn render_plain(&self) -> String {
        self.diagnostics.render_plain(&self.sources)
    }
}

/// Reads a topology file and checks everything about it that can be checked before it is started.
///
/// `overrides` come last and win; `environment` is what `${VAR}` and `PATH` mean.
pub fn load(
    path: &Path,
    overrides: &Overrides,
    environment: &Environment,
    registry: &Registry,
) -> Checked {
    let mut loader = Loader {
        environment,
        sources: Sources::default(),
        diagnostics: Diagnostics::default(),
        unresolved: Vec::new(),
        broken: false,
        open: Vec::new(),
    };
    let table = loader.document(path, overrides);
    let Loader { sources, diagnostics: mut read, unresolved, broken, .. } = loader;
    let mut plan = None;
    let mut diagnostics = Diagnostics::default();
    if let Some(table) = table.filter(|_| !broken) {
        plan = check::check(&table, &sources, environment, registry, &mut diagnostics);
    }
    diagnostics.leave_out(&unresolved);
    read.append(diagnostics);
    let mut diagnostics = read;
    diagnostics.sort();
    let plan = plan.filter(|_| !diagnostics.has_errors());
    Checked { plan, diagnostics, sources }
}

struct Loader<'a> {
    environment: &'a Environment,
    sources: Sources,
    diagnostics: Diagnostics,
    /// Where references were that lead nowhere: no more is said about those strings.
    unresolved: Vec<Span>,
    /// A part could not be read, so that what is left must not be judged.
    broken: bool,
    /// The files that are being read, each extending the next.
    open: Vec<PathBuf>,
}

impl Loader<'_> {
    fn document(&mut self, path: &Path, overrides: &Overrides) -> Option<Table> {
        let mut table = self.file(path, None)?;
        let dir = folder_of(path);
        for text in &overrides.0 {
            let over = overrides::read(text, &mut self.sources, &dir, &mut self.diagnostics);
            match over {
                Some(mut over) => {
                    self.follow_references(&mut over, &dir);
                    table.merge(over);
                }
                None => self.broken = true,
            }
        }
        Some(table)
    }

    /// Reads a file and what it extends; `wanted_at` is where another file names it.
    fn file(&mut self, path: &Path, wanted_at: Option<Span>) -> Option<Table> {
        let text = match read_text(path) {
            Ok(text) => text,
            Err(error) => {
                self.broken = true;
                let diagnostic = unreadable(path, &error, wanted_at);
                let name = path.display().to_string();
                self.sources.add(name, String::new(), folder_of(path));
                self.diagnostics.push(diagnostic);
                return None;
            }
        };
        let dir = folder_of(path);
        let name = path.display().to_string();
        let source = self.sources.add(name, text.clone(), dir.clone());
        let mut table = self.parse(&text, source);
        self.follow_references(&mut table, &dir);
        self.open.push(identity(path));
        let extended = self.extended(&mut table, path);
        self.open.pop();
        match extended {
            Some(mut base) => {
                base.merge(table);
                Some(base)
            }
            None => Some(table),
        }
    }

    fn parse(&mut self, text: &str, source: SourceId) -> Table {
        if let Some(diagnostic) = syntax::too_deep(text, source) {
            self.broken = true;
            self.diagnostics.push(diagnostic);
            return Table::default();
        }
        let (table, errors) = DeTable::parse_recoverable(text);
        // A table that is given twice repeats its keys too; that is said once.
        let mut repeated = 0..0;
        for error in errors {
            let range = error.span().unwrap_or(0..0);
            if error.message().contains("duplicate key") {
                if repeated.contains(&range.start) {
                    continue;
                }
                repeated = repeated_table(text, range.start);
            } else {
                self.broken = true;
            }
            let diagnostic = syntax::describe(error.message(), text, range, source);
            self.diagnostics.push(diagnostic);
        }
        node::from_toml(table.get_ref(), source, &mut self.diagnostics)
    }

    /// The table of the file that this one extends. The key is taken out.
    fn extended(&mut self, table: &mut Table, path: &Path) -> Option<Table> {
        let at = table.0.iter().position(|entry| entry.key == "extends")?;
        let entry = table.0.remove(at);
        let span = entry.node.span;
        let NodeValue::Text(base) = entry.node.value else {
            let message = "`extends` must be a string";
            self.diagnostics.push(Diagnostic::error(span, message));
            return None;
        };
        let base = path.parent().unwrap_or(Path::new("")).join(base);
        let target = identity(&base);
        if let Some(first) = self.open.iter().position(|open| *open == target) {
            let names = self.open[first..].iter().chain([&target]);
            let names: Vec<String> = names
                .map(|path| path.file_name().unwrap_or_default().display().to_string())
                .collect();
            let message = format!("`extends` goes round in a circle: {}", names.join(" → "));
            self.diagnostics.push(Diagnostic::error(span, message));
            self.broken = true;
            return None;
        }
        self.file(&base, Some(span))
    }

    fn follow_references(&mut self, table: &mut Table, dir: &Path) {
        let (environment, sources) = (self.environment, &self.sources);
        let (diagnostics, unresolved_at) = (&mut self.diagnostics, &mut self.unresolved);
        let mut visit = |text: &mut String, span: Span| {
            let variable = |name: &str| environment.get(name).map(str::to_owned);
            let file = |path: &str| read_text(&dir.join(path)).map_err(|error| io_text(&error));
            match interpolate(text, variable, file) {
                Ok(Some(replaced)) => *text = replaced,
                Ok(None) => {}
                Err(unresolved) => {
                    let at = sources.part(span, &unresolved.reference);
                    diagnostics.push(describe(&unresolved, environment, at));
                    unresolved_at.push(at);
                }
            }
        };
        for entry in &mut table.0 {
            entry.node.each_text(&mut visit);
        }
    }
}

fn describe(unresolved: &Unresolved, environment: &Environment, at: Span) -> Diagnostic {
    let reference = &unresolved.reference;
    match &unresolved.problem {
        Problem::Unset(name) => {
            let message = format!("environment variable `{name}` is not set");
            let near = suggest::nearest(name, environment.names());
            Diagnostic::error(at, message)
                .maybe_help(near.map(|near| format!("did you mean `${{{near}}}`?")))
                .help(format!("`${{{name}:-…}}` gives it a default"))
        }
        Problem::File(why) => Diagnostic::error(at, format!("cannot read `{reference}`: {why}")),
        Problem::Open => Diagnostic::error(at, "`${` without a closing `}`")
            .help("a dollar sign is written `$$`"),
        Problem::Malformed => Diagnostic::error(at, format!("`{reference}` names no variable"))
            .help("write `${VAR}`, `${VAR:-default}` or `${file:PATH}`; a dollar sign is `$$`"),
    }
}

/// The absolute folder that a file is in.
fn folder_of(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    absolute.parent().unwrap_or(Path::new("/")).to_owned()
}

/// The same for every name of the same file.
fn identity(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

fn read_text(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    let file = File::open(path)?;
    file.take(LARGEST_FILE + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LARGEST_FILE {
        return Err(io::Error::other("it is larger than 16 MiB"));
    }
    String::from_utf8(bytes).map_err(|_| io::Error::other("it is not UTF-8 text"))
}

fn io_text(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        io::ErrorKind::IsADirectory => "it is a folder".to_owned(),
        _ => error.to_string(),
    }
}

fn unreadable(path: &Path, error: &io::Error, wanted_at: Option<Span>) -> Diagnostic {
    let message = format!("cannot read `{}`: {}", path.display(), io_text(error));
    let diagnostic = match wanted_at {
        Some(span) => Diagnostic::error(span, message),
        None => Diagnostic::placeless(message),
    };
    diagnostic.maybe_help(similar_file(path).map(|near| format!("did you mean `{near}`?")))
}

/// A file beside `path` whose name is nearly the same.
pub(crate) fn similar_file(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?;
    let folder = path.parent().filter(|folder| *folder != Path::new(""));
    let entries = folder.unwrap_or(Path::new(".")).read_dir().ok()?;
    let mut names: Vec<String> =
        entries.take(1000).filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
    names.sort();
    suggest::nearest(name, names.iter().map(String::as_str)).map(str::to_owned)
}
