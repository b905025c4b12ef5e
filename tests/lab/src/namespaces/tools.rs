//! The two programs that a network is built with: `ip` of iproute2 and `nft` of nftables.

use std::io::{self, Write};
use std::process::{Command, Stdio};

/// Runs lines of `ip`, without the word itself, in this thread's namespace.
pub(super) fn ip(lines: &[String]) -> io::Result<()> {
    if lines.is_empty() { Ok(()) } else { run("ip", &["-batch", "-"], &lines.join("\n")).map(drop) }
}

/// The devices of this thread's namespace that are up by their owner's will and do not carry yet.
pub(super) fn not_carrying() -> io::Result<Vec<String>> {
    let table = run("ip", &["-oneline", "link", "show", "up"], "")?;
    let waits = |line: &&str| !line.contains("state UP") && !line.contains("state UNKNOWN");
    Ok(table.lines().filter(waits).map(str::to_owned).collect())
}

/// Adds rules to this thread's namespace.
pub(super) fn nft(ruleset: &str) -> io::Result<()> {
    // nft 1.0.6 takes a closing brace after another statement on a line of its own only.
    let ruleset = ruleset.replace("; }", ";\n}").replace("} }", "}\n}").replace("} }", "}\n}");
    if ruleset.trim().is_empty() { Ok(()) } else { run("nft", &["-f", "-"], &ruleset).map(drop) }
}

fn run(program: &str, arguments: &[&str], input: &str) -> io::Result<String> {
    // An ordinary user's PATH often lacks the directories of these two.
    let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default());
    let mut child = Command::new(program)
        .args(arguments)
        .env("PATH", path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| io::Error::new(error.kind(), format!("{program} does not start: {error}")))?;
    if let Some(mut pipe) = child.stdin.take().filter(|_| !input.is_empty()) {
        pipe.write_all(format!("{}\n", input.trim_end()).as_bytes())?;
    }
    let output = child.wait_with_output()?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(io::Error::other(format!("{program} {}: {}\n{input}", arguments.join(" "), said.trim())))
}
