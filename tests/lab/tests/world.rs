//! The lab against plain clients: what the program will meet is what the scenario says.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use lab::scenario::Scenario;
use lab::world::World;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{CertificateError, ClientConfig, ClientConnection, Error, RootCertStore, StreamOwned};

type Tls = StreamOwned<ClientConnection, TcpStream>;

fn world(more: &str) -> World {
    let text = format!("story = ''\nquestion = 'healthy'\nwhy = ''\n{more}\n[expect]\nverdict = 'pass'\n");
    World::start(&Scenario::parse(&text).expect("a scenario"), 11).expect("a world")
}

fn values<'a>(world: &'a World, option: &str) -> Vec<&'a str> {
    world.args.windows(2).filter(|pair| pair[0] == option).map(|pair| pair[1].as_str()).collect()
}

/// Where the rule that begins so leads.
fn rule(world: &World, from: &str) -> SocketAddr {
    let rule = values(world, "--connect-to").into_iter().find(|rule| rule.starts_with(from)).expect(from);
    rule[from.len()..].parse().expect("an address")
}

/// Where the rules for a port's addresses lead, in their order.
fn first_of(world: &World, port: u16, skip: usize) -> SocketAddr {
    let marked = format!(":{port}:");
    let rules = values(world, "--connect-to")
        .into_iter()
        .filter(|rule| !["127.", "0.", "::"].iter().any(|start| rule.starts_with(start)));
    let mut targets = rules.filter_map(|rule| rule.split_once(&marked)).map(|(_, target)| target);
    targets.nth(skip).expect("a rule").parse().expect("an address")
}

fn dial(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, Duration::from_millis(300))?;
    stream.set_read_timeout(Some(Duration::from_millis(500)))?;
    Ok(stream)
}

fn tls(world: &World, stream: TcpStream, name: &str) -> io::Result<Tls> {
    let pem = std::fs::read(values(world, "--ca-file")[0]).expect("roots");
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(CertificateDer::pem_slice_iter(&pem).map(|der| der.expect("PEM")));
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let session = ClientConnection::new(Arc::new(config), ServerName::try_from(name.to_owned()).expect("a name"))
        .expect("a session");
    let mut stream = StreamOwned::new(session, stream);
    stream.conn.complete_io(&mut stream.sock)?;
    Ok(stream)
}

fn get(stream: &mut (impl Read + Write), path: &str, headers: &str) -> String {
    write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n").expect("sent");
    reply(stream)
}

