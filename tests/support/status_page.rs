//! Somebody's status page: real bytes over real HTTP, with `ETag`, and with faults to order. Knows nothing of who reads it.
//!
//! Limits: GET alone, one request a connection.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What the page does.
#[derive(Clone, Debug)]
pub enum Does {
    /// Shows this text, and 304 to who has it already.
    Shows(String),
    /// Answers with exactly these bytes.
    Says(Vec<u8>),
    /// Takes the request and never answers.
    Hangs,
    /// Takes the request and hangs up.
    HangsUp,
}

/// The running page.
pub struct StatusPage {
    addr: SocketAddr,
    shared: Arc<Mutex<Shared>>,
}

struct Shared {
    does: Does,
    /// The status that each reader got.
    answered: Vec<u16>,
}

impl StatusPage {
    pub async fn start(does: Does) -> StatusPage {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let addr = listener.local_addr().expect("an address");
        let shared = Arc::new(Mutex::new(Shared { does, answered: Vec::new() }));
        let served = shared.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, served.clone()));
            }
        });
        StatusPage { addr, shared }
    }

    pub fn url(&self) -> String {
        format!("http://{}/feed", self.addr)
    }

    pub fn now(&self, does: Does) {
        self.shared.lock().unwrap().does = does;
    }

    pub fn answered(&self) -> Vec<u16> {
        self.shared.lock().unwrap().answered.clone()
    }
}

async fn serve(mut stream: TcpStream, shared: Arc<Mutex<Shared>>) {
    let (mut head, mut some) = (Vec::new(), [0; 1024]);
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        match stream.read(&mut some).await {
            Ok(read) if read > 0 => head.extend_from_slice(&some[..read]),
            _ => return,
        }
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    assert!(head.starts_with("GET /feed HTTP/1.1\r\n"), "{head}");
    let does = shared.lock().unwrap().does.clone();
    let answer = match does {
        Does::Hangs => return std::future::pending().await,
        Does::HangsUp => return,
        Does::Says(bytes) => bytes,
        Does::Shows(text) => {
            let mut hash = DefaultHasher::new();
            text.hash(&mut hash);
            let tag = format!("W/\"{:x}\"", hash.finish());
            let knows = head.lines().any(|line| line.eq_ignore_ascii_case(&format!("if-none-match: {tag}")));
            match knows {
                true => format!("HTTP/1.1 304 Not Modified\r\nETag: {tag}\r\n\r\n"),
                false => {
                    format!("HTTP/1.1 200 OK\r\nETag: {tag}\r\nContent-Length: {}\r\n\r\n{text}", text.len())
                }
            }
            .into_bytes()
        }
    };
    let status = std::str::from_utf8(&answer[9..12]).ok().and_then(|status| status.parse().ok());
    shared.lock().unwrap().answered.push(status.expect("a status"));
    let _ = stream.write_all(&answer).await;
    let _ = stream.shutdown().await;
}
