//! Rules about programs and scripts on this machine: they must be there before anything starts.

use std::path::Path;

use crate::topology::check::Checker;
use crate::topology::command::{self, Handler, Invocation, Language};
use crate::topology::diagnostic::Diagnostic;
use crate::topology::environment::find_program;
use crate::topology::handlers;
use crate::topology::load::similar_file;
use crate::topology::source::{Span, Spanned};
use crate::topology::spec::{Body, ComponentSpec};

/// All of them.
pub(crate) fn programs(checker: &mut Checker<'_>) {
    for (index, component) in checker.spec.components.iter().enumerate() {
        let Some(invocation) = checker.invocations[index].clone() else {
            continue;
        };
        if !working_directory(checker, component, &invocation) {
            continue;
        }
        program(checker, component, &invocation);
        script(checker, component, &invocation);
        handler(checker, component, &invocation);
    }
}

fn working_directory(
    checker: &mut Checker<'_>,
    component: &ComponentSpec,
    invocation: &Invocation,
) -> bool {
    let dir = &invocation.program.dir;
    let exists = dir.is_dir();
    if let Some(written) = component.table.text("dir").filter(|_| !exists) {
        let message = format!("there is no folder `{}`", written.value);
        let help = similar_file(dir).map(|near| format!("did you mean `{near}`?"));
        checker.report(Diagnostic::error(written.span, message).maybe_help(help));
    }
    exists
}

fn program(checker: &mut Checker<'_>, component: &ComponentSpec, invocation: &Invocation) {
    let Some(program) = invocation.program.command.first() else {
        return;
    };
    let dir = &invocation.program.dir;
    if program.is_empty() || find_program(program, dir, invocation.search.as_deref()).is_some() {
        return;
    }
    let span = match component.body() {
        Some(Body::Command(words)) => words.value[0].span,
        _ => interpreter_span(checker, component, invocation),
    };
    let is_file = program.contains('/') && dir.join(program).is_file();
    let message = if program.contains('/') && !is_file {
        format!("there is no program `{program}`")
    } else if is_file {
        format!("program `{program}` is not executable")
    } else {
        format!("program `{program}` is not installed")
    };
    let path = dir.join(program);
    let help = if is_file {
        Some(format!("`chmod +x {program}`"))
    } else if program.contains('/') {
        similar_file(&path).map(|near| format!("did you mean `{near}`?"))
    } else {
        install_hint(invocation, checker, program)
    };
    let diagnostic = Diagnostic::error(span, message).maybe_help(help);
    checker.report(diagnostic.about_program());
}

/// Where the interpreter of an SDK component is written: in `[topology]`, or else with its handler.
fn interpreter_span(
    checker: &Checker<'_>,
    component: &ComponentSpec,
    invocation: &Invocation,
) -> Span {
    let key = invocation.language.map_or("python", Language::as_str);
    let written = checker.spec.settings.text(key).map(|text| text.span);
    written.unwrap_or_else(|| {
        let body = component.bodies.first();
        body.map_or(component.name.span, |(span, _)| *span)
    })
}

fn install_hint(invocation: &Invocation, checker: &Checker<'_>, program: &str) -> Option<String> {
    let dir = &invocation.program.dir;
    let search = checker.environment.get("PATH");
    match invocation.language {
        Some(Language::Python) if program != "python3" => {
            find_program("python3", dir, search).map(|_| "`python3` is installed".to_owned())
        }
        Some(Language::Python) => Some("on Debian and Ubuntu: `apt install python3`".to_owned()),
        Some(Language::Node) => Some("on Debian and Ubuntu: `apt install nodejs`".to_owned()),
        None if dir.join(program).is_file() => Some(format!("did you mean `./{program}`?")),
        None => Some("it was looked for in `PATH`".to_owned()),
    }
}

/// The script in a command of the user's.
fn script(checker: &mut Checker<'_>, component: &ComponentSpec, invocation: &Invocation) {
    let Some(Body::Command(words)) = component.body() else {
        return;
    };
    if let Some(script) = command::script(&words.value) {
        file_exists(checker, script, &script.value, &invocation.program.dir);
    }
}

fn file_exists(
    checker: &mut Checker<'_>,
    written: &Spanned<String>,
    file: &str,
    dir: &Path,
) -> bool {
    let path = dir.join(file);
    if path.is_file() {
        return true;
    }
    let message = format!("there is no file `{file}` in `{}`", dir.display());
    let span = checker.sources.part(written.span, file);
    let folder = Path::new(file).parent().unwrap_or(Path::new(""));
    let near = similar_file(&path).map(|near| folder.join(near).display().to_string());
    let help = near.map(|near| format!("did you mean `{near}`?"));
    checker.report(Diagnostic::error(span, message).maybe_help(help));
    false
}

/// The file of an SDK component must be there; its handler had better be.
fn handler(checker: &mut Checker<'_>, component: &ComponentSpec, invocation: &Invocation) {
    let (text, language) = match component.body() {
        Some(Body::Python(text)) => (text, Language::Python),
        Some(Body::Node(text)) => (text, Language::Node),
        _ => return,
    };
    let Some(handler) = Handler::parse(&text.value) else {
        return;
    };
    let dir = &invocation.program.dir;
    if !file_exists(checker, text, handler.file, dir) {
        return;
    }
    let Some(found) = handlers::in_file(&dir.join(handler.file), language) else {
        return;
    };
    if found.may_have(handler.name) {
        return;
    }
    let message = format!("`{}` does not seem to define `{}`", handler.file, handler.name);
    let span = checker.sources.last_part(text.span, handler.name);
    let help = found.help(handler.name);
    checker.report(Diagnostic::warning(span, message).maybe_help(help));
}
