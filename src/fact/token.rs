//! The token: what the metadata service answered, and what the token says of itself.

use super::{Row, Seen};
use crate::evidence::{Claims, Detail, MetadataReply, Observation, TokenRequest, Validity, skew};
use crate::failure::Outcome;
use crate::verb::TOKEN;
use crate::words::Mark;

/// PgBouncer before July 2026 has room for no more (MAX_PASSWORD, change 91d0bb1f).
const POOLER_LIMIT: usize = 2048;
/// PG_MAX_AUTH_TOKEN_LENGTH of PostgreSQL.
const SERVER_LIMIT: usize = 65_535;

pub(super) fn read(seen: &Seen<'_>) -> Row {
    let mut row = Row::of(TOKEN);
    row.quote("resource", &seen.settings.resource);
    let settings = seen.settings;
    row.quote("client_id", settings.client_id.clone().unwrap_or_default());
    let ids = [
        ("client id", &settings.client_id),
        ("object id", &settings.object_id),
        ("resource id", &settings.resource_id),
    ];
    let asked = ids.into_iter().find_map(|(kind, id)| id.as_ref().map(|id| format!("{kind} {id}")));
    row.quote("identity", asked.unwrap_or_default());
    // A token for Microsoft Graph is asked for on behalf of another subject.
    let own: Vec<_> = seen.of(TOKEN).collect();
    let metadata = own.iter().rev().find_map(|(index, observation)| match &observation.detail {
        Detail::Metadata(reply) if reply.asked == "token" => Some((*index, *observation, reply)),
        _ => None,
    });
    let claims = seen.evidence.iter().enumerate().find_map(|(index, observation)| match &observation.detail {
        Detail::Claims(claims) => Some((index, claims)),
        _ => None,
    });
    if let Some((_, observation, reply)) = &metadata {
        reply_facts(seen, &mut row, observation, reply);
    }
    let request = own.iter().find_map(|(index, observation)| match &observation.detail {
        Detail::TokenRequest(request) => Some((*index, *observation, &**request)),
        _ => None,
    });
    if let Some((_, observation, request)) = &request {
        request_facts(seen, &mut row, observation, request);
    }
    let known = super::vocabulary::fact("token.source").map(|fact| fact.words).unwrap_or_default();
    let named = claims.map(|(_, claims)| claims.source.as_str());
    let named = named.or(request.map(|(_, _, request)| request.credential.as_str()));
    let source = match named {
        Some(name) => known.iter().find(|word| **word == name).copied().unwrap_or("token-file"),
        // App Service's endpoint is told by its version of the protocol.
        None if metadata.is_some_and(|(_, _, reply)| reply.url.contains("api-version=2019-08-01")) => "app-service",
        None if metadata.is_some_and(|(_, _, reply)| reply.url.contains("api-version=2020-06-01")) => "arc",
        None if metadata.is_some() => "managed-identity",
        None => "none",
    };
    row.say("token.source", source);
    row.quote("source", told_source(source));
    let asked = request.map(|(index, observation, _)| (index, observation));
    let asked = asked.or(metadata.map(|(index, observation, _)| (index, observation)));
    let (result, observed) =
        result(seen, &row, asked.map(|(_, observation)| observation), claims.map(|(_, claims)| claims));
    row.say("token.result", result);
    let evidence = asked.map(|(index, _)| index).into_iter().chain(claims.map(|(index, _)| index)).collect();
    row.account("token.result", observed, evidence);
    if let Some((index, claims)) = claims {
        claims_facts(seen, &mut row, index, claims);
    }
    row
}

fn told_source(source: &str) -> &'static str {
    match source {
        "managed-identity" => "managed identity",
        "app-service" => "managed identity of App Service",
        "arc" => "managed identity of Azure Arc",
        "environment" => "PGPASSWORD",
        "token-file" => "the token file",
        "client-secret" => "client secret",
        "client-certificate" => "client certificate",
        "workload-identity" => "workload identity",
        "azure-cli" => "Azure CLI",
        _ => "nowhere",
    }
}

