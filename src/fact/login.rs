//! The server and the sign-in, stage by stage.

use super::{Row, Seen};
use crate::evidence::{Changed, Detail, ServerError};
use crate::failure::Outcome;
use crate::verb::SERVER;
use crate::words::Mark;

pub(super) fn read(seen: &Seen<'_>, row: Option<&mut Row>) {
    let (Some(row), Some(server)) = (row, &seen.settings.server) else { return };
    form(seen, row, server);
    ssl(seen, row);
    startup(seen, row);
    beside(seen, row);
    password(seen, row);
    session(seen, row);
}

fn form(seen: &Seen<'_>, row: &mut Row, server: &str) {
    let suffix_of_other =
        || seen.lore.clouds.iter().any(|cloud| cloud.name != seen.cloud.name && cloud.has_server(server));
    row.say(
        "server.form",
        if server.parse::<std::net::IpAddr>().is_ok() {
            "literal"
        } else if seen.cloud.has_server(server) {
            "flexible"
        } else if suffix_of_other() {
            "other-cloud"
        } else {
            "foreign"
        },
    );
    row.say(
        "server.port",
        match seen.settings.port {
            5432 => "postgres",
            6432 => "pgbouncer",
            _ => "other",
        },
    );
    row.quote("port", seen.settings.port.to_string());
}

fn ssl(seen: &Seen<'_>, row: &mut Row) {
    let requests: Vec<_> = seen
        .of(SERVER)
        .filter_map(|(_, observation)| match &observation.detail {
            Detail::SslRequest(request) => Some((observation, request)),
            _ => None,
        })
        .collect();
    let accepted = requests.iter().find(|(observation, _)| observation.outcome.is_ok());
    let Some((observation, request)) = accepted.or(requests.first()) else { return };
    let word = match observation.outcome {
        Outcome::Ok => "accepted",
        Outcome::Timeout => "silent",
        Outcome::Reset | Outcome::Refused => "reset",
        Outcome::Closed => "closed",
        Outcome::CutShort | Outcome::Panicked | Outcome::Exhausted => "undetermined",
        Outcome::TooLarge => "extra-bytes",
        Outcome::Rejected if request.server_error.is_some() => "error",
        Outcome::Rejected => "refused",
        _ => "not-postgres",
    };
    row.say("pg.ssl", word);
    row.quote("answer", request.answer.as_deref().map(super::plain).unwrap_or_default());
    row.quote("remote_address", request.peer.ip().to_string());
    // An error of the server's own is told as its SQLSTATE and message.
    if !matches!(observation.outcome, Outcome::Ok | Outcome::Rejected) {
        row.quote("error", super::said(observation));
    }
    if let Some(error) = &request.server_error {
        told_error(seen, row, error, "before-token");
    }
    // The path's reader ran before this one and had no word for a refusal of TLS.
    if row.word("tls.handshake").is_none()
        && let Some(account) = row.account_of("tls.result").cloned()
    {
        let observed = ssl_observed(row);
        row.account("tls.result", observed, account.evidence);
    }
}

/// How the server answered SSLRequest, for a person.
pub(super) fn ssl_observed(row: &Row) -> String {
    match row.word("pg.ssl") {
        Some("refused") => "the server answers SSLRequest with N: it speaks no TLS".to_owned(),
        Some("silent") => "no answer to SSLRequest".to_owned(),
        Some("closed" | "reset") => "the connection was cut after SSLRequest".to_owned(),
        Some("extra-bytes") => "bytes in clear came before the handshake".to_owned(),
        Some("error") => format!("an error before TLS: {}", row.value("message").unwrap_or_default()),
        Some("not-postgres") => format!("not PostgreSQL: {}", row.value("answer").unwrap_or_default()),
        _ => "no TLS".to_owned(),
    }
}

fn told_error(seen: &Seen<'_>, row: &mut Row, error: &ServerError, stage: &str) {
    let (word, mark) = seen
        .lore
        .words
        .translate("postgres", &[&error.sqlstate], &error.message)
        .unwrap_or(("unrecognised", Mark::Unknown));
    row.say_marked("pg.error", word, mark);
    row.say("pg.stage", stage);
    row.quote("sqlstate", &error.sqlstate);
    row.quote("message", super::plain(&error.message));
}

