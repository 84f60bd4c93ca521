//! What children may take and see, as the kernel and the children themselves tell it; and the limits of
//! `docs/limits.md`, at them and above them.

use std::fmt::Write as _;
use std::fs;

use galewire::topology::{Overrides, load};

use super::check::environment;
use super::harness::Project;
use super::kinds::registry;

fn project(bolt: &str, script: &str) -> Project {
    let topology = format!(
        "name = \"limits\"\n[topology]\nrestart = {{ max = 0 }}\n[spouts.numbers]\ntype = \"generate\"\n\
         config = {{ fields = {{ number = {{ counter = {{ start = 1 }} }} }}, count = 1 }}\n\
         [bolts.bolt]\npython = \"bolt.py:bolt\"\ninputs = [\"numbers\"]\noutputs = [\"told\"]\n{bolt}\n\
         [bolts.print]\ntype = \"print\"\ninputs = [\"bolt\"]\n"
    );
    let script = format!("import galewire, os, resource, sys\n{script}");
    Project::new().file("topology.toml", &topology).file("bolt.py", &script)
}

/// A bolt that emits what an expression is.
fn tells(expression: &str) -> String {
    format!("@galewire.bolt\ndef bolt(number):\n    yield {expression}\n")
}

#[test]
fn a_child_and_what_it_starts_have_the_limits_of_the_file() {
    let show = "import resource as r; print([r.getrlimit(x)[0] for x in (r.RLIMIT_DATA, r.RLIMIT_CPU, r.RLIMIT_NOFILE, r.RLIMIT_CORE)])";
    let script = format!(
        "import subprocess\n{}",
        tells(&format!(
            "subprocess.check_output([sys.executable, '-c', {show:?}], text=True).strip()"
        ))
    );
    let limits = "limits = { memory = \"128MiB\", cpu = \"1h\", files = 64 }";
    let ended = project(limits, &script).run(&[]).expect_code(0);
    assert_eq!(ended.out, "[134217728, 3600, 64, 0]\n");
}

#[test]
fn a_limit_of_all_children_holds_where_a_component_has_none_of_its_own() {
    let script = tells(
        "str([resource.getrlimit(x)[0] for x in (resource.RLIMIT_CPU, resource.RLIMIT_NOFILE)])",
    );
    let arguments = ["--set", "topology.limits={ cpu = \"1h\", files = 99 }"];
    let ended = project("limits = { files = 64 }", &script).run(&arguments).expect_code(0);
    assert_eq!(ended.out, "[3600, 64]\n");
}

#[test]
fn a_child_that_dies_of_a_limit_is_told_as_such() {
    for (limits, script, told) in [
        ("cpu = \"1s\"", "while True: pass", "it had used its cpu limit of 1s"),
        ("memory = \"64MiB\"", "rest = bytearray(200 << 20)", "its memory limit is 64MiB"),
        ("files = 32", "rest = [open(__file__) for _ in range(99)]", "its limit of files is 32"),
    ] {
        let script =
            format!("if os.environ.get('GALEWIRE_RUN'):\n    {script}\n{}", tells("'done'"));
        let command = format!("limits = {{ {limits} }}");
        let ended = project(&command, &script).run(&[]).expect_code(1);
        assert!(ended.err.contains(told), "{told:?} is missing in\n{}", ended.err);
    }
}

#[test]
fn a_tuple_that_asks_for_too_much_memory_fails_and_the_child_lives() {
    let script = "seen = 0\n@galewire.bolt\ndef bolt(number):\n    global seen\n    seen += 1\n    \
                  if seen < 3:\n        bytearray(200 << 20)\n    yield str(seen)\n";
    let ended = project("limits = { memory = \"64MiB\" }", script).run(&["--json"]).expect_code(0);
    assert_eq!(ended.out, "3\n", "the same process had all three");
    assert!(ended.err.contains("MemoryError"), "{}", ended.err);
}

#[test]
fn secrets_are_kept_from_children_that_do_not_inherit_them() {
    let names = tells(
        "' '.join(sorted(name for name in os.environ if name.split('_')[0] in ('MY', 'ACME', 'HOME', 'PATH', 'GALEWIRE', 'PYTHONPATH')))",
    );
    let run = |bolt: &str| {
        let project = project(bolt, &names).env("MY_SECRET", "x").env("ACME_REGION", "y");
        project.env("HOME", "/tmp").env("PYTHONPATH", "/nowhere").run(&[]).expect_code(0).out
    };
    let all = run("");
    assert!(all.contains("MY_SECRET") && all.contains("ACME_REGION"), "{all}");
    assert_eq!(run("env_inherit = []"), "GALEWIRE_RUN PATH PYTHONPATH\n");
    let some = run("env_inherit = [\"ACME_*\", \"HOME\"]\nenv = { MY_OWN = \"z\" }");
    assert_eq!(some, "ACME_REGION GALEWIRE_RUN HOME MY_OWN PATH PYTHONPATH\n");
}

/// What a file is told, and whether it has a plan.
fn checked(text: &str) -> (bool, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.toml");
    fs::write(&path, text).unwrap();
    let checked = load(&path, &Overrides::default(), &environment(), &registry());
    (checked.plan.is_some(), checked.render_plain())
}

const SMALL: &str = "name = \"t\"\n[spouts.s]\ntype = \"file\"\nconfig = { path = \"a\" }\n";

