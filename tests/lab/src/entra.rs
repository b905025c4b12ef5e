//! The login host: OpenID discovery, keys and the token endpoint.

use std::sync::atomic::{AtomicU32, Ordering};

use fastrand::Rng;
use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::http::{Request, Response};
use crate::names::{Names, guid};
use crate::proof::Proof;
use crate::scenario::{self, EntraMode};
use crate::token;

/// An error of Entra: its number and its text.
#[derive(Clone, Debug)]
pub struct Aadsts {
    /// More than one where Entra counts a reason behind the reason; none is told where there is none.
    pub codes: Vec<u32>,
    pub text: String,
    /// The OAuth error that goes with it.
    pub error: String,
    /// 0: the one that goes with the error.
    pub status: u16,
}

impl Aadsts {
    fn new(code: u32, error: &str, text: &str) -> Aadsts {
        Aadsts { codes: vec![code], text: text.to_owned(), error: error.to_owned(), status: 0 }
    }
}

/// What the login host knows.
pub struct Entra {
    pub names: Names,
    /// What the token endpoint does instead of giving a token.
    pub wanted: scenario::Entra,
    /// What the application must prove itself with.
    pub proof: Proof,
    pub token: String,
    /// The one for Microsoft Graph.
    pub graph_token: String,
    /// How far the host's clock is off this machine's.
    pub date_offset: i64,
    pub asked: AtomicU32,
}

impl Entra {
    /// What becomes of this request before any answer.
    pub fn mode(&self, request: &Request) -> EntraMode {
        if request.method == "POST" && request.path().0.ends_with("/token") { self.wanted.mode } else { EntraMode::Ok }
    }

    pub fn answer(&self, request: &Request, rng: &mut Rng) -> Response {
        let (path, _) = request.path();
        let response = match (request.method.as_str(), path.split('/').skip(1).collect::<Vec<_>>().as_slice()) {
            ("GET", [tenant, "v2.0", ".well-known", "openid-configuration"]) => self.discovery(tenant, true, rng),
            ("GET", [tenant, ".well-known", "openid-configuration"]) => self.discovery(tenant, false, rng),
            ("GET", ["common", "discovery", "instance"]) => Response::json(200, &instance()),
            ("GET", [_, "discovery", "v2.0", "keys"] | [_, "discovery", "keys"]) => Response::json(200, &keys(rng)),
            ("POST", [tenant, "oauth2", "v2.0", "token"]) => self.token(tenant, request, rng),
            ("GET", [""]) => {
                Response::new(302, "text/html; charset=utf-8", "").with("Location", "https://www.office.com/login")
            }
            _ => Response::new(404, "text/html; charset=utf-8", ""),
        };
        response
            .with("Cache-Control", "max-age=86400, private")
            .with("Strict-Transport-Security", "max-age=31536000; includeSubDomains")
            .with("X-Content-Type-Options", "nosniff")
            .with("x-ms-request-id", &guid(rng))
            .with("x-ms-ests-server", "2.1.22302.4 - WEULR1 ProdSlices")
            .with("x-ms-srs", "1.P")
    }

    fn discovery(&self, tenant: &str, second: bool, rng: &mut Rng) -> Response {
        let cloud = self.names.cloud;
        let host = format!("https://{}", cloud.login);
        let id = match tenant {
            "common" | "organizations" | "consumers" => "{tenantid}".to_owned(),
            tenant if tenant == self.names.tenant || tenant == self.names.other_tenant || tenant.contains('.') => {
                tenant.to_owned()
            }
            unknown => {
                let text = format!(
                    "Tenant '{unknown}' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud."
                );
                return error(&Aadsts::new(90002, "invalid_tenant", &text), rng);
            }
        };
        let version = if second { "v2.0/" } else { "" };
        let issuer = if second { format!("{host}/{id}/v2.0") } else { format!("{}/{id}/", cloud.sts) };
        Response::json(
            200,
            &json!({
                "token_endpoint": format!("{host}/{tenant}/oauth2/{version}token"),
                "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt", "client_secret_basic"],
                "jwks_uri": format!("{host}/{tenant}/discovery/{version}keys"),
                "response_modes_supported": ["query", "fragment", "form_post"],
                "subject_types_supported": ["pairwise"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
                "scopes_supported": ["openid", "profile", "email", "offline_access"],
                "issuer": issuer,
                "request_uri_parameter_supported": false,
                "userinfo_endpoint": format!("https://{}/oidc/userinfo", cloud.graph),
                "authorization_endpoint": format!("{host}/{tenant}/oauth2/{version}authorize"),
                "device_authorization_endpoint": format!("{host}/{tenant}/oauth2/{version}devicecode"),
                "http_logout_supported": true,
                "frontchannel_logout_supported": true,
                "end_session_endpoint": format!("{host}/{tenant}/oauth2/{version}logout"),
                "tenant_region_scope": null,
                "cloud_instance_name": cloud.instance,
                "cloud_graph_host_name": "graph.windows.net",
                "msgraph_host": cloud.graph,
                "rbac_url": "https://pas.windows.net",
            }),
        )
    }

