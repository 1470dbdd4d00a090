//! Every page over a stand-in, in every language: what must hold of any page, and what each one tells.

mod operate;

use crate::page::check_page;
use crate::stand_in::{self, NOW, StandIn, ago, message_id, token};
use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode, header};
use http_body_util::BodyExt;
use hyper::service::Service as _;
use hyper_util::service::TowerToHyperService;
use std::collections::BTreeMap;
use std::sync::Arc;
use wasl::api::{ApiConfig, router};
use wasl::core::channel::Channel;
use wasl::core::evidence::{Layer, Verdict};
use wasl::core::hearsay::{self, Word};
use wasl::core::ids::{AttemptId, DeliveryId};
use wasl::core::input::Command;
use wasl::core::message::{Message, Recipient, Severity, Status, Urgency};
use wasl::core::outcome::{DeliveryResult, Outcome, Reason, ReceiptKind};
use wasl::core::policy::OnUnknown;
use wasl::core::query::{Contact, DeliveryStory, Role};
use wasl::core::record::{Attempt, Delivery, Plan, Progress, Ranked, Repeat, Settled, Standing};
use wasl::core::time::Span;
use wasl::core::view::ProbeView;
use wasl::web::locale::Zone;

/// Every page, as a person comes to it.
fn pages() -> Vec<String> {
    let id = message_id();
    let fixed = [
        "/",
        "/wall",
        "/deliveries",
        "/outages",
        "/outages?before=o-2",
        "/outages/o-2",
        "/outages/o-1",
        "/operate",
        "/gateways/whatsapp-main",
    ];
    let acts = ["send", "correct", "cancel", "hold", "release", "maintenance", "drill", "end-drill"];
    let mut pages: Vec<String> = fixed.map(str::to_owned).into();
    pages.extend(acts.map(|act| format!("/operate?act={act}")));
    pages.extend(["", "?delivery=0", "?after=1&text=shown"].map(|query| format!("/messages/{id}{query}")));
    pages
        .extend(["/gateways/sms-modem", "/deliveries?find=nothing", "/operate?done=hold"].map(str::to_owned));
    pages
}

struct House {
    service: Arc<StandIn>,
    router: Router,
}

struct Told {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

impl House {
    fn new(service: StandIn, open: bool) -> House {
        let zone = Zone::named("Asia/Gaza").unwrap();
        let config = ApiConfig { open, zone, ..ApiConfig::default() };
        let service = Arc::new(service);
        House { router: router(service.clone(), config), service }
    }

    /// The demonstration's: whoever comes may do everything.
    fn open() -> House {
        House::new(day(), true)
    }

    async fn ask(&self, verb: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Told {
        let mut request = Request::builder().method(verb).uri(path).header("host", "localhost");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::from(body.to_owned())).unwrap();
        let response = TowerToHyperService::new(self.router.clone()).call(request).await.unwrap();
        let (head, mut body) = response.into_parts();
        let bytes = match head.headers.get(header::CONTENT_TYPE).is_some_and(|m| m == "text/event-stream") {
            true => body.frame().await.unwrap().unwrap().into_data().unwrap(),
            false => body.collect().await.unwrap().to_bytes(),
        };
        Told { status: head.status, headers: head.headers, body: String::from_utf8(bytes.to_vec()).unwrap() }
    }

    async fn get(&self, path: &str) -> Told {
        self.ask("GET", path, &[], "").await
    }

    async fn post(&self, path: &str, form: &str) -> Told {
        self.ask("POST", path, &[("content-type", "application/x-www-form-urlencoded")], form).await
    }

    async fn bearer(&self, verb: &str, path: &str, role: Role, form: &str) -> Told {
        let bearer = format!("Bearer {}", token(role));
        self.ask(verb, path, &[("authorization", &bearer)], form).await
    }
}

impl Told {
    fn place(&self) -> &str {
        assert_eq!(self.status, StatusCode::SEE_OTHER, "{}", self.body);
        self.headers[header::LOCATION].to_str().unwrap()
    }

