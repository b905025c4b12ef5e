//! A user who pastes the printed line of psql into a shell: what psql is given, and what everybody could read meanwhile in the list of processes.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::secrets;
use crate::world::World;

/// Every program that a line may start beside psql and `az`; each is started by way of a script that writes down its arguments.
pub const PROGRAMS: [&str; 6] = ["cat", "curl", "date", "openssl", "sed", "tr"];

/// What is not as it should be, in sentences.
///
/// # Errors
/// When no script can be written or no shell started.
pub fn mismatches(world: &World, report: &Value) -> io::Result<Vec<String>> {
    let lines = report["sign_in"].as_array().map_or(&[][..], Vec::as_slice);
    let line = lines.iter().find(|line| line["client"] == "psql" && line["here"] == true);
    let Some(line) = line.and_then(|line| line["run"].as_str()) else {
        return Ok(vec!["no line of psql is printed".to_owned()]);
    };
    let dir = tempfile::tempdir()?;
    let (log, password) = (dir.path().join("arguments"), dir.path().join("password"));
    for name in PROGRAMS {
        let program = find(name).ok_or_else(|| io::Error::other(format!("{name} is not installed")))?;
        let note = "{ printf '%s\\n' \"$0\" \"$@\"; } >>";
        script(dir.path(), name, &format!("{note} '{}'\nexec '{}' \"$@\"\n", log.display(), program.display()))?;
    }
    script(dir.path(), "psql", &format!("printf %s \"$PGPASSWORD\" > '{}'\n", password.display()))?;
    let mut path = dir.path().display().to_string();
    let mut command = Command::new("/bin/sh");
    command.env_clear();
    for (name, value) in &world.env {
        if name == "PATH" {
            write!(path, ":{value}").map_err(io::Error::other)?;
        } else {
            command.env(name, value);
        }
    }
    let output = command.env("PATH", path).arg("-c").arg(line).stdin(Stdio::null()).output()?;
    let given = std::fs::read(&password).unwrap_or_default();
    let arguments = std::fs::read(&log).unwrap_or_default();
    let mut wrong = Vec::new();
    if world.secrets().first().is_none_or(|token| token.text.as_bytes() != given) {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        wrong.push(format!("psql is not given the token by: {line}\n{said}"));
    }
    let said: [(&str, &[u8]); 4] = [
        ("the printed line", line.as_bytes()),
        ("an argument of a program", &arguments),
        ("what the line prints", &output.stdout),
        ("what the line prints as errors", &output.stderr),
    ];
    wrong.extend(secrets::leaks(world.secrets(), &said, &world.received()));
    Ok(wrong)
}

/// The programs that are missing here.
pub fn missing() -> Option<&'static str> {
    PROGRAMS.into_iter().find(|name| find(name).is_none())
}

fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).map(|directory| directory.join(name)).find(|file| file.is_file())
}

fn script(dir: &Path, name: &str, text: &str) -> io::Result<()> {
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o700).open(dir.join(name))?;
    file.write_all(format!("#!/bin/sh\n{text}").as_bytes())
}
