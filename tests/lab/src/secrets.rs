//! Planted secrets, who may have them, and the search for them in whatever was said or sent.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

use crate::proof::Proof;

/// So many characters in a row of a secret are a leak: it catches "the first twenty characters".
const WINDOW: usize = 16;

/// A secret of one run.
#[derive(Clone, Debug)]
pub struct Secret {
    pub name: &'static str,
    pub text: String,
    /// The peers that may receive it.
    pub may: Vec<&'static str>,
    /// It may be received so often at most.
    pub times: usize,
}

impl Secret {
    /// What an application proves itself with: the login host may have it, once for each token (PostgreSQL's and Graph's) and once more when it is busy; a private key nobody.
    pub fn of_proof(proof: &Proof) -> Option<Secret> {
        let (name, text, may) = match proof {
            Proof::None => return None,
            Proof::Secret(text) => ("client secret", text.clone(), vec!["login"]),
            Proof::Federated(text) => ("federated token", text.clone(), vec!["login"]),
            Proof::Certificate(certificate) => {
                let key = certificate.pem.split("PRIVATE KEY-----").nth(1).unwrap_or_default();
                let text = key.lines().filter(|line| !line.starts_with('-')).collect();
                ("private key", text, Vec::new())
            }
        };
        Some(Secret { name, text, may, times: 4 })
    }

    /// What only the endpoint of a managed identity may see.
    pub fn of_endpoint(name: &'static str, text: String) -> Secret {
        Secret { name, text, may: vec!["metadata"], times: usize::MAX }
    }

    /// Where the secret shows in `bytes`: how it was written, without quoting it.
    pub fn found(&self, bytes: &[u8]) -> Option<&'static str> {
        found(&self.text, bytes)
    }

    /// Where it shows in what a peer received. Of a JWT only the signature counts: all JWTs say much the same before it, and a peer that must
    /// not have this one may well be sent another.
    fn sent(&self, bytes: &[u8]) -> Option<&'static str> {
        let signature = self.text.rsplit('.').next().filter(|_| self.text.starts_with("eyJ"));
        found(signature.unwrap_or(&self.text), bytes)
    }

    /// How often the whole secret occurs.
    pub fn count(&self, bytes: &[u8]) -> usize {
        let needle = self.text.as_bytes();
        if needle.is_empty() || bytes.len() < needle.len() {
            return 0;
        }
        bytes.windows(needle.len()).filter(|window| *window == needle).count()
    }
}

fn found(text: &str, bytes: &[u8]) -> Option<&'static str> {
    let hay = Windows::of(bytes);
    spellings(text).into_iter().find(|(_, spelling)| hay.share(spelling)).map(|(how, _)| how)
}

fn spellings(text: &str) -> Vec<(&'static str, Vec<u8>)> {
    let plain = text.as_bytes();
    let mut all = vec![("plain", plain.to_vec()), ("reversed", plain.iter().rev().copied().collect())];
    for start in 0..3 {
        // The two characters at each end depend on the neighbours: leave them out.
        let inner = |text: String| text.as_bytes().get(4..text.len().saturating_sub(4)).unwrap_or_default().to_vec();
        all.push(("base64", inner(STANDARD_NO_PAD.encode(&plain[start.min(plain.len())..]))));
        all.push(("base64url", inner(URL_SAFE_NO_PAD.encode(&plain[start.min(plain.len())..]))));
    }
    let hex: String = plain.iter().map(|byte| format!("{byte:02x}")).collect();
    all.push(("hex", hex.clone().into_bytes()));
    all.push(("hex", hex.to_ascii_uppercase().into_bytes()));
    all.push(("UTF-16", plain.iter().flat_map(|byte| [*byte, 0]).collect()));
    all
}

/// All windows of a text, for quick comparison.
struct Windows(std::collections::HashSet<[u8; WINDOW]>);

impl Windows {
    fn of(bytes: &[u8]) -> Windows {
        Windows(bytes.windows(WINDOW).filter_map(|window| window.try_into().ok()).collect())
    }

    fn share(&self, needle: &[u8]) -> bool {
        needle
            .windows(WINDOW)
            .any(|window| <[u8; WINDOW]>::try_from(window).is_ok_and(|window| self.0.contains(&window)))
    }
}

/// Every leak, as sentences: `said` is what the program printed or wrote, `received` what peers got.
pub fn leaks(secrets: &[Secret], said: &[(&str, &[u8])], received: &[(String, Vec<u8>)]) -> Vec<String> {
    let mut leaks = Vec::new();
    for secret in secrets {
        for (place, bytes) in said {
            if let Some(how) = secret.found(bytes) {
                leaks.push(format!("the {} is in {place} ({how})", secret.name));
            }
        }
        let mut times = 0;
        for (peer, bytes) in received {
            if secret.may.contains(&peer.as_str()) {
                times += secret.count(bytes);
            } else if let Some(how) = secret.sent(bytes) {
                leaks.push(format!("the {} was sent to {peer}, which must not have it ({how})", secret.name));
            }
        }
        if times > secret.times {
            leaks.push(format!("the {} was sent {times} times; {} is the limit", secret.name, secret.times));
        }
    }
    leaks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_is_found() {
        let secret = Secret {
            name: "token",
            text: "kJ8s-Vq0Zt_3xYpWn5Rb7LcMd1Fg9HhTe4Ua2".to_owned(),
            may: vec!["server"],
            times: 1,
        };
        for hidden in [
            "…kJ8s-Vq0Zt_3xYpWn…".to_owned(),
            STANDARD_NO_PAD.encode(format!("ab{}", secret.text)),
            secret.text.chars().rev().collect(),
            secret.text.bytes().map(|byte| format!("{byte:02x}")).collect(),
        ] {
            assert!(secret.found(hidden.as_bytes()).is_some(), "{hidden}");
        }
        assert!(secret.found(b"kJ8s-Vq0Zt_3xY and nothing more").is_none());
        let received = [
            ("server".to_owned(), format!("p{0} p{0}", secret.text).into_bytes()),
            ("login".to_owned(), secret.text.clone().into_bytes()),
        ];
        assert_eq!(leaks(&[secret], &[], &received).len(), 2);
    }
}
