//! The packages of the SDKs as users install them: built, installed afresh, run, type-checked.
//!
//! The examples of their READMEs are files with tests; here those tests and type checkers run over
//! them, against the installed packages.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use tempfile::TempDir;

use super::harness::galewire;

const VERSION: &str = env!("CARGO_PKG_VERSION");
const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// The packages, and the tools to look at them with; built once for all tests.
struct Packages {
    folder: PathBuf,
    tools: PathBuf,
}

fn packages() -> &'static Packages {
    static PACKAGES: OnceLock<Packages> = OnceLock::new();
    PACKAGES.get_or_init(|| {
        let target = Path::new(env!("CARGO_BIN_EXE_galewire")).ancestors().nth(2).unwrap();
        let (folder, tools) = (target.join("packages"), target.join("sdk-tools"));
        let mut build = Command::new("sh");
        succeed(build.arg("multilang/packages.sh").args([&folder, &tools]).current_dir(ROOT));
        Packages { folder, tools }
    })
}

impl Packages {
    fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name.replace("VERSION", VERSION))
    }

    /// A program of the tools' Python.
    fn python_tool(&self, module: &str) -> Command {
        let mut command = Command::new(self.tools.join("venv/bin/python"));
        command.args(["-m", module]);
        command
    }
}

/// What a command prints to standard output; it must succeed.
fn succeed(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output();
    let output = output.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let (out, told) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{command:?}\n{out}{told}");
    out
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A folder with the files of a README: of each block whose fence names one.
struct Readme(TempDir);

impl Readme {
    fn of(sdk: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let readme = fs::read_to_string(format!("{ROOT}/multilang/{sdk}/README.md")).unwrap();
        for block in readme.split("\n```").skip(1).step_by(2) {
            let (info, body) = block.split_once('\n').unwrap();
            if let Some((_, file)) = info.split_once(' ') {
                fs::write(folder.path().join(file), format!("{body}\n")).unwrap();
            }
        }
        Self(folder)
    }

    fn path(&self, file: &str) -> PathBuf {
        self.0.path().join(file)
    }

    /// The files with this ending, by name.
    fn files(&self, ending: &str) -> Vec<String> {
        let found = fs::read_dir(self.0.path()).unwrap();
        let mut names: Vec<_> =
            found.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.retain(|name| name.ends_with(ending));
        names.sort();
        assert!(!names.is_empty(), "no {ending} in the README");
        names
    }

    /// Runs a topology; what it printed, sorted, and what people were told.
    fn run(&self, topology: &str) -> (Vec<String>, String) {
        let mut command = galewire();
        command.args(["run", topology]).current_dir(self.0.path());
        let output = command.env("XDG_STATE_HOME", self.path("state")).output().unwrap();
        let told = text(&output.stderr);
        assert!(output.status.success(), "{told}");
        let mut lines: Vec<_> = text(&output.stdout).lines().map(str::to_owned).collect();
        lines.sort();
        (lines, told)
    }

    fn within(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.0.path());
        command
    }
}

const WORDS: [&str; 6] = ["be", "be", "not", "or", "to", "to"];

#[test]
fn all_versions_and_licences_are_one() {
    let read = |path: &str| fs::read_to_string(Path::new(ROOT).join(path)).unwrap();
    let python = read("multilang/python/galewire/__init__.py");
    assert!(python.contains(&format!("__version__ = \"{VERSION}\"\n")));
    let node: serde_json::Value =
        serde_json::from_str(&read("multilang/node/package.json")).unwrap();
    assert_eq!(node["version"], VERSION);
    for sdk in ["python", "node"] {
        assert_eq!(read(&format!("multilang/{sdk}/LICENSE")), read("LICENSE"), "{sdk}");
    }
}

