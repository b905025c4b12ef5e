//! Real servers in the lab's place, behind the router: how one is started, and squid as the proxy.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::apart;
use super::namespace::Namespace;
use crate::scenario::{Proxy, ProxyMode, Real};

/// How long a server may take to come up on a busy machine.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

impl Real {
    /// Its program, where Debian has it.
    pub fn program(self) -> Option<PathBuf> {
        if self == Real::Postgres {
            return super::postgres::programs().map(|bin| bin.join("postgres"));
        }
        let path = std::env::var_os("PATH").unwrap_or_default();
        let more = ["/usr/local/sbin", "/usr/sbin", "/sbin"].map(PathBuf::from);
        let mut places = std::env::split_paths(&path).chain(more);
        places.find_map(|directory| Some(directory.join(self.name())).filter(|file| file.is_file()))
    }
}

/// A proxy as the story wants it: open, with credentials, or closed.
pub(super) fn squid(
    services: &Namespace,
    address: SocketAddr,
    wanted: &Proxy,
    (host, user, password): (&str, &str, &str),
    nameserver: IpAddr,
) -> io::Result<TempDir> {
    let dir = directory()?;
    let helper = write(
        &dir,
        "helper",
        &format!(
            "while read -r given; do\nif [ \"$given\" = '{user} {password}' ]; then echo OK; else echo ERR; fi\ndone\n"
        ),
    )?;
    let access = match wanted.mode {
        ProxyMode::Auth => format!(
            "auth_param basic program /bin/sh {}\nauth_param basic children 1 startup=1 idle=1\n\
             auth_param basic realm proxy\nacl known proxy_auth REQUIRED\nhttp_access allow known\n",
            helper.display()
        ),
        ProxyMode::Denied => String::new(),
        _ => "http_access allow all\n".to_owned(),
    };
    let log = dir.path().join("log");
    let configuration = write(
        &dir,
        "squid.conf",
        &format!(
            "http_port {address}\nvisible_hostname {host}\ndns_nameservers {nameserver}\npid_filename none\ncache_log {}\n\
             access_log none\ncache deny all\ncache_mem 8 MB\npinger_enable off\nmax_filedescriptors 512\n\
             shutdown_lifetime 0 seconds\n{access}http_access deny all\n",
            log.display()
        ),
    )?;
    let mut command = command(Real::Squid)?;
    command.args(["-N", "-f"]).arg(configuration);
    start(services, command, address, &log)?;
    Ok(dir)
}

pub(super) fn directory() -> io::Result<TempDir> {
    tempfile::Builder::new().prefix("lab-real-").tempdir()
}

pub(super) fn write(dir: &TempDir, name: &str, text: &str) -> io::Result<PathBuf> {
    let path = dir.path().join(name);
    std::fs::write(&path, text)?;
    Ok(path)
}

pub(super) fn command(real: Real) -> io::Result<Command> {
    let program = real.program();
    let program = program.ok_or_else(|| io::Error::other(format!("{} is not installed", real.name())))?;
    let mut command = Command::new(program);
    command.env_clear().env("LC_ALL", "C").env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").stdin(Stdio::null());
    Ok(command)
}

/// Starts a server in this namespace as an ordinary user; it ends with this process.
pub(super) fn start(place: &Namespace, mut command: Command, address: SocketAddr, log: &Path) -> io::Result<()> {
    let output = std::fs::File::create(log.with_extension("out"))?;
    command.stdout(output.try_clone()?).stderr(output);
    apart::humble(&mut command);
    let (sender, receiver) = channel();
    // The kernel ends the server when the thread ends that started it: so that one waits for it.
    let keep = place.clone();
    thread::Builder::new().name("real".to_owned()).spawn(move || {
        let started = keep.enter().and_then(|()| command.spawn());
        match started {
            Ok(mut child) => {
                let _ = sender.send(Ok(()));
                let _ = child.wait();
            }
            Err(error) => {
                let _ = sender.send(Err(error));
            }
        }
    })?;
    receiver.recv().unwrap_or_else(|_| Err(io::Error::other("a thread of the lab panicked")))?;
    let until = Instant::now() + PATIENCE;
    while place.within(|| Ok(TcpStream::connect_timeout(&address, Duration::from_millis(200)).is_err()))? {
        if Instant::now() > until {
            let said = std::fs::read_to_string(log.with_extension("out")).unwrap_or_default();
            return Err(io::Error::other(format!("nothing listens at {address}: {}", said.trim())));
        }
        thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}
