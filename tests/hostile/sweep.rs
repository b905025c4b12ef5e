//! The truncation sweep: every healthy exchange, cut at every byte with close, reset and stall. `SWEEP=all` makes every cut; without it a
//! seed chooses some of them.

use std::io::Write;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fastrand::Rng;

use super::act::Act;
use super::program;
use super::relay::{End, Layer, Relay};
use super::row::{At, Stage};

/// Longer exchanges are cut at every k-th byte only.
const CUTS: usize = 400;
/// So many cuts of an exchange are made without `SWEEP=all`.
const SOME: usize = 30;
const AT_ONCE: usize = 6;
const DEADLINE: Duration = Duration::from_secs(5);

/// Whose bytes are cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whose {
    LoginHandshake,
    LoginReply,
    Metadata,
    ServerClear,
    ServerLogin,
    Answers,
    ProxyReply,
}

const ALL: [Whose; 7] = [
    Whose::LoginHandshake,
    Whose::LoginReply,
    Whose::Metadata,
    Whose::ServerClear,
    Whose::ServerLogin,
    Whose::Answers,
    Whose::ProxyReply,
];

/// What Squid answers to CONNECT; behind it there is no tunnel here.
const TUNNEL: &[u8] = b"HTTP/1.1 200 Connection established\r\nVia: 1.1 proxy (squid/5.7)\r\n\r\n";

/// A proxy's answer, cut.
fn cut_tunnel(limit: usize, end: End) -> (usize, Vec<String>) {
    let last = match end {
        End::Close => Act::Close,
        End::Reset => Act::Reset,
        End::Stall => Act::Deaf,
    };
    let reply = &TUNNEL[..limit.min(TUNNEL.len())];
    let stage = Stage::new(&At::Proxy(vec![Act::Expect(b"CONNECT "), Act::Send(reply.to_vec()), last]));
    let mut command = stage.command(&["--only", "https.login"]);
    replace_timeout(&mut command, if end == End::Stall { "150ms" } else { "1s" });
    let ran = program::run(command, stage.world().stdin.as_deref(), DEADLINE);
    let mut broken = ran.broken(DEADLINE, None);
    broken.extend(stage.leaks(&ran));
    if ran.exit != Some(1) {
        broken.push(format!("exit status {:?} without a tunnel", ran.exit));
    }
    (reply.len(), broken)
}

