//! The principal: how a name stands to what the directory has.

use super::{Row, Seen};
use crate::evidence::{Detail, DirectoryObject, GraphQuestion, Observation, PrincipalLookup};
use crate::failure::Outcome;
use crate::verb::PRINCIPAL;

/// NAMEDATALEN - 1: PostgreSQL cuts longer identifiers (PostgreSQL documentation, 4.1.1).
const LONGEST: usize = 63;

/// The row of `--principal`.
pub(super) fn read(seen: &Seen<'_>) -> Row {
    let mut row = Row::of(PRINCIPAL);
    let Some(name) = &seen.settings.principal else {
        row.say("principal.result", "not-asked");
        row.account("principal.result", "no --principal was given", Vec::new());
        return row;
    };
    row.quote("asked_name", name);
    match lookup(seen, |lookup| lookup.asked == "principal") {
        Some((index, observation, lookup)) => facts(seen, &mut row, observation, lookup, index),
        None => {
            row.say("principal.result", "undetermined");
            row.account("principal.result", "not asked before the run ended", Vec::new());
        }
    }
    row
}

/// What the directory has under the name of the user who could not sign in, for the server's row.
pub(super) fn of_user(seen: &Seen<'_>, row: &mut Row) {
    let user = seen.settings.user.as_deref();
    let asked = lookup(seen, |lookup| Some(lookup.name.as_str()) == user);
    if let Some((index, observation, lookup)) = asked {
        row.quote("asked_name", &lookup.name);
        facts(seen, row, observation, lookup, index);
    }
}

type Looked<'a> = (usize, &'a Observation, &'a PrincipalLookup);

fn lookup<'a>(seen: &'a Seen<'_>, wanted: impl Fn(&PrincipalLookup) -> bool) -> Option<Looked<'a>> {
    seen.of(PRINCIPAL).find_map(|(index, observation)| match &observation.detail {
        Detail::Principal(lookup) if wanted(lookup) => Some((index, observation, lookup)),
        _ => None,
    })
}

fn facts(seen: &Seen<'_>, row: &mut Row, observation: &Observation, lookup: &PrincipalLookup, index: usize) {
    let compared = compare(&lookup.name, &lookup.found);
    row.quote("bytes", lookup.name.len().to_string());
    let unanswered: Vec<&GraphQuestion> =
        lookup.questions.iter().filter(|question| question.outcome != Some(Outcome::Ok)).collect();
    row.quote("permission", permission(&unanswered));
    let own = match compared {
        // What was found is there, whatever else could not be searched.
        Some((word, _)) => Some(word),
        None if unanswered.is_empty() && !lookup.questions.is_empty() => Some("not-found"),
        None => None,
    };
    // A name's length needs no directory; a name that nobody bears has another fault.
    let too_long = lookup.name.len() > LONGEST && matches!(own, None | Some("found"));
    let word = if too_long { "too-long" } else { own.unwrap_or_else(|| why_not(observation, &unanswered)) };
    row.say("principal.result", word);
    let objects = compared.map(|(_, objects)| objects).unwrap_or_default();
    if let [object, rest @ ..] = objects.as_slice() {
        let kind = kind(object);
        row.say("principal.type", kind);
        row.quote("directory_name", object.role_name().unwrap_or_default());
        row.quote("directory_type", told(kind));
        let (administrator, role) = types(kind);
        row.quote("administrator_type", administrator);
        row.quote("object_type", role);
        if rest.is_empty() {
            row.quote("directory_id", &object.id);
        }
        let all = objects.iter().map(|object| format!("{} {}", told(self::kind(object)), object.id));
        row.quote("directory_ids", super::listed(all));
        row.say("principal.token", of_token(seen, object, rest.is_empty()));
    }
    let observed = observed(word, lookup, row, observation, &unanswered);
    row.account("principal.result", observed, vec![index]);
}

