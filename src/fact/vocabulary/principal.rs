//! What is said of a name that was looked up in the directory.

use super::{Fact, declare};

pub(super) const FACTS: &[Fact] = &[
    declare(
        "principal.result",
        "what the directory of Microsoft Entra ID has under the name that was asked for: --principal on the principal's row, --user on the server's",
        &[
            "found",
            "too-long",
            "other-case",
            "blanks",
            "client-id",
            "object-id",
            "mail-of-user",
            "mail-of-guest",
            "name-of-user",
            "ambiguous",
            "not-found",
            "not-asked",
            "no-permission",
            "no-token",
            "not-for-graph",
            "throttled",
            "refused",
            "not-graph",
            "not-reached",
            "undetermined",
        ],
    ),
    declare(
        "principal.type",
        "what the directory says that it is",
        &["user", "guest", "group", "service-principal", "managed-identity"],
    ),
    declare(
        "principal.token",
        "whether the token that signs in is this principal's, by object id",
        &["same", "other", "unknown"],
    ),
];
