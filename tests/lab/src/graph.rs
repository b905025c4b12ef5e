//! graph.microsoft.com: without a token everything is 401, and that is its health; with one, the collections of the directory by filter.

use std::collections::HashSet;
use std::sync::Mutex;

use fastrand::Rng;
use serde_json::{Value, json};

use crate::directory::Directory;
use crate::entra::field;
use crate::http::{Request, Response};
use crate::names::guid;
use crate::scenario::GraphMode;
use crate::tap::lock;

/// What Graph knows.
pub struct Graph {
    pub host: &'static str,
    pub token: String,
    pub directory: Directory,
    pub mode: GraphMode,
    /// The collections that were asked for.
    pub asked: Mutex<HashSet<String>>,
}

impl Graph {
    pub fn answer(&self, request: &Request, rng: &mut Rng) -> Response {
        let id = guid(rng);
        let diagnostic = format!(
            r#"{{"ServerInfo":{{"DataCenter":"West Europe","Slice":"E","Ring":"5","ScaleUnit":"003","RoleInstance":"AM4PEPF{:08X}"}}}}"#,
            rng.u32(..)
        );
        let response = match request.header("authorization") {
            None => error(401, "InvalidAuthenticationToken", "Access token is empty.", &id),
            Some(sent) if sent != format!("Bearer {}", self.token) => {
                error(401, "InvalidAuthenticationToken", "Access token validation failure. Invalid audience.", &id)
            }
            Some(_) => self.ask(request, &id),
        };
        response
            .with("request-id", &id)
            .with("client-request-id", &id)
            .with("x-ms-ags-diagnostic", &diagnostic)
            .with("Strict-Transport-Security", "max-age=31536000")
    }

    /// Whether the question is taken and never answered.
    pub fn is_silent(&self, request: &Request) -> bool {
        self.mode == GraphMode::Silent && request.header("authorization").is_some()
    }

    fn ask(&self, request: &Request, id: &str) -> Response {
        let (path, query) = request.path();
        let collection = path.strip_prefix("/v1.0/").unwrap_or_default();
        if request.method != "GET" || !["users", "groups", "servicePrincipals"].contains(&collection) {
            return error(404, "ResourceNotFound", "Resource could not be discovered.", id);
        }
        let first = lock(&self.asked).insert(collection.to_owned());
        let busy = || error(429, "TooManyRequests", "Too Many Requests", id);
        match self.mode {
            GraphMode::NoPermission => return denied(id),
            GraphMode::UsersOnly if collection != "users" => return denied(id),
            GraphMode::Unauthorized => {
                return error(
                    401,
                    "InvalidAuthenticationToken",
                    "Lifetime validation failed, the token is expired.",
                    id,
                );
            }
            GraphMode::Throttled => return busy().with("Retry-After", "120"),
            GraphMode::ThrottledOnce if first => return busy().with("Retry-After", "1"),
            GraphMode::Redirect => {
                return Response::new(302, "text/html", "").with("Location", "https://portal.example.net/login");
            }
            GraphMode::Html => return crate::pages::status(403, "Forbidden"),
            _ => {}
        }
        let Some(wanted) = field(query, "$filter") else {
            return error(400, "Request_UnsupportedQuery", "This lab lists nothing without a filter.", id);
        };
        let select = field(query, "$select").unwrap_or_default();
        let found = match self.found(collection, &wanted, &select) {
            Ok(found) => found,
            Err(text) => return error(400, "Request_UnsupportedQuery", &text, id),
        };
        let page: usize = field(query, "$skiptoken").and_then(|text| text.parse().ok()).unwrap_or(0);
        let context = format!("https://{}/v1.0/$metadata#{collection}({select})", self.host);
        let bare = request.target.split("&$skiptoken").next().unwrap_or_default();
        let next = |host: &str| format!("https://{host}{bare}&$skiptoken={}", page + 1);
        let body = match self.mode {
            GraphMode::Paged if page < 2 => {
                json!({ "@odata.context": context, "@odata.nextLink": next(self.host), "value": [] })
            }
            GraphMode::PagedElsewhere => {
                json!({ "@odata.context": context, "@odata.nextLink": next("graph.example.net"), "value": found })
            }
            _ => json!({ "@odata.context": context, "value": found }),
        };
        Response::new(
            200,
            "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8",
            body.to_string(),
        )
    }