/// How the name stands to the objects, and those that it stands so to.
fn compare<'a>(name: &str, found: &'a [DirectoryObject]) -> Option<(&'static str, Vec<&'a DirectoryObject>)> {
    let mut distinct: Vec<&DirectoryObject> = Vec::new();
    for object in found {
        if distinct.iter().all(|known| known.id != object.id) {
            distinct.push(object);
        }
    }
    let bare = name.trim();
    let same = |one: Option<&str>, other: &str| one.is_some_and(|one| one.to_lowercase() == other.to_lowercase());
    let user = |object: &DirectoryObject| object.collection == "users";
    let those = |holds: &dyn Fn(&DirectoryObject) -> bool| -> Vec<&'a DirectoryObject> {
        distinct.iter().copied().filter(|object| holds(object)).collect()
    };
    let exact = those(&|object| object.role_name() == Some(name));
    match exact.len() {
        0 => {}
        1 => return Some(("found", exact)),
        _ => return Some(("ambiguous", exact)),
    }
    type Way<'w> = (&'static str, &'w dyn Fn(&DirectoryObject) -> bool);
    let ways: [Way<'_>; 7] = [
        ("client-id", &|object| same(object.app_id.as_deref(), bare)),
        ("object-id", &|object| same(Some(&object.id), bare)),
        ("other-case", &|object| same(object.role_name(), name)),
        ("blanks", &|object| same(object.role_name(), bare)),
        ("mail-of-guest", &|object| user(object) && kind(object) == "guest" && same(object.mail.as_deref(), bare)),
        ("mail-of-user", &|object| user(object) && same(object.mail.as_deref(), bare)),
        ("name-of-user", &|object| user(object) && same(object.display_name.as_deref(), bare)),
    ];
    ways.into_iter().map(|(word, holds)| (word, those(holds))).find(|(_, objects)| !objects.is_empty())
}

fn kind(object: &DirectoryObject) -> &'static str {
    let guest = object.user_type.as_deref() == Some("Guest")
        || object.user_principal_name.as_deref().is_some_and(|name| name.contains("#EXT#"));
    match object.collection.as_str() {
        "users" if guest => "guest",
        "users" => "user",
        "groups" => "group",
        _ if object.service_principal_type.as_deref() == Some("ManagedIdentity") => "managed-identity",
        _ => "service-principal",
    }
}

fn told(kind: &str) -> &'static str {
    match kind {
        "user" => "user",
        "guest" => "guest user",
        "group" => "group",
        "managed-identity" => "managed identity",
        _ => "service principal",
    }
}

/// The type as `az` and as `pgaadauth_create_principal_with_oid` take it.
fn types(kind: &str) -> (&'static str, &'static str) {
    match kind {
        "user" | "guest" => ("User", "user"),
        "group" => ("Group", "group"),
        _ => ("ServicePrincipal", "service"),
    }
}

/// Whether the token of the sign-in is this principal's. Members sign in with their own token under a group's name.
fn of_token(seen: &Seen<'_>, object: &DirectoryObject, alone: bool) -> &'static str {
    let Some(own) = seen.claims().and_then(|claims| claims.object_id.as_deref()) else { return "unknown" };
    if !alone || object.collection == "groups" {
        "unknown"
    } else if own.eq_ignore_ascii_case(&object.id) {
        "same"
    } else {
        "other"
    }
}

/// Why nothing can be said.
fn why_not(observation: &Observation, unanswered: &[&GraphQuestion]) -> &'static str {
    match observation.outcome {
        Outcome::CutShort | Outcome::Panicked | Outcome::Exhausted => return "undetermined",
        Outcome::Withheld => {
            let handed_in = observation.error.as_deref().is_some_and(|error| error.contains("handed in"));
            return if handed_in { "not-for-graph" } else { "no-token" };
        }
        _ => {}
    }
    let status = |status: u16| unanswered.iter().any(|question| question.status == Some(status));
    let of_graph = unanswered.iter().any(|question| question.error.is_some());
    if status(403) && of_graph {
        "no-permission"
    } else if status(401) && of_graph {
        "refused"
    } else if status(429) || status(503) || status(504) {
        "throttled"
    } else if unanswered.iter().any(|question| question.status.is_some()) {
        "not-graph"
    } else {
        "not-reached"
    }
}

/// The permissions for an application that the refused questions want (Microsoft Graph reference, "List users", "List groups", "List servicePrincipals").
fn permission(unanswered: &[&GraphQuestion]) -> String {
    let refused = unanswered.iter().filter(|question| question.status == Some(403));
    let names = refused.map(|question| match question.collection.as_str() {
        "users" => "User.Read.All",
        "groups" => "GroupMember.Read.All",
        _ => "Application.Read.All",
    });
    let names: Vec<&str> = names.collect();
    if names.len() == 3 { "Directory.Read.All".to_owned() } else { names.join(" and ") }
}

