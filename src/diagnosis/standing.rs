//! The status of every check: what its deciding fact says, what it waits for, and whether anything requires it.

use crate::catalogue::{Catalogue, Check, Standing};
use crate::fact::{Facts, Row};
use crate::stage::Stage;
use crate::terms::{Status, Topology};
use crate::verb::{CONTROL, GRAPH, LOGIN, NAMESERVERS, PRINCIPAL, REPORTED, SERVER, TOKEN, Verb};

/// A check with its status and why.
pub struct Judged<'a> {
    pub check: &'a Check,
    pub title: String,
    /// What its fact says by itself, before prerequisites and requirements are looked at.
    pub standing: Option<Standing>,
    pub status: Status,
    pub observed: String,
    pub blocked_by: Vec<String>,
    pub evidence: Vec<usize>,
}

pub(super) fn all<'a>(facts: &Facts, catalogue: &'a Catalogue) -> Vec<Judged<'a>> {
    let mut judged: Vec<Judged<'a>> = Vec::new();
    let mut chosen = catalogue.chosen(&facts.settings.only, &facts.settings.skip);
    // Prerequisites first, so that each finds its own judged; then back into the order of a sign-in.
    let order: Vec<&str> = chosen.iter().map(|check| check.id.as_str()).collect();
    while !chosen.is_empty() {
        let ready = chosen.iter().position(|check| {
            // A token may come from the login host, whose check then has to be judged before; what was reported is held against all of them.
            let open = |other: &&&Check| {
                check.needs.contains(&other.id)
                    || (check.target == TOKEN && other.target == LOGIN)
                    || (check.target == REPORTED && other.target != REPORTED)
            };
            chosen.iter().find(open).is_none()
        });
        // The catalogue has no cycles; if it had, the first would be judged without its prerequisites.
        let check = chosen.remove(ready.unwrap_or(0));
        let one = one(facts, catalogue, check, &judged);
        judged.push(one);
    }
    judged.sort_by_key(|judged| order.iter().position(|id| *id == judged.check.id));
    judged
}