/// What comes until the peer pauses.
fn reply(stream: &mut impl Read) -> String {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = stream.read(&mut buffer) {
        bytes.extend_from_slice(&buffer[..count]);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Up to verified TLS with the server.
fn server(world: &World, port: u16) -> Tls {
    let mut stream = dial(first_of(world, port, 0)).expect("the server");
    stream.write_all(&[0, 0, 0, 8, 4, 210, 22, 47]).expect("SSLRequest");
    let mut answer = [0];
    stream.read_exact(&mut answer).expect("an answer");
    assert_eq!(&answer, b"S");
    tls(world, stream, &world.names.server).expect("verified")
}

fn start(stream: &mut Tls, user: &str) {
    let body = [&[0, 3, 0, 0][..], format!("user\0{user}\0database\0postgres\0\0").as_bytes()].concat();
    let length = u32::try_from(body.len() + 4).expect("short").to_be_bytes();
    stream.write_all(&[&length[..], &body].concat()).expect("started");
}

fn send(stream: &mut Tls, kind: u8, body: &str) {
    let length = u32::try_from(body.len() + 5).expect("short").to_be_bytes();
    stream.write_all(&[&[kind][..], &length, body.as_bytes(), &[0]].concat()).expect("sent");
}

#[test]
fn a_healthy_world_is_healthy() {
    let world = world("");
    let mut login =
        tls(&world, dial(first_of(&world, 443, 0)).expect("login"), "login.microsoftonline.com").expect("verified");
    let page = get(&mut login, "/common/v2.0/.well-known/openid-configuration", "");
    assert!(page.starts_with("HTTP/1.1 200") && page.contains("msgraph_host"), "{page}");

    // Eight addresses, and the four other ways to be public or an agent's, and two private ones: then comes Graph.
    let mut graph =
        tls(&world, dial(first_of(&world, 443, 14)).expect("graph"), "graph.microsoft.com").expect("verified");
    let page = get(&mut graph, "/v1.0/", "");
    assert!(page.starts_with("HTTP/1.1 401") && page.contains("x-ms-ags-diagnostic"), "{page}");

    let metadata: SocketAddr = world.env.iter().find(|(name, _)| name.starts_with("AZURE_POD")).expect("set").1
        ["http://".len()..]
        .parse()
        .expect("an address");
    let path = "/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https%3A%2F%2Fossrdbms-aad.database.windows.net";
    assert!(get(&mut dial(metadata).expect("metadata"), path, "").starts_with("HTTP/1.1 400"));
    let page = get(&mut dial(metadata).expect("metadata"), path, "Metadata: true\r\n");
    let token = world.secrets()[0].text.clone();
    assert!(page.contains(&token) && page.contains("Server: IMDS/"), "{page}");
    assert!(
        get(&mut dial(metadata).expect("metadata"), "/metadata/instance?api-version=2021-02-01", "Metadata: true\r\n")
            .contains(&world.names.vm)
    );

    let mut session = server(&world, 5432);
    start(&mut session, &world.names.user);
    assert_eq!(reply(&mut session).as_bytes(), b"R\0\0\0\x08\0\0\0\x03");
    send(&mut session, b'p', &token);
    assert!(reply(&mut session).contains("server_version"));
    send(&mut session, b'Q', "select current_user, current_database()");
    let row = reply(&mut session);
    assert!(row.contains(&world.names.user) && row.contains("SELECT 1") && row.ends_with('I'), "{row}");
    assert_eq!(world.passwords(), [token.into_bytes()]);
    assert_eq!(lab::secrets::leaks(world.secrets(), &[], &world.received()), Vec::<String>::new());
}

#[test]
fn whatever_has_no_rule_is_silent() {
    let world = world("[login]\ntcp = 'ok'\ntcp_of = ['refused', 'silent']");
    assert_eq!(dial(rule(&world, "::")).expect_err("silent").kind(), io::ErrorKind::TimedOut);
    assert_eq!(dial(first_of(&world, 443, 0)).expect_err("refused").kind(), io::ErrorKind::ConnectionRefused);
    assert_eq!(dial(first_of(&world, 443, 1)).expect_err("silent").kind(), io::ErrorKind::TimedOut);
    assert!(dial(first_of(&world, 443, 2)).is_ok());
}

#[test]
fn the_kernel_refuses_by_itself() {
    let world = world("[server]\naddresses = 2\ntcp_of = ['no-route', 'denied']");
    assert_eq!(dial(first_of(&world, 5432, 0)).expect_err("no route").kind(), io::ErrorKind::NetworkUnreachable);
    assert_eq!(dial(first_of(&world, 5432, 1)).expect_err("denied").kind(), io::ErrorKind::InvalidInput);
}

#[test]
fn other_clouds_and_other_names() {
    let china = world("[world]\ncloud = 'china'");
    assert!(china.names.server.ends_with(".chinacloudapi.cn"));
    let mut login = tls(&china, dial(first_of(&china, 443, 0)).expect("login"), "login.partner.microsoftonline.cn")
        .expect("verified");
    assert!(
        get(&mut login, "/common/v2.0/.well-known/openid-configuration", "")
            .contains("microsoftgraph.chinacloudapi.cn")
    );
    let address = world("[server]\nnamed = 'address'\naddresses = 2\ntls_of = ['ok', 'wrong-name']");
    let named: std::net::Ipv4Addr = values(&address, "--server")[0].parse().expect("an address");
    assert!(values(&address, "--connect-to").iter().any(|rule| rule.starts_with(&format!("{named}:5432:"))));
    assert_ne!(first_of(&address, 5432, 0), first_of(&address, 5432, 1));
}

#[test]
fn certificates_are_wrong_as_told() {
    let handshake = |fault: &str| {
        let world = world(&format!("[login]\ntls = '{fault}'"));
        tls(&world, dial(first_of(&world, 443, 0)).expect("login"), "login.microsoftonline.com").map(|_| ())
    };
    let refusal =
        |fault: &str| match handshake(fault).expect_err(fault).into_inner().expect(fault).downcast_ref::<Error>() {
            Some(Error::InvalidCertificate(wrong)) => wrong.clone(),
            other => panic!("{fault}: {other:?}"),
        };
    for fault in ["inspected", "unknown-issuer", "self-signed", "incomplete"] {
        assert_eq!(refusal(fault), CertificateError::UnknownIssuer, "{fault}");
    }
    assert!(matches!(refusal("expired"), CertificateError::ExpiredContext { .. }));
    assert!(matches!(refusal("not-yet-valid"), CertificateError::NotValidYetContext { .. }));
    assert!(matches!(refusal("wrong-name"), CertificateError::NotValidForNameContext { .. }));
    assert!(handshake("inspected-trusted").is_ok());
    for (fault, kind) in [
        ("silent", io::ErrorKind::WouldBlock),
        ("reset", io::ErrorKind::ConnectionReset),
        ("closed", io::ErrorKind::UnexpectedEof),
        ("alert", io::ErrorKind::InvalidData),
        ("plain-http", io::ErrorKind::InvalidData),
    ] {
        assert_eq!(handshake(fault).expect_err(fault).kind(), kind, "{fault}");
    }
}

#[test]
fn the_proxy_wants_its_password() {
    let connect = |credentials: &str, header: bool| {
        let world = world(&format!("[proxy]\nmode = 'auth'\ncredentials = '{credentials}'"));
        let url = world.env.iter().find(|(name, _)| name == "HTTPS_PROXY").expect("set").1.clone();
        let (userinfo, address) = url["http://".len()..].rsplit_once('@').unwrap_or(("", &url["http://".len()..]));
        let mut stream = dial(address.parse().expect("an address")).expect("the proxy");
        let basic = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, userinfo);
        let header = if header { format!("Proxy-Authorization: Basic {basic}\r\n") } else { String::new() };
        write!(stream, "CONNECT login.microsoftonline.com:443 HTTP/1.1\r\nHost: x\r\n{header}\r\n").expect("sent");
        let head = reply(&mut stream);
        let direct = dial(first_of(&world, 443, 0)).map(|_| ()).expect_err("direct is silent").kind();
        assert_eq!(direct, io::ErrorKind::TimedOut);
        let verified = tls(&world, stream, "login.microsoftonline.com").is_ok();
        (head.lines().next().unwrap_or_default().to_owned(), head.contains("Proxy-Authenticate: Basic"), verified)
    };
    assert_eq!(connect("right", true), ("HTTP/1.1 200 Connection established".to_owned(), false, true));
    assert_eq!(connect("wrong", true), ("HTTP/1.1 407 Proxy Authentication Required".to_owned(), true, false));
    assert_eq!(connect("none", false), ("HTTP/1.1 407 Proxy Authentication Required".to_owned(), true, false));
}

#[test]
fn an_unknown_role_is_asked_for_scram_and_a_leak_is_noticed() {
    let world = world("[server]\nrole = false\nport = 6432");
    assert!(values(&world, "--server")[0].ends_with(":6432"));
    let mut session = server(&world, 6432);
    start(&mut session, &world.names.user);
    assert!(reply(&mut session).contains("SCRAM-SHA-256"));
    send(&mut session, b'p', &world.secrets()[0].text.clone());
    assert!(reply(&mut session).contains("28P01"));
    assert_eq!(lab::secrets::leaks(world.secrets(), &[], &world.received()).len(), 1);
}

#[test]
fn errors_come_when_told() {
    for (at, before) in [("before-token", true), ("after-authentication", false)] {
        let world = world(&format!(
            "[server.error]\nsqlstate = '3D000'\nmessage = 'database \"{{database}}\" does not exist'\nat = '{at}'"
        ));
        let mut session = server(&world, 5432);
        start(&mut session, &world.names.user);
        let first = reply(&mut session);
        let said = if before {
            first
        } else {
            send(&mut session, b'p', &world.secrets()[0].text.clone());
            reply(&mut session)
        };
        assert!(said.contains("C3D000\0Mdatabase \"postgres\" does not exist\0"), "{said:?}");
        assert_eq!(said.starts_with('R'), !before);
    }
}