#[test]
fn topology_files_have_limits_that_say_what_they_are() {
    let with_tasks = |tasks: usize| {
        let mut text = SMALL.to_owned();
        for number in 0..tasks.div_ceil(1000) {
            let parallelism = (tasks - number * 1000).min(1000);
            write!(text, "[bolts.b{number}]\ntype = \"print\"\ninputs = [\"s\"]\nparallelism = {parallelism}\n").unwrap();
        }
        text
    };
    let with_streams = |streams: usize| {
        let streams: Vec<_> = (0..streams).map(|number| format!("s{number} = [\"a\"]")).collect();
        format!(
            "{SMALL}[bolts.b]\ncommand = [\"python3\"]\ninputs = [\"s\"]\noutputs = {{ {} }}\n",
            streams.join(", ")
        )
    };
    let with_fields = |fields: usize| {
        let fields: Vec<_> = (0..fields).map(|number| format!("\"f{number}\"")).collect();
        format!(
            "{SMALL}[bolts.b]\ncommand = [\"python3\"]\ninputs = [\"s\"]\noutputs = [{}]\n",
            fields.join(", ")
        )
    };
    let with_comment = |bytes: usize| format!("{SMALL}#{}", "x".repeat(bytes - SMALL.len() - 1));
    let parallel = |tasks: usize| {
        format!("{SMALL}[bolts.b]\ntype = \"print\"\ninputs = [\"s\"]\nparallelism = {tasks}\n")
    };
    let workers = |workers: usize| {
        let topology = format!("name = \"t\"\n[topology]\nworkers = {workers}\n");
        format!("{topology}{}", parallel(64).split_once('\n').unwrap().1)
    };
    let nested = |depth: usize| format!("{SMALL}x = {}1{}", "[".repeat(depth), "]".repeat(depth));
    for (at, above, told) in [
        (with_tasks(9_999), with_tasks(10_000), "10001 tasks are too many: the most is 10000"),
        (with_streams(1_024), with_streams(1_025), "1025 streams are too many: the most is 1024"),
        (with_fields(1_024), with_fields(1_025), "1025 fields are too many: the most is 1024"),
        (with_comment(16 << 20), with_comment((16 << 20) + 1), "it is larger than 16 MiB"),
        (parallel(1_024), parallel(1_025), "`parallelism` must be between 1 and 1024"),
        (workers(64), workers(65), "`workers` must be between 1 and 64"),
    ] {
        let (fits, said) = checked(&at);
        assert!(fits && !said.contains(told), "{}", said.chars().take(500).collect::<String>());
        let (fits, said) = checked(&above);
        assert!(!fits && said.contains(told), "{}", said.chars().take(500).collect::<String>());
    }
    assert!(!checked(&nested(100)).1.contains("brackets are open"));
    assert!(checked(&nested(129)).1.contains("more than 128 brackets are open here"));
}

/// The third of six tuples grows to 66 MiB before a link, the fourth to 62 MiB. Each task has its worker.
const GROWS: &str = r#"
name = "grows"
[topology]
workers = 5
message_timeout = "5m"
[spouts.numbers]
type = "generate"
config = { fields = { number = { counter = { start = 1 } } }, count = 6 }
retry = { max = 1, backoff = "1ms..2ms", dead_letter = "dead.jsonl" }
[bolts.make]
python = "make.py:make"
inputs = ["numbers"]
outputs = ["number", "text"]
[bolts.double]
type = "map"
inputs = ["make"]
config = { set = { text = "text + text" } }
[bolts.keep]
type = "map"
inputs = ["double"]
config = { keep = ["number"], set = { size = "size(text)" } }
[bolts.print]
type = "print"
inputs = ["keep"]
"#;
const MAKE: &str = r#"
import galewire

@galewire.bolt
def make(number):
    yield number, "x" * ({3: 33 << 20, 4: 31 << 20}.get(number, 1))
"#;

#[test]
fn a_tuple_beyond_64_mebibytes_fails_before_the_link_and_the_rest_goes_on() {
    let project = Project::new().file("topology.toml", GROWS).file("make.py", MAKE);
    let ended = project.run(&["--json"]).expect_code(0);
    let mut lines: Vec<_> = ended.out.lines().collect();
    lines.sort_unstable();
    let large = format!("4\t{}", 62 << 20);
    assert_eq!(lines, ["1\t2", "2\t2", &large, "5\t2", "6\t2"]);
    // Twice 33 MiB, and some bytes for the tuple around it.
    let told = "a tuple of 692060";
    assert!(ended.err.matches(told).count() >= 2, "{}", ended.err);
    assert!(ended.err.contains("is larger than a link between workers takes"), "{}", ended.err);
    let dead = project.read("dead.jsonl");
    assert_eq!(dead.lines().count(), 1, "{dead}");
    assert!(dead.contains(told), "{dead}");
    assert_eq!(ended.counters("double")["dropped_by"]["too_large"], 2, "{}", ended.err);
    assert_eq!(ended.counters("make")["restarts"], 0);
}

#[test]
fn a_long_tmpdir_is_passed_over_for_tmp() {
    for (length, is_used) in [(48, true), (49, false)] {
        let folder = tempfile::tempdir().unwrap();
        let missing = length - folder.path().as_os_str().len() - 1;
        let base = folder.path().join("x".repeat(missing));
        fs::create_dir(&base).unwrap();
        let tell = tells("os.environ['GALEWIRE_RUN']");
        let project = project("", &tell);
        let mut command = super::harness::galewire();
        command.args(["run", "topology.toml"]).current_dir(project.path(""));
        let output = command.env("TMPDIR", &base).output().unwrap();
        let told = String::from_utf8(output.stdout).unwrap();
        assert_eq!(told.starts_with(base.to_str().unwrap()), is_used, "{length}: {told}");
        assert!(is_used || told.starts_with("/tmp/galewire-"), "{told}");
        assert!(fs::read_dir(&base).unwrap().next().is_none(), "nothing is left there");
    }
}
