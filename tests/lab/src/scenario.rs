//! A scenario as its file writes it. The format is documented in `tests/scenarios/README.md`; unknown keys are refused.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Deserializer};

use crate::cloud;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    pub story: String,
    pub question: Question,
    pub why: String,
    #[serde(default)]
    pub carrier: Carrier,
    #[serde(default)]
    pub world: Setup,
    #[serde(default)]
    pub nameserver: Vec<Nameserver>,
    #[serde(default)]
    pub login: Host,
    #[serde(default)]
    pub graph: Host,
    pub proxy: Option<Proxy>,
    #[serde(default)]
    pub metadata: Metadata,
    #[serde(default)]
    pub token: Token,
    #[serde(default)]
    pub server: Server,
    pub expect: Expect,
}

impl Scenario {
    /// # Errors
    /// The parser's message, which names the line, or the rule that the file breaks.
    pub fn parse(text: &str) -> Result<Scenario, String> {
        let scenario: Scenario = toml::from_str(text).map_err(|error| error.to_string().trim_end().to_owned())?;
        scenario.check()?;
        Ok(scenario)
    }

    /// A world in which nothing is wrong.
    pub fn healthy() -> Scenario {
        let text = "story = 'Everything works.'\nquestion = 'healthy'\nwhy = 'Nothing is wrong.'\n[expect]\nverdict = 'pass'\n";
        toml::from_str(text).expect("the healthy scenario is valid")
    }

    /// Whether loopback cannot carry this story: it changes the machine itself, or needs a router.
    pub fn needs_namespaces(&self) -> bool {
        let fates = [&self.login, &self.graph].into_iter().flat_map(|host| host.tcp_of.iter().chain([&host.tcp]));
        let fates = fates.chain(&self.server.tcp_of).chain([&self.server.tcp]);
        self.carrier == Carrier::Namespaces || fates.into_iter().any(|fate| *fate == Tcp::Unreachable)
    }

    fn check(&self) -> Result<(), String> {
        if self.carrier == Carrier::Loopback && self.world.changes_machine() {
            return Err(
                "resolv_conf, nsswitch, hosts, routes and nft change the machine or its router: they need carrier = \"namespaces\""
                    .to_owned(),
            );
        }
        for nameserver in &self.nameserver {
            let overrides = [nameserver.login, nameserver.graph, nameserver.server];
            if nameserver.all != Answers::Closed && overrides.contains(&Some(Answers::Closed)) {
                return Err("`closed` is a matter of the whole nameserver: write all = \"closed\"".to_owned());
            }
        }
        if !(1..=8).contains(&self.server.addresses) {
            return Err(format!("server.addresses = {} is out of range: 1 to 8", self.server.addresses));
        }
        let error = &self.server.error;
        if error.at.is_none() && !(error.sqlstate.is_empty() && error.message.is_empty()) && self.server.ssl != Ssl::E {
            return Err("server.error needs an `at`: before-token, after-token or after-authentication".to_owned());
        }
        if self.token.from == From::Environment && self.token.form == Form::LineEnds {
            return Err(
                "the environment keeps line ends poorly; tell this story with from = \"file\" or \"stdin\"".to_owned()
            );
        }
        if self.expect.verdict.is_none() && self.expect.exit.is_none() {
            return Err("expect needs a verdict (or, where nothing is probed, an exit status)".to_owned());
        }
        Ok(())
    }

    /// How far all Date headers are off.
    pub fn date_offset(&self) -> i64 {
        [self.login.date, self.graph.date].into_iter().flatten().next().map_or(0, |span| span.0)
    }
}

