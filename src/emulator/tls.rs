//! A certificate authority of one's own, and server certificates good and bad.
//!
//! Everything is made in memory on demand; a client trusts it by [`Authority::ca_pem`] alone.
//!
//! Invariant: the certificate for [`Certificate::Untrusted`] comes from another key than the
//! authority's, so no client that trusts the authority can accept it.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::desk::lock;
use super::handle::other;

const DAY: Duration = Duration::from_secs(86_400);

/// How long before the present a certificate that is valid now begins: clocks differ.
const BEGINS_BEFORE: Duration = Duration::from_secs(86_400);

/// What a server shows of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Certificate {
    /// Valid for 90 days.
    Good,
    /// Ran out yesterday.
    Expired,
    /// Begins tomorrow.
    NotYetValid,
    /// Valid, for another name.
    WrongName,
    /// Signed by itself: nobody vouches for it.
    Untrusted,
    /// Valid for so many days more.
    ExpiresIn {
        /// Days.
        days: u16,
    },
}

/// A certificate authority that lives as long as the process.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
    der: CertificateDer<'static>,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authority").finish_non_exhaustive()
    }
}

impl Authority {
    /// Makes an authority.
    ///
    /// # Errors
    /// The system gave no randomness, or the key could not be made.
    pub fn new() -> io::Result<Arc<Self>> {
        let key = KeyPair::generate().map_err(other)?;
        let mut params = CertificateParams::new(Vec::new()).map_err(other)?;
        params.distinguished_name.push(DnType::CommonName, "Wasl emulators: test authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = params.self_signed(&key).map_err(other)?;
        Ok(Arc::new(Self {
            pem: certificate.pem(),
            der: certificate.der().clone(),
            issuer: Issuer::new(params, key),
        }))
    }

    /// Returns the authority's certificate as PEM, for a client's `ca_file`.
    #[must_use]
    pub fn ca_pem(&self) -> &str {
        &self.pem
    }

    /// Returns the authority's certificate, for a client's root store.
    #[must_use]
    pub fn ca_der(&self) -> CertificateDer<'static> {
        self.der.clone()
    }

    /// Returns a server identity for these names (DNS names or addresses).
    #[must_use]
    pub fn identity(self: &Arc<Self>, names: &[&str]) -> Identity {
        Identity {
            authority: Arc::clone(self),
            names: names.iter().map(|name| (*name).to_owned()).collect(),
            made: Arc::default(),
        }
    }

    /// Makes a server's configuration that shows such a certificate for these names.
    ///
    /// # Errors
    /// A name cannot stand in a certificate, or the key could not be made.
    pub fn server(&self, names: &[String], kind: Certificate) -> io::Result<Arc<ServerConfig>> {
        let key = KeyPair::generate().map_err(other)?;
        let params = leaf(names, kind)?;
        let certificate = match kind {
            Certificate::Untrusted => params.self_signed(&key),
            _ => params.signed_by(&key, &self.issuer),
        };
        let chain = vec![certificate.map_err(other)?.der().clone()];
        let secret = PrivateKeyDer::try_from(key.serialize_der()).map_err(io::Error::other)?;
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(other)?
            .with_no_client_auth()
            .with_single_cert(chain, secret)
            .map_err(other)?;
        Ok(Arc::new(config))
    }
}

fn leaf(names: &[String], kind: Certificate) -> io::Result<CertificateParams> {
    let names = match kind {
        Certificate::WrongName => vec!["somebody-else.invalid".to_owned()],
        _ => names.to_vec(),
    };
    let mut params = CertificateParams::new(names).map_err(other)?;
    params.distinguished_name.push(DnType::CommonName, "Wasl emulators: server");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let (from, until) = match kind {
        Certificate::Good | Certificate::WrongName | Certificate::Untrusted => {
            (now.saturating_sub(BEGINS_BEFORE), now + DAY * 90)
        }
        Certificate::Expired => (now.saturating_sub(DAY * 30), now.saturating_sub(DAY)),
        Certificate::NotYetValid => (now + DAY, now + DAY * 90),
        Certificate::ExpiresIn { days } => (now.saturating_sub(BEGINS_BEFORE), now + DAY * u32::from(days)),
    };
    params.not_before = date_time_ymd(1970, 1, 1) + from;
    params.not_after = date_time_ymd(1970, 1, 1) + until;
    Ok(params)
}

/// A server's names and whatever certificates were made for them so far.
#[derive(Clone, Debug)]
pub struct Identity {
    authority: Arc<Authority>,
    names: Vec<String>,
    made: Arc<Mutex<BTreeMap<Certificate, Arc<ServerConfig>>>>,
}

impl Identity {
    /// Returns the configuration that shows such a certificate, made at its first use.
    ///
    /// # Errors
    /// As [`Authority::server`].
    pub fn config(&self, kind: Certificate) -> io::Result<Arc<ServerConfig>> {
        if let Some(config) = lock(&self.made).get(&kind) {
            return Ok(Arc::clone(config));
        }
        let config = self.authority.server(&self.names, kind)?;
        lock(&self.made).insert(kind, Arc::clone(&config));
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_certificate_can_be_made() {
        let authority = Authority::new().unwrap();
        assert!(authority.ca_pem().starts_with("-----BEGIN CERTIFICATE-----"));
        let identity = authority.identity(&["graph.test", "127.0.0.1"]);
        for kind in [
            Certificate::Good,
            Certificate::Expired,
            Certificate::NotYetValid,
            Certificate::WrongName,
            Certificate::Untrusted,
            Certificate::ExpiresIn { days: 3 },
        ] {
            let first = identity.config(kind).unwrap();
            assert!(Arc::ptr_eq(&first, &identity.config(kind).unwrap()));
        }
    }
}
