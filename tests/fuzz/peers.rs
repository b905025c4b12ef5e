//! Bytes of peers: a nameserver, a proxy, a web server, a PostgreSQL and its certificate. The seeds are what polite ones send.

use entra_preflight::fuzzing::{self, Peer};
use fastrand::Rng;
use lab::ca::Authorities;
use lab::scenario::{Appliance, Tls};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use super::driver::fuzz;

const HOST: &str = "orders.postgres.database.azure.com";

fn bytes(texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

/// An answer: its flags, then counts and records after the question for login.microsoftonline.com.
fn message(flags: [u8; 2], counts: [u8; 3], records: &[&[u8]]) -> Vec<u8> {
    let question = b"\x05login\x0fmicrosoftonline\x03com\0\0\x01\0\x01";
    let [answers, authorities, more] = counts;
    let head = [0, 0, flags[0], flags[1], 0, 1, 0, answers, 0, authorities, 0, more];
    [&head[..], question, &records.concat()].concat()
}

#[test]
fn dns() {
    let alias: &[u8] = b"\xc0\x0c\0\x05\0\x01\0\0\0\x3c\0\x07\x04prda\xc0\x12";
    let address: &[u8] = b"\xc0\x37\0\x01\0\x01\0\0\0\x3c\0\x04\x14\xbe\x97\x07";
    let own: &[u8] = b"\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04\x14\xbe\x97\x07";
    let zone: &[u8] =
        b"\xc0\x12\0\x06\0\x01\0\0\0\x3c\0\x1a\x02ns\xc0\x12\0\0\0\0\x01\0\0\0\x02\0\0\0\x03\0\0\0\x04\0\0\0\x05";
    let edns: &[u8] = b"\0\0\x29\x04\xd0\0\0\0\0\0\0";
    let text: &[u8] = b"\xc0\x0c\0\x10\0\x01\0\0\0\x3c\0\x06\x05hello";
    let seeds = vec![
        message([0x81, 0x80], [1, 0, 0], &[own]),
        message([0x81, 0x80], [2, 0, 1], &[alias, address, edns]),
        message([0x81, 0x83], [0, 1, 1], &[zone, edns]),
        message([0x81, 0x80], [0, 1, 0], &[zone]),
        message([0x81, 0x85], [0, 0, 0], &[]),
        message([0x83, 0x80], [0, 0, 0], &[]),
        message([0x81, 0x80], [1, 0, 0], &[text]),
    ];
    let words = [alias, address, own, zone, edns, text, b"\xc0\x0c", b"\xc0\xff", b"\xff\xff", b"\0\x41\0\x01"];
    fuzz("dns", seeds, &words, fuzzing::dns);
}

const HTTP: [&[u8]; 12] = [
    b"HTTP/1.1 ",
    b"\r\n\r\n",
    b"\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Content-Length: ",
    b"ffffffffffffffff",
    b": ",
    b"100 Continue\r\n\r\n",
    b"Date: Tue, 24 Nov 2026 10:00:00 GMT\r\n",
    b"Connection: upgrade\r\n",
    b"0\r\n\r\n",
    b"\xc2\x9b\x1b[2J",
];

#[test]
fn connect_reply() {
    let seeds = bytes(&[
        "HTTP/1.1 200 Connection established\r\n\r\n",
        "HTTP/1.1 407 Proxy Authentication Required\r\nServer: squid/5.7\r\nX-Squid-Error: ERR_CACHE_ACCESS_DENIED 0\r\nProxy-Authenticate: Basic realm=\"x\"\r\nContent-Length: 2\r\n\r\nno",
        "HTTP/1.1 503 Service Unavailable\r\nVia: 1.1 proxy (squid)\r\n\r\n<html><title>no</title></html>",
        "HTTP/1.0 200 OK\r\n\r\nSSH-2.0-OpenSSH",
    ]);
    fuzz("connect-reply", seeds, &HTTP, fuzzing::connect_reply);
}

#[test]
fn socks_reply() {
    let seeds = vec![
        b"\x05\x02\x01\x00\x05\x00\x00\x01\x0a\x00\x00\x01\x04\x38".to_vec(),
        b"\x05\x00\x05\x00\x00\x03\x09a.example\x01\xbb".to_vec(),
        b"\x05\xff".to_vec(),
        b"\x05\x02\x01\x01".to_vec(),
        b"\x05\x00\x05\x02\x00\x01\x00\x00\x00\x00\x00\x00".to_vec(),
    ];
    fuzz("socks-reply", seeds, &[b"\x05\x00", b"\x05\x02", b"\x00\x04", b"\x03\xff"], fuzzing::socks_reply);
}

#[test]
fn http_reply() {
    let seeds = bytes(&[
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nDate: Tue, 24 Nov 2026 10:00:00 GMT\r\nContent-Length: 2\r\n\r\n{}",
        "HTTP/1.1 302 Found\r\nLocation: https://www.office.com/login\r\nServer: Microsoft-IIS/10.0\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 403 Forbidden\r\nTransfer-Encoding: chunked\r\nTrailer: x\r\n\r\n5;a=b\r\nhello\r\n0\r\nx: y\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 429 Too Many Requests\r\nRetry-After: 7\r\nConnection: close\r\n\r\nslow",
    ]);
    fuzz("http-reply", seeds, &HTTP, fuzzing::http_reply);
}

const JSON: [&[u8]; 14] = [
    b"\"access_token\":\"",
    b"\"token_type\":\"",
    b"Bearer",
    b"\"error_codes\":[",
    b"AADSTS",
    b"eyJ",
    b"\\u0000",
    b"\\ud800",
    b"[[[[[[[[",
    b"{\"compute\":",
    b"null",
    b"1e400",
    b"\x1b[2J",
    b"\xe2\x80\xae",
];

/// A status, chosen by the first byte of an input, and a body.
fn answered(input: &[u8], read: fn(u16, &[u8]) -> bool) {
    let Some((mark, body)) = input.split_first() else { return };
    let status = [200, 400, 401, 404, 429, 500][usize::from(*mark) % 6];
    let found = read(status, body);
    assert!(status == 200 || !found, "a token of HTTP {status}");
}

#[test]
fn token_reply() {
    let seeds = bytes(&[
        "\0{\"token_type\":\"Bearer\",\"expires_in\":3599,\"ext_expires_in\":3599,\"access_token\":\"eyJ0eXAi.eyJhdWQi.c2ln\"}",
        "\u{1}{\"error\":\"invalid_client\",\"error_description\":\"AADSTS7000215: Invalid client secret provided. Trace ID: a Correlation ID: b\",\"error_codes\":[7000215],\"timestamp\":\"2026-11-24 10:00:00Z\",\"trace_id\":\"a\",\"correlation_id\":\"b\"}",
        "\u{4}<html><title>Access denied</title></html>",
    ]);
    fuzz("token-reply", seeds, &JSON, |input| answered(input, fuzzing::token_reply));
}

#[test]
fn metadata_reply() {
    let seeds = bytes(&[
        "\0{\"access_token\":\"eyJ0eXAi.eyJhdWQi.c2ln\",\"client_id\":\"8d0c8b0e-0000-4000-8000-000000000002\",\"expires_on\":\"1795000000\",\"resource\":\"https://ossrdbms-aad.database.windows.net\",\"token_type\":\"Bearer\"}",
        "\u{1}{\"error\":\"invalid_request\",\"error_description\":\"Identity not found\"}",
        "\0{\"compute\":{\"azEnvironment\":\"AzurePublicCloud\",\"name\":\"vm-1\",\"resourceGroupName\":\"rg\",\"subscriptionId\":\"8d0c8b0e-0000-4000-8000-000000000003\"},\"network\":{\"interface\":[{\"ipv4\":{\"ipAddress\":[{\"privateIpAddress\":\"10.0.0.4\"}],\"subnet\":[{\"address\":\"10.0.0.0\",\"prefix\":\"24\"}]}}]}}",
        "\u{3}{\"statusCode\":500,\"message\":\"An unexpected error occurred\",\"correlationId\":\"b\"}",
    ]);
    fuzz("metadata-reply", seeds, &JSON, |input| answered(input, fuzzing::metadata_reply));
}

fn pg(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap_or_default();
    [&[kind][..], &length.to_be_bytes(), body].concat()
}

fn refusal() -> Vec<u8> {
    pg(
        b'E',
        b"SFATAL\0VFATAL\0C28P01\0Mpassword authentication failed for user \"app\"\0Fauth.c\0L323\0Rauth_failed\0\0",
    )
}

#[test]
fn ssl_answer() {
    let error = refusal();
    let seeds = [&b"S"[..], b"N", &error, b"HTTP/1.1 400 Bad Request\r\n", b"SSH-2.0-OpenSSH_9.2\r\n", b"\x15\x03\x03"];
    fuzz(
        "ssl-answer",
        seeds.map(<[u8]>::to_vec).to_vec(),
        &[b"E\0\0\0", b"Sx", b"\0\0", b"C28000\0"],
        fuzzing::ssl_answer,
    );
}

fn peer() -> (Peer, Vec<CertificateDer<'static>>) {
    let mut rng = Rng::new();
    let authorities = Authorities::make(&mut rng, "fuzz", Appliance::Sourced).expect("authorities");
    let root = CertificateDer::from_pem_slice(authorities.root.pem().as_bytes()).expect("a root");
    let chain =
        authorities.chain(&mut rng, &[HOST.to_owned(), "*.b.example".to_owned()], "x", Tls::Ok).expect("a chain");
    let shown = [chain.certificates.clone(), vec![root.clone()]].concat();
    (Peer::new(chain.certificates, chain.key, root).expect("a peer"), shown)
}

#[test]
fn login() {
    let ask = pg(b'R', &[0, 0, 0, 3]);
    let accept = [pg(b'R', &[0; 4]), pg(b'S', b"server_version\x0016.9\0"), pg(b'K', &[7; 8]), pg(b'Z', b"I")].concat();
    let row = [
        pg(b'T', b"\0\x01?column?\0\0\0\0\0\0\0\0\0\0\x19\xff\xff\xff\xff\xff\xff\0\0"),
        pg(b'D', b"\0\x02\0\0\0\x01x\xff\xff\xff\xff"),
        pg(b'C', b"SELECT 1\0"),
        pg(b'Z', b"I"),
    ]
    .concat();
    let scram = pg(b'R', b"\0\0\0\x0aSCRAM-SHA-256\0\0");
    let notice = pg(b'N', b"SNOTICE\0Mhello\0\0");
    let md5 = pg(b'R', b"\0\0\0\x05salt");
    let seeds = vec![
        [&ask[..], &accept, &row].concat(),
        [&ask[..], &refusal()].concat(),
        refusal(),
        scram.clone(),
        md5.clone(),
        [&notice[..], &ask, &notice, &accept, &row].concat(),
        [&ask[..], &accept, &refusal()].concat(),
    ];
    let error = refusal();
    let words = [
        &ask[..],
        &accept,
        &row,
        &scram,
        &md5,
        &notice,
        &error,
        b"\x7f\xff\xff\xff",
        b"\0\0\0\x04",
        b"D\0\0\0\x06\xff\xff",
    ];
    let (peer, _) = peer();
    fuzz("login", seeds, &words, |input| peer.login(HOST, input));
}

#[test]
fn certificate() {
    let (peer, shown) = peer();
    let seeds = shown.iter().map(|der| der.to_vec()).collect();
    let words: [&[u8]; 8] = [
        b"\x30\x82",
        b"\x30\x80",
        b"\x06\x03\x55\x1d\x11",
        b"\x82\x0b",
        b"\x17\x0d",
        b"\x18\x0f",
        b"\x0c\x84\xff",
        b"\x87\x10",
    ];
    fuzz("certificate", seeds, &words, |input| peer.certificate(HOST, input));
}
