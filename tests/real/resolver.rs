//! Real resolvers on loopback that know the lab's names and ask nobody else.

use std::io;
use std::net::{IpAddr, TcpStream};
use std::path::Path;
use std::process::Command;

use super::process::{Ground, Server, on_free_port};

/// A name, what it is an alias of, and the addresses at the end.
pub struct Record {
    pub name: String,
    pub chain: Vec<String>,
    pub addresses: Vec<IpAddr>,
}

impl Record {
    fn last(&self) -> &str {
        self.chain.last().unwrap_or(&self.name)
    }

    /// Each alias with what it stands for.
    fn aliases(&self) -> impl Iterator<Item = (&str, &str)> {
        let names = [&self.name].into_iter().chain(&self.chain);
        names.zip(&self.chain).map(|(alias, target)| (alias.as_str(), target.as_str()))
    }
}

pub struct Resolver {
    pub name: &'static str,
    pub port: u16,
    _server: Server,
    _ground: Ground,
}

impl Resolver {
    pub fn unbound(program: &Path, records: &[Record]) -> io::Result<Resolver> {
        Resolver::start("unbound", |ground, port| {
            ground.write("zone", &zone(records))?;
            let configuration = ground.write("unbound.conf", &unbound(ground.path(), port))?;
            let mut command = ground.command(program);
            command.arg("-d").arg("-c").arg(configuration);
            Ok(command)
        })
    }

    pub fn dnsmasq(program: &Path, records: &[Record]) -> io::Result<Resolver> {
        Resolver::start("dnsmasq", |ground, port| {
            let configuration = ground.write("dnsmasq.conf", &dnsmasq(ground, port, records)?)?;
            let mut command = ground.command(program);
            command.arg("--keep-in-foreground").arg("--log-facility=-").arg("-C").arg(configuration);
            Ok(command)
        })
    }

    fn start(name: &'static str, command: impl Fn(&Ground, u16) -> io::Result<Command>) -> io::Result<Resolver> {
        let ground = Ground::new()?;
        let (port, server) = on_free_port(|port| {
            let command = command(&ground, port)?;
            // Both listen on TCP where they listen on UDP.
            let ready = |_: &str| TcpStream::connect(("127.0.0.1", port)).is_ok();
            Ok((port, Server::start(command, ground.path().join("log"), ready)?))
        })?;
        Ok(Resolver { name, port, _server: server, _ground: ground })
    }
}

/// The root itself is ours: there is nothing left to ask others for.
fn zone(records: &[Record]) -> String {
    let mut zone = String::from(
        ". 60 IN SOA ns.lab. hostmaster.lab. 1 3600 600 86400 60\n. 60 IN NS ns.lab.\nns.lab. 60 IN A 127.0.0.1\n",
    );
    for record in records {
        for (alias, target) in record.aliases() {
            zone.push_str(&format!("{alias}. 60 IN CNAME {target}.\n"));
        }
        for address in &record.addresses {
            let kind = if address.is_ipv4() { "A" } else { "AAAA" };
            zone.push_str(&format!("{}. 60 IN {kind} {address}\n", record.last()));
        }
    }
    zone
}

fn unbound(directory: &Path, port: u16) -> String {
    let directory = directory.display();
    format!(
        "server:\n  interface: 127.0.0.1\n  port: {port}\n  access-control: 127.0.0.0/8 allow\n  do-ip6: no\n  num-threads: 1\n  \
         do-daemonize: no\n  use-syslog: no\n  username: \"\"\n  chroot: \"\"\n  directory: \"{directory}\"\n  pidfile: \"\"\n  \
         module-config: \"iterator\"\n  do-not-query-localhost: yes\nremote-control:\n  control-enable: no\n\
         auth-zone:\n  name: \".\"\n  zonefile: \"{directory}/zone\"\n  for-downstream: yes\n  for-upstream: yes\n  fallback-enabled: no\n"
    )
}

fn dnsmasq(ground: &Ground, port: u16, records: &[Record]) -> io::Result<String> {
    let mut hosts = String::new();
    let mut aliases = String::new();
    for record in records {
        for address in &record.addresses {
            hosts.push_str(&format!("{address} {}\n", record.last()));
        }
        for (alias, target) in record.aliases() {
            aliases.push_str(&format!("cname={alias},{target}\n"));
        }
    }
    let hosts = ground.write("hosts", &hosts)?;
    Ok(format!(
        "port={port}\nlisten-address=127.0.0.1\nbind-interfaces\nno-resolv\nno-hosts\nlocal-ttl=60\npid-file=\naddn-hosts={}\n{aliases}",
        hosts.display()
    ))
}
