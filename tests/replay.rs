//! A saved report is judged again to the same bytes, whatever of its judgement was taken away.

use std::io::Write;
use std::process::{Command, Stdio};

use lab::story;
use serde_json::Value;

use crate::contract::bare;
use crate::stories;

fn replayed(report: &[u8]) -> (Option<i32>, Vec<u8>, String) {
    let mut command = Command::new(stories::program());
    command.env_clear().args(["replay", "-", "--format", "json"]);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut pipe = child.stdin.take().expect("a pipe");
    let report = report.to_vec();
    let writer = std::thread::spawn(move || pipe.write_all(&report));
    let output = child.wait_with_output().expect("it ends");
    let _ = writer.join();
    (output.status.code(), output.stdout, String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn the_same_bytes() {
    let _turn = stories::turn();
    let all = story::all(&story::directory()).expect("stories");
    let chosen = all.iter().filter(|story| !story.scenario.needs_namespaces()).step_by(6);
    let mut told = 0;
    for story in chosen {
        let run = lab::run::story(stories::program(), story, stories::seed()).expect("a run");
        let Some(mut report) = run.report else { continue };
        let (status, bytes, said) = replayed(&run.stdout);
        assert!(bytes == run.stdout, "{}: the replay differs; {said}", story.name);
        assert_eq!(status, run.exit, "{}", story.name);
        let members = report.as_object_mut().expect("an object");
        for judged in ["verdict", "checks", "diagnoses", "requirements", "suppressed", "counts", "target", "vantage"] {
            members.remove(judged);
        }
        let (_, bytes, said) = replayed(report.to_string().as_bytes());
        assert!(bytes == run.stdout, "{}: the replay of the evidence alone differs; {said}", story.name);
        told += 1;
    }
    assert!(told >= 30, "{told}");
}

#[test]
fn what_is_no_report_is_refused() {
    let story = story::named(&story::directory(), "dns/nxdomain").expect("a story");
    let report = lab::run::story(stories::program(), &story, stories::seed()).expect("a run").stdout;
    let mut other: Value = serde_json::from_slice(&report).expect("JSON");
    other["schema"] = Value::from("entra-preflight/report/9");
    for bytes in [
        b"".to_vec(),
        b"{}".to_vec(),
        b"\xff\xfe\x00".to_vec(),
        b"[".repeat(100_000),
        report[..report.len() / 2].to_vec(),
        other.to_string().into_bytes(),
    ] {
        let (status, stdout, said) = replayed(&bytes);
        assert_eq!(status, Some(2), "{said}");
        assert!(stdout.is_empty() && said.lines().count() == 1 && said.contains("standard input"), "{said}");
    }
    let missing = bare(&["replay", "nowhere/report.json"]);
    assert_eq!(missing.status.code(), Some(2));
}