/// What carries the packets: sockets on loopback, or network namespaces with a kernel's routes and filters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Carrier {
    #[default]
    Loopback,
    Namespaces,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Question {
    Dns,
    Https,
    Token,
    Login,
    Healthy,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Topology {
    Vnet,
    Public,
    PrivateEndpoint,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Setup {
    pub topology: Topology,
    pub cloud: cloud::Named,
    pub appliance: Appliance,
    pub args: Vec<String>,
    pub env: BTreeMap<String, String>,
    pub timeout: String,
    pub deadline: String,
    pub server: bool,
    pub user: bool,
    pub in_azure: bool,
    /// The machine itself; only with namespaces.
    pub resolv_conf: Option<String>,
    pub nsswitch: Option<String>,
    pub hosts: Vec<String>,
    pub routes: Vec<String>,
    pub nft: Vec<String>,
    pub router_nft: Vec<String>,
    /// Whether the lab's roots are given at all.
    pub ca_file: bool,
}

impl Setup {
    fn changes_machine(&self) -> bool {
        self.resolv_conf.is_some()
            || self.nsswitch.is_some()
            || [&self.hosts, &self.routes, &self.nft, &self.router_nft].iter().any(|lines| !lines.is_empty())
    }
}

impl Default for Setup {
    fn default() -> Setup {
        Setup {
            topology: Topology::Vnet,
            cloud: cloud::Named::Public,
            appliance: Appliance::Sourced,
            args: Vec::new(),
            env: BTreeMap::new(),
            timeout: "1s".to_owned(),
            deadline: "10s".to_owned(),
            server: true,
            user: true,
            in_azure: true,
            resolv_conf: None,
            nsswitch: None,
            hosts: Vec::new(),
            routes: Vec::new(),
            nft: Vec::new(),
            router_nft: Vec::new(),
            ca_file: true,
        }
    }
}

/// How well the name is known that an inspecting appliance gives its authority.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Appliance {
    #[default]
    Sourced,
    Recalled,
}

/// What a nameserver does with a question.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answers {
    #[default]
    Honest,
    Nxdomain,
    Nodata,
    Servfail,
    Refused,
    Silent,
    Closed,
    Malformed,
    Truncated,
    TruncatedSilent,
    TruncatedClosed,
    Private,
    OtherPrivate,
    Loopback,
    Unspecified,
    Cgnat,
    Agent,
    PublicElsewhere,
    Dangling,
    DanglingPrivatelink,
    PrivatelinkPublic,
    Loop,
    Forged,
    TwoPrivates,
    Mixed,
    AaaaSilent,
    Slow,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Nameserver {
    pub all: Answers,
    pub login: Option<Answers>,
    pub graph: Option<Answers>,
    pub server: Option<Answers>,
}

/// What becomes of a SYN.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tcp {
    #[default]
    Ok,
    Silent,
    Refused,
    /// ICMP host unreachable, which takes a router.
    Unreachable,
    /// The local kernel has no route.
    NoRoute,
    /// The local kernel refuses to send.
    Denied,
}

