//! Receipts as WhatsApp sends them: batches of statuses under a signature, over HTTP, each answered once it is on disk, until
//! every delivery has settled. Beside one thread that does no more than to prove and parse the same bytes.
//!
//! The gateway reads the calls with the real adapter and takes each message at once, so that what is measured is the way
//! back alone.

use super::null::{accept, message, start_by};
use super::{Figure, Skipped};
use crate::adapter::net::Net;
use crate::adapter::{self, Adapter, Answered, Doing, HookAnswer, HookRequest, Outgoing};
use crate::api::service::Service;
use crate::api::{ApiConfig, router};
use crate::core::channel::Channel;
use crate::core::gateway::{GatewayConfig, Receipts};
use crate::core::ids::MessageId;
use crate::core::outcome::{DeliveryResult, Outcome};
use crate::core::policy::Confirm;
use crate::core::query::{Answer, Query};
use crate::core::time::Span;
use crate::diag::Diagnostics;
use crate::runtime::listener::serve;
use crate::runtime::places::Places;
use crate::runtime::{Gateway, files};
use crate::settings::Settings;
use ring::hmac;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::hint::black_box;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

const PEOPLE: usize = 100_000;
/// How many statuses a call has. Cites: Meta, Webhooks: up to 1,000 updates are batched.
const BATCH: usize = 1_000;
/// How many calls are under way at once.
const CONNECTIONS: usize = 8;
/// How often the picture is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// The longest that anything here may take.
const PATIENCE: Duration = Duration::from_secs(300);
/// How long to wait before a call that was turned away is made again.
const AGAIN: Duration = Duration::from_millis(20);

const SECRET: &str = "bench-app-secret";
const NUMBER: &str = "106853218861309";

pub(super) fn run(runtime: &tokio::runtime::Runtime) -> Result<Vec<Figure>, Skipped> {
    runtime.block_on(async {
        let folder = super::mass::folder()?;
        let running =
            start_by(vec![gateway(folder.path())?], folder.path(), Confirm::Delivered, Span::from_hours(1))?;
        let service = running.service();
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(|e| e.to_string())?;
        let address = listener.local_addr().map_err(|e| e.to_string())?;
        let config = ApiConfig { open: true, ..ApiConfig::default() };
        let (stop, stopped) = watch::channel(false);
        let places = Places::within(files::allow_many(), Vec::new());
        tokio::spawn(serve(listener, None, router(running.service(), config), places, stopped));

        let sent = accept(&service, message(PEOPLE)).await?;
        until(&service, "to be taken", |view| view.deliveries.unconfirmed as usize == PEOPLE).await?;
        let calls: Vec<Vec<u8>> = (0..PEOPLE / BATCH).map(|number| body(sent, number * BATCH)).collect();
        let bare = bare(&calls);
        let began = Instant::now();
        let turned_away = post_all(address, &calls).await?;
        let taken = began.elapsed().as_secs_f64();
        until(&service, "to settle", |view| view.deliveries.open() == 0).await?;
        let matched = began.elapsed().as_secs_f64();
        let settled = delivered(&service, sent).await?;
        stop.send_replace(true);
        running.stop().await.map_err(|fatal| fatal.to_string())?;
        if settled != PEOPLE {
            return Err(format!("{settled} of {PEOPLE} deliveries settled as delivered"));
        }
        let rate = |secs: f64| PEOPLE as f64 / secs;
        let beside = Some(("HMAC-SHA256 and JSON of the same bytes, one thread", bare));
        let figure = |name, value, unit, yardstick, target| Figure { name, value, unit, yardstick, target };
        Ok(vec![
            figure(
                "receipts, 1,000 a POST: answered 200",
                rate(taken),
                "receipts/s",
                beside,
                "at least 10000",
            ),
            figure("receipts, 1,000 a POST: settled", rate(matched), "receipts/s", beside, "at least 10000"),
            figure("receipts, 1,000 a POST: turned away", turned_away as f64, "POSTs", None, "none"),
        ])
    })
}

/// A gateway that takes everything at once, under the names that its provider would give.
struct Taking {
    whatsapp: Arc<dyn Adapter>,
}

impl Adapter for Taking {
    fn send(&self, outgoing: Outgoing) -> Doing<'_, Answered> {
        let provider_id = Some(format!("wamid.{}", outgoing.order.attempt));
        let outcome = Outcome::Accepted { provider_id };
        Box::pin(async move { Answered { outcome, took: Span::from_ms(1) } })
    }

    fn hook(&self, request: &HookRequest) -> HookAnswer {
        self.whatsapp.hook(request)
    }
}

fn gateway(folder: &Path) -> Result<Gateway, String> {
    let file = folder.join("wasl.toml");
    let text = format!(
        "[[gateway]]\nname = \"receipts\"\nchannel = \"whatsapp\"\nadapter = \"whatsapp-cloud\"\nphone_number_id = \"{NUMBER}\"\n\
         access_token = \"bench\"\napp_secret = \"{SECRET}\"\nverify_token = \"bench\"\nbase_url = \"http://127.0.0.1:9\"\n"
    );
    std::fs::write(&file, text).map_err(|e| format!("{}: {e}", file.display()))?;
    let mut diags = Diagnostics::default();
    let settings = Settings::read(&file, &adapter::kinds(), &mut diags);
    let gateway = settings.and_then(|settings| settings.gateways.into_iter().next());
    let whatsapp = gateway.and_then(|gateway| adapter::build(gateway, &Net::new(&[]), &mut diags));
    let whatsapp = whatsapp.filter(|_| !diags.has_errors()).ok_or_else(|| diags.render())?;
    let config = GatewayConfig {
        name: "receipts".into(),
        channel: Channel::Whatsapp,
        failure_domains: vec![],
        rate: None,
        quotas: vec![],
        cost: 0.0,
        receipts: Receipts::Read,
        window: 4_096,
        can_ask: false,
        connect_time_out: Span::from_secs(3),
        canaries: vec![],
    };
    Ok(Gateway { config, adapter: Arc::new(Taking { whatsapp }), canaries: Arc::default() })
}

