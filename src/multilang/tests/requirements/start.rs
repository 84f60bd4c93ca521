//! Starting a child: C1 to C6.

use std::fs;

use serde_json::json;

use super::super::harness::{BoltRig, options, python, text};

/// What a child emits for one tuple.
fn told_with(script: &str, more: serde_json::Value, arguments: &[&str]) -> (BoltRig, String) {
    let script = format!("hello()\nfor t in tuples():\n    emit(t, {script})\n    ack(t)");
    let mut options = python(&script, more);
    options.command.extend(arguments.iter().map(ToString::to_string));
    let mut rig = BoltRig::new(options);
    rig.give(text(1, "x"));
    rig.until("acked", |rig| rig.out.acked() == [1]);
    let told = rig.out.emitted().remove(0);
    (rig, told)
}

fn told(script: &str, more: serde_json::Value) -> String {
    told_with(script, more, &[]).1
}

#[test]
fn c01_arguments_are_passed_word_for_word_and_without_a_shell() {
    let arguments = ["a b", "$HOME; exit 1", "{\"k\": [1]}", "", "*", "{sdk}", "x{sdk}/y", "it's"];
    let (_, told) = told_with("sys.argv[1:]", json!({}), &arguments);
    let told: Vec<Vec<String>> = serde_json::from_str(&told).unwrap();
    assert_eq!(told, [arguments]);
}

#[test]
fn c02_modules_beside_the_component_are_found_in_the_folder_it_names() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("storm.py"), "MARK = 'its own'\n").unwrap();
    let script = "__import__('storm').MARK, os.getcwd()";
    let told = told(script, json!({"dir": folder.path()}));
    let folder = folder.path().canonicalize().unwrap();
    assert_eq!(told, format!("[\"its own\",\"{}\"]", folder.display()));
}

#[test]
fn c02_node_requires_what_lies_in_the_folder_it_names() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("storm.js"), "exports.mark = 'its own';\n").unwrap();
    let script = "console.error('found ' + require('./storm').mark)";
    let mut rig = BoltRig::new(options(json!({
        "command": ["node", "-e", script], "dir": folder.path(),
    })));
    rig.death();
    assert!(rig.world.reports.has_log("found its own"));
}

#[test]
fn c02_the_folder_is_the_topologys_where_none_is_named() {
    let (rig, told) = told_with("os.getcwd()", json!({}), &[]);
    let folder = rig.context.dir.canonicalize().unwrap();
    assert_eq!(told, format!("[\"{}\"]", folder.display()));
}

#[test]
fn c03_variables_are_added_to_those_that_are_inherited() {
    let script = "os.environ['EXTRA'], \
                  [pair for pair in open('/proc/%d/environ' % os.getppid()).read().split('\\0') \
                  if pair and pair.split('=', 1)[0] not in [*os.environ, '_']]";
    assert_eq!(told(script, json!({"env": {"EXTRA": "a b"}})), "[\"a b\",[]]");
}

#[test]
fn c03_a_folder_can_be_added_to_the_path_and_programs_are_found_there() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("its-own-python");
    fs::write(&program, "#!/bin/sh\nexec python3 \"$@\"\n").unwrap();
    fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let own = format!("${{PATH}}:{}", folder.path().display());
    let script = "hello()\nfor t in tuples():\n    emit(t, os.environ['PATH'])\n    ack(t)";
    let inherited = "/usr/local/bin:/usr/bin:/bin";
    let mut options = python(script, json!({"env": {"PATH": own}, "path": inherited}));
    options.command[0] = "its-own-python".to_owned();
    let mut rig = BoltRig::new(options);
    rig.give(text(1, "x"));
    rig.until("acked", |rig| rig.out.acked() == [1]);
    let expected = format!("[\"{inherited}:{}\"]", folder.path().display());
    assert_eq!(rig.out.emitted(), [expected]);
}

#[test]
fn c04_stdin_and_stdout_are_pipes_and_no_terminal() {
    let script = "[(__import__('stat').S_ISFIFO(os.fstat(fd).st_mode), os.isatty(fd)) \
                  for fd in (0, 1, 2)]";
    assert_eq!(told(script, json!({})), "[[[true, false], [true, false], [true, false]]]");
}

#[test]
fn c05_a_child_gets_a_utf8_locale_where_none_is_inherited() {
    let script = "os.environ['LC_ALL'], sys.stdout.encoding.lower()";
    assert_eq!(told(script, json!({"utf8_locale": false})), "[\"C.UTF-8\",\"utf-8\"]");
}

#[test]
fn c06_a_child_leads_a_group_of_its_own_and_dies_with_its_worker() {
    // 2 is PR_GET_PDEATHSIG, which writes the signal's number.
    let script = "os.getpgrp() == os.getpid(), \
                  (lambda c, n: (c.CDLL(None).prctl(2, c.byref(n)), n.value)[1])\
                  (__import__('ctypes'), __import__('ctypes').c_int())";
    assert_eq!(told(script, json!({})), "[true,9]");
}

#[test]
fn c06_a_child_that_does_not_stop_gets_sigterm_and_no_other_signal_before_the_last() {
    let script = r#"
def heard(number, frame):
    print("signal", number, file=sys.stderr, flush=True)
for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
    try:
        signal.signal(number, heard)
    except OSError:
        pass
hello()
while True:
    signal.pause()
"#;
    let mut rig = BoltRig::new(python(script, json!({"stop_grace_ms": 1000})));
    rig.until("up", |rig| rig.world.reports.has_log("is up"));
    rig.close();
    let logs = rig.world.reports.logs.lock().unwrap();
    let signals = logs.iter().filter_map(|(_, line)| line.split_once("signal "));
    assert_eq!(signals.map(|(_, number)| number).collect::<Vec<_>>(), ["15"]);
}
