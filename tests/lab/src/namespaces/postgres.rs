//! A real PostgreSQL behind the router: its one role signs in with the token, inside TLS, as an Entra role does.

use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tempfile::TempDir;

use super::namespace::Namespace;
use super::{apart, real};
use crate::ca::Chain;

/// The directory of the newest PostgreSQL here: Debian keeps them apart by version.
pub(super) fn programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let numbered = versions.filter_map(|entry| Some((entry.file_name().to_str()?.parse::<u32>().ok()?, entry.path())));
    numbered.max().map(|(_, path)| path.join("bin")).filter(|bin| bin.join("initdb").is_file())
}

pub(super) fn start(
    services: &Namespace,
    address: SocketAddr,
    chain: &Chain,
    user: &str,
    token: &str,
) -> io::Result<TempDir> {
    let bin = programs().ok_or_else(|| io::Error::other("postgres is not installed"))?;
    let dir = real::directory()?;
    let data = dir.path().join("data");
    let options = ["-U", "postgres", "-E", "UTF8", "--locale=C", "-A", "trust", "--no-sync", "-D"];
    finish(command(&bin.join("initdb")).args(options).arg(&data))?;
    let certificates: String = chain.certificates.iter().map(|der| pem("CERTIFICATE", der)).collect();
    private(&data.join("server.pem"), &certificates)?;
    private(&data.join("server.key"), &pem("PRIVATE KEY", chain.key.secret_der()))?;
    private(&data.join("pg_hba.conf"), "hostssl all all 0.0.0.0/0 password\n")?;
    private(
        &data.join("postgresql.conf"),
        &format!(
            "listen_addresses = '{}'\nport = {}\nunix_socket_directories = ''\nssl = on\nssl_cert_file = 'server.pem'\n\
             ssl_key_file = 'server.key'\nshared_buffers = '8MB'\nmax_connections = 20\nfsync = off\nautovacuum = off\n",
            address.ip(),
            address.port()
        ),
    )?;
    // In single-user mode a line is a statement.
    let statements = dir.path().join("statements");
    private(&statements, &format!("create role \"{user}\" login password '{token}'\n"))?;
    let mut alone = command(&bin.join("postgres"));
    alone.args(["--single", "-D"]).arg(&data).arg("postgres").stdin(Stdio::from(std::fs::File::open(&statements)?));
    finish(&mut alone)?;
    std::fs::remove_file(&statements)?;
    let mut server = command(&bin.join("postgres"));
    server.arg("-D").arg(&data);
    let log = dir.path().join("log");
    real::start(services, server, address, &log)?;
    // It accepts connections before it serves them.
    let until = Instant::now() + real::PATIENCE;
    while !std::fs::read_to_string(log.with_extension("out"))?.contains("ready to accept connections") {
        if Instant::now() > until {
            return Err(io::Error::other("PostgreSQL does not become ready"));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(dir)
}

fn command(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("LC_ALL", "C").env("TZ", "UTC").env("PATH", "/usr/bin:/bin").stdin(Stdio::null());
    command
}

fn finish(command: &mut Command) -> io::Result<()> {
    apart::humble(command);
    let output = command.output()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.success() && !said.contains("ERROR:") { Ok(()) } else { Err(io::Error::other(said)) }
}

fn private(path: &Path, text: &str) -> io::Result<()> {
    std::fs::write(path, text)?;
    std::fs::set_permissions(path, PermissionsExt::from_mode(0o600))
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<&str> = text.as_bytes().chunks(64).filter_map(|line| std::str::from_utf8(line).ok()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}
