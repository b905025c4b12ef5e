//! Roles, as a session read them: its own, and the one that `--role` names.

use super::{Row, Seen};
use crate::evidence::{Claims, DatabaseRole, Detail, Mapping, Roles};
use crate::words::Mark;

pub(super) fn read(seen: &Seen<'_>, row: &mut Row) {
    let Some(asked) = &seen.settings.role else {
        row.say("role.state", "not-asked");
        row.account("role.state", "no --role was given", Vec::new());
        own(seen, row);
        return;
    };
    row.quote("role", asked);
    own(seen, row);
    let Some((index, roles)) = roles(seen) else { return };
    let (word, mark) = state(row, asked, roles, seen.claims());
    row.say_marked("role.state", word, mark);
    row.account("role.state", observed(row, asked, word), vec![index]);
}

fn roles<'a>(seen: &'a Seen<'_>) -> Option<(usize, &'a Roles)> {
    seen.evidence.iter().enumerate().find_map(|(index, observation)| match &observation.detail {
        Detail::Roles(roles) => Some((index, roles)),
        _ => None,
    })
}

/// The session's own role.
fn own(seen: &Seen<'_>, row: &mut Row) {
    let Some((_, roles)) = roles(seen) else { return };
    row.say(
        "role.group-sync",
        match roles.group_sync.as_deref() {
            Some("on") => "on",
            Some("off") => "off",
            _ => "unsaid",
        },
    );
    let Some(role) = roles.role(&roles.user) else { return };
    row.say("role.own", role.mapping.as_ref().map_or("unseen", kind));
}

/// What is worth a note beside a session, and never a finding: whose role it is, and that it is an administrator's.
pub(super) fn note(seen: &Seen<'_>) -> Option<(usize, String)> {
    let (index, roles) = roles(seen)?;
    let role = roles.role(&roles.user)?;
    let mut notes: Vec<String> = role.mapping.iter().map(told).collect();
    if role.administrator == Some(true) {
        notes.push("an administrator (not for daily use: it may create databases and roles)".to_owned());
    }
    (!notes.is_empty()).then(|| (index, notes.join(", ")))
}

fn kind(mapping: &Mapping) -> &'static str {
    match mapping.kind.as_deref() {
        Some("user") => "user",
        Some("group") => "group",
        Some("service") => "service",
        _ => "mapped",
    }
}

/// The kind of a principal, and its id, shortened: the evidence has the whole.
fn told(mapping: &Mapping) -> String {
    let kind = match kind(mapping) {
        "user" => "an Entra user",
        "group" => "an Entra group",
        "service" => "an Entra service principal",
        _ => "an Entra principal",
    };
    match &mapping.object_id {
        Some(id) => format!("{kind} ({}…)", id.chars().take(8).collect::<String>()),
        None => kind.to_owned(),
    }
}

fn state(row: &mut Row, asked: &str, roles: &Roles, claims: Option<&Claims>) -> (&'static str, Mark) {
    let sourced = |word| (word, Mark::Sourced);
    let Some(found) = &roles.found else { return sourced("undetermined") };
    let Some(role) = roles.role(asked) else { return absent(row, asked, found) };
    if let Some(mapping) = &role.mapping {
        row.quote("mapped_to", told(mapping));
    }
    if let Some(until) = &role.valid_until {
        row.quote("valid_until", until);
    }
    if !role.login {
        return sourced("no-login");
    }
    let Some(mapping) = &role.mapping else {
        // The session's own role is mapped, or it had not got in by a token. Where that does not show, no mapping shows.
        let shows = roles.mapping_of(&roles.user).is_some();
        return sourced(if shows { "plain" } else { "unseen" });
    };
    if claims.is_some_and(|claims| contradicts(mapping, claims)) {
        return sourced("other-type");
    }
    if role.expired {
        // That VALID UNTIL binds a token as it binds a password is not documented.
        return ("expired", Mark::Inferred);
    }
    sourced(kind(mapping))
}

/// The role is for this token's own principal, and for another kind of token than its.
fn contradicts(mapping: &Mapping, claims: &Claims) -> bool {
    let same =
        matches!((&mapping.object_id, &claims.object_id), (Some(one), Some(other)) if one.eq_ignore_ascii_case(other));
    let wanted = match claims.identity_type.as_deref() {
        Some("app") => "user",
        Some("user") => "service",
        _ => return false,
    };
    same && kind(mapping) == wanted
}

/// The role is not there as it was written; perhaps it is there as it was meant.
fn absent(row: &mut Row, asked: &str, found: &[DatabaseRole]) -> (&'static str, Mark) {
    let named = |name: &str| found.iter().find(|role| role.name == name);
    let cut = crate::rules::cut_role(asked);
    let bare = asked.replace('\\', "");
    let folded = |name: &str| name.to_lowercase();
    let (word, other) = if let (true, Some(role)) = (cut != asked, named(cut)) {
        ("truncated", Some(role))
    } else if let (true, Some(role)) = (bare != asked, named(&bare)) {
        ("escaped", Some(role))
    } else if let Some(role) = found.iter().find(|role| folded(&role.name) == folded(asked)) {
        ("other-case", Some(role))
    } else {
        ("missing", None)
    };
    if let Some(role) = other {
        row.quote("other_role", &role.name);
    }
    (word, Mark::Sourced)
}

fn observed(row: &Row, asked: &str, word: &str) -> String {
    let value = |name: &str| row.value(name).unwrap_or_default().to_owned();
    match word {
        "missing" => format!("there is no role {asked}"),
        "other-case" | "truncated" | "escaped" => format!("there is no role {asked}, but {}", value("other_role")),
        "plain" => format!("{asked} is not mapped to an Entra principal"),
        "no-login" => format!("{asked} has NOLOGIN"),
        "expired" => {
            format!("{asked} is mapped to {}, and was valid until {}", value("mapped_to"), value("valid_until"))
        }
        "other-type" => {
            format!("{asked} is mapped to {}, and this token is of {}", value("mapped_to"), value("principal"))
        }
        "unseen" => format!("{asked} exists; this session cannot see what roles are mapped to"),
        "undetermined" => "the database did not say which roles there are".to_owned(),
        _ => format!("{asked} is mapped to {}", value("mapped_to")),
    }
}
