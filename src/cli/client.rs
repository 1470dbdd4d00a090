//! The running service, as the client commands talk to it: JSON over HTTP with a token.
//!
//! Invariant: the token goes to the given URL alone (no redirect is followed) and into no message or log.

use super::Failure;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::{Method, Request, Response, Uri, header};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client as Pool;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use std::path::PathBuf;
use std::time::Duration;

/// Where the service listens unless the file says otherwise.
const URL_DEFAULT: &str = "http://127.0.0.1:8080";
/// The longest answer that is read: a page of 200 deliveries with all their attempts is well below.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;
/// How long an answer may take. The service itself waits up to 60 s for its disk.
const ANSWER_WAIT: Duration = Duration::from_secs(90);

/// How the service is reached.
#[derive(clap::Args, Debug)]
pub(super) struct At {
    /// Where the service listens; else WASL_URL, else http://127.0.0.1:8080
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// A file that holds the token; else WASL_TOKEN is used
    #[arg(long, value_name = "PATH")]
    token_file: Option<PathBuf>,
    /// A file of PEM certificates to trust beside the system's
    #[arg(long, value_name = "PATH")]
    ca_file: Option<PathBuf>,
    /// The service asks for no token: whatever the environment has is not for it.
    #[arg(skip)]
    is_open: bool,
}

/// A connection to the service.
pub(super) struct Client {
    pool: Pool<HttpsConnector<HttpConnector>, Full<Bytes>>,
    base: String,
    token: Option<String>,
    runtime: tokio::runtime::Runtime,
    /// How long an answer may take.
    patience: Duration,
}

impl At {
    /// Reaches a service that asks for no token.
    pub(super) fn to(url: String) -> At {
        At { url: Some(url), token_file: None, ca_file: None, is_open: true }
    }

    /// Prepares the connection; nothing is sent yet.
    pub(super) fn client(&self) -> Result<Client, Failure> {
        self.client_or(URL_DEFAULT)
    }

    /// Prepares the connection to `otherwise`, where nobody says where the service listens.
    pub(super) fn client_or(&self, otherwise: &str) -> Result<Client, Failure> {
        let url = self.url.clone().or_else(|| std::env::var("WASL_URL").ok().filter(|url| !url.is_empty()));
        let base = url.as_deref().unwrap_or(otherwise).trim_end_matches('/').to_string();
        let uri: Uri = base.parse().map_err(|_| Failure::Usage(format!("--url `{base}` is not a URL")))?;
        if uri.host().is_none() || !matches!(uri.scheme_str(), Some("http" | "https")) {
            return Err(Failure::Usage(format!("--url `{base}` is not a URL: write it as {URL_DEFAULT}")));
        }
        let connector = hyper_rustls::HttpsConnectorBuilder::new()
            .with_tls_config(self.tls()?)
            .https_or_http()
            .enable_http1()
            .build();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::Unreachable(format!("the system gives no event queue: {error}")))?;
        let pool = Pool::builder(TokioExecutor::new()).build(connector);
        Ok(Client { pool, base, token: self.token()?, runtime, patience: ANSWER_WAIT })
    }

    fn token(&self) -> Result<Option<String>, Failure> {
        if self.is_open {
            return Ok(None);
        }
        let Some(path) = &self.token_file else {
            return Ok(std::env::var("WASL_TOKEN").ok().filter(|token| !token.is_empty()));
        };
        let text = std::fs::read_to_string(path)
            .map_err(|error| Failure::Usage(format!("--token-file {}: {error}", path.display())))?;
        Ok(Some(text.trim().to_string()))
    }

    fn tls(&self) -> Result<rustls::ClientConfig, Failure> {
        let mut roots = rustls::RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if roots.is_empty() {
            roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        }
        if let Some(path) = &self.ca_file {
            use rustls::pki_types::{CertificateDer, pem::PemObject};
            let bad = |why: String| Failure::Usage(format!("--ca-file {}: {why}", path.display()));
            let certs: Vec<_> = CertificateDer::pem_file_iter(path)
                .and_then(Iterator::collect)
                .map_err(|error| bad(error.to_string()))?;
            if roots.add_parsable_certificates(certs).0 == 0 {
                return Err(bad("it holds no certificate".into()));
            }
        }
        let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("ring's provider has TLS 1.2 and 1.3")
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(config)
    }
}

impl Client {
    /// Waits no longer than this for each answer.
    pub(super) fn within(self, patience: Duration) -> Client {
        Client { patience, ..self }
    }

    /// Returns where the service is.
    pub(super) fn base(&self) -> &str {
        &self.base
    }

    /// Says whether it has a token to show.
    pub(super) fn has_token(&self) -> bool {
        self.token.is_some()
    }

    /// Reads.
    pub(super) fn get(&self, path: &str) -> Result<Value, Failure> {
        self.call(Method::GET, path, None, None)
    }

    /// Asks for a change.
    pub(super) fn post(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        self.call(Method::POST, path, Some(body.to_string()), None)
    }