fn one<'a>(facts: &Facts, catalogue: &Catalogue, check: &'a Check, before: &[Judged<'a>]) -> Judged<'a> {
    let row = facts.row(&check.target);
    let word = row.and_then(|row| row.word(&check.result));
    let standing = word.map(|word| check.standing(word));
    let account = row.and_then(|row| row.account_of(&check.result)).cloned().unwrap_or_default();
    let value =
        |name: &str| row.and_then(|row| row.value(name)).map(str::to_owned).or_else(|| host_of(facts, check, name));
    let mut judged = Judged {
        check,
        title: crate::prose::filled(&check.title, value),
        standing,
        status: Status::Unknown,
        observed: account.observed,
        blocked_by: Vec::new(),
        evidence: account.evidence,
    };
    let blocked = blocked_by(facts, check, row, before);
    judged.status = match standing {
        Some(Standing::Pass) => Status::Pass,
        // Whatever a control destination does, it is never a finding.
        _ if check.probe == Verb::Control => Status::Skip,
        Some(Standing::Skip) => Status::Skip,
        _ if !blocked.is_empty() => {
            judged.blocked_by = blocked;
            let how = if check.target == REPORTED { "the same as" } else { "waits for" };
            let waits = format!("{how} {}", judged.blocked_by.join(", "));
            judged.observed = if judged.observed.is_empty() { waits } else { format!("{waits}; {}", judged.observed) };
            Status::Skip
        }
        Some(Standing::Warn) => Status::Warn,
        Some(Standing::Fail) if required(facts, catalogue, check) => Status::Fail,
        Some(Standing::Fail) => Status::Warn,
        Some(Standing::Unknown) => Status::Unknown,
        None => match not_asked(facts, check, before) {
            Some(why) => {
                judged.observed = why;
                Status::Skip
            }
            None => Status::Unknown,
        },
    };
    if judged.observed.is_empty() {
        judged.observed =
            word.map_or_else(|| "not determined before the run ended".to_owned(), |word| word.replace('-', " "));
    }
    judged
}

fn host_of(facts: &Facts, check: &Check, name: &str) -> Option<String> {
    let settings = &facts.settings;
    match (name, check.target.as_str()) {
        ("host", SERVER) => settings.server.clone().or(Some("the server".to_owned())),
        ("host", CONTROL) => facts.cloud.control_host.clone().or(Some("another public host".to_owned())),
        ("host", target) => crate::verb::own_host(target).ok().map(|(host, _)| host.to_owned()),
        ("role", _) => settings.role.clone().or(Some("of --role".to_owned())),
        ("user", _) => settings.user.clone().or(Some("the user".to_owned())),
        ("database", _) => Some(settings.database.clone()),
        ("port", _) => Some(settings.port.to_string()),
        ("resource", _) => Some(settings.resource.clone()),
        ("server", _) => settings.server.clone().or(Some("the server".to_owned())),
        _ => None,
    }
}

/// The failed prerequisites, by the checks that failed themselves.
fn blocked_by(facts: &Facts, check: &Check, row: Option<&Row>, before: &[Judged<'_>]) -> Vec<String> {
    if check.target == REPORTED {
        return met_here(row, before);
    }
    let mut blocked: Vec<String> = Vec::new();
    // An application gets its token from the login host; a managed identity's never leaves the host.
    // An answer of Entra's, or of the Azure CLI itself, is no consequence of a host that was not reached.
    let unanswered = |row: &Row| {
        matches!(
            row.word("entra.reply"),
            None | Some(
                "not-reached"
                    | "cli-proxy"
                    | "cli-untrusted"
                    | "cli-unresolved"
                    | "silent"
                    | "not-entra"
                    | "undetermined",
            )
        )
    };
    // A limit on the whole host is one fault, whatever is asked of it.
    let throttled = |row: &Row| {
        let login = facts.row(LOGIN).and_then(|login| login.word("http.reply"));
        row.word("entra.reply") == Some("throttled") && login == Some("throttled")
    };
    let of_entra =
        check.target == TOKEN && row.is_some_and(|row| asks_entra(row) && (unanswered(row) || throttled(row)));
    let is_login = |judged: &&Judged<'_>| judged.check.target == LOGIN && judged.check.stage == Stage::Https;
    let login = before.iter().filter(|judged| of_entra && is_login(judged)).map(|judged| &judged.check.id);
    // A machine without any route reaches neither nameservers nor the metadata address: one fault, told where it is met first.
    let routeless = check.target == TOKEN
        && row.is_some_and(|row| {
            row.word("run.local-network") == Some("no-default-route")
                && row.word("metadata.reply") == Some("unreachable")
        });
    let unreachable = |judged: &&Judged<'_>| {
        let row = facts.row(&judged.check.target);
        judged.check.stage == Stage::Dns && row.and_then(|row| row.word("dns.nameservers")) == Some("all-unreachable")
    };
    let names = before.iter().filter(|judged| routeless && unreachable(judged)).map(|judged| &judged.check.id);
    for need in check.needs.iter().chain(login).chain(names) {
        let Some(need) = before.iter().find(|judged| judged.check.id == *need) else { continue };
        if need.check.stage == Stage::Dns && !routeless && !depends_on_names(row) {
            continue;
        }
        if !need.blocked_by.is_empty() {
            blocked.extend(need.blocked_by.iter().cloned());
        } else if need.standing == Some(Standing::Fail) {
            blocked.push(need.check.id.clone());
        }
    }
    blocked.sort();
    blocked.dedup();
    blocked
}

/// The checks of this run that fail in the way that was reported: their diagnosis is the reported error's too.
fn met_here(row: Option<&Row>, before: &[Judged<'_>]) -> Vec<String> {
    let word = row.and_then(|row| row.word("reported.here")).unwrap_or_default();
    let is = |judged: &&Judged<'_>| {
        let (stage, target) = (judged.check.stage, judged.check.target.as_str());
        match word {
            "server-name" => stage == Stage::Dns && target == SERVER,
            "entra-name" => stage == Stage::Dns && [LOGIN, GRAPH].contains(&target),
            "entra" => stage == Stage::Https && [LOGIN, GRAPH].contains(&target),
            "server" => stage == Stage::Server,
            "token" => stage == Stage::Token,
            "sign-in" => stage == Stage::Login,
            "libpq" => judged.check.result == "libpq.result",
            _ => false,
        }
    };
    let failing = before.iter().filter(is).filter(|judged| matches!(judged.status, Status::Fail | Status::Warn));
    failing.map(|judged| judged.check.id.clone()).collect()
}

/// Whether the credential gets its token from the login host.
fn asks_entra(token: &Row) -> bool {
    matches!(
        token.word("token.source"),
        Some("client-secret" | "client-certificate" | "workload-identity" | "azure-cli")
    )
}

/// A proxy resolves names itself, and `--connect-to` needs none: what then fails is no consequence of this machine's DNS.
fn depends_on_names(row: Option<&Row>) -> bool {
    let Some(row) = row else { return true };
    if row.word("route") == Some("proxy") && row.word("proxy.kind") != Some("socks5") {
        return false;
    }
    let nameless = matches!(
        row.word("dns.result"),
        Some(
            "nxdomain"
                | "nodata"
                | "try-again"
                | "servfail"
                | "refused"
                | "silent"
                | "unreachable"
                | "malformed"
                | "no-nameserver"
                | "denied"
        )
    );
    !(nameless && row.word("tcp.reach").is_some())
}

/// Why nobody asked for this check.
fn not_asked(facts: &Facts, check: &Check, before: &[Judged<'_>]) -> Option<String> {
    let settings = &facts.settings;
    if check.target == SERVER && settings.server.is_none() {
        return Some("no --server was given".to_owned());
    }
    if check.stage == Stage::Login && check.target != PRINCIPAL && settings.user.is_none() {
        return Some("no --user was given: no sign-in was tried".to_owned());
    }
    if check.target == NAMESERVERS && settings.nameservers.is_empty() {
        return Some("no nameserver is configured".to_owned());
    }
    let needs = check.needs.iter().filter_map(|need| before.iter().find(|judged| judged.check.id == *need));
    let skipped = needs.into_iter().find(|need| need.status == Status::Skip && need.blocked_by.is_empty());
    skipped.map(|need| need.observed.clone())
}

/// Whether a requirement that applies, or the sign-in that was asked for, needs this check.
fn required(facts: &Facts, catalogue: &Catalogue, check: &Check) -> bool {
    // A failure that somebody met and asks about is one, whatever this run needs.
    if check.target == REPORTED {
        return true;
    }
    // Where the credential gets its token from the login host, no token came without it.
    let acquires = |token: &Row| asks_entra(token) && token.word("token.result") != Some("acquired");
    if check.target == LOGIN && facts.row(TOKEN).is_some_and(acquires) {
        return true;
    }
    let topology = topology(facts);
    check
        .requirement
        .iter()
        .any(|id| catalogue.requirements.iter().any(|row| row.id == *id && applies(&row.topologies, topology)))
}

pub(crate) fn applies(topologies: &[Topology], topology: Topology) -> bool {
    topology == Topology::Unknown || topologies.contains(&topology)
}

/// The topology that the run resolved.
pub(crate) fn topology(facts: &Facts) -> Topology {
    match facts.rows.iter().find_map(|row| row.word("run.topology")) {
        Some("public") => Topology::Public,
        Some("vnet") => Topology::Vnet,
        Some("private-endpoint") => Topology::PrivateEndpoint,
        _ => Topology::Unknown,
    }
}
