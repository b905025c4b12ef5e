//! What is said of roles, as the session read them.

use super::{Fact, declare};

pub(super) const FACTS: &[Fact] = &[
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
