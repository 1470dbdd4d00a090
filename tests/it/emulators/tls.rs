//! Certificates good and bad, as a client that trusts only the authority sees them.

use std::io;
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{CertificateError, ClientConfig, Error, RootCertStore};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use wasl::emulator::tls::{Authority, Certificate};
use wasl::emulator::{Common, Fault, Mix, TlsFault, whatsapp};

use super::raw::QUIET;

async fn shake(authority: &Authority, addr: std::net::SocketAddr) -> io::Result<()> {
    let mut roots = RootCertStore::empty();
    roots.add(authority.ca_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let tcp = TcpStream::connect(addr).await?;
    let name = ServerName::try_from("graph.test").unwrap();
    let mut tls = TlsConnector::from(Arc::new(config)).connect(name, tcp).await?;
    tls.write_all(b"GET / HTTP/1.1\r\n\r\n").await
}

fn judgement(result: io::Result<()>) -> Option<CertificateError> {
    let error = result.unwrap_err();
    match error.get_ref()?.downcast_ref::<Error>()? {
        Error::InvalidCertificate(error) => Some(error.clone()),
        _ => None,
    }
}

#[tokio::test]
async fn a_client_sees_what_was_ordered() {
    let authority = Authority::new().unwrap();
    let options = whatsapp::Options {
        common: Common { tls: Some(authority.identity(&["graph.test"])), ..Common::default() },
        ..whatsapp::Options::default()
    };
    let handle = whatsapp::start(options).await.unwrap();
    let order = |fault| handle.fault(Fault::Tls(Mix::always(fault)));
    shake(&authority, handle.addr()).await.unwrap();
    order(TlsFault::Certificate(Certificate::ExpiresIn { days: 3 }));
    shake(&authority, handle.addr()).await.unwrap();

    order(TlsFault::Certificate(Certificate::Expired));
    assert!(matches!(
        judgement(shake(&authority, handle.addr()).await),
        Some(CertificateError::Expired | CertificateError::ExpiredContext { .. })
    ));
    order(TlsFault::Certificate(Certificate::NotYetValid));
    assert!(matches!(
        judgement(shake(&authority, handle.addr()).await),
        Some(CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. })
    ));
    order(TlsFault::Certificate(Certificate::WrongName));
    assert!(matches!(
        judgement(shake(&authority, handle.addr()).await),
        Some(CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. })
    ));
    order(TlsFault::Certificate(Certificate::Untrusted));
    assert!(matches!(
        judgement(shake(&authority, handle.addr()).await),
        Some(CertificateError::UnknownIssuer)
    ));
    order(TlsFault::Reset);
    let error = shake(&authority, handle.addr()).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    order(TlsFault::Hang);
    assert!(timeout(QUIET, shake(&authority, handle.addr())).await.is_err());
    handle.clear();
    shake(&authority, handle.addr()).await.unwrap();
}
