//! Secrets: a type that cannot be printed, cloned or serialised, and the redaction of every text that a peer sends back.

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hasher};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

mod shapes;

pub use shapes::masked;

/// A token or password. It has no `Debug`, `Display`, `Clone` or `Serialize`, and is wiped when dropped.
pub struct Secret(Zeroizing<String>);

impl Secret {
    pub fn new(text: String) -> Secret {
        Secret(Zeroizing::new(text))
    }

    /// The secret itself: only for the writer that hands it to the peer that may have it.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Long enough that no ordinary text holds a window of a secret by chance, short enough that no useful piece survives.
const WINDOW: usize = 16;
const MASK: &str = "[redacted]";

/// A window as one number.
type Window = u128;

fn packed(window: &[u8]) -> Window {
    Window::from_ne_bytes(window.try_into().expect("windows() gives slices of its own size"))
}

/// Folds a window into a hash: a long token has a million windows, and nobody but the token's owner chooses them.
#[derive(Default)]
struct Folded(u64);

impl Hasher for Folded {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u128(u128::from(*byte));
        }
    }

    fn write_u128(&mut self, window: u128) {
        // Multiplying by an odd constant (2^64 over the golden ratio) spreads what differs over the upper bits, which the table uses too.
        let folded = (window >> 64) as u64 ^ (window as u64).rotate_left(29);
        self.0 = (self.0 ^ folded).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 ^= self.0 >> 32;
    }
}

/// Knows the run's secrets by their 16-byte windows in the usual encodings, and blots them out of any text.
#[derive(Default)]
pub struct Redactor {
    windows: HashSet<Window, BuildHasherDefault<Folded>>,
    short: Vec<Zeroizing<Vec<u8>>>,
}

impl Redactor {
    pub fn learn(&mut self, secret: &Secret) {
        for form in forms(secret.expose().as_bytes()) {
            if form.len() < WINDOW {
                if form.len() >= 4 && !self.short.contains(&form) {
                    self.short.push(form);
                }
                continue;
            }
            self.windows.reserve(form.len());
            for window in form.windows(WINDOW) {
                self.windows.insert(packed(window));
            }
        }
    }

    /// Blots out every secret: for texts that a peer wrote.
    pub fn clean(&self, text: &str) -> String {
        self.blot(text, &self.short)
    }

    /// Blots out long secrets only: a short password may be a word of our own, such as a host's.
    pub fn clean_long(&self, text: &str) -> String {
        self.blot(text, &[])
    }

    fn blot(&self, text: &str, short: &[Zeroizing<Vec<u8>>]) -> String {
        let bytes = text.as_bytes();
        let mut hidden = vec![false; bytes.len()];
        if !self.windows.is_empty() {
            for start in 0..bytes.len().saturating_sub(WINDOW - 1) {
                if self.windows.contains(&packed(&bytes[start..start + WINDOW])) {
                    hidden[start..start + WINDOW].fill(true);
                }
            }
        }
        for short in short {
            for start in 0..(bytes.len() + 1).saturating_sub(short.len()) {
                if bytes[start..].starts_with(short) {
                    hidden[start..start + short.len()].fill(true);
                }
            }
        }
        if !hidden.contains(&true) {
            return text.to_owned();
        }
        let mut kept: Vec<u8> = Vec::with_capacity(bytes.len());
        for (index, byte) in bytes.iter().enumerate() {
            if !hidden[index] {
                kept.push(*byte);
            } else if index == 0 || !hidden[index - 1] {
                kept.extend_from_slice(MASK.as_bytes());
            }
        }
        String::from_utf8_lossy(&kept).into_owned()
    }
}

fn forms(raw: &[u8]) -> Vec<Zeroizing<Vec<u8>>> {
    let mut forms = vec![Zeroizing::new(raw.to_vec())];
    for shift in 0..3 {
        let tail = raw.get(shift..).unwrap_or_default();
        forms.push(Zeroizing::new(STANDARD_NO_PAD.encode(tail).into_bytes()));
        forms.push(Zeroizing::new(URL_SAFE_NO_PAD.encode(tail).into_bytes()));
    }
    forms.push(Zeroizing::new(raw.iter().flat_map(|byte| format!("{byte:02x}").into_bytes()).collect()));
    forms.push(Zeroizing::new(raw.iter().flat_map(|byte| format!("{byte:02X}").into_bytes()).collect()));
    forms.push(Zeroizing::new(percent_encoded(raw)));
    forms.push(Zeroizing::new(raw.iter().rev().copied().collect()));
    forms
}

fn percent_encoded(raw: &[u8]) -> Vec<u8> {
    raw.iter()
        .flat_map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => vec![*byte],
            _ => format!("%{byte:02X}").into_bytes(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blots_out_windows_and_encodings() {
        let mut redactor = Redactor::default();
        let secret = "k9X-very_secret+token/with=stuff-0123456789";
        redactor.learn(&Secret::new(secret.to_owned()));
        for leak in [
            format!("FATAL: bad token {secret} for you"),
            format!("part: {}", &secret[5..25]),
            format!("b64: {}", base64::engine::general_purpose::STANDARD.encode(format!("x{secret}"))),
        ] {
            let clean = redactor.clean(&leak);
            assert!(clean.contains(MASK), "{clean}");
            assert!(
                !secret.as_bytes().windows(WINDOW).any(|w| clean.as_bytes().windows(WINDOW).any(|c| c == w)),
                "{clean}"
            );
        }
        assert_eq!(
            redactor.clean("an ordinary sentence about nothing in particular"),
            "an ordinary sentence about nothing in particular"
        );
    }

    #[test]
    fn blots_out_short_passwords_whole() {
        let mut redactor = Redactor::default();
        redactor.learn(&Secret::new("hunter2".to_owned()));
        assert_eq!(redactor.clean("user:hunter2@proxy"), "user:[redacted]@proxy");
    }
}