/// Returns a call with the statuses of [`BATCH`] deliveries from this one on: head, signature and body as they go out.
fn body(message: MessageId, first: usize) -> Vec<u8> {
    let status = |index: usize| {
        json!({
            "id": format!("wamid.{message}-{index}-1"),
            "status": "delivered",
            "timestamp": "1795348800",
            "recipient_id": format!("9705{index:08}"),
            "conversation": {"id": format!("{index:032x}"), "origin": {"type": "utility"}},
            "biz_opaque_callback_data": format!("{message}-{index}-1"),
            "pricing": {"billable": true, "pricing_model": "PMP", "category": "utility"},
        })
    };
    let statuses: Vec<Value> = (first..first + BATCH).map(status).collect();
    let value = json!({
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": "15550001111", "phone_number_id": NUMBER},
        "statuses": statuses,
    });
    let entry = json!([{"id": "102290129340398", "changes": [{"value": value, "field": "messages"}]}]);
    json!({"object": "whatsapp_business_account", "entry": entry}).to_string().into_bytes()
}

fn signature(body: &[u8]) -> String {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes()), body);
    tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Proves and parses the calls on one thread. Returns how many receipts that is a second.
fn bare(calls: &[Vec<u8>]) -> f64 {
    let began = Instant::now();
    for call in calls {
        black_box(signature(call));
        black_box(serde_json::from_slice::<Value>(call).is_ok());
    }
    (calls.len() * BATCH) as f64 / began.elapsed().as_secs_f64()
}

/// Makes every call over a few connections. Returns how often one was turned away, and made again.
async fn post_all(address: SocketAddr, calls: &[Vec<u8>]) -> Result<usize, String> {
    let waiting: Arc<Mutex<VecDeque<Vec<u8>>>> = Arc::new(Mutex::new(calls.to_vec().into()));
    let mut posting = JoinSet::new();
    for _ in 0..CONNECTIONS {
        let waiting = Arc::clone(&waiting);
        posting.spawn(async move {
            let mut turned_away = 0;
            let mut wire = BufReader::new(TcpStream::connect(address).await.map_err(|e| e.to_string())?);
            loop {
                let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                let Some(call) = next else { return Ok(turned_away) };
                loop {
                    match post(&mut wire, &call).await.map_err(|e| e.to_string())? {
                        200 => break,
                        429 | 503 => turned_away += 1,
                        status => return Err(format!("a call was answered with {status}")),
                    }
                    tokio::time::sleep(AGAIN).await;
                }
            }
        });
    }
    let mut turned_away = 0;
    while let Some(posted) = posting.join_next().await {
        turned_away += posted.map_err(|e| e.to_string())??;
    }
    Ok(turned_away)
}

/// Makes one call and reads its answer to the end.
async fn post(wire: &mut BufReader<TcpStream>, body: &[u8]) -> std::io::Result<u16> {
    let head = format!(
        "POST /hooks/receipts HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n\
         X-Hub-Signature-256: sha256={}\r\nContent-Length: {}\r\n\r\n",
        signature(body),
        body.len()
    );
    wire.write_all(head.as_bytes()).await?;
    wire.write_all(body).await?;
    let (mut status, mut length, mut line) = (0, 0, String::new());
    loop {
        line.clear();
        wire.read_line(&mut line).await?;
        let text = line.trim_end().to_ascii_lowercase();
        if let Some(rest) = text.strip_prefix("http/1.1 ") {
            status = rest.get(..3).and_then(|code| code.parse().ok()).unwrap_or(0);
        } else if let Some(bytes) = text.strip_prefix("content-length:") {
            length = bytes.trim().parse().unwrap_or(0);
        } else if text.is_empty() {
            break;
        }
    }
    let mut rest = vec![0; length];
    wire.read_exact(&mut rest).await?;
    Ok(status)
}

async fn until(
    service: &Arc<dyn Service>,
    what: &str,
    is_so: impl Fn(&crate::core::view::View) -> bool,
) -> Result<(), String> {
    let (began, old) = (Instant::now(), service.view().turn);
    loop {
        let view = service.view();
        if view.turn > old && is_so(&view) {
            return Ok(());
        }
        if began.elapsed() > PATIENCE {
            return Err(format!("{PEOPLE} deliveries did not come {what} in {} s", PATIENCE.as_secs()));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

async fn delivered(service: &Arc<dyn Service>, message: MessageId) -> Result<usize, String> {
    match service.read(Query::Message(message)).await.map_err(|e| e.to_string())? {
        Answer::Message(_, progress) => Ok(progress.settled[DeliveryResult::Delivered as usize] as usize),
        _ => Err("the message is gone".into()),
    }
}
