//! Pages as providers write them, and as they should not.

use super::*;

/// 2026-11-22 06:00 UTC.
fn noon() -> Timestamp {
    at("2026-11-22T06:00:00Z")
}

fn at(text: &str) -> Timestamp {
    let at: jiff::Timestamp = text.parse().unwrap();
    Timestamp::from_ms(at.as_millisecond())
}

fn pick(components: &[&str]) -> Pick {
    let components = components.iter().map(|name| name.to_lowercase()).collect();
    Pick { components, well: rss::RESOLVED.map(str::to_owned).to_vec(), recent: RECENT }
}

/// A page with two components.
fn page(indicator: &str, sms: &str, voice: &str, incidents: &str, works: &str) -> String {
    format!(
        r#"{{"page":{{"id":"p","name":"Acme","url":"https://status.example","updated_at":"2026-11-22T05:50:00.000Z"}},
        "status":{{"indicator":"{indicator}","description":"whatever"}},
        "components":[{{"id":"c1","name":"SMS","status":"{sms}","group":false,"group_id":null}},
                      {{"id":"c2","name":"Voice","status":"{voice}","group":false,"group_id":null}}],
        "incidents":[{incidents}],"scheduled_maintenances":[{works}]}}"#
    )
}

fn incident(name: &str, status: &str, impact: &str, updated: &str, of: &str) -> String {
    format!(
        r#"{{"id":"i","name":"{name}","status":"{status}","impact":"{impact}","updated_at":"{updated}",
        "incident_updates":[],"components":[{of}]}}"#
    )
}

#[track_caller]
fn says(body: &str, components: &[&str], word: Word, title: &str) {
    let told = statuspage::read(body.as_bytes(), &pick(components)).expect(body).told(noon());
    assert_eq!((told.word(), told.title()), (word, title), "{components:?} {body}");
}

#[test]
fn a_statuspage_says_how_it_is_overall_or_of_the_components_picked() {
    for (indicator, word) in [
        ("none", Word::Fine),
        ("minor", Word::Degraded),
        ("major", Word::Partial),
        ("critical", Word::Major),
        ("maintenance", Word::Maintenance),
        ("a word of next year", Word::Degraded),
    ] {
        says(&page(indicator, "operational", "operational", "", ""), &[], word, "");
    }
    for (status, word) in [
        ("operational", Word::Fine),
        ("degraded_performance", Word::Degraded),
        ("partial_outage", Word::Partial),
        ("major_outage", Word::Major),
        ("under_maintenance", Word::Maintenance),
        ("a word of next year", Word::Degraded),
    ] {
        says(&page("critical", status, "major_outage", "", ""), &["sms"], word, "");
        says(&page("critical", status, "operational", "", ""), &["C1", "Voice"], word, "");
    }
}

#[test]
fn incidents_and_work_are_those_of_the_components_and_of_today() {
    let (sms, today) = (r#"{"id":"c1","name":"SMS"}"#, "2026-11-22T05:00:00.000Z");
    let fine = |incidents: &str, works: &str| page("none", "operational", "operational", incidents, works);
    let of = |status, impact, updated| fine(&incident("Delays", status, impact, updated, sms), "");
    says(&of("investigating", "major", today), &["SMS"], Word::Partial, "Delays");
    says(&of("investigating", "critical", today), &[], Word::Major, "Delays");
    says(&of("investigating", "major", today), &["Voice"], Word::Fine, "");
    says(&of("monitoring", "critical", today), &["SMS"], Word::Degraded, "Delays");
    says(&of("resolved", "critical", today), &["SMS"], Word::Fine, "");
    says(&of("investigating", "strange", today), &["SMS"], Word::Degraded, "Delays");
    says(&of("investigating", "major", "2026-11-20T05:00:00.000Z"), &["SMS"], Word::Fine, "");
    says(&fine(&incident("All", "identified", "minor", today, ""), ""), &["SMS"], Word::Degraded, "All");
    let work = |status: &str, begins: &str, ends: &str| {
        let of = format!(
            r#"{{"name":"Upgrade","status":"{status}","impact":"maintenance","scheduled_for":"{begins}",
            "scheduled_until":"{ends}","components":[{sms}]}}"#
        );
        fine("", &of)
    };
    let (soon, then) = ("2026-11-22T20:00:00Z", "2026-11-22T22:00:00Z");
    says(&work("scheduled", soon, then), &["SMS"], Word::Planned, "Upgrade");
    says(&work("scheduled", "2026-12-22T20:00:00Z", "2026-12-22T22:00:00Z"), &["SMS"], Word::Fine, "");
    says(&work("in_progress", soon, then), &["SMS"], Word::Maintenance, "Upgrade");
    says(&work("completed", soon, then), &["SMS"], Word::Fine, "");
}

