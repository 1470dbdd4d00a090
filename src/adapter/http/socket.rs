//! WebSocket, as far as a listener needs it: text messages in, pings answered.
//!
//! Cites: RFC 6455, sections 4.1 (the handshake), 5.2 (frames), 5.5 (control frames).
//!
//! Limits: no extensions, no binary messages, messages of at most [`MESSAGE_BYTES_MAX`]; what breaks a rule ends the stream.

use super::transport::Transport;
use super::{Failure, Reading, Request, Response, now};
use crate::adapter::retry_after::retry_after;
use crate::core::outcome::Reason;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{
    CONNECTION, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use hyper::upgrade::Upgraded;
use hyper::{HeaderMap, StatusCode};
use hyper_util::rt::TokioIo;
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use ring::rand::{SecureRandom, SystemRandom};
use std::future::poll_fn;
use std::pin::pin;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

/// The longest message: what one person writes to us takes some kilobytes, a picture's preview included.
const MESSAGE_BYTES_MAX: usize = 1024 * 1024;

/// The longest control frame. Cites: RFC 6455, section 5.5.
const CONTROL_BYTES_MAX: u64 = 125;

/// Cites: RFC 6455, section 1.3.
const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

const CONTINUATION: u8 = 0;
const TEXT: u8 = 1;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

/// What became of a request that asked to speak WebSocket.
pub(in crate::adapter) enum Turned {
    /// The server does.
    Socket(Socket<TokioIo<Upgraded>>),
    /// It answered as if it had not been asked.
    Answer(Response),
}

/// One listener's end.
pub(in crate::adapter) struct Socket<S> {
    stream: S,
}

/// Asks to speak WebSocket on a new connection.
pub(super) async fn turn(
    stream: Transport,
    mut asked: hyper::Request<Full<Bytes>>,
    request: &Request,
) -> Result<Turned, Failure> {
    let lost = |_| Failure::Sent(Reason::ConnectionLost);
    let mut nonce = [0; 16];
    SystemRandom::new().fill(&mut nonce).map_err(|_| Failure::NotSent(Reason::Busy))?;
    let key = STANDARD.encode(nonce);
    let headers = asked.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    headers.insert(SEC_WEBSOCKET_KEY, HeaderValue::try_from(&key).expect("base64 is ASCII"));
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(stream)).await.map_err(|_| Failure::NotSent(Reason::TcpReset))?;
    let asking = async {
        let mut response = sender.send_request(asked).await.map_err(lost)?;
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            let is_meant = response.headers().get(SEC_WEBSOCKET_ACCEPT).map(HeaderValue::as_bytes);
            if is_meant != Some(accepted(&key).as_bytes()) {
                return Err(Failure::Sent(Reason::Unreadable));
            }
            let upgraded = hyper::upgrade::on(&mut response).await.map_err(lost)?;
            return Ok(Turned::Socket(Socket { stream: TokioIo::new(upgraded) }));
        }
        let (head, body) = response.into_parts();
        let bytes_max = match request.reading {
            Reading::Body(bytes_max) => bytes_max,
            Reading::Status => 0,
        };
        let body = Limited::new(body, bytes_max).collect().await;
        Ok(Turned::Answer(answer(head.status, &head.headers, body.ok().map(|body| body.to_bytes()))))
    };
    // The connection is moved by whoever waits here, until it is a socket or has nothing more to say.
    let (mut connection, mut is_open) = (pin!(connection.with_upgrades()), true);
    let mut asking = pin!(asking);
    poll_fn(|cx| {
        is_open = is_open && connection.as_mut().poll(cx).is_pending();
        asking.as_mut().poll(cx)
    })
    .await
}

fn answer(status: StatusCode, headers: &HeaderMap, body: Option<Bytes>) -> Response {
    let is_cut = body.is_none();
    let body = body.map(Vec::from).unwrap_or_default();
    Response { status: status.as_u16(), retry_after: retry_after(headers, now()), body, is_cut }
}

/// Returns what a server that means it says to a key.
fn accepted(key: &str) -> String {
    STANDARD.encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, format!("{key}{GUID}").as_bytes()))
}

impl<S: AsyncRead + AsyncWrite + Unpin> Socket<S> {
    /// Waits for the next message; `None`: the stream has ended, well or badly, or said nothing, not even a ping, for
    /// this long.
    pub(in crate::adapter) async fn next(&mut self, silence_max: Duration) -> Option<String> {
        let mut message = Vec::new();
        let mut begun = false;
        loop {
            let frame = timeout(silence_max, self.frame(MESSAGE_BYTES_MAX - message.len())).await.ok()??;
            match frame.kind {
                TEXT if !begun => begun = true,
                CONTINUATION if begun => {}
                PING => {
                    self.pong(&frame.bytes).await?;
                    continue;
                }
                PONG => continue,
                _ => return None,
            }
            message.extend_from_slice(&frame.bytes);
            if frame.is_last {
                return String::from_utf8(message).ok();
            }
        }
    }

    async fn frame(&mut self, bytes_max: usize) -> Option<Frame> {
        let mut head = [0; 2];
        self.stream.read_exact(&mut head).await.ok()?;
        let (is_last, reserved, kind) = (head[0] & 0x80 != 0, head[0] & 0x70, head[0] & 0x0F);
        let (is_masked, short) = (head[1] & 0x80 != 0, head[1] & 0x7F);
        let length = match short {
            126 => self.stream.read_u16().await.ok()?.into(),
            127 => self.stream.read_u64().await.ok()?,
            short => u64::from(short),
        };
        let is_control = kind >= CLOSE;
        let is_allowed =
            if is_control { is_last && length <= CONTROL_BYTES_MAX } else { length <= bytes_max as u64 };
        // A server masks nothing, and no extension was asked for.
        if is_masked || reserved != 0 || !is_allowed {
            return None;
        }
        let mut bytes = Vec::new();
        (&mut self.stream).take(length).read_to_end(&mut bytes).await.ok()?;
        (bytes.len() as u64 == length).then_some(Frame { kind, is_last, bytes })
    }

