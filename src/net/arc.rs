//! Azure Arc's key file: a challenge names it, and who can read it proves to be on the machine. Only in the agent's own directory.

use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::secret::Secret;

/// Where the agent keeps its keys on Linux (Azure SDKs and MSAL take no other directory).
const DIRECTORY: &str = "/var/opt/azcmagent/tokens";
/// A larger key is none (the limit of the Azure SDKs and MSAL).
const KEY: u64 = 4096;

/// What came of a challenge: a word of [`crate::evidence::MetadataReply::challenge`], and what it named.
pub(crate) struct Refusal {
    pub(crate) word: &'static str,
    pub(crate) says: String,
}

/// The key that `WWW-Authenticate: Basic realm=FILE` names.
///
/// # Errors
/// When it names none, one that is not the agent's, one that is not there, or one that this user may not read: nothing is sent then.
pub(crate) fn key(challenge: Option<&str>) -> Result<Secret, Refusal> {
    read(challenge, Path::new(DIRECTORY))
}

fn read(challenge: Option<&str>, directory: &Path) -> Result<Secret, Refusal> {
    let missing = || Refusal { word: "missing", says: "the answer 401 names no key file".to_owned() };
    let file = challenge.and_then(realm).ok_or_else(missing)?;
    let path = PathBuf::from(&file);
    let foreign = |rule: &str| Refusal { word: "foreign", says: format!("the challenge names {file}, which {rule}") };
    // The text is compared, not what a path may resolve to: `..` and links lead out of the directory.
    if path.parent() != Some(directory) || path.extension().is_none_or(|extension| extension != "key") {
        return Err(foreign(&format!("is no .key file in {}", directory.display())));
    }
    // Who may not read and what is not there are mended by different people: only the kernel's EACCES is the former.
    let refused = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::PermissionDenied => Refusal { word: "unreadable", says: format!("{file}: {error}") },
        std::io::ErrorKind::InvalidData => foreign("is no text"),
        _ if error.raw_os_error() == Some(libc::ELOOP) => foreign("is a link"),
        _ => Refusal { word: "absent", says: format!("{file}: {error}") },
    };
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
    let opened = std::fs::File::options().read(true).custom_flags(flags).open(&path).map_err(refused)?;
    let about = opened.metadata().map_err(refused)?;
    if !about.is_file() || about.len() > KEY {
        return Err(foreign(&format!("is no file of at most {KEY} bytes")));
    }
    let mut text = zeroize::Zeroizing::new(String::new());
    opened.take(KEY).read_to_string(&mut text).map_err(refused)?;
    if text.trim().is_empty() {
        return Err(Refusal { word: "absent", says: format!("{file} is empty") });
    }
    Ok(Secret::new(text.trim().to_owned()))
}

/// The realm of a Basic challenge, with or without quotes.
fn realm(challenge: &str) -> Option<String> {
    let scheme = challenge.get(..6).filter(|scheme| scheme.eq_ignore_ascii_case("basic "))?;
    let parameter = challenge[scheme.len()..].trim();
    let (name, value) = parameter.split_once('=')?;
    let value = value.trim().trim_matches('"');
    (name.trim().eq_ignore_ascii_case("realm") && !value.is_empty()).then(|| value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_agents_own_keys_are_read() {
        let directory = tempfile::tempdir().expect("a directory");
        let at = |name: &str| directory.path().join(name);
        std::fs::write(at("good.key"), "s3cret-key\n").expect("a file");
        std::fs::write(at("large.key"), vec![b'x'; 5000]).expect("a file");
        std::fs::write(at("other.txt"), "x").expect("a file");
        std::os::unix::fs::symlink("/etc/passwd", at("link.key")).expect("a link");
        std::fs::write(at("empty.key"), "\n").expect("a file");
        std::fs::write(at("noise.key"), b"\xff\xfe\x00").expect("a file");
        std::fs::create_dir(at("dir.key")).expect("a directory");
        let word = |challenge: Option<&str>| match read(challenge, directory.path()) {
            Ok(key) => key.expose().to_owned(),
            Err(refusal) => refusal.word.to_owned(),
        };
        let basic = |path: &Path| format!("Basic realm={}", path.display());
        assert_eq!(word(Some(&basic(&at("good.key")))), "s3cret-key");
        assert_eq!(word(Some(&format!("Basic realm=\"{}\"", at("good.key").display()))), "s3cret-key");
        for (challenge, expected) in [
            (basic(&at("large.key")), "foreign"),
            (basic(&at("other.txt")), "foreign"),
            (basic(&at("dir.key")), "foreign"),
            (basic(&at("link.key")), "foreign"),
            (basic(&at("noise.key")), "foreign"),
            (basic(&at("gone.key")), "absent"),
            (basic(&at("empty.key")), "absent"),
            (basic(&at("../x.key")), "foreign"),
            (basic(Path::new("/etc/passwd")), "foreign"),
            ("Basic realm=".to_owned(), "missing"),
            ("Bearer realm=x".to_owned(), "missing"),
            ("Basic".to_owned(), "missing"),
            ("é".to_owned(), "missing"),
        ] {
            assert_eq!(word(Some(&challenge)), expected, "{challenge}");
        }
        assert_eq!(word(None), "missing");
    }
}