    fn token(&self, tenant: &str, request: &Request, rng: &mut Rng) -> Response {
        let form = String::from_utf8_lossy(&request.body).into_owned();
        if let Some(wrong) = self.refusal(tenant, |name| field(&form, name)) {
            return error(&wrong, rng);
        }
        // Only what is right in itself is refused at a story's wish.
        let asked = self.asked.fetch_add(1, Ordering::Relaxed);
        let wanted = &self.wanted;
        let proof = field(&form, "client_secret").or_else(|| field(&form, "client_assertion")).unwrap_or_default();
        if wanted.refuses() && (wanted.times == 0 || asked < wanted.times) {
            if !wanted.body.is_empty() {
                let kind = if wanted.body.trim_start().starts_with('<') { "text/html" } else { "application/json" };
                return Response::new(wanted.status.max(200), kind, wanted.body.clone());
            }
            let wrong = Aadsts {
                codes: wanted.codes.clone(),
                text: wanted.description.replace("{proof}", &proof),
                error: if wanted.error.is_empty() { "invalid_request".to_owned() } else { wanted.error.clone() },
                status: wanted.status,
            };
            return error(&wrong, rng).with("Retry-After", &wanted.retry_after);
        }
        let for_graph = field(&form, "scope") == Some(format!("https://{}/.default", self.names.cloud.graph));
        let token = if for_graph { &self.graph_token } else { &self.token };
        let token =
            json!({ "token_type": "Bearer", "expires_in": 3599, "ext_expires_in": 3599, "access_token": token });
        Response::json(200, &token).with("Pragma", "no-cache")
    }

    /// What is wrong with a token request of this application.
    fn refusal(&self, tenant: &str, field: impl Fn(&str) -> Option<String>) -> Option<Aadsts> {
        let names = &self.names;
        if field("grant_type").as_deref() != Some("client_credentials") {
            let text = "The request body must contain the following parameter: 'grant_type'.";
            return Some(Aadsts::new(900_144, "invalid_request", text));
        }
        if tenant != names.tenant && tenant != names.other_tenant {
            return Some(Aadsts::new(90002, "invalid_request", &format!("Tenant '{tenant}' not found.")));
        }
        if field("client_id").as_deref() != Some(&names.client_id) {
            let text = format!("Application with identifier was not found in the directory '{}'.", names.company);
            return Some(Aadsts::new(700_016, "unauthorized_client", &text));
        }
        let endpoint = format!("https://{}/{tenant}/oauth2/v2.0/token", names.cloud.login);
        let now = OffsetDateTime::now_utc().unix_timestamp() + self.date_offset;
        if let Some((code, text)) = self.proof.refuses(&field, names, &endpoint, now) {
            return Some(Aadsts::new(code, "invalid_client", text));
        }
        let scopes = [names.cloud.resource.to_owned(), format!("https://{}", names.cloud.graph)];
        if scopes.iter().all(|resource| field("scope") != Some(format!("{resource}/.default"))) {
            let text = "The provided value for scope is not valid. Client credential flows must have a scope value with /.default suffixed to the resource identifier.";
            return Some(Aadsts::new(1_002_012, "invalid_scope", text));
        }
        None
    }
}

/// The value of a form's field, decoded.
pub(crate) fn field(form: &str, name: &str) -> Option<String> {
    let value = form.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))?;
    let mut bytes = Vec::new();
    let mut rest = value.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => {
                let digits = [rest.next()?, rest.next()?];
                bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
            }
            byte => bytes.push(byte),
        }
    }
    String::from_utf8(bytes).ok()
}

