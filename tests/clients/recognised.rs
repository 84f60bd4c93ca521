//! What is chosen by itself for a client that is recognised, as `galewire plan` shows it.

use super::super::harness::Project;
use super::installed::project;

fn planned(project: Project, tasks: usize) -> String {
    let topology = format!(
        "name = \"known\"\n\
         [spouts.lines]\ncommand = [\"python3\", \"lines.py\"]\noutputs = [\"line\"]\n\
         [bolts.split]\ncommand = [\"python3\", \"split.py\"]\ninputs = [\"lines\"]\n\
         outputs = [\"word\"]\n\
         [bolts.count]\ntype = \"count\"\nparallelism = {tasks}\n\
         inputs = [{{ from = \"split\", grouping = {{ fields = [\"word\"] }} }}]\n\
         [bolts.print]\ntype = \"print\"\ninputs = [\"count\"]\n"
    );
    let project = project.file("topology.toml", &topology);
    let told = project.plan().expect_code(0);
    // A narrow terminal breaks lines anywhere.
    told.out.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn c33_a_released_storm_py_beside_the_script_is_told_task_ids_ahead() {
    let plan = planned(project("storm-py", &["storm/storm.py"]), 1);
    assert!(plan.contains("task_ids = \"ahead\": storm.py of Storm 2.5.0 and later"), "{plan}");
    assert!(plan.contains("max_in_flight = 64: storm.py of Storm 2.5.0 and later"), "{plan}");
}

#[test]
fn c33_where_values_decide_the_plan_says_why_ids_are_not_told_ahead() {
    let plan = planned(project("storm-py", &["storm/storm.py"]), 2);
    let why = "task_ids = \"on_request\": `word` decides which of the 2 tasks of `count`";
    assert!(plan.contains(why), "{plan}");
}

#[test]
fn a_changed_storm_py_is_not_taken_for_a_released_one() {
    let project = project("storm-py", &["storm/storm.py"]);
    let changed = project.read("storm.py") + "\n# mended\n";
    let plan = planned(project.file("storm.py", &changed), 1);
    assert!(!plan.contains("task_ids"), "{plan}");
}

#[test]
fn a_storm_py_without_heartbeats_gets_none() {
    let plan = planned(project("storm-py", &["storm-0.9.2/storm.py"]), 1);
    assert!(plan.contains("heartbeat = false: storm.py of Storm 0.9.2 knows none"), "{plan}");
}
