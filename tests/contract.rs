//! What users, scripts and CI rely on: commands, exit statuses, formats, the schema. All from outside.

use std::process::{Command, Output, Stdio};
use std::time::Duration;

use lab::scenario::Scenario;
use lab::story;
use lab::world::World;
use serde_json::Value;

use crate::stories;

/// The program with nothing in its environment.
pub fn bare(args: &[&str]) -> Output {
    Command::new(stories::program()).env_clear().args(args).stdin(Stdio::null()).output().expect("the program starts")
}

pub fn in_world(world: &World, more: &[&str]) -> Output {
    command(world, more).output().expect("the program starts")
}

pub fn command(world: &World, more: &[&str]) -> Command {
    let mut command = Command::new(stories::program());
    command.env_clear().envs(world.env.iter().map(|(name, value)| (name, value))).args(&world.args).args(more);
    command.stdin(Stdio::null());
    command
}

pub fn world(text: &str) -> World {
    World::start(&Scenario::parse(text).expect("a story"), stories::seed()).expect("a world")
}

pub fn healthy() -> World {
    World::start(&Scenario::healthy(), stories::seed()).expect("a world")
}

/// A story of the least that a file must have.
pub fn told(world: &str) -> String {
    format!("story = \"x\"\nquestion = \"login\"\nwhy = \"x\"\n{world}\n[expect]\nverdict = \"fail\"\n")
}

fn json(output: &Output) -> Value {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn statuses_follow_the_verdict() {
    let _turn = stories::turn();
    let fine = healthy();
    assert_eq!(in_world(&fine, &["--format", "json"]).status.code(), Some(0));
    let warns = world(&told("[[nameserver]]\n[[nameserver]]\nall = \"nxdomain\""));
    assert_eq!(in_world(&warns, &[]).status.code(), Some(0));
    assert_eq!(in_world(&warns, &["--fail-on", "warn"]).status.code(), Some(1));
    let hangs = world(&told("[world]\ntimeout = \"20s\"\ndeadline = \"3s\"\n[login]\nhttp = \"silent\""));
    let late = in_world(&hangs, &["--format", "json"]);
    assert_eq!(late.status.code(), Some(3), "{}", String::from_utf8_lossy(&late.stderr));
    let report = json(&late);
    assert_eq!(report["verdict"], "unknown");
    assert!(report["diagnoses"].as_array().expect("diagnoses").is_empty());
}

#[test]
fn interrupted_runs_print_what_is_known() {
    let _turn = stories::turn();
    let hangs = world(&told("[world]\ntimeout = \"20s\"\ndeadline = \"30s\"\n[login]\nhttp = \"silent\""));
    for (signal, status) in [("-INT", 130), ("-TERM", 143)] {
        let mut command = command(&hangs, &["--format", "json"]);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts");
        std::thread::sleep(Duration::from_secs(3));
        let pid = child.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().expect("kill").success());
        let output = child.wait_with_output().expect("it ends");
        assert_eq!(output.status.code(), Some(status));
        let report = json(&output);
        assert_eq!(report["verdict"], "unknown");
        let dns = report["checks"]
            .as_array()
            .expect("checks")
            .iter()
            .find(|check| check["id"] == "dns.login")
            .expect("dns.login");
        assert_eq!(dns["status"], "pass", "what was known is kept");
    }
}

