//! Debian's Prometheus beside a real run.

use crate::support::process::write;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::body::Bytes;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// What installs it. No daemon needs to run.
pub const REMEDY: &str = "apt-get install --no-install-recommends prometheus";
/// How long it may take to start, on a busy machine.
const START: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(100);

/// Says whether a program of Debian's package is here.
pub fn is_here(program: &str) -> bool {
    let said = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    said.is_ok_and(|status| status.success())
}

/// Runs `promtool`, which must be content.
pub fn promtool(folder: &Path, words: &[&str]) {
    let out = Command::new("promtool").current_dir(folder).args(words).output().unwrap();
    let said = [out.stdout, out.stderr].concat();
    assert!(out.status.success(), "promtool {words:?}: {}", String::from_utf8_lossy(&said));
}

/// A running Prometheus. Dropping it kills it.
pub struct Prometheus {
    process: Child,
    folder: TempDir,
    base: String,
    client: Client<HttpConnector, Full<Bytes>>,
}

impl Prometheus {
    /// Starts it by a configuration with these files beside it, and waits until it is ready.
    pub async fn start(config: &str, files: &[(&str, &str)]) -> Prometheus {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), "prometheus.yml", config);
        files.iter().for_each(|(name, text)| write(folder.path(), name, text));
        promtool(folder.path(), &["check", "config", "prometheus.yml"]);
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let log = std::fs::File::create(folder.path().join("log.txt")).unwrap();
        let process = Command::new("prometheus")
            .current_dir(folder.path())
            .args(["--config.file=prometheus.yml", "--storage.tsdb.path=data", "--log.level=warn"])
            .arg(format!("--web.listen-address={port}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let client = Client::builder(TokioExecutor::new()).build_http();
        let prometheus = Prometheus { process, folder, base: format!("http://{port}"), client };
        let ready = async {
            while prometheus.try_ask("/-/ready", "").await.is_none() {
                tokio::time::sleep(LOOK).await;
            }
        };
        let log = || std::fs::read_to_string(prometheus.folder.path().join("log.txt")).unwrap_or_default();
        assert!(tokio::time::timeout(START, ready).await.is_ok(), "it does not start: {}", log());
        prometheus
    }

    /// Returns what it answers to a path, unless it is not there yet.
    async fn try_ask(&self, path: &str, form: &str) -> Option<Vec<u8>> {
        let request = match form {
            "" => Request::get(format!("{}{path}", self.base)).body(Full::default()),
            form => Request::post(format!("{}{path}", self.base))
                .header("content-type", "application/x-www-form-urlencoded")
                .body(Full::from(form.to_owned())),
        };
        let response = self.client.request(request.unwrap()).await.ok()?;
        let is_error_in_json = response.status().is_client_error();
        let good = response.status().is_success() || is_error_in_json;
        let body = response.into_body().collect().await.ok()?.to_bytes().to_vec();
        good.then_some(body)
    }

    /// Returns the answer's `data`, or what Prometheus says against the question.
    pub async fn ask(&self, path: &str, form: &[(&str, &str)]) -> Result<Value, String> {
        let pairs: Vec<String> =
            form.iter().map(|(key, value)| format!("{key}={}", encoded(value))).collect();
        let body = self.try_ask(path, &pairs.join("&")).await.ok_or("no answer")?;
        let answer: Value = serde_json::from_slice(&body).map_err(|error| error.to_string())?;
        match answer["status"] == "success" {
            true => Ok(answer["data"].clone()),
            false => Err(answer["error"].to_string()),
        }
    }

    /// Asks a query for now.
    pub async fn query(&self, expr: &str) -> Result<Vec<Value>, String> {
        let data = self.ask("/api/v1/query", &[("query", expr)]).await?;
        Ok(data["result"].as_array().cloned().unwrap_or_default())
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Cites: the URL standard, application/x-www-form-urlencoded.
fn encoded(text: &str) -> String {
    let one = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(one).collect()
}
