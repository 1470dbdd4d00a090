//! The panels as they change: server-sent events for the page.
//!
//! Panels are rendered only while somebody watches, at most every 250 ms, once per language, and shared by all who
//! watch in it. A slow client gets the newest when it is ready for it; nothing queues.

use super::locale::{Locale, Zone};
use super::page::locale_of;
use super::panels::{PANELS, Scene};
use crate::api::App;
use crate::api::call::{Answer, Call};
use crate::api::service::Service;
use crate::api::stream::{self, Next, Source, event};
use crate::core::time::{Span, Timestamp};
use serde_json::json;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// How often a client hears that the page is live. The script calls the page stale after three without.
pub(crate) const BEAT: Duration = Duration::from_secs(2);
/// The least time between two renderings.
const FRAME: Duration = Duration::from_millis(250);
/// Ages on a page are this old at most.
const AGES: Span = Span::from_ms(1_000);

/// The panels of one language at one instant.
pub(crate) struct Frame {
    turn: u64,
    at: Timestamp,
    drawn: Instant,
    /// Each panel, with the number of the rendering that last changed it.
    pub(crate) panels: Vec<(u64, String)>,
    number: u64,
}

/// Renders panels, once for all.
#[derive(Default)]
pub(crate) struct Studio([Mutex<Option<Arc<Frame>>>; Locale::ALL.len()]);

impl Studio {
    /// Returns the newest panels, rendering them where that is due.
    pub(crate) fn frame(&self, service: &dyn Service, zone: &Zone, locale: Locale) -> Arc<Frame> {
        // Nothing that could panic leaves the frame half-changed: it is replaced whole.
        let mut place = self.0[locale as usize].lock().unwrap_or_else(PoisonError::into_inner);
        let (now, view) = (service.now(), service.view());
        let due = |frame: &Frame| {
            frame.drawn.elapsed() >= FRAME && (frame.turn != view.turn || now.since(frame.at) >= AGES)
        };
        if let Some(frame) = place.as_ref().filter(|frame| !due(frame)) {
            return frame.clone();
        }
        let scene = Scene {
            lines: service.events().chronicle(),
            trouble: service.policy_trouble(),
            now,
            locale,
            zone,
            view: &view,
        };
        let number = place.as_ref().map_or(1, |before| before.number + 1);
        let panels = PANELS.iter().enumerate().map(|(at, panel)| {
            let html = panel.render(&scene);
            match place.as_ref().map(|before| &before.panels[at]) {
                Some((since, same)) if *same == html => (*since, html),
                _ => (number, html),
            }
        });
        let frame = Arc::new(Frame {
            turn: view.turn,
            at: now,
            drawn: Instant::now(),
            panels: panels.collect(),
            number,
        });
        *place = Some(frame.clone());
        frame
    }
}

/// `GET /feed`.
pub(crate) async fn open(app: Arc<App>, call: Call) -> Answer {
    call.query(&["lang"])?;
    let watcher =
        Watcher { locale: locale_of(&call), app: app.clone(), sent: 0, turn: 0, beat_at: Instant::now() };
    stream::open(&app, watcher)
}

/// One page that is watched.
struct Watcher {
    app: Arc<App>,
    locale: Locale,
    /// The number of the last rendering that was sent.
    sent: u64,
    turn: u64,
    beat_at: Instant,
}

impl Source for Watcher {
    fn next(mut self) -> Next<Self> {
        Box::pin(async move {
            loop {
                let beat = tokio::select! {
                    () = self.app.service.events().closed() => return None,
                    () = tokio::time::sleep_until(self.beat_at) => true,
                    () = self.newer() => false,
                };
                let chunk = self.chunk(beat);
                if !chunk.is_empty() {
                    return Some((chunk, self));
                }
            }
        })
    }
}

impl Watcher {
    async fn newer(&self) {
        tokio::time::sleep(FRAME).await;
        self.app.service.next_view(self.turn).await;
    }

    /// Writes what changed since the last chunk, and the beat where that is due.
    fn chunk(&mut self, beat: bool) -> String {
        let service = &*self.app.service;
        let frame = self.app.studio.frame(service, &self.app.config.zone, self.locale);
        let mut chunk = String::new();
        if self.sent != frame.number {
            for (_, html) in frame.panels.iter().filter(|(number, _)| *number > self.sent) {
                event(&mut chunk, "panel", None, html);
            }
            (self.sent, self.turn) = (frame.number, frame.turn);
        }
        if beat {
            let now = service.now();
            let clock = self.app.config.zone.clock(now);
            event(&mut chunk, "beat", None, &json!({"now": now.ms(), "clock": clock}).to_string());
            self.beat_at = Instant::now() + BEAT;
        }
        chunk
    }
}
