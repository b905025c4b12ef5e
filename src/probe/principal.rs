//! The principal: a name looked up in Microsoft Graph, with a token of the run's own credential. Asked for with `--principal`; for
//! `--user` only when a sign-in failed in a way that the directory may explain.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::OnceCell;

use super::token::{self, Wanted};
use super::{Run, reach};
use crate::cloud::Cloud;
use crate::evidence::{Detail, DirectoryObject, GraphQuestion, PrincipalLookup};
use crate::failure::Outcome;
use crate::net::form::{Answer, Way};
use crate::net::graph::{self, GraphToken};
use crate::net::{Failed, quote};
use crate::rules::is_guid;
use crate::secret::Secret;
use crate::target::Source;
use crate::verb::{GRAPH, PRINCIPAL};

/// Pages of one question; a name that so many objects bear is ambiguous long before.
const PAGES: usize = 4;
/// More objects of one name are of no use to anybody.
const ENOUGH: usize = 20;
/// When Graph is busy and names no time.
const AGAIN: Duration = Duration::from_millis(500);

/// A collection of the directory: its name, the properties that a name may be found by, and what is read of it.
type Collection = (&'static str, &'static [&'static str], &'static str);

const USERS: Collection =
    ("users", &["userPrincipalName", "mail", "displayName"], "id,displayName,userPrincipalName,mail,userType");
const GROUPS: Collection = ("groups", &["displayName"], "id,displayName,securityEnabled");
const SERVICES: Collection = ("servicePrincipals", &["displayName"], "id,displayName,appId,servicePrincipalType");

pub(super) async fn run(run: Arc<Run>) {
    let bearer = OnceCell::new();
    let principal = async {
        if let Some(name) = &run.target.principal {
            lookup(&run, "principal", name, &bearer).await;
        }
    };
    let user = async {
        let Some(name) = run.target.user.as_ref().filter(|name| run.target.principal.as_ref() != Some(name)) else {
            return;
        };
        // Somebody else's token is for PostgreSQL: then nothing can be asked, and nobody asked for it.
        let can = !matches!(run.target.source, Source::Given(_) | Source::None);
        if can && run.doubted.wait().await == Some(true) {
            lookup(&run, "user", name, &bearer).await;
        }
    };
    tokio::join!(principal, user);
}

async fn lookup(run: &Run, asked: &str, name: &str, bearer: &OnceCell<Result<GraphToken, String>>) {
    let detail = PrincipalLookup { asked: asked.to_owned(), name: name.to_owned(), ..PrincipalLookup::default() };
    let mut pending = run.recorder.begin(PRINCIPAL, format!("Microsoft Graph about {name}"), Detail::Principal(detail));
    let token = match bearer.get_or_init(|| acquired(run)).await {
        Ok(token) => token,
        Err(why) => return pending.end(Outcome::Withheld, Some(why.clone())),
    };
    let host = &run.target.cloud.graph_host;
    let way = match reach::way(run, GRAPH, host, 443).await {
        Ok(way) => way,
        Err((outcome, error)) => return pending.end(outcome, error),
    };
    let ask = |collection: Collection| question(&way, token, collection, name, run.patience());
    let (users, groups, services) = tokio::join!(ask(USERS), ask(GROUPS), ask(SERVICES));
    let Detail::Principal(detail) = &mut pending.detail else { return };
    let mut failed: Option<Failed> = None;
    for (question, found, failure) in [users, groups, services] {
        detail.questions.push(question);
        detail.found.extend(found);
        failed = failed.or(failure);
    }
    let answered = detail.questions.iter().any(|question| question.status == Some(200));
    let (outcome, error) = match failed {
        Some((_, error)) if answered => (Outcome::Ok, error),
        Some(failed) => failed,
        None => (Outcome::Ok, None),
    };
    pending.end(outcome, error);
}

/// A token for Graph of the run's credential; else why there is none.
async fn acquired(run: &Run) -> Result<GraphToken, String> {
    match run.target.source {
        Source::Given(_) => return Err("the token that was handed in is for PostgreSQL, not for Graph".to_owned()),
        Source::None => return Err("no credential was asked for (--credential none)".to_owned()),
        _ => {}
    }
    let resource = format!("https://{}", run.target.cloud.graph_host);
    let (token, _) = token::acquired(run, &Wanted { subject: PRINCIPAL, resource: &resource }).await;
    let token = token.ok_or("this credential got no token for Microsoft Graph")?;
    // Whoever gave it may have given another: what is not for Graph does not go there.
    if !is_for_graph(&token, &run.target.cloud) {
        return Err("the token that came is not for Microsoft Graph, and was not sent".to_owned());
    }
    Ok(GraphToken::new(token))
}

fn is_for_graph(token: &Secret, cloud: &Cloud) -> bool {
    let bare = |text: &str| text.trim_end_matches('/').to_ascii_lowercase();
    let own = format!("https://{}", cloud.graph_host);
    let claims = token::payload(token.expose());
    let audience = claims.as_ref().and_then(|claims| claims.get("aud")?.as_str()).map(bare);
    audience.is_some_and(|audience| {
        bare(&own) == audience || cloud.known_resources.graph.iter().any(|known| bare(known) == audience)
    })
}

type Answered = (GraphQuestion, Vec<DirectoryObject>, Option<Failed>);

/// One collection, all pages; a busy Graph is asked once more, when it wants to be and patience lasts.
async fn question(
    way: &Way<'_>,
    token: &GraphToken,
    collection: Collection,
    name: &str,
    patience: Duration,
) -> Answered {
    let (collection, properties, select) = collection;
    let mut kept = GraphQuestion { collection: collection.to_owned(), ..GraphQuestion::default() };
    let mut found = Vec::new();
    let mut next = Some(graph::question(way.host, collection, &filter(collection, properties, name), select));
    let until = tokio::time::Instant::now() + patience;
    let mut waited = false;
    let mut pages = 0;
    while let Some(url) = next.take() {
        let left = until.saturating_duration_since(tokio::time::Instant::now());
        let answer = match graph::get(&url, way, token, left).await {
            Ok(answer) => answer,
            Err(failed) => {
                // What earlier pages said is not all: the question as a whole was not answered.
                kept.status = None;
                kept.outcome = Some(failed.0);
                return (kept, found, Some(failed));
            }
        };
        let pause = answer.retry_after.map_or(AGAIN, Duration::from_secs);
        let left = until.saturating_duration_since(tokio::time::Instant::now());
        if matches!(answer.status, 429 | 503 | 504) && !waited && pause < left / 2 {
            waited = true;
            tokio::time::sleep(pause).await;
            next = Some(url);
            continue;
        }
        pages += 1;
        next = match page(&mut kept, &mut found, way.host, &answer) {
            Ok(more) if pages == PAGES && more.is_some() => match unread(&mut kept, &found) {
                Some(failed) => return (kept, found, Some(failed)),
                None => None,
            },
            Ok(more) => more,
            Err(failed) => return (kept, found, Some(failed)),
        };
    }
    (kept, found, None)
}

/// One page of an answer: its objects, and where the next page is.
///
/// # Errors
/// Why it is none, or why it is not all.
pub(crate) fn page(
    kept: &mut GraphQuestion,
    found: &mut Vec<DirectoryObject>,
    host: &str,
    answer: &Answer,
) -> Result<Option<String>, Failed> {
    let body = answer.json();
    read(kept, answer, body.as_ref())?;
    let values = body.as_ref().and_then(|body| body.get("value")?.as_array());
    found.extend(values.into_iter().flatten().filter_map(|value| object(&kept.collection, value)));
    let Some(more) = body.as_ref().and_then(|body| body.get("@odata.nextLink")?.as_str()) else { return Ok(None) };
    // The token goes to Graph alone, wherever a link leads.
    if more.starts_with(&format!("https://{host}/v1.0/")) && found.len() < ENOUGH {
        return Ok(Some(more.to_owned()));
    }
    unread(kept, found).map_or(Ok(None), Err)
}

/// What is not read may hold the name: nothing found is then no answer.
fn unread(kept: &mut GraphQuestion, found: &[DirectoryObject]) -> Option<Failed> {
    found.is_empty().then(|| {
        kept.outcome = Some(Outcome::TooLarge);
        kept.description = Some("the answer goes on where it is not followed".to_owned());
        (Outcome::TooLarge, None)
    })
}

/// What an answer says of its question, and why it is none.
fn read(kept: &mut GraphQuestion, answer: &Answer, body: Option<&Value>) -> Result<(), Failed> {
    kept.status = Some(answer.status);
    kept.retry_after = answer.retry_after;
    let text = |pointer: &str| body.and_then(|body| body.pointer(pointer)?.as_str()).map(|text| quote(text.as_bytes()));
    kept.error = text("/error/code");
    kept.description = text("/error/message");
    kept.request_id = text("/error/innerError/request-id");
    let is_list = body.is_some_and(|body| body.get("value").is_some_and(Value::is_array));
    if answer.status == 200 && is_list {
        kept.outcome = Some(Outcome::Ok);
        return Ok(());
    }
    kept.outcome = Some(Outcome::Rejected);
    if kept.error.is_none() {
        kept.description = Some(quote(&answer.body)).filter(|text| !text.is_empty());
    }
    Err((Outcome::Rejected, Some(format!("HTTP {}", answer.status))))
}

/// All that the name may be: as it is written and without blanks around it; a GUID is perhaps an id.
fn filter(collection: &str, properties: &[&str], name: &str) -> String {
    let mut properties: Vec<&str> = match collection {
        // What has no @ is nobody's UPN and nobody's address.
        "users" if !name.contains('@') => vec!["displayName"],
        _ => properties.to_vec(),
    };
    let bare = name.trim();
    if is_guid(bare) {
        properties.push("id");
        if collection == "servicePrincipals" {
            properties.push("appId");
        }
    }
    let spellings = if bare == name { vec![name] } else { vec![name, bare] };
    // An id is no text: Graph refuses a filter whose id is not a GUID.
    let (ids, texts): (Vec<&str>, Vec<&str>) =
        properties.iter().partition(|property| matches!(**property, "id" | "appId"));
    let clauses = [graph::filter(&texts, &spellings), graph::filter(&ids, &[bare])];
    clauses.into_iter().filter(|clause| !clause.is_empty()).collect::<Vec<_>>().join(" or ")
}

fn object(collection: &str, value: &Value) -> Option<DirectoryObject> {
    let text = |name: &str| value.get(name).and_then(Value::as_str).map(|text| quote(text.as_bytes()));
    Some(DirectoryObject {
        collection: collection.to_owned(),
        id: text("id")?,
        display_name: text("displayName"),
        user_principal_name: text("userPrincipalName"),
        mail: text("mail"),
        user_type: text("userType"),
        app_id: text("appId"),
        service_principal_type: text("servicePrincipalType"),
        security_enabled: value.get("securityEnabled").and_then(Value::as_bool),
    })
}

#[cfg(test)]
mod tests {
    use super::filter;

    #[test]
    fn a_name_is_asked_for_by_all_that_it_may_be() {
        let id = "0b1e6a1e-7d0f-4c1e-9a55-1f2e3d4c5b6a";
        for (collection, name, expected) in [
            ("users", "ines", "displayName eq 'ines'".to_owned()),
            ("users", "a@b.c", "userPrincipalName eq 'a@b.c' or mail eq 'a@b.c' or displayName eq 'a@b.c'".to_owned()),
            ("groups", " dba ", "displayName eq ' dba ' or displayName eq 'dba'".to_owned()),
            ("servicePrincipals", id, format!("displayName eq '{id}' or id eq '{id}' or appId eq '{id}'")),
        ] {
            let properties: &[&str] = if collection == "users" { super::USERS.1 } else { &["displayName"] };
            assert_eq!(filter(collection, properties, name), expected);
        }
    }
}
