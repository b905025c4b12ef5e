//! The instance metadata service: who this VM is, and the managed identity's token.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};

use crate::http::{self, Request, Response, farewell, linger};
use crate::names::Names;
use crate::scenario::{Metadata, MetadataMode};
use crate::tap::{Ledger, Tap};
use crate::token::Made;

pub struct Service {
    pub wanted: Metadata,
    pub names: Names,
    pub token: Made,
    /// The one for Microsoft Graph.
    pub graph_token: Made,
    /// The header that App Service's endpoint asks for; with it there is no other endpoint.
    pub header: Option<String>,
    /// The key that Azure Arc's agent wants back.
    pub key: Option<String>,
    pub date_offset: i64,
    pub ledger: Ledger,
    pub asked: AtomicU32,
}

impl Service {
    pub async fn serve(self: Arc<Self>, listener: TcpListener) {
        loop {
            let Ok((stream, _)) = listener.accept().await else { continue };
            let _ = stream.set_nodelay(true);
            let service = self.clone();
            tokio::spawn(async move { service.converse(stream).await });
        }
    }

    async fn converse(&self, stream: TcpStream) {
        if self.wanted.mode == MetadataMode::Reset {
            let _ = stream.set_zero_linger();
        }
        let mut stream = Tap::new(stream, self.ledger.open("metadata"));
        let mut buffer = Vec::new();
        while let Some(request) = http::read(&mut stream, &mut buffer).await {
            match self.wanted.mode {
                MetadataMode::Reset => return,
                MetadataMode::Garbage => {
                    let _ = stream.write_all(b"\x15\x03\x01\x00\x02\x02\x46 this is not HTTP\r\n\r\n").await;
                    break;
                }
                _ => {}
            }
            if self.wanted.mode == MetadataMode::SilentToken && request.path().0.contains("/token") {
                return linger(&mut stream).await;
            }
            if self.wanted.mode == MetadataMode::Foreign {
                // As Amazon's service answers a path that it does not know.
                let page = Response::new(
                    404,
                    "text/html",
                    "<html><head><title>404 - Not Found</title></head><body><h1>404 - Not Found</h1></body></html>",
                );
                if page.with("Server", "EC2ws").write(&mut stream, self.date_offset).await.is_err() {
                    return;
                }
                continue;
            }
            let response = match &self.header {
                Some(header) => self.app_service(&request, header).with("Server", "Kestrel"),
                None => self.answer(&request).with("Server", &self.wanted.server),
            };
            let wait = if response.status == 200 { "" } else { &self.wanted.retry_after };
            let response = response.with("Retry-After", wait);
            if response.write(&mut stream, self.date_offset).await.is_err() {
                return;
            }
        }
        farewell(&mut stream).await;
    }

    /// App Service, Functions and Container Apps: an endpoint on the machine itself, and none of a VM's.
    fn app_service(&self, request: &Request, header: &str) -> Response {
        let (path, query) = request.path();
        let refused = |status: u16, message: &str| {
            let id = &self.names.object_id;
            Response::json(status, &json!({ "statusCode": status, "message": message, "correlationId": id }))
        };
        let of = |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
        if path != "/msi/token" {
            return refused(404, "Not Found");
        }
        if request.header("x-identity-header") != Some(header) {
            return refused(401, "The X-IDENTITY-HEADER does not match");
        }
        if of("api-version") != Some("2019-08-01") || of("resource").is_none_or(str::is_empty) {
            return refused(400, "Bad request");
        }
        if of("client_id").is_some_and(|id| id != self.names.client_id) {
            return refused(400, "No MSI found for specified ClientId/ResourceId.");
        }
        if self.spoilt() {
            if !self.wanted.body.is_empty() {
                return Response::new(self.wanted.status, "application/json", self.wanted.body.clone());
            }
            return refused(self.wanted.status, &self.wanted.description);
        }
        self.given(query)
    }

