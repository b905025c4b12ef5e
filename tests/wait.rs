//! `--wait`: run after run until the verdict is pass, the time is over, or somebody has enough.

use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::contract::{bare, command, in_world, told, world};
use crate::stories;

fn rounds(stderr: &[u8]) -> usize {
    String::from_utf8_lossy(stderr).matches("once more").count()
}

#[test]
fn a_world_that_heals_ends_the_wait() {
    let _turn = stories::turn();
    // A run asks a busy metadata service again within its patience; four refusals last into the second run.
    let heals = world(&told("[metadata]\nstatus = 503\ntimes = 4"));
    let output = in_world(&heals, &["--wait", "2m", "--format", "json"]);
    let report: Value = serde_json::from_slice(&output.stdout).expect("one report, the last one");
    assert_eq!(report["verdict"], "pass", "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(0));
    assert!(rounds(&output.stderr) > 0, "it passed at once: {report}");
}

#[test]
fn a_broken_world_is_reported_when_the_time_is_over() {
    let _turn = stories::turn();
    let broken = world(&told("[login]\nhttp = \"404\""));
    let output = in_world(&broken, &["--wait", "8s", "--format", "json"]);
    let report: Value = serde_json::from_slice(&output.stdout).expect("one report");
    assert_eq!((&report["verdict"], output.status.code()), (&Value::from("fail"), Some(1)));
    assert!(rounds(&output.stderr) > 0);
}

#[test]
fn a_signal_ends_the_wait_with_the_last_report() {
    let _turn = stories::turn();
    let broken = world(&told("[login]\nhttp = \"404\""));
    let mut command = command(&broken, &["--wait", "5m", "--format", "json"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts");
    std::thread::sleep(Duration::from_secs(3));
    assert!(Command::new("kill").arg(child.id().to_string()).status().expect("kill").success());
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(143));
    let report: Value = serde_json::from_slice(&output.stdout).expect("one report");
    assert_eq!(report["verdict"], "fail");
}

#[test]
fn what_can_be_read_only_once_cannot_be_waited_for() {
    for option in ["--token-file", "--reported"] {
        let output = bare(&["--wait", "1m", option, "-"]);
        assert_eq!(output.status.code(), Some(2));
        assert!(String::from_utf8_lossy(&output.stderr).contains(option), "{option}");
    }
    assert_eq!(bare(&["--wait", "soon"]).status.code(), Some(2));
}
