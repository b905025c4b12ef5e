//! An error text that somebody else got: what it says by the word lists, and whether this run met the same.

use std::sync::OnceLock;

use regex::Regex;

use super::{Row, Seen};
use crate::evidence::Detail;
use crate::verb::{GRAPH, LOGIN, REPORTED, SERVER};
use crate::words::Mark;

/// The login host was not reached, by whoever says so.
const NOT_REACHED: &[&str] = &["not-reached", "cli-proxy", "cli-untrusted", "cli-unresolved"];
/// Names of PostgreSQL are cut to so many bytes (NAMEDATALEN - 1).
const NAME: usize = 63;
/// So much of the text is quoted in a line.
const QUOTED: usize = 320;

/// What else was read in this run, against which the text is held.
pub(super) struct Run<'a> {
    pub(super) hosts: &'a [Row],
    pub(super) token: &'a Row,
    pub(super) machine: &'a Row,
    pub(super) run: &'a Row,
}

pub(super) fn read(seen: &Seen<'_>, run: &Run<'_>) -> Row {
    let mut row = Row::of(REPORTED);
    let found = seen.evidence.iter().enumerate().find_map(|(index, observation)| match &observation.detail {
        Detail::Reported(reported) => Some((index, reported)),
        _ => None,
    });
    let Some((index, reported)) = found else {
        row.say("reported.result", "not-asked");
        row.account("reported.result", "no error was handed in (--reported FILE)", Vec::new());
        row.also(run.run);
        return row;
    };
    let text = flat(&reported.text);
    let excerpt = excerpt(&text);
    row.quote("reported", &excerpt);
    names(seen, &mut row, &text);
    let recognised = recognise(seen, &mut row, &text);
    let mut result = "unrecognised";
    let mut observed = format!("no word list knows this text, and nothing is concluded from it: {excerpt}");
    if recognised {
        (result, observed) = ("failure", format!("reported: {excerpt}"));
        let here = here(seen, run, &row, &text);
        match here {
            Here::Works(how) => {
                // What was overcome here explains nothing any more: the row keeps that it was reported, and no cause of it.
                let mut past = Row::of(REPORTED);
                past.quote("reported", &excerpt);
                past.quote("answer", how);
                row = past;
                (result, observed) = ("works-here", format!("works in this run: {how}; reported: {excerpt}"));
            }
            Here::Fails(word) => row.say("reported.here", word),
            Here::Unseen => row.say("reported.here", "nowhere"),
        }
    }
    row.say("reported.result", result);
    row.account("reported.result", observed, vec![index]);
    let application = row.value("client_id").is_some();
    row.also(run.run);
    // A command must not name what the text is not about.
    if !application {
        row.values.remove("client_id");
    }
    if is_of_another_server(seen, &text) {
        row.values.retain(|name, _| !["server", "server_name"].contains(name));
    }
    row
}

