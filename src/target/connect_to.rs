//! `--connect-to HOST:PORT:ADDR:PORT`, as curl reads it: dial ADDR:PORT for HOST:PORT.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

/// One rule. An empty HOST or PORT matches any; HOST may also be an address that a name resolved to.
#[derive(Clone, Debug)]
pub struct ConnectTo {
    host: Option<String>,
    port: Option<u16>,
    address: Option<IpAddr>,
    to_port: Option<u16>,
}

impl FromStr for ConnectTo {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let shape = || {
            format!(
                "`{text}` is not of the form HOST:PORT:ADDR:PORT; ADDR is an IP address (IPv6 in brackets), HOST and PORT may be empty"
            )
        };
        let parts = split(text).ok_or_else(shape)?;
        let [host, port, address, to_port] = parts.as_slice() else { return Err(shape()) };
        let number = |part: &str| -> Result<Option<u16>, String> {
            match part {
                "" => Ok(None),
                part => crate::rules::port(part)
                    .map(Some)
                    .ok_or_else(|| format!("`{part}` in `{text}` is not a port (1 to 65535)")),
            }
        };
        if text.starts_with('[') && host.parse::<std::net::Ipv6Addr>().is_err() {
            return Err(format!("`[{host}]` in `{text}` is no IPv6 address; other hosts go without brackets"));
        }
        if !host.is_empty() && host.parse::<IpAddr>().is_err() {
            crate::rules::check_host(host)
                .map_err(|rule| format!("the host `{}` in `{text}` {rule}", crate::rules::clip(host)))?;
        }
        let address = match address.as_str() {
            "" => None,
            part => Some(
                part.parse().map_err(|_| format!("`{part}` in `{text}` is not an IP address (IPv6 in brackets)"))?,
            ),
        };
        Ok(ConnectTo {
            host: (!host.is_empty()).then(|| host.to_ascii_lowercase()),
            port: number(port)?,
            address,
            to_port: number(to_port)?,
        })
    }
}

/// Splits at colons outside brackets and takes the brackets away.
fn split(text: &str) -> Option<Vec<String>> {
    let mut parts = vec![String::new()];
    let mut inside = false;
    for letter in text.chars() {
        match letter {
            '[' if !inside && parts.last().is_some_and(String::is_empty) => inside = true,
            ']' if inside => inside = false,
            ':' if !inside => parts.push(String::new()),
            other => parts.last_mut()?.push(other),
        }
    }
    (!inside && parts.len() == 4).then_some(parts)
}

impl ConnectTo {
    fn matches_port(&self, port: u16) -> bool {
        self.port.is_none_or(|wanted| wanted == port)
    }

    fn is_of_address(&self) -> bool {
        self.host.as_ref().is_some_and(|host| host.parse::<IpAddr>().is_ok())
    }

    /// Whether the rule speaks of this host by name (or of every host), so that its addresses are not needed.
    fn matches_host(&self, host: &str) -> bool {
        self.host.as_ref().is_none_or(|wanted| wanted == &host.to_ascii_lowercase())
    }
}

/// Where to dial for a host and one of its addresses: the first rule that matches decides, as in curl.
pub(crate) fn dialled(rules: &[ConnectTo], host: &str, peer: SocketAddr) -> SocketAddr {
    let of_address = |rule: &&ConnectTo| {
        rule.host.as_ref().is_some_and(|wanted| wanted.parse::<IpAddr>().is_ok_and(|address| address == peer.ip()))
    };
    match rules.iter().find(|rule| rule.matches_port(peer.port()) && (rule.matches_host(host) || of_address(rule))) {
        Some(rule) => SocketAddr::new(rule.address.unwrap_or(peer.ip()), rule.to_port.unwrap_or(peer.port())),
        None => peer,
    }
}

/// The address to dial for a host whatever it resolves to, when a rule names it before any rule that speaks of addresses.
pub(crate) fn fixed(rules: &[ConnectTo], host: &str, port: u16) -> Option<SocketAddr> {
    for rule in rules.iter().filter(|rule| rule.matches_port(port)) {
        if rule.matches_host(host) {
            return Some(SocketAddr::new(rule.address?, rule.to_port.unwrap_or(port)));
        }
        if rule.is_of_address() {
            // Whether this rule comes first depends on what the name resolves to.
            return None;
        }
    }
    None
}

/// Every place to which a rule may lead for a host, whatever the host resolves to: `ADDR:PORT`, or `:PORT` where only the port changes.
pub(crate) fn possible(rules: &[ConnectTo], host: &str, port: u16) -> Vec<String> {
    let mut places = Vec::new();
    for rule in rules.iter().filter(|rule| rule.matches_port(port)) {
        if !rule.matches_host(host) && !rule.is_of_address() {
            continue;
        }
        let to = rule.to_port.unwrap_or(port);
        places.push(rule.address.map_or(format!(":{to}"), |address| SocketAddr::new(address, to).to_string()));
        if rule.matches_host(host) {
            break;
        }
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(text: &str) -> ConnectTo {
        text.parse().expect(text)
    }

    #[test]
    fn first_match_decides() {
        assert_eq!(fixed(&[rule("::127.0.0.1:9")], "any.example", 443), Some("127.0.0.1:9".parse().expect("address")));
        assert_eq!(fixed(&[rule("20.1.1.1:443:127.0.0.2:1"), rule("::127.0.0.1:9")], "any.example", 443), None);
        let rules = [rule("Login.Example:443:127.0.0.1:8443"), rule("20.1.1.1:443:127.0.0.2:1"), rule("::[::1]:9")];
        let dial = |host: &str, peer: &str| dialled(&rules, host, peer.parse().expect("peer")).to_string();
        assert_eq!(dial("login.example", "20.1.1.1:443"), "127.0.0.1:8443");
        assert_eq!(dial("other.example", "20.1.1.1:443"), "127.0.0.2:1");
        assert_eq!(dial("other.example", "20.1.1.1:80"), "[::1]:9");
        assert_eq!(possible(&rules, "login.example", 443), ["127.0.0.1:8443"]);
        assert_eq!(possible(&rules, "other.example", 443), ["127.0.0.2:1", "[::1]:9"]);
    }

    #[test]
    fn refuses_other_shapes() {
        for text in [
            "",
            "a:b",
            "host:443:127.0.0.1",
            "host:0:127.0.0.1:1",
            "host:443:name:1",
            "host:443:127.0.0.1:70000",
            "h:1:[::1:2",
        ] {
            assert!(text.parse::<ConnectTo>().is_err(), "{text}");
        }
    }
}
