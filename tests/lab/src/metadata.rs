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
            let response = self.answer(&request).with("Server", &self.wanted.server);
            if response.write(&mut stream, self.date_offset).await.is_err() {
                return;
            }
        }
        farewell(&mut stream).await;
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
            "/metadata/identity/oauth2/token" if query.contains("resource=") => self.token(query),
            "/metadata/instance" | "/metadata/identity/oauth2/token" => {
                refused("invalid_request", "Bad request. A required query parameter is missing")
            }
            _ => Response::json(404, &json!({ "error": "Not found" })),
        }
    }

    fn token(&self, query: &str) -> Response {
        let wanted = &self.wanted;
        let asked = self.asked.fetch_add(1, Ordering::Relaxed);
        let spoilt = wanted.status != 200 || !wanted.error.is_empty() || !wanted.body.is_empty();
        if spoilt && (wanted.times == 0 || asked < wanted.times) {
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
        let resource = query.split('&').find_map(|pair| pair.strip_prefix("resource=")).unwrap_or_default();
        let now = time::OffsetDateTime::now_utc().unix_timestamp();
        let left = (self.token.expires - now).to_string();
        Response::json(
            200,
            &json!({
                "access_token": self.token.handed,
                "client_id": self.names.client_id,
                "expires_in": left,
                "expires_on": self.token.expires.to_string(),
                "ext_expires_in": left,
                "not_before": (self.token.expires - 86_700).to_string(),
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
