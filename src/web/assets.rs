//! Everything that the binary carries for the page: styles, the script, icons, words.
//!
//! An asset's address holds a hash of its bytes, so that browsers keep it for ever and never use an old one.

use crate::api::App;
use crate::api::call::{Answer, Call, not_found};
use axum::http::{HeaderValue, header};
use axum::response::IntoResponse;
use ring::digest;
use std::sync::{Arc, LazyLock};

/// The words of the page in English.
pub(crate) const WORDS_EN: &str = concat!(
    include_str!("../../dashboards/web/i18n/en.ftl"),
    include_str!("../../dashboards/web/i18n/pages.en.ftl")
);
/// The words of the page in Arabic.
pub(crate) const WORDS_AR: &str = concat!(
    include_str!("../../dashboards/web/i18n/ar.ftl"),
    include_str!("../../dashboards/web/i18n/pages.ar.ftl")
);

/// One file.
pub(crate) struct Asset {
    name: &'static str,
    media: &'static str,
    pub(crate) body: &'static str,
}

const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

/// Every file.
pub(crate) const FILES: [Asset; 6] = [
    Asset { name: "wasl.css", media: CSS, body: include_str!("../../dashboards/web/wasl.css") },
    Asset { name: "wasl.js", media: SCRIPT, body: include_str!("../../dashboards/web/wasl.js") },
    Asset { name: "calm.svg", media: SVG, body: include_str!("../../dashboards/web/icons/calm.svg") },
    Asset { name: "watch.svg", media: SVG, body: include_str!("../../dashboards/web/icons/watch.svg") },
    Asset { name: "act.svg", media: SVG, body: include_str!("../../dashboards/web/icons/act.svg") },
    Asset { name: "stale.svg", media: SVG, body: include_str!("../../dashboards/web/icons/stale.svg") },
];

static NAMES: LazyLock<[String; FILES.len()]> = LazyLock::new(|| FILES.each_ref().map(hashed_name));

/// Puts the first 32 bits of SHA-256 into the name: `wasl.1a2b3c4d.css`.
fn hashed_name(asset: &Asset) -> String {
    let hash = digest::digest(&digest::SHA256, asset.body.as_bytes());
    let hex: String = hash.as_ref()[..4].iter().map(|byte| format!("{byte:02x}")).collect();
    let (stem, end) = asset.name.split_once('.').unwrap_or((asset.name, ""));
    format!("{stem}.{hex}.{end}")
}

/// Returns the address of a file.
pub(crate) fn url(name: &str) -> String {
    let place = FILES.iter().position(|asset| asset.name == name);
    place.map_or_else(String::new, |place| format!("/assets/{}", NAMES[place]))
}

/// `GET /assets/{name}`.
pub(crate) async fn serve(_app: Arc<App>, call: Call) -> Answer {
    let place = NAMES.iter().position(|name| name == call.param("name"));
    let asset = place.map(|place| &FILES[place]).ok_or_else(|| not_found("there is no such asset"))?;
    let mut response = asset.body.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(asset.media));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable"));
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_hold_a_hash_and_the_files_no_address_of_others() {
        assert!(url("wasl.css").starts_with("/assets/wasl.") && url("wasl.css").len() == 25);
        for asset in &FILES {
            let body = asset.body.replace("http://www.w3.org/2000/svg", "");
            assert!(
                !body.contains("http:") && !body.contains("https:") && !body.contains("url("),
                "{}",
                asset.name
            );
        }
    }

    #[test]
    fn the_style_names_no_side() {
        let plain = FILES[0].body.lines().filter(|line| !line.trim_start().starts_with("/*"));
        for line in plain {
            assert!(
                !line.contains("left") && !line.contains("right"),
                "a side in {line:?}: use inline-start and -end"
            );
        }
    }

    #[test]
    fn the_script_stays_small() {
        assert!(FILES[1].body.lines().count() < 150);
    }
}
