//! The page in both languages against golden files, and what must hold of any page.
//!
//! After a meant change: `GOLDEN=write cargo test --test it page`, then read the difference.

use crate::stand_in::{self, StandIn};
use axum::body::Body;
use axum::http::{Request, header};
use http_body_util::BodyExt;
use hyper::service::Service as _;
use hyper_util::service::TowerToHyperService;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use wasl::api::service::PolicyTrouble;
use wasl::api::{ApiConfig, router};
use wasl::core::channel::{GATEWAYS_MAX, GatewayId};
use wasl::core::effect::{Event, OverlayAct};
use wasl::core::message::SERVICE;
use wasl::core::record::{Overlay, OverlayKind};
use wasl::core::time::Span;
use wasl::core::view::State;
use wasl::settings::NAME_BYTES_MAX;
use wasl::web::locale::Zone;

fn day() -> StandIn {
    let mut service = StandIn::new(stand_in::meta_is_gone());
    stand_in::events_of_the_day(&service.events);
    service.trouble = Some(PolicyTrouble {
        at: stand_in::ago(90),
        report:
            "error[unknown-channel]: rule `coast-floods` names `signall`\n  --> policies/floods.toml:14:13\n"
                .into(),
    });
    service
}

async fn get(service: StandIn, path: &str) -> (axum::http::HeaderMap, String) {
    let config = ApiConfig { open: true, zone: Zone::named("Asia/Gaza").unwrap(), ..ApiConfig::default() };
    let request = Request::get(path).header("host", "localhost").body(Body::empty()).unwrap();
    let response = TowerToHyperService::new(router(Arc::new(service), config)).call(request).await.unwrap();
    let headers = response.headers().clone();
    let mut body = response.into_body();
    let bytes = match headers[header::CONTENT_TYPE] == "text/event-stream" {
        true => body.frame().await.unwrap().unwrap().into_data().unwrap(),
        false => body.collect().await.unwrap().to_bytes(),
    };
    (headers, String::from_utf8(bytes.to_vec()).unwrap())
}

/// Puts every element on a line of its own and takes out what changes with every release.
fn readable(html: &str) -> String {
    let html = html.replace(env!("CARGO_PKG_VERSION"), "VERSION").replace("><", ">\n<");
    let mut out = String::new();
    let mut rest = html.as_str();
    while let Some(at) = rest.find("/assets/") {
        let (before, asset) = rest.split_at(at);
        let end = asset.find('"').unwrap();
        let mut parts = asset[..end].split('.');
        let (name, end_of_name) = (parts.next().unwrap(), parts.nth(1).unwrap());
        out.push_str(&format!("{before}{name}.HASH.{end_of_name}"));
        rest = &asset[end..];
    }
    out + rest + "\n"
}

fn check_golden(name: &str, html: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    let seen = readable(html);
    if std::env::var_os("GOLDEN").is_some_and(|word| word == "write") {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &seen).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    for (line, (seen, expected)) in seen.lines().zip(expected.lines()).enumerate() {
        assert_eq!(seen, expected, "{name}:{}", line + 1);
    }
    assert_eq!(seen.lines().count(), expected.lines().count(), "{name}");
}

/// What must hold of every page.
pub(crate) fn check_page(html: &str) {
    for foreign in
        ["http://", "https://", "src=\"//", "href=\"//", " style=", "<style", " onclick", "javascript:"]
    {
        assert!(!html.contains(foreign), "{foreign} in the page");
    }
    let attributes = |tag: &str| -> Vec<String> {
        html.split(&format!("<{tag} "))
            .skip(1)
            .map(|rest| rest.split('>').next().unwrap().to_owned())
            .collect()
    };
    for svg in attributes("svg") {
        assert!(svg.contains("aria-hidden"), "a drawing speaks to nobody: {svg}");
    }
    for th in attributes("th") {
        assert!(th.contains("scope="), "a heading without a scope: {th}");
    }
    for section in attributes("section") {
        assert!(
            section.contains("aria-label=\"") && !section.contains("aria-label=\"\""),
            "no label: {section}"
        );
    }
    for input in attributes("input").iter().filter(|input| !input.contains("hidden")) {
        let id = input.split("id=\"").nth(1).unwrap_or_else(|| panic!("a control without a name: {input}"));
        let id = id.split('"').next().unwrap();
        assert!(html.contains(&format!("<label for=\"{id}\"")), "a control without a label: {input}");
    }
    let brace = html.find('{').filter(|_| !html.contains("<pre"));
    let about =
        brace.map(|at| html[..at].chars().rev().take(80).collect::<Vec<_>>().into_iter().rev().collect());
    assert_eq!(about, None::<String>, "a message was not filled in after that");
}

