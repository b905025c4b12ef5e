//! Local inputs that were never meant to be read: files, variables, limits. Bad input ends with status 2 before a packet is sent; a poor
//! machine is a finding.

use std::ffi::CString;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::act::{Act, ESCAPES};
use super::program::{self, Scratch, raw};
use super::row::{At, DEADLINE, Stage};

struct Said {
    exit: Option<i32>,
    text: String,
    took: Duration,
}

/// Runs the program among polite peers with a few more arguments and variables.
fn say(stage: &Stage, args: &[&str], env: &[(&str, &str)], drop: &[&str]) -> Said {
    let command = stage.command(&[]);
    let mut kept: Vec<std::ffi::OsString> = Vec::new();
    let mut given = command.get_args();
    while let Some(arg) = given.next() {
        if drop.iter().any(|option| arg == *option) {
            given.next();
        } else {
            kept.push(arg.to_owned());
        }
    }
    let mut fresh = Command::new(program::path());
    fresh.env_clear().envs(command.get_envs().filter_map(|(name, value)| Some((name, value?)))).args(kept).args(args);
    fresh.envs(env.iter().copied()).stdin(Stdio::null());
    let started = Instant::now();
    let output = fresh.output().expect("the program starts");
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    Said { exit: output.status.code(), text, took: started.elapsed() }
}

fn fifo(path: &Path) {
    let name = CString::new(path.as_os_str().as_bytes()).expect("a path");
    let made = Command::new("mkfifo").arg(name.to_str().expect("a path")).status().expect("mkfifo");
    assert!(made.success());
}

