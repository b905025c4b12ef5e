//! Real servers in the lab's place: PostgreSQL, unbound and dnsmasq as Debian ships them. Each run must end as the lab's story of that name
//! ends: so what the lab pretends is held against what the world does.

mod bench;
mod lines;
mod pooler;
mod postgres;
mod process;
mod resolver;
mod roles;
mod rules;

use std::net::UdpSocket;

use bench::Bench;
use lab::silence::UdpRefusal;

/// One run: the story that it must end like, who signs in to what, and what the server's log must say of it.
struct Case {
    story: &'static str,
    user: String,
    database: &'static str,
    /// How many identities PostgreSQL took for proven, and how many passwords it refused.
    proven: usize,
    refused: usize,
    logged: &'static str,
    /// `--role`, and what the line of a check must say.
    role: Option<String>,
    says: Option<(&'static str, &'static str)>,
}

impl Case {
    /// A run that proves its identity and gets `logged`.
    fn proven(story: &'static str, user: &str, database: &'static str, logged: &'static str) -> Case {
        Case { story, user: user.to_owned(), database, proven: 1, refused: 0, logged, role: None, says: None }
    }

    /// A run that sends its token once, in vain.
    fn refused(story: &'static str, user: &str) -> Case {
        let logged = "password authentication failed for user";
        Case {
            story,
            user: user.to_owned(),
            database: "postgres",
            proven: 0,
            refused: 1,
            logged,
            role: None,
            says: None,
        }
    }

    /// A run that must not send its token.
    fn unsent(story: &'static str, user: &str, database: &'static str, logged: &'static str) -> Case {
        Case { story, user: user.to_owned(), database, proven: 0, refused: 0, logged, role: None, says: None }
    }

    /// A run that signs in, and whose session says this.
    fn session(user: &str, says: &'static str) -> Case {
        let case = Case::proven("healthy/user-token", user, "postgres", SIGNED_IN);
        Case { says: Some(("login.session", says)), ..case }
    }

    /// A run that signs in and looks another role up.
    fn role(story: &'static str, user: &str, role: &str) -> Case {
        let case = Case::proven(story, user, "postgres", SIGNED_IN);
        Case { role: Some(role.to_owned()), ..case }
    }
}

const SIGNED_IN: &str = "connection authorized: ";
const LEFT: &str = "connection received: ";

#[test]
fn postgresql_ends_sign_ins_as_the_stories_do() {
    let Some(mut bench) = Bench::start("healthy/user-token", |_| ()) else { return };
    let user = &bench.user();
    let cases = [
        Case::proven("healthy/user-token", user, "postgres", SIGNED_IN),
        // Case and spaces of a group's name reach the server as they are.
        Case::proven("healthy/user-token", bench::GROUP, "postgres", SIGNED_IN),
        // Of another principal's role and of no role at all the server says the same.
        Case::refused("login/bad-password", bench::OTHER),
        Case::refused("login/bad-password", "no-such-role"),
        Case::unsent("login/role-not-mapped", bench::ORDINARY, "postgres", LEFT),
        Case::unsent("login/no-hba", user, bench::UNLISTED, "no pg_hba.conf entry for host"),
        Case::proven("login/no-database", user, "nowhere", "database \"nowhere\" does not exist"),
        Case::proven("login/no-login", bench::NO_LOGIN, "postgres", "is not permitted to log in"),
        Case::proven("login/no-connect", user, bench::CLOSED, "permission denied for database \"closed\""),
    ];
    let mut wrong: Vec<String> = cases.iter().filter_map(|case| bench.play(case)).collect();
    bench.postgres.speak_no_tls();
    wrong.extend(bench.play(&Case::unsent("server/no-tls", user, "postgres", LEFT)));
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    assert_eq!(bench.passwords_elsewhere(), 0, "the lab's own server got a password");
}

