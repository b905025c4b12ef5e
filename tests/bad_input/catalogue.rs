//! A user's own cause that is nearly right: refused with its file, its line and the choices.

use std::path::Path;

use crate::contract::bare;

const GOOD: &str = r#"title   = "When the lab is closed, {host} gets no answer"
mark    = "I"
when    = { "tcp.reach" = ["none"], "tcp.failure" = ["silent"], "run.vantage" = ["elsewhere"] }
refines = ["https/no-answer"]
because = ["No answer from {host}"]
means   = "It is so."
verify  = "entra-preflight"
sources = []

[[control]]
name = "nsg"
[[control]]
name = "route_table"

[[next]]
between = ["nsg", "route_table"]
text    = "Look."

[[remedy]]
control = "nsg"
owner   = "network"
title   = "Open it"

[[remedy]]
control = "route_table"
owner   = "network"
title   = "Lead it there"
"#;

/// What is changed in the good file, the line of the mistake, and what the sentence must name.
const CASES: &[(&str, &str, usize, &str)] = &[
    ("when    = {", "whem    = {", 3, "when"),
    ("\"tcp.reach\" = [\"none\"]", "\"tcp.reaches\" = [\"none\"]", 3, "tcp.reach"),
    ("[\"none\"]", "[\"nobody\"]", 3, "none"),
    ("[\"none\"]", "[]", 3, "tcp.reach"),
    (
        "when    = { \"tcp.reach\" = [\"none\"], \"tcp.failure\" = [\"silent\"], \"run.vantage\" = [\"elsewhere\"] }",
        "when    = {}",
        3,
        "when",
    ),
    ("[\"https/no-answer\"]", "[\"https/nobody\"]", 4, "https/nobody"),
    ("No answer from {host}", "No answer from {hots}", 5, "hots"),
    ("name = \"nsg\"", "name = \"nsgs\"", 11, "nsg"),
    ("between = [\"nsg\", \"route_table\"]", "between = [\"nsg\", \"dns\"]", 15, "dns"),
    ("[[next]]\nbetween = [\"nsg\", \"route_table\"]\ntext    = \"Look.\"\n", "", 10, "next"),
    ("control = \"route_table\"\nowner", "control = \"nsg\"\nowner", 13, "route_table"),
    ("owner   = \"network\"\ntitle   = \"Open", "owner   = \"netwrok\"\ntitle   = \"Open", 21, "network"),
    ("owner   = \"network\"\ntitle   = \"Lead", "owner   = \"\"\ntitle   = \"Lead", 26, "machine"),
    ("mark    = \"I\"", "mark    = \"I", 2, "string"),
];

fn written(directory: &Path, text: &str) -> String {
    let stage = directory.join("causes/https");
    std::fs::create_dir_all(&stage).expect("a directory");
    std::fs::write(stage.join("closed-lab.toml"), text).expect("a file");
    directory.display().to_string()
}

#[test]
fn a_cause_that_is_nearly_right_is_refused_with_its_line() {
    let directory = tempfile::tempdir().expect("a directory");
    let good = bare(&["list", "--checks", &written(directory.path(), GOOD)]);
    assert_eq!(good.status.code(), Some(0), "{}", String::from_utf8_lossy(&good.stderr));
    let mut wrong = Vec::new();
    for (from, to, line, named) in CASES {
        assert!(GOOD.contains(from), "{from}");
        let output = bare(&["list", "--checks", &written(directory.path(), &GOOD.replacen(from, to, 1))]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let place = format!("closed-lab.toml:{line}: ");
        if output.status.code() != Some(2) || !said.contains(&place) || !said.contains(named) {
            wrong.push(format!("{to:?}: {place} {named}: {said}"));
        }
    }
    // Without any remedy, or any control, the file is whole and says nothing.
    let (head, remedies) = GOOD.split_at(GOOD.find("[[remedy]]").expect("a remedy"));
    let (front, _) = head.split_at(head.find("[[control]]").expect("a control"));
    for (text, named) in [(head.to_owned(), "remedy"), (format!("{front}{remedies}"), "control")] {
        let output = bare(&["list", "--checks", &written(directory.path(), &text)]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        if output.status.code() != Some(2) || !said.contains("closed-lab.toml:") || !said.contains(named) {
            wrong.push(format!("without {named}: {said}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_was_meant_is_suggested() {
    for (asked, meant) in [
        ("https/no-anwser", "https/no-answer"),
        ("dns.lgoin", "dns.login"),
        ("token.expired", "token/expired"),
        ("Server.TLS", "server.tls"),
    ] {
        let output = bare(&["explain", asked]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{asked}");
        assert!(said.contains(&format!("near it are: {meant}")), "{asked}: {said}");
    }
}
