//! `--reported`: an error text from a file or standard input, made fit to be kept.

use std::io::Read;
use std::path::Path;

use super::file::open;
use crate::secret::masked;
use crate::target::{Invalid, Reported};

/// Longer than any error by far; a longer text is a log.
const LIMIT: u64 = 64 * 1024;

/// Reads the text; `-` is standard input.
///
/// # Errors
/// A sentence that names the file, the rule and the way out.
pub(super) fn read(path: &Path) -> Result<Reported, Invalid> {
    let shown =
        if path == Path::new("-") { "standard input".to_owned() } else { format!("the file {}", path.display()) };
    let mut bytes = zeroize::Zeroizing::new(Vec::new());
    let read = if path == Path::new("-") {
        std::io::stdin().lock().take(LIMIT + 1).read_to_end(&mut bytes)
    } else {
        open(path, "--reported")?.take(LIMIT + 1).read_to_end(&mut bytes)
    };
    read.map_err(|error| Invalid(format!("--reported: {shown} cannot be read: {error}")))?;
    let wrong = |rule: &str| Invalid(format!("--reported: {shown} {rule}"));
    if bytes.len() as u64 > LIMIT {
        return Err(wrong(&format!(
            "is larger than {LIMIT} bytes; hand in the part with the error, a few lines of it"
        )));
    }
    let text = zeroize::Zeroizing::new(decoded(&bytes).ok_or_else(|| {
        wrong("is not text; hand in what the portal or the command printed, in UTF-8 or as PowerShell writes it")
    })?);
    if text.trim().is_empty() {
        return Err(wrong("is empty; it must hold the error that the portal, a command line, Terraform or psql gave"));
    }
    Ok(Reported { bytes: bytes.len(), text: masked(text.trim()) })
}

/// The text of a file: UTF-8, or UTF-16 as Windows PowerShell redirects it. None if it is no text.
fn decoded(bytes: &[u8]) -> Option<String> {
    let units = |bytes: &[u8], unit: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = bytes.chunks_exact(2).map(|pair| unit([pair[0], pair[1]])).collect();
        String::from_utf16_lossy(&units)
    };
    let text = match bytes {
        [0xff, 0xfe, rest @ ..] => units(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => units(rest, u16::from_be_bytes),
        [0xef, 0xbb, 0xbf, rest @ ..] => String::from_utf8_lossy(rest).into_owned(),
        _ => String::from_utf8_lossy(bytes).into_owned(),
    };
    // An old code page costs some letters; what is no text at all has control characters or little else than lost bytes.
    let lost = text.chars().filter(|letter| *letter == '\u{fffd}').count();
    let odd =
        |letter: char| letter.is_control() && !matches!(letter, '\n' | '\r' | '\t' | '\x1b' | '\x07' | '\x08' | '\x0c');
    (!text.chars().any(odd) && lost * 8 <= text.chars().count()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::decoded;

    #[test]
    fn what_is_text() {
        assert_eq!(decoded(b"\xef\xbb\xbffailed").as_deref(), Some("failed"));
        assert_eq!(decoded(b"\xff\xfef\0a\0i\0l\0").as_deref(), Some("fail"));
        assert_eq!(decoded(b"\xfe\xff\0f\0a\0i\0l").as_deref(), Some("fail"));
        assert_eq!(
            decoded("FEHLER:  Passwort f\u{fc}r falsch".as_bytes()).as_deref(),
            Some("FEHLER:  Passwort für falsch")
        );
        assert!(decoded(b"FEHLER: Authentifizierung f\xfcr Benutzer fehlgeschlagen").is_some());
        assert!(decoded(b"\x7fELF\x02\x01\x01\0\0").is_none());
        assert!(decoded(&[0xff, 0xd8, 0xff, 0xe0, 0x9f, 0x92]).is_none());
    }
}
