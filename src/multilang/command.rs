//! What exactly is run: arguments, folder, environment; and what to say when that fails.
//!
//! Pure: it starts nothing and looks nothing up.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

use nix::sys::signal::Signal;
use std::os::unix::process::ExitStatusExt as _;

use crate::component::{ComponentError, Context};

use super::inherit::Inherited;
use super::limits::Limits;
use super::options::CommandOptions;

/// A command, ready to be started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CommandLine {
    pub(super) argv: Vec<String>,
    pub(super) dir: PathBuf,
    /// Variables that are set, whatever is inherited.
    pub(super) env: Vec<(String, String)>,
    /// The variables that are inherited.
    pub(super) inherited: Inherited,
    pub(super) limits: Limits,
    /// The run's private folder.
    pub(super) run_dir: PathBuf,
}

impl CommandLine {
    /// The command of a component; the SDKs are unpacked in `sdk`.
    pub(super) fn new(options: &CommandOptions, context: &Context, sdk: &Path) -> Self {
        let folder = sdk.to_string_lossy();
        // Only the engine's own arguments begin so; what users wrote is passed as it stands.
        let argument = |part: &String| match part.strip_prefix("{sdk}/") {
            Some(file) => format!("{folder}/{file}"),
            None => part.clone(),
        };
        Self {
            argv: options.command.iter().map(argument).collect(),
            dir: options.dir.clone().unwrap_or_else(|| context.dir.clone()),
            env: environment(options, &folder),
            inherited: Inherited::new(options.env_inherit.as_deref()),
            limits: options.limits,
            run_dir: context.run_dir.clone(),
        }
    }

    /// The command as people would type it, shortened.
    pub(super) fn shown(&self) -> String {
        let program = self.argv.first().map(Path::new).and_then(Path::file_name);
        let program = program.map(|name| name.to_string_lossy().into_owned());
        let arguments = self.argv.iter().skip(1).map(|part| {
            let line = part.lines().next().unwrap_or_default();
            if line.len() < part.len() || line.chars().count() > 60 {
                format!("{}…", line.chars().take(40).collect::<String>())
            } else {
                part.clone()
            }
        });
        let parts: Vec<String> = program.into_iter().chain(arguments).collect();
        parts.join(" ")
    }

    /// Why it could not be started, with a way to mend it.
    pub(super) fn not_started(&self, component: &str, error: &io::Error) -> ComponentError {
        let program = self.argv.first().map_or("", String::as_str);
        match error.kind() {
            io::ErrorKind::NotFound => {
                let message = format!("the program \"{program}\" of {component} was not found");
                let error = ComponentError::give_up(message);
                match package(program) {
                    Some(package) => error.with_detail(format!(
                        "on Debian and Ubuntu it comes with: apt install {package}"
                    )),
                    None => error,
                }
            }
            io::ErrorKind::PermissionDenied => ComponentError::give_up(format!(
                "the program \"{program}\" of {component} may not be executed (chmod +x?)"
            )),
            io::ErrorKind::NotADirectory => {
                ComponentError::give_up(format!("could not start {component}: {error}"))
            }
            _ => ComponentError::restart(format!("could not start {}: {error}", self.shown())),
        }
    }
}

fn environment(options: &CommandOptions, sdk: &str) -> Vec<(String, String)> {
    let mut env: Vec<(String, String)> = Vec::new();
    if let Some(locale) = locale(options) {
        env.push(("LC_ALL".to_owned(), locale.to_owned()));
    }
    let inherited_path = options.path.as_deref().unwrap_or("/usr/local/bin:/usr/bin:/bin");
    for (name, value) in &options.env {
        let value = value.replace("${PATH}", inherited_path);
        env.push((name.clone(), value));
    }
    let libraries = [
        ("PYTHONPATH", "python", options.pythonpath.as_deref()),
        ("NODE_PATH", "node", options.nodepath.as_deref()),
    ];
    let inherits = Inherited::new(options.env_inherit.as_deref());
    for (name, folder, inherited) in libraries {
        let inherited = inherited.filter(|_| inherits.has(name));
        let rest = options.env.get(name).map(String::as_str).or(inherited);
        let mut value = format!("{sdk}/{folder}");
        if let Some(rest) = rest.filter(|rest| !rest.is_empty()) {
            value.push(':');
            value.push_str(rest);
        }
        env.retain(|(known, _)| known != name);
        env.push((name.to_owned(), value));
    }
    env
}

/// The locale to set where none that is inherited says UTF-8: the component's own where that does.
fn locale(options: &CommandOptions) -> Option<&str> {
    if options.utf8_locale || options.env.contains_key("LC_ALL") {
        return None;
    }
    let mut own = ["LC_CTYPE", "LANG"].into_iter().filter_map(|name| options.env.get(name));
    let is_utf8 = |locale: &&String| {
        let locale = locale.to_ascii_lowercase();
        locale.contains("utf-8") || locale.contains("utf8")
    };
    Some(own.find(is_utf8).map_or("C.UTF-8", String::as_str))
}