/// Files that are no CA file and no token: refused at once, with the reason, and never shown.
#[test]
fn hostile_files() {
    let (stage, scratch) = (Stage::new(&At::Nobody), Scratch::new());
    fifo(&scratch.file("fifo"));
    let huge = std::fs::File::create(scratch.file("huge")).expect("a file");
    huge.set_len(1 << 30).expect("a hole");
    let key = "-----BEGIN PRIVATE KEY-----\nc2VjcmV0LXNlY3JldC1zZWNyZXQ=\n-----END PRIVATE KEY-----\n";
    let file = |name: &str, bytes: &[u8]| scratch.write(name, bytes).display().to_string();
    let (fifo, huge) = (scratch.file("fifo").display().to_string(), scratch.file("huge").display().to_string());
    let directory = scratch.file(".").display().to_string();
    let cases: Vec<(&str, &str, String)> = vec![
        ("HL05 empty", "--ca-file", file("empty", b"")),
        ("HL05 DER", "--ca-file", file("der", &[0x30, 0x82, 1, 1, 0xFF])),
        ("HL05 a private key", "--ca-file", file("key", key.as_bytes())),
        (
            "HL05 broken base64",
            "--ca-file",
            file("broken", b"-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n"),
        ),
        ("HL05 a directory", "--ca-file", directory.clone()),
        ("HL05 a FIFO", "--ca-file", fifo.clone()),
        ("HL05 /dev/zero", "--ca-file", "/dev/zero".to_owned()),
        ("HL05 1 GB", "--ca-file", huge.clone()),
        ("HL05 absent", "--ca-file", scratch.file("absent").display().to_string()),
        ("HL06 empty", "--token-file", file("no-token", b"\n \r\n")),
        ("HL06 a FIFO", "--token-file", fifo),
        ("HL06 1 GB", "--token-file", huge),
        ("HL06 a directory", "--token-file", directory),
        ("HL06 no text", "--token-file", file("noise", &[0xFF; 300])),
    ];
    let mut wrong = Vec::new();
    for (name, option, path) in &cases {
        let said = say(&stage, &[option, path], &[], &["--ca-file"]);
        let bad = said.exit != Some(2) || said.took > Duration::from_secs(2) || said.text.contains("c2VjcmV0");
        if bad
            || raw(said.text.as_bytes()).is_some()
            || !said.text.contains(option) && !said.text.contains("token file")
        {
            wrong.push(format!(
                "{name}: {:?} in {:?}: {}",
                said.exit,
                said.took,
                said.text.chars().take(300).collect::<String>()
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// HL06: what editors leave around a token is no part of it, and what is no token is not sent. HL05: many certificates are no trouble.
#[test]
fn odd_files_that_are_read() {
    let (stage, scratch) = (Stage::new(&At::Nobody), Scratch::new());
    let token = stage.world().secrets()[0].text.clone();
    for (name, bytes) in [("bom", format!("\u{feff}{token}\r\n")), ("lines", format!("\n\n{token}\n \t\n"))] {
        let path = scratch.write(name, bytes).display().to_string();
        let said = say(&stage, &["--token-file", &path], &[], &[]);
        assert_eq!(said.exit, Some(0), "{name}: {}", said.text);
        assert!(!said.text.contains(&token[..40]), "{name}");
    }
    let inner = scratch.write("inner", format!("{}\0{}", &token[..30], &token[30..])).display().to_string();
    let said = say(&stage, &["--token-file", &inner], &[], &[]);
    assert_eq!(said.exit, Some(1), "{}", said.text);
    let roots = stage.command(&[]).get_args().skip_while(|arg| *arg != "--ca-file").nth(1).expect("a file").to_owned();
    let many = std::fs::read_to_string(roots).expect("roots").repeat(3000);
    let many = scratch.write("many", many).display().to_string();
    let said = say(&stage, &["--ca-file", &many], &[], &["--ca-file"]);
    assert_eq!(said.exit, Some(0), "{}", said.text);
}

/// HL03, HL04: options and variables beyond reason. The message names the option, and repeats no secret.
#[test]
fn hostile_options() {
    let stage = Stage::new(&At::Nobody);
    let long = "x".repeat(100_000);
    let long_proxy = format!("http://u:hunter2hunter2hunter2@{long}\u{7}:80");
    let mut wrong = Vec::new();
    let values = ["1e308", "-1", "NaN", "inf", "0", "99999999999999999999", "5 s", "", "\u{1b}[2J"];
    for option in ["--timeout", "--deadline"] {
        for value in values {
            let said = say(&stage, &[&format!("{option}={value}")], &[], &[option]);
            if said.exit != Some(2) || !said.text.contains(option) || raw(said.text.as_bytes()).is_some() {
                wrong.push(format!("HL03 {option} {value:?}: {:?} {}", said.exit, said.text));
            }
        }
    }
    let proxies = [
        "http://user:hunter2hunter2hunter2@",
        "http://user:hunter2hunter2hunter2@host\u{1b}[2J:80",
        "http://user:hunter2hunter2hunter2@host:99999",
        "socks4://user:hunter2hunter2hunter2@host:80",
        "http://user:hunter2hunter2hunter2@a@:80",
        "http://user:hunter2hunter2hunter2@ho st:80",
        "http://user:hunter2hunter2hunter2@[::1:80",
        &long_proxy,
    ];
    for proxy in proxies {
        let said = say(&stage, &[], &[("HTTPS_PROXY", proxy)], &[]);
        let shown = said.text.contains("hunter2") || said.text.len() > 4000 || raw(said.text.as_bytes()).is_some();
        if said.exit != Some(2) || shown || !said.text.contains("HTTPS_PROXY") {
            let head: String = said.text.chars().take(300).collect();
            wrong.push(format!("HL04 {:?}: {:?} {head}", proxy.chars().take(60).collect::<String>(), said.exit));
        }
    }
    for (option, value) in [("--user", ESCAPES), ("--database", ESCAPES)] {
        let said = say(&stage, &[option, value], &[], &[option]);
        if said.exit == Some(2) && !said.text.contains(option)
            || raw(said.text.as_bytes()).is_some()
            || said.text.contains("panicked")
        {
            wrong.push(format!("{option} of escapes: {:?} {}", said.exit, said.text));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// HL01, HL02: resolv.conf and hosts as nobody wrote them, in a mount and network namespace of their own where nothing can leave.
#[test]
fn hostile_resolver_files() {
    let namespaces = ["-rmn", "true"];
    let allowed =
        Command::new("unshare").args(namespaces).stderr(Stdio::null()).status().is_ok_and(|status| status.success());
    if !allowed {
        let _ = writeln!(std::io::stderr(), "SKIPPED: hostile resolver files need unprivileged user namespaces");
        assert!(
            !std::env::var("PREFLIGHT_REQUIRE").is_ok_and(|list| list.contains("namespaces")),
            "namespaces are required"
        );
        return;
    }
    let scratch = Scratch::new();
    let line = "127.0.0.1 a.example\n";
    let cases: Vec<(&str, &str, Vec<u8>)> = vec![
        ("HL01 10000 lines", "/etc/resolv.conf", "nameserver 127.0.0.9\n".repeat(10_000).into_bytes()),
        ("HL01 NUL", "/etc/resolv.conf", b"nameserver 127.0.0.9\0\n\0\0\nsearch \0\n".to_vec()),
        ("HL01 a zone", "/etc/resolv.conf", b"nameserver fe80::1%lo\nnameserver fe80::1%nowhere\n".to_vec()),
        (
            "HL01 a line of 1 MB",
            "/etc/resolv.conf",
            format!("search {}\nnameserver 127.0.0.9\n", "x".repeat(1 << 20)).into_bytes(),
        ),
        ("HL01 escapes", "/etc/resolv.conf", format!("nameserver {ESCAPES}\noptions {ESCAPES}\n").into_bytes()),
        ("HL01 noise", "/etc/resolv.conf", (0..=255).cycle().take(100_000).collect()),
        ("HL01 empty", "/etc/resolv.conf", Vec::new()),
        ("HL02 100 MB", "/etc/hosts", line.repeat((100 << 20) / line.len()).into_bytes()),
        ("HL02 noise", "/etc/hosts", (0..=255).cycle().take(100_000).collect()),
        (
            "HL02 escapes",
            "/etc/hosts",
            format!("127.0.0.1 login.microsoftonline.com {ESCAPES}\n{ESCAPES} x\n").into_bytes(),
        ),
        ("HL02 a line of 1 MB", "/etc/hosts", format!("127.0.0.1 {}\n", "x ".repeat(1 << 19)).into_bytes()),
    ];
    let mut wrong = Vec::new();
    for (name, place, bytes) in cases {
        let path = scratch.write("file", bytes);
        let script = format!("mount --bind {} {place} && exec \"$0\" \"$@\"", path.display());
        let mut command = Command::new("unshare");
        command.args(["-rmn", "sh", "-c", &script]).arg(program::path());
        command.args(["check", "--credential", "none", "--timeout", "500ms", "--deadline", "5s"]);
        command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        let ran = program::run(command, None, DEADLINE);
        wrong.extend(ran.broken(DEADLINE, None).into_iter().map(|what| format!("{name}: {what}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// HL09: few descriptors, no trust store, no home, a file system that cannot be written.
#[test]
fn poor_machines() {
    let mut wrong = Vec::new();
    for (name, limit) in [
        ("HL09 16 descriptors", "ulimit -n 16"),
        ("HL09 512 MB", "ulimit -v 524288"),
        ("HL09 10 s of processor", "ulimit -t 10"),
    ] {
        let stage = Stage::new(&At::Nobody);
        let inner = stage.command(&[]);
        let mut command = Command::new("sh");
        command.args(["-c", &format!("{limit}; exec \"$0\" \"$@\"")]).arg(inner.get_program()).args(inner.get_args());
        command.env_clear().envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let ran = program::run(command, None, DEADLINE);
        // With too few descriptors the report cannot be opened: that is an error of status 2, and no crash.
        if ran.exit == Some(2) && name.contains("descriptors") && !ran.stderr.is_empty() {
            continue;
        }
        wrong.extend(ran.broken(DEADLINE, None).into_iter().map(|what| format!("{name}: {what}")));
    }
    let stage = Stage::new(&At::Nobody);
    let said = say(
        &stage,
        &[],
        &[("SSL_CERT_FILE", "/nonexistent"), ("HOME", "/nonexistent"), ("TMPDIR", "/proc")],
        &["--ca-file"],
    );
    if said.exit != Some(1) {
        wrong.push(format!("HL09 no roots: {:?} {}", said.exit, said.text));
    }
    let said = say(&stage, &["--format", "json=/proc/1/x"], &[], &[]);
    if said.exit != Some(2) {
        wrong.push(format!("HL09 a file that cannot be written: {:?} {}", said.exit, said.text));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// HL10: SIGINT and SIGTERM at any moment give a whole report, at once, and their own status.
#[test]
fn signals_at_any_moment() {
    let mut wrong = Vec::new();
    for (place, at) in
        [At::Login(vec![Act::Deaf]), At::Server(vec![Act::Deaf]), At::Metadata(vec![Act::Deaf])].into_iter().enumerate()
    {
        for (signal, status) in [("INT", 130), ("TERM", 143)] {
            let stage = Stage::new(&at);
            let mut command = stage.command(&["--format", "json"]);
            let child =
                command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("a child");
            let started = Instant::now();
            // Once the peer has been spoken to, the run is under way.
            while stage.conversations().is_empty() && started.elapsed() < DEADLINE {
                std::thread::sleep(Duration::from_millis(5));
            }
            let sent = Instant::now();
            let _ = Command::new("kill").args([&format!("-{signal}"), &child.id().to_string()]).status();
            let output = child.wait_with_output().expect("an end");
            let took = sent.elapsed();
            let report = serde_json::from_slice::<serde_json::Value>(&output.stdout);
            // A processor shared with other tests is no stopwatch: what is measured here is that nothing is waited for.
            if output.status.code() != Some(status) || report.is_err() || took > Duration::from_millis(700) {
                wrong.push(format!(
                    "SIG{signal} among {place}: {:?}, {:?}, report {}",
                    output.status,
                    took,
                    report.is_ok()
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