#[test]
fn the_python_package_works_installed() {
    let packages = packages();
    let room = Readme::of("python");
    succeed(room.within("python3").args(["-m", "venv", ".venv"]));
    let python = room.path(".venv/bin/python");
    let wheel = packages.file("galewire-VERSION-py3-none-any.whl");
    let pip = ["-m", "pip", "install", "--quiet", "--no-index", "--no-deps"];
    succeed(room.within(&python).args(pip).arg(wheel));

    // It holds the package with its types and licence, and no `storm` that would hide a user's own.
    let look = "import galewire, importlib.metadata as m, importlib.util as u\n\
                files = {str(f).split('/', 1)[1]: f for f in m.files('galewire')}\n\
                assert {'py.typed', 'testkit.py', 'licenses/LICENSE'} <= set(files), files\n\
                assert {str(f).split('/')[0].split('-')[0] for f in m.files('galewire')} == {'galewire'}\n\
                assert u.find_spec('storm') is None\n\
                assert m.metadata('galewire')['Requires-Python'] == '>=3.9'\n\
                print(galewire.__version__, m.version('galewire'))";
    assert_eq!(succeed(room.within(&python).args(["-c", look])), format!("{VERSION} {VERSION}\n"));
    succeed(
        room.within(&python).args(["-m", "unittest", "-q", "test_split"]).env("PYTHONPATH", ""),
    );

    // The examples' own tests, by pytest; their types and the package's mistakes, by mypy.
    let site = succeed(
        room.within(&python).args(["-c", "import sysconfig as s; print(s.get_path('purelib'))"]),
    );
    let mut pytest = packages.python_tool("pytest");
    pytest.args(["-q", "-p", "no:cacheprovider"]).args(room.files(".py"));
    succeed(pytest.current_dir(room.0.path()).env("PYTHONPATH", site.trim()));
    let typed: Vec<_> =
        room.files(".py").into_iter().filter(|file| !file.contains("split")).collect();
    let mut mypy = packages.python_tool("mypy");
    mypy.args(["--strict", "--cache-dir"]).arg(packages.tools.join("mypy"));
    mypy.arg("--python-executable").arg(&python).args(typed);
    mypy.arg(format!("{ROOT}/multilang/python/typed/wrong.py"));
    succeed(mypy.current_dir(room.0.path()));

    // The engine runs it, and not its own; it says so where the versions differ.
    let (words, told) = room.run("words.toml");
    assert_eq!(words, WORDS);
    assert!(!told.contains("warning"), "{told}");
    let init = Path::new(site.trim()).join("galewire/__init__.py");
    let source = fs::read_to_string(&init).unwrap();
    fs::write(&init, source.replace(&format!("\"{VERSION}\""), "\"0.0.70\"")).unwrap();
    let (words, told) = room.run("words.toml");
    assert_eq!(words, WORDS);
    assert!(told.contains("runs with galewire 0.0.70"), "{told}");
    succeed(galewire().args(["sdk", "--install", ".venv"]).current_dir(room.0.path()));
    let (_, told) = room.run("words.toml");
    assert!(!told.contains("warning"), "{told}");
    let shown = succeed(room.within(&python).args(["-m", "pip", "show", "galewire"]));
    assert!(shown.contains(&format!("Version: {VERSION}\n")), "{shown}");

    // A script written for Storm, run by that Python, still finds the engine's `storm`.
    let script = "import storm\nclass S(storm.BasicBolt):\n    def process(self, tup):\n        \
                  for word in tup.values[0].split(): storm.emit([word])\nS().run()\n";
    fs::write(room.path("old.py"), script).unwrap();
    let topology = fs::read_to_string(room.path("words.toml")).unwrap();
    let old = topology
        .replace("python  = \"split.py:split\"", "command = [\".venv/bin/python\", \"old.py\"]");
    fs::write(room.path("old.toml"), old).unwrap();
    assert_eq!(room.run("old.toml").0, WORDS);
}

#[test]
fn the_python_sdist_makes_the_same_package() {
    let packages = packages();
    let folder = tempfile::tempdir().unwrap();
    let mut pip = packages.python_tool("pip");
    pip.args(["install", "--quiet", "--no-index", "--no-deps", "--no-build-isolation", "--target"]);
    succeed(pip.arg(folder.path()).arg(packages.file("galewire-VERSION.tar.gz")));
    assert!(folder.path().join("galewire/py.typed").is_file());
    assert!(!folder.path().join("storm.py").exists());
    let source = fs::read_dir(format!("{ROOT}/multilang/python/galewire")).unwrap();
    for file in source.map(|entry| entry.unwrap().path()) {
        let name = file.file_name().unwrap();
        assert!(folder.path().join("galewire").join(name).exists(), "{}", file.display());
    }
}

#[test]
fn the_node_package_works_installed() {
    let packages = packages();
    let room = Readme::of("node");
    fs::write(room.path("package.json"), "{\"private\": true, \"type\": \"module\"}\n").unwrap();
    let npm = ["install", "--silent", "--offline", "--no-audit", "--no-fund"];
    succeed(room.within("npm").args(npm).arg(packages.file("galewire-VERSION.tgz")));
    let look = "import { createRequire } from 'node:module';\n\
                const about = createRequire(process.cwd() + '/a.mjs')('galewire/package.json');\n\
                console.log(about.version, about.license, about.engines.node);";
    let mut node = room.within("node");
    let told = succeed(node.args(["--input-type=module", "-e", look]));
    assert_eq!(told, format!("{VERSION} Apache-2.0 >=18.19\n"));
    for file in ["LICENSE", "README.md", "index.d.ts", "testkit.d.ts", "storm/index.js"] {
        assert!(room.path("node_modules/galewire").join(file).is_file(), "{file}");
    }
    for file in ["test", "fixtures", "typed", "bench_split.mjs"] {
        assert!(!room.path("node_modules/galewire").join(file).exists(), "{file}");
    }

    // The examples' own tests; their types and the declarations' mistakes, by tsc.
    succeed(room.within("node").arg("--test").args(room.files(".test.mjs")));
    fs::copy(format!("{ROOT}/multilang/node/typed/wrong.ts"), room.path("wrong.ts")).unwrap();
    let modules = packages.tools.join("node/node_modules");
    std::os::unix::fs::symlink(modules.join("@types"), room.path("node_modules/@types")).unwrap();
    let options =
        "--strict --noEmit --allowJs --checkJs --module nodenext --target es2022 --types node";
    let mut tsc = room.within("node");
    tsc.arg(modules.join("typescript/bin/tsc")).args(options.split(' '));
    succeed(tsc.args(room.files(".mjs")).args(room.files(".ts")));

    // The engine runs it, and not its own; it says so where the versions differ.
    let (words, told) = room.run("words.toml");
    assert_eq!(words, WORDS);
    assert!(!told.contains("warning"), "{told}");
    let about = room.path("node_modules/galewire/package.json");
    let source = fs::read_to_string(&about).unwrap();
    fs::write(&about, source.replace(&format!("\"{VERSION}\""), "\"0.0.70\"")).unwrap();
    let (words, told) = room.run("words.toml");
    assert_eq!(words, WORDS);
    assert!(told.contains("runs with galewire 0.0.70"), "{told}");
}

#[test]
fn the_python_package_keeps_its_own_types() {
    let packages = packages();
    let mut mypy = packages.python_tool("mypy");
    mypy.arg("--cache-dir").arg(packages.tools.join("mypy-sdk")).arg("galewire");
    succeed(mypy.current_dir(format!("{ROOT}/multilang/python")));
}
