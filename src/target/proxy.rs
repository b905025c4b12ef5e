//! Which proxy a host goes through, as curl reads options and environment. Parsing only: no socket.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ipnet::IpNet;
use zeroize::Zeroizing;

use crate::secret::Secret;

/// How a proxy is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// CONNECT.
    Http,
    /// SOCKS5 with names resolved here.
    Socks5,
    /// SOCKS5 with names resolved by the proxy.
    Socks5h,
}

impl Kind {
    pub fn scheme(self) -> &'static str {
        match self {
            Kind::Http => "http",
            Kind::Socks5 => "socks5",
            Kind::Socks5h => "socks5h",
        }
    }
}

/// A proxy. Its credentials go to it alone.
pub struct Proxy {
    pub kind: Kind,
    pub host: String,
    pub port: u16,
    /// `--proxy`, or the variable that named it.
    pub variable: String,
    user: String,
    password: Option<Secret>,
}

impl Proxy {
    /// Reads `[http://|socks5://|socks5h://][user[:password]@]host[:port]`; curl's default port is 1080.
    ///
    /// # Errors
    /// A sentence that never repeats credentials.
    pub fn parse(text: &str, variable: &str) -> Result<Proxy, String> {
        let (scheme, rest) = text.split_once("://").unwrap_or(("http", text));
        let kinds = [Kind::Http, Kind::Socks5, Kind::Socks5h];
        let Some(kind) = kinds.into_iter().find(|kind| scheme.eq_ignore_ascii_case(kind.scheme())) else {
            return Err(format!(
                "{variable} names a proxy of the scheme `{}`; http:// (CONNECT), socks5:// and socks5h:// proxies are supported",
                safe(scheme)
            ));
        };
        let rest = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let (userinfo, address) =
            rest.rsplit_once('@').map_or((None, rest), |(userinfo, address)| (Some(userinfo), address));
        let (host, port) = split_port(address)
            .ok_or_else(|| format!("{variable} does not name a proxy as http://host:port or socks5h://host:port"))?;
        if host.parse::<std::net::IpAddr>().is_err() && crate::rules::check_host(host).is_err() {
            return Err(format!("{variable} does not name a proxy host; it should read http://host:port"));
        }
        let (user, password) = match userinfo {
            None => (String::new(), None),
            Some(userinfo) => {
                let (user, password) = userinfo.split_once(':').unwrap_or((userinfo, ""));
                (percent_decoded(user), Some(Secret::new(percent_decoded(password))))
            }
        };
        // RFC 1929 has one byte for the length of each.
        let longest = user.len().max(password.as_ref().map_or(0, |password| password.expose().len()));
        if kind != Kind::Http && longest > 255 {
            return Err(format!(
                "{variable} gives a SOCKS5 proxy a user or password of {longest} bytes; RFC 1929 allows 255"
            ));
        }
        Ok(Proxy {
            kind,
            host: host.to_owned(),
            port: port.unwrap_or(1080),
            variable: variable.to_owned(),
            user,
            password,
        })
    }

    pub fn shown(&self) -> String {
        if self.host.contains(':') {
            format!("{}://[{}]:{}", self.kind.scheme(), self.host, self.port)
        } else {
            format!("{}://{}:{}", self.kind.scheme(), self.host, self.port)
        }
    }

    pub fn password(&self) -> Option<&Secret> {
        self.password.as_ref().filter(|password| !password.is_empty())
    }

    /// User and password, when the URL has them.
    pub(crate) fn credentials(&self) -> Option<(&str, &Secret)> {
        Some((self.user.as_str(), self.password.as_ref()?))
    }

    /// The value of Proxy-Authorization, also a secret.
    pub fn authorization(&self) -> Option<Secret> {
        let password = self.password.as_ref()?;
        let pair = Zeroizing::new(format!("{}:{}", self.user, password.expose()));
        Some(Secret::new(STANDARD.encode(pair.as_bytes())))
    }
}

/// A scheme that people use; whatever else stands before `://` may be part of a password.
fn safe(text: &str) -> &'static str {
    let known = ["https", "socks", "socks4", "socks4a", "ftp"];
    known.into_iter().find(|scheme| text.eq_ignore_ascii_case(scheme)).unwrap_or("(unknown)")
}

fn split_port(address: &str) -> Option<(&str, Option<u16>)> {
    if let Some(rest) = address.strip_prefix('[') {
        let (host, port) = rest.split_once(']')?;
        return match port.strip_prefix(':') {
            Some(port) => Some((host, Some(crate::rules::port(port)?))),
            None if port.is_empty() => Some((host, None)),
            None => None,
        };
    }
    match address.rsplit_once(':') {
        Some((host, _)) if host.contains(':') => None,
        Some((host, port)) => Some((host, Some(crate::rules::port(port)?))),
        None => Some((address, None)),
    }
}

