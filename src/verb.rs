//! What a check can ask, and of whom.

/// The verbs that checks choose from; each is one probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verb {
    Resolve,
    Nameservers,
    Reach,
    /// Another public host on the same path, asked only where a host of Entra is in doubt.
    Control,
    Token,
    Server,
    Login,
    Principal,
    Machine,
    Reported,
}

impl Verb {
    pub const ALL: [Verb; 10] = [
        Verb::Resolve,
        Verb::Nameservers,
        Verb::Reach,
        Verb::Control,
        Verb::Token,
        Verb::Server,
        Verb::Login,
        Verb::Principal,
        Verb::Machine,
        Verb::Reported,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Verb::Resolve => "resolve",
            Verb::Nameservers => "nameservers",
            Verb::Reach => "reach",
            Verb::Control => "control",
            Verb::Token => "token",
            Verb::Server => "server",
            Verb::Login => "login",
            Verb::Principal => "principal",
            Verb::Machine => "machine",
            Verb::Reported => "reported",
        }
    }

    pub fn named(name: &str) -> Option<Verb> {
        Verb::ALL.into_iter().find(|verb| verb.name() == name)
    }
}

pub const LOGIN: &str = "login";
pub const GRAPH: &str = "graph";
pub const CONTROL: &str = "control";
pub const SERVER: &str = "server";
pub const TOKEN: &str = "token";
pub const PRINCIPAL: &str = "principal";
pub const MACHINE: &str = "machine";
pub const NAMESERVERS: &str = "nameservers";
/// An error text that somebody else got.
pub const REPORTED: &str = "reported";

/// The subjects that every run knows; any other is a host of a user's check, as HOST:PORT.
pub const SUBJECTS: [&str; 9] = [LOGIN, GRAPH, CONTROL, SERVER, TOKEN, PRINCIPAL, MACHINE, NAMESERVERS, REPORTED];

/// The host and port of a user's own subject.
///
/// # Errors
/// The rule that the text breaks.
pub fn own_host(subject: &str) -> Result<(&str, u16), String> {
    let shape = || format!("`{subject}` is not a target; the choices are: {}, or HOST:PORT", SUBJECTS.join(", "));
    let (host, port) = subject.rsplit_once(':').ok_or_else(shape)?;
    let port = port.parse().ok().filter(|port| *port != 0).ok_or_else(shape)?;
    if host.parse::<std::net::IpAddr>().is_err() {
        crate::rules::check_host(host).map_err(|rule| format!("the target host `{host}` {rule}"))?;
    }
    Ok((host, port))
}
