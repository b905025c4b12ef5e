//! The catalogues of roles, as a session of a flexible server sees them: `pg_roles`, Azure's labels and function, one setting.

use crate::scenario::{Database, Oid, Reads};

pub type Rows = Vec<Vec<Option<String>>>;

/// An error of a query: SQLSTATE and message.
pub type Refused = (&'static str, String);

/// A role, its object id and what it is mapped to.
#[derive(Clone, Debug)]
pub struct Role {
    pub name: String,
    pub kind: String,
    pub oid: String,
    pub login: bool,
    pub expired: bool,
    pub admin: bool,
}

#[derive(Clone, Debug, Default)]
pub struct Catalogs {
    pub reads: Reads,
    pub group_sync: String,
    pub tenant: String,
    pub roles: Vec<Role>,
}

impl Catalogs {
    /// `token` is the object id and the kind that the token names; `other` another's id.
    pub fn new(wanted: &Database, user: &str, token: (&str, &str), tenant: &str, other: &str) -> Catalogs {
        let kind = if wanted.kind.is_empty() { token.1 } else { &wanted.kind };
        // A group's label has the group's id, which no token of a member has for its oid.
        let oid = if kind == "group" { other } else { token.0 };
        let mut roles = vec![Role {
            name: user.to_owned(),
            kind: kind.to_owned(),
            oid: oid.to_owned(),
            login: true,
            expired: false,
            admin: wanted.admin,
        }];
        roles.extend(wanted.role.iter().map(|more| Role {
            name: more.name.replace("{user}", user),
            kind: more.kind.clone(),
            oid: if more.oid == Oid::Token { token.0 } else { other }.to_owned(),
            login: more.login,
            expired: more.expired,
            admin: false,
        }));
        let group_sync = if wanted.group_sync.is_empty() { "off" } else { &wanted.group_sync };
        Catalogs { reads: wanted.reads, group_sync: group_sync.to_owned(), tenant: tenant.to_owned(), roles }
    }

    /// The rows of a query about roles; nothing when it is about something else.
    pub fn rows(&self, query: &str, user: &str, database: &str) -> Option<Result<Rows, Refused>> {
        let about = |word: &str| query.contains(word);
        let azure = self.reads != Reads::Bare;
        if about("from pg_shseclabel") {
            let refused = matches!(self.reads, Reads::List | Reads::Roles | Reads::Nothing);
            return Some(if refused { Err(denied("table pg_shseclabel")) } else { Ok(self.labels(query, user)) });
        }
        if about("pgaadauth_list_principals(false)") {
            return Some(if !azure || database != "postgres" {
                Err(("42883", "function pg_catalog.pgaadauth_list_principals(boolean) does not exist".to_owned()))
            } else if matches!(self.reads, Reads::Roles | Reads::Nothing) {
                Err(denied("function pgaadauth_list_principals"))
            } else {
                Ok(self.listed(query, user))
            });
        }
        if about("pgaadauth.enable_group_sync") {
            let text = |text: &str| Some(text.to_owned());
            // The function is there in one database only; of a function that is not there the privilege is null.
            let allowed = match self.reads {
                _ if !azure || database != "postgres" => None,
                Reads::Roles | Reads::Nothing => text("f"),
                _ => text("t"),
            };
            let sync = if azure { text(&self.group_sync) } else { None };
            return Some(if self.reads == Reads::Nothing {
                Err(("42501", "permission denied to examine \"pgaadauth.enable_group_sync\"".to_owned()))
            } else {
                Ok(vec![vec![sync, allowed]])
            });
        }
        if about("from pg_roles") {
            let rows = || self.chosen(query, user).map(|role| self.attributes(role)).collect();
            return Some(if self.reads == Reads::Nothing { Err(denied("view pg_roles")) } else { Ok(rows()) });
        }
        None
    }

    /// The session's own role, and those whose names are literals of the query, whatever their case.
    fn chosen<'a>(&'a self, query: &str, user: &'a str) -> impl Iterator<Item = &'a Role> {
        let names: Vec<String> = literals(query).into_iter().map(|name| name.to_lowercase()).collect();
        self.roles.iter().filter(move |role| role.name == user || names.contains(&role.name.to_lowercase()))
    }

    fn attributes(&self, role: &Role) -> Vec<Option<String>> {
        let truth = |truth: bool| Some(if truth { "t" } else { "f" }.to_owned());
        let until = role.expired.then(|| "2020-02-02 00:00:00+00".to_owned());
        let admin = if self.reads == Reads::Bare { None } else { truth(role.admin) };
        let name = Some(role.name.clone());
        vec![name, truth(role.login), truth(role.admin), truth(role.admin), until, truth(role.expired), admin]
    }

    fn labels(&self, query: &str, user: &str) -> Rows {
        let mapped = self.chosen(query, user).filter(|role| !role.kind.is_empty() && self.reads != Reads::Bare);
        let admin = |role: &Role| if role.admin { ",admin" } else { "" };
        mapped
            .flat_map(|role| {
                [
                    format!("aadauth,oid={},type={}{}", role.oid, role.kind, admin(role)),
                    format!("type={},oid={},tenant_id={}", role.kind, role.oid, self.tenant),
                ]
                .map(|label| vec![Some(role.name.clone()), Some(label)])
            })
            .collect()
    }

    fn listed(&self, query: &str, user: &str) -> Rows {
        let names = literals(query);
        let wanted = self.chosen(query, user).filter(|role| !role.kind.is_empty() && names.contains(&role.name));
        wanted
            .map(|role| {
                let admin = if role.admin { "1" } else { "0" };
                let columns = [role.name.as_str(), &role.kind, &role.oid, &self.tenant, admin];
                columns.map(|column| Some(column.to_owned())).to_vec()
            })
            .collect()
    }
}

fn denied(what: &str) -> Refused {
    ("42501", format!("permission denied for {what}"))
}

/// Every string literal of a query, unquoted.
fn literals(query: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut letters = query.chars().peekable();
    let mut before = ' ';
    while let Some(letter) = letters.next() {
        if letter == '\'' {
            let escaped = before == 'E';
            let mut text = String::new();
            while let Some(letter) = letters.next() {
                match letter {
                    '\'' if letters.peek() == Some(&'\'') => text.extend(letters.next()),
                    '\'' => break,
                    '\\' if escaped => text.extend(letters.next()),
                    other => text.push(other),
                }
            }
            found.push(text);
        }
        before = letter;
    }
    found
}

/// The statements of a simple query: parts between semicolons that are in no literal.
pub fn statements(query: &str) -> Vec<&str> {
    let (mut parts, mut start, mut quoted) = (Vec::new(), 0, false);
    for (place, letter) in query.char_indices() {
        match letter {
            '\'' => quoted = !quoted,
            ';' if !quoted => {
                parts.push(query[start..place].trim());
                start = place + 1;
            }
            _ => {}
        }
    }
    parts.push(query[start..].trim());
    parts.retain(|part| !part.is_empty());
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_are_unquoted() {
        assert_eq!(literals(r"lower('o''hara'), lower( E'a\\ b')"), ["o'hara", r"a\ b"]);
        assert_eq!(statements("set a = 1; select ';'; "), ["set a = 1", "select ';'"]);
    }
}