fn percent_decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = bytes
            .get(at + 1..at + 3)
            .and_then(|pair| std::str::from_utf8(pair).ok())
            .and_then(|pair| u8::from_str_radix(pair, 16).ok());
        match (bytes[at], hex) {
            (b'%', Some(byte)) => {
                decoded.push(byte);
                at += 3;
            }
            (byte, _) => {
                decoded.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

/// The NO_PROXY list, as curl reads it: suffixes on label borders, addresses, CIDR blocks, `*`.
pub fn exempt(no_proxy: &str, host: &str) -> bool {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    let address = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().ok();
    no_proxy.split([',', ' ']).map(|entry| entry.trim().to_ascii_lowercase()).filter(|entry| !entry.is_empty()).any(
        |entry| {
            if entry == "*" {
                return true;
            }
            if let Some(address) = address {
                let bare = entry.trim_matches(['[', ']']);
                return bare.parse::<std::net::IpAddr>().is_ok_and(|listed| listed == address)
                    || bare.parse::<IpNet>().is_ok_and(|block| block.contains(&address));
            }
            let entry = entry.trim_start_matches('.').trim_end_matches('.').to_owned();
            host == entry || host.strip_suffix(&entry).is_some_and(|stem| stem.ends_with('.'))
        },
    )
}

/// The proxy settings of a run: one proxy for HTTPS, and who is exempt from it.
#[derive(Default)]
pub struct Proxies {
    pub proxy: Option<Proxy>,
    pub no_proxy: Option<String>,
    /// True when `--proxy` was given, also as `none`.
    pub by_option: bool,
}

/// How a host is reached, and what decided it.
pub struct Route<'a> {
    pub proxy: Option<&'a Proxy>,
    /// A word of the fact `route.why`.
    pub why: &'static str,
    /// The variable or option that decided.
    pub variable: &'a str,
}

impl Proxies {
    pub fn route(&self, host: &str) -> Route<'_> {
        match &self.proxy {
            None => Route {
                proxy: None,
                why: if self.by_option { "option" } else { "no-variable" },
                variable: if self.by_option { "--proxy none" } else { "" },
            },
            Some(_) if self.no_proxy.as_deref().is_some_and(|list| exempt(list, host)) => {
                Route { proxy: None, why: "no-proxy", variable: "NO_PROXY" }
            }
            Some(proxy) => Route {
                proxy: Some(proxy),
                why: if self.by_option { "option" } else { "variable" },
                variable: &proxy.variable,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_proxy_as_curl_reads_it() {
        for (list, host, expected) in [
            ("microsoftonline.com", "login.microsoftonline.com", true),
            (".microsoftonline.com", "login.microsoftonline.com", true),
            ("online.com", "login.microsoftonline.com", false),
            ("*", "anything", true),
            ("169.254.169.254,10.0.0.0/8", "10.3.2.1", true),
            ("10.0.0.0/8", "11.3.2.1", false),
            ("a.example b.example", "b.example", true),
            ("LOGIN.example", "login.EXAMPLE.", true),
            ("", "login.example", false),
        ] {
            assert_eq!(exempt(list, host), expected, "{list} {host}");
        }
    }

    #[test]
    fn reads_proxy_urls_without_showing_credentials() {
        let proxy = Proxy::parse("http://us%40er:p%3Aw@proxy.corp:3128/", "HTTPS_PROXY").expect("proxy");
        assert_eq!((proxy.shown().as_str(), proxy.user.as_str()), ("http://proxy.corp:3128", "us@er"));
        assert_eq!(proxy.password().map(Secret::expose), Some("p:w"));
        assert_eq!(Proxy::parse("proxy.corp", "HTTPS_PROXY").expect("proxy").port, 1080);
        assert_eq!(Proxy::parse("[::1]:3128", "HTTPS_PROXY").expect("proxy").shown(), "http://[::1]:3128");
        let socks = Proxy::parse("SOCKS5h://u:p@proxy.corp", "ALL_PROXY").expect("proxy");
        assert_eq!((socks.kind, socks.shown().as_str()), (Kind::Socks5h, "socks5h://proxy.corp:1080"));
        let long = format!("socks5://u:hidden{}@x:1", "a".repeat(300));
        for bad in [long.as_str(), "socks4://u:hidden@x:1", "http://u:hidden@:80", "http://u:hidden@x:port"] {
            let error = Proxy::parse(bad, "HTTPS_PROXY").err().expect(bad);
            assert!(!error.contains("hidden"), "{error}");
        }
    }
}
