//! What people do by hand, with the forms of `/operate`.

use super::*;
use wasl::core::audit::{Audit, Hash, Link};

#[tokio::test]
async fn nothing_is_done_that_was_not_confirmed_and_a_form_sent_twice_acts_once() {
    let house = House::open();
    let asked = house.post("/operate/hold", "gateway=signal-a&reason=noisy+line&step=preview").await;
    assert_eq!(asked.status, StatusCode::OK, "{}", asked.body);
    assert!(asked.body.contains("Signal</bdi> has no gateway then"), "{}", asked.body);
    assert!(house.service.commands.lock().unwrap().is_empty(), "it was only asked");
    let form = asked.confirmed();
    assert_eq!(house.post("/operate/hold", &form).await.place(), "/operate?done=hold");
    assert_eq!(house.post("/operate/hold", &form).await.place(), "/operate?done=again");
    let commands = house.service.commands.lock().unwrap();
    assert_eq!(commands.len(), 1, "once");
    let (who, Command::Hold { gateway: Some(_), reason }) = &commands[0] else { panic!("a hold") };
    assert_eq!((who.as_str(), reason.as_str()), ("demo", "noisy line"));
}

#[tokio::test]
async fn an_act_wants_a_reason_and_planned_work_an_end() {
    let house = House::open();
    for (path, form) in [
        ("/operate/hold", "gateway=signal-a&reason=+"),
        ("/operate/release", "gateway=sms-modem"),
        ("/operate/maintenance", "gateway=signal-a&life=60&reason="),
        ("/operate/hold", "gateway=signal-a&step=confirm&key=k&sure=yes"),
        ("/operate/maintenance", "gateway=signal-a&reason=x"),
        ("/operate/drill", "gateway=signal-a&reason=x"),
        ("/operate/drill", "gateway=signal-a&life=7&reason=x"),
        ("/operate/end-drill", "gateway=signal-a"),
    ] {
        let told = house.post(path, form).await;
        assert_eq!(told.status, StatusCode::UNPROCESSABLE_ENTITY, "{path} {form}");
        assert!(told.body.contains("role=\"alert\""), "{path} {form} says why");
    }
    let cancel = format!("message={}", message_id());
    let told = house.post("/operate/cancel?lang=ar", &cancel).await;
    assert!(told.body.contains("قل لماذا"), "in the page's language");
    let told = house.post("/operate/maintenance", "gateway=signal-a&life=120&reason=new+line").await;
    assert!(told.body.contains("2021-10-04 21:05:07 EEST (+03)"), "until when, with the zone: {}", told.body);
    let done = house.post("/operate/maintenance", &told.confirmed()).await;
    assert_eq!(done.place(), "/operate?done=maintenance");
    let commands = house.service.commands.lock().unwrap();
    let (_, Command::Maintenance { until, .. }) = &commands[0] else { panic!("maintenance") };
    assert_eq!(*until, NOW + Span::from_hours(2), "the end is the one that was shown");
}

#[tokio::test]
async fn a_drill_says_whom_it_touches_and_never_takes_the_last_road() {
    let house = House::new(day(), false);
    let form = "gateway=signal-a&life=60&reason=game+day";
    let page = house.bearer("GET", "/operate?act=drill", Role::Sender, "").await;
    assert!(page.body.contains("action=\"/operate/drill\"") && !page.body.contains("name=\"everybody\""));
    let asked = house.bearer("POST", "/operate/drill?lang=en", Role::Sender, form).await;
    assert!(asked.body.contains("exercises alone") && asked.body.contains("not touched"), "{}", asked.body);
    let everybody = format!("{form}&everybody=yes");
    let told = house.bearer("POST", "/operate/drill", Role::Sender, &everybody).await;
    assert_eq!(told.status, StatusCode::FORBIDDEN, "{}", told.body);
    let asked = house.bearer("POST", "/operate/drill?lang=ar", Role::Admin, &everybody).await;
    assert!(asked.body.contains("الرسائل الفعلية تتجنبها أيضًا"), "{}", asked.body);
    let done = house.bearer("POST", "/operate/drill", Role::Admin, &asked.confirmed()).await;
    assert_eq!(done.place(), "/operate?done=drill", "{}", done.body);
    let ended =
        house.bearer("POST", "/operate/end-drill?lang=en", Role::Sender, "gateway=signal-a&reason=x").await;
    assert!(ended.body.contains("in no drill"), "the picture has none: {}", ended.body);
    {
        let commands = house.service.commands.lock().unwrap();
        let (_, Command::Drill { until, everybody, .. }) = &commands[0] else { panic!("a drill") };
        assert_eq!((*until, *everybody, commands.len()), (NOW + Span::from_hours(1), true, 1));
    }
    let mut view = stand_in::meta_is_gone();
    view.gateways.truncate(2);
    let alone = House::new(StandIn::new(view), true);
    let told = alone.post("/operate/drill?lang=en", &everybody).await;
    assert!(
        told.body.contains("the last road") && told.status == StatusCode::CONFLICT,
        "{} {}",
        told.status,
        told.body
    );
}

