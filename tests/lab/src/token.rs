//! Access tokens as Entra issues them to PostgreSQL: version 1 claims, a signature of random bytes, unique in every run.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fastrand::Rng;
use serde_json::{Value, json};

use crate::cloud::Cloud;
use crate::names::Names;
use crate::scenario::{Form, Kind, Tenant, Token};

/// A token, and the text in which it is handed over.
#[derive(Clone, Debug)]
pub struct Made {
    /// The secret itself: what must not be shown or sent to others.
    pub secret: String,
    /// What stands in the file, the variable or the metadata service's answer.
    pub handed: String,
    pub expires: i64,
}

/// The audience that a scenario's word stands for.
pub fn audience(word: &str, cloud: &Cloud) -> Option<String> {
    Some(match word {
        "postgres" => cloud.resource.to_owned(),
        "postgres-slash" => format!("{}/", cloud.resource),
        "arm" => format!("{}/", cloud.arm),
        "graph" => format!("https://{}", cloud.graph),
        "cosmos" => "https://token.postgres.cosmos.azure.com".to_owned(),
        "other-cloud" => cloud.foreign_resource.to_owned(),
        "other" => "https://vault.azure.net".to_owned(),
        "missing" => return None,
        url => url.to_owned(),
    })
}

pub fn make(rng: &mut Rng, wanted: &Token, names: &Names, now: i64) -> Made {
    let expires = now + wanted.expires.0;
    if wanted.form == Form::Opaque {
        let secret = random(rng, 40);
        return Made { handed: secret.clone(), secret, expires };
    }
    let mut claims = claims(rng, wanted, names, now);
    // A managed identity's token stays below PgBouncer's old limit of 2048 bytes, a user's does not.
    let natural = match wanted.kind {
        Kind::App => rng.usize(20..120),
        Kind::User => rng.usize(450..1500),
    };
    claims["xms_ftd"] = json!(random(rng, natural));
    let mut secret = encode(rng, &claims);
    if wanted.size > 0 {
        // Base64url turns three bytes into four: pad the claim until the whole token has the wanted length.
        claims["xms_ftd"] = json!("");
        let bare = encode(rng, &claims).len();
        let padding = wanted.size.saturating_sub(bare) * 3 / 4;
        claims["xms_ftd"] = json!(text(rng, padding));
        secret = encode(rng, &claims);
    }
    let handed = match wanted.form {
        Form::Jwt | Form::Opaque => secret.clone(),
        Form::Quoted => format!("\"{secret}\""),
        Form::Bearer => format!("Bearer {secret}"),
        Form::Json => {
            format!("{{\"accessToken\": \"{secret}\", \"expires_on\": {expires}, \"tokenType\": \"Bearer\"}}")
        }
        Form::LineEnds => format!("\n{secret}\r\n\n"),
        Form::ControlCharacters => {
            let (head, tail) = secret.split_at(secret.len() / 2);
            format!("{head}\u{1b}[0m\u{7}{tail}")
        }
    };
    Made { secret, handed, expires }
}

