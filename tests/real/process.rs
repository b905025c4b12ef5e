//! Programs of this machine: where they are, as whom they run, and that they end with the test.

use std::fs::File;
use std::io::{self, Write};
use std::net::{TcpListener, UdpSocket};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// How long a server may take to come up on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Says that a program is missing, where libtest cannot hide it; whether that is a failure decides `PREFLIGHT_REQUIRE`.
pub fn missing<T>(name: &str) -> Option<T> {
    let required = std::env::var("PREFLIGHT_REQUIRE").unwrap_or_default();
    assert!(
        !required.split(',').any(|word| word.trim() == name),
        "PREFLIGHT_REQUIRE asks for {name}, which is not installed"
    );
    let _ = writeln!(io::stderr(), "SKIPPED: {name} is not installed; what needs it was not tested");
    None
}

/// A program's path: on the PATH, or where Debian keeps what only root runs.
pub fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let more = ["/usr/local/sbin", "/usr/sbin", "/sbin"].map(PathBuf::from);
    std::env::split_paths(&path).chain(more).map(|directory| directory.join(name)).find(|file| file.is_file())
}

/// A directory that belongs to the user as whom the servers run, and is gone after the test.
pub struct Ground {
    path: PathBuf,
    /// Whom to become, when the test itself is run by root: PostgreSQL refuses to be root.
    user: Option<(u32, u32)>,
}

impl Ground {
    pub fn new() -> io::Result<Ground> {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("preflight-{}-{number}-{:08x}", std::process::id(), fastrand::u32(..));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path)?;
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o700))?;
        let mut ground = Ground { path, user: None };
        if std::fs::metadata(&ground.path)?.uid() == 0 {
            ground.user = Some(unprivileged()?);
            ground.hand_over(&ground.path)?;
        }
        Ok(ground)
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a file that only the servers' user can read.
    pub fn write(&self, name: &str, text: &str) -> io::Result<PathBuf> {
        let path = self.path.join(name);
        let mut file = File::create(&path)?;
        file.set_permissions(PermissionsExt::from_mode(0o600))?;
        file.write_all(text.as_bytes())?;
        self.hand_over(&path)?;
        Ok(path)
    }

    fn hand_over(&self, path: &Path) -> io::Result<()> {
        self.user.map_or(Ok(()), |(user, group)| chown(path, Some(user), Some(group)))
    }

    /// A command that runs here, as the servers' user, in plain English.
    pub fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.path).env_clear().env("LC_ALL", "C").env("TZ", "UTC").stdin(Stdio::null());
        if let Some((user, group)) = self.user {
            command.uid(user).gid(group);
        }
        command
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

/// The user `postgres`, which Debian's package makes, else `nobody`.
fn unprivileged() -> io::Result<(u32, u32)> {
    let text = std::fs::read_to_string("/etc/passwd")?;
    let of = |wanted: &str| {
        let line = text.lines().find(|line| line.split(':').next() == Some(wanted))?;
        let mut fields = line.split(':').skip(2).map(str::parse::<u32>);
        Some((fields.next()?.ok()?, fields.next()?.ok()?))
    };
    of("postgres").or_else(|| of("nobody")).ok_or_else(|| io::Error::other("there is no user to run servers as"))
}

/// Runs a command to its end.
///
/// # Errors
/// When it does not succeed, with what it said.
pub fn finish(command: &mut Command) -> io::Result<Vec<u8>> {
    let output = command.output()?;
    if output.status.success() {
        return Ok(output.stderr);
    }
    let said = [output.stdout, output.stderr].concat();
    Err(io::Error::other(format!("{:?}: {}: {}", command.get_program(), output.status, String::from_utf8_lossy(&said))))
}

/// A server. It stays in the test's process group, so that an interrupt at the terminal ends it too; otherwise it ends when this is dropped.
pub struct Server {
    child: Child,
    pub log: PathBuf,
}

impl Server {
    /// Starts a server whose output is a log, and waits until `ready`.
    ///
    /// # Errors
    /// When it ends instead, or takes too long; with its log.
    pub fn start(mut command: Command, log: PathBuf, ready: impl Fn(&str) -> bool) -> io::Result<Server> {
        let file = File::create(&log)?;
        command.stdout(file.try_clone()?).stderr(file);
        let mut server = Server { child: command.spawn()?, log };
        let started = Instant::now();
        while !ready(&server.said()) {
            if server.child.try_wait()?.is_some() || started.elapsed() > PATIENCE {
                return Err(io::Error::other(format!(
                    "{:?} did not come up: {}",
                    command.get_program(),
                    server.said()
                )));
            }
            thread::sleep(Duration::from_millis(10));
        }
        Ok(server)
    }

    /// Its log so far.
    pub fn said(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// Waits a little for an end that was asked for.
    pub fn wait(&mut self) {
        for _ in 0..500 {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Tries ports that were free a moment ago, over UDP and TCP: somebody else may be quicker.
pub fn on_free_port<T>(mut start: impl FnMut(u16) -> io::Result<T>) -> io::Result<T> {
    let mut last = io::Error::other("no free port");
    for _ in 0..5 {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let port = listener.local_addr()?.port();
        let free = UdpSocket::bind(("127.0.0.1", port)).is_ok();
        drop(listener);
        if free {
            match start(port) {
                Ok(started) => return Ok(started),
                Err(error) => last = error,
            }
        }
    }
    Err(last)
}
