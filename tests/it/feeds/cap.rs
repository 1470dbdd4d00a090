//! CAP in: alerts as public feeds write them, what becomes of each, and what is refused.

use super::{PATIENCE, Told, Yard};
use crate::service::house::Does;
use axum::http::StatusCode;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use wasl::core::outcome::Reason;
use wasl::store::outbox::memory::MemoryOutbox;

const MAP: &str = r#"
[[cap.map]]
geocode = "SAME=0061*"
audiences = ["east"]
[[cap.map]]
geocode = "SAME=006033"
audiences = ["west"]
[[cap.map]]
area = "East quarter"
audiences = ["east"]
[[cap.map]]
geocode = "EMMA_ID=IT019"
audiences = ["coast", "nobody-yet"]
[[cap.map]]
geocode = "profile:CAP-CP:Location:0.3=5915022"
audiences = ["east"]
[[cap.map]]
parameter = "flood_zone=1"
audiences = ["west"]
[[cap.map]]
address = "surge team"
audiences = ["west"]
[[cap.map]]
restriction = "Officers only"
audiences = ["west"]
"#;

macro_rules! sample {
    ($name:literal) => {
        include_str!(concat!("../../support/cap/", $name, ".xml"))
    };
}

const FLOOD: &str = sample!("nws-flash-flood");
const UPDATE: &str = sample!("nws-flash-flood-update");
const CANCEL: &str = sample!("nws-flash-flood-cancel");
const ARABIC: &str = sample!("arabic-flood");
const WIND: &str = sample!("europe-wind");
const SNOW: &str = sample!("canada-two-zones");
const DRILL: &str = sample!("tsunami-exercise");
const TEST: &str = sample!("weekly-test");
const PRIVATE: &str = sample!("hospital-private");
const ACK: &str = sample!("ack");

async fn cap(yard: &Yard, alert: &str) -> Told {
    yard.post("/v1/cap", "application/cap+xml", alert).await
}

async fn taken(yard: &Yard, alert: &str) -> Told {
    let told = cap(yard, alert).await;
    assert_eq!(told.status, StatusCode::ACCEPTED, "{}", told.body);
    told
}

async fn message(yard: &Yard, told: &Told) -> Value {
    yard.get(&format!("/v1/messages/{}", told.id())).await
}

