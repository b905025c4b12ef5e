//! What is said of roles, as the session read them.

use super::{Fact, declare};

pub(super) const FACTS: &[Fact] = &[
    declare(
        "user.form",
        "the form of the name that signs in, beside the token's claims; id = a GUID, at-server = NAME@SERVER, mail-of-guest = a guest's own address",
        &["plain", "escaped", "padded", "too-long", "id", "at-server", "other-case", "mail-of-guest"],
    ),
    declare(
        "beside.asks",
        "what PostgreSQL asks the same user for on 5432, when PgBouncer on 6432 asked for no token or refused it; no token was sent there",
        &["cleartext", "password", "error", "other", "not-reached"],
    ),
    declare(
        "role.state",
        "the role that --role names: what it is mapped to, or what is wrong with it; unseen = it exists, and mappings are hidden from this session",
        &[
            "not-asked",
            "user",
            "group",
            "service",
            "mapped",
            "plain",
            "missing",
            "other-case",
            "truncated",
            "escaped",
            "no-login",
            "expired",
            "other-type",
            "unseen",
            "undetermined",
        ],
    ),
    declare("role.own", "what the session's own role is mapped to", &["user", "group", "service", "mapped", "unseen"]),
    declare("role.group-sync", "the server's pgaadauth.enable_group_sync", &["on", "off", "unsaid"]),
];
