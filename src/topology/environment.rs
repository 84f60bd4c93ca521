//! The environment of the process: the one door to its variables.
//!
//! Everything else gets an [`Environment`] as an argument, so that tests bring their own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Environment variables.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// The variables of this process; those that are not UTF-8 are left out.
    pub fn of_process() -> Self {
        let variables = std::env::vars_os();
        Self(
            variables
                .filter_map(|(name, value)| {
                    Some((name.into_string().ok()?, value.into_string().ok()?))
                })
                .collect(),
        )
    }

    /// Variables as given.
    pub fn of(variables: impl IntoIterator<Item = (impl Into<String>, impl Into<String>)>) -> Self {
        let pairs = variables.into_iter();
        Self(pairs.map(|(name, value)| (name.into(), value.into())).collect())
    }

    /// The value of a variable.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The names of all variables.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Whether the locale says that text is UTF-8. As in POSIX, the first that is set and not
    /// empty of `LC_ALL`, `LC_CTYPE` and `LANG` decides.
    pub fn utf8_locale(&self) -> bool {
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
            .into_iter()
            .filter_map(|name| self.get(name))
            .find(|value| !value.is_empty());
        locale.is_some_and(|locale| {
            let locale = locale.to_ascii_lowercase();
            locale.contains("utf-8") || locale.contains("utf8")
        })
    }

    /// Where state is kept for good: `$XDG_STATE_HOME` or `~/.local/state`; `None` where there is
    /// no home either.
    pub fn state_home(&self) -> Option<PathBuf> {
        let set = |name| self.get(name).filter(|value| !value.is_empty());
        let absolute = |text: &str| Path::new(text).is_absolute();
        if let Some(home) = set("XDG_STATE_HOME").filter(|home| absolute(home)) {
            return Some(PathBuf::from(home));
        }
        set("HOME").map(|home| Path::new(home).join(".local/state"))
    }
}

/// Finds a program as a shell would: a name with a slash is a path from `dir`, any other is looked
/// for in `search`, the value of a `PATH`.
pub fn find_program(program: &str, dir: &Path, search: Option<&str>) -> Option<PathBuf> {
    if program.contains('/') {
        return Some(dir.join(program)).filter(|path| is_executable(path));
    }
    let search = search.unwrap_or("/usr/local/bin:/usr/bin:/bin");
    search.split(':').map(|folder| dir.join(folder).join(program)).find(|path| is_executable(path))
}

fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    path.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c05_the_first_locale_variable_that_is_set_decides() {
        assert!(Environment::of([("LANG", "en_US.UTF-8")]).utf8_locale());
        assert!(!Environment::of([("LC_ALL", "C"), ("LANG", "en_US.UTF-8")]).utf8_locale());
        assert!(Environment::of([("LC_ALL", ""), ("LC_CTYPE", "C.utf8")]).utf8_locale());
        assert!(!Environment::default().utf8_locale());
    }

    #[test]
    fn state_lives_in_xdg_or_home() {
        let both = Environment::of([("XDG_STATE_HOME", "/s"), ("HOME", "/h")]);
        assert_eq!(both.state_home(), Some(PathBuf::from("/s")));
        let home = Environment::of([("XDG_STATE_HOME", "relative"), ("HOME", "/h")]);
        assert_eq!(home.state_home(), Some(PathBuf::from("/h/.local/state")));
        assert_eq!(Environment::default().state_home(), None);
    }

    #[test]
    fn programs_are_found_by_path_or_in_the_search_path() {
        let here = Path::new("/");
        assert!(find_program("sh", here, Some("/nowhere:/bin")).is_some());
        assert!(find_program("/bin/sh", here, None).is_some());
        assert!(find_program("bin/sh", here, None).is_some());
        assert_eq!(find_program("no-such-program", here, Some("/bin")), None);
        assert_eq!(find_program("/etc/passwd", here, None), None);
    }
}