    fn answer(&self, request: &Request) -> Response {
        let (path, query) = request.path();
        let refused = |error: &str, description: &str| {
            Response::json(400, &json!({ "error": error, "error_description": description }))
        };
        if request.header("x-forwarded-for").is_some() {
            return refused("invalid_request", "Requests with an X-Forwarded-For header are not allowed");
        }
        if !request.header("metadata").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
            return refused("bad_request_102", "Required metadata header not specified");
        }
        match path.trim_end_matches('/') {
            "/metadata/instance" if query.contains("api-version=") => Response::json(200, &self.instance()),
            "/metadata/identity/oauth2/token" if query.contains("resource=") => {
                let proof = request.header("authorization").and_then(|proof| proof.strip_prefix("Basic "));
                if query.contains("api-version=2020-06-01") && (proof.is_none() || proof != self.key.as_deref()) {
                    return self.challenge();
                }
                self.token(query)
            }
            "/metadata/instance" | "/metadata/identity/oauth2/token" => {
                refused("invalid_request", "Bad request. A required query parameter is missing")
            }
            _ => Response::json(404, &json!({ "error": "Not found" })),
        }
    }

    /// Azure Arc: whoever asks must first read a file.
    fn challenge(&self) -> Response {
        let realm = &self.wanted.realm;
        let scheme = if realm.is_empty() { "Basic".to_owned() } else { format!("Basic realm={realm}") };
        Response::json(401, &json!({ "error": "unauthorized" })).with("WWW-Authenticate", &scheme)
    }

    fn token(&self, query: &str) -> Response {
        let of = |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
        let names = &self.names;
        if of("object_id").is_some_and(|id| id != names.object_id)
            || of("msi_res_id").is_some_and(|id| !id.ends_with(&names.user))
        {
            let description = "Identity not found";
            return Response::json(400, &json!({ "error": "invalid_request", "error_description": description }));
        }
        let wanted = &self.wanted;
        if self.spoilt() {
            if !wanted.body.is_empty() {
                let kind = if wanted.body.trim_start().starts_with('<') {
                    "text/html"
                } else {
                    "application/json; charset=utf-8"
                };
                return Response::new(wanted.status, kind, wanted.body.clone());
            }
            return Response::json(
                wanted.status,
                &json!({ "error": wanted.error, "error_description": wanted.description }),
            );
        }
        self.given(query)
    }

    /// Whether this question is answered as the story wants it, not as it should be.
    fn spoilt(&self) -> bool {
        let wanted = &self.wanted;
        let asked = self.asked.fetch_add(1, Ordering::Relaxed);
        let spoilt = wanted.status != 200 || !wanted.error.is_empty() || !wanted.body.is_empty();
        spoilt && (wanted.times == 0 || asked < wanted.times)
    }

    fn given(&self, query: &str) -> Response {
        let resource = query.split('&').find_map(|pair| pair.strip_prefix("resource=")).unwrap_or_default();
        let token = if resource.ends_with(self.names.cloud.graph) { &self.graph_token } else { &self.token };
        let now = time::OffsetDateTime::now_utc().unix_timestamp();
        let left = (token.expires - now).to_string();
        Response::json(
            200,
            &json!({
                "access_token": token.handed,
                "client_id": self.names.client_id,
                "expires_in": left,
                "expires_on": token.expires.to_string(),
                "ext_expires_in": left,
                "not_before": (token.expires - 86_700).to_string(),
                "resource": resource.replace("%3A", ":").replace("%3a", ":").replace("%2F", "/").replace("%2f", "/"),
                "token_type": "Bearer",
            }),
        )
    }

    fn instance(&self) -> serde_json::Value {
        let names = &self.names;
        let id = format!(
            "/subscriptions/{}/resourceGroups/{}/providers/Microsoft.Compute/virtualMachines/{}",
            names.subscription, names.resource_group, names.vm
        );
        let [a, b, c, _] = names.vm_address.octets();
        json!({
            "compute": {
                "azEnvironment": names.cloud.environment,
                "location": names.location,
                "name": names.vm,
                "offer": "0001-com-ubuntu-server-jammy",
                "osType": "Linux",
                "provider": "Microsoft.Compute",
                "resourceGroupName": names.resource_group,
                "resourceId": id,
                "subscriptionId": names.subscription,
                "tags": "",
                "vmId": names.object_id,
                "vmScaleSetName": "",
                "vmSize": "Standard_D2s_v5",
                "zone": "1",
            },
            "network": { "interface": [{
                "ipv4": { "ipAddress": [{ "privateIpAddress": names.vm_address, "publicIpAddress": "" }], "subnet": [{ "address": format!("{a}.{b}.{c}.0"), "prefix": "24" }] },
                "ipv6": { "ipAddress": [] },
                "macAddress": names.mac,
            }] },
        })
    }
}
