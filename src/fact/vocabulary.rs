//! The closed vocabulary: every fact with all its words, and every value that prose may quote.
//!
//! Checks and causes are written in these words and are refused on load when they use another.

/// A fact: a question that evidence can answer with one of a few words.
pub struct Fact {
    pub name: &'static str,
    /// What the fact says, for `list --facts`.
    pub says: &'static str,
    pub words: &'static [&'static str],
}

const fn declare(name: &'static str, says: &'static str, words: &'static [&'static str]) -> Fact {
    Fact { name, says, words }
}

/// The declaration of a fact.
pub fn fact(name: &str) -> Option<&'static Fact> {
    FACTS.iter().find(|fact| fact.name == name)
}

/// What a name's answer can be: a class of addresses, or a way of having none.
const ANSWER: &[&str] = &[
    "public", "in-tag", "private", "loopback", "unspecified", "link-local", "cgnat", "agent", "mixed-classes", "nxdomain", "nodata", "try-again",
    "servfail", "refused", "silent", "unreachable", "denied", "malformed", "no-nameserver", "literal", "late", "undetermined",
];

/// What the other nameservers' answer can be.
const PEERS: &[&str] = &[
    "public", "in-tag", "private", "other-private", "loopback", "unspecified", "link-local", "cgnat", "agent", "mixed-classes", "nxdomain", "nodata",
];

