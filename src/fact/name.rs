//! The form of the name that signs in, read beside the token's claims: what is wrong with it before a server says anything.

use super::{Row, Seen};

pub(super) fn read(seen: &Seen<'_>, row: &mut Row) {
    let Some(user) = &seen.settings.user else { return };
    let claimed = seen.claims().and_then(|claims| claims.user_name.as_deref());
    let server = seen.settings.server.as_deref().unwrap_or_default();
    row.say("user.form", form(user, server, claimed));
}

fn form(user: &str, server: &str, claimed: Option<&str>) -> &'static str {
    // Single server's habit: NAME@SERVER, by its short or its whole name.
    let label = server.split('.').next().unwrap_or_default();
    let of_server = |tail: &str| !label.is_empty() && (tail == label || tail == server);
    // An account of another provider: `live.com#name@example.com` (Microsoft Entra, access token claims, unique_name).
    let guest = claimed.and_then(|claimed| claimed.split_once('#')).filter(|(provider, _)| provider.contains('.'));
    if user.contains('\\') {
        "escaped"
    } else if user.trim() != user {
        "padded"
    } else if crate::rules::cut_role(user) != user {
        "too-long"
    } else if crate::rules::is_guid(user) {
        "id"
    } else if user.rsplit_once('@').is_some_and(|(_, tail)| of_server(tail)) {
        "at-server"
    } else if guest.is_some_and(|(_, mail)| mail.eq_ignore_ascii_case(user)) {
        "mail-of-guest"
    } else if claimed.is_some_and(|claimed| claimed != user && claimed.to_lowercase() == user.to_lowercase()) {
        "other-case"
    } else {
        "plain"
    }
}

#[cfg(test)]
mod tests {
    use super::form;

    #[test]
    fn forms_of_names() {
        let server = "orders-db.postgres.database.azure.com";
        for (user, claimed, expected) in [
            ("Orders\\ Readers", None, "escaped"),
            ("orders ", None, "padded"),
            (&"x".repeat(64), None, "too-long"),
            (&"x".repeat(63), None, "plain"),
            ("0f1e2d3c-0000-1111-2222-333344445555", None, "id"),
            ("ines@orders-db", None, "at-server"),
            ("ines@contoso.com@orders-db.postgres.database.azure.com", None, "at-server"),
            ("ines@contoso.com", Some("Ines@contoso.com"), "other-case"),
            ("ines@contoso.com", Some("ines@contoso.com"), "plain"),
            ("ines@gmail.com", Some("live.com#ines@gmail.com"), "mail-of-guest"),
            ("ines_gmail.com#EXT#@contoso.onmicrosoft.com", Some("live.com#ines@gmail.com"), "plain"),
            ("Orders Readers", Some("ines@contoso.com"), "plain"),
        ] {
            assert_eq!(form(user, server, claimed), expected, "{user}");
        }
    }
}