    /// Asks for something by a body that is written already.
    pub(super) fn post_text(&self, path: &str, body: String) -> Result<Value, Failure> {
        self.call(Method::POST, path, Some(body), None)
    }

    /// Posts what is to be done once, however often it is asked for: under a key, the caller's or one of its own.
    pub(super) fn post_surely(
        &self,
        path: &str,
        body: String,
        key: Option<String>,
    ) -> Result<Value, Failure> {
        let key = key.map_or_else(random_key, Ok)?;
        match self.post_once(path, body.clone(), &key) {
            // Nobody can know whether it was taken: the key makes it safe to ask again.
            Err(Failure::Unreachable(_)) => self.post_once(path, body, &key),
            answer => answer,
        }
    }

    /// Asks for a change that is made once, however often it is asked for under the same key.
    fn post_once(&self, path: &str, body: String, key: &str) -> Result<Value, Failure> {
        self.call(Method::POST, path, Some(body), Some(key))
    }

    /// Follows a stream of server-sent events: `each` gets the event's name, its id and its data, until it says stop
    /// or the connection ends.
    pub(super) fn follow(
        &self,
        path: &str,
        last: Option<&str>,
        mut each: impl FnMut(&str, Option<&str>, &str) -> Go,
    ) -> Result<(), Failure> {
        self.runtime.block_on(async {
            let mut request = self.request(Method::GET, path, None, None)?;
            if let Some(id) = last.and_then(|id| id.parse().ok()) {
                request.headers_mut().insert("last-event-id", id);
            }
            let response = self.send(request).await?;
            let status = response.status();
            if !status.is_success() {
                return Err(refused(status, &read(response).await?, self.has_token()));
            }
            let (mut body, mut events) = (response.into_body(), Events::default());
            while let Some(frame) = body.frame().await {
                let Ok(frame) = frame else { return Ok(()) };
                let Some(bytes) = frame.data_ref() else { continue };
                if let Go::Stop = events.push(bytes, &mut each) {
                    return Ok(());
                }
            }
            Ok(())
        })
    }

    /// Reads an answer of any length, part by part. One that is not whole is an error, where the connection shows it.
    pub(super) fn download(
        &self,
        path: &str,
        mut each: impl FnMut(&[u8]) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        self.runtime.block_on(async {
            let request = self.request(Method::GET, path, None, None)?;
            let answered = tokio::time::timeout(ANSWER_WAIT, self.send(request)).await;
            let response = answered.map_err(|_| self.unreachable("it gave no answer in time"))??;
            let status = response.status();
            if !status.is_success() {
                return Err(refused(status, &read(response).await?, self.has_token()));
            }
            let mut body = response.into_body();
            while let Some(frame) =
                tokio::time::timeout(ANSWER_WAIT, body.frame()).await.map_err(|_| broke_off())?
            {
                if let Some(bytes) = frame.map_err(|_| broke_off())?.data_ref() {
                    each(bytes)?;
                }
            }
            Ok(())
        })
    }

    fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<String>,
        key: Option<&str>,
    ) -> Result<Value, Failure> {
        self.runtime.block_on(async {
            let request = self.request(method, path, body, key)?;
            let response = match tokio::time::timeout(self.patience, self.send(request)).await {
                Ok(response) => response?,
                Err(_) => return Err(self.unreachable("it gave no answer in time")),
            };
            let status = response.status();
            let text = read(response).await?;
            if !status.is_success() {
                return Err(refused(status, &text, self.has_token()));
            }
            serde_json::from_slice(&text).map_err(|_| self.unreachable("what answers there is not Wasl"))
        })
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        body: Option<String>,
        key: Option<&str>,
    ) -> Result<Request<Full<Bytes>>, Failure> {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.base));
        if let Some(token) = &self.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        if body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let bytes = body.map(Bytes::from).unwrap_or_default();
        request.body(Full::new(bytes)).map_err(|_| {
            Failure::Usage("the token, the key or the path holds a character that HTTP does not take".into())
        })
    }

    async fn send(&self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, Failure> {
        self.pool.request(request).await.map_err(|error| {
            use std::error::Error;
            let mut why = error.to_string();
            let mut source = error.source();
            while let Some(deeper) = source {
                why = deeper.to_string();
                source = deeper.source();
            }
            self.unreachable(&why)
        })
    }

    fn unreachable(&self, why: &str) -> Failure {
        Failure::Unreachable(format!(
            "the service at {} cannot be reached: {why}; start it with `wasl run`, or give --url",
            self.base
        ))
    }
}

/// Whether to read on.
pub(super) enum Go {
    On,
    Stop,
}

/// Puts server-sent events together from what the connection brings. Cites: HTML Living Standard, 9.2.6.
#[derive(Default)]
struct Events {
    line: Vec<u8>,
    name: String,
    id: Option<String>,
    data: String,
}

