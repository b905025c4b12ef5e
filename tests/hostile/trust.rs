//! Certificates of the hostile peers: the client trusts their root, so that they get to speak inside TLS.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use fastrand::Rng;
use lab::ca::{Authorities, Chain};
use lab::scenario::{Appliance, Tls};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::act::{ESCAPES, Shown};
use super::program::Scratch;

/// The authorities of one world's hostile peers, and the file by which the client trusts their root.
pub struct Trusted {
    authorities: Authorities,
    names: Vec<String>,
    sides: Mutex<HashMap<Shown, Arc<ServerConfig>>>,
    roots: PathBuf,
    _scratch: Scratch,
}

impl Trusted {
    pub fn new(names: Vec<String>) -> Trusted {
        let authorities = Authorities::make(&mut Rng::new(), "hostile", Appliance::Sourced).expect("authorities");
        let scratch = Scratch::new();
        let roots = scratch.file("roots.pem");
        std::fs::write(&roots, authorities.root.pem()).expect("a file");
        Trusted { authorities, names, sides: Mutex::default(), roots, _scratch: scratch }
    }

    /// For SSL_CERT_FILE.
    pub fn roots(&self) -> &Path {
        &self.roots
    }

    pub fn side(&self, shown: Shown) -> Arc<ServerConfig> {
        self.sides.lock().expect("no peer panics").entry(shown).or_insert_with(|| self.make(shown)).clone()
    }

    fn make(&self, shown: Shown) -> Arc<ServerConfig> {
        let chain = |names: &[String], tls| {
            self.authorities.chain(&mut Rng::new(), names, "other.example", tls).expect("a chain")
        };
        let chain = match shown {
            Shown::Good | Shown::Tickets => chain(&self.names, Tls::Ok),
            Shown::Hundred => {
                let mut chain = chain(&self.names, Tls::UnknownIssuer);
                let authority = chain.certificates.last().cloned().expect("an authority");
                chain.certificates.extend(std::iter::repeat_n(authority, 98));
                chain
            }
            Shown::Names(count) => {
                let many: Vec<String> = (0..count).map(|place| format!("host-{place}.example.com")).collect();
                chain(&[self.names.clone(), many].concat(), Tls::Ok)
            }
            Shown::Escapes => {
                let ascii: String = ESCAPES.chars().filter(char::is_ascii).collect();
                chain(&[format!("{ascii}.example"), "a\nb\x1b[2J.example".to_owned()], Tls::Ok)
            }
        };
        // Not every certificate here is one that a server of good faith would take: nobody looks at it on this side.
        let Chain { certificates, key } = chain;
        let provider = Arc::new(ring::default_provider());
        let key = provider.key_provider.load_private_key(key).expect("a key");
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(Always(Arc::new(CertifiedKey::new(certificates, key)))));
        if shown == Shown::Tickets {
            config.send_tls13_tickets = 20_000;
        }
        Arc::new(config)
    }
}

/// Shows the same chain to everybody.
#[derive(Debug)]
struct Always(Arc<CertifiedKey>);

impl ResolvesServerCert for Always {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.clone())
    }
}
