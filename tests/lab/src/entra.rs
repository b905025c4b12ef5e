//! The login host: OpenID discovery, keys and the token endpoint.

use fastrand::Rng;
use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::http::{Request, Response};
use crate::names::{Names, guid};
use crate::token;

/// An error of Entra: its number and its text.
#[derive(Clone, Debug)]
pub struct Aadsts {
    pub code: u32,
    pub text: String,
    /// The OAuth error that goes with it.
    pub error: &'static str,
}

/// What the login host knows.
#[derive(Clone, Debug)]
pub struct Entra {
    pub names: Names,
    /// What the token endpoint says instead of a token.
    pub error: Option<Aadsts>,
    pub token: String,
}

impl Entra {
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
                return error(&Aadsts { code: 90002, text, error: "invalid_tenant" }, rng);
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
        if let Some(wrong) = &self.error {
            return error(wrong, rng);
        }
        let form = String::from_utf8_lossy(&request.body).into_owned();
        let has = |key: &str| form.split('&').any(|pair| pair.split('=').next() == Some(key));
        let oops = |code, error, text: &str| Aadsts { code, text: text.to_owned(), error };
        let wrong = if !has("grant_type") {
            Some(oops(
                900_144,
                "invalid_request",
                "The request body must contain the following parameter: 'grant_type'.",
            ))
        } else if tenant != self.names.tenant && tenant != self.names.other_tenant {
            Some(oops(90002, "invalid_request", &format!("Tenant '{tenant}' not found.")))
        } else if !has("client_secret") && !has("client_assertion") {
            Some(oops(
                7_000_218,
                "invalid_client",
                "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.",
            ))
        } else if !form.contains("%2F.default") && !form.contains("/.default") {
            Some(oops(
                1_002_012,
                "invalid_scope",
                "The provided value for scope is not valid. Client credential flows must have a scope value with /.default suffixed to the resource identifier.",
            ))
        } else {
            None
        };
        match wrong {
            Some(wrong) => error(&wrong, rng),
            None => Response::json(200, &json!({ "token_type": "Bearer", "expires_in": 3599, "ext_expires_in": 3599, "access_token": self.token })).with("Pragma", "no-cache"),
        }
    }
}

/// An error in Entra's shape.
pub fn error(wrong: &Aadsts, rng: &mut Rng) -> Response {
    let now = OffsetDateTime::now_utc();
    let format = time::format_description::parse_borrowed::<2>("[year]-[month]-[day] [hour]:[minute]:[second]Z");
    let at = format.ok().and_then(|format| now.format(&format).ok()).unwrap_or_default();
    let (trace, correlation) = (guid(rng), guid(rng));
    let status = if wrong.error == "invalid_client" { 401 } else { 400 };
    Response::json(
        status,
        &json!({
            "error": wrong.error,
            "error_description": format!("AADSTS{}: {} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {at}", wrong.code, wrong.text),
            "error_codes": [wrong.code],
            "timestamp": at,
            "trace_id": trace,
            "correlation_id": correlation,
            "error_uri": format!("https://login.microsoftonline.com/error?code={}", wrong.code),
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
        let entra = Entra { names, error: None, token: "t".to_owned() };
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
        let (status, body) = answer("POST", "/{tenant}/oauth2/v2.0/token", "grant_type=client_credentials&client_id=x");
        assert_eq!((status, &body["error_codes"][0]), (401, &json!(7_000_218)));
        let body = "grant_type=client_credentials&client_secret=s&scope=https%3A%2F%2Fossrdbms-aad.database.windows.net%2F.default";
        let (status, body) = answer("POST", "/{tenant}/oauth2/v2.0/token", body);
        assert_eq!((status, &body["access_token"]), (200, &json!("t")));
    }
}
