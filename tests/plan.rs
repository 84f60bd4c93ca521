//! From a good file to the plan, and the plan as text.

use std::fs;
use std::path::Path;
use std::time::Duration;

use galewire::base::{ByteSize, ComponentIdx};
use galewire::component::Role;
use galewire::topology::{
    self, DeadLetters, Environment, Guarantee, LinkKind, Overrides, Plan, Version, load,
    worst_case_bytes,
};
use serde_json::{Value, json};

use crate::check::environment;
use crate::kinds::registry;

fn plan_with(path: &Path, overrides: &[&str], environment: &Environment) -> Plan {
    let overrides = Overrides(overrides.iter().map(|&text| text.to_owned()).collect());
    let checked = load(path, &overrides, environment, &registry());
    assert!(checked.diagnostics.is_empty(), "{}", checked.render_plain());
    checked.plan.unwrap()
}

fn good() -> Plan {
    plan_with(Path::new("tests/check/good.toml"), &[], &environment())
}

fn named<'p>(plan: &'p Plan, name: &str) -> (ComponentIdx, &'p topology::PlannedComponent) {
    let place = plan.components.iter().position(|component| component.name == name);
    let index = ComponentIdx(place.unwrap() as u16);
    (index, plan.component(index))
}

#[test]
fn settings_are_as_written_and_else_the_defaults() {
    let settings = good().settings;
    assert_eq!(settings.workers, 2);
    assert_eq!(settings.guarantee, Guarantee::AtLeastOnce);
    assert_eq!(settings.message_timeout, Duration::from_secs(30));
    assert_eq!(settings.mailbox, ByteSize(256 * 1024));
    assert_eq!(settings.link_window, ByteSize(1024 * 1024));
    assert_eq!(settings.link, LinkKind::Ipc);
    assert_eq!(settings.drain_timeout, Duration::from_secs(300));
    let state = "/home/gale/.local/state/galewire/word-count";
    assert_eq!(settings.state_dir, Path::new(state));
}

#[test]
fn producers_stand_before_consumers() {
    let plan = good();
    for (index, component) in plan.components.iter().enumerate() {
        for input in &component.inputs {
            assert!(input.from.index() < index, "{}", component.name);
        }
    }
    let ids: Vec<u32> = plan.tasks.iter().map(|task| task.id.0).collect();
    assert_eq!(ids, (1..=8).collect::<Vec<_>>());
}

#[test]
fn groupings_know_where_their_fields_stand() {
    let plan = good();
    let (_, count) = named(&plan, "count");
    assert_eq!(count.inputs[0].grouping.indexes, [0]);
    assert!(count.keeps_memory);
    let (_, rejects) = named(&plan, "rejects");
    let (_, split) = named(&plan, "split");
    let stream = &split.outputs[rejects.inputs[0].stream.index()];
    assert_eq!(stream.name, "errors");
    assert_eq!(split.outputs[0].name, "default");
}

#[test]
fn a_command_gets_all_it_needs_as_options() {
    let plan = good();
    let (_, split) = named(&plan, "split");
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/check/handlers");
    assert_eq!((split.role, split.kind.as_str()), (Role::Bolt, "command"));
    assert_eq!(
        split.options,
        json!({
            "command": ["python3", "plain.py"],
            "dir": dir,
            "env": { "PYTHONHASHSEED": "0" },
            "env_inherit": null,
            "limits": {},
            "config": { "min_length": 3 },
            "language": "python",
            "protocol": "json",
            "heartbeat": false,
            "activation": true,
            "task_ids": "on_request", "nexts": 1,
            "max_in_flight": 500,
            "timeout_ms": 300_000,
            "handshake_timeout_ms": 60_000,
            "heartbeat_timeout_ms": 60_000,
            "stop_grace_ms": 5_000,
            "utf8_locale": false,
            "path": environment().get("PATH"),
            "pythonpath": null,
            "nodepath": null,
            "batch": true,
        })
    );
    assert_eq!(split.tick, Some(Duration::from_secs(1)));
    assert_eq!(split.restart.max, 3);
    assert_eq!(split.restart.within, Duration::from_secs(300));
    assert_eq!(split.restart.backoff_greatest, Duration::from_secs(30));
}

