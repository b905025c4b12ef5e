//! How an application proves who it is: its secret, its certificate, or a federated token; and how the token endpoint checks it.

use std::io;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fastrand::Rng;
use ring::digest::{SHA256, digest};
use ring::signature::{RSA_PSS_2048_8192_SHA256, RsaKeyPair, UnparsedPublicKey};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use serde_json::{Value, json};

use crate::names::Names;
use crate::scenario::From;
use crate::token;

/// Entra tolerates clocks that are off by so many seconds.
const TOLERANCE: i64 = 300;

/// What the application was given, and what the token endpoint knows of it.
#[derive(Clone)]
pub enum Proof {
    None,
    Secret(String),
    Certificate(&'static Certificate),
    Federated(String),
}

impl Proof {
    /// # Errors
    /// When a certificate cannot be made.
    pub fn draw(rng: &mut Rng, from: From, names: &Names, now: i64) -> io::Result<Proof> {
        Ok(match from {
            // Secrets of old have characters that a form must encode.
            From::ClientSecret => Proof::Secret(format!("{}~.+{}/=", token::random(rng, 18), token::random(rng, 12))),
            From::ClientCertificate => Proof::Certificate(certificate().map_err(io::Error::other)?),
            From::WorkloadIdentity => Proof::Federated(federated(rng, names, now)),
            _ => Proof::None,
        })
    }

    /// What is wrong with the proof in a token request: the AADSTS code and its text.
    pub fn refuses(
        &self,
        field: impl Fn(&str) -> Option<String>,
        names: &Names,
        endpoint: &str,
        now: i64,
    ) -> Option<(u32, &'static str)> {
        let assertion = || {
            let kind = field("client_assertion_type");
            let kind = kind.is_some_and(|kind| kind == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
            field("client_assertion").filter(|_| kind)
        };
        match self {
            Proof::Secret(right) => match field("client_secret") {
                Some(secret) if secret == *right => None,
                Some(_) => Some((
                    7_000_215,
                    "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID.",
                )),
                None => Some((7_000_218, NO_PROOF)),
            },
            Proof::Certificate(certificate) => match assertion() {
                Some(assertion) => certificate.refuses(&assertion, &names.client_id, endpoint, now),
                None => Some((7_000_218, NO_PROOF)),
            },
            Proof::Federated(right) => match assertion() {
                Some(assertion) if assertion == *right => None,
                Some(_) => Some((70021, "No matching federated identity record found for presented assertion.")),
                None => Some((7_000_218, NO_PROOF)),
            },
            Proof::None if field("client_secret").is_none() && field("client_assertion").is_none() => {
                Some((7_000_218, NO_PROOF))
            }
            Proof::None => None,
        }
    }
}

const NO_PROOF: &str = "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.";

/// A federated token as a cluster writes it.
fn federated(rng: &mut Rng, names: &Names, now: i64) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let header = json!({ "alg": "RS256", "kid": token::random(rng, 32) });
    let claims = json!({
        "aud": ["api://AzureADTokenExchange"], "exp": now + 3600, "iat": now, "nbf": now,
        "iss": format!("https://{}.oic.prod-aks.azure.com/{}/", names.location, names.tenant),
        "sub": format!("system:serviceaccount:default:{}", names.user),
    });
    format!("{}.{}.{}", part(&header), part(&claims), token::random(rng, 256))
}

/// An RSA key and a certificate for it. One serves all worlds of a process: making it takes a while.
pub struct Certificate {
    /// Certificate and key, as the program's file has them.
    pub pem: String,
    key: RsaKeyPair,
    thumbprint: String,
}

impl Certificate {
    /// What is wrong with an assertion that this certificate should have signed.
    fn refuses(&self, assertion: &str, client_id: &str, endpoint: &str, now: i64) -> Option<(u32, &'static str)> {
        let malformed = Some((50027, "JWT token is invalid or malformed."));
        let mut parts = assertion.split('.').map(|part| URL_SAFE_NO_PAD.decode(part).unwrap_or_default());
        let (Some(header), Some(claims), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return malformed;
        };
        let (Ok(header), Ok(claims)) =
            (serde_json::from_slice::<Value>(&header), serde_json::from_slice::<Value>(&claims))
        else {
            return malformed;
        };
        let signed = assertion.rsplit_once('.').map_or("", |(signed, _)| signed);
        let public = UnparsedPublicKey::new(&RSA_PSS_2048_8192_SHA256, self.key.public());
        if header["alg"] != "PS256"
            || header["x5t#S256"] != self.thumbprint.as_str()
            || public.verify(signed.as_bytes(), &signature).is_err()
        {
            return Some((
                700_027,
                "The certificate with identifier used to sign the client assertion is not registered on application.",
            ));
        }
        if claims["aud"] != endpoint || claims["iss"] != client_id || claims["sub"] != client_id {
            return Some((700_023, "Client assertion audience claim does not match Realm issuer."));
        }
        let at = |name: &str| claims[name].as_i64();
        let in_time = at("nbf").is_some_and(|begins| begins <= now + TOLERANCE)
            && at("exp").is_some_and(|ends| ends > now - TOLERANCE && ends <= now + TOLERANCE + 24 * 3600);
        if !in_time {
            return Some((700_024, "Client assertion is not within its valid time range."));
        }
        if claims["jti"].as_str().is_none_or(|id| id.len() < 16) { malformed } else { None }
    }
}

fn certificate() -> Result<&'static Certificate, String> {
    static MADE: OnceLock<Result<Certificate, String>> = OnceLock::new();
    MADE.get_or_init(|| make().map_err(|error| format!("an RSA certificate takes openssl: {error}")))
        .as_ref()
        .map_err(Clone::clone)
}

fn make() -> Result<Certificate, String> {
    let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
    let at = |name: &str| dir.path().join(name);
    let (key, certificate) = (at("key.pem"), at("certificate.pem"));
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", "/CN=application"])
        .arg("-keyout")
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .output()
        .map_err(|error| error.to_string())?;
    if !made.status.success() {
        return Err(String::from_utf8_lossy(&made.stderr).into_owned());
    }
    let text = |path: &Path| std::fs::read_to_string(path).map_err(|error| error.to_string());
    let pem = format!("{}{}", text(&certificate)?, text(&key)?);
    let key = PrivatePkcs8KeyDer::from_pem_slice(pem.as_bytes()).map_err(|error| error.to_string())?;
    let key = RsaKeyPair::from_pkcs8(key.secret_pkcs8_der()).map_err(|error| error.to_string())?;
    let der = CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|error| error.to_string())?;
    let thumbprint = URL_SAFE_NO_PAD.encode(digest(&SHA256, &der));
    Ok(Certificate { pem, key, thumbprint })
}
