//! HL07: an Azure CLI that prints anything, never ends, or leaves somebody behind.

use std::time::{Duration, Instant};

use super::row::{At, Row, Stage, play, row};

/// There is no token; everything else is as it was.
const FAILS: &[(&str, &str)] =
    &[("token.acquire", "fail"), ("https.login", "pass"), ("server.tls", "pass"), ("login.session", "skip")];
const PASSES: &[(&str, &str)] = &[("token.acquire", "pass"), ("login.session", "pass")];
/// What was printed has the place of a token and is none.
const WITHHELD: &[(&str, &str)] = &[("token.claims", "fail"), ("server.tls", "pass"), ("login.session", "skip|fail")];

const TOKEN: &str = r#"printf '%s\n' '{"accessToken": "{token}", "tokenType": "Bearer"}'"#;

fn table() -> Vec<Row> {
    let az = |name: &str, script: &str, checks, says| {
        row(format!("HL07 {name}"), At::Cli(script.replace("TOKEN", TOKEN)), checks, says)
    };
    vec![
        az("1 GB of output", "exec head -c 1000000000 /dev/zero", FAILS, "az failed"),
        az("1 GB of errors", "head -c 1000000000 /dev/zero >&2; exit 1", FAILS, "az failed"),
        az("both without end", "yes x >&2 & exec yes y", FAILS, ""),
        az("a line of 1 GB before the token", "head -c 1000000000 /dev/zero | tr '\\0' x; echo; TOKEN", FAILS, ""),
        az("nothing", "exit 0", FAILS, "az printed no token"),
        az("UTF-16", r#"printf '\377\376{\000"\000a\000'"#, FAILS, "az printed no token"),
        az("noise", "head -c 100000 /dev/urandom", FAILS, "az printed no token"),
        az("nested arrays", "echo '{\"a\":'; head -c 200000 /dev/zero | tr '\\0' '['", FAILS, "az printed no token"),
        az(
            "a banner in colours before the token",
            r"printf '\033[33mA newer version is there.\033[0m\r\n\033]0;owned\007\n'; TOKEN",
            PASSES,
            "",
        ),
        az("warnings beside the token", r"printf '\033[2J\033[31mWARNING\n' >&2; TOKEN", PASSES, ""),
        az("the token among errors", "echo 'ERROR: {token}' >&2; exit 1", FAILS, "[redacted]"),
        az("half the token among errors", "echo 'ERROR: {token}' | cut -c 1-300 >&2; exit 1", FAILS, "[redacted]"),
        az("escapes among errors", r"printf '\033]52;c;aGk=\007\033[2J\302\233\342\200\256' >&2; exit 1", FAILS, ""),
        az("50000 codes", "seq 100000 150000 | sed 's/^/AADSTS/' >&2; exit 1", FAILS, ""),
        az("an end by a signal", "kill -9 $$", FAILS, ""),
        az("a status of 0 after a refusal", "echo 'ERROR: AADSTS50173: sign in again' >&2", FAILS, ""),
        az("a question", "read answer; echo \"$answer\"", FAILS, "az printed no token"),
        az("never an end", "sleep 60", FAILS, "no answer within"),
        az(
            "never an end, although it is asked to",
            "trap '' TERM INT HUP; sleep 60; sleep 60",
            FAILS,
            "no answer within",
        ),
        az("an end, and a child that keeps its output", "sleep 60 & TOKEN", PASSES, ""),
        az(
            "60 KB of token",
            "printf '{\"accessToken\": \"'; head -c 45000 /dev/urandom | base64 -w 0; echo '\"}'",
            WITHHELD,
            "",
        ),
        az(
            "700 KB of token",
            "printf '{\"accessToken\": \"'; head -c 500000 /dev/urandom | base64 -w 0; echo '\"}'",
            WITHHELD,
            "",
        ),
        az("a token of escapes", r#"printf '{"accessToken": "\\u001b[2J\\u202e\\u0000"}'"#, WITHHELD, ""),
    ]
}

#[test]
fn hostile_azure_cli() {
    play(table());
}

/// What never ends is ended with all its children, and nothing of it is left.
#[test]
fn nothing_of_the_azure_cli_is_left_behind() {
    let stage = Stage::new(&At::Cli(
        "echo $$ > {directory}/pids; sh -c 'echo $$ >> {directory}/pids; sleep 50; true' & sleep 50; true".to_owned(),
    ));
    let ran = stage.run(&[]);
    assert_eq!(ran.exit, Some(1), "{}", String::from_utf8_lossy(&ran.page));
    let pids = std::fs::read_to_string(stage.file("pids")).expect("two processes");
    assert_eq!(pids.lines().count(), 2, "{pids}");
    let lives = |pid: &str| {
        let state = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        !state.is_empty() && !state.contains(") Z ")
    };
    let started = Instant::now();
    while pids.lines().any(lives) {
        assert!(started.elapsed() < Duration::from_secs(2), "a process is left: {pids}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A child gets what `az` needs, and nothing that is secret; its arguments hold none.
#[test]
fn the_azure_cli_inherits_no_secret() {
    let mut stage = Stage::new(&At::Cli(format!("env > {{directory}}/env; echo \"$@\" > {{directory}}/args; {TOKEN}")));
    let secrets = [
        "PGPASSWORD",
        "AZURE_CLIENT_SECRET",
        "IDENTITY_HEADER",
        "MSI_SECRET",
        "AZURE_PASSWORD",
        "ARM_CLIENT_SECRET",
        "AWS_SECRET_ACCESS_KEY",
        "LD_PRELOAD",
        "LD_AUDIT",
        "BASH_ENV",
        "ENV",
        "PYTHONSTARTUP",
    ];
    for name in secrets {
        stage.set(name, format!("/nowhere/canary-of-{name}"));
    }
    let keys = stage.file("canary-keys");
    stage.set("SSLKEYLOGFILE", keys.display().to_string());
    let ran = stage.run(&[]);
    assert_eq!(ran.exit, Some(0), "{}", String::from_utf8_lossy(&ran.page));
    let env = std::fs::read_to_string(stage.file("env")).expect("its environment");
    assert!(!env.contains("canary"), "{env}");
    assert!(env.lines().any(|line| line.starts_with("PATH=")), "{env}");
    let args = std::fs::read_to_string(stage.file("args")).expect("its arguments");
    assert!(args.starts_with("account get-access-token --resource https://") && !args.contains("canary"), "{args}");
    assert!(!keys.exists(), "a log of TLS keys was written");
}
