//! Real servers in the lab's place, behind the router: squid as the proxy, unbound or dnsmasq as nameservers.

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
use crate::plan::Plan;
use crate::scenario::{Answers, Ipv6, Nameserver, Proxy, ProxyMode, Real};

/// How long a server may take to come up on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

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

/// A nameserver that knows the world's names, or denies some of them as the story says.
pub(super) fn nameserver(
    services: &Namespace,
    real: Real,
    address: SocketAddr,
    plans: &[Plan],
    behaviour: &Nameserver,
) -> io::Result<TempDir> {
    let dir = directory()?;
    let mut command = command(real)?;
    if real == Real::Unbound {
        let zone = write(&dir, "zone", &zone(plans))?;
        let configuration = write(&dir, "unbound.conf", &unbound(&dir, address, &zone, plans, behaviour)?)?;
        command.arg("-d").arg("-c").arg(configuration);
    } else {
        let configuration = write(&dir, "dnsmasq.conf", &dnsmasq(&dir, address, plans, behaviour)?)?;
        command.args(["--keep-in-foreground", "--log-facility=-", "-C"]).arg(configuration);
    }
    start(services, command, address, &dir.path().join("log"))?;
    Ok(dir)
}

pub(super) fn directory() -> io::Result<TempDir> {
    tempfile::Builder::new().prefix("lab-real-").tempdir()
}

fn write(dir: &TempDir, name: &str, text: &str) -> io::Result<PathBuf> {
    let path = dir.path().join(name);
    std::fs::write(&path, text)?;
    Ok(path)
}

fn command(real: Real) -> io::Result<Command> {
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

/// Each name of a chain with what it stands for.
fn aliases(plan: &Plan) -> impl Iterator<Item = (&str, &str)> {
    let names = [&plan.name].into_iter().chain(&plan.chain);
    names.zip(&plan.chain).map(|(alias, target)| (alias.as_str(), target.as_str()))
}

fn addresses(plan: &Plan) -> Vec<IpAddr> {
    let v6 = plan.v6.iter().filter(|_| plan.ipv6 != Ipv6::Absent).copied().map(IpAddr::from);
    plan.v4.iter().copied().map(IpAddr::from).chain(v6).collect()
}

/// The root itself is ours: there is nothing left to ask others for.
fn zone(plans: &[Plan]) -> String {
    let mut zone = String::from(
        ". 60 IN SOA ns.lab. hostmaster.lab. 1 3600 600 86400 60\n. 60 IN NS ns.lab.\nns.lab. 60 IN A 127.0.0.1\n",
    );
    for plan in plans {
        for (alias, target) in aliases(plan) {
            zone.push_str(&format!("{alias}. 60 IN CNAME {target}.\n"));
        }
        let last = plan.chain.last().unwrap_or(&plan.name);
        for address in addresses(plan) {
            let kind = if address.is_ipv4() { "A" } else { "AAAA" };
            zone.push_str(&format!("{last}. 60 IN {kind} {address}\n"));
        }
    }
    zone
}

fn unbound(
    dir: &TempDir,
    address: SocketAddr,
    zone: &Path,
    plans: &[Plan],
    behaviour: &Nameserver,
) -> io::Result<String> {
    let mut local = String::new();
    for plan in plans {
        let kind = match plan.role.answers(behaviour) {
            Answers::Honest => continue,
            Answers::Nxdomain => "always_nxdomain",
            Answers::Nodata => "always_nodata",
            Answers::Refused => "always_refuse",
            Answers::Private => "redirect",
            other => return Err(cannot(Real::Unbound, other)),
        };
        local.push_str(&format!("  local-zone: \"{}.\" {kind}\n", plan.name));
        if kind == "redirect" {
            local.push_str(&format!("  local-data: \"{}. 60 IN A {}\"\n", plan.name, plan.privates[0]));
        }
    }
    Ok(format!(
        "server:\n  interface: {}\n  port: {}\n  access-control: 0.0.0.0/0 allow\n  do-ip6: no\n  num-threads: 1\n  do-daemonize: no\n  \
         use-syslog: no\n  username: \"\"\n  chroot: \"\"\n  directory: \"{}\"\n  pidfile: \"\"\n  module-config: \"iterator\"\n  \
         do-not-query-localhost: yes\n{local}remote-control:\n  control-enable: no\n\
         auth-zone:\n  name: \".\"\n  zonefile: \"{}\"\n  for-downstream: yes\n  for-upstream: yes\n  fallback-enabled: no\n",
        address.ip(),
        address.port(),
        dir.path().display(),
        zone.display()
    ))
}

fn dnsmasq(dir: &TempDir, address: SocketAddr, plans: &[Plan], behaviour: &Nameserver) -> io::Result<String> {
    let (mut hosts, mut more) = (String::new(), String::new());
    for plan in plans {
        match plan.role.answers(behaviour) {
            Answers::Honest => {}
            Answers::Nxdomain => {
                more.push_str(&format!("local=/{}/\n", plan.name));
                continue;
            }
            Answers::Private => {
                more.push_str(&format!("address=/{}/{}\n", plan.name, plan.privates[0]));
                continue;
            }
            other => return Err(cannot(Real::Dnsmasq, other)),
        }
        let last = plan.chain.last().unwrap_or(&plan.name);
        for address in addresses(plan) {
            hosts.push_str(&format!("{address} {last}\n"));
        }
        for (alias, target) in aliases(plan) {
            more.push_str(&format!("cname={alias},{target}\n"));
        }
    }
    let hosts = write(dir, "hosts", &hosts)?;
    Ok(format!(
        "port={}\nlisten-address={}\nbind-interfaces\nno-resolv\nno-hosts\nlocal-ttl=60\npid-file=\naddn-hosts={}\n{more}",
        address.port(),
        address.ip(),
        hosts.display()
    ))
}

fn cannot(real: Real, answers: Answers) -> io::Error {
    io::Error::other(format!("a real {} is not taught to answer so: {answers:?}", real.name()))
}
