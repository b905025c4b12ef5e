//! Certificates: a root, the issuers that real chains have, leaves, and every way in which a chain can be wrong. Keys are made at start.

use fastrand::Rng;
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, SerialNumber,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use time::{Duration, OffsetDateTime};

use crate::names::pick;
use crate::scenario::{Appliance, Tls};

type Oops = rcgen::Error;

/// A name of a certificate: common name, organisation, country.
type Name<'a> = (&'a str, &'a str, &'a str);

/// How inspecting appliances name their authorities, where a public source says so.
const SOURCED: [Name<'_>; 6] = [
    ("Zscaler Root CA", "Zscaler Inc.", "US"),
    ("FGT60FTK20012345", "Fortinet", "US"),
    ("PAN-FW Decryption CA", "Palo Alto Networks", "US"),
    ("caadmin.netskope.com", "Netskope Inc.", "US"),
    ("Sophos SSL CA", "Sophos", "GB"),
    ("Cisco Umbrella Root CA", "Cisco", "US"),
];
/// The same, inferred or from memory: nothing is certain on these.
const RECALLED: [Name<'_>; 3] = [
    ("Blue Coat SG-Series CA", "Blue Coat Systems", "US"),
    ("Check Point Gateway CA", "Check Point Software Technologies", "IL"),
    ("Azure Firewall Manager CA", "Microsoft Azure Firewall Manager", "US"),
];

/// An authority with its key.
pub struct Authority {
    params: CertificateParams,
    key: KeyPair,
    certificate: Certificate,
}

impl Authority {
    fn root(name: Name<'_>, rng: &mut Rng) -> Result<Authority, Oops> {
        let params = authority(name, rng, 3650);
        let key = KeyPair::generate()?;
        let certificate = params.self_signed(&key)?;
        Ok(Authority { params, key, certificate })
    }

    fn intermediate(name: Name<'_>, parent: &Authority, rng: &mut Rng) -> Result<Authority, Oops> {
        let mut params = authority(name, rng, 900);
        // As real ones do: by name alone, OpenSSL takes one of two roots of the same name for the other.
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &parent.issuer())?;
        Ok(Authority { params, key, certificate })
    }

    fn issuer(&self) -> Issuer<'_, &KeyPair> {
        Issuer::from_params(&self.params, &self.key)
    }

    pub fn pem(&self) -> String {
        self.certificate.pem()
    }
}

/// All authorities of one world.
pub struct Authorities {
    pub root: Authority,
    /// One of Microsoft's issuing authorities of 2026, one of DigiCert's.
    issuing: [Authority; 2],
    /// The middlebox that signs certificates anew.
    pub appliance: Authority,
    /// An authority that nobody has heard of.
    stranger: Authority,
    /// For SSL_CERT_FILE: a root that signed nothing here.
    pub unrelated: Authority,
}

/// A chain as a server shows it, with the key of its leaf.
pub struct Chain {
    pub certificates: Vec<CertificateDer<'static>>,
    pub key: PrivateKeyDer<'static>,
}

impl Authorities {
    /// # Errors
    /// When keys or certificates cannot be made.
    pub fn make(rng: &mut Rng, company: &str, appliance: Appliance) -> Result<Authorities, Oops> {
        let root = Authority::root(("DigiCert Global Root G2", "DigiCert Inc", "US"), rng)?;
        let microsoft = format!("Microsoft TLS G2 RSA CA OCSP {:02}", 2 * rng.u8(1..9));
        let issuing = [
            Authority::intermediate((&microsoft, "Microsoft Corporation", "US"), &root, rng)?,
            Authority::intermediate(("DigiCert Global G2 TLS RSA SHA256 2020 CA1", "DigiCert Inc", "US"), &root, rng)?,
        ];
        let appliance = match appliance {
            Appliance::Sourced => *pick(rng, &SOURCED),
            Appliance::Recalled => *pick(rng, &RECALLED),
        };
        let stranger = format!("{company} lab issuing {}", rng.u16(100..999));
        Ok(Authorities {
            root,
            issuing,
            appliance: Authority::root(appliance, rng)?,
            stranger: Authority::root((&stranger, &format!("{company} test bench"), "NL"), rng)?,
            unrelated: Authority::root(("Unrelated Root R1", "Nobody Trust Services", "CH"), rng)?,
        })
    }

    /// A chain for a host; the first name is the one that clients ask for.
    ///
    /// # Errors
    /// When keys or certificates cannot be made.
    pub fn chain(&self, rng: &mut Rng, names: &[String], other: &str, tls: Tls) -> Result<Chain, Oops> {
        let (day, minute) = (Duration::DAY, Duration::MINUTE);
        let now = OffsetDateTime::now_utc();
        let (from, until) = match tls {
            // A clock that is off by hours explains these, one that is right does not.
            Tls::Expired => (now - 370 * day, now - minute * i32::from(rng.u8(20..100))),
            Tls::NotYetValid => (now + minute * i32::from(rng.u8(20..100)), now + 300 * day),
            _ => (now - day * i32::from(rng.u8(5..80)), now + day * i32::from(rng.u8(90..180))),
        };
        let wrong = [other.to_owned()];
        let names = if tls == Tls::WrongName { &wrong[..] } else { names };
        let subject = names.first().map_or("localhost", String::as_str);
        let mut all = names.to_vec();
        if tls == Tls::ManyNames {
            all.extend((0..1000).map(|place| format!("tenant-{place:04}.{subject}")));
        }
        let mut params = CertificateParams::new(all)?;
        params.distinguished_name = distinguished((subject, "Microsoft Corporation", "US"));
        params.not_before = from;
        params.not_after = until;
        params.serial_number = Some(serial(rng));
        params.is_ca = IsCa::ExplicitNoCa;
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let key = KeyPair::generate()?;
        let (leaf, above) = match tls {
            Tls::SelfSigned => {
                params.distinguished_name = distinguished((subject, "Snake Oil", "US"));
                (params.self_signed(&key)?, None)
            }
            Tls::Inspected | Tls::InspectedTrusted => {
                (params.signed_by(&key, &self.appliance.issuer())?, Some(&self.appliance))
            }
            Tls::UnknownIssuer => (params.signed_by(&key, &self.stranger.issuer())?, Some(&self.stranger)),
            _ => {
                let issuing = pick(rng, &self.issuing);
                (params.signed_by(&key, &issuing.issuer())?, (tls != Tls::Incomplete).then_some(issuing))
            }
        };
        let mut certificates = vec![leaf.der().clone()];
        certificates.extend(above.map(|authority| authority.certificate.der().clone()));
        Ok(Chain { certificates, key: PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())) })
    }
}

fn authority(name: Name<'_>, rng: &mut Rng, days: i64) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = distinguished(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
    params.not_before = OffsetDateTime::now_utc() - Duration::days(days);
    params.not_after = OffsetDateTime::now_utc() + Duration::days(days);
    params.serial_number = Some(serial(rng));
    params
}

fn distinguished((common, organisation, country): Name<'_>) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CountryName, country);
    name.push(DnType::OrganizationName, organisation);
    name.push(DnType::CommonName, common);
    name
}

fn serial(rng: &mut Rng) -> SerialNumber {
    SerialNumber::from_slice(&(rng.u128(..) >> 1).to_be_bytes())
}
