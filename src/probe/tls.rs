//! TLS: whom we trust, the handshake, and the probe of kind `tls`.
//!
//! Sessions are never resumed: a resumed one shows no certificate, and so hides that it has expired. A full handshake
//! costs about 0.3 ms of CPU, which buys the truth.

use super::certificate;
use super::context::Context;
use super::definition::{Reader, Unbuildable};
use super::place::{Place, PlaceText, Road, Wire};
use super::target::Target;
use super::trace::{Limits, Trace};
use super::{Blueprint, Doing, Probe};
use crate::core::evidence::{Layer, Verdict};
use crate::core::outcome::Reason;
use crate::core::time::Timestamp;
use rustls::client::Resumption;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{CertificateError, ClientConfig, Error, RootCertStore};
use std::sync::{Arc, OnceLock};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Whom we trust: the machine's certificate authorities, loaded once, and beside them those of a gateway's `ca_file`.
#[derive(Default)]
pub(crate) struct Trust {
    machine: OnceLock<(Arc<RootCertStore>, Arc<ClientConfig>)>,
}

/// How to greet one server.
pub(crate) struct Handshake {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
}

// === impl Trust ===

impl Trust {
    /// Returns how to shake hands with the server at `place`, trusting the gateway's `ca_file` too where it has one.
    pub(crate) fn handshake(&self, place: &Place, target: &Target) -> Result<Handshake, Unbuildable> {
        let (roots, usual) = self.machine.get_or_init(|| {
            let roots = Arc::new(machine_roots());
            (roots.clone(), config(roots))
        });
        let config = match target.value("ca_file") {
            None => usual.clone(),
            Some(path) => config(Arc::new(with_file(roots, path)?)),
        };
        let name = ServerName::try_from(place.host.trim_end_matches('.').to_owned());
        Ok(Handshake { config, name: name.map_err(|_| Unbuildable::BadPlace)? })
    }
}

fn config(roots: Arc<RootCertStore>) -> Arc<ClientConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring offers what TLS 1.2 and 1.3 need")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.resumption = Resumption::disabled();
    Arc::new(config)
}

/// Returns the machine's authorities; where it has none (an appliance without ca-certificates), Mozilla's.
fn machine_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    roots
}

fn with_file(roots: &RootCertStore, path: &str) -> Result<RootCertStore, Unbuildable> {
    let unusable = || Unbuildable::BadCaFile(path.to_owned());
    let mut roots = roots.clone();
    let before = roots.len();
    for certificate in CertificateDer::pem_file_iter(path).map_err(|_| unusable())? {
        roots.add(certificate.map_err(|_| unusable())?).map_err(|_| unusable())?;
    }
    if roots.len() == before { Err(unusable()) } else { Ok(roots) }
}

// === impl Handshake ===

impl Handshake {
    /// Shakes hands over an open connection, as the phase `tls`, and notes until when the certificate is valid.
    pub(crate) async fn shake<W: Wire>(
        &self,
        wire: W,
        trace: &mut Trace,
        limits: &Limits,
    ) -> Result<TlsStream<W>, Reason> {
        let mut until = None;
        let shaken = trace
            .phase(Layer::Tls, limits.tls, Reason::TlsTimeout, async {
                let connector = TlsConnector::from(self.config.clone());
                let shaken = connector.connect(self.name.clone(), wire).await;
                until = match &shaken {
                    Ok(stream) => valid_until(stream),
                    Err(error) => tls_error(error).and_then(expired_at),
                };
                shaken.map_err(|error| tls_error(&error).map_or(Reason::TlsFailed, reason))
            })
            .await;
        if let Some(until) = until {
            trace.certificate(until);
        }
        shaken
    }
}

fn valid_until<W>(stream: &TlsStream<W>) -> Option<Timestamp> {
    let certificates = stream.get_ref().1.peer_certificates()?;
    certificate::valid_until(certificates.first()?)
}

/// Finds what the TLS library said inside an I/O error.
fn tls_error(error: &std::io::Error) -> Option<&Error> {
    error.get_ref()?.downcast_ref()
}

/// Reads why a handshake failed.
fn reason(error: &Error) -> Reason {
    let Error::InvalidCertificate(certificate) = error else { return Reason::TlsFailed };
    match certificate {
        CertificateError::Expired
        | CertificateError::ExpiredContext { .. }
        | CertificateError::NotValidYet
        | CertificateError::NotValidYetContext { .. } => Reason::TlsExpired,
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            Reason::TlsWrongName
        }
        CertificateError::BadEncoding => Reason::TlsFailed,
        _ => Reason::TlsUntrusted,
    }
}

fn expired_at(error: &Error) -> Option<Timestamp> {
    match error {
        Error::InvalidCertificate(CertificateError::ExpiredContext { not_after, .. }) => {
            i64::try_from(not_after.as_secs()).ok().map(|secs| Timestamp::from_ms(secs.saturating_mul(1000)))
        }
        _ => None,
    }
}

// === the probe ===

/// Shakes hands and hangs up.
struct TlsProbe {
    road: Road,
}

struct Plan {
    place: PlaceText,
}

/// Reads the keys of kind `tls`.
pub(super) fn parse(reader: &mut Reader<'_>) -> Option<Box<dyn Blueprint>> {
    Some(Box::new(Plan { place: PlaceText::parse(reader)? }))
}

impl Blueprint for Plan {
    fn build(
        &self,
        target: &Target,
        context: &Context,
        limits: Limits,
    ) -> Result<Box<dyn Probe>, Unbuildable> {
        let place = self.place.fill(target, Some(443))?;
        let tls = Some(context.trust.handshake(&place, target)?);
        Ok(Box::new(TlsProbe { road: Road { place, tls, limits } }))
    }
}

impl Probe for TlsProbe {
    fn run<'a>(&'a self, context: &'a Context, trace: &'a mut Trace) -> Doing<'a, Result<Verdict, Reason>> {
        Box::pin(async move {
            self.road.open(context, trace).await?;
            Ok(Verdict::Fine)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_fault_of_a_certificate_has_its_reason() {
        let check = |error: CertificateError, expected| {
            assert_eq!(reason(&Error::InvalidCertificate(error.clone())), expected, "{error:?}");
        };
        check(CertificateError::Expired, Reason::TlsExpired);
        check(CertificateError::NotValidYet, Reason::TlsExpired);
        check(CertificateError::NotValidForName, Reason::TlsWrongName);
        check(CertificateError::UnknownIssuer, Reason::TlsUntrusted);
        check(CertificateError::BadSignature, Reason::TlsUntrusted);
        check(CertificateError::Revoked, Reason::TlsUntrusted);
        check(CertificateError::BadEncoding, Reason::TlsFailed);
        assert_eq!(reason(&Error::HandshakeNotComplete), Reason::TlsFailed);
    }
}
