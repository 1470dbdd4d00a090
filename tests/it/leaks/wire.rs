//! A wire to a provider that keeps what the service says on it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A wire: it listens, and hands everything on.
pub(super) struct Wire {
    pub(super) addr: SocketAddr,
    heard: Arc<Mutex<Vec<u8>>>,
}

impl Wire {
    /// Lays one to a provider.
    pub(super) async fn to(provider: SocketAddr) -> Wire {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let wire = Wire { addr: listener.local_addr().unwrap(), heard: Arc::default() };
        let heard = Arc::clone(&wire.heard);
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                tokio::spawn(carry(near, provider, Arc::clone(&heard)));
            }
        });
        wire
    }

    /// Returns all that the service said.
    pub(super) fn heard(&self) -> Vec<u8> {
        self.heard.lock().unwrap().clone()
    }

    /// Returns the targets of the HTTP requests among it.
    pub(super) fn targets(&self) -> Vec<String> {
        let said = self.heard();
        let text = String::from_utf8_lossy(&said);
        let target = |line: &str| {
            let request = line.trim_end().strip_suffix(" HTTP/1.1")?;
            // A body without a line's end may stand before it.
            let at = ["GET /", "POST /"].iter().filter_map(|verb| request.rfind(verb)).max()?;
            request[at..].split(' ').nth(1).map(str::to_owned)
        };
        text.lines().filter_map(target).collect()
    }
}

/// Carries one connection until either side ends it.
async fn carry(near: TcpStream, provider: SocketAddr, heard: Arc<Mutex<Vec<u8>>>) {
    let Ok(far) = TcpStream::connect(provider).await else { return };
    let ((mut from_near, mut to_near), (mut from_far, mut to_far)) = (near.into_split(), far.into_split());
    let there = async {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(read @ 1..) = from_near.read(&mut buffer).await {
            heard.lock().unwrap().extend_from_slice(&buffer[..read]);
            if to_far.write_all(&buffer[..read]).await.is_err() {
                break;
            }
        }
    };
    let back = async {
        // However it ends, the other side learns of it.
        let _ = tokio::io::copy(&mut from_far, &mut to_near).await;
    };
    tokio::select! {
        () = there => {}
        () = back => {}
    }
}
