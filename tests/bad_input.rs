//! Bad input: one clear sentence that names it, status 2, nothing on standard output, and nothing contacted.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use lab::world::World;
use serde_json::Value;

use crate::contract::{bare, command, healthy};
use crate::stories;

mod catalogue;
mod environment;

/// Arguments, environment, and what the sentence must name. `{dir}` is a directory of odd files. Whatever would be contacted if a case were taken
/// lies on loopback, or behind the world's last `--connect-to`.
pub(crate) type Case = (&'static [&'static str], &'static [(&'static str, &'static str)], &'static str);

const SECRET: &str = "verysecretword";
const GUID: &str = "11111111-2222-3333-4444-555555555555";

const CASES: &[Case] = &[
    (&["--server", "https://x.y"], &[], "https://x.y"),
    (&["--server", "user@host"], &[], "--user"),
    (&["--server", "a..b"], &[], "a..b"),
    (&["--server", "a b"], &[], "a b"),
    (&["--server", "one.example,two.example"], &[], "one.example,two.example"),
    (&["--server", "/var/run/postgresql"], &[], "/var/run/postgresql"),
    (&["--server", "host:0"], &[], "0"),
    (&["--server", "host:"], &[], "port"),
    (&["--server", "host:99999"], &[], "99999"),
    (&["--server", "host:5432/db"], &[], "5432/db"),
    (&["--server", "[fd00::1"], &[], "fd00::1"),
    (&["--server", "[fd00::1]5432"], &[], "fd00::1"),
    (&["--server", "\u{1b}[31m"], &[], "u{1b}"),
    (&["--user", ""], &[], "--user"),
    (&["--database", ""], &[], "--database"),
    (&["--cloud", "mars"], &[], "public"),
    (&["--cloud", "nowhere.toml"], &[], "nowhere.toml"),
    (&["--cloud", "{dir}/broken.toml"], &[], "line 2"),
    (&["--cloud", "{dir}/key.toml"], &[], "login_hosts"),
    (&["--cloud", "{dir}/empty.toml"], &[], "empty.toml"),
    (&["--cloud", "{dir}/binary.toml"], &[], "binary.toml"),
    (&["--cloud", "{dir}/fifo.toml"], &[], "fifo.toml"),
    (&["--topology", "vpn"], &[], "vpn"),
    (&["--credential", "magic"], &[], "magic"),
    (&["--credential", "token-file"], &[], "--token-file"),
    (&["--credential", "none", "--token-file", "/dev/null"], &[], "contradict"),
    (&["--credential", "managed-identity", "--token-file", "/dev/null"], &[], "contradict"),
    (&["--credential", "client-secret"], &[], "AZURE_CLIENT_SECRET"),
    (&["--credential", "client-secret"], &[("AZURE_CLIENT_SECRET", SECRET)], "--client-id"),
    (&["--credential", "client-secret"], &[("AZURE_CLIENT_SECRET", SECRET), ("AZURE_CLIENT_ID", GUID)], "--tenant"),
    (&["--credential", "client-certificate"], &[], "AZURE_CLIENT_CERTIFICATE_PATH"),
    (&["--credential", "client-certificate"], &[("AZURE_CLIENT_CERTIFICATE_PATH", "/dev/null")], "/dev/null"),
    (&["--credential", "workload-identity"], &[], "AZURE_FEDERATED_TOKEN_FILE"),
    (&["--credential", "workload-identity"], &[("AZURE_FEDERATED_TOKEN_FILE", "nowhere")], "nowhere"),
    (&["--token-file", "nowhere/token"], &[], "nowhere/token"),
    (&["--token-file", "/dev/null"], &[], "/dev/null"),
    (&["--token-file", "/dev/zero"], &[], "/dev/zero"),
    (&["--token-file", "/"], &[], "/"),
    (&["--token-file", "-"], &[], "standard input"),
    (&["--token-file", "{dir}/empty"], &[], "empty"),
    (&["--token-file", "{dir}/blank"], &[], "blank"),
    (&["--token-file", "{dir}/binary.toml"], &[], "binary.toml"),
    (&["--token-file", "{dir}/huge"], &[], "huge"),
    (&["--token-file", "{dir}/fifo.toml"], &[], "fifo.toml"),
    (&["--client-id", "me"], &[], "me"),
    (&["--client-id", "11111111222233334444555555555555"], &[], "GUID"),
    (&[], &[("AZURE_CLIENT_ID", "junk")], "AZURE_CLIENT_ID"),
    (&["--tenant", "mine"], &[], "mine"),
    (&[], &[("AZURE_TENANT_ID", "common")], "AZURE_TENANT_ID"),
    (&["--nameserver", "dns.example"], &[], "dns.example"),
    (&["--nameserver", ""], &[], "nameserver"),
    (&["--nameserver", "127.0.0.1:0"], &[], "127.0.0.1:0"),
    (&["--nameserver", "127.0.0.1:53:53"], &[], "127.0.0.1:53:53"),
    (&["--nameserver", "::1:53x"], &[], "::1:53x"),
    (&["--nameserver", "udp://127.0.0.1"], &[], "udp://127.0.0.1"),
    (&["--connect-to", "a:b"], &[], "a:b"),
    (&["--connect-to", ""], &[], "--connect-to"),
    (&["--connect-to", "a:1:b.example:2"], &[], "b.example"),
    (&["--connect-to", "a:1:127.0.0.1:0"], &[], "127.0.0.1:0"),
    (&["--connect-to", "a:x:127.0.0.1:1"], &[], "a:x"),
    (&["--connect-to", "a:1:::1:2"], &[], "a:1:::1:2"),
    (&["--ca-file", "nowhere.pem"], &[], "nowhere.pem"),
    (&["--ca-file", "/etc/hostname"], &[], "/etc/hostname"),
    (&["--ca-file", "{dir}/empty"], &[], "empty"),
    (&["--ca-file", "{dir}/key.pem"], &[], "key.pem"),
    (&["--ca-file", "{dir}/fifo.toml"], &[], "fifo.toml"),
    (&["--timeout", "soon"], &[], "soon"),
    (&["--timeout", "0"], &[], "--timeout"),
    (&["--timeout", ""], &[], "--timeout"),
    (&["--timeout", "5 s"], &[], "5 s"),
    (&["--timeout", "NaN"], &[], "NaN"),
    (&["--deadline", "1e308"], &[], "1e308"),
    (&["--deadline", "25h"], &[], "25h"),
    (&["--deadline", "+5s"], &[], "+5s"),
    (&["--only", "dns.nothing"], &[], "dns.nothing"),
    (&["--only", ""], &[], "--only"),
    (&["--only", "https/no-answer"], &[], "dns.login"),
    (&["--skip", "nothing.*"], &[], "nothing.*"),
    (&["--skip", "*"], &[], "--skip"),
    (&["--only", "dns.login", "--skip", "dns.login"], &[], "--only"),
    (&["--format", "pdf"], &[], "pdf"),
    (&["--format", "JSON"], &[], "json"),
    (&["--format", "json="], &[], "json="),
    (&["--format", "json", "--format", "text"], &[], "standard output"),
    (&["--format", "json=/nowhere/at/all"], &[], "/nowhere/at/all"),
    (&["--format", "json={dir}/a", "--output", "{dir}/b"], &[], "--output"),
    (&["--output", "/nowhere/at/all"], &[], "/nowhere/at/all"),
    (&["--output", "/"], &[], "/"),
    (&["--checks", "nowhere"], &[], "nowhere"),
    (&["--checks", "/dev/null"], &[], "/dev/null"),
    (&["-q", "-v"], &[], "quiet"),
    (&["--fail-on", "pass"], &[], "warn"),
    (&["--color", "red"], &[], "red"),
    (&["--proxy", "socks4://user:verysecretword@x:1"], &[], "socks4"),
    (&["--proxy", "http://user:verysecretword@x:port"], &[], "--proxy"),
    (&[], &[("HTTPS_PROXY", "http://user:verysecretword@:80")], "HTTPS_PROXY"),
    (&[], &[("HTTPS_PROXY", "https://user:verysecretword@x:443")], "HTTPS_PROXY"),
    (&[], &[("https_proxy", "socks4a://user:verysecretword@x:443")], "https_proxy"),
    (&[], &[("ALL_PROXY", "socks://user:verysecretword@x:443")], "ALL_PROXY"),
    (&[], &[("HTTPS_PROXY", "http://user:verysecretword@x\n:80")], "HTTPS_PROXY"),
    (&[], &[("HTTPS_PROXY", "http://user:very#verysecretword@x:80")], "HTTPS_PROXY"),
    (&[], &[("HTTPS_PROXY", "\u{1b}[2Jhttp://user:verysecretword@x y:80")], "HTTPS_PROXY"),
    (&[], &[("PGHOST", "x.example"), ("PGPORT", "many")], "PGPORT"),
    (&[], &[("PGHOST", "x.example"), ("PGPORT", "0")], "PGPORT"),
    (&[], &[("AZURE_AUTHORITY_HOST", "https://login.elsewhere.example")], "login.elsewhere.example"),
    (&[], &[("AZURE_AUTHORITY_HOST", "http://login.microsoftonline.com")], "http://login.microsoftonline.com"),
    (&[], &[("AZURE_AUTHORITY_HOST", "https://https://login.microsoftonline.com")], "AZURE_AUTHORITY_HOST"),
    (&[], &[("AZURE_AUTHORITY_HOST", "https://login.microsoftonline.com/common")], "/common"),
    (&[], &[("AZURE_AUTHORITY_HOST", "https://login.microsoftonline.com:8443/")], "8443"),
    (&[], &[("AZURE_AUTHORITY_HOST", "https://me@login.microsoftonline.com")], "AZURE_AUTHORITY_HOST"),
    (&[], &[("AZURE_AUTHORITY_HOST", "x.postgres.database.azure.com")], "x.postgres.database.azure.com"),
    (&["--format", "json=-", "--format", "text"], &[], "standard output"),
    (&["--format", "json=-", "--format", "text=-"], &[], "standard output"),
    (&[], &[("AZURE_POD_IDENTITY_AUTHORITY_HOST", "http://203.0.113.9")], "203.0.113.9"),
    (&[], &[("AZURE_POD_IDENTITY_AUTHORITY_HOST", "https://127.0.0.1")], "https://127.0.0.1"),
    (&[], &[("AZURE_POD_IDENTITY_AUTHORITY_HOST", "http://127.0.0.1@evil.example")], "evil.example"),
    (&[], &[("AZURE_POD_IDENTITY_AUTHORITY_HOST", "http://127.0.0.1/path")], "127.0.0.1/path"),
    (&["--token", "x"], &[], "--token"),
    (&["--password", "x"], &[], "--password"),
    (&["--insecure"], &[], "--insecure"),
];