/// One line without colours, frames of boxes and escapes: so that a pattern need not know how a terminal wrapped it.
fn flat(text: &str) -> String {
    static NOISE: OnceLock<Regex> = OnceLock::new();
    let noise = pattern(
        &NOISE,
        r"\x1b\[[0-9;?]*[A-Za-z]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|[\u{2500}-\u{257f}]|\\r|\\n|\\t|[\s\x00-\x1f\x7f-\u{9f}]",
    );
    let mut text = noise.replace_all(text, " ").into_owned();
    // As JSON, web pages and typographers write quotes.
    for (written, meant) in [
        ("\\u0027", "'"),
        ("\\u0022", "\""),
        ("&#39;", "'"),
        ("&quot;", "\""),
        ("\\\"", "\""),
        ("\\'", "'"),
        ("\u{2018}", "'"),
        ("\u{2019}", "'"),
        ("\u{201c}", "\""),
        ("\u{201d}", "\""),
    ] {
        text = text.replace(written, meant);
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn pattern(cell: &'static OnceLock<Regex>, text: &str) -> &'static Regex {
    cell.get_or_init(|| Regex::new(text).expect("a pattern of our own"))
}

/// The part that tells: from the first word of an error on.
fn excerpt(flat: &str) -> String {
    static SIGNAL: OnceLock<Regex> = OnceLock::new();
    let signal = pattern(
        &SIGNAL,
        r"(?i)AADSTS\d|AadAuth|FATAL: |Reason|\([A-Z][a-z]+[A-Z]\w+\)|could not |cannot |ERROR: |error|fail|unexpected|timed? ?out|denied|refused|not ",
    );
    let start = signal.find(flat).map_or(0, |found| found.start());
    // A short text is quoted whole.
    let start = if flat.chars().count() <= QUOTED { 0 } else { start };
    let rest = &flat[start..];
    let cut: String = rest.chars().take(QUOTED).collect();
    let before = if start > 0 { "… " } else { "" };
    format!("{before}{cut}{}", if cut.len() < rest.len() { " …" } else { "" })
}

/// Whom the text names, and the ids that support asks for.
fn names(seen: &Seen<'_>, row: &mut Row, text: &str) {
    static NAMED: OnceLock<Regex> = OnceLock::new();
    static TRACE: OnceLock<Regex> = OnceLock::new();
    static CORRELATION: OnceLock<Regex> = OnceLock::new();
    static TRACKING: OnceLock<Regex> = OnceLock::new();
    let named = pattern(
        &NAMED,
        r#"(?i)\b(?:user|role|principal)(?: name)?:? ?(?:"([^"]{1,200})"|'([^']{1,200})'|\[([^\]]{1,200})\]|<([^>]{1,200})>)"#,
    );
    let name = named.captures(text).and_then(|found| found.iter().skip(1).flatten().next()).map(|name| name.as_str());
    let at_limit = |name: &str| (NAME - 3..=NAME).contains(&name.len());
    row.say(
        "reported.name",
        match name {
            None => "absent",
            Some(name) if crate::rules::is_guid(name) => "guid",
            Some(name) if at_limit(name) => "at-limit",
            Some(_) => "plain",
        },
    );
    let user = name.map(str::to_owned).or(seen.settings.user.clone());
    row.quote("user", user.unwrap_or_default());
    static DATABASE: OnceLock<Regex> = OnceLock::new();
    static APPLICATION: OnceLock<Regex> = OnceLock::new();
    let id = |cell, text: &str, of: &str| {
        pattern(cell, of).captures(text).and_then(|found| found.get(1)).map(|id| id.as_str().to_owned())
    };
    let guid = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}";
    row.quote("trace", id(&TRACE, text, &format!("(?i)trace[ _]?id\"?'?:? ?\"?'?({guid})")).unwrap_or_default());
    let correlation = id(&CORRELATION, text, &format!("(?i)correlation[ _]?id\"?'?:? ?\"?'?({guid})"));
    row.quote("correlation", correlation.unwrap_or_default());
    row.quote("database", id(&DATABASE, text, r#"(?i)\bdatabase "([^"]{1,200})""#).unwrap_or_default());
    let application = format!(r"(?i)\b(?:app|application|client)(?: with identifier| id)?:? ?'?({guid})");
    row.quote("client_id", id(&APPLICATION, text, &application).unwrap_or_default());
    let tracking = id(&TRACKING, text, &format!("(?i)tracking[ _]?id\"?'?:? ?\"?'?({guid})"));
    row.quote("tracking", tracking.unwrap_or_default());
}

/// Says what the text is, in the words of the list that knows it.
fn recognise(seen: &Seen<'_>, row: &mut Row, text: &str) -> bool {
    let words = seen.lore.words;
    let codes = Codes::of(text);
    let all: Vec<&str> = codes.states.iter().chain(&codes.others).map(String::as_str).collect();
    let states: Vec<&str> = codes.states.iter().map(String::as_str).collect();
    let numbers: Vec<&str> = codes.aadsts.iter().map(String::as_str).collect();
    let known = |found: &(&'static str, Mark)| found.0 != "unrecognised";
    // A number of Entra's says more than whatever stands around it.
    if !numbers.is_empty()
        && let Some(found) = words.translate("entra", &numbers, text).filter(known)
    {
        return entra(row, &codes, found);
    }
    if let Some((word, mark)) = words.translate("reported", &all, text) {
        row.say_marked("reported.error", word, mark);
        return true;
    }
    if !numbers.is_empty() {
        return entra(row, &codes, ("unrecognised", Mark::Unknown));
    }
    if let Some((word, mark)) = words.translate("postgres", &states, text).filter(known) {
        row.say("reported.error", "postgres");
        row.say_marked("pg.error", word, mark);
        told(row, word);
        row.quote("sqlstate", codes.states.first().cloned().unwrap_or_default());
        return true;
    }
    let about = |topic: &'static str| Some(topic).filter(|topic| words.holds("topics", topic, text));
    let telling = |found: &(&'static str, Mark)| {
        ["identity-not-found", "several-identities", "no-metadata-header"].contains(&found.0)
    };
    if let Some(topic) = about("metadata")
        && let Some((word, mark)) = words.translate("metadata", &[], text).filter(telling)
    {
        row.say("reported.about", topic);
        row.say("reported.error", "metadata");
        row.say_marked("metadata.reply", word, mark);
        row.say("token.source", "managed-identity");
        return true;
    }
    if let Some(topic) = about("azure-cli")
        && let Some(found) = words.translate("entra", &[], text).filter(known)
    {
        row.say("reported.about", topic);
        return entra(row, &codes, found);
    }
    // Anything can time out or be refused: only what speaks of a database or of Entra is ours.
    if let Some(topic) = about("connection")
        && let Some((word, mark)) = words.translate("connection", &all, text)
    {
        row.say("reported.about", topic);
        row.say_marked("reported.error", word, mark);
        return true;
    }
    false
}

fn entra(row: &mut Row, codes: &Codes, (word, mark): (&'static str, Mark)) -> bool {
    row.say("reported.error", "entra");
    row.say_marked("entra.reply", word, mark);
    // The Azure CLI is known by its own words, whoever asked by nothing.
    row.say("token.source", if word.starts_with("cli-") || word == "not-reached" { "azure-cli" } else { "none" });
    row.quote("error", codes.aadsts.iter().map(|code| format!("AADSTS{code}")).collect::<Vec<_>>().join(", "));
    true
}

/// What looks like a code: AADSTS numbers, SQLSTATEs, and the names of Azure's errors.
struct Codes {
    aadsts: Vec<String>,
    states: Vec<String>,
    others: Vec<String>,
}

impl Codes {
    fn of(text: &str) -> Codes {
        static AADSTS: OnceLock<Regex> = OnceLock::new();
        static STATE: OnceLock<Regex> = OnceLock::new();
        static OTHER: OnceLock<Regex> = OnceLock::new();
        let all = |pattern: &Regex| -> Vec<String> {
            let found = pattern.captures_iter(text).filter_map(|found| found.iter().skip(1).flatten().next());
            found.map(|code| code.as_str().to_owned()).collect()
        };
        // Named as such, or where psql, libpq's clients and Azure put it.
        let state = r#"(?i:SQLSTATE)\W{1,4}([0-9][0-9A-Z]{4})\b|(?:FATAL: |ERROR: |PANIC: |Reason\W{1,4}|: |['"(]|^)([0-9][0-9A-Z]{4})(?:: |\)|'|"|,|$)"#;
        Codes {
            aadsts: all(pattern(&AADSTS, r"AADSTS(\d{4,8})")),
            states: all(pattern(&STATE, state)),
            others: all(pattern(&OTHER, r"\b([A-Z][a-z]+(?:_?[A-Z][a-z]+)+)\b")),
        }
    }
}

/// When the server says such a thing: the causes of a sign-in go by that.
fn told(row: &mut Row, word: &str) {
    let (fact, said, stage) = match word {
        "no-hba" | "no-hba-plain" | "starting-up" => ("pg.asks", "error", "before-token"),
        "no-login" | "no-role" | "no-database" | "no-connect" | "no-privilege" | "full" | "terminated" => {
            ("pg.session", "refused", "after-authentication")
        }
        _ => ("pg.token", "refused", "after-token"),
    };
    row.say(fact, said);
    row.say("pg.stage", stage);
}

/// What this run shows of the reported failure.
enum Here {
    /// It got past that step: how.
    Works(&'static str),
    /// It fails so itself: a word of `reported.here`.
    Fails(&'static str),
    Unseen,
}

fn here(seen: &Seen<'_>, run: &Run<'_>, row: &Row, text: &str) -> Here {
    let host = |subject: &str| run.hosts.iter().find(|row| row.subject == subject);
    let (Some(server), Some(login), Some(graph)) = (host(SERVER), host(LOGIN), host(GRAPH)) else {
        return Here::Unseen;
    };
    let of_graph = text.contains(&seen.settings.graph_host);
    let of_entra = of_graph || text.contains(&seen.settings.login_host);
    let entra = if of_graph { graph } else { login };
    let peer = if of_entra { entra } else { server };
    let error = row.word("reported.error").unwrap_or_default();
    if !of_entra && error != "entra" && is_of_another_server(seen, text) {
        return Here::Unseen;
    }
    let signed_in = matches!(run.run.word("run.session"), Some("ready" | "pooled")) && is_of_this_user(seen, row);
    let is = |row: &Row, fact: &str, words: &[&str]| row.word(fact).is_some_and(|word| words.contains(&word));
    let tls_fails = is(server, "tls.result", &["failed", "partly", "inspected"]);
    match error {
        "unresolved" if is(peer, "dns.result", &NAMELESS) => {
            Here::Fails(if of_entra { "entra-name" } else { "server-name" })
        }
        "unresolved" if is(peer, "dns.addresses", &["public", "in-tag", "private", "agent"]) => {
            Here::Works("the name resolves")
        }
        "timeout" | "refused" | "cut" | "untrusted" if of_entra => reached(entra),
        "timeout" | "refused" if is(server, "tcp.reach", &["none", "some", "by-family"]) => Here::Fails("server"),
        "timeout" | "refused" if is(server, "tcp.reach", &["all"]) => Here::Works("the server accepts the connection"),
        "cut" | "no-tls" | "untrusted" | "wrong-name" if tls_fails => Here::Fails("server"),
        "no-tls" | "untrusted" | "wrong-name" if is(server, "tls.result", &["verified"]) => {
            Here::Works("the server's certificate is verified for the name that was given")
        }
        "cut" if signed_in => Here::Works(SIGNED_IN),
        "method-required" if is(run.machine, "libpq.auth", &["excludes-password"]) => Here::Fails("libpq"),
        "method-required" if is(run.machine, "libpq.channel-binding", &["required"]) => Here::Fails("libpq"),
        "password" | "plain" | "token-format" | "token-expired" | "audience" | "token-validation" | "no-role"
            if signed_in =>
        {
            Here::Works(SIGNED_IN)
        }
        "password" if is(server, "pg.asks", &["scram", "md5"]) || is(server, "pg.error", &["bad-password"]) => {
            Here::Fails("sign-in")
        }
        "token-expired" if is(run.token, "token.validity", &["expired"]) => Here::Fails("token"),
        "audience" if is(run.token, "claims.result", &["bad"]) && !is(run.token, "token.audience", &["postgres"]) => {
            Here::Fails("token")
        }
        "token-format" if is(run.token, "claims.result", &["bad"]) && !is(run.token, "token.form", &["jwt"]) => {
            Here::Fails("token")
        }
        "plain" if is(server, "pg.error", &["no-hba-plain"]) => Here::Fails("sign-in"),
        "token-format" | "token-expired" | "audience" | "token-validation" | "no-role"
            if is(server, "pg.error", &[error]) =>
        {
            Here::Fails("sign-in")
        }
        "postgres" if signed_in => Here::Works(SIGNED_IN),
        "postgres" if row.word("pg.error") == server.word("pg.error") => Here::Fails("sign-in"),
        "entra" if is(row, "entra.reply", NOT_REACHED) && of_entra => reached(entra),
        "entra" if is(row, "entra.reply", NOT_REACHED) => Here::Unseen,
        "entra" if row.word("entra.reply") == run.token.word("entra.reply") => Here::Fails("token"),
        "metadata" if row.word("metadata.reply") == run.token.word("metadata.reply") => Here::Fails("token"),
        "entra" if is(run.token, "entra.reply", &["ok"]) && is_of_this_application(seen, text) => {
            Here::Works("the same application gets a token")
        }
        // The VNet's nameservers are those of the server too, as far as anybody has not changed them for one network interface.
        "validation" | "assignment-timeout"
            if run.run.word("run.topology") == Some("vnet") && is_of_nameservers(&[login, graph]) =>
        {
            Here::Fails("entra-name")
        }
        _ => Here::Unseen,
    }
}

const SIGNED_IN: &str = "this run signed in";

/// Ways of having no address.
const NAMELESS: [&str; 9] =
    ["nxdomain", "nodata", "try-again", "servfail", "refused", "silent", "unreachable", "malformed", "no-nameserver"];

fn reached(host: &Row) -> Here {
    match host.word("reach.result") {
        Some("expected" | "partly") => Here::Works("the host answers as expected"),
        Some("failed" | "inspected") => Here::Fails("entra"),
        _ if host.word("dns.result").is_some_and(|word| NAMELESS.contains(&word)) => Here::Fails("entra-name"),
        _ => Here::Unseen,
    }
}

fn is_of_nameservers(hosts: &[&Row]) -> bool {
    hosts.iter().any(|host| {
        let wrong = host.word("dns.result").is_some_and(|word| {
            NAMELESS.contains(&word)
                || ["private", "loopback", "unspecified", "cgnat", "link-local", "mixed-classes"].contains(&word)
        });
        wrong && host.word("dns.hosts-file") != Some("overrides")
    })
}

/// Whether the text names a flexible server other than this run's.
fn is_of_another_server(seen: &Seen<'_>, text: &str) -> bool {
    static SERVERS: OnceLock<Regex> = OnceLock::new();
    let servers = pattern(&SERVERS, r"(?i)\b([a-z0-9-]+(?:\.[a-z0-9-]+)*\.postgres\.database\.[a-z0-9-]+\.[a-z]+)\b");
    let Some(ours) = &seen.settings.server else { return true };
    let first = |name: &str| name.split('.').next().unwrap_or_default().to_ascii_lowercase();
    let named: Vec<&str> =
        servers.captures_iter(text).filter_map(|found| found.get(1)).map(|name| name.as_str()).collect();
    !named.is_empty() && !named.iter().any(|name| first(name) == first(ours))
}

fn is_of_this_user(seen: &Seen<'_>, row: &Row) -> bool {
    row.word("reported.name") == Some("absent") || row.value("user") == seen.settings.user.as_deref()
}

fn is_of_this_application(seen: &Seen<'_>, text: &str) -> bool {
    seen.settings.client_id.as_deref().is_some_and(|id| text.to_ascii_lowercase().contains(&id.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_flat() {
        let boxed = "\u{1b}[31m╷\u{1b}[0m\n│ Error: creating Active Directory\n│ Administrator: polling\r\n╵";
        assert_eq!(flat(boxed), "Error: creating Active Directory Administrator: polling");
        assert_eq!(flat(r#"{"message": "role \"x\" already\r\nexists"}"#), r#"{"message": "role "x" already exists"}"#);
    }

    #[test]
    fn codes_are_found_where_tools_print_them() {
        for (text, state) in [
            ("psql: error: FATAL: 28P01: password authentication failed", Some("28P01")),
            ("Npgsql.PostgresException (0x80004005): 42501: permission denied", Some("42501")),
            ("Npgsql: 28000: no pg_hba.conf entry", Some("28000")),
            ("28P01: password authentication failed", Some("28P01")),
            ("Reason: '42710: role \"x\" already exists'", Some("42710")),
            ("Reason - 0LP01: An unexpected error", Some("0LP01")),
            ("ERROR: x (SQLSTATE 42883)", Some("42883")),
            ("pq: error (SQLSTATE=2BP01)", Some("2BP01")),
            ("SQLSTATE: 42501 permission denied", Some("42501")),
            ("in 12345 ms", None),
        ] {
            assert_eq!(Codes::of(text).states.first().map(String::as_str), state, "{text}");
        }
        let codes = Codes::of("(AuthorizationFailed) AADSTS7000222: expired. Authorization_RequestDenied");
        assert_eq!(codes.aadsts, ["7000222"]);
        assert_eq!(codes.others, ["AuthorizationFailed", "Authorization_RequestDenied"]);
    }
}