fn startup(seen: &Seen<'_>, row: &mut Row) {
    let found = seen.of(SERVER).find_map(|(index, observation)| match &observation.detail {
        Detail::Startup(startup) => Some((index, observation, startup)),
        _ => None,
    });
    let Some((index, observation, startup)) = found else { return };
    let word = match (&startup.server_error, observation.outcome, startup.asks.as_deref()) {
        (Some(_), ..) => "error",
        (None, Outcome::Timeout, _) => "silent",
        (None, Outcome::CutShort | Outcome::Panicked | Outcome::Exhausted, _) => "undetermined",
        (None, Outcome::Ok, Some("cleartext")) => "cleartext",
        (None, Outcome::Ok, Some("scram")) => "scram",
        (None, Outcome::Ok, Some("md5")) => "md5",
        (None, Outcome::Ok, Some("nothing")) => "nothing",
        (None, Outcome::Ok, Some(_)) | (None, Outcome::Garbage | Outcome::TooLarge, _) => "other",
        _ => "closed",
    };
    row.say("pg.asks", word);
    row.quote("asks", startup.asks.clone().unwrap_or_default());
    // An error of the server's own is told as its SQLSTATE and message.
    if !matches!(observation.outcome, Outcome::Ok | Outcome::Rejected) {
        row.quote("error", super::said(observation));
    }
    if let Some(error) = &startup.server_error {
        told_error(seen, row, error, "before-token");
    }
    let user = &startup.user;
    let observed = match word {
        "cleartext" => format!("the server asks {user} for a token"),
        "scram" | "md5" => format!(
            "the server asks {user} for a {} password: not an Entra role; the token was not sent",
            word.to_uppercase()
        ),
        "nothing" => format!("the server lets {user} in without asking; the token was not sent"),
        "error" => {
            format!("{} {}", row.value("sqlstate").unwrap_or_default(), row.value("message").unwrap_or_default())
        }
        "other" => "the server asks for something else; the token was not sent".to_owned(),
        _ => format!("after the user's name: {word}"),
    };
    row.account("pg.asks", observed, vec![index]);
}

/// What PostgreSQL asks on 5432, when PgBouncer on 6432 asked for no token or refused it.
fn beside(seen: &Seen<'_>, row: &mut Row) {
    let found = seen.of(SERVER).find_map(|(_, observation)| match &observation.detail {
        Detail::Comparison(comparison) if comparison.changed == Changed::PastPooler => Some((observation, comparison)),
        _ => None,
    });
    let Some((observation, comparison)) = found else { return };
    let word = match (observation.outcome, comparison.asks.as_deref()) {
        (Outcome::CutShort | Outcome::Panicked | Outcome::Exhausted, _) => return,
        (_, Some("cleartext")) => "cleartext",
        (_, Some("scram" | "md5")) => "password",
        (_, Some(_)) => "other",
        (Outcome::Rejected, None) if observation.error.is_some() => "error",
        _ => "not-reached",
    };
    row.say("beside.asks", word);
}

fn password(seen: &Seen<'_>, row: &mut Row) {
    let found = seen.of(SERVER).find_map(|(index, observation)| match &observation.detail {
        Detail::Password(reply) => Some((index, observation, reply)),
        _ => None,
    });
    let Some((index, observation, reply)) = found.filter(|(_, _, reply)| reply.sent) else { return };
    let word = match observation.outcome {
        _ if reply.authenticated => "accepted",
        Outcome::Rejected => "refused",
        Outcome::Timeout => "silent",
        Outcome::CutShort | Outcome::Panicked | Outcome::Exhausted => "undetermined",
        _ => "closed",
    };
    row.say("pg.token", word);
    // An error of the server's own is told as its SQLSTATE and message.
    if !matches!(observation.outcome, Outcome::Ok | Outcome::Rejected) {
        row.quote("error", super::said(observation));
    }
    if let Some(error) = &reply.server_error {
        told_error(seen, row, error, "after-token");
    }
    let observed = match word {
        "accepted" => "accepted as password".to_owned(),
        "refused" => {
            format!("{} {}", row.value("sqlstate").unwrap_or_default(), row.value("message").unwrap_or_default())
        }
        other => format!("after the token: {other}"),
    };
    row.account("pg.token", observed, vec![index]);
}

fn session(seen: &Seen<'_>, row: &mut Row) {
    let found = seen.of(SERVER).find_map(|(index, observation)| match &observation.detail {
        Detail::Session(session) => Some((index, observation, session)),
        _ => None,
    });
    let Some((index, observation, session)) = found else { return };
    let word = match observation.outcome {
        Outcome::Ok => "ready",
        Outcome::Rejected => "refused",
        Outcome::Timeout => "silent",
        Outcome::CutShort | Outcome::Panicked | Outcome::Exhausted => "undetermined",
        _ => "closed",
    };
    row.say("pg.session", word);
    // An error of the server's own is told as its SQLSTATE and message.
    if !matches!(observation.outcome, Outcome::Ok | Outcome::Rejected) {
        row.quote("error", super::said(observation));
    }
    if let Some(error) = &session.server_error {
        told_error(seen, row, error, "after-authentication");
    }
    let note = super::roles::note(seen);
    let observed = match word {
        "ready" => {
            let note = note.as_ref().map(|(_, note)| format!(", {note},")).unwrap_or_default();
            let mut text = format!(
                "signed in as {}{note} to {}",
                session.current_user.as_deref().unwrap_or("?"),
                session.current_database.as_deref().unwrap_or("?")
            );
            if let Some(version) = &session.server_version {
                text.push_str(&format!(", PostgreSQL {version}"));
            }
            text
        }
        "refused" => {
            format!("{} {}", row.value("sqlstate").unwrap_or_default(), row.value("message").unwrap_or_default())
        }
        other => format!("after authentication: {other}"),
    };
    row.account("pg.session", observed, std::iter::once(index).chain(note.map(|(index, _)| index)).collect());
}
