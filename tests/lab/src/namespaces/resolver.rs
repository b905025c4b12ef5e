//! unbound and dnsmasq in the place of the lab's own nameservers: they know the world's names and ask nobody else.

use std::io;
use std::net::{IpAddr, SocketAddr};

use tempfile::TempDir;

use super::namespace::Namespace;
use super::real::{command, directory, start, write};
use super::signed::{self, Validity};
use crate::plan::Plan;
use crate::scenario::{Answers, Ipv6, Nameserver, Real};

/// The root's own key (IANA, KSK-2017): whoever asks the lab for the root's signatures gets none.
const ROOT: &str = ".,20326,8,2,E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D";
/// The same for unbound.
const ROOT_ANCHOR: &str = ". DS 20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D";
/// The lab's own nameserver behind it, which has no signatures.
const UPSTREAM: &str = "168.63.129.16";

/// A nameserver that knows the world's names, or denies some of them as the story says.
pub(super) fn start_one(
    services: &Namespace,
    real: Real,
    address: SocketAddr,
    plans: &[Plan],
    behaviour: &Nameserver,
) -> io::Result<TempDir> {
    let dir = directory()?;
    let mut command = command(real)?;
    if real == Real::Unbound {
        let configuration = write(&dir, "unbound.conf", &unbound(&dir, address, plans, behaviour)?)?;
        command.arg("-d").arg("-c").arg(configuration);
    } else {
        let configuration = write(&dir, "dnsmasq.conf", &dnsmasq(&dir, address, plans, behaviour)?)?;
        command.args(["--keep-in-foreground", "--log-facility=-", "-C"]).arg(configuration);
    }
    start(services, command, address, &dir.path().join("log"))?;
    Ok(dir)
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

/// What a story wants of unbound beyond the zone: lines of its server section, a response policy, records of the zone.
#[derive(Default)]
struct Wanted {
    server: String,
    policy: String,
    records: String,
}

impl Wanted {
    fn of(plans: &[Plan], behaviour: &Nameserver) -> io::Result<Wanted> {
        let mut wanted = Wanted::default();
        for plan in plans {
            let (name, private) = (&plan.name, plan.privates[0]);
            match plan.role.answers(behaviour) {
                Answers::Honest => {}
                Answers::Nxdomain => wanted.local(name, "always_nxdomain"),
                Answers::Nodata => wanted.local(name, "always_nodata"),
                Answers::Silent => wanted.local(name, "always_deny"),
                Answers::Refused => wanted.local(name, "always_refuse"),
                Answers::Private => {
                    wanted.local(name, "redirect");
                    wanted.server.push_str(&format!("  local-data: \"{name}. 60 IN A {private}\"\n"));
                }
                Answers::Policy | Answers::PolicyQuiet => wanted.policy.push_str(&format!("{name} CNAME .\n")),
                Answers::PolicyNodata => wanted.policy.push_str(&format!("{name} CNAME *.\n")),
                Answers::PolicyPrivate => wanted.policy.push_str(&format!("{name} A {private}\n")),
                // No answer of the zone has the signatures that the root's must have.
                Answers::Servfail => wanted.server.push_str(&format!("  trust-anchor: \"{ROOT_ANCHOR}\"\n")),
                Answers::Signed => wanted.anchored(plan, Some(Validity::Right)),
                Answers::Bogus => wanted.anchored(plan, Some(Validity::Forged)),
                Answers::Expired => wanted.anchored(plan, Some(Validity::Past)),
                Answers::Unsigned => wanted.anchored(plan, None),
                other => return Err(cannot(Real::Unbound, other)),
            }
        }
        Ok(wanted)
    }

    fn local(&mut self, name: &str, kind: &str) {
        self.server.push_str(&format!("  local-zone: \"{name}.\" {kind}\n"));
    }

    /// The zone of this name must be signed, and is or is not.
    fn anchored(&mut self, plan: &Plan, signature: Option<Validity>) {
        let zone = signed::Zone::of(&plan.name);
        self.server.push_str(&format!("  trust-anchor: \"{}\"\n", zone.anchor()));
        if let (Some(validity), Some(target)) = (signature, plan.chain.first()) {
            self.records.push_str(&zone.records(&plan.name, target, validity));
        }
    }
}

fn unbound(dir: &TempDir, address: SocketAddr, plans: &[Plan], behaviour: &Nameserver) -> io::Result<String> {
    let wanted = Wanted::of(plans, behaviour)?;
    let zone = write(dir, "zone", &(zone(plans) + &wanted.records))?;
    let mut policy = String::new();
    if !wanted.policy.is_empty() {
        let server = &plans[0].shadow;
        let head = format!("$TTL 60\n@ IN SOA {server}. hostmaster.{server}. 1 3600 600 86400 60\n@ IN NS {server}.\n");
        let file = write(dir, "policy", &(head + &wanted.policy))?;
        let all = [Some(behaviour.all), behaviour.login, behaviour.graph, behaviour.server];
        let quiet = if all.contains(&Some(Answers::PolicyQuiet)) { "yes" } else { "no" };
        policy = format!(
            "rpz:\n  name: \"rpz.{server}\"\n  zonefile: \"{}\"\n  rpz-signal-nxdomain-ra: {quiet}\n",
            file.display()
        );
    }
    Ok(format!(
        "server:\n  interface: {}\n  port: {}\n  access-control: 0.0.0.0/0 allow\n  do-ip6: no\n  num-threads: 1\n  do-daemonize: no\n  \
         use-syslog: no\n  username: \"\"\n  chroot: \"\"\n  directory: \"{}\"\n  pidfile: \"\"\n  ede: yes\n  \
         module-config: \"respip validator iterator\"\n  do-not-query-localhost: yes\n{}remote-control:\n  control-enable: no\n\
         auth-zone:\n  name: \".\"\n  zonefile: \"{}\"\n  for-downstream: no\n  for-upstream: yes\n  fallback-enabled: no\n{policy}",
        address.ip(),
        address.port(),
        dir.path().display(),
        wanted.server,
        zone.display()
    ))
}

fn dnsmasq(dir: &TempDir, address: SocketAddr, plans: &[Plan], behaviour: &Nameserver) -> io::Result<String> {
    let (mut hosts, mut more) = (String::new(), String::new());
    let mut validates = false;
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
            Answers::Unspecified => {
                more.push_str(&format!("address=/{}/#\n", plan.name));
                continue;
            }
            // It knows nobody to ask.
            Answers::Refused => continue,
            Answers::Unsigned => {
                validates = true;
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
    if validates {
        more.push_str(&format!("server={UPSTREAM}\ndnssec\ndnssec-check-unsigned\ntrust-anchor={ROOT}\n"));
    }
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
