//! One run of the real program, and what every run promises, whatever its peers do.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

/// A run prints and ends within this after its deadline.
const GRACE: Duration = Duration::from_secs(1);
/// More than the polite peer's run, in KiB.
const MORE: u64 = 8 * 1024;

/// The program under test; `PROGRAM=path` tests another build of it.
pub fn path() -> PathBuf {
    std::env::var_os("PROGRAM").map_or_else(|| env!("CARGO_BIN_EXE_entra-preflight").into(), PathBuf::from)
}

/// A directory of one test; it goes when it is dropped.
pub struct Scratch(PathBuf);

impl Scratch {
    pub fn new() -> Scratch {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("hostile-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).expect("a directory");
        Scratch(path)
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// A script that can be run.
    pub fn program(&self, name: &str, text: &str) {
        use std::os::unix::fs::PermissionsExt;
        let path = self.write(name, text);
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700)).expect("a mode");
    }

    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        std::fs::write(self.file(name), bytes).expect("a file");
        self.file(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub struct Ran {
    pub exit: Option<i32>,
    pub killed: bool,
    pub took: Duration,
    /// The largest resident size that was seen, in KiB.
    pub peak: u64,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
    /// What `--format text -v` says of the same run.
    pub page: Vec<u8>,
    pub report: Option<Value>,
}

/// Runs a command that prints one JSON document, and a page into a file.
pub fn run(mut command: Command, stdin: Option<&[u8]>, limit: Duration) -> Ran {
    let scratch = Scratch::new();
    let page = scratch.file("page");
    command.args(["--format", "json", "-v", "--format"]).arg(format!("text={}", page.display()));
    command.stdin(if stdin.is_some() { Stdio::piped() } else { Stdio::null() });
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let name = command.get_program().to_owned();
    let started = Instant::now();
    let mut child = command.spawn().expect("the program starts");
    let pipes = (child.stdout.take().expect("a pipe"), child.stderr.take().expect("a pipe"));
    let (stdout, stderr) = (collect(pipes.0), collect(pipes.1));
    if let (Some(mut pipe), Some(bytes)) = (child.stdin.take(), stdin.map(<[u8]>::to_vec)) {
        thread::spawn(move || drop(pipe.write_all(&bytes)));
    }
    let mut peak = 0;
    let (exit, killed) = loop {
        // The high-water mark only rises, so that the last look before the end is enough.
        peak = peak.max(high_water(child.id(), Path::new(&name)));
        match child.try_wait().expect("a child") {
            Some(status) => break (status.code(), false),
            None if started.elapsed() > limit + Duration::from_secs(10) => {
                let _ = child.kill();
                let _ = child.wait();
                break (None, true);
            }
            None => thread::sleep(Duration::from_millis(4)),
        }
    };
    let took = started.elapsed();
    let (stdout, stderr) = (stdout.join().expect("output"), stderr.join().expect("output"));
    let report = serde_json::from_slice(&stdout).ok();
    Ran { exit, killed, took, peak, stdout, stderr, page: std::fs::read(&page).unwrap_or_default(), report }
}

fn collect(pipe: impl Read + Send + 'static) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = pipe.take(64 * 1024 * 1024).read_to_end(&mut bytes);
        bytes
    })
}

/// VmHWM of a process, in KiB. The maximum in `rusage` would not do: a child inherits it from whoever started it. Until it is the program
/// that was to be started, it still shows the memory of this one: its name, of which the kernel keeps 15 letters, changes last.
fn high_water(process: u32, program: &Path) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let name = program.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let shown = status.lines().find_map(|line| line.strip_prefix("Name:")).unwrap_or_default().trim();
    if shown.is_empty() || !name.starts_with(shown) {
        return 0;
    }
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

impl Ran {
    /// Everything in which the run broke its promises.
    pub fn broken(&self, limit: Duration, polite: Option<u64>) -> Vec<String> {
        let mut broken = Vec::new();
        if self.killed {
            broken.push("the run did not end".to_owned());
        } else if self.took > limit + GRACE {
            broken.push(format!("the run took {:.1} s", self.took.as_secs_f64()));
        }
        let said = String::from_utf8_lossy(&self.stderr);
        if said.contains("panicked at") || self.exit.is_none() {
            broken.push(format!("the program panicked or was ended by a signal: {}", said.trim()));
        }
        if !matches!(self.exit, Some(0 | 1 | 3)) {
            broken.push(format!("exit status {:?}: {}", self.exit, said.trim()));
        }
        match &self.report {
            Some(report) => {
                broken.extend(lab::judge::against_contract(report, self.exit));
                if report.to_string().contains("a defect of this program") {
                    broken.push("a probe panicked".to_owned());
                }
            }
            None => broken.push("standard output is not one JSON document".to_owned()),
        }
        for (place, bytes) in [("the page", &self.page), ("standard error", &self.stderr)] {
            broken.extend(raw(bytes).map(|what| format!("{what} is in {place}")));
        }
        if let Some(byte) = self.stdout.iter().find(|byte| byte.is_ascii_control() && **byte != b'\n') {
            broken.push(format!("a raw {byte:#04x} is in the JSON"));
        }
        if self.page.is_empty() {
            broken.push("there is no page".to_owned());
        }
        if let Some(polite) = polite.filter(|polite| self.peak > polite + MORE) {
            broken.push(format!("{} KiB of memory, where a polite peer's run takes {polite}", self.peak));
        }
        broken
    }
}

/// A character that a terminal would obey, or bytes that are no text.
pub fn raw(bytes: &[u8]) -> Option<String> {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => return Some(format!("invalid UTF-8 ({error})")),
    };
    let obeyed = |letter: &char| {
        (letter.is_control() && *letter != '\n')
            || matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}')
    };
    text.chars().find(obeyed).map(|letter| format!("a raw U+{:04X}", u32::from(letter)))
}
