//! A select list, read loosely: one value for each column that a preflight may ask for.

/// Who is signed in where.
pub struct Session<'a> {
    pub user: &'a str,
    pub database: &'a str,
    pub tls: bool,
}

const VERSION: &str = "16.9";

/// The row that answers a query; `None` when it is no select.
pub fn row(query: &str, session: &Session<'_>) -> Option<Vec<Option<String>>> {
    let text = query.trim().trim_end_matches(';').trim();
    let word = text.get(..4)?.to_ascii_lowercase();
    if word == "show" {
        return Some(vec![value(&text[4..], session)]);
    }
    let list = text.get(6..).filter(|_| text[..6].eq_ignore_ascii_case("select"))?;
    let end = outside(list, |rest| rest.get(..6).is_some_and(|word| word.eq_ignore_ascii_case(" from ")))
        .unwrap_or(list.len());
    let (list, rest) = list.split_at(end);
    let from_ssl = rest.to_ascii_lowercase().contains("pg_stat_ssl");
    let mut columns = Vec::new();
    let mut left = list;
    while let Some(comma) = outside(left, |rest| rest.starts_with(',')) {
        columns.push(&left[..comma]);
        left = &left[comma + 1..];
    }
    columns.push(left);
    Some(
        columns
            .into_iter()
            .map(|column| {
                if from_ssl {
                    of_tls(column, session).or_else(|| value(column, session))
                } else {
                    value(column, session)
                }
            })
            .collect(),
    )
}

/// The first place outside parentheses and quotes where `found` holds.
fn outside(text: &str, found: impl Fn(&str) -> bool) -> Option<usize> {
    let mut depth = 0_u32;
    let mut quoted = false;
    for (place, letter) in text.char_indices() {
        match letter {
            '\'' => quoted = !quoted,
            '(' if !quoted => depth += 1,
            ')' if !quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 && !quoted && found(&text[place..]) {
            return Some(place);
        }
    }
    None
}

fn value(column: &str, session: &Session<'_>) -> Option<String> {
    let column = column.to_ascii_lowercase();
    let has = |word: &str| column.contains(word);
    let plain = |text: &str| Some(text.to_owned());
    if has("pg_stat_ssl") {
        return of_tls(&column, session);
    }
    if has("pg_has_role") || has("pg_is_in_recovery") || has("rolsuper") || has("exists") {
        return plain("f");
    }
    if has("current_user") || has("session_user") {
        return plain(session.user);
    }
    if has("current_database") || has("current_catalog") {
        return plain(session.database);
    }
    if has("server_version_num") {
        return plain("160009");
    }
    if has("server_version") {
        return plain(VERSION);
    }
    if has("version()") {
        return Some(format!("PostgreSQL {VERSION} on x86_64-pc-linux-gnu, compiled by gcc, 64-bit"));
    }
    if has("ssl") || has("tls") {
        return of_tls(&column, session);
    }
    column
        .trim()
        .bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| column.trim().to_owned())
        .filter(|digits| !digits.is_empty())
}

fn of_tls(column: &str, session: &Session<'_>) -> Option<String> {
    let column = column.to_ascii_lowercase();
    let what = column.split("pg_stat_ssl").next().unwrap_or_default();
    let text = if what.contains("version") {
        "TLSv1.3"
    } else if what.contains("cipher") {
        "TLS_AES_256_GCM_SHA384"
    } else if what.contains("ssl") || what.contains("tls") {
        if session.tls { "t" } else { "f" }
    } else {
        return None;
    };
    Some(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_answered_in_order() {
        let session = Session { user: "u", database: "d", tls: true };
        let row = |query: &str| {
            row(query, &session).map(|row| {
                row.into_iter().map(|value| value.unwrap_or_else(|| "-".to_owned())).collect::<Vec<_>>().join("|")
            })
        };
        let all = "select current_user, current_database(), current_setting('server_version'), (select ssl from pg_stat_ssl where pid = pg_backend_pid()), 1";
        assert_eq!(row(all).as_deref(), Some("u|d|16.9|t|1"));
        assert_eq!(
            row("SELECT current_user, ssl, version FROM pg_stat_ssl WHERE pid = pg_backend_pid();").as_deref(),
            Some("u|t|TLSv1.3")
        );
        assert_eq!(row("show server_version").as_deref(), Some("16.9"));
        assert_eq!(row("select pg_has_role(current_user, 'azure_pg_admin', 'member')").as_deref(), Some("f"));
        assert_eq!(row("delete from t"), None);
    }
}