#[test]
fn handlers_are_run_by_the_sdks() {
    let plan = good();
    let command = |name| named(&plan, name).1.options["command"].clone();
    assert_eq!(command("look"), json!(["python3", "-m", "galewire", "handlers/split.py:split"]));
    let node = json!(["node", "{sdk}/node/galewire/run.mjs", "handlers/score.mjs:score"]);
    assert_eq!(command("score"), node);
    let needs = topology::programs(&plan);
    let needs: Vec<_> = needs
        .iter()
        .map(|need| (need.component.as_str(), need.program.as_str(), need.minimum))
        .collect();
    let python = ("look", "python3", Some(Version(3, 9)));
    assert_eq!(needs.len(), 2);
    assert!(needs.contains(&python), "{needs:?}");
    assert!(needs.contains(&("score", "node", Some(Version(18, 19)))));
}

#[test]
fn retry_and_dead_letters_are_planned() {
    let plan = good();
    let (_, spout) = named(&plan, "sentences");
    assert_eq!(spout.retry.max, Some(5));
    assert_eq!(spout.retry.backoff_least, Duration::from_millis(100));
    let dead_letter = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/check/rejects.jsonl");
    assert_eq!(spout.retry.dead_letter, Some(DeadLetters::File(dead_letter)));
    assert_eq!(spout.options, json!({ "path": "data/book.txt" }));
}

#[test]
fn a_plan_survives_its_journey_as_json() {
    let plan = good();
    let back: Plan = serde_json::from_str(&serde_json::to_string(&plan).unwrap()).unwrap();
    assert_eq!(back, plan);
}

#[test]
fn a_plan_that_is_shown_hides_the_values_of_variables_and_nothing_else() {
    let plan = good();
    let shown = topology::json(&plan);
    let mut expected = plan;
    let split = expected.components.iter_mut().find(|one| one.name == "split").unwrap();
    split.options["env"]["PYTHONHASHSEED"] = json!("(hidden)");
    let program = split.program.as_mut().unwrap();
    program.env.insert("PYTHONHASHSEED".to_owned(), "(hidden)".to_owned());
    assert_eq!(serde_json::from_str::<Plan>(&shown).unwrap(), expected);
}

#[test]
fn set_and_extends_lay_over_each_other() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("shared");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("split.py"), "def split(line): pass\n").unwrap();
    let base = "name = \"base\"\n[topology]\nworkers = 2\nlink = \"tcp\"\nrestart = { max = 1 }\n\
                [spouts.lines]\ntype = \"file\"\nconfig = { path = \"a\", format = \"text\" }\n\
                [bolts.split]\npython = \"split.py:split\"\ninputs = [\"lines\"]\n";
    fs::write(folder.join("base.toml"), base).unwrap();
    let main = "extends = \"shared/base.toml\"\nname = \"main\"\n[topology]\nworkers = 1\n\
                [spouts.lines]\nconfig = { path = \"b\" }\n";
    let path = dir.path().join("main.toml");
    fs::write(&path, main).unwrap();
    let sets = ["bolts.split.parallelism=3", "spouts.lines.config.path=c.txt"];
    let plan = plan_with(&path, &sets, &environment());
    assert_eq!(plan.name, "main");
    assert_eq!(plan.settings.workers, 1);
    assert_eq!(plan.settings.link, LinkKind::Tcp);
    let (_, lines) = named(&plan, "lines");
    assert_eq!(lines.options, json!({ "path": "c.txt", "format": "text" }));
    let (split_index, split) = named(&plan, "split");
    assert_eq!(plan.tasks_of(split_index).count(), 3);
    assert_eq!(split.restart.max, 1);
    // A handler stays beside the file that names it.
    assert_eq!(split.program.as_ref().unwrap().dir, folder);
}

#[test]
fn a_virtual_environment_beside_the_file_is_used() {
    let dir = tempfile::tempdir().unwrap();
    let bin = dir.path().join(".venv/bin");
    fs::create_dir_all(&bin).unwrap();
    fs::copy("tests/check/bin/python3", bin.join("python")).unwrap();
    fs::write(dir.path().join("split.py"), "def split(line): pass\n").unwrap();
    let text = "name = \"t\"\n[spouts.lines]\ntype = \"file\"\nconfig = { path = \"a\" }\n\
                [bolts.split]\npython = \"split.py:split\"\ninputs = [\"lines\"]\n";
    let path = dir.path().join("t.toml");
    fs::write(&path, text).unwrap();
    let plan = plan_with(&path, &[], &environment());
    let python = bin.join("python").display().to_string();
    assert_eq!(named(&plan, "split").1.options["command"][0], python);
    let plan = plan_with(&path, &["topology.python=python3"], &environment());
    assert_eq!(named(&plan, "split").1.options["command"][0], "python3");
}

