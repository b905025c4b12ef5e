//! TLS with the platform's roots: the chain is kept also when it is refused, and only a verified stream can carry a secret.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::dial::Watch;
use super::{Failed, failed, within};
use crate::evidence::{Certificate, Detail, Recorder, TlsHandshake};
use crate::failure::Outcome;

/// A certificate chain longer than this is not a polite peer's.
const CHAIN: usize = 12;
const NAMES: usize = 40;

/// A stream whose peer proved to be the host that the user named. There is no other way to make one.
pub(crate) struct Verified<S>(S);

impl<S> Verified<S> {
    pub(crate) fn stream(&mut self) -> &mut S {
        &mut self.0
    }

    pub(crate) fn into_stream(self) -> S {
        self.0
    }
}

/// Trusted roots, read once.
#[derive(Clone)]
pub(crate) struct Trust {
    roots: Arc<RootCertStore>,
    /// What could not be read of the platform's roots.
    notes: Arc<[String]>,
    provider: Arc<CryptoProvider>,
    /// P-256 first: PostgreSQL up to 17 asks X25519-first clients to start over, which costs a round trip.
    postgres_provider: Arc<CryptoProvider>,
}

impl Trust {
    /// The platform's roots (`SSL_CERT_FILE` and `SSL_CERT_DIR` replace them, as in OpenSSL) and `more`.
    pub(crate) fn load(more: &[CertificateDer<'static>]) -> Trust {
        let native = rustls_native_certs::load_native_certs();
        let notes = native.errors.iter().take(5).map(ToString::to_string).collect();
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(native.certs);
        roots.add_parsable_certificates(more.iter().cloned());
        let mut postgres_provider = ring::default_provider();
        postgres_provider.kx_groups.sort_by_key(|group| group.name() != rustls::NamedGroup::secp256r1);
        Trust {
            roots: Arc::new(roots),
            notes,
            provider: Arc::new(ring::default_provider()),
            postgres_provider: Arc::new(postgres_provider),
        }
    }

    pub(crate) fn notes(&self) -> Vec<String> {
        self.notes.to_vec()
    }

    pub(crate) fn count(&self) -> usize {
        self.roots.len()
    }

    /// A configuration for an HTTP client library: verified as everything else is.
    pub(crate) fn client(&self) -> Result<ClientConfig, rustls::Error> {
        self.config(false, &Arc::new(Witness::new(self)))
    }

    fn config(&self, postgres: bool, witness: &Arc<Witness>) -> Result<ClientConfig, rustls::Error> {
        let provider = if postgres { &self.postgres_provider } else { &self.provider };
        let mut config = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(witness.clone())
            .with_no_client_auth();
        // A resumed session shows no certificates, and early data would be a second way for a secret to leave.
        config.resumption = rustls::client::Resumption::disabled();
        Ok(config)
    }
}

/// Performs the handshake and keeps what the peer showed.
pub(crate) async fn handshake<S>(
    recorder: &Recorder,
    subject: &str,
    (stream, peer): (S, Option<SocketAddr>),
    host: &str,
    (trust, postgres): (&Trust, bool),
    patience: Duration,
    watch: Option<Watch>,
) -> Result<Verified<TlsStream<S>>, Outcome>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let detail = TlsHandshake {
        peer,
        name: host.to_owned(),
        version: None,
        cipher: None,
        group: None,
        chain: Vec::new(),
        acknowledged: None,
    };
    let mut pending = recorder.begin(subject, format!("TLS with {host}"), Detail::TlsHandshake(detail));
    let witness = Arc::new(Witness::new(trust));
    let result = within(patience, async {
        let config = trust.config(postgres, &witness).map_err(|error| (Outcome::Other, Some(error.to_string())))?;
        let name =
            ServerName::try_from(host.to_owned()).map_err(|error| (Outcome::WrongName, Some(error.to_string())))?;
        TlsConnector::from(Arc::new(config)).connect(name, stream).await.map_err(|error| classify(&error))
    })
    .await;
    if let Detail::TlsHandshake(detail) = &mut pending.detail {
        detail.chain = witness.chain();
        if let Err((Outcome::Timeout, _)) = &result {
            detail.acknowledged = watch.as_ref().and_then(Watch::acknowledged);
        }
        if let Ok(stream) = &result {
            let session = stream.get_ref().1;
            detail.version = session.protocol_version().and_then(|version| version.as_str()).map(str::to_owned);
            detail.cipher =
                session.negotiated_cipher_suite().and_then(|suite| suite.suite().as_str()).map(str::to_owned);
            detail.group = session.negotiated_key_exchange_group().map(|group| format!("{:?}", group.name()));
        }
    }
    match result {
        Ok(stream) => {
            pending.end(Outcome::Ok, None);
            Ok(Verified(stream))
        }
        Err((outcome, error)) => {
            pending.end(outcome, error);
            Err(outcome)
        }
    }
}

