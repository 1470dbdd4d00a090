//! The panels as they change: server-sent events for the pages.
//!
//! Panels are rendered only while somebody watches, at most every 250 ms, once per page and language, and shared by all
//! who watch it: what changed between two renderings is written once, and each page is sent the same bytes. A slow
//! client gets the newest when it is ready for it; nothing queues.
//!
//! Limit: [`FRAMES_MAX`] pages are kept rendered in each language.

use super::frame::locale_of;
use super::locale::{Locale, Zone};
use super::message::{self, Ask};
use super::panels::{Keyed, Scene};
use super::sheet::Sheet;
use crate::api::App;
use crate::api::call::{Answer, Call, not_found};
use crate::api::service::Service;
use crate::api::stream::{self, Bytes, Next, Source, event};
use crate::core::time::{Span, Timestamp};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// How often a client hears that the page is live. The script calls the page stale after three without.
pub(crate) const BEAT: Duration = Duration::from_secs(2);
/// The least time between two renderings.
const FRAME: Duration = Duration::from_millis(250);
/// The least time between two readings of what a page shows of one message: each asks the store.
const READING: Duration = Duration::from_millis(400);
/// Ages on a page are this old at most.
const AGES: Span = Span::from_ms(1_000);
/// How many pages are kept rendered in one language: one for each gateway, and the others.
const FRAMES_MAX: usize = 80;

/// The panels of one page in one language at one instant.
pub(crate) struct Frame {
    turn: u64,
    at: Timestamp,
    drawn: Instant,
    /// Each panel, with the number of the rendering that last changed it.
    pub(crate) panels: Vec<(u64, String)>,
    number: u64,
    /// The number of the rendering before this one.
    before: u64,
    /// The panels that changed since that one, as they are sent to all who have it.
    patch: Bytes,
}

impl Frame {
    /// Writes the panels that changed since the rendering of this number.
    fn since(&self, number: u64) -> Bytes {
        if number == self.before {
            return self.patch.clone();
        }
        changed(&self.panels, number)
    }
}

/// Writes the panels that changed since the rendering of this number.
fn changed(panels: &[(u64, String)], number: u64) -> Bytes {
    let mut chunk = String::new();
    for (_, html) in panels.iter().filter(|(changed, _)| *changed > number) {
        event(&mut chunk, "panel", None, html);
    }
    chunk.into()
}

/// Renders panels, once for all.
#[derive(Default)]
pub(crate) struct Studio([Mutex<Frames>; Locale::ALL.len()]);

#[derive(Default)]
struct Frames {
    by_sheet: BTreeMap<Sheet, Arc<Frame>>,
    /// The number of the last rendering of any page: one that was dropped and is drawn anew is newer than all before.
    last: u64,
}

impl Studio {
    /// Returns the newest panels, rendering them where that is due.
    pub(crate) fn frame(
        &self,
        service: &dyn Service,
        zone: &Zone,
        locale: Locale,
        sheet: &Sheet,
    ) -> Arc<Frame> {
        // Nothing that could panic leaves the frames half-changed: each is replaced whole.
        let mut frames = self.0[locale as usize].lock().unwrap_or_else(PoisonError::into_inner);
        let (now, view) = (service.now(), service.view());
        let due = |frame: &Frame| {
            frame.drawn.elapsed() >= FRAME && (frame.turn != view.turn || now.since(frame.at) >= AGES)
        };
        let before = frames.by_sheet.get(sheet).cloned();
        if let Some(frame) = before.as_ref().filter(|frame| !due(frame)) {
            return frame.clone();
        }
        let scene = Scene {
            lines: service.events().chronicle(),
            trouble: service.policy_trouble(),
            now,
            locale,
            zone,
            view: &view,
            gateway: sheet.gateway(),
            is_wall: sheet.is_wall(),
        };
        frames.last += 1;
        let number = frames.last;
        let panels = sheet.panels().into_iter().enumerate().map(|(at, panel)| {
            let html = panel.render(&scene);
            match before.as_ref().and_then(|before| before.panels.get(at)) {
                Some((since, same)) if *same == html => (*since, html),
                _ => (number, html),
            }
        });
        let panels: Vec<_> = panels.collect();
        let since = before.as_ref().map_or(0, |before| before.number);
        let frame = Arc::new(Frame {
            turn: view.turn,
            at: now,
            drawn: Instant::now(),
            patch: changed(&panels, since),
            panels,
            number,
            before: since,
        });
        if before.is_none() && frames.by_sheet.len() >= FRAMES_MAX {
            let oldest = frames.by_sheet.iter().min_by_key(|(_, frame)| frame.drawn);
            let oldest = oldest.map(|(sheet, _)| sheet.clone());
            oldest.map(|sheet| frames.by_sheet.remove(&sheet));
        }
        frames.by_sheet.insert(sheet.clone(), frame.clone());
        frame
    }
}

