//! A real PostgreSQL on loopback, with TLS, and with roles that sign in as Entra roles do: by a password in clear, which is a token.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lab::ca::Chain;

use super::process::{Ground, Server, find, finish, on_free_port};

/// The programs of the newest PostgreSQL here: Debian keeps them apart by version.
pub fn programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let debian = versions
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse::<u32>().ok()?, entry.path().join("bin"))))
        .max()
        .map(|(_, path)| path);
    let elsewhere = || find("initdb").and_then(|initdb| Some(initdb.parent()?.to_owned()));
    debian.or_else(elsewhere).filter(|bin| bin.join("initdb").is_file() && bin.join("postgres").is_file())
}

pub struct Postgres {
    pub port: u16,
    server: Server,
    bin: PathBuf,
    data: PathBuf,
    /// The directory goes last, after its server.
    ground: Ground,
}

impl Postgres {
    /// `hba` is pg_hba.conf; `statements` make roles and databases before the server listens.
    pub fn start(bin: PathBuf, chain: &Chain, hba: &str, statements: &[String]) -> io::Result<Postgres> {
        let ground = Ground::new()?;
        let data = ground.path().join("data");
        let options = ["-U", "postgres", "-E", "UTF8", "--locale=C", "-A", "trust", "--no-sync", "-D"];
        finish(ground.command(&bin.join("initdb")).args(options).arg(&data))?;
        certified(&ground, chain)?;
        ground.write("data/pg_hba.conf", hba)?;
        execute(&ground, &bin, &data, statements)?;
        let (port, server) = on_free_port(|port| {
            ground.write("data/postgresql.conf", &settings(port, true))?;
            let mut command = ground.command(&bin.join("postgres"));
            command.arg("-D").arg(&data);
            let server = Server::start(command, ground.path().join("log"), |log| {
                log.contains("database system is ready to accept connections")
            })?;
            Ok((port, server))
        })?;
        Ok(Postgres { port, server, bin, data, ground })
    }

    pub fn log(&self) -> String {
        self.server.said()
    }

    /// Ends the server, and every session with it.
    pub fn stop(&mut self) {
        finish(self.control().args(["stop", "-m", "fast"])).expect("stopped");
        self.server.wait();
    }

    /// Turns TLS off, as an ordinary PostgreSQL comes.
    pub fn speak_no_tls(&self) {
        self.ground.write("data/postgresql.conf", &settings(self.port, false)).expect("new settings");
        finish(self.control().arg("reload")).expect("reloaded");
        for _ in 0..500 {
            if self.answer_to_ssl_request().is_ok_and(|answer| answer == b'N') {
                return;
            }
            thread::sleep(Duration::from_millis(10));
        }
        panic!("PostgreSQL still speaks TLS: {}", self.log());
    }

    /// Runs a statement as the superuser, over loopback.
    pub fn execute(&self, statement: &str) {
        let mut command = self.ground.command(&self.bin.join("psql"));
        command.env("PGHOST", "127.0.0.1").env("PGPORT", self.port.to_string()).env("PGUSER", "postgres");
        command.args(["--no-psqlrc", "--set", "ON_ERROR_STOP=1", "--command", statement, "postgres"]);
        finish(&mut command).expect("a statement of the superuser");
    }

    fn answer_to_ssl_request(&self) -> io::Result<u8> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        stream.write_all(&[0, 0, 0, 8, 4, 210, 22, 47])?;
        let mut answer = [0];
        stream.read_exact(&mut answer)?;
        Ok(answer[0])
    }

    fn control(&self) -> Command {
        let mut command = self.ground.command(&self.bin.join("pg_ctl"));
        command.arg("-D").arg(&self.data);
        command
    }
}

impl Drop for Postgres {
    /// Its children have sessions of their own: only the server itself can end them all.
    fn drop(&mut self) {
        let _ = finish(self.control().args(["stop", "-m", "immediate"]));
        self.server.wait();
    }
}

/// A server's chain and its key, as files.
pub fn certified(ground: &Ground, chain: &Chain) -> io::Result<(PathBuf, PathBuf)> {
    let certificates: String = chain.certificates.iter().map(|der| pem("CERTIFICATE", der)).collect();
    let certificates = ground.write("server.pem", &certificates)?;
    Ok((certificates, ground.write("server.key", &pem("PRIVATE KEY", chain.key.secret_der()))?))
}

fn settings(port: u16, tls: bool) -> String {
    let tls = if tls { "on" } else { "off" };
    format!(
        "listen_addresses = '127.0.0.1'\nport = {port}\nunix_socket_directories = ''\n\
         ssl = {tls}\nssl_cert_file = '../server.pem'\nssl_key_file = '../server.key'\n\
         shared_buffers = '8MB'\nmax_connections = 20\nfsync = off\nautovacuum = off\n\
         log_connections = on\nlog_line_prefix = '%m [%p] '\n"
    )
}

/// Runs statements in single-user mode, where a line is a statement.
fn execute(ground: &Ground, bin: &Path, data: &Path, statements: &[String]) -> io::Result<()> {
    let mut command = ground.command(&bin.join("postgres"));
    command.args(["--single", "-D"]).arg(data).arg("postgres");
    let input = ground.write("statements", &(statements.join("\n") + "\n"))?;
    command.stdin(Stdio::from(std::fs::File::open(&input)?));
    let said = String::from_utf8_lossy(&finish(&mut command)?).into_owned();
    std::fs::remove_file(input)?;
    match said.lines().find(|line| line.contains("ERROR:")) {
        Some(error) => Err(io::Error::other(error.to_owned())),
        None => Ok(()),
    }
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<&str> = text.as_bytes().chunks(64).filter_map(|line| std::str::from_utf8(line).ok()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}
