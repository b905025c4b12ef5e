//! Stand-ins for what Azure adds to PostgreSQL: labels, the function of the database `postgres`, the administrators' role; and odd roles.

use super::bench::{GROUP, NO_LOGIN, OTHER};

pub const EXPIRED: &str = "id-until-2020";
/// It was made under another name, `id-before`.
pub const RENAMED: &str = "id-renamed";
/// A role of the token's own principal, mapped as another type.
pub const OTHER_TYPE: &str = "id-of-the-other-type";
pub const ADMINISTRATOR: &str = "id-of-an-administrator";

/// Exactly as long as a name may be.
pub fn longest() -> String {
    format!("{:-<63}", "id-of-a-long-name")
}

/// Names that every language quotes in its own way.
pub const ODD: [&str; 13] = [
    "o'hara",
    "say \"hello\"",
    "#hash",
    "ines.duarte_contoso.com#EXT#@fabrikam.onmicrosoft.com",
    "back\\slash",
    "two  blanks ",
    "100% $HOME `id` $(id)",
    "Jörg Müßig – 名前",
    "semi; colon & more | less",
    "{user} [x] ?a=b&c",
    "!bang ~tilde *",
    "'quoted'",
    "it’s ‘so’",
];

pub fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// What makes them, a line a statement. `own` is the role of the token's principal.
pub fn statements(own: &str, token: &str, object_id: &str) -> Vec<String> {
    let label = |name: &str, label: &str| {
        format!(
            "insert into pg_shseclabel select oid, 'pg_authid'::regclass, 'pgaadauth', 'aadauth,{label}' from pg_authid where rolname = '{}'",
            name.replace('\'', "''")
        )
    };
    let other = "oid=00000000-1111-2222-3333-444444444444";
    let role = |name: &str, more: &str| format!("create role {} login password '{token}' {more}", quoted(name));
    let mut all = vec![
        "create role azure_pg_admin createdb createrole".to_owned(),
        role(EXPIRED, "valid until '2020-01-01'"),
        role("id-before", ""),
        role(OTHER_TYPE, ""),
        role(ADMINISTRATOR, "createdb createrole in role azure_pg_admin"),
        role(&longest(), ""),
        label(own, &format!("oid={object_id},type=user")),
        label(GROUP, &format!("{other},type=group")),
        label(OTHER, &format!("{other},type=user")),
        label(NO_LOGIN, &format!("{other},type=group")),
        label(EXPIRED, &format!("{other},type=service")),
        label("id-before", &format!("{other},type=service")),
        label(OTHER_TYPE, &format!("oid={object_id},type=service")),
        label(ADMINISTRATOR, &format!("{other},type=user,admin")),
        label(&longest(), &format!("{other},type=group")),
        format!("alter role \"id-before\" rename to \"{RENAMED}\""),
        "create function pg_catalog.pgaadauth_list_principals(isAdminValue boolean) returns table(rolename name, principalType text, \
         objectId text, tenantId text, isMfa int, isAdmin int) language sql security definer as 'select rolname, \
         substring(label from ''type=([a-z]*)''), substring(label from ''oid=([^,]*)''), ''''::text, 0, (label like ''%,admin'')::int \
         from pg_catalog.pg_shseclabel join pg_catalog.pg_authid a on a.oid = objoid'"
            .to_owned(),
    ];
    all.extend(ODD.iter().map(|name| role(name, "")));
    all
}