pub const FACTS: &[Fact] = &[
    declare("subject", "what the row is about; other = the host of a check of yours", &["login", "graph", "server", "token", "machine", "nameservers", "other"]),
    // names: one row per host that is asked for
    declare("dns.result", "what decides: getaddrinfo's answer, or with --nameserver the first server's that answers; in-tag = inside AzureActiveDirectory; agent = 6.6.0.0/16 of Global Secure Access; literal = an address was given instead of a name", ANSWER),
    declare("dns.system", "what getaddrinfo says (unsaid with --nameserver)", ANSWER),
    declare("dns.azure", "what Azure's own resolver 168.63.129.16 says (only asked in Azure)", ANSWER),
    declare("dns.nameservers", "what the configured nameservers say together about this name", &["agree", "differ", "some-fail", "all-silent", "all-unreachable", "all-servfail", "all-refused", "all-malformed", "all-denied", "all-fail", "none-configured", "undetermined"]),
    declare("dns.chain", "where the CNAME chain leads; dangling = to a name that does not exist", &["none", "complete", "dangling", "dangling-privatelink", "privatelink-private", "privatelink-public", "loop"]),
    declare("dns.hosts-file", "whether the hosts file has this name", &["overrides", "absent"]),
    declare("dns.private-endpoint", "whether the server's name leads to a private address when --topology says that it has a private endpoint", &["reached", "bypassed", "not-asked", "undetermined"]),
    declare("dns.tcp", "what became of the TCP retry after a truncated answer", &["answers", "silent", "refused"]),
    // names at one nameserver: one row per name and nameserver
    declare("says", "what this one nameserver answers for the name", ANSWER),
    declare("peers.says", "what the other nameservers answer for the same name, when they agree; other-private = private too, but another address", PEERS),
    declare("nameservers.result", "all names at all configured nameservers: whether each answers, and the same", &["agree", "some-fail", "differ", "all-fail", "none-configured", "undetermined"]),
    declare("nameserver.place", "where the nameserver is", &["loopback", "azure", "private", "public"]),
    declare("nameserver.order", "whether its answer is the one that applications get", &["decides", "other"]),
    // the way to a host
    declare("route", "how the host is reached", &["direct", "proxy"]),
    declare("route.why", "what chose the route", &["option", "variable", "no-proxy", "no-variable", "never-proxied"]),
    declare("tcp.reach", "how many of the addresses accept TCP; by-family = all of one of IPv4/IPv6 and none of the other", &["all", "some", "by-family", "none", "undetermined"]),
    declare("tcp.failure", "how the addresses that do not accept TCP fail: no answer to SYN, RST, ICMP unreachable, no local route, refused by the local kernel", &["silent", "refused", "unreachable", "no-route", "denied", "mixed"]),
    declare("proxy.reach", "whether the proxy itself accepts TCP", &["ok", "silent", "refused", "unreachable", "unresolved", "undetermined"]),
    declare("proxy.reply", "what the proxy answers to CONNECT", &["ok", "auth-required", "auth-rejected", "denied", "bad-gateway", "not-a-proxy", "unavailable", "silent", "closed", "undetermined"]),
    declare("tls.handshake", "how the TLS handshake ends; the certificate is judged by the platform's roots and the host's name", &["verified", "silent", "reset", "closed", "alert", "not-tls", "untrusted", "wrong-name", "expired", "not-yet-valid", "bad-certificate", "failed", "undetermined"]),
    declare("tls.issuer", "who signed the chain, by the word list of issuers", &["public", "inspector", "unknown"]),
    declare("inspection", "whether the names in the chain are an inspecting middlebox's, and whether this machine trusts it", &["none", "trusted", "untrusted"]),
    declare("http.reply", "what the application answers", &["expected", "block-page", "azure-firewall", "foreign-redirect", "html", "throttled", "unavailable", "denied", "unexpected", "silent", "closed", "not-http", "too-large", "undetermined"]),
    declare("reach.result", "the host's own application answered over verified TLS; partly = some addresses do not connect", &["expected", "partly", "inspected", "failed", "undetermined"]),
    // what the whole run shows
    declare("run.entra", "which of the Entra hosts (login, Graph) answer as expected", &["both", "one", "none", "undetermined"]),
    declare("run.session", "whether this run signed in to the database", &["ready", "failed", "not-tried"]),
    declare("run.vantage", "where this run stands, by the metadata service", &["azure-vm", "elsewhere", "unknown"]),
    declare("run.clock", "this machine's clock against its peers' Date headers, beyond 2 minutes", &["right", "behind", "ahead", "unmeasured"]),
    declare("run.topology", "which of Microsoft's network requirements apply", &["public", "vnet", "private-endpoint", "unknown"]),
    declare("run.nameservers", "where the configured nameservers are", &["loopback", "azure", "private", "public", "several", "none"]),
    declare("run.local-network", "whether this machine has any default route", &["routed", "no-default-route"]),
    // this machine
    declare("clock", "as run.clock, as a matter of its own", &["right", "behind", "ahead", "unmeasured"]),
    declare("proxy.metadata", "whether HTTP_PROXY or ALL_PROXY would carry other programs' metadata requests", &["exempt", "exposed", "no-proxy"]),
    declare("ipv6", "a global IPv6 address and default route, and whether they lead anywhere", &["absent", "works", "dead", "untested"]),
    declare("libpq.result", "whether inherited libpq variables would break or weaken real clients", &["clean", "harmful"]),
    declare("libpq.host", "PGHOST", &["absent", "plain", "list", "socket"]),
    declare("libpq.hostaddr", "PGHOSTADDR", &["absent", "set"]),
    declare("libpq.sslmode", "PGSSLMODE against full verification", &["absent", "verifying", "weak"]),
    declare("libpq.auth", "PGREQUIREAUTH: whether it lets a cleartext password (the token) through", &["absent", "allows-password", "excludes-password"]),
    declare("libpq.channel-binding", "PGCHANNELBINDING", &["absent", "optional", "required"]),
    declare("roots", "trusted root certificates on this machine", &["present", "none"]),
    // the token
    declare("token.source", "where the token came from", &["managed-identity", "token-file", "environment", "none"]),
    declare("metadata.reply", "what the managed identity endpoint answered", &["ok", "silent", "refused", "unreachable", "identity-not-found", "several-identities", "no-metadata-header", "forwarded", "invalid-resource", "unauthorized-client", "throttled", "updating", "unavailable", "entra-error", "not-metadata", "no-token", "closed", "unexpected", "undetermined"]),
    declare("token.result", "whether there is a token", &["acquired", "handed-in", "failed", "not-asked", "undetermined"]),
    declare("token.form", "the token's form", &["jwt", "quoted", "bearer", "json", "opaque", "empty", "control-characters", "too-long"]),
    declare("token.audience", "the aud claim against this cloud's PostgreSQL", &["postgres", "other-cloud", "arm", "graph", "cosmos", "other", "missing"]),
    declare("token.validity", "exp and nbf against the measured clock; ends-soon = under 5 minutes", &["valid", "expired", "not-yet-valid", "ends-soon", "missing"]),
    declare("token.tenant", "tid against --tenant", &["expected", "other", "unchecked"]),
    declare("token.kind", "whom the token is for", &["user", "app", "unknown"]),
    declare("token.size", "the token's length in bytes against known limits", &["small", "over-2048", "over-65535"]),
    declare("claims.result", "whether the token may be sent", &["good", "ends-soon", "bad", "undetermined"]),
    // the server
    declare("server.form", "what kind of name was given", &["flexible", "foreign", "literal", "other-cloud"]),
    declare("server.port", "which port was asked", &["postgres", "pgbouncer", "other"]),
    declare("pg.ssl", "the answer to SSLRequest", &["accepted", "refused", "error", "not-postgres", "silent", "closed", "reset", "extra-bytes", "undetermined"]),
    declare("tls.result", "verified TLS with the server; inspected = by an inspector that this machine trusts", &["verified", "partly", "inspected", "failed", "undetermined"]),
    declare("pg.asks", "the authentication request for this user, read before anything is sent", &["cleartext", "scram", "md5", "other", "nothing", "error", "silent", "closed", "undetermined"]),
    declare("pg.token", "what became of the token as password", &["accepted", "refused", "silent", "closed", "undetermined"]),
    declare("pg.session", "what became of the session after authentication", &["ready", "refused", "silent", "closed", "undetermined"]),
    declare("pg.stage", "when the server's error came", &["before-token", "after-token", "after-authentication"]),
    declare("pg.error", "the server's error, by SQLSTATE and text (word list postgres)", &[
        "bad-password", "user-token-for-service", "service-token-for-user", "oid-mismatch", "audience", "token-expired", "token-format", "token-validation", "no-hba-plain", "no-hba", "entra-disabled",
        "password-disabled", "no-login", "no-role", "no-database", "no-connect", "no-privilege", "full", "starting-up", "terminated", "partial-packet", "pooler", "invalid-authorization", "unrecognised",
    ]),
];