#[test]
fn queues_are_bounded_and_the_bound_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let text = "name = \"t\"\n[topology]\nworkers = 2\nmailbox = \"100KiB\"\n\
                link_window = \"1MiB\"\n[spouts.lines]\ntype = \"file\"\nconfig = { path = \"a\" }\n\
                parallelism = 2\n[bolts.show]\ntype = \"print\"\ninputs = [\"lines\"]\n\
                parallelism = 2\n";
    let path = dir.path().join("t.toml");
    fs::write(&path, text).unwrap();
    let plan = plan_with(&path, &[], &environment());
    // Two tasks, each fed by two workers and with a batch in hand; two links; two tasks that may have
    // a batch open for each of two others.
    let tasks = 4 * 100 * 1024 + 2 * 64 * 1024 + 2 * 128 * 1024;
    assert_eq!(worst_case_bytes(&plan), ByteSize(tasks + 2 * 1024 * 1024));
    assert_eq!(topology::memory_line(&plan), "at most 2.8MiB waiting in queues");
    let set = "bolts.show.inputs=[{ from = \"lines\", on_full = \"drop_oldest\" }]";
    let plan = plan_with(&path, &[set], &environment());
    // Two tasks that have a budget for each of two others.
    let tasks = 4 * 100 * 1024 + 2 * 64 * 1024 + 2 * 2 * 100 * 1024;
    assert_eq!(worst_case_bytes(&plan), ByteSize(tasks + 2 * 1024 * 1024));
    assert!(topology::table(&plan, None).contains("lines (shuffle; drop_oldest)"));
}

#[test]
fn what_waits_behind_an_input_that_drops_does_not_use_up_the_messages_in_flight() {
    let dir = tempfile::tempdir().unwrap();
    let text = |on_full: &str| {
        format!(
            "name = \"t\"\n[spouts.lines]\ntype = \"file\"\nconfig = {{ path = \"a\" }}\n\
             [spouts.others]\ntype = \"file\"\nconfig = {{ path = \"b\" }}\n\
             [bolts.show]\ntype = \"print\"\n\
             inputs = [\"others\", {{ from = \"lines\", on_full = \"{on_full}\" }}]\n"
        )
    };
    let path = dir.path().join("t.toml");
    for (on_full, drops) in [("block", false), ("shed", true)] {
        fs::write(&path, text(on_full)).unwrap();
        let plan = plan_with(&path, &[], &environment());
        let aside = |spout| topology::messages_aside(&plan, named(&plan, spout).0);
        assert_eq!((aside("lines") > 8192, aside("others")), (drops, 0), "{on_full}");
    }
}

#[test]
fn the_plan_reads_well() {
    let plan = good();
    let shown = [topology::table(&plan, Some(110)), topology::dot(&plan), topology::mermaid(&plan)];
    let shown = shown.join("\n").replace(env!("CARGO_MANIFEST_DIR"), "HERE");
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        fs::write("tests/check/good-plan.txt", &shown).unwrap();
    }
    let expected = fs::read_to_string("tests/check/good-plan.txt").unwrap_or_default();
    assert_eq!(shown, expected);
}

#[test]
fn the_schema_knows_every_key_and_kind() {
    let schema = topology::schema(&registry());
    assert_eq!(schema["properties"]["topology"]["properties"]["workers"]["default"], json!(1));
    assert_eq!(schema["properties"]["topology"]["additionalProperties"], json!(false));
    let types = &schema["$defs"]["bolt"]["properties"]["type"]["enum"];
    assert_eq!(*types, json!(["count", "print", "write"]));
    assert_eq!(schema["$defs"]["spout.file"]["properties"]["path"]["type"], json!("string"));
    assert!(schema["$defs"]["spout"]["properties"].get("inputs").is_none());
    let mut references = Vec::new();
    collect_references(&schema, &mut references);
    assert!(references.len() > 5);
    for reference in references {
        assert!(schema.pointer(&reference[1..]).is_some(), "{reference}");
    }
}

fn collect_references(schema: &Value, found: &mut Vec<String>) {
    match schema {
        Value::Object(object) => {
            if let Some(reference) = object.get("$ref").and_then(Value::as_str) {
                found.push(reference.to_owned());
            }
            object.values().for_each(|value| collect_references(value, found));
        }
        Value::Array(values) => values.iter().for_each(|value| collect_references(value, found)),
        _ => {}
    }
}
