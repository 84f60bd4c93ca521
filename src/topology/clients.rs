//! Client libraries of Storm's protocol that are known for certain, and what is safe with each.
//!
//! A library counts as known only where a file of it lies beside the script that loads it and is,
//! byte for byte, one that was released. It reads files and runs nothing.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use sha2::{Digest as _, Sha256};

/// A known client library.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Client {
    /// What people call it.
    pub(crate) name: &'static str,
    /// Whether it answers heartbeats with a `sync`; those before Storm 0.9.3 do not.
    pub(crate) heartbeats: bool,
}

/// A library that scripts of one language load from their own folder.
struct Library {
    /// Its file.
    file: &'static str,
    /// The interpreters of scripts that can load it, without their versions.
    interpreters: &'static [&'static str],
    /// How a line of a script begins that loads it.
    loads: &'static [&'static str],
    /// What must stand in such a line.
    word: &'static str,
    /// SHA-256 of released files, with the releases they came in.
    releases: &'static [(&'static str, Client)],
}

const fn of(name: &'static str) -> Client {
    Client { name, heartbeats: true }
}

const fn before_heartbeats(name: &'static str) -> Client {
    Client { name, heartbeats: false }
}

/// Libraries that wait for each answer, and keep those that come early in a queue: with them task ids
/// may go ahead, and a spout may be sent several `next`. Taken from the `multilang-python` and
/// `multilang-ruby` jars and from `storm-starter`.
const LIBRARIES: &[Library] = &[
    Library {
        file: "storm.py",
        interpreters: &["python", "pypy"],
        loads: &["import ", "from "],
        word: "storm",
        releases: &[
            (
                "0addc36a3dc1c6119121203ffcbba8cd162423b84d3fe5ccecb7db557a725bd2",
                before_heartbeats("storm.py of Storm 0.9.2"),
            ),
            (
                "803c9536d719058dc881fb6ba68d5262ad3ec8ad3f7a0861fff4498896ea7b69",
                of("storm.py of Storm 0.9.3 to 1.0.1"),
            ),
            (
                "f720312ae98bc618e02ed97452223c7f654b6581300250037c34ced24c0783a0",
                of("storm.py of Storm 1.0.2 to 1.1.0"),
            ),
            (
                "6b0010358042b54cece154137ef765d0b4853a95a102564d0f191d91fcafdfae",
                of("storm.py of Storm 1.1.1"),
            ),
            (
                "ccbc8249819b57b2131d89f30073c1bc07ea6b730ffcbe5106fad7b85b139984",
                of("storm.py of Storm 1.2.1 and 1.2.2"),
            ),
            (
                "7e69ebe6fbecc29b49580a3963ebe8f47b092ed8a42785dc447061d39c918384",
                of("storm.py of Storm 1.2.3 to 2.4.0"),
            ),
            (
                "7ee2dc834396587cc99e4bc7a7fa3f8abee3c2ad681801e0bd72be0a2ce97b78",
                of("storm.py of Storm 2.5.0 and later"),
            ),
        ],
    },
    Library {
        file: "storm.rb",
        interpreters: &["ruby", "jruby"],
        loads: &["require ", "require_relative ", "require("],
        word: "storm",
        releases: &[
            (
                "b1af592b177d67eff43f7f5841a693deb1227fa93ac73ca5d64a6fe2d24b0651",
                before_heartbeats("storm.rb of Storm 0.9.2"),
            ),
            (
                "d027141771de1df321f02643cf9395d76df56d1b4542e7bb5b8fc07d635f931d",
                of("storm.rb of Storm 0.9.3 to 1.1.1"),
            ),
            (
                "17132c2655721f1c63b7b387eecc41aecb4a4026f4025ea1d824eb9a8a57b8ea",
                of("storm.rb of Storm 1.2.1 and later"),
            ),
        ],
    },
];

/// Larger files are no client library, and no script that is looked into.
const MOST_BYTES: u64 = 1 << 20;

/// The known library that `script` loads from its own folder, where `interpreter` runs it.
pub(crate) fn beside(interpreter: &str, script: &Path) -> Option<Client> {
    let program = Path::new(interpreter).file_name()?.to_str()?;
    let language = program.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    let library = LIBRARIES.iter().find(|library| library.interpreters.contains(&language))?;
    let text = read(script)?;
    if !library.is_loaded_by(&String::from_utf8_lossy(&text)) {
        return None;
    }
    library.release(&read(&script.with_file_name(library.file))?)
}

