//! Which handlers a Python or Node file seems to define: a look at its text, not a parse. What it
//! finds is good for a warning and no more; it never runs the file.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use super::command::Language;
use super::suggest;

/// Longer files are not looked at to their end.
const MOST_BYTES: u64 = 1024 * 1024;

/// The names that a file seems to define at its top level.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Handlers {
    names: Vec<String>,
    /// It takes names over from elsewhere that cannot be told from its text.
    open: bool,
}

impl Handlers {
    /// Whether the name is there, or could be.
    pub(crate) fn may_have(&self, name: &str) -> bool {
        self.open || self.names.iter().any(|known| known == name)
    }

    pub(crate) fn help(&self, name: &str) -> Option<String> {
        suggest::help(name, "name", self.names.iter().map(String::as_str))
    }
}

/// What the file seems to define; `None` where it cannot be read.
pub(crate) fn in_file(path: &Path, language: Language) -> Option<Handlers> {
    let mut bytes = Vec::new();
    let file = File::open(path).ok()?;
    file.take(MOST_BYTES).read_to_end(&mut bytes).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    let mut handlers = match language {
        Language::Python => in_python(&text),
        Language::Node => in_node(&text),
    };
    handlers.open |= bytes.len() as u64 == MOST_BYTES;
    Some(handlers)
}

fn word(text: &str) -> &str {
    let letter = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
    let text = text.trim_start();
    &text[..text.find(|c| !letter(c)).unwrap_or(text.len())]
}

fn in_python(text: &str) -> Handlers {
    let mut found = Handlers::default();
    for line in text.lines() {
        let line = line.trim_end();
        if line.starts_with("from ") && line.ends_with(['*', '(', '\\']) {
            found.open = true;
        }
        let defined = ["def ", "async def ", "class "]
            .into_iter()
            .find_map(|keyword| line.strip_prefix(keyword));
        if let Some(rest) = defined {
            found.names.push(word(rest).to_owned());
        } else if let Some((_, names)) = import(line) {
            let names = names.split(',').filter_map(|name| name.split_whitespace().last());
            found.names.extend(names.map(|name| word(name).to_owned()));
        } else if !line.starts_with([' ', '\t', '#', '@']) {
            let name = word(line);
            let rest = line[name.len().min(line.len())..].trim_start();
            if !name.is_empty() && (rest.starts_with('=') || rest.starts_with(':')) {
                found.names.push(name.to_owned());
            }
        }
    }
    found.names.retain(|name| !name.is_empty());
    found
}

fn import(line: &str) -> Option<(&str, &str)> {
    if let Some(rest) = line.strip_prefix("from ") {
        return rest.split_once(" import ");
    }
    line.strip_prefix("import ").map(|names| ("", names))
}

fn in_node(text: &str) -> Handlers {
    let mut found = Handlers::default();
    let mut rest = text;
    while let Some(at) = rest.find("export") {
        rest = &rest[at + "export".len()..];
        let mut body = rest.trim_start();
        if body.starts_with('*') {
            found.open = true;
        } else if let Some(list) = body.strip_prefix('{') {
            let list = list.split('}').next().unwrap_or_default();
            let names = list.split(',').filter_map(|name| name.split_whitespace().last());
            found.names.extend(names.map(str::to_owned));
        } else if body.starts_with("default") {
            found.names.push("default".to_owned());
        } else {
            for keyword in ["async ", "function", "class ", "const ", "let ", "var "] {
                body = body.strip_prefix(keyword).unwrap_or(body).trim_start();
            }
            let name = word(body.trim_start_matches('*'));
            found.names.push(name.to_owned());
        }
    }
    // CommonJS: `exports.split = …`, `module.exports = …` with anything in it.
    found.open |= text.contains("module.exports");
    for part in text.split("exports.").skip(1) {
        found.names.push(word(part).to_owned());
    }
    found.names.retain(|name| !name.is_empty());
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn python_definitions_are_seen() {
        let text = "import galewire\nfrom words import clean, tidy as neat\n\n@galewire.bolt\n\
                    def split(line):\n    inner = 1\n    yield line\n\nasync def look(x): pass\n\
                    class Count(galewire.Bolt):\n    def open(self): pass\nsum_up = split\n";
        let found = in_python(text);
        for name in ["split", "look", "Count", "sum_up", "clean", "neat"] {
            assert!(found.may_have(name), "{name}");
        }
        assert!(!found.may_have("open"));
        assert!(!found.may_have("inner"));
        assert_eq!(found.help("splitt"), Some("did you mean `split`?".to_owned()));
        assert!(in_python("from words import *\n").may_have("anything"));
    }

    #[test]
    fn node_exports_are_seen() {
        let text = "import { bolt } from 'galewire';\nexport const split = bolt(() => {});\n\
                    export class Count extends Bolt {}\nexport async function look() {}\n\
                    export function* walk() {}\nconst a = 1, b = 2;\nexport { a, b as other };\n";
        let found = in_node(text);
        for name in ["split", "Count", "look", "walk", "a", "other"] {
            assert!(found.may_have(name), "{name}");
        }
        assert!(!found.may_have("b"));
        assert!(!found.may_have("bolt"));
        assert!(in_node("exports.split = 1;").may_have("split"));
        assert!(in_node("module.exports = { split };").may_have("split"));
    }
}
