//! Variables that are no text, spellings of one authority, and the standard stream by its name.

use serde_json::Value;

use super::{Led, SECRET, odd_files, with};
use crate::contract::{command, healthy};

/// What a pipe cannot be given to is not said to take one.
#[test]
fn only_options_that_read_standard_input_say_so() {
    let (world, directory) = (healthy(), odd_files());
    let led = Led::to(&world);
    for (option, stream) in [("--ca-file", false), ("--cloud", false), ("--token-file", true)] {
        let fifo = directory.path().join("fifo.toml").display().to_string();
        let output = with(&led, directory.path(), &[option, &fifo], &[]).output().expect("the program starts");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(said.contains("name `-`"), stream, "{option}: {said}");
    }
}

/// To take such a variable for unset would judge another machine than this one. Its bytes are not shown.
#[test]
fn a_variable_that_is_no_text_is_refused() {
    use std::os::unix::ffi::OsStrExt;
    let (world, directory) = (healthy(), odd_files());
    let led = Led::to(&world);
    let odd = std::ffi::OsStr::from_bytes(b"http://user:verysecretword@\xff:80");
    for name in ["HTTPS_PROXY", "no_proxy", "PGSSLMODE", "AZURE_CLIENT_SECRET", "IDENTITY_ENDPOINT", "AZURE_TENANT_ID"]
    {
        let output = with(&led, directory.path(), &[], &[]).env(name, odd).output().expect("the program starts");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{name}: {said}");
        assert!(said.contains(name) && said.contains("UTF-8") && !said.contains(SECRET), "{name}: {said}");
    }
    // Not a variable that decides anything: an ordinary password in another encoding is nobody's token.
    let output =
        with(&led, directory.path(), &["-q"], &[]).env("PGPASSWORD", odd).output().expect("the program starts");
    assert_eq!(output.status.code(), Some(0));
}

/// Both spellings of the one host that the SDKs take.
#[test]
fn an_authority_is_a_url_or_a_host() {
    let world = healthy();
    for authority in
        ["https://login.microsoftonline.com/", "login.microsoftonline.com", "HTTPS://LOGIN.microsoftonline.com:443"]
    {
        let output =
            command(&world, &["-q"]).env("AZURE_AUTHORITY_HOST", authority).output().expect("the program starts");
        assert_eq!(output.status.code(), Some(0), "{authority}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

/// As elsewhere, `-` is the standard stream and no file's name; a new report is its owner's, and an old one keeps its mode.
#[test]
fn where_a_report_goes() {
    use std::os::unix::fs::PermissionsExt;
    let world = healthy();
    let directory = tempfile::tempdir().expect("a directory");
    for more in [&["--format", "json=-"][..], &["--format", "json", "--output", "-"]] {
        let output = command(&world, more).current_dir(directory.path()).output().expect("the program starts");
        assert!(serde_json::from_slice::<Value>(&output.stdout).is_ok(), "{more:?}");
        assert!(!directory.path().join("-").exists(), "{more:?}");
    }
    let (new, old) = (directory.path().join("new"), directory.path().join("old"));
    std::fs::write(&old, "the last run").expect("a file");
    std::fs::set_permissions(&old, std::fs::Permissions::from_mode(0o640)).expect("a mode");
    for (path, mode) in [(&new, 0o600), (&old, 0o640)] {
        let output = command(&world, &["--output", &path.display().to_string()]).output().expect("the program starts");
        assert_eq!(output.status.code(), Some(0));
        assert_eq!(std::fs::metadata(path).expect("a report").permissions().mode() & 0o777, mode);
    }
}