/// Values that titles, texts and commands may quote as `{name}`.
pub const VALUES: &[(&str, &str)] = &[
    ("host", "the host name; several when findings merge"),
    ("port", "the port"),
    ("addresses", "the addresses that were tried"),
    ("failed", "the addresses that failed"),
    ("nameserver", "the nameserver, address and port"),
    ("nameservers", "all configured nameservers"),
    ("answer", "what was answered"),
    ("peers_answer", "what the other nameservers answered"),
    ("chain_end", "the last name of the CNAME chain"),
    ("proxy", "the proxy, without its credentials"),
    ("variable", "the variable or option that decided"),
    ("status", "an HTTP status"),
    ("location", "where a redirect leads"),
    ("quote", "what the peer said, shortened"),
    ("issuer", "the issuer of the certificate"),
    ("names", "the names in the certificate"),
    ("expires", "when the certificate or token ends or ended"),
    ("skew", "how far the clock is off"),
    ("user", "the database role"),
    ("database", "the database"),
    ("server", "the server's host name"),
    ("server_name", "the first label of the server's name: its Azure resource name"),
    ("source", "where the token came from"),
    ("audience", "the token's aud"),
    ("resource", "this cloud's PostgreSQL resource"),
    ("tenant", "the token's tenant"),
    ("wanted_tenant", "the tenant that was asked for"),
    ("principal", "whom the token names"),
    ("form", "a token's form and length, never its text"),
    ("asks", "the authentication method that the server asked for"),
    ("sqlstate", "SQLSTATE"),
    ("message", "the server's message"),
    ("error", "the OAuth error"),
    ("description", "the error's description"),
    ("client_id", "the identity that was asked for"),
    ("vm", "this VM's resource name"),
    ("resource_group", "this VM's resource group"),
    ("subscription", "this VM's subscription"),
    ("local_address", "this machine's address on the path"),
    ("remote_address", "one address of the peer"),
    ("settings", "the settings in question"),
];