fn request_facts(seen: &Seen<'_>, row: &mut Row, observation: &Observation, request: &TokenRequest) {
    let (word, mark) = entra_word(seen, observation, request);
    row.say_marked("entra.reply", word, mark);
    row.quote("status", request.status.map(|status| status.to_string()).unwrap_or_default());
    row.quote("wait", wait(request.retry_after));
    let codes = request.codes.iter().map(|code| format!("AADSTS{code}"));
    let error = request.error.clone().into_iter().chain(codes).collect::<Vec<_>>().join(", ");
    row.quote("error", if error.is_empty() { super::said(observation) } else { error });
    row.quote("description", request.description.as_deref().map(super::plain).unwrap_or_default());
    row.quote("trace", request.trace_id.clone().unwrap_or_default());
    row.quote("correlation", request.correlation_id.clone().unwrap_or_default());
    row.quote("quote", request.quote.as_deref().map(super::plain).unwrap_or_default());
}

/// How long somebody asks to be left alone; empty where nobody does.
fn wait(seconds: Option<u64>) -> String {
    seconds.map(|seconds| super::span(i64::try_from(seconds).unwrap_or(i64::MAX))).unwrap_or_default()
}

fn entra_word(seen: &Seen<'_>, observation: &Observation, request: &TokenRequest) -> (&'static str, Mark) {
    let sourced = |word| (word, Mark::Sourced);
    if request.token_received {
        return sourced("ok");
    }
    let cli = request.credential == "azure-cli";
    let codes: Vec<&str> = request.codes.iter().map(String::as_str).chain(request.error.as_deref()).collect();
    let text = request.description.as_deref().unwrap_or_default();
    if cli || !codes.is_empty() {
        let found = seen.lore.words.translate("entra", &codes, text).filter(|(word, _)| *word != "unrecognised");
        if let Some(found) = found {
            return found;
        }
    }
    match (observation.outcome, request.status) {
        (Outcome::CutShort | Outcome::Panicked | Outcome::Exhausted, _) => sourced("undetermined"),
        (Outcome::Unresolved, None) if cli => sourced("cli-missing"),
        (Outcome::Timeout, None) => sourced("silent"),
        // The assertion was not to be had when it was needed, so nothing was sent.
        (Outcome::Withheld, None) => sourced("no-proof"),
        (_, None) if cli => sourced("cli-failed"),
        (_, None) => sourced("not-reached"),
        (_, Some(429)) => sourced("throttled"),
        (_, Some(_)) if codes.is_empty() => sourced("not-entra"),
        (_, Some(500..)) => sourced("unavailable"),
        _ => sourced("unrecognised"),
    }
}

fn reply_facts(seen: &Seen<'_>, row: &mut Row, observation: &Observation, reply: &MetadataReply) {
    let (word, mark) = reply_word(seen, observation, reply);
    row.say_marked("metadata.reply", word, mark);
    row.quote("status", reply.status.map(|status| status.to_string()).unwrap_or_default());
    row.quote("wait", wait(reply.retry_after));
    row.quote("requests", if observation.attempts > 1 { observation.attempts.to_string() } else { String::new() });
    row.quote("error", reply.error.clone().or_else(|| observation.error.clone()).unwrap_or_default());
    row.quote("description", reply.description.clone().unwrap_or_default());
    row.quote("quote", reply.quote.as_deref().map(super::plain).unwrap_or_default());
}