/// Plays one cut, and says what went wrong; the bytes that passed come back too.
fn cut(whose: Whose, limit: usize, end: End) -> (usize, Vec<String>) {
    if whose == Whose::ProxyReply {
        return cut_tunnel(limit, end);
    }
    let mut stage = Stage::new(&At::Nobody);
    let (login, server) = (stage.world().names.cloud.login.to_owned(), stage.world().names.server.clone());
    let after = |option: &str| {
        let mut args = stage.world().args.iter();
        args.find(|arg| *arg == option).and_then(|_| args.next()).cloned().unwrap_or_default()
    };
    // The first rule for a port leads to its first address that works.
    let led = |port: &str| -> SocketAddr {
        let rule = stage.world().args.iter().find_map(|arg| arg.split_once(port)).expect("a rule").1;
        rule.parse().expect("an address")
    };
    let (to, name, layer, only) = match whose {
        Whose::LoginHandshake => (led(":443:"), &login, Layer::Raw, "https.login"),
        Whose::LoginReply => (led(":443:"), &login, Layer::Inside, "https.login"),
        Whose::ServerClear => (led(":5432:"), &server, Layer::Raw, "server.*"),
        Whose::ServerLogin => (led(":5432:"), &server, Layer::Postgres, "login.*"),
        Whose::Answers | Whose::ProxyReply => {
            (after("--nameserver").parse().expect("an address"), &login, Layer::Raw, "dns.*")
        }
        Whose::Metadata => {
            let env = &stage.world().env;
            let host = env.iter().find(|(name, _)| name == "AZURE_POD_IDENTITY_AUTHORITY_HOST").expect("a host");
            (host.1.trim_start_matches("http://").parse().expect("an address"), &login, Layer::Raw, "token.*")
        }
    };
    let roots = Arc::new(std::fs::read(after("--ca-file")).expect("the lab's roots"));
    let _turn = crate::stories::turn();
    let passed = Arc::new(AtomicUsize::new(0));
    let relay = Relay { to, name: name.clone(), roots, layer, limit, end, passed: passed.clone() };
    let _peer = if whose == Whose::Answers {
        let peer = relay.start_udp();
        stage.args(&["--nameserver", &format!("127.0.0.1:{}", peer.port)]);
        peer
    } else {
        let peer = relay.start(stage.trusted());
        match whose {
            Whose::Metadata => {
                stage.set("AZURE_POD_IDENTITY_AUTHORITY_HOST", format!("http://127.0.0.1:{}", peer.port));
            }
            Whose::LoginHandshake | Whose::LoginReply => stage.redirect(&format!("{login}:443"), peer.port),
            _ => stage.redirect(&format!("{server}:5432"), peer.port),
        }
        peer
    };
    let patience = if end == End::Stall && limit != usize::MAX { "150ms" } else { "1s" };
    let mut command = stage.command(&["--only", only]);
    replace_timeout(&mut command, patience);
    let ran = program::run(command, stage.world().stdin.as_deref(), DEADLINE);
    let mut broken = ran.broken(DEADLINE, None);
    broken.extend(stage.leaks(&ran));
    if limit == usize::MAX && ran.exit != Some(0) {
        broken.push(format!("the healthy exchange fails: {}", String::from_utf8_lossy(&ran.page)));
    }
    (passed.load(Ordering::Relaxed), broken)
}

/// A repeated `--timeout` is refused, so the world's own is changed.
fn replace_timeout(command: &mut std::process::Command, patience: &str) {
    let mut args: Vec<_> = command.get_args().map(std::ffi::OsStr::to_owned).collect();
    let place = args.iter().position(|arg| arg == "--timeout").expect("a timeout");
    args[place + 1] = patience.into();
    let mut fresh = std::process::Command::new(command.get_program());
    fresh.env_clear().args(args);
    fresh.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    *command = fresh;
}

#[test]
fn every_exchange_can_be_cut_anywhere() {
    let all = std::env::var("SWEEP").is_ok_and(|value| value == "all");
    let seed =
        std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(|| fastrand::u64(..1_000_000));
    let mut rng = Rng::with_seed(seed);
    let mut cuts = Vec::new();
    for whose in ALL {
        let (length, broken) = cut(whose, usize::MAX, End::Stall);
        assert!(broken.is_empty() && length > 0, "{whose:?}: {length} bytes, {}", broken.join("\n"));
        let step = length.div_ceil(CUTS);
        // Datagrams have one way to be short.
        let ends: &[End] = if whose == Whose::Answers { &[End::Stall] } else { &[End::Close, End::Reset, End::Stall] };
        let mut of: Vec<(Whose, usize, End)> =
            (0..length).step_by(step).flat_map(|limit| ends.iter().map(move |end| (whose, limit, *end))).collect();
        let _ = writeln!(std::io::stderr(), "{whose:?}: {length} bytes, {} cuts", of.len());
        if !all {
            rng.shuffle(&mut of);
            of.truncate(SOME);
        }
        cuts.extend(of);
    }
    let next = AtomicUsize::new(0);
    let wrong = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some((whose, limit, end)) = cuts.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let (_, broken) = cut(*whose, *limit, *end);
                    if !broken.is_empty() {
                        let told =
                            format!("{whose:?} cut after {limit} bytes ({end:?})\n    - {}", broken.join("\n    - "));
                        wrong.lock().expect("no thread panics").push(told);
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().expect("no thread panics");
    let _ = writeln!(std::io::stderr(), "{} cuts made (seed {seed}), {} not clean", cuts.len(), wrong.len());
    assert!(wrong.is_empty(), "seed {seed}:\n\n{}\n", wrong.join("\n\n"));
}
