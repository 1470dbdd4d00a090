//! What alerting systems send in, over a real service: a store in memory, gateways that remember, the interface before it.

mod alertmanager;
mod cap;
mod third_party;

use crate::service::house::{Does, Scripted, gateway, start_by};
use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use http_body_util::BodyExt;
use hyper::service::Service as _;
use hyper_util::service::TowerToHyperService;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use wasl::api::live::Live;
use wasl::api::{ApiConfig, router};
use wasl::core::channel::Channel;
use wasl::diag::Diagnostics;
use wasl::runtime::Running;
use wasl::runtime::clock::Source;
use wasl::settings::{Feeds, Settings};
use wasl::store::outbox::memory::MemoryOutbox;

/// When the alerts of these tests come: 2026-11-22 12:00 UTC.
const NOON_MICROS: i64 = 1_795_348_800_000_000;
const PATIENCE: Duration = Duration::from_secs(20);

/// A clock that runs from noon of the day of the alerts.
struct ThatDay {
    began: Instant,
    later_micros: i64,
}

impl Source for ThatDay {
    fn steady_micros(&self) -> i64 {
        self.began.elapsed().as_micros() as i64
    }

    fn wall_micros(&self) -> i64 {
        NOON_MICROS + self.later_micros + self.began.elapsed().as_micros() as i64
    }
}

/// A service that takes feeds.
struct Yard {
    running: Running,
    router: Router,
    sms: Arc<Scripted>,
    store: MemoryOutbox,
}

struct Told {
    status: StatusCode,
    body: Value,
}

impl Yard {
    /// Starts one with these tables in its `wasl.toml`, and somebody in each audience.
    async fn with(tables: &str) -> Yard {
        let yard = Yard::over(tables, MemoryOutbox::new(), Duration::ZERO, []);
        yard.people(&[
            ("c-1", "ar", "east", "+970599000001"),
            ("c-2", "en", "east", "+970599000002"),
            ("c-3", "en", "west", "+970599000003"),
            ("c-4", "it", "coast", "+390599000004"),
        ])
        .await;
        yard
    }

    /// Starts one over what another has left, so much later.
    fn over(
        tables: &str,
        store: MemoryOutbox,
        later: Duration,
        script: impl IntoIterator<Item = Does>,
    ) -> Yard {
        let sms = Scripted::new(script);
        let clock = ThatDay { began: Instant::now(), later_micros: later.as_micros() as i64 };
        let running = start_by(Box::new(clock), vec![gateway(Channel::Sms, &sms)], store.clone());
        let config =
            ApiConfig { open: true, feeds: Arc::new(Live::new(feeds(tables))), ..ApiConfig::default() };
        Yard { router: router(running.service(), config), running, sms, store }
    }

    async fn people(&self, people: &[(&str, &str, &str, &str)]) {
        let row = |(id, language, audience, sms): &(&str, &str, &str, &str)| json!({"id": id, "language": language, "audiences": [audience], "sms": sms});
        let rows: Vec<Value> = people.iter().map(row).collect();
        let put = self.post("/v1/contacts", "application/json", &json!({"contacts": rows}).to_string()).await;
        assert_eq!(put.status, StatusCode::OK, "{}", put.body);
    }

    async fn post(&self, path: &str, media: &str, body: &str) -> Told {
        let request = Request::post(path)
            .header("host", "127.0.0.1:8080")
            .header("content-type", media)
            .body(Body::from(body.to_owned()))
            .unwrap();
        self.send(request).await
    }

    async fn get(&self, path: &str) -> Value {
        let request = Request::get(path).header("host", "127.0.0.1:8080").body(Body::empty()).unwrap();
        self.send(request).await.body
    }

    async fn send(&self, request: Request<Body>) -> Told {
        let response = TowerToHyperService::new(self.router.clone()).call(request).await.unwrap();
        let status = response.status();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let body = serde_json::from_slice(&body).unwrap_or_else(|_| panic!("{body:?}"));
        Told { status, body }
    }

    /// Waits until so many texts have left, and gives them by the address that they went to, in order.
    async fn sent(&self, count: usize) -> BTreeMap<String, Vec<String>> {
        let began = Instant::now();
        while self.sms.sent.lock().unwrap().len() < count {
            assert!(began.elapsed() < PATIENCE, "only {:?}", self.sms.texts());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let mut by_address: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for out in self.sms.sent.lock().unwrap().iter() {
            by_address.entry(out.address.clone()).or_default().push(out.text.clone());
        }
        let seen: usize = by_address.values().map(Vec::len).sum();
        assert_eq!(seen, count, "more was sent: {by_address:?}");
        by_address
    }
}

impl Told {
    fn id(&self) -> String {
        self.body["id"].as_str().unwrap_or_else(|| panic!("no id: {}", self.body)).to_owned()
    }

    fn problem(&self) -> (u16, String, String) {
        let kind = self.body["type"].as_str().unwrap_or_default().replace("urn:wasl:problem:", "");
        (self.status.as_u16(), kind, self.body["detail"].as_str().unwrap_or_default().to_owned())
    }
}

/// Reads the tables as a `wasl.toml`.
fn feeds(tables: &str) -> Feeds {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wasl.toml");
    std::fs::write(&path, tables).unwrap();
    let mut diags = Diagnostics::default();
    let settings = Settings::read(&path, &wasl::adapter::kinds(), &mut diags).unwrap();
    assert!(!diags.has_errors(), "{}", diags.render());
    settings.feeds
}