/// Odd files: a user's mistakes.
fn odd_files() -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    let write = |name: &str, bytes: &[u8]| std::fs::write(directory.path().join(name), bytes).expect("a file");
    write("empty", b"");
    write("empty.toml", b"");
    write("blank", b" \t\r\n\n");
    write("binary.toml", b"\xff\xfe\0\0\x01");
    write("huge", &vec![b'x'; 2 << 20]);
    write("broken.toml", b"name = \"x\"\nlogin_host = \n");
    write("key.toml", b"name = \"x\"\nlogin_hosts = \"x\"\n");
    write("key.pem", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
    write("junk.pem", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    let made = Command::new("mkfifo").arg(directory.path().join("fifo.toml")).status().expect("mkfifo");
    assert!(made.success());
    directory
}

fn bytes(world: &World) -> usize {
    world.received().iter().map(|(_, bytes)| bytes.len()).sum()
}

/// How the program is led to the peers of a world. A world itself cannot be shared between threads.
struct Led {
    args: Vec<String>,
    env: Vec<(String, String)>,
}

impl Led {
    fn to(world: &World) -> Led {
        Led { args: world.args.clone(), env: world.env.clone() }
    }
}

/// The program in a world, with the case's options in place of the world's, for clap refuses what is given twice.
fn with(world: &Led, directory: &Path, args: &[&str], env: &[(&str, &str)]) -> Command {
    let mut program = Command::new(stories::program());
    program.env_clear().envs(world.env.iter().map(|(name, value)| (name, value))).envs(env.iter().copied());
    let args: Vec<String> = args.iter().map(|arg| arg.replace("{dir}", &directory.display().to_string())).collect();
    program.arg(&world.args[0]);
    let from_environment = |option: &str| {
        let names: &[&str] = match option {
            "--server" => &["PGHOST"],
            "--user" => &["PGUSER"],
            _ => &[],
        };
        env.iter().any(|(name, _)| names.contains(name))
    };
    // All of the world's arguments after the command are pairs of an option and its value.
    for pair in world.args[1..].chunks(2) {
        let repeatable = ["--connect-to", "--nameserver"].contains(&pair[0].as_str());
        if !(args.contains(&pair[0]) && !repeatable || from_environment(&pair[0])) {
            program.args(pair);
        }
    }
    program.args(args).stdin(Stdio::null());
    program
}

/// What is wrong with how this input is refused.
fn refused(world: &Led, directory: &Path, (args, env, named): &Case) -> Option<String> {
    let started = Instant::now();
    let mut child = with(world, directory, args, env)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    while child.try_wait().expect("a child").is_none() {
        if started.elapsed() > Duration::from_secs(20) {
            let _ = child.kill();
            let _ = child.wait();
            return Some("it waits, and does not end".to_owned());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let output = child.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.code() != Some(2) {
        return Some(format!("status {:?} instead of 2: {said}", output.status.code()));
    }
    if !output.stdout.is_empty() {
        return Some("something is on standard output".to_owned());
    }
    if said.contains(SECRET) || said.contains("panicked") || said.contains("a defect") {
        return Some(format!("it must not say: {said}"));
    }
    if said.chars().any(|letter| letter.is_control() && letter != '\n') {
        return Some(format!("a raw control character: {said:?}"));
    }
    // Either a sentence of ours, or clap's with its hint below.
    let first = said.lines().next().unwrap_or_default();
    let ours = first.starts_with("entra-preflight: ") && said.lines().count() == 1;
    let claps = first.starts_with("error: ") && said.trim_end().ends_with("try '--help'.");
    if !(ours || claps) {
        return Some(format!("not one sentence: {said}"));
    }
    (!said.contains(named)).then(|| format!("{named} is not named: {said}"))
}

pub(crate) fn all_refused(cases: &[Case]) {
    let _turn = stories::turn();
    let world = healthy();
    let (led, directory) = (Led::to(&world), odd_files());
    let before = bytes(&world);
    let wrong = std::sync::Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for part in cases.chunks(cases.len().div_ceil(4)) {
            let (led, wrong, path) = (&led, &wrong, directory.path());
            scope.spawn(move || {
                for case in part {
                    if let Some(what) = refused(led, path, case) {
                        wrong.lock().expect("no thread panics").push(format!("{:?} {:?}: {what}", case.0, case.1));
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().expect("no thread panics");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(before, bytes(&world), "something was contacted");
}

#[test]
fn is_told_in_one_sentence_and_nothing_is_probed() {
    all_refused(CASES);
}

/// A server that a script meant to name, and an address that is none: skipping or guessing would pass for the wrong reason.
#[test]
fn a_server_that_is_none_is_refused() {
    all_refused(&[
        (&["--server", ""], &[], "--server"),
        (&["--server", "one.example,two.example"], &[("PGHOST", "one.example,two.example")], "one.example,two.example"),
        (&["--server", "10.0.1"], &[], "10.0.1"),
        (&["--server", "10.0.0.4.5"], &[], "10.0.0.4.5"),
        (&["--server", "host:+5432"], &[], "+5432"),
        (&["--server", "[10.0.0.4]:5432"], &[], "10.0.0.4"),
    ]);
}

/// Rules that can never match would leave a user believing that a tunnel is used.
#[test]
fn addresses_that_are_nearly_right_are_refused() {
    all_refused(&[
        (&["--nameserver", "[::1"], &[], "[::1"),
        (&["--nameserver", "::1]"], &[], "::1]"),
        (&["--nameserver", "[[127.0.0.1]]"], &[], "127.0.0.1"),
        (&["--connect-to", "a b:1:127.0.0.1:1"], &[], "a b"),
        (&["--connect-to", "*.example:1:127.0.0.1:1"], &[], "*.example"),
        (&["--connect-to", "a:+1:127.0.0.1:1"], &[], "+1"),
        (&["--connect-to", "[a]:1:127.0.0.1:1"], &[], "[a]"),
    ]);
}

/// A token comes back from there in clear, and a secret header goes there: never beyond this machine and its network.
#[test]
fn identity_endpoints_elsewhere_are_refused() {
    const HEADER: (&str, &str) = ("IDENTITY_HEADER", SECRET);
    // Without a token check nothing is sent to these addresses, even if they are taken.
    const ONLY: &[&str] = &["--only", "dns.login"];
    all_refused(&[
        (ONLY, &[("IDENTITY_ENDPOINT", "http://203.0.113.9/msi/token"), HEADER], "IDENTITY_ENDPOINT"),
        (ONLY, &[("IDENTITY_ENDPOINT", "http://evil.example/msi/token"), HEADER], "IDENTITY_ENDPOINT"),
        (ONLY, &[("IDENTITY_ENDPOINT", "http://[::1]:80@evil.example/msi/token"), HEADER], "IDENTITY_ENDPOINT"),
        (ONLY, &[("IDENTITY_ENDPOINT", "junk"), HEADER], "IDENTITY_ENDPOINT"),
        (ONLY, &[("AZURE_POD_IDENTITY_AUTHORITY_HOST", "http://[::1]:80@evil.example")], "evil.example"),
        (ONLY, &[("AZURE_POD_IDENTITY_AUTHORITY_HOST", "http://[::1]evil.example")], "evil.example"),
        (ONLY, &[("AZURE_POD_IDENTITY_AUTHORITY_HOST", "http://127.0.0.1:x")], "127.0.0.1:x"),
    ]);
}

#[test]
fn no_part_of_a_proxy_url_is_repeated() {
    all_refused(&[
        (&[], &[("HTTPS_PROXY", "u:verysecretword://more@proxy.example:3128")], "HTTPS_PROXY"),
        (&[], &[("HTTPS_PROXY", "http://user:verysecretword@proxy.example:0")], "HTTPS_PROXY"),
        (&[], &[("HTTPS_PROXY", "http://user:verysecretword@proxy.example:+80")], "HTTPS_PROXY"),
        (&[], &[("HTTPS_PROXY", "http://user:verysecretword@pro'xy%0a:80")], "HTTPS_PROXY"),
    ]);
}

/// Roots that cannot be read as certificates end in "unknown issuer", which blames the network for a broken file.
#[test]
fn a_ca_file_of_no_real_certificate_is_refused() {
    all_refused(&[(&["--ca-file", "{dir}/junk.pem"], &[], "junk.pem")]);
}

/// A FIFO without a reader must not outlive the deadline, and two reports in one file are none.
#[test]
fn files_that_cannot_take_a_report_are_refused() {
    all_refused(&[
        (&["--output", "{dir}/fifo.toml"], &[], "fifo.toml"),
        (&["--format", "json={dir}/same", "--format", "text={dir}/same"], &[], "same"),
    ]);
}

/// A mistyped option must not cost the report of the last run.
#[test]
fn a_refused_run_leaves_an_older_report_alone() {
    let world = healthy();
    let directory = tempfile::tempdir().expect("a directory");
    let older = directory.path().join("report.json");
    std::fs::write(&older, "the last run").expect("a file");
    let to = format!("json={}", older.display());
    for more in [&["--format", &to, "--only", "dns.nothing"][..], &["--format", &to, "--nameserver", "x"]] {
        assert_eq!(command(&world, more).output().expect("the program starts").status.code(), Some(2));
        assert_eq!(std::fs::read_to_string(&older).expect("the file"), "the last run", "{more:?}");
    }
}

/// Connection URIs are pasted where a host belongs, and they carry passwords.
#[test]
fn a_connection_uri_is_refused_without_its_password() {
    all_refused(&[
        (&["--server", "postgresql://user:verysecretword@host.example/db"], &[], "server"),
        (&["--server", "user:verysecretword@host.example"], &[], "server"),
        (&[], &[("PGHOST", "postgres://user:verysecretword@host.example:5432/db")], "server"),
    ]);
}

#[test]
fn a_negative_time_is_told_by_its_option() {
    all_refused(&[(&["--timeout", "-1s"], &[], "--timeout"), (&["--deadline", "-1"], &[], "--deadline")]);
}

#[test]
fn what_libpq_inherits_is_seen_and_not_refused() {
    let world = healthy();
    for (name, value) in [
        ("PGHOSTADDR", "10.0.0.4"),
        ("PGHOST", "/var/run/postgresql"),
        ("PGHOST", "one.example,two.example"),
        ("PGSSLMODE", "prefer"),
        ("PGSSLMODE", "disable"),
        ("PGREQUIREAUTH", "scram-sha-256"),
        ("PGCHANNELBINDING", "require"),
    ] {
        let output = command(&world, &["--format", "json"]).env(name, value).output().expect("the program starts");
        let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!(output.status.code(), Some(0), "{name}");
        let diagnosis = &report["diagnoses"][0];
        assert_eq!(diagnosis["controls"][0], "host", "{name}: {diagnosis}");
        assert_eq!(diagnosis["explains"][0], "host.libpq", "{name}: {diagnosis}");
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

/// Only the environment names these servers: its list and its socket are told by a check, the rest is skipped.
#[test]
fn a_list_or_a_socket_in_pghost_skips_the_server_and_warns() {
    let world = healthy();
    let directory = odd_files();
    for host in ["one.example,two.example", "/var/run/postgresql", "@abstract"] {
        let env = [("PGHOST", host), ("PGPORT", "5432,5433")];
        let output =
            with(&Led::to(&world), directory.path(), &["--format", "json"], &env).output().expect("the program starts");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {said}"));
        let status = |id: &str| {
            let checks = report["checks"].as_array().expect("checks");
            checks.iter().find(|check| check["id"] == id).map(|check| check["status"].clone()).expect(id)
        };
        assert_eq!(status("host.libpq"), "warn", "{host}");
        assert_eq!(status("server.tcp"), "skip", "{host}");
        assert_eq!(output.status.code(), Some(0), "{host}");
    }
}

/// An empty variable counts as unset: for libpq, for curl, for the Azure SDKs, and so for every variable that is read here.
#[test]
fn an_empty_variable_is_unset() {
    let world = healthy();
    for name in [
        "PGUSER",
        "PGDATABASE",
        "PGHOST",
        "PGPORT",
        "PGPASSWORD",
        "AZURE_CLIENT_ID",
        "AZURE_TENANT_ID",
        "AZURE_CLIENT_SECRET",
        "AZURE_AUTHORITY_HOST",
        "HTTPS_PROXY",
        "NO_PROXY",
        "IDENTITY_ENDPOINT",
    ] {
        let env = [(name, "")];
        let output = command(&world, &["-q"]).envs(env).output().expect("the program starts");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(0), "{name}: {said}");
    }
}

/// clap reads the environment for every command: what concerns `check` alone must not disturb the others.
#[test]
fn the_environment_of_check_does_not_disturb_other_commands() {
    let garbage = [
        ("PGHOST", "a b"),
        ("PGPORT", "many"),
        ("PGUSER", ""),
        ("PGDATABASE", ""),
        ("AZURE_CLIENT_ID", "junk"),
        ("AZURE_TENANT_ID", "junk"),
        ("HTTPS_PROXY", "socks5://x"),
        ("AZURE_AUTHORITY_HOST", "nowhere"),
    ];
    let world = healthy();
    let report = command(&world, &["--format", "json"]).output().expect("the program starts").stdout;
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), report).expect("a file");
    let saved = file.path().display().to_string();
    for args in [
        &["list"][..],
        &["list", "--facts"],
        &["list", "--format", "json"],
        &["schema"],
        &["explain", "dns.login"],
        &["replay", &saved],
        &["--help"],
        &["--version"],
        &["help"],
        &["check", "--help"],
    ] {
        let mut program = Command::new(stories::program());
        program.env_clear().envs(garbage).args(args).stdin(Stdio::null());
        let output = program.output().expect("the program starts");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(0), "{args:?}: {said}");
        assert_eq!(output.stdout, bare(args).stdout, "{args:?} depends on the environment");
    }
}