/// AAAA records, and what their addresses do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ipv6 {
    #[default]
    Absent,
    Ok,
    Silent,
    Refused,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tls {
    #[default]
    Ok,
    Silent,
    Reset,
    Closed,
    Alert,
    PlainHttp,
    Inspected,
    InspectedTrusted,
    UnknownIssuer,
    SelfSigned,
    WrongName,
    Expired,
    NotYetValid,
    Incomplete,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Http {
    #[default]
    Ok,
    Html,
    BlockPage,
    AzureFirewall,
    Redirect,
    #[serde(rename = "403")]
    Forbidden,
    #[serde(rename = "404")]
    NotFound,
    #[serde(rename = "429")]
    TooManyRequests,
    #[serde(rename = "500")]
    InternalError,
    #[serde(rename = "503")]
    Unavailable,
    Silent,
    Closed,
    Garbage,
    Huge,
    Drip,
    EmptyJson,
}

/// A host of Entra.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Host {
    pub tcp: Tcp,
    pub tcp_of: Vec<Tcp>,
    pub ipv6: Ipv6,
    pub tls: Tls,
    pub http: Http,
    pub date: Option<Span>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProxyMode {
    #[default]
    Ok,
    Auth,
    Denied,
    BadGateway,
    Unavailable,
    Silent,
    Closed,
    WebServer,
    Garbage,
    HangsUp,
    Stalls,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Credentials {
    #[default]
    None,
    Right,
    Wrong,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Proxy {
    pub mode: ProxyMode,
    pub credentials: Credentials,
    pub variable: String,
    pub no_proxy: String,
    pub direct: Tcp,
}

impl Default for Proxy {
    fn default() -> Proxy {
        Proxy {
            mode: ProxyMode::Ok,
            credentials: Credentials::None,
            variable: "HTTPS_PROXY".to_owned(),
            no_proxy: String::new(),
            direct: Tcp::Silent,
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MetadataMode {
    #[default]
    Ok,
    Silent,
    SilentToken,
    /// Another cloud's service.
    Foreign,
    Closed,
    Reset,
    Garbage,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Metadata {
    pub mode: MetadataMode,
    pub status: u16,
    pub error: String,
    pub description: String,
    pub body: String,
    pub server: String,
    pub times: u32,
}

impl Default for Metadata {
    fn default() -> Metadata {
        Metadata {
            mode: MetadataMode::Ok,
            status: 200,
            error: String::new(),
            description: String::new(),
            body: String::new(),
            server: "IMDS/150.870.65.1856".to_owned(),
            times: 0,
        }
    }
}

/// Where the token comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum From {
    #[default]
    Metadata,
    File,
    Stdin,
    Environment,
    None,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    #[default]
    Jwt,
    Quoted,
    Bearer,
    Json,
    Opaque,
    LineEnds,
    ControlCharacters,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    #[default]
    App,
    User,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tenant {
    #[default]
    Own,
    Other,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Token {
    pub from: From,
    pub form: Form,
    pub audience: String,
    pub kind: Kind,
    pub tenant: Tenant,
    pub expires: Span,
    pub begins: Span,
    pub size: usize,
}

impl Default for Token {
    fn default() -> Token {
        Token {
            from: From::Metadata,
            form: Form::Jwt,
            audience: "postgres".to_owned(),
            kind: Kind::App,
            tenant: Tenant::Own,
            expires: Span(24 * 3600),
            begins: Span(0),
            size: 0,
        }
    }
}

/// The answer to SSLRequest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub enum Ssl {
    #[default]
    S,
    N,
    E,
    #[serde(rename = "silent")]
    Silent,
    #[serde(rename = "closed")]
    Closed,
    #[serde(rename = "reset")]
    Reset,
    #[serde(rename = "http")]
    Http,
    #[serde(rename = "ssh")]
    Ssh,
    #[serde(rename = "extra-bytes")]
    ExtraBytes,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Asks {
    #[default]
    Cleartext,
    Scram,
    Md5,
    Gss,
    Nothing,
    Silent,
    Closed,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum After {
    #[default]
    Ready,
    Silent,
    Closed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum At {
    BeforeToken,
    AfterToken,
    AfterAuthentication,
}

/// What becomes of the token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Received {
    #[default]
    Answered,
    Silent,
    Closed,
}

/// What `--server` says: Azure's name, its first address, or an alias of the company's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Named {
    #[default]
    Name,
    Address,
    Alias,
}

/// An ErrorResponse; an empty table is none.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PgError {
    pub sqlstate: String,
    pub message: String,
    pub at: Option<At>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Server {
    pub addresses: usize,
    pub port: u16,
    pub tcp: Tcp,
    pub tcp_of: Vec<Tcp>,
    pub ipv6: Ipv6,
    pub named: Named,
    pub tls: Tls,
    pub tls_of: Vec<Tls>,
    pub ssl: Ssl,
    pub asks: Asks,
    pub token: Received,
    pub error: PgError,
    pub after: After,
    pub role: bool,
}

impl Default for Server {
    fn default() -> Server {
        Server {
            addresses: 1,
            port: 5432,
            tcp: Tcp::Ok,
            tcp_of: Vec::new(),
            ipv6: Ipv6::Absent,
            named: Named::Name,
            tls: Tls::Ok,
            tls_of: Vec::new(),
            ssl: Ssl::S,
            asks: Asks::Cleartext,
            token: Received::Answered,
            error: PgError::default(),
            after: After::Ready,
            role: true,
        }
    }
}

/// The diagnosis that a good engineer would give.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    pub verdict: Option<String>,
    pub exit: Option<i32>,
    #[serde(default)]
    pub checks: BTreeMap<String, String>,
    #[serde(default)]
    pub suppressed: Vec<String>,
    #[serde(default)]
    pub diagnosis: Vec<ExpectedDiagnosis>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpectedDiagnosis {
    pub cause: String,
    pub controls: Vec<String>,
    pub certainty: Option<String>,
    pub severity: Option<String>,
}

/// A signed span of seconds, written `24h`, `-20m` or `+90s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span(pub i64);

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Span, D::Error> {
        let text = String::deserialize(deserializer)?;
        span(&text)
            .map(Span)
            .ok_or_else(|| serde::de::Error::custom(format!("`{text}` is not a span; write 24h, -20m or 90s")))
    }
}

fn span(text: &str) -> Option<i64> {
    let (sign, rest) = match text.as_bytes().first()? {
        b'-' => (-1, &text[1..]),
        b'+' => (1, &text[1..]),
        _ => (1, text),
    };
    let unit = rest.chars().last()?;
    let scale = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        _ => return None,
    };
    let number: u32 = rest[..rest.len() - 1].parse().ok()?;
    Some(sign * i64::from(number) * scale)
}

/// A patience as the command line writes it: `1s`, `300ms`, `2m`.
pub fn patience(text: &str) -> Option<Duration> {
    if let Some(number) = text.strip_suffix("ms") {
        return number.parse().ok().map(Duration::from_millis);
    }
    span(text).and_then(|seconds| u64::try_from(seconds).ok()).map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_healthy() {
        let scenario = Scenario::healthy();
        assert_eq!(scenario.server.port, 5432);
        assert_eq!(scenario.token.expires, Span(86_400));
        assert!(scenario.world.in_azure && scenario.server.role);
        assert!(scenario.check().is_ok());
    }

    #[test]
    fn unknown_keys_and_words_are_refused() {
        let with = |more: &str| {
            Scenario::parse(&format!("story = ''\nquestion = 'dns'\nwhy = ''\n{more}\n[expect]\nverdict = 'fail'\n"))
        };
        assert!(with("[login]\ntls = 'alert'\nhttp = '403'\ndate = '-20m'").is_ok());
        for bad in [
            "[login]\nssl = 'S'",
            "[login]\ntls = 'odd'",
            "[token]\nexpires = 'soon'",
            "[server]\nhttp = 'ok'",
            "[[nameserver]]\nlogin = 'closed'",
        ] {
            assert!(with(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn spans() {
        assert_eq!(span("-20m"), Some(-1200));
        assert_eq!(span("+1h"), Some(3600));
        assert_eq!(span("1 h"), None);
        assert_eq!(patience("300ms"), Some(Duration::from_millis(300)));
    }
}
