//! The session: who is signed in, and what its catalogues say of roles. Read-only, in one flight; whatever the server refuses costs only itself.

use std::time::Duration;

use super::Run;
use crate::evidence::{DatabaseRole, Detail, Mapping, Refusal, Roles, ServerError, Session};
use crate::net::Failed;
use crate::net::postgres::{Login, Rows, Step, Stream};
use crate::prose::quoting::sql_literal;
use crate::verb::SERVER;

/// What is nice to know is waited for so long at most.
const OPTIONAL: Duration = Duration::from_secs(2);

const IDENTITY: &str = "select current_user, current_database(), current_setting('server_version'), \
    (select ssl from pg_stat_ssl where pid = pg_backend_pid()), \
    (select version from pg_stat_ssl where pid = pg_backend_pid()), session_user";

const SETTINGS: &str = "select current_setting('pgaadauth.enable_group_sync', true), \
    has_function_privilege(to_regprocedure('pgaadauth_list_principals(boolean)'), 'execute')";

/// Asks everything in one flight; the first answer decides whether there is a session.
pub(super) async fn run<S: Stream>(run: &Run, login: &mut Login<S>) {
    let mut pending = run.recorder.begin(SERVER, "the session", Detail::Session(Session::default()));
    let asked = run.target.role.as_deref();
    let patience = run.patience();
    let questions = [IDENTITY.to_owned(), roles_query(asked), labels_query(asked), SETTINGS.to_owned()]
        .map(|query| transaction(&query, patience));
    let answer = match login.ready().await {
        Ok(Step::Done(())) => match login.ask(&questions).await {
            Ok(()) => login.answer().await,
            Err(failure) => Err(failure),
        },
        Ok(Step::Error(error)) => Ok(Step::Error(error)),
        Err(failure) => Err(failure),
    };
    let Detail::Session(session) = &mut pending.detail else { return };
    let mut in_postgres = false;
    if let Ok(Step::Done(rows)) = &answer {
        let column = |index: usize| text(rows, 0, index);
        session.current_user = column(0);
        session.current_database = column(1);
        session.server_version = column(2);
        session.tls = column(3).map(|text| is_true(&text));
        session.tls_version = column(4);
        session.session_user = column(5);
        in_postgres = session.current_database.as_deref() == Some("postgres");
    }
    let user = session.session_user.clone();
    let (outcome, error) = super::login::ended(answer, &mut session.server_error);
    pending.end(outcome, error);
    if let Some(user) = user.filter(|_| outcome.is_ok()) {
        roles(run, login, &user, in_postgres).await;
    }
}

/// The answers that are nice to know.
async fn roles<S: Stream>(run: &Run, login: &mut Login<S>, user: &str, in_postgres: bool) {
    let detail = Roles { user: user.to_owned(), asked: run.target.role.clone(), ..Roles::default() };
    let mut pending = run.recorder.begin(SERVER, "what the database says of roles", Detail::Roles(detail));
    let Detail::Roles(detail) = &mut pending.detail else { return };
    let patience = OPTIONAL.min(run.patience());
    let (outcome, error) = match tokio::time::timeout(patience, read(login, detail, in_postgres, patience)).await {
        Ok(Ok(())) => (crate::failure::Outcome::Ok, None),
        Ok(Err(failure)) => failure,
        Err(_) => (crate::failure::Outcome::Timeout, None),
    };
    pending.end(outcome, error);
}

async fn read<S: Stream>(
    login: &mut Login<S>,
    detail: &mut Roles,
    in_postgres: bool,
    patience: Duration,
) -> Result<(), Failed> {
    if let Some(rows) = answer(login, "pg_roles", detail).await? {
        detail.found = Some((0..rows.len()).filter_map(|row| role(&rows, row)).collect());
    }
    if let Some(rows) = answer(login, "pg_shseclabel", detail).await? {
        for row in 0..rows.len() {
            if let (Some(name), Some(label)) = (text(&rows, row, 0), text(&rows, row, 1)) {
                label_of(detail, &name, &label);
            }
        }
    }
    let Some(rows) = answer(login, "settings", detail).await? else { return Ok(()) };
    detail.group_sync = text(&rows, 0, 0);
    let allowed = text(&rows, 0, 1).is_some_and(|text| is_true(&text));
    // The labels say it in every database and to everybody. The function, which only the database postgres has, says it where they are hidden.
    let names: Vec<String> = detail.unmapped().map(sql_literal).collect();
    if allowed && in_postgres && !names.is_empty() {
        let query = format!(
            "select name, kind, id, tenant, admin from pg_catalog.pgaadauth_list_principals(false) \
             as listed(name, kind, id, tenant, mfa, admin) where name::text in ({})",
            names.join(", ")
        );
        login.ask(&[transaction(&query, patience)]).await?;
        let listed = answer(login, "pgaadauth_list_principals", detail).await?;
        map_listed(detail, &listed.unwrap_or_default());
    }
    Ok(())
}

/// The rows of an answer; none, and a note, when the server refused the question.
async fn answer<S: Stream>(login: &mut Login<S>, question: &str, detail: &mut Roles) -> Result<Option<Rows>, Failed> {
    match login.answer().await? {
        Step::Done(rows) => Ok(Some(rows)),
        Step::Error(error) => {
            refused(detail, question, *error);
            Ok(None)
        }
    }
}