/// Labels, attributes and names of roles, with stand-ins for what Azure adds.
#[test]
fn postgresql_says_of_roles_what_the_lab_says() {
    let Some(mut bench) = Bench::start("healthy/user-token", |_| ()) else { return };
    let user = &bench.user();
    let longest = roles::longest();
    let too_long = format!("{longest}-and-more");
    let nowhere = Case { database: bench::CLOSED, ..Case::role("login/no-connect", user, user) };
    let mut cases = vec![
        Case::session(user, "an Entra user ("),
        Case::session(bench::GROUP, "an Entra group (00000000…)"),
        Case::session(roles::RENAMED, "an Entra service principal (00000000…)"),
        Case::session(roles::ADMINISTRATOR, "an administrator (not for daily use"),
        // What the server cuts is the name of another role, of which it then says that it is signed in.
        Case::session(&too_long, "signed in as id-of-a-long-name-"),
        Case::refused("login/bad-password", roles::EXPIRED),
        Case::refused("login/bad-password", "id-before"),
        Case::refused("login/bad-password", &user.to_uppercase()),
        Case { logged: "permission denied for database", ..nowhere },
        Case::role("healthy/role", user, bench::GROUP),
        Case::role("healthy/role", user, roles::RENAMED),
        Case::role("healthy/role", user, &longest),
        Case::role("login/role-missing", user, "id-before"),
        Case::role("login/role-plain", user, bench::ORDINARY),
        Case::role("login/role-no-login", user, bench::NO_LOGIN),
        Case::role("login/role-expired", user, roles::EXPIRED),
        Case::role("login/role-other-type", user, roles::OTHER_TYPE),
        Case::role("login/role-other-case", user, &bench::GROUP.to_uppercase()),
        Case::role("login/role-escaped", user, &bench::GROUP.replace(' ', "\\ ")),
        Case::role("login/role-truncated", user, &too_long),
    ];
    cases.extend(roles::ODD.iter().map(|name| Case::role("login/role-plain", user, name)));
    let mut wrong: Vec<String> = cases.iter().filter_map(|case| bench.play(case)).collect();
    // Where labels are hidden the function of the database postgres says the same; where both are, nothing is concluded.
    bench.postgres.execute("revoke select on pg_shseclabel from public");
    let cases =
        [Case::session(bench::GROUP, "an Entra group (00000000…)"), Case::role("healthy/role", user, bench::GROUP)];
    wrong.extend(cases.iter().filter_map(|case| bench.play(case)));
    bench.postgres.execute("revoke execute on function pg_catalog.pgaadauth_list_principals from public");
    let cases = [Case::session(user, "signed in as"), Case::role("login/role-unseen", user, bench::GROUP)];
    wrong.extend(cases.iter().filter_map(|case| bench.play(case)));
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn postgresql_takes_a_token_beyond_four_kilobytes() {
    let Some(mut bench) = Bench::start("healthy/large-token", |scenario| scenario.token.size = 4500) else { return };
    let case = Case::proven("healthy/large-token", &bench.user(), "postgres", SIGNED_IN);
    assert_eq!(bench.play(&case), None);
}

#[test]
fn real_resolvers_resolve_and_a_dead_neighbour_is_a_warning() {
    let Some(mut bench) = Bench::start("healthy/token-file", |_| ()) else { return };
    let user = bench.user();
    let case = |story| Case::proven(story, &user, "postgres", SIGNED_IN);
    let never_read = UdpSocket::bind(("127.0.0.1", 0)).expect("a port that never answers");
    let silent = never_read.local_addr().expect("its address").port();
    let refusal = UdpRefusal::new().expect("a port that refuses");
    let closed = refusal.port().expect("its port");
    let mut wrong = Vec::new();
    let resolvers: Vec<(&str, u16)> = bench.resolvers.iter().map(|resolver| (resolver.name, resolver.port)).collect();
    for (name, port) in &resolvers {
        for (story, nameservers) in [
            ("healthy/token-file", vec![*port]),
            ("dns/nameserver-silent", vec![*port, silent]),
            ("dns/nameserver-silent-first", vec![silent, *port]),
            ("dns/nameserver-stub-down", vec![*port, closed]),
        ] {
            bench.nameservers = nameservers;
            wrong.extend(bench.play(&case(story)).map(|told| format!("with {name}: {told}")));
        }
    }
    if let [(_, one), (_, other)] = resolvers[..] {
        bench.nameservers = vec![one, other];
        wrong.extend(bench.play(&case("healthy/two-nameservers")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}