#[tokio::test]
async fn a_stop_that_leaves_no_gateway_is_refused_until_that_is_confirmed_too() {
    let mut view = stand_in::meta_is_gone();
    view.gateways.truncate(2);
    let house = House::new(StandIn::new(view), true);
    for gateway in ["signal-a", "*"] {
        let asked = house.post("/operate/hold", &format!("gateway={}&reason=x", encoded(gateway))).await;
        assert!(asked.body.contains("name=\"sure\""), "{}", asked.body);
        let refused = house.post("/operate/hold", &asked.confirmed()).await;
        assert_eq!(refused.status, StatusCode::CONFLICT, "{gateway}");
        assert!(refused.body.contains("This leaves no gateway"), "{}", refused.body);
        let done = house.post("/operate/hold", &format!("{}&sure=yes", refused.confirmed())).await;
        assert_eq!(done.place(), "/operate?done=hold");
    }
    assert_eq!(house.service.commands.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn a_message_is_forecast_then_sent_once() {
    let house = House::open();
    let written = format!(
        "severity=extreme&status=exercise&audiences=north&text-ar={}&life=60&step=preview",
        encoded("غادروا")
    );
    let asked = house.post("/operate/send?lang=en", &written).await;
    assert_eq!(asked.status, StatusCode::OK, "{}", asked.body);
    for part in ["It is for one person.", "exercise", "غادروا", "2021-10-04 20:05:07 EEST (+03)", ">1</bdi>"]
    {
        assert!(asked.body.contains(part), "{part} is not in {}", asked.body);
    }
    assert!(house.service.accepted.lock().unwrap().is_empty(), "a forecast sends nothing");
    let form = asked.confirmed();
    let place = format!("/messages/{}", message_id());
    assert_eq!(house.post("/operate/send", &form).await.place(), place);
    assert_eq!(house.post("/operate/send", &form).await.place(), place);
    let accepted = house.service.accepted.lock().unwrap();
    assert_eq!(accepted.len(), 1, "a double click sends once");
    assert_eq!((accepted[0].author.as_str(), accepted[0].status), ("demo", Status::Exercise));
    assert_eq!(accepted[0].expires, Some(NOW + Span::from_hours(1)));
    drop(accepted);
    let edit =
        house.post("/operate/send", &format!("{written}&step=edit").replace("step=preview&", "")).await;
    assert!(edit.body.contains("غادروا</textarea>"), "what was written is kept: {}", edit.body);
    let nobody = house.post("/operate/send?lang=en", "severity=minor&text-en=x&audiences=nobody").await;
    assert_eq!(nobody.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        nobody.body.contains("no contact belongs to the audience")
            && nobody.body.contains("nobody</textarea>")
    );
    let arabic = house.post("/operate/send?lang=ar", "severity=minor&text-en=x&audiences=nobody").await;
    assert!(arabic.body.contains("لا أحد في دفتر العناوين ينتمي إلى هذه المجموعة"), "{}", arabic.body);
    assert!(
        arabic.body.contains("<bdi lang=\"en\" dir=\"ltr\">`audience`: no contact belongs"),
        "{}",
        arabic.body
    );
    let ungraded = house.post("/operate/send", "text-en=x&audiences=north").await;
    assert_eq!(ungraded.status, StatusCode::UNPROCESSABLE_ENTITY, "nobody chose how grave it is");
}

#[tokio::test]
async fn people_who_are_in_no_address_book_are_typed_and_shown_masked() {
    let house = House::open();
    let typed = "واتساب +970599000123، sms +970599000123\nclinic@example.org";
    let written = format!("severity=minor&text-en=x&people={}", encoded(typed));
    let asked = house.post("/operate/send?lang=ar", &written).await;
    assert_eq!(asked.status, StatusCode::OK, "{}", asked.body);
    let (facts, _) = asked.body.split_once("<form method=\"post\"").expect("facts, then the confirmation");
    assert!(facts.contains("…123") && facts.contains("…@example.org"), "{facts}");
    assert!(!facts.contains("599000123") && !facts.contains("clinic"), "what is shown is masked: {facts}");
    let place = format!("/messages/{}", message_id());
    assert_eq!(house.post("/operate/send", &asked.confirmed()).await.place(), place);
    {
        let accepted = house.service.accepted.lock().unwrap();
        let addresses: Vec<_> = accepted[0].recipients.iter().map(|person| &person.addresses).collect();
        assert_eq!(addresses.len(), 2);
        assert_eq!(addresses[0][&Channel::Whatsapp], "+970599000123");
        assert_eq!(addresses[1][&Channel::Email], "clinic@example.org");
    }
    let bad = format!("severity=minor&text-en=x&people={}", encoded("+970599000001\n0599000002"));
    let told = house.post("/operate/send?lang=ar", &bad).await;
    assert_eq!(told.status, StatusCode::UNPROCESSABLE_ENTITY);
    let (alert, form) = told.body.split_once("<form class=\"act\"").expect("the alert, then the form");
    assert!(alert.contains("line 2") && alert.contains("سطر لا يُقرأ"), "{alert}");
    assert!(
        !alert.contains("0599000002") && form.contains("0599000002</textarea>"),
        "it is kept, and not repeated"
    );
}

#[tokio::test]
async fn a_correction_says_whom_it_goes_to_and_a_recall_what_it_stops() {
    let house = House::open();
    let id = message_id();
    let form = format!("message={id}&text-en=Stay&reason=wrong+words");
    let asked = house.post("/operate/correct?lang=en", &form).await;
    assert!(asked.body.contains("25</bdi> people may have got the first words"), "{}", asked.body);
    let missing = "The first words were also in <bdi>ar</bdi>, this is not";
    assert!(asked.body.contains(missing), "a language that is missing is said: {}", asked.body);
    let whole = format!("{form}&text-ar={}", encoded("ابقوا"));
    assert!(!house.post("/operate/correct?lang=en", &whole).await.body.contains(missing));
    assert_eq!(house.post("/operate/correct", &asked.confirmed()).await.place(), format!("/messages/{id}"));
    let accepted = house.service.accepted.lock().unwrap();
    assert_eq!((accepted[0].corrects, accepted[0].recipients.len()), (Some(id), 25));
    drop(accepted);
    let asked = house.post("/operate/cancel?lang=en", &format!("message={id}&reason=x")).await;
    assert!(asked.body.contains("24</bdi> deliveries are open"), "{}", asked.body);
    let nothing = house.post("/operate/cancel", "message=01M82KKSRF00054H2DMDGKM5RP&reason=x").await;
    assert_eq!(nothing.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_people_did_is_shown_in_words_however_much_programs_sent_since() {
    let act = |number: u64, who: &str, act: &str, on: &str| {
        let audit = Audit { at: NOW, who: who.into(), act: act.into(), on: on.into(), reason: "rain".into() };
        Link { number, prev: Hash::default(), hash: Hash::default(), audit }
    };
    let id = message_id().to_string();
    let mut service = day();
    service.acts = vec![act(1, "amal", "hold", "signal-a"), act(2, "amal", "release", "all")];
    service.acts.extend((3..1_500).map(|number| act(number, "sirens", "accept", &id)));
    let house = House::new(service, true);
    let (english, arabic) =
        (house.get("/operate?lang=en").await.body, house.get("/operate?lang=ar").await.body);
    let row = |page: &str| {
        page.split("id=\"record\"").nth(1).unwrap().split("</section>").next().unwrap().to_owned()
    };
    for (page, words) in [
        (&english, ["<td>held</td>", "<td>released</td>", "everything"]),
        (&arabic, ["<td>إيقاف</td>", "<td>إعادة تشغيل</td>", "كل شيء"]),
    ] {
        let record = row(page);
        for word in words {
            assert!(record.contains(word), "{word} is not in {record}");
        }
        assert!(record.contains("amal") && !record.contains("sirens"), "{record}");
    }
    assert!(!row(&arabic).contains(">hold<") && !row(&arabic).contains(">release<"));
    let mut busy = day();
    busy.acts = (1..10_100).map(|number| act(number, "sirens", "accept", &id)).collect();
    let told = House::new(busy, true).get("/operate?lang=en").await.body;
    assert!(
        row(&told).contains("Nothing among the newest"),
        "it does not say that nothing is on record: {told}"
    );
}

#[tokio::test]
async fn a_viewer_looks_and_a_sender_may_not_release() {
    let house = House::new(day(), false);
    let told = house.bearer("GET", "/operate?act=hold", Role::Viewer, "").await;
    assert!(!told.body.contains("action=\"/operate/") && told.body.contains("Your token may look"));
    for (act, role, good) in [
        ("hold", Role::Viewer, false),
        ("send", Role::Viewer, false),
        ("hold", Role::Sender, true),
        ("release", Role::Sender, false),
        ("maintenance", Role::Approver, false),
        ("release", Role::Admin, true),
    ] {
        let form = "gateway=signal-a&reason=x&step=confirm&key=k&sure=yes";
        let form = if act == "send" { "text-en=x" } else { form };
        let form = if act == "release" { "gateway=sms-modem&reason=x&step=confirm&key=k" } else { form };
        let told = house.bearer("POST", &format!("/operate/{act}"), role, form).await;
        let expected = if good { StatusCode::SEE_OTHER } else { StatusCode::FORBIDDEN };
        assert_eq!(told.status, expected, "{act} as {role:?}: {}", told.body);
    }
    assert_eq!(house.service.commands.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn a_form_of_another_session_is_refused() {
    let house = House::new(day(), false);
    let entered = house.post("/login", &format!("token={}&next=/operate", token(Role::Sender))).await;
    assert_eq!(entered.place(), "/operate");
    let cookie = entered.headers[header::SET_COOKIE].to_str().unwrap().split(';').next().unwrap().to_owned();
    let session = [("cookie", cookie.as_str())];
    let page = house.ask("GET", "/operate?act=hold", &session, "").await.body;
    let form = page.split("action=\"/operate/hold\"").nth(1).unwrap();
    let csrf = form.split("name=\"csrf\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    let body = "gateway=signal-a&reason=x&step=confirm&key=k&sure=yes";
    for forged in [body.to_owned(), format!("{body}&csrf=guess")] {
        let told = house.ask("POST", "/operate/hold", &session, &forged).await;
        assert_eq!(told.status, StatusCode::FORBIDDEN, "{}", told.body);
    }
    let other = [("cookie", cookie.as_str()), ("origin", "https://evil.example")];
    let told = house.ask("POST", "/operate/hold", &other, &format!("{body}&csrf={csrf}")).await;
    assert_eq!(told.status, StatusCode::FORBIDDEN);
    assert!(house.service.commands.lock().unwrap().is_empty());
    let told = house.ask("POST", "/operate/hold", &session, &format!("{body}&csrf={csrf}")).await;
    assert_eq!(told.place(), "/operate?done=hold");
    assert_eq!(house.service.commands.lock().unwrap()[0].0, "sender-desk", "in the name of who logged in");
}
