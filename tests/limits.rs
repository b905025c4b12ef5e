//! A machine that has nothing left for us, a reader that goes away, a signal at any moment: never a panic, never a wrong answer.

use std::process::{Command, Output, Stdio};
use std::time::Duration;

use lab::world::World;
use serde_json::Value;

use crate::contract::{command, healthy, told, world};
use crate::stories;

/// The program below a shell that limits it first.
fn limited(world: &World, limit: &str, more: &[&str]) -> Output {
    let mut shell = Command::new("/bin/sh");
    shell.env_clear().envs(world.env.iter().map(|(name, value)| (name, value)));
    shell.args(["-c", &format!("{limit}; exec \"$@\""), "sh"]).arg(stories::program()).args(&world.args).args(more);
    shell.stdin(Stdio::null()).output().expect("a shell")
}

#[test]
fn without_file_descriptors_nothing_is_concluded() {
    let _turn = stories::turn();
    let world = healthy();
    for files in [9, 12, 14, 16, 24] {
        let output = limited(&world, &format!("ulimit -n {files}"), &["--format", "json"]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!said.contains("a defect"), "{files}: {said}");
        match output.status.code() {
            // No threads, no files: said before anything was probed.
            Some(2) => assert_eq!(said.lines().count(), 1, "{files}: {said}"),
            Some(0 | 3) => {
                let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
                assert_eq!(report["diagnoses"].as_array().map(Vec::len), Some(0), "{files}: {report}");
            }
            other => panic!("{files}: status {other:?}: {said}"),
        }
    }
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let world = healthy();
    let output = limited(&world, "exec 1>&-", &[]);
    assert!(matches!(output.status.code(), Some(0 | 2)), "{:?}", output.status);
    let mut child =
        command(&world, &["-v"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_full_disk_is_told() {
    let world = healthy();
    let full = std::fs::File::options().write(true).open("/dev/full").expect("/dev/full");
    let output = command(&world, &[]).stdout(full).output().expect("the program starts");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2));
    assert!(said.contains("standard output"), "{said}");
}

#[test]
fn a_signal_at_any_moment_leaves_a_valid_report_or_nothing() {
    let _turn = stories::turn();
    let silent = world(&told(
        "[world]\ntimeout = \"9s\"\ndeadline = \"20s\"\n[login]\ntcp = \"silent\"\n[server]\nssl = \"silent\"",
    ));
    std::thread::scope(|scope| {
        for turn in 0..12_u64 {
            let mut command = command(&silent, &["--format", "json"]);
            scope.spawn(move || {
                let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts");
                std::thread::sleep(Duration::from_millis(fastrand::u64(..400) + turn * 150));
                let signal = if turn % 2 == 0 { "-INT" } else { "-TERM" };
                let _ = Command::new("kill").args([signal, &child.id().to_string()]).status();
                let output = child.wait_with_output().expect("it ends");
                match output.status.code() {
                    // Before the first packet the signal simply ends the program.
                    None => assert!(output.stdout.is_empty()),
                    Some(130 | 143) => {
                        let report: Value = serde_json::from_slice(&output.stdout).expect("a valid partial report");
                        assert_ne!(report["verdict"], "pass");
                    }
                    other => panic!("status {other:?}: {}", String::from_utf8_lossy(&output.stderr)),
                }
            });
        }
    });
}