fn reply_word(seen: &Seen<'_>, observation: &Observation, reply: &MetadataReply) -> (&'static str, Mark) {
    let sourced = |word| (word, Mark::Sourced);
    if reply.token_received {
        return sourced("ok");
    }
    match reply.challenge.as_deref() {
        Some("missing") => return sourced("arc-no-challenge"),
        Some("foreign") => return sourced("arc-foreign-file"),
        Some("absent") => return sourced("arc-key-missing"),
        Some("unreadable") => return sourced("arc-key-unreadable"),
        Some("met") if reply.status == Some(401) => return sourced("arc-key-refused"),
        _ => {}
    }
    let Some(status) = reply.status else {
        return sourced(match observation.outcome {
            Outcome::Timeout => "silent",
            Outcome::Refused => "refused",
            Outcome::HostUnreachable | Outcome::NetworkUnreachable | Outcome::Denied => "unreachable",
            Outcome::CutShort | Outcome::Panicked | Outcome::Exhausted => "undetermined",
            Outcome::Garbage | Outcome::TooLarge => "not-metadata",
            _ => "closed",
        });
    };
    if status == 200 {
        return sourced(if reply.error.is_some() || is_json(reply) { "no-token" } else { "not-metadata" });
    }
    let from_metadata =
        reply.error.is_some() || reply.server.as_deref().is_some_and(|server| server.starts_with("IMDS"));
    let status_text = status.to_string();
    let codes: Vec<&str> = reply.error.iter().map(String::as_str).chain([status_text.as_str()]).collect();
    if !from_metadata && !is_json(reply) {
        return sourced("not-metadata");
    }
    let text = reply.description.as_deref().or(reply.quote.as_deref()).unwrap_or_default();
    if let Some(found) = seen.lore.words.translate("metadata", &codes, text).filter(|(word, _)| *word != "unexpected") {
        return found;
    }
    sourced(match status {
        404 | 410 => "updating",
        429 => "throttled",
        500.. => "unavailable",
        _ => "unexpected",
    })
}

fn is_json(reply: &MetadataReply) -> bool {
    reply.content_type.as_deref().is_some_and(|kind| kind.to_ascii_lowercase().starts_with("application/json"))
}

fn result(seen: &Seen<'_>, row: &Row, asked: Option<&Observation>, claims: Option<&Claims>) -> (&'static str, String) {
    if let Some(claims) = claims {
        let who = row.value("source").unwrap_or("handed in").to_owned();
        let notes = &seen.settings.credential_notes;
        let why = if notes.is_empty() { String::new() } else { format!(" (before it: {})", notes.join(", ")) };
        let unused = &seen.settings.credential_unused;
        let why = if unused.is_empty() { why } else { format!("{why}; set too and not used: {}", unused.join(", ")) };
        return match claims.source.as_str() {
            "token-file" | "environment" => ("handed-in", format!("from {who}")),
            _ => {
                let requests = asked.map_or(1, |asked| asked.attempts);
                let busy = if requests > 1 { format!(", at request {requests}: busy before") } else { String::new() };
                ("acquired", format!("{who}{busy}{why}"))
            }
        };
    }
    let settings = seen.settings;
    if settings.credential == "none" {
        return ("not-asked", "no credential asked for (--credential none)".to_owned());
    }
    let Some(asked) = asked else { return ("undetermined", "not asked before the run ended".to_owned()) };
    let reply = row.word("entra.reply").or(row.word("metadata.reply")).unwrap_or("undetermined");
    // Nobody named a server, a user or a credential: a machine without managed identity then lacks nothing.
    let wanted = settings.server.is_some()
        || settings.user.is_some()
        || settings.credential != "auto"
        || settings.client_id.is_some();
    if !wanted && matches!(reply, "silent" | "refused" | "unreachable" | "closed") {
        return ("not-asked", "no metadata service here, and nobody asked for a sign-in".to_owned());
    }
    let said = row.value("description").or(row.value("error")).filter(|text| !text.starts_with("HTTP "));
    let said = said.map(|text| format!(": {text}")).unwrap_or_default();
    let status = row.value("status").map(|status| format!("HTTP {status}")).unwrap_or_else(|| reply.replace('-', " "));
    match asked.outcome {
        Outcome::CutShort | Outcome::Panicked | Outcome::Exhausted => {
            ("undetermined", "the metadata service was not heard before the run ended".to_owned())
        }
        _ => {
            let whom = match (row.word("entra.reply"), row.word("token.source")) {
                (None, _) => "metadata service",
                (_, Some("azure-cli")) => "Azure CLI",
                _ => "token endpoint",
            };
            let wait =
                row.value("wait").map(|wait| format!("; it asks to be left alone for {wait}")).unwrap_or_default();
            ("failed", format!("{whom}: {status}{said}{wait}"))
        }
    }
}