impl Library {
    fn is_loaded_by(&self, script: &str) -> bool {
        let mut lines = script.lines().map(str::trim_start);
        lines.any(|line| {
            let loads = self.loads.iter().any(|start| line.starts_with(start));
            let mut words = line.split(|c: char| !c.is_alphanumeric() && c != '_');
            loads && words.any(|word| word == self.word)
        })
    }

    fn release(&self, bytes: &[u8]) -> Option<Client> {
        let digest = Sha256::digest(bytes);
        let is = |hex: &str| {
            let mut pairs = hex.as_bytes().chunks(2).zip(digest.iter());
            pairs.all(|(pair, byte)| pair == format!("{byte:02x}").as_bytes())
        };
        let known = self.releases.iter().find(|(hex, _)| is(hex))?;
        Some(known.1)
    }
}

fn read(path: &Path) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(MOST_BYTES + 1).read_to_end(&mut bytes).ok()?;
    (bytes.len() as u64 <= MOST_BYTES).then_some(bytes)
}

/// Whether a command tells streamparse or pyleus to speak msgpack.
pub(crate) fn speaks_msgpack(command: &[String]) -> bool {
    tells_streamparse(command) || tells_pyleus(command)
}

fn tells_pyleus(command: &[String]) -> bool {
    let config = command.windows(2).find(|pair| pair[0] == "--pyleus-config");
    let config = config.and_then(|pair| serde_json::from_str::<serde_json::Value>(&pair[1]).ok());
    config.is_some_and(|config| config["serializer"] == "msgpack")
}

fn tells_streamparse(command: &[String]) -> bool {
    let name = |word: &String| word.rsplit('/').next().unwrap_or_default().to_owned();
    let runs_it = command.iter().take(2).any(|word| name(word) == "streamparse_run")
        || command.windows(2).any(|pair| pair[0] == "-m" && pair[1] == "streamparse.run");
    let says_so = command
        .windows(2)
        .any(|pair| matches!(pair[0].as_str(), "-s" | "--serializer") && pair[1] == "msgpack")
        || command.iter().any(|word| word == "--serializer=msgpack" || word == "-smsgpack");
    runs_it && says_so
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn digests_are_whole_and_listed_once() {
        let all = LIBRARIES.iter().flat_map(|library| library.releases);
        let mut digests: Vec<&str> = all.map(|(hex, _)| *hex).collect();
        let hexadecimal = |hex: &&str| hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        assert!(digests.iter().all(|hex| hex.len() == 64 && hexadecimal(hex)));
        let count = digests.len();
        digests.sort_unstable();
        digests.dedup();
        assert_eq!(digests.len(), count);
    }

    #[test]
    fn a_release_is_known_by_its_bytes_alone() {
        const NOTHING: &[(&str, Client)] = &[(
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            of("nothing at all"),
        )];
        let library = Library {
            file: "storm.py",
            interpreters: &["python"],
            loads: &["import "],
            word: "storm",
            releases: NOTHING,
        };
        assert_eq!(library.release(b""), Some(of("nothing at all")));
        assert_eq!(library.release(b"\n"), None);
    }

    #[test]
    fn a_file_that_was_changed_is_not_known() {
        let dir = tempfile::tempdir().unwrap();
        let script = dir.path().join("split.py");
        fs::write(&script, "import storm\n").unwrap();
        assert_eq!(beside("python3", &script), None);
        fs::write(dir.path().join("storm.py"), "# mine\n").unwrap();
        assert_eq!(beside("python3", &script), None);
    }

    #[test]
    fn only_lines_that_load_it_count() {
        let python = &LIBRARIES[0];
        assert!(python.is_loaded_by("import sys\nimport storm\n"));
        assert!(python.is_loaded_by("from storm import BasicBolt"));
        assert!(python.is_loaded_by("import json, storm"));
        assert!(!python.is_loaded_by("import stormy\n# import storm\nprint('storm')"));
        assert!(LIBRARIES[1].is_loaded_by("require \"./storm\""));
    }

    #[test]
    fn streamparse_and_pyleus_say_what_they_speak() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        assert!(speaks_msgpack(&words("streamparse_run -s msgpack bolts.WordCounter")));
        assert!(speaks_msgpack(&words(
            "/v/bin/python -m streamparse.run --serializer=msgpack b.C"
        )));
        assert!(!speaks_msgpack(&words("streamparse_run bolts.WordCounter")));
        assert!(!speaks_msgpack(&words("split -s msgpack")));
        assert!(speaks_msgpack(&words(
            "python3 a.py --pyleus-config {\"serializer\":\"msgpack\"}"
        )));
        assert!(!speaks_msgpack(&words("python3 a.py --pyleus-config {\"serializer\":\"json\"}")));
    }
}
