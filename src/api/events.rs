//! `GET /v1/events`: what happens, as it happens.

use super::App;
use super::call::{Answer, Call};
use super::ring::{After, Place};
use super::show;
use super::stream::{self, Bytes, Next, Source, event};
use axum::http::HeaderName;
use std::sync::Arc;
use std::time::Duration;

/// How many events go into one chunk.
const CHUNK_EVENTS: usize = 200;
/// A line is written at least this often, so that a dead connection is noticed by both ends.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Opens the stream.
pub(crate) async fn open(app: Arc<App>, call: Call) -> Answer {
    call.query(&[])?;
    const LAST: HeaderName = HeaderName::from_static("last-event-id");
    let resumes = call.header(&LAST).and_then(|id| id.parse().ok());
    let reader = Reader { app: app.clone(), at: resumes };
    stream::open(&app, reader)
}

/// One who listens, and where he is; without a place he gets a snapshot first.
struct Reader {
    app: Arc<App>,
    at: Option<Place>,
}

impl Source for Reader {
    fn next(self) -> Next<Self> {
        Box::pin(async move {
            let Some(place) = self.at else { return Some(self.start_anew()) };
            let ring = self.app.service.events();
            let after = match tokio::time::timeout(KEEP_ALIVE, ring.after(place, CHUNK_EVENTS)).await {
                Ok(after) => after,
                Err(_) => return Some((Bytes::from_static(b":\n\n"), self)),
            };
            match after {
                After::Closed => None,
                After::Lost => Some(self.start_anew()),
                After::Events(events) => {
                    let view = self.app.service.view();
                    let (mut chunk, mut at) = (String::new(), place);
                    for (place, when, what) in events {
                        let (name, body) = show::event(when, &what, &view);
                        event(&mut chunk, name, Some(&place), &body.to_string());
                        at = place;
                    }
                    Some((chunk.into(), Reader { at: Some(at), ..self }))
                }
            }
        })
    }
}

impl Reader {
    /// Tells the reader to forget what he knows, and gives him the whole picture.
    fn start_anew(self) -> (Bytes, Reader) {
        let view = self.app.service.view();
        let place = self.app.service.events().since(view.at);
        let mut chunk = String::new();
        event(&mut chunk, "reset", None, "{}");
        event(&mut chunk, "snapshot", Some(&place), &show::view(&view).to_string());
        (chunk.into(), Reader { at: Some(place), ..self })
    }
}
