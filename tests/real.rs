//! Real servers in the lab's place: PostgreSQL, unbound and dnsmasq as Debian ships them. Each run must end as the lab's story of that name
//! ends: so what the lab pretends is held against what the world does.

mod bench;
mod postgres;
mod process;
mod resolver;
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
}

impl Case {
    /// A run that proves its identity and gets `logged`.
    fn proven(story: &'static str, user: &str, database: &'static str, logged: &'static str) -> Case {
        Case { story, user: user.to_owned(), database, proven: 1, refused: 0, logged }
    }

    /// A run that sends its token once, in vain.
    fn refused(story: &'static str, user: &str) -> Case {
        let logged = "password authentication failed for user";
        Case { story, user: user.to_owned(), database: "postgres", proven: 0, refused: 1, logged }
    }

    /// A run that must not send its token.
    fn unsent(story: &'static str, user: &str, database: &'static str, logged: &'static str) -> Case {
        Case { story, user: user.to_owned(), database, proven: 0, refused: 0, logged }
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
