//! Nameservers that send what no nameserver should. A polite one stands behind them: whatever the first does, the second is heard.

use super::act::{Act, ENDLESS, drip, hostile_text, repeat};
use super::message::{a, asked_type, cname, dns, labels, question};
use super::nameserver::{Dns, tcp, udp};
use super::row::{At, Row, play, row};

const POINTER: &[u8] = &[0xC0, 12];
/// Response, recursion desired and available.
const FLAGS: u16 = 0x8180;
/// A length before a message, as TCP has it.
fn framed(message: &[u8]) -> Vec<u8> {
    [&u16::try_from(message.len()).unwrap_or(u16::MAX).to_be_bytes()[..], message].concat()
}

fn answer(query: &[u8], count: u16, records: &[u8]) -> Vec<Vec<u8>> {
    vec![dns(query, FLAGS, [1, count, 0, 0], &[&question(query)[..], records].concat())]
}

fn at(dns: Dns) -> At {
    At::Nameserver(dns)
}

/// Over TCP: the answer to the question that follows its length.
fn told(answer: fn(&[u8]) -> Vec<u8>) -> At {
    at(tcp(vec![Act::Expect(b""), Act::Answer(answer), Act::Close]))
}

/// The second nameserver decides, and the first is remarked.
const HEARD: &[(&str, &str)] =
    &[("dns.login", "pass"), ("https.login", "pass"), ("dns.nameservers", "warn"), ("login.session", "pass")];
/// The answer is as good as any.
const TAKEN: &[(&str, &str)] = &[("dns.login", "pass|warn|fail|unknown"), ("server.tls", "pass|fail|unknown|skip")];

fn chain(query: &[u8], hops: u16) -> Vec<u8> {
    let name = |hop: u16| labels(&[format!("h{hop}").as_bytes(), b"example"]);
    let mut records = cname(POINTER, &name(0));
    for hop in 0..hops {
        records.extend(cname(&name(hop), &name(hop + 1)));
    }
    dns(query, FLAGS, [1, hops + 1, 0, 0], &[&question(query)[..], &records].concat())
}