    /// Answers a ping; a client masks what it sends.
    async fn pong(&mut self, payload: &[u8]) -> Option<()> {
        let mut mask = [0; 4];
        SystemRandom::new().fill(&mut mask).ok()?;
        let mut frame = vec![0x80 | PONG, 0x80 | u8::try_from(payload.len()).ok()?];
        frame.extend(mask);
        frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        self.stream.write_all(&frame).await.ok()?;
        self.stream.flush().await.ok()
    }
}

struct Frame {
    kind: u8,
    is_last: bool,
    bytes: Vec<u8>,
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(5);

    /// Returns what is heard of these bytes, and what was said back.
    async fn heard(said: &[u8]) -> (Vec<String>, Vec<u8>) {
        let (mut server, client) = tokio::io::duplex(4 << 20);
        server.write_all(said).await.expect("room");
        server.shutdown().await.expect("open");
        let mut socket = Socket { stream: client };
        let mut messages = Vec::new();
        while let Some(message) = socket.next(PATIENCE).await {
            messages.push(message);
        }
        drop(socket);
        let mut back = Vec::new();
        server.read_to_end(&mut back).await.expect("readable");
        (messages, back)
    }

    #[test]
    fn the_answer_to_a_key_is_the_published_one() {
        // Cites: RFC 6455, section 1.3.
        assert_eq!(accepted("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[tokio::test]
    async fn messages_come_whole_and_in_pieces() {
        // Cites: RFC 6455, section 5.7: one frame, two fragments.
        let (messages, back) = heard(&[0x81, 5, b'H', b'e', b'l', b'l', b'o']).await;
        assert_eq!((messages, back), (vec!["Hello".to_owned()], vec![]));
        let pieces =
            [&[0x01, 3, b'H', b'e', b'l'][..], &[0x89, 0], &[0x8A, 1, 7], &[0x80, 2, b'l', b'o']].concat();
        let (messages, back) = heard(&pieces).await;
        assert_eq!(messages, ["Hello"]);
        assert_eq!((&back[..2], back.len()), (&[0x8A, 0x80][..], 6));
        for (head, length) in
            [(vec![0x81, 126, 1, 0], 256), (vec![0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0], 65_536)]
        {
            let (messages, _) = heard(&[head, vec![b'x'; length]].concat()).await;
            assert_eq!(messages, ["x".repeat(length)]);
        }
    }

    #[tokio::test]
    async fn a_ping_is_answered_under_a_mask() {
        let (_, back) = heard(&[0x89, 3, b'a', b'b', b'c']).await;
        let unmasked: Vec<u8> = back[6..].iter().zip(&back[2..6]).map(|(byte, mask)| byte ^ mask).collect();
        assert_eq!((&back[..2], unmasked.as_slice()), (&[0x8A, 0x83][..], &b"abc"[..]));
    }

    #[tokio::test]
    async fn what_breaks_a_rule_ends_the_stream() {
        let after = [0x81, 1, b'x'];
        for (wrong, bytes) in [
            ("a mask", vec![0x81, 0x81, 0, 0, 0, 0, b'y']),
            ("an extension", vec![0xC1, 1, b'y']),
            ("a binary message", vec![0x82, 1, b'y']),
            ("a piece of nothing", vec![0x80, 1, b'y']),
            ("a message within one", vec![0x01, 1, b'y', 0x81, 1, b'y']),
            ("a ping in pieces", vec![0x09, 0]),
            ("a long ping", [vec![0x89, 126, 0, 126], vec![b'y'; 126]].concat()),
            ("a message that is too long", vec![0x81, 127, 0, 0, 0, 0, 0, 16, 0, 1]),
            ("a length beyond all", vec![0x81, 127, 255, 255, 255, 255, 255, 255, 255, 255]),
            ("no UTF-8", vec![0x81, 1, 0xFF]),
            ("a farewell", vec![0x88, 0]),
            ("an unknown kind", vec![0x83, 0]),
        ] {
            let (messages, _) = heard(&[bytes, after.to_vec()].concat()).await;
            assert!(messages.is_empty(), "{wrong}: {messages:?}");
        }
        let (messages, _) = heard(&[&after[..], &[0x81, 5, b'c', b'u', b't']].concat()).await;
        assert_eq!(messages, ["x"]);
    }

    #[tokio::test]
    async fn silence_ends_the_stream_and_a_ping_breaks_it() {
        let (silence, gap) = (Duration::from_millis(200), Duration::from_millis(100));
        let (mut server, client) = tokio::io::duplex(64);
        let mut socket = Socket { stream: client };
        let speaking = async {
            for _ in 0..3 {
                let _ = timeout(gap, std::future::pending::<()>()).await;
                server.write_all(&[0x89, 0]).await.expect("room");
            }
            std::future::pending::<()>().await;
        };
        let began = tokio::time::Instant::now();
        tokio::select! {
            heard = socket.next(silence) => assert_eq!(heard, None),
            () = speaking => {}
        }
        assert!(began.elapsed() >= gap * 3 + silence, "{:?}", began.elapsed());
    }
}