/// The Debian package that a well-known program comes with.
fn package(program: &str) -> Option<&'static str> {
    let name = Path::new(program).file_name()?.to_str()?;
    Some(match name {
        "python3" | "python" => "python3",
        "node" | "nodejs" => "nodejs",
        "ruby" => "ruby",
        "perl" => "perl",
        "php" => "php-cli",
        "Rscript" => "r-base-core",
        _ => return None,
    })
}

/// How a child ended, to stand behind its command line.
pub(super) fn how_it_ended(status: ExitStatus) -> String {
    if let Some(code) = status.code() {
        return format!("exited with status {code}");
    }
    match status.signal().map(|number| (number, Signal::try_from(number))) {
        Some((number, Ok(signal))) => format!("was killed by signal {number} ({signal})"),
        Some((number, Err(_))) => format!("was killed by signal {number}"),
        None => "ended".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(json: serde_json::Value) -> CommandOptions {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn the_sdk_stands_before_what_was_inherited() {
        let options = options(serde_json::json!({
            "command": ["x"], "pythonpath": "/inherited", "utf8_locale": false, "path": "/bin",
            "env": {"NODE_PATH": "/mine", "PATH": "${PATH}:/opt/bin"},
        }));
        let env = environment(&options, "/sdk");
        let get = |name: &str| {
            let found: Vec<_> = env.iter().filter(|(key, _)| key == name).collect();
            assert_eq!(found.len(), 1, "{name}");
            found[0].1.as_str()
        };
        assert_eq!(get("PYTHONPATH"), "/sdk/python:/inherited");
        assert_eq!(get("NODE_PATH"), "/sdk/node:/mine");
        assert_eq!(get("PATH"), "/bin:/opt/bin");
        assert_eq!(get("LC_ALL"), "C.UTF-8");
    }

    #[test]
    fn libraries_are_inherited_where_the_component_asks_for_them() {
        for (inherit, expected) in
            [(vec!["PYTHON*"], "/sdk/python:/inherited"), (vec!["HOME"], "/sdk/python")]
        {
            let options = options(serde_json::json!({
                "command": ["x"], "pythonpath": "/inherited", "env_inherit": inherit,
            }));
            let mut env = environment(&options, "/sdk").into_iter();
            assert_eq!(env.find(|(name, _)| name == "PYTHONPATH").unwrap().1, expected);
        }
    }

    #[test]
    fn c05_a_component_may_have_a_utf8_locale_of_its_own() {
        let all = |env: serde_json::Value| {
            let options = options(serde_json::json!({
                "command": ["x"], "utf8_locale": false, "env": env,
            }));
            let mut env = environment(&options, "/sdk").into_iter();
            env.find(|(name, _)| name == "LC_ALL").map(|(_, value)| value)
        };
        assert_eq!(all(serde_json::json!({})).as_deref(), Some("C.UTF-8"));
        assert_eq!(all(serde_json::json!({"LANG": "de_DE.utf8"})).as_deref(), Some("de_DE.utf8"));
        assert_eq!(all(serde_json::json!({"LANG": "de_DE"})).as_deref(), Some("C.UTF-8"));
        assert_eq!(all(serde_json::json!({"LC_ALL": "C"})).as_deref(), Some("C"));
    }

    #[test]
    fn c05_nothing_else_is_set_so_python_buffers_as_it_likes() {
        let options = options(serde_json::json!({ "command": ["x"], "utf8_locale": true }));
        let names: Vec<String> =
            environment(&options, "/sdk").into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["PYTHONPATH", "NODE_PATH"]);
    }

    #[test]
    fn a_missing_interpreter_names_its_package() {
        let command = CommandLine {
            argv: vec!["python3".to_owned(), "a.py".to_owned()],
            dir: PathBuf::from("/"),
            env: Vec::new(),
            inherited: Inherited::new(None),
            limits: Limits::default(),
            run_dir: PathBuf::new(),
        };
        let error = command.not_started("split", &io::ErrorKind::NotFound.into());
        assert_eq!(error.message, "the program \"python3\" of split was not found");
        assert!(error.detail.unwrap().contains("apt install python3"));
        assert_eq!(error.recovery, crate::component::Recovery::GiveUp);
    }

    #[test]
    fn long_arguments_are_shortened_for_people() {
        let command = CommandLine {
            argv: vec!["/usr/bin/python3".to_owned(), "-c".to_owned(), "import a\nb".to_owned()],
            dir: PathBuf::from("/"),
            env: Vec::new(),
            inherited: Inherited::new(None),
            limits: Limits::default(),
            run_dir: PathBuf::new(),
        };
        assert_eq!(command.shown(), "python3 -c import a…");
    }

    #[test]
    fn an_end_is_told_by_status_or_signal() {
        assert_eq!(how_it_ended(ExitStatus::from_raw(1 << 8)), "exited with status 1");
        assert_eq!(how_it_ended(ExitStatus::from_raw(9)), "was killed by signal 9 (SIGKILL)");
    }
}
