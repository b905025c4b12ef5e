//! Servers and login hosts that are not who the user named, against every credential: none of them gets a secret, and nothing is printed.
//!
//! An impostor goes along with whatever its client agrees to: a start in clear, an unverified handshake, any authentication. psql meets the
//! same impostors, and `cargo test --test all leak_table -- --nocapture` prints what it gave away beside what this program did.

mod entra;
mod ours;
mod postgres;
mod psql;

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use fastrand::Rng;
use lab::ca::Authorities;
use lab::scenario::{Appliance, Tls};
use lab::tls::Side;
use tokio::runtime::Runtime;

/// Where all impostors live.
fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
    })
}

/// Authorities, of which clients trust the root and the appliance.
struct Trust {
    authorities: Authorities,
    roots: PathBuf,
    directory: tempfile::TempDir,
}

impl Trust {
    fn new() -> Trust {
        let authorities = Authorities::make(&mut Rng::new(), "impostors", Appliance::Sourced).expect("authorities");
        let directory = tempfile::tempdir().expect("a directory");
        let roots = directory.path().join("roots.pem");
        std::fs::write(&roots, authorities.root.pem() + &authorities.appliance.pem()).expect("a file");
        Trust { authorities, roots, directory }
    }

    /// For SSL_CERT_FILE and sslrootcert.
    fn roots(&self) -> &Path {
        &self.roots
    }

    /// A home without anything in it.
    fn home(&self) -> &Path {
        self.directory.path()
    }

    /// What an impostor of this host shows. Who only inspects without being trusted is an unknown authority here.
    fn side(&self, host: &str, tls: Tls) -> Side {
        let chain = self.authorities.chain(&mut Rng::new(), &[host.to_owned()], "other.example", tls);
        Side::new(tls, chain.expect("a chain")).expect("a side")
    }
}