/// `GET /feed`.
pub(crate) async fn open(app: Arc<App>, call: Call) -> Answer {
    let query = call.query(&["lang", "of"])?;
    let of = query.text("of").unwrap_or("/");
    let nothing = || not_found("`of` is the address of no page");
    let (sheet, message) = match Ask::of(of) {
        Some(ask) => (Sheet::Plain, Some(ask)),
        None => (Sheet::of(of).ok_or_else(nothing)?, None),
    };
    if sheet.gateway().is_some_and(|name| !app.service.view().gateways.iter().any(|g| g.name == name)) {
        return Err(nothing());
    }
    let now = Instant::now();
    let watcher = Watcher {
        locale: locale_of(&call),
        app: app.clone(),
        sheet,
        message,
        read: Vec::new(),
        read_at: None,
        sent: 0,
        turn: 0,
        beat_at: now,
        own: None,
    };
    stream::open(&app, watcher)
}

/// One page that is watched.
struct Watcher {
    app: Arc<App>,
    locale: Locale,
    sheet: Sheet,
    /// The message that the page is about.
    message: Option<Ask>,
    /// The keys of the message's panels as they were sent last.
    read: Vec<Keyed>,
    read_at: Option<Instant>,
    /// The number of the last rendering that was sent.
    sent: u64,
    turn: u64,
    beat_at: Instant,
    /// What is this page's own and follows the chunk that was sent last.
    own: Option<Bytes>,
}

impl Source for Watcher {
    fn next(mut self) -> Next<Self> {
        Box::pin(async move {
            if let Some(own) = self.own.take() {
                return Some((own, self));
            }
            loop {
                let beat = tokio::select! {
                    () = self.app.service.events().closed() => return None,
                    () = tokio::time::sleep_until(self.beat_at) => true,
                    () = self.newer() => false,
                };
                let opens = self.sent == 0;
                let panels = self.panels();
                let mut own = String::new();
                self.of_message(&mut own, beat).await;
                if beat {
                    self.beat(&mut own);
                }
                match (panels.is_empty(), own.is_empty()) {
                    (true, true) => {}
                    (true, false) => return Some((own.into(), self)),
                    (false, true) => return Some((panels, self)),
                    // Whoever opens the page hears at once that it is live.
                    (false, false) if opens => {
                        return Some(([&panels, own.as_bytes()].concat().into(), self));
                    }
                    (false, false) => {
                        // What all share is not copied to put this page's own beside it.
                        self.own = Some(own.into());
                        return Some((panels, self));
                    }
                }
            }
        })
    }
}

impl Watcher {
    async fn newer(&self) {
        tokio::time::sleep(if self.message.is_some() { READING } else { FRAME }).await;
        self.app.service.next_view(self.turn).await;
    }

    /// Returns the panels that changed since the last chunk.
    fn panels(&mut self) -> Bytes {
        let service = &*self.app.service;
        let frame = self.app.studio.frame(service, &self.app.config.zone, self.locale, &self.sheet);
        let newer = if self.sent == frame.number { Bytes::new() } else { frame.since(self.sent) };
        (self.sent, self.turn) = (frame.number, frame.turn);
        newer
    }

    /// Writes what changed of the message. A store that does not answer leaves the page as it is, and the next reading
    /// tries again; ages go on with the beat.
    async fn of_message(&mut self, chunk: &mut String, beat: bool) {
        let Some(ask) = &self.message else { return };
        if !beat && self.read_at.is_some_and(|at| at.elapsed() < READING) {
            return;
        }
        self.read_at = Some(Instant::now());
        let Ok(Some(panels)) = message::panels(&self.app, self.locale, ask).await else { return };
        for (at, (keyed, html)) in panels.iter().enumerate() {
            // Its ages are sent with each beat, where only they changed.
            let same = self.read.get(at) == Some(keyed);
            if !same || beat {
                event(chunk, "panel", None, html);
            }
        }
        self.read = panels.into_iter().map(|(keyed, _)| keyed).collect();
    }

    fn beat(&mut self, chunk: &mut String) {
        let now = self.app.service.now();
        let clock = self.app.config.zone.clock(now);
        event(chunk, "beat", None, &json!({"now": now.ms(), "clock": clock}).to_string());
        self.beat_at = Instant::now() + BEAT;
    }
}
