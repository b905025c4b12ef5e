//! Bad input: one clear sentence that names it, status 2, and nothing probed.

use std::process::Stdio;

use crate::contract::{command, healthy};

/// Arguments, environment, and what the sentence must name.
type Case = (&'static [&'static str], &'static [(&'static str, &'static str)], &'static str);

const CASES: [Case; 40] = [
    (&["--server", "https://x.y"], &[], "https://x.y"),
    (&["--server", "user@host"], &[], "user@host"),
    (&["--server", "a..b"], &[], "a..b"),
    (&["--server", "host:0"], &[], "0"),
    (&["--server", "host:99999"], &[], "99999"),
    (&["--server", "[fd00::1"], &[], "fd00::1"),
    (&["--user", ""], &[], "--user"),
    (&["--database", ""], &[], "--database"),
    (&["--cloud", "mars"], &[], "mars"),
    (&["--cloud", "nowhere.toml"], &[], "nowhere.toml"),
    (&["--topology", "vpn"], &[], "vpn"),
    (&["--credential", "magic"], &[], "magic"),
    (&["--credential", "token-file"], &[], "--token-file"),
    (&["--credential", "none", "--token-file", "/dev/null"], &[], "contradict"),
    (&["--credential", "client-secret"], &[], "AZURE_CLIENT_SECRET"),
    (&["--token-file", "nowhere/token"], &[], "nowhere/token"),
    (&["--token-file", "/dev/null"], &[], "/dev/null"),
    (&["--token-file", "/"], &[], "/"),
    (&["--client-id", "me"], &[], "me"),
    (&["--tenant", "mine"], &[], "mine"),
    (&["--nameserver", "dns.example"], &[], "dns.example"),
    (&["--nameserver", "10.0.0.4:0"], &[], "10.0.0.4:0"),
    (&["--connect-to", "a:b"], &[], "a:b"),
    (&["--connect-to", "a:1:b.example:2"], &[], "b.example"),
    (&["--ca-file", "nowhere.pem"], &[], "nowhere.pem"),
    (&["--ca-file", "/etc/hostname"], &[], "/etc/hostname"),
    (&["--timeout", "soon"], &[], "soon"),
    (&["--timeout", "-1s"], &[], "-1"),
    (&["--deadline", "1e308"], &[], "1e308"),
    (&["--only", "dns.nothing"], &[], "dns.nothing"),
    (&["--skip", "*"], &[], "--skip"),
    (&["--format", "pdf"], &[], "pdf"),
    (&["--format", "json", "--format", "text"], &[], "standard output"),
    (&["--output", "/nowhere/at/all"], &[], "/nowhere/at/all"),
    (&["--proxy", "socks4://user:verysecretword@x:1"], &[], "socks4"),
    (&[], &[("HTTPS_PROXY", "http://user:verysecretword@:80")], "HTTPS_PROXY"),
    (&[], &[("PGHOST", "x.example"), ("PGPORT", "many")], "PGPORT"),
    (&[], &[("AZURE_AUTHORITY_HOST", "https://login.elsewhere.example")], "login.elsewhere.example"),
    (&[], &[("AZURE_POD_IDENTITY_AUTHORITY_HOST", "http://203.0.113.9")], "203.0.113.9"),
    (&["--token", "verysecretword"], &[], "--token"),
];

#[test]
fn is_told_in_one_sentence_and_nothing_is_probed() {
    let world = healthy();
    let before: usize = world.received().iter().map(|(_, bytes)| bytes.len()).sum();
    for (args, env, named) in CASES {
        let mut program = std::process::Command::new(crate::stories::program());
        program.env_clear().envs(world.env.iter().map(|(name, value)| (name, value))).envs(env.iter().copied());
        // The case's own arguments replace those of the world: clap refuses what is given twice.
        let mut keep: Vec<&String> = Vec::new();
        let mut at = 0;
        while at < world.args.len() {
            let option = &world.args[at];
            let single = ["--server", "--user", "--timeout", "--deadline", "--ca-file", "--database", "--token-file"];
            let repeated = args.contains(&option.as_str()) && single.contains(&option.as_str());
            let server_from_environment = option == "--server" && env.iter().any(|(name, _)| *name == "PGHOST");
            if repeated || server_from_environment {
                at += 2;
                continue;
            }
            keep.push(option);
            at += 1;
        }
        let output = program.args(keep).args(args).stdin(Stdio::null()).output().expect("the program starts");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{args:?} {env:?}: {said}");
        assert!(output.stdout.is_empty(), "{args:?}: something on standard output");
        assert!(said.contains(named), "{args:?} {env:?}: {said}");
        assert!(
            !said.contains("verysecretword") || args.contains(&"--token"),
            "{args:?}: a secret is repeated: {said}"
        );
        assert!(!said.contains("panicked") && !said.contains("a defect"), "{said}");
    }
    let after: usize = world.received().iter().map(|(_, bytes)| bytes.len()).sum();
    assert_eq!(before, after, "something was probed");
}

#[test]
fn what_libpq_inherits_is_seen_and_not_refused() {
    let world = healthy();
    for (name, value) in [
        ("PGHOSTADDR", "10.0.0.4"),
        ("PGHOST", "/var/run/postgresql"),
        ("PGHOST", "one.example,two.example"),
        ("PGSSLMODE", "prefer"),
        ("PGREQUIREAUTH", "scram-sha-256"),
        ("PGCHANNELBINDING", "require"),
    ] {
        let output = command(&world, &["--format", "json"]).env(name, value).output().expect("the program starts");
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!(output.status.code(), Some(0), "{name}");
        let diagnosis = &report["diagnoses"][0];
        assert_eq!(diagnosis["controls"][0], "host", "{name}: {diagnosis}");
        assert_eq!(diagnosis["severity"], "warn", "{name}");
    }
    let password = command(&world, &["--format", "json"])
        .env("PGPASSWORD", "an ordinary password")
        .output()
        .expect("the program starts");
    let text = String::from_utf8_lossy(&password.stdout).into_owned();
    assert_eq!(password.status.code(), Some(0));
    assert!(!text.contains("an ordinary password"));
}
