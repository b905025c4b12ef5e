//! Secrets: a type that cannot be printed, cloned or serialised, and the redaction of every text that a peer sends back.

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

/// No token that a server takes is longer (PG_MAX_AUTH_TOKEN_LENGTH), and what a peer hands out must not fill the memory.
const LONGEST: usize = 65_535;
/// Of each nine places in a secret one is known, with eight bytes to both sides: one of these lies whole in any window.
const GRAM: usize = WINDOW / 2;
const STEP: usize = WINDOW - GRAM + 1;

/// Eight bytes of a secret, the bytes before them (the nearest first) and behind them, and how many of both there are.
type Known = [u8; 3 * GRAM + 2];

/// Knows the run's secrets by their 16-byte windows in the usual encodings, and blots them out of any text.
#[derive(Default)]
pub struct Redactor {
    /// In order, so that those with the same eight bytes stand together.
    known: Zeroizing<Vec<Known>>,
    short: Vec<Zeroizing<Vec<u8>>>,
}

impl Redactor {
    pub fn learn(&mut self, secret: &Secret) {
        let secret = secret.expose().as_bytes();
        for form in forms(&secret[..secret.len().min(LONGEST)]) {
            if form.len() < WINDOW {
                if form.len() >= 4 && !self.short.contains(&form) {
                    self.short.push(form);
                }
                continue;
            }
            self.known.extend((0..=form.len() - GRAM).step_by(STEP).map(|at| known(&form, at)));
        }
        self.known.sort_unstable();
        self.known.dedup();
    }

    /// How many bytes around these eight are a secret's, before and behind, if that makes a window.
    fn around(&self, bytes: &[u8], at: usize) -> Option<(usize, usize)> {
        let here = known(bytes, at);
        let gram = &here[..GRAM];
        let first = self.known.partition_point(|one| &one[..GRAM] < gram);
        let alike = self.known[first..].iter().take_while(|one| &one[..GRAM] == gram);
        let same = |one: &Known, side: usize| {
            let most = usize::from(one[3 * GRAM + side].min(here[3 * GRAM + side]));
            let begins = GRAM * (1 + side);
            (0..most).take_while(|place| one[begins + place] == here[begins + place]).count()
        };
        let found = alike.map(|one| (same(one, 0), same(one, 1)));
        let found = found.filter(|(before, behind)| before + GRAM + behind >= WINDOW);
        found.reduce(|one, other| (one.0.max(other.0), one.1.max(other.1)))
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
        if !self.known.is_empty() {
            for at in 0..(bytes.len() + 1).saturating_sub(GRAM) {
                if let Some((before, behind)) = self.around(bytes, at) {
                    hidden[at - before..at + GRAM + behind].fill(true);
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

/// The eight bytes at a place, with their neighbours.
fn known(bytes: &[u8], at: usize) -> Known {
    let mut known = [0; 3 * GRAM + 2];
    let behind = &bytes[at + GRAM..];
    let (before, behind) = (&bytes[at.saturating_sub(GRAM)..at], &behind[..behind.len().min(GRAM)]);
    known[..GRAM].copy_from_slice(&bytes[at..at + GRAM]);
    known[GRAM..].iter_mut().zip(before.iter().rev()).for_each(|(to, from)| *to = *from);
    known[2 * GRAM..].iter_mut().zip(behind).for_each(|(to, from)| *to = *from);
    known[3 * GRAM] = u8::try_from(before.len()).unwrap_or(0);
    known[3 * GRAM + 1] = u8::try_from(behind.len()).unwrap_or(0);
    known
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
    fn no_window_survives_wherever_a_piece_begins_and_ends() {
        let secret: String = ('0'..='z').filter(char::is_ascii_alphanumeric).collect();
        let repeated = format!("{}{secret}", "A".repeat(40));
        for secret in [secret, repeated] {
            let mut redactor = Redactor::default();
            redactor.learn(&Secret::new(secret.clone()));
            for from in 0..secret.len() - WINDOW {
                for to in from + WINDOW..=secret.len() {
                    let clean = redactor.clean(&format!("{}.", &secret[from..to]));
                    assert_eq!(clean, format!("{MASK}."), "{from} to {to}");
                }
                let short = &secret[from..from + WINDOW - 1];
                assert_eq!(redactor.clean(&format!("-{short}-")), format!("-{short}-"), "{from}");
            }
        }
    }

    #[test]
    fn a_huge_secret_takes_little_memory() {
        let mut redactor = Redactor::default();
        let secret: String =
            (0..1_000_000_u32).map(|n| char::from(b'a' + (n.wrapping_mul(2_654_435_761) >> 24) as u8 % 26)).collect();
        redactor.learn(&Secret::new(secret.clone()));
        assert!(redactor.known.len() * size_of::<Known>() < 4 << 20, "{}", redactor.known.len());
        assert_eq!(redactor.clean(&secret[60_000..60_100]), MASK);
    }

    #[test]
    fn blots_out_short_passwords_whole() {
        let mut redactor = Redactor::default();
        redactor.learn(&Secret::new("hunter2".to_owned()));
        assert_eq!(redactor.clean("user:hunter2@proxy"), "user:[redacted]@proxy");
    }
}
