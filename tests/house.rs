//! The source itself: data flows one way, only `net` touches sockets, files are small, and secrets have no way to print.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const WORDS: [&str; 10] = ["cloud", "failure", "prose", "rules", "secret", "stage", "target", "terms", "verb", "words"];

/// What each room may know besides itself. Whoever needs more should ask whether it is in the right room.
fn may_know() -> BTreeMap<&'static str, Vec<&'static str>> {
    let with = |more: &[&'static str]| WORDS.iter().chain(more).copied().collect::<Vec<_>>();
    let mut table: BTreeMap<&str, Vec<&str>> = WORDS.iter().map(|room| (*room, with(&[]))).collect();
    // The environment's settings are told as evidence has them.
    table.insert("target", with(&["evidence"]));
    table.insert("evidence", with(&[]));
    table.insert("net", with(&["evidence"]));
    table.insert("probe", with(&["evidence", "net"]));
    table.insert("fact", with(&["evidence"]));
    table.insert("catalogue", with(&["fact"]));
    table.insert("diagnosis", with(&["evidence", "fact", "catalogue"]));
    table.insert("report", with(&["evidence", "fact", "catalogue", "diagnosis"]));
    table.insert("page", with(&["evidence", "fact", "catalogue", "diagnosis", "report"]));
    // Doors of the fuzz targets lead to whoever parses peers' bytes.
    table.insert("fuzzing", with(&["evidence", "net", "probe"]));
    table.insert("cli", with(&["evidence", "catalogue", "report", "page"]));
    table
}

fn sources() -> Vec<(PathBuf, String)> {
    fn collect(directory: &Path, found: &mut Vec<(PathBuf, String)>) {
        for entry in std::fs::read_dir(directory).expect("a directory of sources") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                collect(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).expect("a source");
                found.push((path, text));
            }
        }
    }
    let mut found = Vec::new();
    collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    found.sort();
    found
}

/// The room that a file belongs to: the module below the crate.
fn room(path: &Path) -> String {
    let inside = path.strip_prefix(Path::new(env!("CARGO_MANIFEST_DIR")).join("src")).expect("below src");
    let first = inside.components().next().expect("a name").as_os_str().to_string_lossy().into_owned();
    first.trim_end_matches(".rs").to_owned()
}

/// Source without its tests and comments.
fn code(text: &str) -> String {
    let text = text.split("#[cfg(test)]").next().unwrap_or_default();
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

#[test]
fn data_flows_one_way() {
    let table = may_know();
    let named = regex_lite::Regex::new(r"crate::([a-z_]+)").expect("a pattern");
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let room = room(&path);
        if room == "lib" || room == "main" {
            continue;
        }
        let allowed = table.get(room.as_str()).unwrap_or_else(|| panic!("{room} has no place in the house"));
        for found in named.captures_iter(&code(&text)) {
            let other = &found[1];
            if other != room && !allowed.contains(&other) {
                wrong.push(format!("{} knows {other}", path.display()));
            }
        }
    }
    wrong.sort();
    wrong.dedup();
    assert!(wrong.is_empty(), "arrows that run the wrong way:\n{}", wrong.join("\n"));
}

#[test]
fn only_net_and_the_door_touch_the_world() {
    let sockets = ["TcpStream", "UdpSocket", "TcpListener", "reqwest", "getaddrinfo", "lookup_host"];
    let looking = ["std::fs", "std::net::Tcp", "SystemTime", "Instant::now", "std::env", "now_utc"];
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let (room, code) = (room(&path), code(&text));
        for word in sockets.iter().filter(|word| code.contains(**word)) {
            // A probe names the stream that `net` gave it, and asks the system's resolver through `net`.
            let handed =
                room == "probe" && ["TcpStream", "getaddrinfo"].contains(word) && !code.contains("TcpStream::connect");
            // A fuzz target's peer is the other end of a socket pair, or a port of loopback.
            if room != "net"
                && room != "fuzzing"
                && !handed
                && !code.lines().filter(|line| line.contains(*word)).all(|line| line.contains('"'))
            {
                wrong.push(format!("{} uses {word}", path.display()));
            }
        }
        if ["fact", "diagnosis", "words", "prose", "terms"].contains(&room.as_str()) {
            wrong.extend(
                looking
                    .iter()
                    .filter(|word| code.contains(**word))
                    .map(|word| format!("{} uses {word}", path.display())),
            );
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn unsafe_lives_in_one_module() {
    let with: Vec<String> = sources()
        .iter()
        .filter(|(_, text)| code(text).contains("unsafe "))
        .map(|(path, _)| path.display().to_string())
        .collect();
    assert_eq!(with.len(), 1, "{with:?}");
    assert!(with[0].ends_with("net/host.rs"), "{with:?}");
}

/// Test builds switch on every feature of regex; the program's own build has Perl's classes and no other of Unicode.
#[test]
fn patterns_need_no_tables_that_the_program_lacks() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        if code(&text).contains(r"\p{") {
            wrong.push(path.display().to_string());
        }
    }
    for list in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("checks/words")).expect("word lists") {
        let path = list.expect("a word list").path();
        if std::fs::read_to_string(&path).expect("a word list").contains(r"\p{") {
            wrong.push(path.display().to_string());
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join(", "));
}

#[test]
fn files_are_rooms() {
    for (path, text) in sources() {
        assert!(text.lines().count() <= 500, "{} has {} lines", path.display(), text.lines().count());
        assert!(text.starts_with("//!"), "{} does not say what it is for", path.display());
    }
}

#[test]
fn a_secret_cannot_be_printed_or_copied() {
    let (_, text) = sources().into_iter().find(|(path, _)| path.ends_with("secret.rs")).expect("secret.rs");
    let declaration = text.find("pub struct Secret").expect("the type");
    let before = text[..declaration].lines().last().unwrap_or_default();
    assert!(!before.contains("derive"), "{before}");
    for banned in ["Debug for Secret", "Display for Secret", "Clone for Secret", "Serialize for Secret"] {
        assert!(!text.contains(banned), "{banned}");
    }
}
