//! graph.microsoft.com: without a token everything is 401, and that is its health.

use fastrand::Rng;
use serde_json::json;

use crate::http::{Request, Response};
use crate::names::guid;

pub fn answer(request: &Request, rng: &mut Rng) -> Response {
    let id = guid(rng);
    let message = if request.header("authorization").is_some() {
        "Access token validation failure."
    } else {
        "Access token is empty."
    };
    let body = json!({ "error": { "code": "InvalidAuthenticationToken", "message": message, "innerError": { "date": "2026-11-24T00:00:00", "request-id": id, "client-request-id": id } } });
    let diagnostic = format!(
        r#"{{"ServerInfo":{{"DataCenter":"West Europe","Slice":"E","Ring":"5","ScaleUnit":"003","RoleInstance":"AM4PEPF{:08X}"}}}}"#,
        rng.u32(..)
    );
    Response::new(401, "application/json", body.to_string())
        .with("WWW-Authenticate", r#"Bearer realm="", authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize", client_id="00000003-0000-0000-c000-000000000000""#)
        .with("request-id", &id)
        .with("client-request-id", &id)
        .with("x-ms-ags-diagnostic", &diagnostic)
        .with("Strict-Transport-Security", "max-age=31536000")
}
