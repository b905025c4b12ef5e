//! A client assertion: a short-lived JWT, signed with the application's certificate (RFC 7523; PS256 as Entra documents it).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{RSA_PSS_SHA256, RsaKeyPair};
use rustls_pki_types::CertificateDer;

use super::SigningKey;
use crate::secret::Secret;

/// An assertion lives for so long, in seconds.
const LIFE: i64 = 600;

/// Why a certificate and a key cannot sign assertions: not RSA, or over.
pub(crate) fn unfit(certificate: &CertificateDer<'_>, key: &[u8]) -> Option<String> {
    use x509_parser::prelude::{FromDer, X509Certificate};
    if RsaKeyPair::from_pkcs8(key).is_err() {
        return Some("its private key is not an RSA key of at least 2048 bits".to_owned());
    }
    let Ok((_, parsed)) = X509Certificate::from_der(certificate) else {
        return Some("its certificate cannot be read".to_owned());
    };
    let end = parsed.validity().not_after;
    let over = end.timestamp() < time::OffsetDateTime::now_utc().unix_timestamp();
    over.then(|| {
        format!("its certificate expired on {}; upload a new one to the application", end.to_datetime().date())
    })
}

/// Signs an assertion for a token endpoint; `now` in seconds since 1970.
///
/// # Errors
/// When the key cannot sign.
pub(crate) fn signed(key: &SigningKey, client_id: &str, endpoint: &str, now: i64) -> Result<Secret, String> {
    let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let thumbprint = part(digest(&SHA256, &key.certificate).as_ref());
    let header = serde_json::json!({"alg": "PS256", "typ": "JWT", "x5t#S256": thumbprint});
    let random = SystemRandom::new();
    let mut id = [0; 16];
    random.fill(&mut id).map_err(|_| "this machine gives no random numbers".to_owned())?;
    let claims = serde_json::json!({
        "aud": endpoint, "iss": client_id, "sub": client_id, "jti": part(&id), "nbf": now - 60, "exp": now + LIFE,
    });
    let signed = format!("{}.{}", part(header.to_string().as_bytes()), part(claims.to_string().as_bytes()));
    let pair = RsaKeyPair::from_pkcs8(&key.key).map_err(|error| error.to_string())?;
    let mut signature = vec![0; pair.public().modulus_len()];
    pair.sign(&RSA_PSS_SHA256, &random, signed.as_bytes(), &mut signature)
        .map_err(|_| "the key refuses to sign".to_owned())?;
    Ok(Secret::new(format!("{signed}.{}", part(&signature))))
}