fn claims(rng: &mut Rng, wanted: &Token, names: &Names, now: i64) -> Value {
    let tenant = match wanted.tenant {
        Tenant::Own => &names.tenant,
        Tenant::Other => &names.other_tenant,
    };
    let sts = names.cloud.sts;
    let begins = now + wanted.begins.0;
    let expires = now + wanted.expires.0;
    let mut claims = json!({
        "aud": audience(&wanted.audience, names.cloud),
        "iss": format!("{sts}/{tenant}/"),
        "iat": begins, "nbf": begins, "exp": expires,
        "aio": random(rng, 33),
    });
    let more = match wanted.kind {
        Kind::App => json!({
            "appid": names.client_id, "appidacr": "2", "idp": format!("{sts}/{tenant}/"), "idtyp": "app",
            "oid": names.object_id, "rh": random(rng, 30), "sub": names.object_id, "tid": tenant, "uti": random(rng, 16), "ver": "1.0", "xms_idrel": "7 20",
            "xms_mirid": format!("/subscriptions/{}/resourcegroups/{}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{}", names.subscription, names.resource_group, names.user),
        }),
        Kind::User => json!({
            "acr": "1", "amr": ["pwd", "mfa"], "appid": "04b07795-8ddb-461a-bbee-02f9e1bf7b46", "appidacr": "0",
            "family_name": "Holm", "given_name": "Lars", "idtyp": "user", "ipaddr": "198.51.100.7", "name": "Lars Holm",
            "oid": names.object_id, "puid": format!("10032{:011X}", rng.u64(..) >> 20), "rh": random(rng, 30), "scp": "user_impersonation", "sub": random(rng, 32),
            "tid": tenant, "unique_name": names.user, "upn": names.user, "uti": random(rng, 16), "ver": "1.0", "wids": ["b79fbf4d-3ef9-4689-8143-76b194e85509"], "xms_idrel": "1 18",
        }),
    };
    if let (Some(claims), Value::Object(more)) = (claims.as_object_mut(), more) {
        claims.extend(more);
        if wanted.guest {
            // A guest of the tenant, whose account is Microsoft's for private persons.
            claims.insert("unique_name".to_owned(), json!(format!("live.com#{}", names.user)));
            claims.remove("upn");
        }
        claims.retain(|_, value| !value.is_null());
    }
    claims
}

fn encode(rng: &mut Rng, claims: &Value) -> String {
    let header = json!({ "typ": "JWT", "alg": "RS256", "x5t": random(rng, 20), "kid": random(rng, 20) });
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signature = random(rng, 256);
    format!("{}.{}.{signature}", part(&header), part(claims))
}

/// So many random bytes, in base64url.
pub fn random(rng: &mut Rng, bytes: usize) -> String {
    let bytes: Vec<u8> = (0..bytes).map(|_| rng.u8(..)).collect();
    URL_SAFE_NO_PAD.encode(bytes)
}

fn text(rng: &mut Rng, length: usize) -> String {
    (0..length).map(|_| rng.alphanumeric()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Scenario, Span};

    fn token(change: impl FnOnce(&mut Token)) -> Made {
        let mut rng = Rng::with_seed(5);
        let names = crate::names::draw(&mut rng, &Scenario::healthy());
        let mut wanted = Token::default();
        change(&mut wanted);
        make(&mut rng, &wanted, &names, 1_800_000_000)
    }

    fn claims_of(token: &str) -> Value {
        let part = token.split('.').nth(1).expect("three parts");
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).expect("base64url")).expect("JSON")
    }

    #[test]
    fn claims_are_as_entra_writes_them() {
        let claims = claims_of(&token(|_| ()).secret);
        assert_eq!(claims["aud"], "https://ossrdbms-aad.database.windows.net");
        assert_eq!(claims["exp"].as_i64(), Some(1_800_086_400));
        assert_eq!(claims["oid"], claims["sub"]);
        let claims = claims_of(
            &token(|wanted| {
                (wanted.audience, wanted.kind, wanted.expires) = ("missing".to_owned(), Kind::User, Span(-60))
            })
            .secret,
        );
        assert!(claims.get("aud").is_none() && claims["idtyp"] == "user" && claims["upn"] == claims["unique_name"]);
    }

    #[test]
    fn sizes_are_kept() {
        let natural = token(|_| ()).secret.len();
        assert!((1400..2048).contains(&natural), "{natural}");
        let natural = token(|wanted| wanted.kind = Kind::User).secret.len();
        assert!((2100..4100).contains(&natural), "{natural}");
        for size in [2100, 4500, 66_000] {
            let made = token(|wanted| wanted.size = size).secret.len();
            assert!(made.abs_diff(size) < 5, "{made} for {size}");
        }
    }

    #[test]
    fn forms_hide_the_same_secret() {
        let made = token(|wanted| wanted.form = Form::Bearer);
        assert_eq!(made.handed, format!("Bearer {}", made.secret));
        assert!(!token(|wanted| wanted.form = Form::Opaque).secret.contains('.'));
    }
}
