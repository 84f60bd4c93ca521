//! Asks the programs that a plan needs for their versions, before anything is started.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::topology::{Plan, ProgramProblem, programs};

/// Everything that is wrong with the programs of a plan; each program is asked once, all at a time.
pub fn missing_programs(plan: &Plan) -> Vec<ProgramProblem> {
    let needs = programs(plan);
    let mut asked: BTreeMap<(PathBuf, String), Option<String>> =
        needs.iter().map(|need| ((need.dir.clone(), need.program.clone()), None)).collect();
    std::thread::scope(|scope| {
        for ((dir, program), answer) in &mut asked {
            scope.spawn(move || *answer = ask(dir, program));
        }
    });
    let judge = |need: &crate::topology::ProgramNeed| {
        let printed = asked.get(&(need.dir.clone(), need.program.clone()));
        need.judge(printed.and_then(Option::as_deref)).err()
    };
    needs.iter().filter_map(judge).collect()
}

/// What a program prints when it is asked for its version; `None` where it does not run.
fn ask(dir: &std::path::Path, program: &str) -> Option<String> {
    let mut command = Command::new(program);
    let output = command.arg("--version").current_dir(dir).stdin(Stdio::null()).output().ok()?;
    // Old Pythons answer on stderr.
    let told = if output.stdout.is_empty() { output.stderr } else { output.stdout };
    output.status.success().then(|| String::from_utf8_lossy(&told).into_owned())
}