impl Events {
    fn push(&mut self, bytes: &[u8], each: &mut impl FnMut(&str, Option<&str>, &str) -> Go) -> Go {
        for byte in bytes {
            match byte {
                b'\n' => {
                    let line = String::from_utf8_lossy(&std::mem::take(&mut self.line)).into_owned();
                    if let Go::Stop = self.take(line.trim_end_matches('\r'), each) {
                        return Go::Stop;
                    }
                }
                _ if self.line.len() < ANSWER_BYTES_MAX => self.line.push(*byte),
                _ => {}
            }
        }
        Go::On
    }

    fn take(&mut self, line: &str, each: &mut impl FnMut(&str, Option<&str>, &str) -> Go) -> Go {
        if line.is_empty() {
            let (name, data) = (std::mem::take(&mut self.name), std::mem::take(&mut self.data));
            return if data.is_empty() { Go::On } else { each(&name, self.id.as_deref(), &data) };
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => self.name = value.into(),
            "id" => self.id = Some(value.into()),
            "data" if self.data.is_empty() => self.data = value.into(),
            "data" => self.data = format!("{}\n{value}", self.data),
            _ => {}
        }
        Go::On
    }
}

async fn read(response: Response<Incoming>) -> Result<Bytes, Failure> {
    let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX);
    match tokio::time::timeout(ANSWER_WAIT, body.collect()).await {
        Ok(Ok(whole)) => Ok(whole.to_bytes()),
        _ => Err(broke_off()),
    }
}

fn broke_off() -> Failure {
    Failure::Unreachable("the service's answer broke off".into())
}

/// Says in words why the service refused. Cites: RFC 9457.
fn refused(status: hyper::StatusCode, body: &[u8], has_token: bool) -> Failure {
    let problem: Value = serde_json::from_slice(body).unwrap_or_default();
    let said = |key: &str| problem.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
    let title = said("title").or(status.canonical_reason()).unwrap_or("refused");
    let text = match said("detail") {
        // The detail says all of it.
        Some(detail) if matches!(status.as_u16(), 404 | 409 | 422) => detail.to_owned(),
        Some(detail) => format!("{title}: {detail}"),
        None => title.to_string(),
    };
    match status.as_u16() {
        401 if has_token => Failure::No(format!(
            "{}: give another by WASL_TOKEN or --token-file; an admin makes one by `wasl token new`",
            said("detail").unwrap_or("the service does not take this token")
        )),
        401 => {
            let made = "`wasl run` prints one at its first start, an admin makes others by `wasl token new`";
            Failure::No(format!("a token is needed: set WASL_TOKEN or give --token-file PATH; {made}"))
        }
        // A proxy that could not reach it says so by 502, one that waited too long by 504.
        502..=504 => Failure::Unreachable(text),
        _ => Failure::No(text),
    }
}

fn random_key() -> Result<String, Failure> {
    let random: [u8; 16] = ring::rand::generate(&ring::rand::SystemRandom::new())
        .map_err(|_| Failure::Unreachable("the system has no randomness to give".into()))?
        .expose();
    Ok(random.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_put_together_from_any_cut() {
        let stream = "event: state\nid: a-1\ndata: {\"to\":\ndata: 1}\n\n:\n\nevent: x\r\ndata: 2\r\n\r\n";
        for cut in 1..stream.len() {
            let (mut events, mut heard) = (Events::default(), Vec::new());
            let mut each = |name: &str, id: Option<&str>, data: &str| {
                heard.push((name.to_string(), id.map(str::to_string), data.to_string()));
                Go::On
            };
            for part in stream.as_bytes().chunks(cut) {
                let _ = events.push(part, &mut each);
            }
            let id = Some("a-1".to_string());
            let expected =
                [("state".into(), id.clone(), "{\"to\":\n1}".into()), ("x".into(), id, "2".into())];
            assert_eq!(heard, expected, "cut every {cut} bytes");
        }
    }

    #[test]
    fn a_problem_is_told_in_its_own_words() {
        let body = br#"{"title":"A token is needed","detail":"send it as a bearer token"}"#;
        let failure = refused(hyper::StatusCode::UNAUTHORIZED, body, false).to_string();
        assert!(failure.starts_with("a token is needed: set WASL_TOKEN or give --token-file"), "{failure}");
        let body = br#"{"title":"A token is needed","detail":"nobody here knows this token"}"#;
        let failure = refused(hyper::StatusCode::UNAUTHORIZED, body, true).to_string();
        assert!(failure.starts_with("nobody here knows this token: give another"), "{failure}");
        let body =
            br#"{"title":"There is no such thing","detail":"there is no gateway `x`; there are `a`, `b`"}"#;
        let failure = refused(hyper::StatusCode::NOT_FOUND, body, true).to_string();
        assert_eq!(failure, "there is no gateway `x`; there are `a`, `b`");
        assert!(matches!(
            refused(hyper::StatusCode::SERVICE_UNAVAILABLE, b"<html>", true),
            Failure::Unreachable(_)
        ));
    }
}
