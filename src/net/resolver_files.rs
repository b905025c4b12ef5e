//! What resolv.conf and the hosts file say, as glibc reads them. Text in, words out: no file is opened here.

use std::net::{IpAddr, SocketAddr, SocketAddrV6};

use crate::evidence::HostsEntry;

/// A hosts file names a host once or twice; more lines than these tell nothing new.
const ENTRIES: usize = 64;

/// More lines of options, or words of one, than these tell nothing new.
const LINES: usize = 16;

/// glibc asks so many nameservers (`MAXNS`).
const ASKED: usize = 3;

/// The nameservers of resolv.conf, and what is odd about it. One line that nobody understands costs that line alone, as in glibc, which asks
/// 127.0.0.1 when there is none. `interface` gives the index of a network interface, for link-local addresses.
pub(crate) fn resolv_conf(
    text: Option<&str>,
    interface: impl Fn(&str) -> Option<u32>,
) -> (Vec<SocketAddr>, Vec<String>) {
    let mut notes = Vec::new();
    let Some(text) = text else {
        notes.push("/etc/resolv.conf cannot be read: applications ask 127.0.0.1".to_owned());
        return (Vec::new(), notes);
    };
    let named = |line: &&str| line.starts_with("nameserver ") || line.starts_with("nameserver\t");
    let (mut all, mut strange) = (Vec::new(), 0);
    for line in text.lines().filter(named) {
        match line.split_ascii_whitespace().nth(1).and_then(|word| nameserver(word, &interface)) {
            Some(address) => all.push(address),
            None => strange += 1,
        }
    }
    if strange > 0 {
        notes.push(format!(
            "/etc/resolv.conf has nameserver lines that name no address, {strange} of them: glibc passes over these"
        ));
    }
    if all.len() > ASKED {
        notes.push(format!("/etc/resolv.conf names {} nameservers: glibc asks the first three only", all.len()));
        all.truncate(ASKED);
    }
    if all.is_empty() {
        notes.push("/etc/resolv.conf names no nameserver: applications ask 127.0.0.1".to_owned());
    }
    let mut different: Vec<SocketAddr> = Vec::new();
    for address in all {
        if !different.contains(&address) {
            different.push(address);
        }
    }
    (different, notes)
}

fn nameserver(word: &str, interface: &impl Fn(&str) -> Option<u32>) -> Option<SocketAddr> {
    let (address, zone) = word.split_once('%').map_or((word, None), |(address, zone)| (address, Some(zone)));
    match (address.parse().ok()?, zone) {
        (IpAddr::V6(six), Some(zone)) => {
            let scope = zone.parse().ok().or_else(|| interface(zone)).unwrap_or(0);
            Some(SocketAddrV6::new(six, 53, 0, scope).into())
        }
        (IpAddr::V4(_), Some(_)) => None,
        (address, None) => Some(SocketAddr::new(address, 53)),
    }
}

/// The lines of resolv.conf that change how a name is looked up: `search`, `domain` and `options`.
pub(crate) fn other_lines(text: &str) -> Vec<String> {
    let lines = text.lines().map(|line| line.split_ascii_whitespace().collect::<Vec<_>>());
    let other = lines.filter(|words| matches!(words.first(), Some(&("search" | "domain" | "options"))));
    other.map(|words| words.join(" ")).take(LINES).collect()
}

/// The words of the `hosts` line of nsswitch.conf; glibc takes the last one.
pub(crate) fn name_services(text: &str) -> Vec<String> {
    let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
    let hosts = lines.filter_map(|line| line.strip_prefix("hosts:")).next_back().unwrap_or_default();
    hosts.split_ascii_whitespace().take(LINES).map(str::to_owned).collect()
}

/// The length of a `search` or `domain` entry that is longer than any name. glibc fails an assertion of its own on it
/// (`resolv_conf_matches`), which would end this program without a report.
pub(crate) fn fatal_domain(resolv_conf: &str) -> Option<usize> {
    let lists = resolv_conf.lines().map(str::split_ascii_whitespace).filter_map(|mut words| {
        let keyword = words.next()?;
        (keyword == "search" || keyword == "domain").then_some(words)
    });
    lists.flatten().map(str::len).find(|length| *length > 255)
}

/// What a hosts file says of these names, in its order.
pub(crate) fn hosts(text: &str, names: &[String]) -> Vec<HostsEntry> {
    let mut entries = Vec::new();
    for line in text.lines() {
        let mut words = line.split('#').next().unwrap_or_default().split_whitespace();
        let Some(address) = words.next().and_then(|word| word.parse().ok()) else { continue };
        for word in words.filter(|word| names.iter().any(|name| name.eq_ignore_ascii_case(word))) {
            if entries.len() == ENTRIES {
                return entries;
            }
            entries.push(HostsEntry { name: word.to_ascii_lowercase(), address });
        }
    }
    entries
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_resolv_conf_as_glibc_does() {
        let interface = |name: &str| (name == "eth0").then_some(2);
        for (text, expected, notes) in [
            ("nameserver 10.0.0.4\nsearch x\nnameserver\t168.63.129.16 # Azure\n", "10.0.0.4:53 168.63.129.16:53", 0),
            ("options strange:thing\nnonsense\n\0\nnameserver 10.0.0.4\n", "10.0.0.4:53", 0),
            ("nameserver fe80::1%eth0\nnameserver fe80::2%7\n", "[fe80::1%2]:53 [fe80::2%7]:53", 0),
            ("nameserver x\nnameserver 10.0.0.4%eth0\nnameserver 10.0.0.5\n", "10.0.0.5:53", 1),
            (" nameserver 10.0.0.4\n#nameserver 10.0.0.5\nnameserver10.0.0.6\n", "", 1),
            (
                "nameserver 1.1.1.1\nnameserver 1.1.1.1\nnameserver 2.2.2.2\nnameserver 3.3.3.3",
                "1.1.1.1:53 2.2.2.2:53",
                1,
            ),
            ("", "", 1),
        ] {
            let (addresses, told) = resolv_conf(Some(text), interface);
            let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
            assert_eq!((addresses.join(" ").as_str(), told.len()), (expected, notes), "{text:?}: {told:?}");
        }
    }

    #[test]
    fn reads_what_a_hosts_file_says_of_a_name() {
        let text = "127.0.0.1 localhost\n10.0.0.4\ta.example LOGIN.example # login.example\nx login.example\n::1 login.example";
        let found = hosts(text, &["login.example".to_owned()]);
        let found: Vec<String> = found.iter().map(|entry| format!("{} {}", entry.name, entry.address)).collect();
        assert_eq!(found, ["login.example 10.0.0.4", "login.example ::1"]);
        assert_eq!(hosts(&"::1 login.example\n".repeat(1000), &["login.example".to_owned()]).len(), ENTRIES);
    }
}