    /// The objects that a filter of `property eq 'text'`, joined by `or`, lets through. Directory strings are compared without case.
    fn found(&self, collection: &str, filter: &str, select: &str) -> Result<Vec<Value>, String> {
        let known: &[&str] = match collection {
            "users" => &["id", "displayName", "userPrincipalName", "mail"],
            "groups" => &["id", "displayName"],
            _ => &["id", "displayName", "appId"],
        };
        let clauses = clauses(filter).ok_or_else(|| format!("Invalid filter clause: {filter}"))?;
        for (property, text) in &clauses {
            if !known.contains(&property.as_str()) {
                return Err(format!("Unsupported or invalid query filter clause specified for property '{property}'."));
            }
            let is_guid = text.len() == 36 && text.bytes().filter(|byte| *byte == b'-').count() == 4;
            if matches!(property.as_str(), "id" | "appId") && !is_guid {
                return Err(format!("Invalid value specified for property '{property}'."));
            }
        }
        let fits = |object: &Value| {
            clauses.iter().any(|(property, text)| {
                object[property].as_str().is_some_and(|value| value.to_lowercase() == text.to_lowercase())
            })
        };
        let selected = |object: &Value| -> Value {
            select.split(',').map(|name| (name.to_owned(), object[name].clone())).collect()
        };
        let objects = self.directory.objects.iter().filter(|(of, object)| *of == collection && fits(object));
        Ok(objects.map(|(_, object)| selected(object)).collect())
    }
}

/// `a eq 'x' or b eq 'y''z'`, read as OData does.
fn clauses(filter: &str) -> Option<Vec<(String, String)>> {
    let mut clauses = Vec::new();
    let mut rest = filter;
    loop {
        let (property, after) = rest.split_once(" eq '")?;
        let mut text = String::new();
        let mut letters = after.char_indices().peekable();
        let end = loop {
            match letters.next()? {
                (_, '\'') if letters.peek().is_some_and(|(_, next)| *next == '\'') => {
                    letters.next();
                    text.push('\'');
                }
                (end, '\'') => break end,
                (_, letter) => text.push(letter),
            }
        };
        clauses.push((property.to_owned(), text));
        rest = &after[end + 1..];
        if rest.is_empty() {
            return Some(clauses);
        }
        rest = rest.strip_prefix(" or ")?;
    }
}

fn denied(id: &str) -> Response {
    error(403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.", id)
}

fn error(status: u16, code: &str, message: &str, id: &str) -> Response {
    let body = json!({ "error": { "code": code, "message": message, "innerError": { "date": "2026-11-24T00:00:00", "request-id": id, "client-request-id": id } } });
    let response = Response::new(status, "application/json", body.to_string());
    if status == 401 {
        response.with("WWW-Authenticate", r#"Bearer realm="", authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize", client_id="00000003-0000-0000-c000-000000000000""#)
    } else {
        response
    }
}

#[cfg(test)]
mod tests {
    use super::clauses;

    #[test]
    fn filters_are_read_as_odata_writes_them() {
        let read = |filter: &str| {
            clauses(filter).map(|all| all.into_iter().map(|(a, b)| format!("{a}={b}")).collect::<Vec<_>>())
        };
        assert_eq!(read("a eq 'x' or b eq 'y''s or z'"), Some(vec!["a=x".to_owned(), "b=y's or z".to_owned()]));
        assert_eq!(read("a eq 'x' and b eq 'y'"), None);
        assert_eq!(read("a eq 'x"), None);
    }
}