/// An error in Entra's shape.
pub fn error(wrong: &Aadsts, rng: &mut Rng) -> Response {
    let now = OffsetDateTime::now_utc();
    let format = time::format_description::parse_borrowed::<2>("[year]-[month]-[day] [hour]:[minute]:[second]Z");
    let at = format.ok().and_then(|format| now.format(&format).ok()).unwrap_or_default();
    let (trace, correlation) = (guid(rng), guid(rng));
    let status = match wrong.status {
        0 if wrong.error == "invalid_client" => 401,
        0 => 400,
        status => status,
    };
    let number = wrong.codes.first().map(|code| format!("AADSTS{code}: ")).unwrap_or_default();
    Response::json(
        status,
        &json!({
            "error": wrong.error,
            "error_description": format!("{number}{} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {at}", wrong.text),
            "error_codes": wrong.codes,
            "timestamp": at,
            "trace_id": trace,
            "correlation_id": correlation,
            "error_uri": format!("https://login.microsoftonline.com/error?code={}", wrong.codes.first().unwrap_or(&0)),
        }),
    )
}

fn instance() -> Value {
    json!({
        "tenant_discovery_endpoint": "https://login.microsoftonline.com/common/v2.0/.well-known/openid-configuration",
        "api-version": "1.1",
        "metadata": [{ "preferred_network": "login.microsoftonline.com", "preferred_cache": "login.windows.net", "aliases": ["login.microsoftonline.com", "login.windows.net", "login.microsoft.com", "sts.windows.net"] }],
    })
}

fn keys(rng: &mut Rng) -> Value {
    let key = |rng: &mut Rng| {
        let id = token::random(rng, 20);
        json!({ "kty": "RSA", "use": "sig", "kid": id, "x5t": id, "n": token::random(rng, 256), "e": "AQAB", "cloud_instance_name": "microsoftonline.com" })
    };
    json!({ "keys": [key(rng), key(rng)] })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Scenario;

    fn answer(method: &str, target: &str, body: &str) -> (u16, Value) {
        let mut rng = Rng::with_seed(9);
        let names = crate::names::draw(&mut rng, &Scenario::healthy());
        let target = target.replace("{tenant}", &names.tenant);
        let body = body.replace("{client_id}", &names.client_id);
        let proof = Proof::Secret("s+1".to_owned());
        let entra = Entra {
            names,
            wanted: scenario::Entra::default(),
            proof,
            token: "t".to_owned(),
            graph_token: "g".to_owned(),
            date_offset: 0,
            asked: AtomicU32::new(0),
        };
        let request =
            Request { method: method.to_owned(), target, headers: Vec::new(), body: body.as_bytes().to_vec() };
        let response = entra.answer(&request, &mut rng);
        (response.status, serde_json::from_slice(&response.body).unwrap_or(Value::Null))
    }

    #[test]
    fn discovery_names_the_cloud() {
        let (status, body) = answer("GET", "/common/v2.0/.well-known/openid-configuration", "");
        assert_eq!((status, body["cloud_instance_name"].as_str()), (200, Some("microsoftonline.com")));
        assert_eq!(body["issuer"], "https://login.microsoftonline.com/{tenantid}/v2.0");
        let (status, body) =
            answer("GET", "/00000000-0000-4000-8000-000000000000/v2.0/.well-known/openid-configuration", "");
        assert_eq!((status, &body["error_codes"][0]), (400, &json!(90002)));
    }

    #[test]
    fn tokens_need_their_parameters() {
        let (status, body) =
            answer("POST", "/{tenant}/oauth2/v2.0/token", "grant_type=client_credentials&client_id={client_id}");
        assert_eq!((status, &body["error_codes"][0]), (401, &json!(7_000_218)));
        let body = "grant_type=client_credentials&client_id={client_id}&client_secret=s%2B1&scope=https%3A%2F%2Fossrdbms-aad.database.windows.net%2F.default";
        let (status, body) = answer("POST", "/{tenant}/oauth2/v2.0/token", body);
        assert_eq!((status, &body["access_token"]), (200, &json!("t")));
    }
}
