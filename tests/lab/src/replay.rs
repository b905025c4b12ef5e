//! Judges a run's report again with the program itself, which must print the same bytes.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use serde_json::Value;

use crate::run::Run;

/// What a report holds that is judged from its evidence.
const JUDGED: [&str; 8] =
    ["verdict", "checks", "diagnoses", "requirements", "suppressed", "counts", "target", "vantage"];

/// In what the replay of this run's report, whole and without its judgement, differs from the report. Empty when there is none to replay.
///
/// # Errors
/// When the program cannot be started.
pub fn differences(program: &Path, run: &Run) -> Result<Vec<String>, String> {
    let mut wrong = Vec::new();
    let Some(report) = &run.report else { return Ok(wrong) };
    let (exit, bytes, said) = again(program, run.stdout.clone(), &run.checks)?;
    if bytes != run.stdout {
        wrong.push(format!("the replay of the report differs: {said}"));
    }
    if exit != run.exit {
        wrong.push(format!("the replay ends with {exit:?}, the run ended with {:?}", run.exit));
    }
    let (_, bytes, said) = again(program, evidence_alone(report).to_string().into_bytes(), &run.checks)?;
    if bytes != run.stdout {
        wrong.push(format!("the replay of the evidence alone differs: {said}"));
    }
    Ok(wrong)
}

/// The report without what was judged.
fn evidence_alone(report: &Value) -> Value {
    let mut left = report.clone();
    if let Some(members) = left.as_object_mut() {
        for member in JUDGED {
            members.remove(member);
        }
    }
    left
}

/// The exit status, standard output and standard error of a replay with the same checks of the user's own.
///
/// # Errors
/// When the program cannot be started.
pub fn again(
    program: &Path,
    report: Vec<u8>,
    checks: &[(String, String)],
) -> Result<(Option<i32>, Vec<u8>, String), String> {
    let mut command = Command::new(program);
    command.env_clear().args(["replay", "-", "--format", "json"]);
    let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
    if !checks.is_empty() {
        crate::command::lay(dir.path(), checks).map_err(|error| error.to_string())?;
        command.arg("--checks").arg(dir.path());
    }
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| format!("{} does not start: {error}", program.display()))?;
    // In a thread of its own: a program that refuses its input early does not read the rest.
    let writer = child.stdin.take().map(|mut pipe| thread::spawn(move || pipe.write_all(&report)));
    let output = child.wait_with_output().map_err(|error| error.to_string())?;
    if let Some(writer) = writer {
        let _ = writer.join();
    }
    Ok((output.status.code(), output.stdout, String::from_utf8_lossy(&output.stderr).into_owned()))
}
