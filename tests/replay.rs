//! A saved report is judged again to the same bytes, whatever of its judgement was taken away.

use std::sync::atomic::{AtomicUsize, Ordering};

use lab::story::{self, Story};
use serde_json::Value;

use crate::contract::{bare, in_world, told, world};
use crate::stories;

fn replayed(report: &[u8]) -> (Option<i32>, Vec<u8>, String) {
    lab::replay::again(stories::program(), report.to_vec(), &[]).expect("the program starts")
}

/// A quick sample: wherever all stories are told, each of their reports is judged again.
#[test]
fn the_same_bytes() {
    let _turn = stories::turn();
    let all = story::all(&story::directory()).expect("stories");
    let chosen: Vec<_> = all.iter().filter(|story| !story.scenario.needs_namespaces()).step_by(6).collect();
    let told = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for part in chosen.chunks(chosen.len().div_ceil(4)) {
            let told = &told;
            scope.spawn(move || told.fetch_add(replay_all(part), Ordering::Relaxed));
        }
    });
    let told = told.into_inner();
    assert!(told >= 30, "{told}");
}

fn replay_all(stories: &[&Story]) -> usize {
    let mut told = 0;
    for story in stories {
        let run = lab::run::story(stories::program(), story, stories::seed()).expect("a run");
        if run.report.is_none() {
            continue;
        }
        let wrong = lab::replay::differences(stories::program(), &run).expect("the program starts");
        assert!(wrong.is_empty(), "{}: {}", story.name, wrong.join("; "));
        told += 1;
    }
    told
}

/// A page of a saved report is the page that was printed, and the report's own file is as good as standard input.
#[test]
fn every_format_of_a_replay_is_that_of_the_run() {
    let directory = tempfile::tempdir().expect("a directory");
    let place = |name: &str| directory.path().join(name).display().to_string();
    let world = world(&told("[login]\ntls = \"self-signed\"\n[[nameserver]]\n[[nameserver]]\nall = \"servfail\""));
    for detail in [&[][..], &["-q"], &["-v"], &["-vv"]] {
        let formats = [
            format!("json={}", place("saved.json")),
            format!("text={}", place("page")),
            format!("json={}", place("again.json")),
        ];
        let run = in_world(&world, &[&["--format", &formats[0], "--format", &formats[1]], detail].concat());
        let page = std::fs::read(place("page")).expect("the page");
        assert!(!page.is_empty());
        let file = place("saved.json");
        let again = bare(&[&["replay", &file, "--format", &formats[1], "--format", &formats[2]], detail].concat());
        assert_eq!(again.status.code(), run.status.code(), "{detail:?}");
        assert!(page == std::fs::read(place("page")).expect("the page"), "{detail:?}: the page differs");
        let saved = std::fs::read(place("saved.json")).expect("the report");
        assert!(saved == std::fs::read(place("again.json")).expect("the report"), "{detail:?}: the report differs");
    }
}

/// Evidence is written by others too. Whatever was changed in it is refused, or judged; nothing panics and nothing is obeyed by a terminal.
#[test]
fn evidence_that_somebody_changed_is_refused_or_judged() {
    let _turn = stories::turn();
    let story = story::named(&story::directory(), "https/inspection-untrusted").expect("a story");
    let report = lab::run::story(stories::program(), &story, stories::seed()).expect("a run").report.expect("a report");
    let mut pointers = Vec::new();
    walk(&report["evidence"], "/evidence".to_owned(), &mut pointers);
    let values = [
        Value::Null,
        Value::from(-1),
        Value::from(u64::MAX),
        Value::from(1e300),
        Value::from(""),
        Value::from("\u{1b}[2J\u{202e}\u{7}"),
        Value::from("x".repeat(100_000)),
        Value::Array(Vec::new()),
        Value::Object(serde_json::Map::new()),
    ];
    let every = (pointers.len() * values.len()).div_ceil(150);
    let cases: Vec<(&String, &Value)> =
        pointers.iter().flat_map(|pointer| values.iter().map(move |value| (pointer, value))).step_by(every).collect();
    std::thread::scope(|scope| {
        for part in cases.chunks(cases.len().div_ceil(4)) {
            let report = &report;
            scope.spawn(move || {
                for (pointer, value) in part {
                    let mut changed = report.clone();
                    *changed.pointer_mut(pointer).expect("a place") = (*value).clone();
                    judged_or_refused(&changed, &format!("{pointer} = {:.40}", value.to_string()));
                }
            });
        }
    });
    for order in [Vec::new(), report["evidence"].as_array().expect("evidence").iter().rev().cloned().collect()] {
        let mut changed = report.clone();
        changed["evidence"] = Value::Array(order);
        judged_or_refused(&changed, "other evidence");
    }
}

fn walk(value: &Value, place: String, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            members.iter().for_each(|(name, value)| walk(value, format!("{place}/{name}"), found));
        }
        Value::Array(rows) => {
            rows.iter().enumerate().for_each(|(index, value)| walk(value, format!("{place}/{index}"), found));
        }
        _ => found.push(place),
    }
}

fn judged_or_refused(report: &Value, what: &str) {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), report.to_string()).expect("a file");
    let output = bare(&["replay", &file.path().display().to_string(), "-v"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let page = String::from_utf8(output.stdout).expect("text");
    let raw =
        page.chars().chain(said.chars()).find(|letter| letter.is_control() && *letter != '\n' || *letter == '\u{202e}');
    assert_eq!(raw, None, "{what}");
    match output.status.code() {
        Some(2) => assert!(page.is_empty() && said.lines().count() == 1, "{what}: {said}"),
        Some(0 | 1 | 3) => assert!(said.is_empty(), "{what}: {said}"),
        other => panic!("{what}: {other:?} {said}"),
    }
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
        b"null".to_vec(),
        b"[1, 2]".to_vec(),
        b"\xff\xfe\x00".to_vec(),
        b"\x1b[2J".to_vec(),
        b"PASS  everything is fine".to_vec(),
        [&report[..], b"{}"].concat(),
        vec![b' '; (64 << 20) + 2],
        b"[".repeat(100_000),
        report[..report.len() / 2].to_vec(),
        other.to_string().into_bytes(),
    ] {
        let (status, stdout, said) = replayed(&bytes);
        assert_eq!(status, Some(2), "{said}");
        assert!(stdout.is_empty() && said.lines().count() == 1 && said.contains("standard input"), "{said}");
        assert!(!said.contains('\u{1b}') && said.len() < 400, "{said}");
    }
    for path in ["nowhere/report.json", "/", "/dev/null"] {
        let output = bare(&["replay", path]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{path}");
        assert!(output.stdout.is_empty() && said.lines().count() == 1 && said.contains(path), "{said}");
    }
}
