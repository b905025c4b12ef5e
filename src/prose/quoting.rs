//! Quoting: the same name is written otherwise in a shell, in PowerShell, in a libpq connection string, in its URI and in SQL.

/// One word of a POSIX shell.
pub fn shell(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:@%+,".contains(&byte);
    if !text.is_empty() && text.bytes().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// A string of PowerShell in which nothing is expanded. It takes typographic quotes for single ones too.
pub fn powershell(text: &str) -> String {
    let mut quoted = String::from("'");
    for letter in text.chars() {
        if matches!(letter, '\'' | '\u{2018}'..='\u{201b}') {
            quoted.push(letter);
        }
        quoted.push(letter);
    }
    quoted.push('\'');
    quoted
}

/// A value of a libpq connection string (PostgreSQL documentation, 34.1.1.1).
pub fn conninfo(text: &str) -> String {
    let plain = |letter: char| !letter.is_whitespace() && !matches!(letter, '\'' | '\\');
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\\', r"\\").replace('\'', r"\'"))
}

/// A part of a URI, percent-encoded (RFC 3986, 2.3: only the unreserved characters stand for themselves).
pub fn percent(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

/// A literal of SQL, whatever `standard_conforming_strings` says: as libpq's PQescapeLiteral writes it.
pub fn sql_literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    if text.contains('\\') { format!(" E'{}'", quoted.replace('\\', r"\\")) } else { format!("'{quoted}'") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_name_five_ways() {
        let name = r#"O'Hara "x" #1\$y"#;
        assert_eq!(shell(name), r#"'O'\''Hara "x" #1\$y'"#);
        assert_eq!(powershell(name), r#"'O''Hara "x" #1\$y'"#);
        assert_eq!(conninfo(name), r#"'O\'Hara "x" #1\\$y'"#);
        assert_eq!(percent(name), "O%27Hara%20%22x%22%20%231%5C%24y");
        assert_eq!(sql_literal(name), r#" E'O''Hara "x" #1\\$y'"#);
    }

    #[test]
    fn plain_names_stay_readable() {
        assert_eq!(shell("orders-api"), "orders-api");
        assert_eq!(conninfo("ines@contoso.com"), "ines@contoso.com");
        assert_eq!(percent("ines@contoso.com"), "ines%40contoso.com");
        assert_eq!(powershell("it\u{2019}s"), "'it\u{2019}\u{2019}s'");
        assert_eq!((shell(""), conninfo("")), ("''".to_owned(), "''".to_owned()));
        assert_eq!(percent("é"), "%C3%A9");
    }
}
