//! A zone that is signed (DNSSEC, Ed25519): as much of it as one alias needs, in the text of a zone file.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{SHA256, digest};
use ring::signature::{Ed25519KeyPair, KeyPair};
use time::{Duration, OffsetDateTime};

const TTL: u32 = 60;
/// The numbers of RFC 4034 and RFC 8080: types, class IN, a zone's key that signs keys too, Ed25519, SHA-256.
const CNAME: u16 = 5;
const DNSKEY: u16 = 48;
const IN: u16 = 1;
const FLAGS: u16 = 257;
const PROTOCOL: u8 = 3;
const ED25519: u8 = 15;
const DIGEST: u8 = 2;

/// What is to be said of the alias's signature; the key's own is always right.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Validity {
    Right,
    Forged,
    Past,
}

pub(super) struct Zone {
    name: String,
    key: Ed25519KeyPair,
}

impl Zone {
    /// The zone in which this name stands, with a key of its own.
    pub(super) fn of(host: &str) -> Zone {
        let name = host.split_once('.').map_or(host, |(_, zone)| zone).to_owned();
        let seed = digest(&SHA256, name.as_bytes());
        let key = Ed25519KeyPair::from_seed_unchecked(seed.as_ref()).expect("a seed has 32 bytes");
        Zone { name, key }
    }

    /// What a validator must know: the digest of the key.
    pub(super) fn anchor(&self) -> String {
        let key = self.dnskey();
        let of = digest(&SHA256, &[wire(&self.name), key.clone()].concat());
        let digits: String = of.as_ref().iter().map(|byte| format!("{byte:02X}")).collect();
        format!("{}. IN DS {} {ED25519} {DIGEST} {digits}", self.name, tag(&key))
    }

    /// The key and both signatures. The alias itself stands in the zone file already.
    pub(super) fn records(&self, host: &str, target: &str, validity: Validity) -> String {
        let key = self.dnskey();
        let text = STANDARD.encode(self.key.public_key().as_ref());
        let of_key = self.signature(&self.name, DNSKEY, &key, Validity::Right);
        let of_alias = self.signature(host, CNAME, &wire(target), validity);
        format!(
            "{zone}. {TTL} IN DNSKEY {FLAGS} {PROTOCOL} {ED25519} {text}\n{zone}. {TTL} IN RRSIG DNSKEY {of_key}\n{host}. {TTL} IN RRSIG CNAME {of_alias}\n",
            zone = self.name
        )
    }

    fn dnskey(&self) -> Vec<u8> {
        [&FLAGS.to_be_bytes()[..], &[PROTOCOL, ED25519], self.key.public_key().as_ref()].concat()
    }

    /// The signature of a set of one record (RFC 4034, 3.1.8.1), as a zone file has it behind the covered type.
    fn signature(&self, owner: &str, kind: u16, data: &[u8], validity: Validity) -> String {
        let now = OffsetDateTime::now_utc();
        let begin = now - Duration::days(30);
        let end = if validity == Validity::Past { now - Duration::days(2) } else { now + Duration::days(30) };
        let labels = u8::try_from(owner.split('.').count()).unwrap_or(u8::MAX);
        let tag = tag(&self.dnskey());
        let second = |time: OffsetDateTime| u32::try_from(time.unix_timestamp()).unwrap_or_default();
        let fields = [
            &kind.to_be_bytes()[..],
            &[ED25519, labels],
            &TTL.to_be_bytes(),
            &second(end).to_be_bytes(),
            &second(begin).to_be_bytes(),
            &tag.to_be_bytes(),
            &wire(&self.name),
        ]
        .concat();
        let length = u16::try_from(data.len()).unwrap_or_default();
        let record =
            [&wire(owner)[..], &kind.to_be_bytes(), &IN.to_be_bytes(), &TTL.to_be_bytes(), &length.to_be_bytes(), data]
                .concat();
        let mut signature = self.key.sign(&[fields, record].concat()).as_ref().to_vec();
        if validity == Validity::Forged {
            signature[0] ^= 1;
        }
        format!(
            "{ED25519} {labels} {TTL} {} {} {tag} {}. {}",
            moment(end),
            moment(begin),
            self.name,
            STANDARD.encode(signature)
        )
    }
}

fn moment(time: OffsetDateTime) -> String {
    let (year, month, day) = time.to_calendar_date();
    let (hour, minute, second) = time.to_hms();
    format!("{year:04}{:02}{day:02}{hour:02}{minute:02}{second:02}", u8::from(month))
}

/// A name in its canonical wire form.
fn wire(name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for label in name.to_ascii_lowercase().split('.') {
        bytes.push(u8::try_from(label.len()).unwrap_or_default());
        bytes.extend_from_slice(label.as_bytes());
    }
    bytes.push(0);
    bytes
}

/// RFC 4034, appendix B.
fn tag(key: &[u8]) -> u16 {
    let sum = key.iter().enumerate().fold(0_u32, |sum, (place, byte)| {
        let byte = u32::from(*byte);
        sum + if place % 2 == 0 { byte << 8 } else { byte }
    });
    u16::try_from((sum + (sum >> 16)) & 0xffff).unwrap_or_default()
}