fn observed(
    word: &str,
    lookup: &PrincipalLookup,
    row: &Row,
    observation: &Observation,
    unanswered: &[&GraphQuestion],
) -> String {
    let value = |name: &str| row.value(name).unwrap_or_default();
    let short = |id: &str| id.chars().take(8).collect::<String>();
    let (kind, name) = (value("directory_type"), value("directory_name"));
    match word {
        "found" => {
            let not = if unanswered.is_empty() {
                String::new()
            } else {
                format!("; not searched: {}", super::listed(unanswered.iter().map(|question| &question.collection)))
            };
            let id = short(value("directory_id"));
            format!("{kind}, object {id}…, for az --type {}{not}", value("administrator_type"))
        }
        "too-long" => format!("{} bytes; PostgreSQL cuts names after {LONGEST}", lookup.name.len()),
        "ambiguous" => format!("several bear this name: {}", value("directory_ids")),
        "not-found" => "nobody bears this name, in any spelling".to_owned(),
        "no-permission" => {
            format!("this credential may not read the directory: it lacks {} of Microsoft Graph", value("permission"))
        }
        "other-case" | "blanks" | "client-id" | "object-id" | "mail-of-guest" | "mail-of-user" | "name-of-user" => {
            format!("{}: the {kind} is called {name}", how(word))
        }
        _ => {
            let said = unanswered.iter().find_map(|question| {
                let status = question.status.map(|status| format!("HTTP {status}"));
                let after = question.retry_after.map(|seconds| format!("again after {seconds} s"));
                let parts = [status, question.error.clone(), question.description.clone(), after];
                let parts: Vec<String> = parts.into_iter().flatten().map(|part| super::plain(&part)).collect();
                (!parts.is_empty()).then(|| parts.join(", "))
            });
            said.or_else(|| observation.error.clone()).unwrap_or_else(|| word.replace('-', " "))
        }
    }
}

/// What the name is instead.
fn how(word: &str) -> &'static str {
    match word {
        "other-case" => "in another case",
        "blanks" => "with blanks around it",
        "client-id" => "a client id",
        "object-id" => "an object id",
        "mail-of-guest" | "mail-of-user" => "an e-mail address",
        _ => "a display name",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(name: &str, upn: &str, mail: &str) -> DirectoryObject {
        DirectoryObject {
            collection: "users".to_owned(),
            id: format!("id of {upn}"),
            display_name: Some(name.to_owned()),
            user_principal_name: Some(upn.to_owned()),
            mail: Some(mail.to_owned()),
            ..DirectoryObject::default()
        }
    }

    fn service(name: &str, id: &str) -> DirectoryObject {
        DirectoryObject {
            collection: "servicePrincipals".to_owned(),
            id: id.to_owned(),
            app_id: Some(format!("app of {id}")),
            display_name: Some(name.to_owned()),
            ..DirectoryObject::default()
        }
    }

    #[test]
    fn names_are_compared_as_the_server_will() {
        let all = [
            user("Inês", "ines@contoso.com", "Ines.D@contoso.com"),
            user("Ext", "x_gmail.com#EXT#@contoso.onmicrosoft.com", "x@gmail.com"),
            service("id-orders", "1"),
            service("twin", "2"),
            service("twin", "3"),
        ];
        let word = |name: &str| compare(name, &all).map(|(word, _)| word);
        for (name, expected) in [
            ("ines@contoso.com", Some("found")),
            ("Ines@contoso.com", Some("other-case")),
            (" ines@contoso.com", Some("blanks")),
            ("INÊS", Some("name-of-user")),
            ("ines.d@contoso.com", Some("mail-of-user")),
            ("x@gmail.com", Some("mail-of-guest")),
            ("X_gmail.com#ext#@contoso.onmicrosoft.com", Some("other-case")),
            ("id-orders", Some("found")),
            ("app of 1", Some("client-id")),
            ("1", Some("object-id")),
            ("twin", Some("ambiguous")),
            ("nobody", None),
        ] {
            assert_eq!(word(name), expected, "{name}");
        }
    }
}