#[test]
fn what_is_no_statuspage_says_nothing() {
    let refused = |body: &str, components: &[&str]| {
        assert_eq!(statuspage::read(body.as_bytes(), &pick(components)), None, "{body:.80}");
    };
    for body in [
        "",
        "{}",
        "[]",
        "null",
        "<html>Sign in to the hotel</html>",
        r#"{"status":"ok"}"#,
        r#"{"status":{}}"#,
    ] {
        refused(body, &[]);
    }
    refused(&"[".repeat(100_000), &[]);
    // Of what we asked, nothing stands there: a page that is green for others is no news.
    refused(&page("none", "operational", "operational", "", ""), &["WhatsApp"]);
    // Nothing but the state has to be there.
    says(r#"{"status":{"indicator":"major"},"incidents":null}"#, &[], Word::Partial, "");
}

fn item(title: &str, description: &str, date: &str, guid: &str) -> String {
    format!(
        "<item><title>{title}</title><description><![CDATA[{description}]]></description>\
         <guid isPermaLink=\"false\">{guid}</guid><pubDate>{date}</pubDate></item>"
    )
}

fn feed(items: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<rss version=\"2.0\" xmlns:atom=\"http://www.w3.org/2005/Atom\">\
         <channel><title>Outages</title><atom:link rel=\"self\" href=\"x\"/>{items}</channel></rss>"
    )
}

#[track_caller]
fn rss_says(items: &str, components: &[&str], word: Word, title: &str) {
    let page = rss::read(feed(items).as_bytes(), &pick(components)).expect(items);
    let told = page.told(noon());
    assert_eq!((told.word(), told.title()), (word, title), "{components:?} {items}");
}

const TODAY: &str = "Sun, 22 Nov 2026 05:00:00 +0000";

#[test]
fn an_item_of_today_is_suspicion_until_it_is_resolved() {
    rss_says("", &[], Word::Fine, "");
    rss_says(&item("Cloud API", "High disruptions", TODAY, "1"), &[], Word::Major, "Cloud API");
    rss_says(
        &item("Cloud API: Medium disruptions", "", TODAY, "1"),
        &["cloud api"],
        Word::Partial,
        "Cloud API: Medium disruptions",
    );
    rss_says(&item("Slow", "We look into it.", TODAY, "1"), &[], Word::Degraded, "Slow");
    rss_says(
        &item("تأخر في إرسال الرسائل", "نعمل على ذلك", TODAY, "1"),
        &[],
        Word::Degraded,
        "تأخر في إرسال الرسائل",
    );
    rss_says(&item("تأخر", "تم حل المشكلة", TODAY, "1"), &[], Word::Fine, "");
    rss_says(
        &item("Slow", "<b>Resolved</b> - This incident has been resolved.", TODAY, "1"),
        &[],
        Word::Fine,
        "",
    );
    for not_yet in [
        "It has not yet been resolved.",
        "Updates follow until resolved",
        "It is unresolved",
        "It will be resolved",
    ] {
        rss_says(&item("Slow", not_yet, TODAY, "1"), &[], Word::Degraded, "Slow");
    }
    rss_says(&item("Slow", "", "Fri, 20 Nov 2026 05:00:00 GMT", "1"), &[], Word::Fine, "");
    rss_says(&item("Slow", "", "Sun, 22 Nov 2026 08:00:00 +0300", "1"), &[], Word::Degraded, "Slow");
    rss_says(&item("Upgrade", "THIS IS A SCHEDULED EVENT", TODAY, "1"), &[], Word::Maintenance, "Upgrade");
    rss_says(&item("Voice calls", "High disruptions", TODAY, "1"), &["SMS"], Word::Fine, "");
    rss_says(&item("Prismsms", "High disruptions", TODAY, "1"), &["sms"], Word::Fine, "");
}