fn claims_facts(seen: &Seen<'_>, row: &mut Row, index: usize, claims: &Claims) {
    row.say(
        "token.form",
        super::vocabulary::fact("token.form")
            .and_then(|fact| fact.words.iter().find(|word| **word == claims.form))
            .copied()
            .unwrap_or("opaque"),
    );
    row.quote("form", claims.told_form());
    let size = if claims.bytes <= POOLER_LIMIT {
        "small"
    } else if claims.bytes <= SERVER_LIMIT {
        "over-2048"
    } else {
        "over-65535"
    };
    row.say("token.size", size);
    if claims.form != "jwt" {
        row.say("claims.result", "bad");
        row.account("claims.result", claims.told_form(), vec![index]);
        return;
    }
    let audience = audience(seen, claims);
    row.say("token.audience", audience);
    row.quote("audience", super::listed(&claims.audience));
    let validity = claims.validity(skew(seen.evidence));
    let validity_word = match validity {
        Validity::Valid { .. } => "valid",
        Validity::EndsSoon { .. } => "ends-soon",
        Validity::Expired => "expired",
        Validity::NotYetValid => "not-yet-valid",
        Validity::Unsaid => "missing",
    };
    row.say("token.validity", validity_word);
    row.quote("expires", claims.expires.map(super::minute).unwrap_or_default());
    let tenant = match (&seen.settings.tenant, &claims.tenant) {
        (Some(wanted), Some(tenant)) if crate::rules::is_guid(wanted) => {
            if wanted.eq_ignore_ascii_case(tenant) {
                "expected"
            } else {
                "other"
            }
        }
        _ => "unchecked",
    };
    row.say("token.tenant", tenant);
    row.quote("tenant", claims.tenant.clone().unwrap_or_default());
    let kind = match claims.identity_type.as_deref() {
        Some("app") => "app",
        Some("user") => "user",
        _ if claims.user_name.is_some() => "user",
        _ if claims.application_id.is_some() && claims.object_id.is_some() => "app",
        _ => "unknown",
    };
    row.say("token.kind", kind);
    let principal = claims.principal();
    row.quote("principal", &principal);
    let bad =
        audience != "postgres" || matches!(validity, Validity::Expired | Validity::NotYetValid) || tenant == "other";
    let bad = bad || claims.bytes > SERVER_LIMIT;
    let word = if bad {
        "bad"
    } else if matches!(validity, Validity::EndsSoon { .. }) {
        "ends-soon"
    } else {
        "good"
    };
    row.say("claims.result", word);
    let left = match validity {
        Validity::Valid { left } | Validity::EndsSoon { left } => format!("{} left", super::span(left)),
        Validity::Expired => format!("expired {}", row.value("expires").unwrap_or_default()),
        Validity::NotYetValid => "not valid yet".to_owned(),
        Validity::Unsaid => "no end".to_owned(),
    };
    let whom = match audience {
        "postgres" => "for this cloud's PostgreSQL".to_owned(),
        "missing" => "without an audience".to_owned(),
        _ => format!("for {}", row.value("audience").unwrap_or("another service")),
    };
    row.account("claims.result", format!("{whom}; {left}; {principal}"), vec![index]);
}

fn audience(seen: &Seen<'_>, claims: &Claims) -> &'static str {
    let known = &seen.cloud.known_resources;
    let among = |list: &[String]| {
        let bare = |text: &str| text.trim_end_matches('/').to_ascii_lowercase();
        claims.audience.iter().any(|audience| list.iter().any(|one| bare(one) == bare(audience)))
    };
    if claims.audience.is_empty() {
        "missing"
    } else if claims.audience.iter().any(|audience| seen.cloud.is_postgres(audience)) {
        "postgres"
    } else if among(&known.arm) {
        "arm"
    } else if among(&known.graph) {
        "graph"
    } else if among(&known.cosmos) {
        "cosmos"
    } else if among(&known.other_cloud) {
        "other-cloud"
    } else {
        "other"
    }
}