/// Whether the peer answers a ClientHello at all; what it shows is judged by nobody.
pub(crate) async fn answers<S>(stream: S, name: &str, trust: &Trust) -> Failed
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let witness = Arc::new(Witness::new(trust));
    let result = async {
        let config = trust.config(false, &witness).map_err(|error| (Outcome::Other, Some(error.to_string())))?;
        let name =
            ServerName::try_from(name.to_owned()).map_err(|error| (Outcome::WrongName, Some(error.to_string())))?;
        TlsConnector::from(Arc::new(config)).connect(name, stream).await.map_err(|error| classify(&error))
    };
    match result.await {
        Ok(_) => (Outcome::Ok, None),
        // A certificate for another name is an answer.
        Err(_) if !witness.chain().is_empty() => (Outcome::Ok, None),
        Err(failure) => failure,
    }
}

fn classify(error: &io::Error) -> Failed {
    let Some(tls) = inner(error) else {
        return match Outcome::of_io(error) {
            Outcome::Other if error.to_string().contains("eof") => (Outcome::Closed, Some(error.to_string())),
            outcome => (outcome, Some(error.to_string())),
        };
    };
    let outcome = match tls {
        rustls::Error::InvalidCertificate(certificate) => match certificate {
            CertificateError::UnknownIssuer => Outcome::UnknownIssuer,
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => Outcome::WrongName,
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => Outcome::Expired,
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => Outcome::NotYetValid,
            _ => Outcome::BadCertificate,
        },
        rustls::Error::AlertReceived(_) => Outcome::Alert,
        rustls::Error::InvalidMessage(_) => Outcome::Garbage,
        rustls::Error::PeerIncompatible(_)
        | rustls::Error::PeerMisbehaved(_)
        | rustls::Error::InappropriateMessage { .. } => Outcome::Other,
        _ => Outcome::Other,
    };
    (outcome, Some(tls.to_string()))
}

/// The rustls error inside an I/O error. `source()` of a custom error would skip it.
fn inner(error: &io::Error) -> Option<&rustls::Error> {
    let mut current = error.get_ref()?;
    loop {
        if let Some(tls) = current.downcast_ref::<rustls::Error>() {
            return Some(tls);
        }
        current = current.downcast_ref::<io::Error>()?.get_ref()?;
    }
}

/// Verifies like webpki, and remembers the chain.
#[derive(Debug)]
struct Witness {
    verifier: Option<Arc<WebPkiServerVerifier>>,
    provider: Arc<CryptoProvider>,
    seen: Mutex<Vec<CertificateDer<'static>>>,
}

impl Witness {
    fn new(trust: &Trust) -> Witness {
        // Without any root there is no verifier, and every chain is refused below.
        let verifier =
            WebPkiServerVerifier::builder_with_provider(trust.roots.clone(), trust.provider.clone()).build().ok();
        Witness { verifier, provider: trust.provider.clone(), seen: Mutex::default() }
    }

    fn chain(&self) -> Vec<Certificate> {
        let seen = self.seen.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        seen.iter().map(certificate).collect()
    }
}

impl ServerCertVerifier for Witness {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let chain =
            std::iter::once(end_entity).chain(intermediates).take(CHAIN).map(|der| der.clone().into_owned()).collect();
        *self.seen.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = chain;
        match &self.verifier {
            Some(verifier) => verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now),
            None => Err(rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer)),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

fn certificate(der: &CertificateDer<'static>) -> Certificate {
    use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};
    let Ok((_, parsed)) = X509Certificate::from_der(der) else {
        return Certificate {
            subject: "unreadable".to_owned(),
            issuer: String::new(),
            names: Vec::new(),
            not_before: 0,
            not_after: 0,
        };
    };
    let names = parsed.subject_alternative_name().ok().flatten().map(|extension| {
        let named = extension.value.general_names.iter().filter_map(|name| match name {
            GeneralName::DNSName(name) => Some((*name).to_owned()),
            GeneralName::IPAddress(bytes) => Some(address(bytes)),
            _ => None,
        });
        named.take(NAMES).collect()
    });
    Certificate {
        subject: super::quote(parsed.subject().to_string().as_bytes()),
        issuer: super::quote(parsed.issuer().to_string().as_bytes()),
        names: names.unwrap_or_default(),
        not_before: parsed.validity().not_before.timestamp(),
        not_after: parsed.validity().not_after.timestamp(),
    }
}

fn address(bytes: &[u8]) -> String {
    if let Ok(four) = <[u8; 4]>::try_from(bytes) {
        return std::net::Ipv4Addr::from(four).to_string();
    }
    <[u8; 16]>::try_from(bytes)
        .map_or_else(|_| "unreadable address".to_owned(), |sixteen| std::net::Ipv6Addr::from(sixteen).to_string())
}

/// Failures of reading and writing on a stream that was verified.
pub(crate) fn stream_failed(error: &io::Error) -> Failed {
    if inner(error).is_some() { classify(error) } else { failed(error) }
}