#[test]
fn formats_go_where_they_are_sent() {
    use std::os::unix::fs::PermissionsExt;
    let world = healthy();
    let directory = tempfile::tempdir().expect("a directory");
    let path = |name: &str| directory.path().join(name).display().to_string();
    let both = in_world(&world, &["--format", "text", "--format", &format!("json={}", path("report.json"))]);
    assert!(String::from_utf8_lossy(&both.stdout).contains("PASS"));
    let saved = std::fs::read(path("report.json")).expect("the file");
    assert_eq!(serde_json::from_slice::<Value>(&saved).expect("JSON")["verdict"], "pass");
    let mode = std::fs::metadata(path("report.json")).expect("the file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let quiet = in_world(&world, &["-q", "--output", &path("page.txt")]);
    assert!(quiet.stdout.is_empty());
    assert_eq!(std::fs::read_to_string(path("page.txt")).expect("the file").lines().count(), 1);
    let verbose = String::from_utf8_lossy(&in_world(&world, &["-v"]).stdout).into_owned();
    assert!(verbose.contains("tls handshake") || verbose.contains("tls-handshake"), "{verbose}");
}

#[test]
fn colours_as_asked() {
    let world = healthy();
    let coloured = |more: &[&str], env: &[(&str, &str)]| {
        let output = command(&world, more).envs(env.iter().copied()).output().expect("the program starts");
        output.stdout.contains(&0x1b)
    };
    assert!(!coloured(&[], &[]));
    assert!(coloured(&["--color", "always"], &[]));
    assert!(coloured(&[], &[("CLICOLOR_FORCE", "1")]));
    assert!(!coloured(&[], &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]));
    assert!(!coloured(&["--color", "never"], &[("CLICOLOR_FORCE", "1")]));
}

#[test]
fn every_check_and_cause_is_listed_and_explained() {
    let listed = json(&bare(&["list", "--format", "json"]));
    let ids = |key: &str| -> Vec<String> {
        listed[key].as_array().expect(key).iter().map(|row| row["id"].as_str().expect("id").to_owned()).collect()
    };
    assert!(ids("checks").len() >= 18 && ids("causes").len() >= 30);
    for id in ids("checks").into_iter().chain(ids("causes")) {
        let output = bare(&["explain", &id]);
        assert_eq!(output.status.code(), Some(0), "{id}");
        assert!(output.stdout.len() > 200, "{id}");
    }
    let unknown = bare(&["explain", "https/no-anser"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&bare(&["list", "--facts"]).stdout).contains("tcp.reach"));
    for command in [vec!["list"], vec!["schema"], vec!["explain", "dns.login"]] {
        let mut program = Command::new(stories::program());
        program.env_clear().env("PGHOST", "a b").env("PGUSER", "x").env("AZURE_CLIENT_ID", "junk").args(&command);
        assert_eq!(program.output().expect("the program starts").status.code(), Some(0), "{command:?}");
    }
}

#[test]
fn only_and_skip_choose() {
    let world = healthy();
    let report = json(&in_world(&world, &["--only", "https.*", "--skip", "https.graph", "--format", "json"]));
    let ids: Vec<&str> =
        report["checks"].as_array().expect("checks").iter().map(|check| check["id"].as_str().expect("id")).collect();
    assert_eq!(
        ids,
        ["dns.login", "https.login", "https.control", "host.roots"],
        "prerequisites of a chosen check run too"
    );
}

#[test]
fn a_user_adds_a_check_without_rust() {
    let world = healthy();
    let directory = tempfile::tempdir().expect("a directory");
    let write = |path: &str, text: &str| {
        let path = directory.path().join(path);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
        std::fs::write(path, text).expect("a file");
    };
    let checks = directory.path().display().to_string();
    let host = world.names.server.clone();
    let check = |result: &str, more: &str| {
        format!(
            "title = \"{{host}} answers\"\nwhy = \"Ours.\"\nprobe = \"reach\"\ntarget = \"{host}:8443\"\nresult = \"{result}\"\npass = [\"expected\"]\n{more}"
        )
    };
    write("https/ours.toml", &check("reach.result", ""));
    let report = json(&in_world(&world, &["--checks", &checks, "--only", "https.ours", "--format", "json"]));
    let ours = &report["checks"][0];
    assert_eq!((ours["id"].as_str(), ours["status"].as_str()), (Some("https.ours"), Some("warn")), "{ours}");
    for (text, told) in [
        (check("reach.resul", ""), "reach.resul"),
        (check("reach.result", "warn = [\"partial\"]"), "partial"),
        (check("reach.result", "colour = 1"), "colour"),
        (check("reach.result", "needs = [\"dns.nowhere\"]"), "dns.nowhere"),
        (check("reach.result", "requirement = \"none\""), "none"),
    ] {
        write("https/ours.toml", &text);
        let output = in_world(&world, &["--checks", &checks]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains("ours.toml:") && said.contains(told), "{said}");
        assert!(output.stdout.is_empty());
    }
    std::fs::remove_file(directory.path().join("https/ours.toml")).expect("the file");
    let cause = "title = \"x\"\nmark = \"S\"\nwhen = { \"tcp.reach\" = [\"none\"], \"tcp.failure\" = [\"silent\"], \"route\" = [\"direct\"], \"dns.result\" = [\"in-tag\"], \"subject\" = [\"login\"], \"run.clock\" = [\"right\"] }\nbecause = [\"x\"]\nmeans = \"x\"\nverify = \"x\"\nsources = [\"https://example.com\"]\n[[control]]\nname = \"nsg\"\n[[remedy]]\ncontrol = \"nsg\"\nowner = \"network\"\ntitle = \"x\"\nsteps = [\"x\"]\n";
    write("causes/https/ours.toml", cause);
    let output = in_world(&world, &["--checks", &checks]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2));
    assert!(said.contains("refines") && said.contains("https/no-answer"), "{said}");
}

