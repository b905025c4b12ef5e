//! What is said of the server and of the login.

use super::{Fact, declare};

pub(super) const FACTS: &[Fact] = &[
    declare("server.form", "what kind of name was given", &["flexible", "foreign", "literal", "other-cloud"]),
    declare("server.port", "which port was asked", &["postgres", "pgbouncer", "other"]),
    declare(
        "pg.ssl",
        "the answer to SSLRequest",
        &["accepted", "refused", "error", "not-postgres", "silent", "closed", "reset", "extra-bytes", "undetermined"],
    ),
    declare(
        "tls.result",
        "verified TLS with the server; inspected = by an inspector that this machine trusts",
        &["verified", "partly", "inspected", "failed", "undetermined"],
    ),
    declare(
        "pg.asks",
        "the authentication request for this user, read before anything is sent",
        &["cleartext", "scram", "md5", "other", "nothing", "error", "silent", "closed", "undetermined"],
    ),
    declare(
        "pg.token",
        "what became of the token as password",
        &["accepted", "refused", "silent", "closed", "undetermined"],
    ),
    declare(
        "pg.session",
        "what became of the session after authentication",
        &["ready", "refused", "silent", "closed", "undetermined"],
    ),
    declare("pg.stage", "when the server's error came", &["before-token", "after-token", "after-authentication"]),
    declare(
        "pg.error",
        "the server's error, by SQLSTATE and text (word list postgres)",
        &[
            "bad-password",
            "user-token-for-service",
            "service-token-for-user",
            "oid-mismatch",
            "audience",
            "token-expired",
            "token-format",
            "token-validation",
            "no-hba-plain",
            "no-hba",
            "entra-disabled",
            "password-disabled",
            "no-login",
            "no-role",
            "no-database",
            "no-connect",
            "no-privilege",
            "full",
            "starting-up",
            "terminated",
            "partial-packet",
            "pooler",
            "pooler-refused",
            "pooler-server",
            "invalid-authorization",
            "unrecognised",
        ],
    ),
];
