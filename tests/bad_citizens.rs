//! Bolts that print, raise, leave, hang and forget: the run lives, and says what happened.

use super::harness::Project;

fn project(settings: &str, python: &str) -> Project {
    let topology = format!(
        r#"
name = "citizens"
[topology]
{settings}
[spouts.numbers]
type = "generate"
config = {{ fields = {{ number = {{ counter = {{ start = 1 }} }} }}, count = 20 }}
[bolts.citizen]
python = "citizen.py:citizen"
inputs = ["numbers"]
outputs = ["number"]
restart = {{ backoff = "10ms..20ms" }}
[bolts.print]
type = "print"
inputs = ["citizen"]
"#
    );
    Project::new().file("topology.toml", &topology).file("citizen.py", python)
}

fn numbers(ended: &super::harness::Ended) -> Vec<i64> {
    let mut numbers: Vec<_> = ended.out.lines().map(|line| line.parse().unwrap()).collect();
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}

fn all() -> Vec<i64> {
    (1..=20).collect()
}

#[test]
fn a_bolt_that_prints_gets_log_lines() {
    let python = "import galewire, os\n\n@galewire.bolt\ndef citizen(number):\n    \
                  print('seen', number)\n    os.write(1, b'raw bytes\\n')\n    yield number\n";
    let ended = project("", python).run(&[]).expect_code(0).expect_told("seen 7");
    assert!(ended.err.contains("raw bytes"), "{}", ended.err);
    assert_eq!(numbers(&ended), all());
    assert_eq!(ended.out.lines().count(), 20, "stdout carries only what print prints");
}

#[test]
fn a_bolt_that_raises_fails_the_tuple_and_shows_its_traceback() {
    let python = "import galewire\nseen = set()\n\n@galewire.bolt\ndef citizen(number):\n    \
                  if number == 7 and number not in seen:\n        seen.add(number)\n        \
                  raise ValueError('seven is odd')\n    yield number\n";
    let ended = project("", python)
        .run(&[])
        .expect_code(0)
        .expect_told("ValueError: seven is odd")
        .expect_told("citizen.py\", line 8");
    assert_eq!(numbers(&ended), all());
}

#[test]
fn c46_a_bolt_that_exits_with_0_is_started_again() {
    let python = "import galewire, os\n\n@galewire.bolt\ndef citizen(number):\n    \
                  if number == 7 and not os.path.exists('left'):\n        \
                  open('left', 'w').close()\n        os._exit(0)\n    yield number\n";
    let ended = project("", python)
        .run(&[])
        .expect_code(0)
        .expect_told("exited with status 0; it is started again");
    assert_eq!(numbers(&ended), all());
}

#[test]
fn a_bolt_that_always_dies_fails_the_run_with_its_last_words() {
    let python = "import galewire, sys, os\n\n@galewire.bolt\ndef citizen(number):\n    \
                  sys.stderr.write('cannot go on\\n')\n    sys.stderr.flush()\n    os._exit(3)\n";
    let project = project("", python);
    let max = "bolts.citizen.restart={ max = 2, within = \"1m\", backoff = \"10ms..20ms\" }";
    project
        .run(&["--set", max])
        .expect_code(1)
        .expect_told("citizens failed: citizen (task 2) failed:")
        .expect_told("exited with status 3 (restarted 2 times within 1m)")
        .expect_told("cannot go on");
}

#[test]
fn a_bolt_that_hangs_past_its_time_out_is_killed_and_started_again() {
    let python = "import galewire, os, signal\n\n@galewire.bolt\ndef citizen(number):\n    \
                  if number == 7 and not os.path.exists('hung'):\n        \
                  open('hung', 'w').close()\n        signal.pause()\n    yield number\n";
    let project = project("", python);
    let ended = project.run(&["--set", "bolts.citizen.timeout=\"1s\""]).expect_code(0);
    assert!(ended.err.contains("timeout"), "{}", ended.err);
    assert!(ended.err.contains("started again"), "{}", ended.err);
    assert_eq!(numbers(&ended), all());
}

#[test]
fn a_bolt_that_never_acks_is_named() {
    let python = "import galewire\n\n@galewire.bolt(auto_ack=False)\ndef citizen(number, *, tup):\n    \
                  pass\n";
    let python = python.replace(", *, tup", "");
    let project = project("message_timeout = \"1s\"\ndrain_timeout = \"2s\"", &python);
    project
        .run(&["--for", "7s"])
        .expect_code(1)
        .expect_told("timed out before every bolt had acked them (citizen holds")
        .expect_told("did not drain within 2s");
}

#[test]
fn a_script_that_cannot_be_imported_shows_its_traceback() {
    let python = "import nothing_like_this\n\ndef citizen(number):\n    pass\n";
    let project = project("", python);
    let max = "bolts.citizen.restart={ max = 1, within = \"1m\", backoff = \"10ms..20ms\" }";
    project.run(&["--set", max]).expect_code(1).expect_told("No module named 'nothing_like_this'");
}