#[test]
fn no_option_takes_a_secret() {
    for command in [
        vec!["--help"],
        vec!["check", "--help"],
        vec!["replay", "--help"],
        vec!["list", "--help"],
        vec!["explain", "--help"],
    ] {
        let help = String::from_utf8_lossy(&bare(&command).stdout).to_lowercase();
        for option in help.split_whitespace().filter(|word| word.starts_with("--")) {
            let bare = option.trim_matches(|letter: char| !letter.is_ascii_alphanumeric() && letter != '-');
            assert!(!["--token", "--secret", "--password", "--client-secret"].contains(&bare), "{option}");
        }
    }
}

#[test]
fn the_schema_accepts_every_report_and_refuses_mutations() {
    let _turn = stories::turn();
    let schema: Value = json(&bare(&["schema"]));
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    let names = [
        "healthy/vnet",
        "healthy/public",
        "healthy/no-server",
        "healthy/proxy-only",
        "dns/nxdomain",
        "dns/nameserver-lies",
        "dns/private-answer",
        "dns/servfail",
        "https/refused",
        "https/inspection-untrusted",
        "https/block-page",
        "https/proxy-auth-required",
        "https/expired",
        "token/identity-not-found",
        "token/wrong-audience",
        "token/quoted",
        "token/expired",
        "server/refused",
        "server/no-tls",
        "server/wrong-name",
        "login/role-not-mapped",
        "login/bad-password",
        "login/no-database",
        "login/starting-up",
        "host/libpq-hostaddr",
    ];
    let mut reports = Vec::new();
    for name in names {
        let story = story::named(&story::directory(), name).expect(name);
        let report = lab::run::story(stories::program(), &story, stories::seed()).expect(name).report.expect(name);
        let errors: Vec<String> = validator.iter_errors(&report).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{name}: {errors:?}");
        reports.push(report);
    }
    let report = reports
        .iter()
        .find(|report| report["verdict"] == "fail" && report["vantage"]["azure"].is_object())
        .expect("a failure");
    for (pointer, value) in [
        ("/schema", Value::from("entra-preflight/report/2")),
        ("/verdict", Value::from("bad")),
        ("/verdict", Value::from(1)),
        ("/counts/pass", Value::from("many")),
        ("/counts/pass", Value::from(-1)),
        ("/checks/0/status", Value::from("passed")),
        ("/checks/0/blocked_by", Value::from("dns.login")),
        ("/checks/0/evidence", Value::from(vec!["x"])),
        ("/diagnoses/0/severity", Value::from("error")),
        ("/diagnoses/0/controls/0", Value::from("router")),
        ("/diagnoses/0/certainty", Value::from("sure")),
        ("/diagnoses/0/because", Value::from("x")),
        ("/diagnoses/0/remedies/0/commands", Value::from("x")),
        ("/target/topology", Value::from("vpn")),
        ("/target/port", Value::from("5432")),
        ("/vantage/where", Value::from("moon")),
        ("/requirements/0/proven", Value::from("maybe")),
        ("/requirements/0/applies", Value::from("yes")),
        ("/evidence/0/outcome", Value::from("fine")),
        ("/evidence/0/operation", Value::from("guess")),
        ("/duration_ms", Value::from("1")),
        ("/run_id", Value::Null),
    ] {
        let mut mutated = report.clone();
        *mutated.pointer_mut(pointer).unwrap_or_else(|| panic!("{pointer}")) = value.clone();
        assert!(!validator.is_valid(&mutated), "{pointer} = {value} is accepted");
    }
    for pointer in [
        "",
        "/checks/0",
        "/diagnoses/0",
        "/vantage",
        "/target",
        "/requirements/0",
        "/evidence/0",
        "/diagnoses/0/remedies/0",
    ] {
        let mut mutated = report.clone();
        mutated
            .pointer_mut(pointer)
            .and_then(Value::as_object_mut)
            .expect(pointer)
            .insert("extra".to_owned(), Value::from(1));
        assert!(!validator.is_valid(&mutated), "an extra member of {pointer:?} is accepted");
    }
}