/// Rolls the whole answer into a transaction of its own that can change nothing and ends by itself. A pooler that hands out a server for each
/// transaction sees whole transactions, and startup parameters, which PgBouncer refuses, are not needed.
fn transaction(query: &str, patience: Duration) -> String {
    format!(
        "set transaction read only; set local statement_timeout = {}; set local search_path = pg_catalog; {query}",
        patience.as_millis().max(1)
    )
}

/// The role that is signed in, and those that `--role` may mean: letter for letter, in another case, cut as the server cuts, and without the
/// backslashes that an escaping recipe leaves. Names are compared as text, for a literal of type `name` would be cut silently.
fn roles_of_interest(asked: Option<&str>) -> String {
    let names: Vec<String> = asked
        .into_iter()
        .flat_map(|asked| [asked.to_owned(), crate::rules::cut_role(asked).to_owned(), asked.replace('\\', "")])
        .map(|name| format!("lower({})", sql_literal(&name)))
        .collect();
    let others =
        if names.is_empty() { String::new() } else { format!(" or lower(r.rolname::text) in ({})", names.join(", ")) };
    format!("(r.rolname = session_user{others})")
}

fn roles_query(asked: Option<&str>) -> String {
    format!(
        "select r.rolname, r.rolcanlogin, r.rolcreatedb, r.rolcreaterole, r.rolvaliduntil, coalesce(r.rolvaliduntil <= now(), false), \
         (select pg_has_role(r.oid, a.oid, 'member') from pg_roles a where a.rolname = 'azure_pg_admin') \
         from pg_roles r where {} order by r.rolname = session_user desc limit 32",
        roles_of_interest(asked)
    )
}

fn labels_query(asked: Option<&str>) -> String {
    format!(
        "select r.rolname, l.label from pg_shseclabel l join pg_roles r on r.oid = l.objoid \
         where l.classoid = 'pg_authid'::regclass and l.provider in ('pgaadauth', 'pgaadauth-int') and {} \
         order by r.rolname = session_user desc, l.provider limit 64",
        roles_of_interest(asked)
    )
}

fn role(rows: &Rows, row: usize) -> Option<DatabaseRole> {
    let truth = |column: usize| text(rows, row, column).map(|text| is_true(&text));
    Some(DatabaseRole {
        name: text(rows, row, 0)?,
        login: truth(1)?,
        create_db: truth(2)?,
        create_role: truth(3)?,
        valid_until: text(rows, row, 4),
        expired: truth(5)?,
        administrator: truth(6),
        mapping: None,
    })
}

/// A label of Azure's: `aadauth,oid=…,type=service,admin`, or `type=service,oid=…,tenant_id=…`.
fn label_of(detail: &mut Roles, name: &str, label: &str) {
    let mut mapping = detail.mapping_of(name).cloned().unwrap_or_default();
    for part in label.split(',').map(str::trim) {
        match part.split_once('=') {
            Some(("oid", id)) => mapping.object_id = Some(id.to_owned()),
            Some(("type", kind)) => mapping.kind = Some(kind.to_ascii_lowercase()),
            Some(("tenant_id", id)) => mapping.tenant_id = Some(id.to_owned()),
            None if part == "admin" => mapping.administrator = true,
            _ => {}
        }
    }
    detail.map(name, mapping);
}

fn map_listed(detail: &mut Roles, rows: &Rows) {
    for row in 0..rows.len() {
        let Some(name) = text(rows, row, 0) else { continue };
        let mapping = Mapping {
            kind: text(rows, row, 1).map(|kind| kind.to_ascii_lowercase()),
            object_id: text(rows, row, 2),
            tenant_id: text(rows, row, 3),
            administrator: text(rows, row, 4).is_some_and(|text| text == "1" || is_true(&text)),
        };
        detail.map(&name, mapping);
    }
}

fn refused(detail: &mut Roles, question: &str, server_error: ServerError) {
    detail.refused.push(Refusal { question: question.to_owned(), server_error });
}

fn text(rows: &Rows, row: usize, column: usize) -> Option<String> {
    rows.get(row)?.get(column)?.clone()
}

fn is_true(text: &str) -> bool {
    matches!(text, "t" | "true" | "on")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_both_labels_of_a_role() {
        let mut detail = Roles {
            user: "a".to_owned(),
            found: Some(vec![DatabaseRole { name: "a".to_owned(), ..DatabaseRole::default() }]),
            ..Roles::default()
        };
        label_of(&mut detail, "a", "aadauth,oid=0a1b,type=service,admin");
        label_of(&mut detail, "a", "type=service,oid=0a1b,tenant_id=77");
        let mapping = detail.mapping_of("a").expect("a mapping");
        assert_eq!(mapping.kind.as_deref(), Some("service"));
        assert_eq!((mapping.object_id.as_deref(), mapping.tenant_id.as_deref()), (Some("0a1b"), Some("77")));
        assert!(mapping.administrator);
    }

    #[test]
    fn a_name_is_a_literal_and_nothing_else() {
        let query = roles_query(Some("o'hara\\ x"));
        assert!(query.contains(r"lower( E'o''hara\\ x')"), "{query}");
    }
}
