//! Secrets that nobody told us: known by their shape in a text that a user hands in.

use std::sync::OnceLock;

use regex::{Captures, Regex};

use super::MASK;

/// Names under which secrets stand in connection strings, JSON, forms and environments.
const NAMES: &str = "[a-z_-]*(?:password|passwd|pwd|client[_-]?secret|app[_-]?secret|secret[_-]?(?:value|text)|access[_-]?token|refresh[_-]?token|id[_-]?token\
    |auth[_-]?token|client[_-]?assertion|assertion|account[_-]?key|access[_-]?key|shared[_-]?key|api[_-]?key|private[_-]?key|sas[_-]?token|cookie)";

/// Each pattern with what takes its place; `$1` is what may stay.
fn patterns() -> &'static [(Regex, &'static str)] {
    static PATTERNS: OnceLock<Vec<(Regex, &'static str)>> = OnceLock::new();
    PATTERNS.get_or_init(|| {
        let option = format!(r#"(?i)(--(?:{NAMES}|sas)(?:\s+|=))(?:'[^']*'|"[^"]*"|\S+)"#);
        let named = format!(
            r#"(?i)\b({NAMES}\\*["']?\s*(?:=>|[:=])\s*)(?:\\+"[^"]*"?|"(?:[^"\\]|\\.)*"?|'(?:[^'\\]|\\.)*'?|[^\s"',;&}}]+)"#
        );
        let rows = [
            (r"(?s)(-----BEGIN [A-Z ]*PRIVATE KEY-----).*?(?:-----END [A-Z ]*PRIVATE KEY-----|\z)", "$1[redacted]"),
            // A JWT, also one that is cut, or broken into lines by a terminal.
            (r"eyJ[A-Za-z0-9_-]{6,}[A-Za-z0-9_.-]*(?:\r?\n[ \t│|]*[A-Za-z0-9_.-]{16,})*", "[redacted]"),
            (r#"(?i)(authorization\\*['"]?\s*[:=]\s*\\*['"]?(?:[a-z]+[ \t]+)?)[^\s'",;]+"#, "$1[redacted]"),
            (r"(?i)\b(bearer\s+)[a-z0-9._~+/=-]{8,}", "$1[redacted]"),
            // user:password@ of an address: to the last @ before a blank, for a password may hold one.
            (r#"(?i)\b([a-z][a-z0-9+.-]*://[^\s:/@'"]*:)[^\s'"]+@"#, "$1[redacted]@"),
            // Key=Value;Key=Value: the value ends at the semicolon and may hold blanks.
            (r#"(?i)\b((?:password|pwd)\s*=\s*)[^;"'\n]+;"#, "$1[redacted];"),
            (&option, "$1[redacted]"),
            (r#"(?i)(\baz\s+login\b[^\n]*?\s-p(?:\s+|=))(?:'[^']*'|"[^"]*"|\S+)"#, "$1[redacted]"),
            (&named, "$1[redacted]"),
            (r#"(?i)([?&]sig=)[^\s&'"]+"#, "$1[redacted]"),
            // The form of an Entra client secret.
            (r"[A-Za-z0-9_~.-]{3}[0-9]Q~[A-Za-z0-9_~.-]{20,}", "[redacted]"),
        ];
        rows.map(|(pattern, mask)| (Regex::new(pattern).expect("a pattern of our own"), mask)).into()
    })
}

/// The text without what has the shape of a secret.
pub fn masked(text: &str) -> String {
    let mut text = text.to_owned();
    for (pattern, mask) in patterns() {
        if pattern.is_match(&text) {
            text = pattern.replace_all(&text, *mask).into_owned();
        }
    }
    static LONG: OnceLock<Regex> = OnceLock::new();
    let long = LONG.get_or_init(|| Regex::new("[A-Za-z0-9_+=-]{40,}").expect("a pattern of our own"));
    let key = |found: &Captures<'_>| {
        // A name has words; what mixes both cases with digits at this length is a key, or a piece of a token.
        let has = |of: fn(&u8) -> bool| found[0].as_bytes().iter().any(of);
        let random = has(u8::is_ascii_digit) && has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase);
        if random { MASK.to_owned() } else { found[0].to_owned() }
    };
    long.replace_all(&text, key).into_owned()
}

#[cfg(test)]
mod tests {
    use super::masked;

    #[test]
    fn secrets_are_known_by_their_shape() {
        let jwt =
            "eyJ0eXAiOiJKV1QiLCJhbGciOiJSUzI1NiJ9.eyJhdWQiOiJodHRwczovL29zc3JkYm1z.c2lnbmF0dXJlLW9mLXRoZS10b2tlbg";
        for (text, kept) in [
            (format!("token {jwt} was refused"), "token [redacted] was refused"),
            (format!("token {}\n│ {} end", &jwt[..50], &jwt[50..]), "token [redacted] end"),
            ("postgresql://app:hunter2@db.example/postgres".into(), "postgresql://app:[redacted]@db.example/postgres"),
            ("http://u:p@ss@proxy:3128 said 407".into(), "http://u:[redacted]@proxy:3128 said 407"),
            ("host=db password=hunter2 user=app".into(), "host=db password=[redacted] user=app"),
            ("host=db password='hun ter2' user=app".into(), "host=db password=[redacted] user=app"),
            ("Host=db;Password=correct horse;Username=a".into(), "Host=db;Password=[redacted];Username=a"),
            (
                r#"{"client_secret": "hunter2", "tenant": "x"}"#.into(),
                r#"{"client_secret": [redacted], "tenant": "x"}"#,
            ),
            (r#"{\"clientSecret\":\"hunter2\",\"x\":1}"#.into(), r#"{\"clientSecret\":[redacted],\"x\":1}"#),
            (r#"\\\"client_secret\\\":\\\"hunter2\\\""#.into(), r#"\\\"client_secret\\\":[redacted]"#),
            ("client_id=a&client_secret=hunter2&scope=b".into(), "client_id=a&client_secret=[redacted]&scope=b"),
            ("Authorization: Basic aHVudGVyMg==".into(), "Authorization: Basic [redacted]"),
            ("'Authorization': 'Bearer hunter2hunter2'".into(), "'Authorization': 'Bearer [redacted]'"),
            ("PGPASSWORD=hunter2 psql".into(), "PGPASSWORD=[redacted] psql"),
            ("az login -u a -p hunter2 --tenant t".into(), "az login -u a -p [redacted] --tenant t"),
            ("az login --password hunter2".into(), "az login --password [redacted]"),
            ("the secret abc8Q~Zm9vYmFyYmF6cXV4cXV1eDEyMzQ1Njc4 is wrong".into(), "the secret [redacted] is wrong"),
            (
                "-----BEGIN PRIVATE KEY-----\nabc\n-----END PRIVATE KEY-----\nend".into(),
                "-----BEGIN PRIVATE KEY-----[redacted]\nend",
            ),
        ] {
            assert_eq!(masked(&text), kept);
        }
    }

    #[test]
    fn errors_stay_readable() {
        for text in [
            "FATAL:  password authentication failed for user \"orders-api\"",
            "(AadAuthOperationCannotBePerformedWhenServerIsNotAccessible) The server 'x' is not in an accessible state",
            "AADSTS7000215: Invalid client secret provided. Trace ID: 0a1b2c3d-0000-4000-8000-000000000001",
            "/subscriptions/0a1b2c3d-0000-4000-8000-000000000001/resourceGroups/rg-Orders-1/providers/Microsoft.DBforPostgreSQL/flexibleServers/db",
            "could not translate host name \"orders-db.postgres.database.azure.com\" to address: Name or service not known",
            "psql -h db -p 5432: connection refused",
        ] {
            assert_eq!(masked(text), text);
        }
    }
}