#[tokio::test]
async fn the_page_in_english() {
    let (headers, html) = get(day(), "/?lang=en").await;
    assert!(html.contains(r#"<html lang="en" dir="ltr">"#));
    check_page(&html);
    check_golden("page.en.html", &html);
    let csp = headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
    assert!(csp.starts_with("default-src 'none'") && !csp.contains("unsafe"), "{csp}");
}

#[tokio::test]
async fn the_page_in_arabic_runs_from_the_other_side_and_isolates_what_does_not() {
    let (_, html) = get(day(), "/?lang=ar").await;
    assert!(html.contains(r#"<html lang="ar" dir="rtl">"#));
    for isolated in ["<bdi>whatsapp-main</bdi>", "<bdi>31</bdi>", r#"dir="ltr"><bdi>sms-smsc</bdi></a>"#] {
        assert!(html.contains(isolated), "{isolated} is not there");
    }
    assert!(html.contains("قناة <bdi>واتساب</bdi> متوقفة"), "the sentence tells of it");
    assert!(!html.contains('\u{2068}') || html.contains("title="), "isolates are elements but in attributes");
    check_page(&html);
    check_golden("page.ar.html", &html);
}

/// A day on which Meta is gone, with as many gateways as there may be, under names as long as they may be.
fn crowd(state: impl Fn(u8) -> Option<State>) -> StandIn {
    let mut view = stand_in::meta_is_gone();
    view.gateways = view.gateways.iter().cycle().take(GATEWAYS_MAX).cloned().collect();
    for (gateway, id) in view.gateways.iter_mut().zip(0..=u8::MAX) {
        gateway.id = GatewayId(id);
        let begin = format!("{}-{id}-", gateway.name);
        gateway.name = format!("{begin}{}", "n".repeat(NAME_BYTES_MAX - begin.len()));
        gateway.state = state(id).unwrap_or(gateway.state);
    }
    let outage = view.outages.iter().find(|outage| outage.recovered.is_none()).expect("one goes on").clone();
    view.outages = vec![outage; GATEWAYS_MAX];
    let mut service = day();
    service.view = Arc::new(view);
    service
}

#[tokio::test]
async fn the_first_page_stays_small_with_as_many_gateways_as_there_may_be() {
    let all_down = |_| Some(State::Down);
    let all_up = |_| Some(State::Up);
    let as_they_are = |_| None;
    let states: [fn(u8) -> Option<State>; 3] = [all_down, all_up, as_they_are];
    for (lang, state) in ["en", "ar", "ar-u-nu-arab"].into_iter().flat_map(|lang| states.map(|s| (lang, s))) {
        let (_, html) = get(crowd(state), &format!("/?lang={lang}")).await;
        assert!(html.len() < 100_000, "{} bytes in {lang}", html.len());
        check_page(&html);
        for id in 0..GATEWAYS_MAX {
            assert!(html.contains(&format!("-{id}-nnn")), "gateway {id} is not on the page in {lang}");
        }
    }
}

#[tokio::test]
async fn of_many_gateways_those_that_need_a_look_have_a_row_and_the_others_are_counted() {
    let state = |id| match id {
        200 | 255 => Some(State::Down),
        100 => Some(State::Degraded),
        _ => Some(State::Up),
    };
    let (_, html) = get(crowd(state), "/?lang=en").await;
    let (rows, others) = html.split_once("<details class=\"others\"").expect("there are others");
    let rows = rows.split_once("<table class=\"matrix\">").expect("a matrix").1;
    let places = ["-200-n", "-255-n", "-100-n"].map(|name| rows.find(name).expect(name));
    assert!(places.is_sorted(), "the worst first: {places:?}");
    assert!(others.contains("and <bdi>232</bdi> more, none worse than these"), "{}", &others[..400]);
    let summary = others.split_once("</summary>").expect("a summary").0;
    assert!(summary.contains("up</span> <bdi>"), "by what they show: {summary}");
    assert!(html.contains("and <bdi>248</bdi> more that go on"), "outages that are not shown are counted");
}

#[tokio::test]
async fn numbers_may_be_arabic_and_times_of_day_stay_latin() {
    let (_, html) = get(day(), "/?lang=ar-u-nu-arab").await;
    assert!(html.contains("<bdi>٣٨</bdi>") && html.contains("19:05:07"), "digits");
}

#[tokio::test]
async fn the_sentence_says_what_matters_most() {
    let sentence = async |service: StandIn| {
        let (_, html) = get(service, "/?lang=en").await;
        let verdict = html.split(r#"<section id="verdict""#).nth(1).unwrap();
        let level = verdict.split("data-level=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
        let text = verdict.split("<p>").nth(1).unwrap().split("</p>").next().unwrap();
        let text = text
            .split('<')
            .map(|part| part.split_once('>').map_or(part, |(_, text)| text))
            .collect::<String>();
        format!("{level}: {}", text.trim())
    };
    let mut calm = stand_in::empty();
    assert_eq!(
        sentence(StandIn::new(calm.clone())).await,
        "act: Nothing is waiting. No gateway is configured: nothing can be sent."
    );
    calm.gateways = vec![stand_in::gateway(0, "sms-smsc", wasl::core::channel::Channel::Sms)];
    calm.channels = stand_in::channels(&calm.gateways);
    assert_eq!(sentence(StandIn::new(calm.clone())).await, "calm: Nothing is waiting. Every channel works.");
    calm.deliveries.waiting = 2;
    assert_eq!(
        sentence(StandIn::new(calm.clone())).await,
        "calm: All 2 deliveries are within their deadlines. Every channel works."
    );
    let mut throttled = calm.clone();
    throttled.gateways[0].deferred_until = Some(stand_in::NOW + Span::from_secs(40));
    throttled.channels[0].usable = 0;
    let told = sentence(StandIn::new(throttled)).await;
    assert!(told.contains("SMS waits until 19:05:47: its providers asked to be left alone."), "{told}");
    calm.held_all = Some(Overlay {
        kind: OverlayKind::Held,
        who: "amal".into(),
        reason: "wrong text".into(),
        since: stand_in::ago(5),
    });
    assert_eq!(
        sentence(StandIn::new(calm)).await,
        "act: Everything is held: nothing leaves. All 2 deliveries are within their deadlines."
    );
    assert_eq!(
        sentence(day()).await,
        "act: One delivery is late, of 111 under way. WhatsApp has been down since 18:39:57 (name servers fail). \
         Telegram is in doubt. Signal and SMS carry the messages."
    );
}

#[tokio::test]
async fn the_feed_gives_every_panel_and_the_beat() {
    let (_, chunk) = get(day(), "/feed?lang=ar").await;
    assert_eq!(chunk.matches("event: panel\n").count(), 7, "{chunk}");
    let beat = chunk.split("event: beat\ndata: ").nth(1).unwrap();
    assert!(beat.starts_with(r#"{"clock":"19:05:07 EEST (+03)","now":1633363507000}"#), "{beat}");
    let (_, page) = get(day(), "/?lang=ar").await;
    for panel in chunk.split("event: panel\ndata: ").skip(1) {
        let panel = panel.split("\n\n").next().unwrap().replace("\ndata: ", "\n");
        assert!(page.contains(&panel), "the page and its patch are the same function");
    }
}

#[tokio::test]
async fn no_number_and_no_text_is_on_the_page() {
    let (_, html) = get(day(), "/").await;
    assert!(!html.contains("+970"));
}

#[tokio::test]
async fn the_page_tells_a_stop_from_a_release() {
    let told = async |lang: &str, gateway: Option<GatewayId>, act: OverlayAct, who: &str| {
        let service = StandIn::new(stand_in::meta_is_gone());
        service.events.push(stand_in::ago(5), [Arc::new(Event::Overlay { gateway, act, who: who.into() })]);
        let (_, html) = get(service, &format!("/?lang={lang}")).await;
        let line = html.split(r#"<section id="happened""#).nth(1).unwrap().split("<li>").nth(1).unwrap();
        let line = line.split("</li>").next().unwrap();
        let shape = line.split(r#"class="shape "#).nth(1).unwrap().split('"').next().unwrap().to_owned();
        let text = line.split("</time> ").nth(1).unwrap().split("</p>").next().unwrap();
        format!("{shape}: {}", text.replace("<bdi>", "").replace("</bdi>", ""))
    };
    let (one, all) = (Some(GatewayId(0)), None);
    for (act, gateway, en, ar) in [
        (OverlayAct::Hold, one, "held: ali held whatsapp-main", "held: أوقف ali whatsapp-main"),
        (OverlayAct::Hold, all, "held: ali held everything", "held: أوقف ali كل شيء"),
        (
            OverlayAct::Release,
            one,
            "recovering: ali released whatsapp-main",
            "recovering: أعاد ali تشغيل whatsapp-main",
        ),
        (
            OverlayAct::Release,
            all,
            "recovering: ali released everything",
            "recovering: أعاد ali تشغيل كل شيء",
        ),
        (
            OverlayAct::Maintenance,
            one,
            "maintenance: ali put whatsapp-main under maintenance",
            "maintenance: وضع ali whatsapp-main تحت الصيانة",
        ),
        (
            OverlayAct::Maintenance,
            all,
            "maintenance: ali put everything under maintenance",
            "maintenance: وضع ali كل شيء تحت الصيانة",
        ),
        (
            OverlayAct::Drill,
            one,
            "unknown: ali made whatsapp-main look down for a drill",
            "unknown: جعل ali whatsapp-main تبدو متوقفة لتمرين",
        ),
    ] {
        assert_eq!(told("en", gateway, act, "ali").await, en);
        assert_eq!(told("ar", gateway, act, "ali").await, ar);
    }
    let over = told("en", one, OverlayAct::Release, SERVICE).await;
    assert_eq!(over, "recovering: The planned work or the drill on whatsapp-main is over");
    let over = told("ar", one, OverlayAct::Release, SERVICE).await;
    assert_eq!(over, "recovering: انتهت الصيانة المخططة أو التمرين على whatsapp-main");
}