/// A requirement is unmet only while a control that it is about is open: nobody is sent to a team that the diagnosis rules out.
#[test]
fn requirements_agree_with_the_diagnosis() {
    let _turn = stories::turn();
    for (name, unmet, not_unmet) in [
        ("https/no-answer", vec!["nsg-entra", "route-entra", "proxy-entra"], vec![]),
        ("https/name-filtered", vec!["proxy-entra"], vec!["nsg-entra", "route-entra"]),
        ("https/proxy-denied", vec!["proxy-entra"], vec!["nsg-entra", "route-entra"]),
        ("dns/private-answer", vec!["dns-login"], vec!["nsg-entra", "route-entra", "proxy-entra"]),
    ] {
        let story = story::named(&story::directory(), name).expect(name);
        let report = lab::run::story(stories::program(), &story, stories::seed()).expect(name).report.expect(name);
        let rows = report["requirements"].as_array().expect("requirements");
        let proven = |id: &str| rows.iter().find(|row| row["id"] == id).map(|row| row["proven"].clone()).expect(id);
        for id in unmet {
            assert_eq!(proven(id), "no", "{name}: {id}");
        }
        for id in not_unmet {
            assert_ne!(proven(id), "no", "{name}: {id}");
        }
    }
}

/// A pooler may have been connected before this token was: only a sign-in past it shows what the server's own subnet allows.
#[test]
fn a_pooler_proves_nothing_of_the_server_behind_it() {
    let _turn = stories::turn();
    for (port, proven) in [(5432, "yes"), (6432, "not-from-here")] {
        let report = json(&in_world(&world(&told(&format!("[server]\nport = {port}"))), &["--format", "json"]));
        assert_eq!(report["verdict"], "pass", "{port}");
        let rows = report["requirements"].as_array().expect("requirements");
        let row = rows.iter().find(|row| row["id"] == "nsg-entra").expect("a requirement");
        assert_eq!(row["proven"], proven, "{port}");
        let accepted = report["vantage"]["statement"].as_str().expect("a statement").contains("accepted a token");
        assert_eq!(accepted, port == 5432);
    }
}

#[test]
fn the_lines_to_sign_in_fetch_a_token_for_postgresql() {
    let _turn = stories::turn();
    // Beside it the same identity gets a token for Microsoft Graph, which no server takes.
    let world = world(&told("[world]\nargs = [\"--principal\", \"{user}\"]"));
    for _ in 0..3 {
        let report = json(&in_world(&world, &["--format", "json"]));
        let lines = report["sign_in"].as_array().expect("lines");
        let runs: Vec<&str> = lines.iter().filter_map(|line| line["run"].as_str()).collect();
        assert!(runs.iter().any(|run| run.contains("ossrdbms-aad.database.windows.net")), "{runs:?}");
        assert!(!runs.iter().any(|run| run.contains("graph.microsoft.com")), "{runs:?}");
    }
}