fn table() -> Vec<Row> {
    vec![
        row("HD01 no DNS at all", at(udp(|_| vec![b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()])), HEARD, ""),
        row("HD01 empty datagram", at(udp(|_| vec![Vec::new()])), HEARD, ""),
        row(
            "HD02 pointer to itself",
            at(udp(|query| {
                answer(query, 1, &a(&[0xC0, u8::try_from(12 + question(query).len()).unwrap_or(0)], [20, 190, 160, 1]))
            })),
            HEARD,
            "",
        ),
        row("HD02 pointer forward", at(udp(|query| answer(query, 1, &a(&[0xC1, 0x80], [20, 190, 160, 1])))), HEARD, ""),
        row(
            "HD02 pointer past the end",
            at(udp(|query| answer(query, 1, &a(&[0xFF, 0xFF], [20, 190, 160, 1])))),
            HEARD,
            "",
        ),
        row(
            "HD03 a chain of pointers",
            at(udp(|query| {
                let start = 12 + question(query).len();
                let mut pointers: Vec<u8> = vec![0xC0, 12];
                for place in 0..127 {
                    let to = u16::try_from(start + 2 * place).unwrap_or(0) | 0xC000;
                    pointers.extend(to.to_be_bytes());
                }
                // The pointers hide in a record that nobody asked for; the answer's owner points to the last of them.
                let hidden = [
                    POINTER,
                    &[0, 16, 0, 1, 0, 0, 0, 60],
                    &u16::try_from(pointers.len()).unwrap_or(0).to_be_bytes(),
                    &pointers,
                ]
                .concat();
                let owner = u16::try_from(start + 12 + 2 * 127).unwrap_or(0) | 0xC000;
                answer(query, 2, &[&hidden[..], &a(&owner.to_be_bytes(), [20, 190, 160, 1])].concat())
            })),
            TAKEN,
            "",
        ),
        row(
            "HD05 no root label at the end",
            at(udp(|query| {
                vec![dns(query, FLAGS, [1, 1, 0, 0], &[&question(query)[..], &[3, b'a', b'b', b'c']].concat())]
            })),
            HEARD,
            "",
        ),
        row("HD05 counts of 65535", at(udp(|query| vec![dns(query, FLAGS, [0xFFFF; 4], &question(query))])), HEARD, ""),
        row(
            "HD06 a label of 64 letters",
            at(udp(|query| answer(query, 1, &a(&[&[64], &[b'a'; 64][..], &[0]].concat(), [20, 190, 160, 1])))),
            HEARD,
            "",
        ),
        row(
            "HD07 a record longer than its message",
            at(udp(|query| answer(query, 1, &[POINTER, &[0, 1, 0, 1, 0, 0, 0, 60, 0xFF, 0xFF, 1]].concat()))),
            HEARD,
            "",
        ),
        row(
            "HD07 an address of three bytes",
            at(udp(|query| answer(query, 1, &[POINTER, &[0, 1, 0, 1, 0, 0, 0, 60, 0, 3, 1, 2, 3]].concat()))),
            HEARD,
            "",
        ),
        row(
            "HD08 4000 names in 64 KiB",
            told(|query| {
                let query = &query[2.min(query.len())..];
                let mut records = Vec::new();
                for place in 0..4000_u16 {
                    // Each name points into the one before it.
                    let name = if place == 0 {
                        labels(&[b"a", b"b"])
                    } else {
                        [&[1, b'x'], &(0xC000_u16 | (12 + place % 400)).to_be_bytes()[..]].concat()
                    };
                    records.extend(a(&name, [20, 190, 160, 1]));
                }
                records.truncate(65_000);
                framed(&dns(query, FLAGS, [1, 3500, 0, 0], &[&question(query)[..], &records].concat()))
            }),
            HEARD,
            "",
        ),
        row("HD09 a length of 65535, dripped", at(tcp(vec![Act::Expect(b""), drip(vec![0xFF; 64], 300)])), HEARD, ""),
        row("HD09 a length of 0", at(tcp(vec![Act::Expect(b""), Act::Send(vec![0, 0])])), HEARD, ""),
        row("HD10 TCP never answers", at(tcp(vec![Act::Deaf])), HEARD, ""),
        row("HD10 TCP is reset", at(tcp(vec![Act::Expect(b""), Act::Reset])), HEARD, ""),
        row("HD10 TCP floods", at(tcp(vec![Act::Expect(b""), repeat(vec![0xC0; 4096], ENDLESS)])), HEARD, ""),
        row(
            "HD11 TC again over TCP",
            told(|query| {
                let query = &query[2.min(query.len())..];
                framed(&dns(query, FLAGS | 0x0200, [1, 0, 0, 0], &question(query)))
            }),
            TAKEN,
            "",
        ),
        row(
            "HD12 10000 forged answers a second",
            at(Dns {
                udp: |query| {
                    let mut forged = answer(query, 1, &a(POINTER, [6, 6, 6, 6])).remove(0);
                    forged[0] ^= 0x55;
                    vec![forged]
                },
                flood: true,
                tcp: Vec::new(),
            }),
            HEARD,
            "",
        ),
        row(
            "HD12 10000 broken answers a second",
            at(Dns { udp: |_| vec![vec![0xC0; 1200]], flood: true, tcp: Vec::new() }),
            HEARD,
            "",
        ),
        row(
            "HD13 an answer without its question",
            at(udp(|query| {
                vec![dns(
                    query,
                    FLAGS,
                    [0, 1, 0, 0],
                    &a(&labels(&[b"login", b"microsoftonline", b"com"]), [6, 6, 6, 6]),
                )]
            })),
            HEARD,
            "",
        ),
        row(
            "HD13 an error without its question",
            at(udp(|query| vec![dns(query, FLAGS | 2, [0; 4], b"")])),
            HEARD,
            "SERVFAIL",
        ),
        row(
            "HD13 another question",
            at(udp(|query| vec![dns(query, FLAGS, [1, 0, 0, 0], &[&labels(&[b"other"])[..], &[0, 1, 0, 1]].concat())])),
            HEARD,
            "",
        ),
        row(
            "HD14 garbage behind the last record",
            at(udp(|query| {
                let records = if asked_type(query) == 1 { a(POINTER, [20, 190, 160, 1]) } else { Vec::new() };
                let mut answer = answer(query, u16::from(!records.is_empty()), &records).remove(0);
                answer.extend_from_slice(&hostile_text());
                vec![answer]
            })),
            TAKEN,
            "",
        ),
        row(
            "HD15 an alias of itself",
            at(udp(|query| answer(query, 1, &cname(POINTER, POINTER)))),
            &[("dns.login", "fail")],
            "chain",
        ),
        row(
            "HD15 three aliases in a ring",
            at(udp(|query| {
                let [x, y] = [labels(&[b"x"]), labels(&[b"y"])];
                answer(query, 3, &[cname(POINTER, &x), cname(&x, &y), cname(&y, POINTER)].concat())
            })),
            &[("dns.login", "fail")],
            "chain",
        ),
        row(
            "HD15 a chain of 1000 aliases",
            told(|query| framed(&chain(&query[2.min(query.len())..], 1000))),
            &[("dns.login", "fail|unknown")],
            "",
        ),
        row(
            "HD20 NSEC3 and RRSIG of another zone",
            at(udp(|query| {
                let nsec3 = [
                    &labels(&[b"0p9mhaveqvm6t7vbl5lop2u3t2rp3tom", b"example"])[..],
                    &[0, 50, 0, 1, 0, 0, 0, 60, 0, 8, 1, 1, 0xFF, 0xFF, 0, 1, 0, 0],
                ]
                .concat();
                vec![dns(query, FLAGS | 3, [1, 0, 1, 0], &[&question(query)[..], &nsec3].concat())]
            })),
            TAKEN,
            "",
        ),
        row(
            "HD22 4000 addresses",
            told(|query| {
                let query = &query[2.min(query.len())..];
                let count: u16 = if asked_type(query) == 1 { 4000 } else { 0 };
                let records: Vec<u8> = (0..count)
                    .flat_map(|place| a(POINTER, [20, 190, (place / 250) as u8, (place % 250) as u8]))
                    .collect();
                framed(&dns(query, FLAGS, [1, count, 0, 0], &[&question(query)[..], &records].concat()))
            }),
            &[("https.login", "warn|fail"), ("server.tcp", "fail"), ("dns.nameservers", "warn|fail")],
            "",
        ),
        row(
            "HD23 escapes in an alias",
            at(udp(|query| {
                let target = labels(&[b"\x1b[2J\x1b]0;owned\x07", b"\x9b31m\xff\xfe", b"a\r\nb\0c"]);
                answer(query, 1, &cname(POINTER, &target))
            })),
            TAKEN,
            "",
        ),
        row(
            "HD24 an unknown rcode",
            at(udp(|query| vec![dns(query, FLAGS | 15, [1, 0, 0, 0], &question(query))])),
            HEARD,
            "RCODE15",
        ),
        row("HD25 a query instead of an answer", at(udp(|query| vec![query.to_vec()])), HEARD, ""),
    ]
}

#[test]
fn hostile_nameservers() {
    play(table());
}