/// Waits until nothing of a message is out, and it has ended.
async fn ended(yard: &Yard, told: &Told) -> Value {
    let began = Instant::now();
    loop {
        let message = message(yard, told).await;
        if message["open"] == false {
            return message;
        }
        assert!(began.elapsed() < PATIENCE, "{message}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_alert_is_a_message_with_all_that_it_says() {
    let yard = Yard::with(MAP).await;
    let told = taken(&yard, FLOOD).await;
    assert_eq!((told.body["deliveries"].as_u64(), &told.body["unmapped_areas"]), (Some(2), &Value::Null));
    let made = message(&yard, &told).await;
    let wanted = json!({
        "severity": "severe", "urgency": "immediate", "status": "actual",
        "incident": "urn:oid:2.49.0.1.840.0.7d1f5b.001.1", "expires": "2026-11-22T17:45:00.000Z", "audiences": ["east"],
    });
    for (key, value) in wanted.as_object().unwrap() {
        assert_eq!(&made[key], value, "{key}");
    }
    assert_eq!(
        made["text"],
        json!({"en": "Flash Flood Warning until 11:45 AM for the Example Hills\n\n\
            * WHAT...Flash flooding by heavy rain.\n\n* WHERE...Low lying roads along Muddy Creek & the old\nmill.\n\n\
            * IMPACTS...Water over roads and in cellars.\n\nTurn around: most who drown in a flood were in\na car."})
    );
    let tag = |name: &str| made["tags"][name].as_str().unwrap_or_default().to_owned();
    assert_eq!(tag("sector"), "met");
    assert_eq!(tag("cap_event_code"), "NationalWeatherService=FFW; SAME=FFW");
    assert_eq!(tag("cap_geocode"), "SAME=006109; UGC=CAC109");
    assert_eq!((tag("cap_response"), tag("cap_certainty")), ("Avoid".into(), "Likely".into()));
    assert_eq!(tag("cap_web"), "https://www.weather.example/ffw/1");
    assert_eq!(yard.sent(2).await.keys().collect::<Vec<_>>(), ["+970599000001", "+970599000002"]);
    yard.running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_language_reaches_its_readers_whatever_its_areas_are_called() {
    let yard = Yard::with(MAP).await;
    let told = taken(&yard, ARABIC).await;
    assert_eq!(told.body["unmapped_areas"], json!(["الحي الشرقي"]), "an area that no entry names is told");
    let sent = yard.sent(2).await;
    assert_eq!(
        sent["+970599000001"],
        [
            "السيل يقترب من الحي الشرقي\n\nارتفع الماء في الوادي مترين خلال ساعة، ويصل إلى الحي قبل الساعة ١٥:٠٠.\n\n\
             غادروا الآن نحو المدرسة الثانوية سيرًا على الأقدام."
        ]
    );
    assert!(sent["+970599000002"][0].starts_with("Flood water is near the east quarter\n\nThe wadi"));
    let made = message(&yard, &told).await;
    assert_eq!(
        (&made["incident"], &made["tags"]["cap_source"]),
        (&json!("flood-2026-11"), &json!("غرفة العمليات"))
    );

    let told = taken(&yard, WIND).await;
    assert_eq!(
        told.body["empty_audiences"],
        json!(["nobody-yet"]),
        "one that is empty keeps it from nobody else"
    );
    assert_eq!(message(&yard, &told).await["severity"], "moderate");
    assert_eq!(
        yard.sent(3).await["+390599000004"],
        ["Allerta gialla per vento\n\nRaffiche fino a 80 km/h.\n\nFissate gli oggetti leggeri."]
    );
    yard.running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn words_for_other_zones_are_left_out() {
    let yard = Yard::with(MAP).await;
    let told = taken(&yard, SNOW).await;
    assert_eq!(told.body["unmapped_areas"], json!(["Mountain Pass"]));
    assert_eq!(told.body["signature"], "not checked");
    let made = message(&yard, &told).await;
    assert_eq!(made["severity"], "moderate", "the pass's blizzard is not theirs");
    assert_eq!(
        made["text"],
        json!({"en": "snowfall warning in effect\n\n15 cm by evening.",
            "fr": "avertissement de neige en vigueur\n\n15 cm d'ici ce soir."})
    );
    yard.running.stop().await.unwrap();
    // Where nobody is configured, everybody hears all of it, each part under its zone.
    let yard = Yard::with("[cap]\ndefault = [\"west\"]\n").await;
    let made = message(&yard, &taken(&yard, SNOW).await).await;
    assert_eq!(made["severity"], "severe");
    assert_eq!(
        made["text"]["en"],
        "River Valley:\nsnowfall warning in effect\n\n15 cm by evening.\n\nMountain Pass:\nblizzard warning in effect\n\n\
         Nothing to be seen on the pass.\n\nStay off the road."
    );
    yard.running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_update_reaches_those_who_got_it_and_those_who_are_new() {
    let yard = Yard::with(MAP).await;
    let first = taken(&yard, FLOOD).await;
    yard.sent(2).await;
    // What the address book no longer says of them does not take the Update from those who got the first words.
    yard.people(&[("c-1", "ar", "moved-away", "+970599000001")]).await;
    let update = taken(&yard, UPDATE).await;
    assert_eq!((&update.body["corrects"], update.body["deliveries"].as_u64()), (&json!(first.id()), Some(3)));
    let sent = yard.sent(5).await;
    for address in ["+970599000001", "+970599000002", "+970599000003"] {
        let last = sent[address].last().unwrap();
        assert!(last.starts_with("The dam above Muddy Creek is failing. A wall"), "nothing twice: {last}");
    }
    let made = message(&yard, &update).await;
    assert_eq!(
        (&made["severity"], &made["incident"]),
        (&json!("extreme"), &json!("urn:oid:2.49.0.1.840.0.7d1f5b.001.1"))
    );
    assert_eq!(message(&yard, &first).await["corrected_by"], json!(update.id()));

    let cancel = taken(&yard, CANCEL).await;
    assert_eq!(
        (&cancel.body["corrects"], cancel.body["deliveries"].as_u64()),
        (&json!(update.id()), Some(3))
    );
    let sent = yard.sent(8).await;
    assert_eq!(
        sent["+970599000003"].last().unwrap(),
        "This alert is cancelled: The dam above Muddy Creek holds\n\nEngineers closed the leak."
    );
    assert_eq!(
        message(&yard, &cancel).await["severity"],
        "extreme",
        "it goes by the roads of what it takes back"
    );
    yard.running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancel_recalls_what_was_not_sent_and_tells_each_reader_in_his_language() {
    let held = Yard::over(MAP, MemoryOutbox::new(), Duration::ZERO, [Does::Reject(Reason::TcpRefused)]);
    held.people(&[("c-2", "en", "east", "+970599000002")]).await;
    let first = taken(&held, FLOOD).await;
    let without_words = CANCEL.split("<info>").next().unwrap().to_owned() + "</alert>";
    let cancel = taken(&held, &without_words).await;
    assert_eq!(
        (&cancel.body["id"], cancel.body["deliveries"].as_u64()),
        (&Value::Null, Some(0)),
        "nobody had got it"
    );
    assert_eq!(ended(&held, &first).await["settled"]["cancelled"], 1);
    held.running.stop().await.unwrap();

    let yard = Yard::with(MAP).await;
    taken(&yard, ARABIC).await;
    yard.sent(2).await;
    let of = "forecast@met.example.ps,PS-PMD-2026-1122-0007,2026-11-22T13:30:00+02:00";
    let cut = without_words.split("<references>").next().unwrap();
    taken(&yard, &format!("{cut}<references>{of}</references></alert>")).await;
    let sent = yard.sent(4).await;
    assert_eq!(sent["+970599000001"][1], "أُلغي هذا التنبيه: السيل يقترب من الحي الشرقي");
    assert_eq!(sent["+970599000002"][1], "This alert is cancelled: Flood water is near the east quarter");
    yard.running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_alert_makes_one_message_whoever_brings_it_and_whenever() {
    let yard = Yard::with(MAP).await;
    let first = taken(&yard, FLOOD).await;
    let again = taken(&yard, FLOOD).await;
    assert_eq!(first.id(), again.id());
    let other = cap(&yard, &FLOOD.replace("Turn around", "Drive on")).await;
    assert_eq!(other.problem().1, "key-conflict");
    yard.sent(2).await;
    yard.running.stop().await.unwrap();
    // Two days later its key is forgotten, and the message is not. It is past as well, but that comes second.
    let later = Yard::over(MAP, yard.store, Duration::from_secs(2 * 86_400), []);
    assert_eq!(taken(&later, FLOOD).await.id(), first.id());
    let told = cap(&later, &UPDATE.replace("2026-11-22T12:45", "2026-11-29T12:45")).await;
    assert_eq!(told.body["corrects"], json!(first.id()), "{}", told.body);
    later.sent(3).await;
    later.running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_turn_that_is_brought_twice_at_once_does_not_take_itself_back() {
    // Everything is still on its way when it is brought again, so that taking it back would show.
    let held = Yard::over(MAP, MemoryOutbox::new(), Duration::ZERO, [Does::Slow(Duration::from_secs(3))]);
    held.people(&[("c-2", "en", "east", "+970599000002"), ("c-3", "en", "west", "+970599000003")]).await;
    taken(&held, FLOOD).await;
    for turn in [UPDATE, CANCEL] {
        let once = || taken(&held, turn);
        let brought = tokio::join!(once(), once(), once(), once(), once(), once());
        let ids = [brought.0, brought.1, brought.2, brought.3, brought.4, brought.5].map(|told| told.id());
        assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
        let made = held.get(&format!("/v1/messages/{}", ids[0])).await;
        assert_eq!((&made["withdrawn"], &made["corrected_by"]), (&Value::Null, &Value::Null), "{turn}");
    }
    held.running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_turn_whose_key_is_forgotten_does_not_take_itself_back_either() {
    // Names as long as they may be, of which a tag keeps the beginning; and a clock that is a day ahead.
    let long = format!("urn:oid:{}", "2.49.0.1.840.0.".repeat(30));
    let of_tomorrow = |turn: &str| {
        let turn =
            turn.replace("urn:oid:2.49.0.1.840.0.", &long).replace("2026-11-22T05:5", "2026-11-23T05:5");
        turn.replace("2026-11-22T12:45", "2026-11-29T12:45").replace("2026-11-22T05:41", "2026-11-23T05:41")
    };
    let yard = Yard::with(MAP).await;
    taken(&yard, &of_tomorrow(FLOOD)).await;
    yard.sent(2).await;
    let update = taken(&yard, &of_tomorrow(UPDATE)).await;
    yard.sent(5).await;
    yard.running.stop().await.unwrap();
    let later = Yard::over(MAP, yard.store, Duration::from_secs(28 * 3_600), []);
    let again = taken(&later, &of_tomorrow(UPDATE)).await;
    assert_eq!(again.id(), update.id(), "{}", again.body);
    let cancel = taken(&later, &of_tomorrow(CANCEL)).await;
    assert_eq!(cancel.body["corrects"], json!(update.id()));
    later.sent(3).await;
    later.running.stop().await.unwrap();
    // Days later it is still known, whatever has followed it.
    for hours in [60, 120] {
        let later = Yard::over(MAP, later.store.clone(), Duration::from_secs(hours * 3_600), []);
        assert_eq!(taken(&later, &of_tomorrow(CANCEL)).await.id(), cancel.id());
        assert_eq!(taken(&later, &of_tomorrow(UPDATE)).await.id(), update.id());
        assert!(later.sms.sent.lock().unwrap().is_empty(), "nothing twice: {:?}", later.sms.texts());
        later.running.stop().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_for_people_is_read_and_not_sent() {
    let yard = Yard::with(MAP).await;
    let noted = async |alert: &str| {
        let told = cap(&yard, alert).await;
        assert_eq!((told.status, &told.body["sent"]), (StatusCode::OK, &json!(false)), "{}", told.body);
        told.body
    };
    let test = noted(TEST).await;
    assert_eq!((&test["audiences"], &test["languages"]), (&json!(["east"]), &json!(["en"])));
    noted(&TEST.replace(">Test<", ">System<")).await;
    noted(ACK).await;
    noted(&ACK.replace("Ack", "Error")).await;
    let draft = cap(&yard, &TEST.replace(">Test<", ">Draft<")).await.problem();
    assert_eq!((draft.0, draft.1.as_str()), (422, "bad-value"));
    assert!(draft.2.contains("a Draft is not to be acted on"), "{}", draft.2);
    // An exercise goes out as what it is.
    let drill = Yard::with("[cap]\ndefault = [\"east\"]\n").await;
    let told = taken(&drill, &DRILL.replace(">Likely<", ">Very Likely<")).await;
    let made = message(&drill, &told).await;
    assert_eq!((&made["status"], &made["tags"]["cap_certainty"]), (&json!("exercise"), &json!("Likely")));
    assert_eq!(drill.sent(2).await["+970599000002"], ["DRILL – Go up from the shore"]);
    let actual = DRILL.replace("Exercise<", "Actual<").replace("Alert<", "Cancel<").replace(
        "<info>",
        "<references>desk@tsunami.example,TSU-EX-2026-11,2026-11-22T12:00:00+00:00</references><info>",
    );
    let actual = actual.replace("<identifier>TSU", "<identifier>TSV");
    assert_eq!(cap(&drill, &actual).await.problem().1, "refused", "a drill's end is a drill");
    assert!(yard.sms.sent.lock().unwrap().is_empty());
    for yard in [yard, drill] {
        yard.running.stop().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_private_or_restricted_alert_reaches_nobody_by_its_area() {
    let yard = Yard::with(&format!("[cap]\ndefault = [\"east\"]\n{MAP}")).await;
    let told = taken(&yard, PRIVATE).await;
    assert_eq!(message(&yard, &told).await["audiences"], json!(["west"]));
    let restricted = PRIVATE
        .replace("Private<", "Restricted<")
        .replace("MCI-2026-113", "MCI-2026-114")
        .replace("<addresses>", "<restriction>Officers only</restriction><addresses>");
    let told = taken(&yard, &restricted).await;
    assert_eq!(message(&yard, &told).await["audiences"], json!(["west"]));
    let others = restricted.replace("Officers only", "Ministers only").replace("-114", "-115");
    let told = cap(&yard, &others).await.problem();
    assert!(told.0 == 422 && told.2.contains("no audience is configured"), "{told:?}");
    let silent = PRIVATE.replace("<addresses>hospital-a@ems.example \"surge team\"</addresses>", "");
    assert!(cap(&yard, &silent).await.problem().2.contains("<addresses>"));
    yard.running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forecast_changes_nothing() {
    let yard = Yard::with(MAP).await;
    let asked = async |alert: &str| {
        let told = yard.post("/v1/cap?dry_run=true", "application/xml", alert).await;
        assert_eq!(told.status, StatusCode::OK, "{}", told.body);
        told.body["deliveries"].clone()
    };
    assert_eq!(asked(FLOOD).await, 2);
    assert_eq!(yard.get("/v1/messages").await["messages"], json!([]));
    let first = taken(&yard, FLOOD).await;
    yard.sent(2).await;
    assert_eq!((asked(UPDATE).await, asked(CANCEL).await), (json!(3), json!(2)));
    let made = message(&yard, &first).await;
    assert_eq!((&made["withdrawn"], &made["corrected_by"]), (&Value::Null, &Value::Null));
    yard.sent(2).await;
    yard.running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_is_said_with_its_place_and_remedy() {
    let yard = Yard::with(MAP).await;
    let check = async |alert: String, status: u16, says: &str| {
        let (told, _, detail) = cap(&yard, &alert).await.problem();
        assert!(told == status && detail.contains(says), "{told} {detail}\nis not {status} {says}");
    };
    let with = |from: &str, to: &str| {
        assert!(FLOOD.contains(from), "{from}");
        FLOOD.replacen(from, to, 1)
    };
    check(
        with("<identifier>", "<identifer>").replacen("</identifier>", "</identifer>", 1),
        422,
        "did you mean `identifier`?",
    )
    .await;
    check(with("cap:1.2", "cap:1.1"), 422, "another version of CAP").await;
    check("<rss/>".into(), 422, "line 1, column 1: this is no CAP 1.2").await;
    check(with("<scope>Public</scope>", ""), 422, "line 4, column 1: in this <alert>, <scope> is missing")
        .await;
    check(
        with("<status>Actual</status>", "<status>Actual</status><status>Test</status>"),
        422,
        "stands more than once",
    )
    .await;
    check(with(">Actual<", ">actual<"), 422, "line 8, column 3: <status>: this is one of Actual, Exercise")
        .await;
    check(with("05:41:00-06:00</sent>", "05:41:00Z</sent>"), 422, "its zone always").await;
    check(with("-120.14 38.34", "x 38.34"), 422, "a polygon is four or more points").await;
    check(with("<severity>Severe</severity>", ""), 422, "<severity> is missing").await;
    check(with("</info>", "stray</info>"), 422, "holds elements and no text of its own").await;
    check(with("11:45:00-06:00</expires>", "05:45:00-06:00</expires>"), 422, "is past").await;
    check(
        with(
            "<valueName>SAME</valueName>\n        <value>006109",
            "<valueName>SAME</valueName>\n        <value>990000",
        ),
        422,
        "no audience is configured",
    )
    .await;
    check(
        with("<alert", "<!DOCTYPE alert [<!ENTITY x \"y\">]><alert"),
        400,
        "line 4, column 1: a document type",
    )
    .await;
    check(with("&amp;", "&x;"), 400, "only &amp;").await;
    check(CANCEL.to_owned(), 404, "nothing was recalled").await;
    check(with(">Alert<", ">Update<"), 422, "<references>").await;
    check("x".repeat(3 << 20), 413, "longer than").await;
    let json = yard.post("/v1/cap", "application/json", FLOOD).await.problem();
    assert_eq!((json.0, json.1.as_str()), (415, "wrong-media"));
    assert!(yard.sms.sent.lock().unwrap().is_empty());
    yard.running.stop().await.unwrap();
}
