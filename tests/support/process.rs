//! A real `wasl run` in a process of its own, with all that it says kept, and calls to it.

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::{Request, StatusCode};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tokio::time::sleep;

/// How long a test waits for something that must happen on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(90);
/// How often it looks again.
const LOOK: Duration = Duration::from_millis(25);

/// The program under test.
pub const WASL: &str = env!("CARGO_BIN_EXE_wasl");

/// A running service. Dropping it kills it.
pub struct Process {
    child: Child,
    folder: PathBuf,
    base: String,
    token: String,
    client: Client<HttpConnector, Full<Bytes>>,
}

/// What came back.
#[derive(Debug)]
pub struct Answered {
    pub status: StatusCode,
    pub headers: String,
    pub body: String,
}

/// Writes a file of a site, with the folders that it needs.
pub fn write(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

/// Returns the command that serves a folder's files, to be added to.
pub fn wasl_run() -> Command {
    let mut command = Command::new(WASL);
    command.args(["run", "--config", "wasl.toml"]);
    command
}

/// Starts the service by this command, in the folder, and waits until it is ready. What it says goes into
/// `stdout.txt` and `stderr.txt` there.
pub async fn start_by(folder: &Path, mut command: Command) -> Process {
    let kept = |name: &str| {
        File::options().create(true).append(true).open(folder.join(name)).expect("the test's own folder")
    };
    let child = command
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(kept("stdout.txt"))
        .stderr(kept("stderr.txt"))
        .spawn()
        .unwrap();
    let client = Client::builder(TokioExecutor::new()).build_http();
    let (folder, base, token) = (folder.to_owned(), String::new(), String::new());
    let mut process = Process { child, folder, base, token, client };
    let began = Instant::now();
    while process.base.is_empty() || process.token.is_empty() || !process.is_ready().await {
        process.find();
        let lives = process.child.try_wait().unwrap().is_none();
        assert!(lives && began.elapsed() < PATIENCE, "it does not start: {}", process.said());
        sleep(LOOK).await;
    }
    process
}

impl Process {
    /// Reads from what it said where it listens, and its first token.
    fn find(&mut self) {
        // As JSON and as a person reads it.
        let address = |line: &str| {
            let said = line.contains("the service is up").then_some(line)?;
            let rest = said.split_once("address\":\"").or_else(|| said.split_once("address="))?.1;
            Some(rest.split(['"', ' ']).next()?.to_owned())
        };
        let address = self.said().lines().rev().find_map(address);
        self.base = address.map_or(String::new(), |address| format!("http://{address}"));
        let printed = self.read("stdout.txt");
        self.token = printed.split_once('\n').map_or(String::new(), |(token, _)| token.to_owned());
    }

    async fn is_ready(&self) -> bool {
        let request = Request::get(format!("{}/readyz", self.base)).body(Full::default()).unwrap();
        self.client.request(request).await.is_ok_and(|response| response.status() == StatusCode::OK)
    }

    fn read(&self, name: &str) -> String {
        let bytes = std::fs::read(self.folder.join(name)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Returns all that it has said on standard error.
    pub fn said(&self) -> String {
        self.read("stderr.txt")
    }

    /// Returns its address as `http://ADDRESS:PORT`.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Returns its first token, an admin's.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Calls with these headers and no others.
    pub async fn call(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Answered {
        // An answer that comes before the whole body was sent may be lost with the connection.
        for _ in 0..10 {
            if let Some(answered) = self.try_call(method, path, headers, body.clone()).await {
                return answered;
            }
        }
        panic!("{method} {path}: no answer: {}", self.said());
    }

    async fn try_call(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> Option<Answered> {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.base));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = self.client.request(request.body(Full::new(body.into())).unwrap()).await.ok()?;
        let (status, headers) = (response.status(), format!("{:?}", response.headers()));
        let body = response.into_body().collect().await.ok()?.to_bytes();
        Some(Answered { status, headers, body: String::from_utf8_lossy(&body).into_owned() })
    }

    /// Calls with the first token; the answer must be a good one.
    async fn good(&self, method: &str, path: &str, body: &Value) -> String {
        let bearer = format!("Bearer {}", self.token);
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        let answered = self.call(method, path, &headers, body).await;
        assert!(answered.status.is_success(), "{method} {path}: {answered:?}");
        answered.body
    }

    pub async fn get(&self, path: &str) -> Value {
        serde_json::from_str(&self.good("GET", path, &Value::Null).await).unwrap()
    }

    pub async fn text(&self, path: &str) -> String {
        self.good("GET", path, &Value::Null).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Value {
        serde_json::from_str(&self.good("POST", path, body).await).unwrap()
    }

    /// Returns what a stream says within this time.
    pub async fn stream(&self, path: &str, during: Duration) -> String {
        let request = Request::get(format!("{}{path}", self.base))
            .header("authorization", format!("Bearer {}", self.token))
            .body(Full::default())
            .unwrap();
        let response = self.client.request(request).await.unwrap();
        assert!(response.status().is_success(), "{path}: {}", response.status());
        let (mut body, mut said) = (response.into_body(), Vec::new());
        let reading = async {
            while let Some(Ok(frame)) = body.frame().await {
                said.extend_from_slice(frame.data_ref().map_or(&[][..], |data| data));
            }
        };
        // A stream has no end of its own.
        let _ = tokio::time::timeout(during, reading).await;
        String::from_utf8_lossy(&said).into_owned()
    }

    /// Waits until something holds of what a path shows.
    pub async fn until(&self, what: &str, path: &str, holds: impl Fn(&Value) -> bool) -> Value {
        let began = Instant::now();
        loop {
            let shown = self.get(path).await;
            if holds(&shown) {
                return shown;
            }
            assert!(began.elapsed() < PATIENCE, "not in time: {what}: {shown:#}\n{}", self.said());
            sleep(LOOK).await;
        }
    }

    /// Sends a message to one person.
    pub async fn send(&self, message: &Value) -> String {
        self.post("/v1/messages", message).await["id"].as_str().unwrap().to_owned()
    }

    /// Waits until a message's one delivery has ended, and tells all that is on record about it.
    pub async fn settled(&self, id: &str) -> Value {
        self.until("it settles", &format!("/v1/messages/{id}"), |message| message["open"] == false).await;
        self.get(&format!("/v1/messages/{id}/deliveries")).await["deliveries"][0].clone()
    }

    /// Stops it as a service manager does, and waits for its end.
    pub async fn stop(mut self) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        let began = Instant::now();
        while self.child.try_wait().unwrap().is_none() {
            assert!(began.elapsed() < PATIENCE, "it does not stop: {}", self.said());
            sleep(LOOK).await;
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