#[test]
fn of_several_items_on_one_thing_the_newest_counts() {
    let before = "Sun, 22 Nov 2026 03:00:00 +0000";
    let two =
        item("Cloud API", "High disruptions", before, "7") + &item("Cloud API (end)", "Resolved", TODAY, "7");
    rss_says(&two, &[], Word::Fine, "");
    let again = item("Cloud API", "Resolved", before, "") + &item("Cloud API", "High disruptions", TODAY, "");
    rss_says(&again, &[], Word::Major, "Cloud API");
    let others = item("A", "Low disruptions", TODAY, "1") + &item("B", "High disruptions", before, "2");
    rss_says(&others, &[], Word::Major, "B");
}

#[test]
fn what_is_no_feed_or_a_hostile_one_says_nothing() {
    let refused = |body: &str| assert_eq!(rss::read(body.as_bytes(), &pick(&[])), None, "{body:.80}");
    for body in [
        "",
        "<rss/>",
        "<html><channel/></html>",
        "{}",
        "<rss><channel>",
        "<feed xmlns=\"http://www.w3.org/2005/Atom\"/>",
    ] {
        refused(body);
    }
    refused(
        "<!DOCTYPE rss [<!ENTITY a \"b\">]><rss version=\"2.0\"><channel><title>&a;</title></channel></rss>",
    );
    refused(&format!("<rss><channel>{}", "<a>".repeat(10_000)));
    refused(&feed(&"<item/>".repeat(60_000)));
    // Nobody knows of when it tells.
    refused(&feed(&item("Slow", "", "yesterday", "1")));
    // One that has no date does not silence one that has.
    let two = item("Slow", "", "yesterday", "1") + &item("Down", "", TODAY, "2");
    rss_says(&two, &[], Word::Degraded, "Down");
}

#[test]
fn a_copy_out_of_an_old_cache_is_no_news() {
    let fresh = |name: HeaderName, value: &str| {
        let headers = HeaderMap::from_iter([(name, HeaderValue::from_str(value).unwrap())]);
        is_fresh(&headers, noon())
    };
    assert!(is_fresh(&HeaderMap::new(), noon()));
    assert!(fresh(AGE, "300") && !fresh(AGE, "7200") && fresh(AGE, "nonsense"));
    assert!(fresh(DATE, "Sun, 22 Nov 2026 05:59:00 GMT") && !fresh(DATE, "Sun, 22 Nov 2026 03:00:00 GMT"));
    assert!(fresh(DATE, "Sun, 22 Nov 2026 09:00:00 GMT"), "our clock may be behind");
}

#[test]
fn a_page_without_its_usual_words_is_suspicion_and_an_empty_one_nothing() {
    let pick = Pick { well: vec!["signal is up and running.".into()], ..pick(&[]) };
    let word = |body: &[u8]| read_page(body, &pick).map(|page| page.told(noon()).word());
    assert_eq!(word(b"<html><h1>Signal is up and running.</h1>"), Some(Word::Fine));
    assert_eq!(word(b"<html>Signal is experiencing technical difficulties."), Some(Word::Degraded));
    assert_eq!((word(b""), word(b" \n"), word(b"\xff\xfe\0")), (None, None, None));
}

#[test]
fn nobody_is_asked_at_home() {
    let check = |address: &str, expected| {
        assert_eq!(is_public(address.parse().unwrap()), expected, "{address}");
    };
    for public in
        ["1.1.1.1", "104.192.138.47", "2606:4700::1111", "64:ff9b::104.192.138.47", "2002:0808:0808::1"]
    {
        check(public, true);
    }
    for private in [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "192.0.0.8",
        "198.18.0.1",
        "192.0.2.1",
        "::1",
        "::",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "fe80::1",
        "fc00::1",
        "fd12::1",
        "ff02::1",
        "64:ff9b::10.0.0.1",
        "2002:7f00:1::1",
        "2001:db8::1",
        "fec0::1",
    ] {
        check(private, false);
    }
}