    /// Reads what a confirmation would send: every hidden field, as the browser would.
    fn confirmed(&self) -> String {
        let form = self.body.split("<section class=\"card wide confirm\"").nth(1).expect("a confirmation");
        let mut pairs = Vec::new();
        for input in form.split("<input type=\"hidden\" ").skip(1) {
            let attribute = |name: &str| {
                input.split(&format!("{name}=\"")).nth(1).unwrap().split('"').next().unwrap().to_owned()
            };
            pairs.push(format!("{}={}", attribute("name"), encoded(&attribute("value"))));
        }
        pairs.push("step=confirm".into());
        pairs.join("&")
    }
}

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

const TEXT: &str = "غادروا الطابق الأرضي الآن";
const NUMBER: &str = "+970599000731";

/// The day of `meta_is_gone`, with a message on record and its people.
pub(crate) fn day() -> StandIn {
    let mut service = StandIn::new(stand_in::meta_is_gone());
    stand_in::events_of_the_day(&service.events);
    let person = Recipient {
        contact: Some("c-1".into()),
        language: Some("ar".into()),
        audiences: vec!["north".into()],
        addresses: [(Channel::Whatsapp, NUMBER.into()), (Channel::Sms, NUMBER.into())].into(),
        ..Recipient::default()
    };
    let contact = Contact { id: "c-1".into(), person: person.clone(), ..Contact::default() };
    service.contacts = vec![contact];
    let message = Message {
        id: message_id(),
        author: "amal".into(),
        accepted_at: ago(30),
        severity: Severity::Extreme,
        urgency: Urgency::Immediate,
        status: Status::Actual,
        incident: Some("flood-2026".into()),
        expires: Some(NOW + Span::from_hours(1)),
        text: [("ar".to_owned(), TEXT.to_owned()), ("en".to_owned(), "Leave the ground floor".to_owned())]
            .into(),
        template: None,
        tags: BTreeMap::new(),
        recipients: 25,
        audiences: vec!["north".into()],
        corrects: None,
        asks: Default::default(),
    };
    let mut progress = Progress::untouched(message.id);
    progress.settled[DeliveryResult::Delivered as usize] = 1;
    let stories = (0..25).map(|index| story(index, person.clone())).collect();
    service.messages = vec![(Arc::new(message), progress, stories)];
    service
}

/// Tried by WhatsApp in vain, then delivered by SMS.
fn story(index: u32, recipient: Recipient) -> DeliveryStory {
    let id = DeliveryId::new(message_id(), index);
    let attempt = |n, gateway: &str, channel, secs, outcome| Attempt {
        id: AttemptId::new(id, n),
        gateway: gateway.into(),
        channel,
        step: 0,
        at: ago(secs),
        repeat: Repeat::No,
        plan: 1,
        outcome: Some((outcome, ago(secs - 1))),
    };
    let ranked = |gateway: &str, channel, standing, health_permille| Ranked {
        gateway: gateway.into(),
        channel,
        standing,
        health_permille,
        needle_cdb: 0,
    };
    let plan = Plan {
        message: message_id(),
        number: 1,
        policy: "0f3a9c".into(),
        rule: "life-safety".into(),
        step: 0,
        on_unknown: OnUnknown::Repeat,
        ranking: vec![
            ranked("whatsapp-main", Channel::Whatsapp, Standing::Eligible, 980),
            ranked("sms-smsc", Channel::Sms, Standing::LaterStep, 950),
            ranked("signal-a", Channel::Signal, Standing::NoAddress, 970),
        ],
        at: ago(29),
    };
    let settled = Settled {
        result: DeliveryResult::Delivered,
        at: ago(20),
        channel: Some(Channel::Sms),
        attempt: Some(2),
        reason: None,
        duplicated: false,
    };
    let open = Delivery { id, step: 0, attempts: 2, rounds: 0, barred: 0, result: Some(settled) };
    DeliveryStory {
        recipient,
        delivery: Some(open),
        id,
        attempts: vec![
            attempt(
                1,
                "whatsapp-main",
                Channel::Whatsapp,
                29,
                Outcome::Rejected { reason: Reason::DnsServfail },
            ),
            attempt(2, "sms-smsc", Channel::Sms, 27, Outcome::Accepted { provider_id: None }),
        ],
        receipts: vec![(2, ReceiptKind::Delivered, ago(20))],
        plans: [(1, plan)].into(),
        answer: Default::default(),
    }
}

#[tokio::test]
async fn every_page_holds_in_every_language() {
    let house = House::open();
    for page in pages() {
        for (lang, language, dir) in [("en", "en", "ltr"), ("ar", "ar", "rtl"), ("ar-u-nu-arab", "ar", "rtl")]
        {
            let between = if page.contains('?') { '&' } else { '?' };
            let told = house.get(&format!("{page}{between}lang={lang}")).await;
            assert_eq!(told.status, StatusCode::OK, "{page}: {}", told.body);
            let html = &told.body;
            assert!(html.contains(&format!(r#"<html lang="{language}" dir="{dir}""#)), "{page} in {lang}");
            check_page(html);
            assert!(!html.contains("+970") && !html.contains("599000731"), "{page}: a number");
            assert!(html.contains("id=\"clock\""), "{page}: how fresh it is");
            let csp = told.headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
            assert!(csp.starts_with("default-src 'none'") && !csp.contains("unsafe"), "{csp}");
            assert!(html.len() < 100_000, "{page}: {} bytes", html.len());
            assert!(html.matches("<h1").count() == 1, "{page}: one heading of all");
        }
    }
}

#[tokio::test]
async fn the_language_links_keep_what_was_asked() {
    let house = House::open();
    let id = message_id();
    let told = house.get(&format!("/messages/{id}?after=1&text=shown&lang=en")).await;
    assert!(told.body.contains(r#"href="?after=1&amp;text=shown&amp;lang=ar""#), "{}", told.body);
    // What a form was answered with has no address of its own.
    let told = house.post("/operate/hold", "gateway=signal-a&reason=x").await;
    assert!(told.body.contains(r#"href="/operate?act=hold&amp;lang=ar""#), "{}", told.body);
}

#[tokio::test]
async fn a_message_tells_its_timeline_and_why_with_the_text_folded() {
    let house = House::open();
    let id = message_id();
    let told = house.get(&format!("/messages/{id}?delivery=0&lang=en")).await.body;
    for part in [
        "19:04:38</time> <span>Attempt <bdi>1</bdi>, step <bdi>1</bdi>: to",
        "refused</bdi>: name servers fail",
        "Receipt for attempt <bdi>2</bdi>, <bdi>7 s</bdi> after it left: <bdi>delivered</bdi>",
        "rule <bdi>life-safety</bdi>, step <bdi>1</bdi>, policy <bdi>0f3a9c</bdi>",
        "no address there",
        "only in a later step",
        "<strong>taken</strong>",
        "…731",
        "2021-10-04 19:04:37 EEST (+03)",
        "30 s ago",
    ] {
        assert!(told.contains(part), "{part} is not in {told}");
    }
    assert!(!told.contains(TEXT) && !told.contains("Leave the ground floor"), "the text is folded");
    let shown = house.get(&format!("/messages/{id}?text=shown&lang=en")).await.body;
    assert!(shown.contains(&format!(r#"<blockquote lang="ar" dir="auto">{TEXT}</blockquote>"#)));
    assert_eq!(house.get(&format!("/messages/{id}?text=all")).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    let nobody = house.get("/messages/01M82KKSRF00054H2DMDGKM5RP").await;
    assert_eq!(nobody.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_messages_deliveries_come_page_by_page() {
    let house = House::open();
    let (mut path, mut seen) = (format!("/messages/{}?lang=en", message_id()), Vec::new());
    loop {
        let told = house.get(&path).await.body;
        let indexes = told.split("<details class=\"delivery\" id=\"d-").skip(1);
        seen.extend(indexes.map(|rest| rest.split('"').next().unwrap().parse::<u32>().unwrap()));
        match told.split(r#"rel="next" href=""#).nth(1) {
            Some(rest) => path = rest.split('"').next().unwrap().replace("&amp;", "&"),
            None => break,
        }
    }
    assert_eq!(seen, (0..25).collect::<Vec<_>>());
    let back = house.get(&path).await.body;
    let earlier = back.split(r#"rel="prev" href=""#).nth(1).unwrap().split('"').next().unwrap();
    assert_eq!(earlier, format!("/messages/{}?after=9", message_id()));
}

#[tokio::test]
async fn an_id_leads_to_its_page() {
    let house = House::open();
    let id = message_id();
    let place = async |find: &str| house.get(&format!("/deliveries?find={find}")).await.place().to_owned();
    assert_eq!(place(&id.to_string()).await, format!("/messages/{id}"));
    assert_eq!(place(&format!("+{id}-3+")).await, format!("/messages/{id}?delivery=3"));
    let told = house.get("/deliveries?lang=en").await.body;
    assert!(told.contains(&format!("href=\"/messages/{id}?delivery=7\"")), "the oldest lead there");
    assert!(told.contains("<bdi>1</bdi> of <bdi>25</bdi> ended"), "{told}");
}

#[tokio::test]
async fn deliveries_are_sought_by_state_road_and_incident() {
    let house = House::open();
    let told = house.get("/deliveries?lang=en").await.body;
    assert!(told.contains("id=\"incident\"") && !told.contains("id=\"found\""), "nothing was sought yet");
    // A form sends what nobody chose as well.
    let empty = "state=&channel=&gateway=&severity=&drill=&incident=";
    assert!(!house.get(&format!("/deliveries?{empty}")).await.body.contains("id=\"found\""));
    for (lang, words) in [("en", "delivered"), ("ar", "وصلت")] {
        let told = house
            .get(&format!("/deliveries?{empty}x&lang={lang}").replace("incident=x", "incident=flood+north"))
            .await;
        assert_eq!(told.status, StatusCode::OK, "{}", told.body);
        assert!(
            told.body.contains("value=\"flood north\""),
            "what was asked is still in the form: {}",
            told.body
        );
        let told = house.get(&format!("/deliveries?state=delivered&channel=sms&lang={lang}")).await.body;
        let (_, found) = told.split_once("id=\"found\"").expect("the list");
        let (found, _) = found.split_once("</section>").unwrap();
        assert!(found.contains(words) && found.contains("sms-smsc"), "{found}");
        assert!(found.contains(&format!("href=\"/messages/{}?delivery=", message_id())), "{found}");
        check_page(&told);
        assert!(!told.contains("+970") && !told.contains("599000731"), "nobody's number");
    }
    let none = house.get("/deliveries?state=superseded&lang=en").await.body;
    assert!(none.contains("No delivery on record is like that."), "{none}");
    let bad = house.get("/deliveries?state=opne").await;
    assert_eq!(bad.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", bad.body);
    assert_eq!(house.get("/deliveries?state=open&after=7").await.status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn a_gateway_shows_its_layers_evidence_and_history() {
    let house = House::open();
    let told = house.get("/gateways/whatsapp-main?lang=en").await.body;
    for part in ["down", "name servers fail", "declared", "does not answer", "31"] {
        assert!(told.to_lowercase().contains(part), "{part} is not there");
    }
    assert!(told.contains("o-2"), "its outages");
    assert!(!told.contains("Telegram is"), "what happened to others is not its story: {told}");
    assert_eq!(house.get("/gateways/nobody").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_a_provider_says_is_shown_apart_from_what_we_saw() {
    let mut view = stand_in::meta_is_gone();
    let told = hearsay::Told::new(Word::Major, "<b onload=x> \u{202e}\u{7}تأخر في الرسائل");
    let page = |name: &str, verdict| ProbeView {
        name: name.into(),
        at: ago(120),
        phases: Vec::new(),
        ..stand_in::probe(Layer::Http, Some(Layer::Http), verdict)
    };
    view.gateways[0].name = "sms-x".into();
    view.gateways[0].probes =
        vec![page("x-says", Verdict::Says(told)), page("y-says", Verdict::Silent(Reason::DnsTimeout))];
    let house = House::new(StandIn::new(view), true);
    for (language, parts) in [
        ("en", ["What the provider says of itself", "major outage", "its page cannot be read", "2 min"]),
        ("ar", ["ما يقوله المزوّد عن نفسه", "انقطاع كبير", "تعذّرت قراءة صفحته", "2"]),
    ] {
        let told = house.get(&format!("/gateways/sms-x?lang={language}")).await.body;
        for part in parts {
            assert!(told.contains(part), "{part} is not there: {told}");
        }
        let quoted = "<q><bdi dir=\"auto\">&lt;b onload=x&gt; تأخر في الرسائل</bdi></q>";
        assert!(told.contains(quoted), "{told}");
        assert!(
            !told.contains("<th scope=\"row\"><bdi class=\"name\" dir=\"ltr\">x-says"),
            "not among our own"
        );
    }
    let told = house.get("/v1/gateways").await.body;
    let told: serde_json::Value = serde_json::from_str(&told).expect("JSON");
    let gateways = told["gateways"].as_array().expect("a list");
    let gateway = gateways.iter().find(|gateway| gateway["name"] == "sms-x").expect("it is there");
    let [x, y] = [&gateway["probes"][0], &gateway["probes"][1]];
    assert_eq!((&x["verdict"], &x["says"]["word"]), (&"says".into(), &"major_outage".into()), "{gateway}");
    assert_eq!(x["says"]["title"], "<b onload=x> تأخر في الرسائل");
    assert_eq!((&y["verdict"], &y["reason"]["name"]), (&"silent".into(), &"dns_timeout".into()));
}

#[tokio::test]
async fn the_wall_has_nothing_to_click_and_nothing_of_people() {
    let house = House::open();
    let told = house.get("/wall?lang=en").await.body;
    for tag in ["<a ", "<a>", "<button", "<input", "<form", "<details"] {
        assert!(!told.contains(tag), "{tag} on the wall");
    }
    assert!(!told.contains(TEXT) && told.contains("data-feed="), "it is live");
    let mut crowd = stand_in::meta_is_gone();
    crowd.gateways.extend((5..64).map(|n| stand_in::gateway(n, &format!("more-{n}"), Channel::Sms)));
    let told = House::new(StandIn::new(crowd), true).get("/wall?lang=en").await.body;
    assert!(told.contains("and <bdi>56</bdi> more"), "what does not fit is counted");
    assert!(told.find("whatsapp-main").unwrap() < told.find("signal-a").unwrap(), "the worst comes first");
}

#[tokio::test]
async fn a_person_who_comes_to_no_page_is_told_in_words_and_a_program_in_json() {
    let house = House::open();
    let browser = "text/html,application/xhtml+xml,*/*;q=0.8";
    let ask = |path: &'static str, language: &'static str, accept: &'static str| {
        let house = &house;
        async move { house.ask("GET", path, &[("accept", accept), ("accept-language", language)], "").await }
    };
    let unknown = "/messages/01M82KKSRF00054H2DMDGKM5RP";
    for path in ["/messages/xyz", unknown, "/gateways/nope", "/nope"] {
        for (language, said, back) in
            [("en", "There is no such page", "Back to the overview"), ("ar", "لا توجد صفحة كهذه", "العودة")]
        {
            let told = ask(path, language, browser).await;
            assert_eq!(told.status, StatusCode::NOT_FOUND, "{path}");
            assert!(told.headers[header::CONTENT_TYPE].to_str().unwrap().starts_with("text/html"), "{path}");
            assert!(told.body.contains(said) && told.body.contains(back), "{path}: {}", told.body);
            assert!(
                told.body.contains("href=\"/\"") && !told.body.contains("urn:wasl"),
                "{path}: {}",
                told.body
            );
            check_page(&told.body);
        }
        let told = ask(path, "ar", "*/*").await;
        assert_eq!(told.headers[header::CONTENT_TYPE], "application/problem+json", "{path}");
    }
    for path in ["/v1/nope", "/v1/messages/xyz"] {
        let told = ask(path, "ar", browser).await;
        assert_eq!(told.headers[header::CONTENT_TYPE], "application/problem+json", "{path}");
    }
    let asked = ask("/operate/hold", "ar", browser).await;
    assert_eq!(asked.status, StatusCode::METHOD_NOT_ALLOWED);
    assert!(asked.headers.contains_key(header::ALLOW) && asked.body.contains("<html"), "{}", asked.body);
    // Somebody who may not look learns nothing of the service from it.
    let told = House::new(day(), false).ask("GET", "/nope", &[("accept", browser)], "").await;
    assert!(told.status == StatusCode::NOT_FOUND && !told.body.contains("footer"), "{}", told.body);
}

#[tokio::test]
async fn each_feed_brings_what_its_page_shows() {
    let house = House::open();
    let id = message_id();
    let of_message = format!("/messages/{id}%3Fdelivery%3D0");
    for (page, of, least) in [
        ("/", "/", 7),
        ("/wall", "/wall", 5),
        ("/deliveries", "/deliveries", 4),
        ("/outages", "/outages", 4),
        ("/operate", "/operate", 3),
        ("/gateways/signal-a", "/gateways/signal-a", 7),
        (&*format!("/messages/{id}?delivery=0"), &*of_message, 6),
    ] {
        let between = if page.contains('?') { '&' } else { '?' };
        let html = house.get(&format!("{page}{between}lang=ar")).await.body;
        let chunk = house.get(&format!("/feed?lang=ar&of={of}")).await.body;
        assert!(chunk.contains("event: beat\n"), "{page} beats");
        let panels: Vec<_> = chunk.split("event: panel\ndata: ").skip(1).collect();
        assert_eq!(panels.len(), least, "{page}");
        for panel in panels {
            let panel = panel.split("\n\n").next().unwrap().replace("\ndata: ", "\n");
            assert!(html.contains(&panel), "{page}: the page and its patch are the same function");
        }
    }
    for of in ["/nothing", "/gateways/nobody"] {
        assert_eq!(house.get(&format!("/feed?of={of}")).await.status, StatusCode::NOT_FOUND);
    }
}

#[test]
fn every_word_that_a_page_asks_for_is_there() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let words: String = ["en.ftl", "pages.en.ftl"]
        .map(|name| std::fs::read_to_string(root.join("dashboards/web/i18n").join(name)).unwrap())
        .concat();
    let known: Vec<&str> =
        words.lines().filter_map(|line| line.split_once(" = ").map(|(id, _)| id)).collect();
    let mut folders = vec![root.join("src/web")];
    let mut missing = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            for call in ["locale.word(\"", "locale.say(\"", "fact(\"", "about(scene, \""] {
                let asked = text.split(call).skip(1).map(|rest| rest.split('"').next().unwrap());
                missing.extend(
                    asked.filter(|id| !known.contains(id)).map(|id| format!("{id} in {}", path.display())),
                );
            }
        }
    }
    assert!(missing.is_empty(), "{missing:?}");
}
