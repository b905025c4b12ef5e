//! What is said of this machine.

use super::{Fact, declare};

pub(super) const FACTS: &[Fact] = &[
    declare("clock", "as run.clock, as a matter of its own", &["right", "behind", "ahead", "unmeasured"]),
    declare(
        "proxy.metadata",
        "whether HTTP_PROXY or ALL_PROXY would carry other programs' metadata requests",
        &["exempt", "exposed", "no-proxy"],
    ),
    declare(
        "ipv6",
        "a global IPv6 address and default route, and whether they lead anywhere",
        &["absent", "works", "dead", "untested"],
    ),
    declare(
        "libpq.result",
        "whether inherited libpq variables would break or weaken real clients",
        &["clean", "harmful"],
    ),
    declare("libpq.host", "PGHOST", &["absent", "plain", "list", "socket"]),
    declare("libpq.hostaddr", "PGHOSTADDR", &["absent", "set"]),
    declare("libpq.sslmode", "PGSSLMODE against full verification", &["absent", "verifying", "weak"]),
    declare(
        "libpq.auth",
        "PGREQUIREAUTH: whether it lets a cleartext password (the token) through",
        &["absent", "allows-password", "excludes-password"],
    ),
    declare("libpq.channel-binding", "PGCHANNELBINDING", &["absent", "optional", "required"]),
    declare("roots", "trusted root certificates on this machine", &["present", "none"]),
];
