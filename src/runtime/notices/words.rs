//! A notice in words: what changed, what Wasl did, what a person must do, and where to look. Arabic and English.

use super::desk::{Help, Notice, What};
use crate::core::outcome::Reason;
use crate::core::record::{Outage, OutageOf};
use crate::core::time::Timestamp;
use crate::core::view::View;
use crate::web::locale::{Arg, Locale, Zone};

/// How much of a refused edit's report is told: an SMS bears no more, and the page has it all.
const REPORT_CHARS_MAX: usize = 160;

/// Where the words are from.
pub(super) struct Writing<'a> {
    pub(super) view: &'a View,
    pub(super) zone: &'a Zone,
    /// Where people find the page.
    pub(super) public_url: &'a str,
    pub(super) now: Timestamp,
}

impl Writing<'_> {
    /// Returns the whole text: the first line is also the subject of a letter.
    pub(super) fn text(&self, notice: &Notice, locale: Locale) -> String {
        let (title, mut lines) = self.lines(notice, locale);
        let title =
            if notice.again { locale.say("notice-again", &[("title", Arg::text(title))]) } else { title };
        lines.insert(0, title);
        lines.push(format!("{}{}", self.public_url.trim_end_matches('/'), path(notice)));
        let text = lines.join("\n");
        match locale {
            // The marks that keep directions apart would cost an English SMS half of its letters.
            Locale::En => text.chars().filter(|c| !matches!(c, '\u{2066}'..='\u{2069}')).collect(),
            _ => text,
        }
    }

    fn lines(&self, notice: &Notice, locale: Locale) -> (String, Vec<String>) {
        let say = |id: &str, args: &[(&'static str, Arg)]| locale.say(id, args);
        let word = |id: &str| locale.word(id);
        match &notice.what {
            What::Outage(outage) => {
                let what = || ("what", Arg::text(named(locale, &outage.of)));
                let since = ("since", Arg::text(self.zone.time(outage.onset, self.now)));
                let why = ("why", Arg::text(locale.reason(outage.cause)));
                let mut lines = vec![say("notice-outage-since", &[since, why])];
                lines.extend(self.what_was_done(locale));
                lines.push(what_to_do(locale, outage));
                (say("notice-outage", &[what()]), lines)
            }
            What::OutageTurned { outage, from } => {
                let (what, from) = (named(locale, &outage.of), named(locale, from));
                let lines =
                    vec![say("notice-turned-from", &[("from", Arg::text(from))]), what_to_do(locale, outage)];
                (say("notice-outage-turned", &[("what", Arg::text(what))]), lines)
            }
            What::OutageOver(outage) => {
                let what = ("what", Arg::text(named(locale, &outage.of)));
                let lasted = outage.recovered.unwrap_or(self.now).since(outage.onset);
                let mut lines = vec![say("notice-outage-lasted", &[("age", Arg::text(locale.span(lasted)))])];
                if outage.attempts_failed > 0 {
                    lines
                        .push(say("notice-outage-cost", &[("n", Arg::Count(outage.attempts_failed.into()))]));
                }
                lines.push(word("notice-nothing-to-do"));
                (say("notice-outage-over", &[what]), lines)
            }
            What::NoWayOut => {
                (word("notice-no-way-out"), vec![self.waiting(locale), word("notice-no-way-out-do")])
            }
            What::OneWayLeft(channel) => {
                let channel = ("channel", Arg::text(locale.channel(*channel)));
                (
                    say("notice-one-way-left", &[channel]),
                    vec![self.waiting(locale), word("notice-one-way-left-do")],
                )
            }
            What::WaysAreBack => {
                (word("notice-ways-back"), vec![self.waiting(locale), word("notice-nothing-to-do")])
            }
            What::Missed { message, deliveries } => {
                let args =
                    [("n", Arg::Count((*deliveries).into())), ("message", Arg::text(message.to_string()))];
                let mut lines: Vec<String> = self.what_was_done(locale).into_iter().collect();
                lines.push(word("notice-missed-do"));
                (say("notice-missed", &args), lines)
            }
            What::Help(help) => self.help(help, locale),
            What::HelpErased { calls } => (
                say("help-erased", &[("calls", Arg::Count((*calls).into()))]),
                vec![word("notice-help-erased-did"), word("notice-help-erased-do")],
            ),
            What::PolicyRejected { report } => {
                let report = report.chars().take(REPORT_CHARS_MAX).collect();
                (word("notice-policy"), vec![word("notice-policy-did"), report, word("notice-policy-do")])
            }
            What::PolicyTaken => (word("notice-policy-over"), vec![word("notice-nothing-to-do")]),
            What::Store(why) => {
                let lines = vec![why.clone(), word("notice-store-did"), word("notice-store-do")];
                (word("notice-store"), lines)
            }
            What::StoreOver => (word("notice-store-over"), vec![word("notice-nothing-to-do")]),
            What::Folded(n) => (say("notice-folded", &[("n", Arg::Count((*n).into()))]), Vec::new()),
        }
    }

    /// Says who needs help. The line after it, which all notices end with, is the place of what they wrote.
    fn help(&self, help: &Help, locale: Locale) -> (String, Vec<String>) {
        let say = |id: &str, args: &[(&'static str, Arg)]| locale.say(id, args);
        let mut title = say("help-title", &[("people", Arg::Count(help.people.into()))]);
        if help.exercise {
            title = say("notice-help-exercise", &[("title", Arg::text(title))]);
        }
        let mut lines = vec![match help.message {
            Some(message) => say("notice-help-of", &[("message", Arg::text(message.to_string()))]),
            None => locale.word("notice-help-of-unknown"),
        }];
        if !help.who.is_empty() {
            lines.push(say("notice-help-who", &[("who", Arg::text(locale.list(&help.who)))]));
        }
        let at = self.zone.time(help.newest, self.now);
        lines.push(say("notice-help-at", &[("at", Arg::text(at))]));
        lines.push(locale.word(if help.exercise { "notice-help-exercise-do" } else { "notice-help-do" }));
        (title, lines)
    }

    fn waiting(&self, locale: Locale) -> String {
        let counts = &self.view.deliveries;
        let waiting = counts.waiting + counts.backing_off + counts.materialising;
        locale.say("notice-waiting", &[("n", Arg::Count(waiting))])
    }

    /// Says which channels carry now, and how much waits.
    fn what_was_done(&self, locale: Locale) -> Option<String> {
        let usable = self.view.channels.iter().filter(|channel| channel.usable > 0);
        let names: Vec<String> = usable.map(|channel| locale.channel(channel.channel)).collect();
        match names.is_empty() {
            true => Some(locale.word("notice-nothing-carries")),
            false => Some(locale.say("notice-carries", &[("channels", Arg::text(locale.list(&names)))])),
        }
    }
}

/// Says what a person must do of an outage: what is the provider's or the line's mends itself, what is ours does not.
fn what_to_do(locale: Locale, outage: &Outage) -> String {
    let id = match (&outage.of, outage.cause) {
        (OutageOf::Uplink(_), _) => "notice-do-line",
        (OutageOf::Slice { region, .. }, _) if outage.open && !region.is_empty() => {
            return locale.say("notice-do-open", &[("region", Arg::text(&**region))]);
        }
        _ if outage.open => "notice-do-open-anywhere",
        (OutageOf::Region(_), _) => "notice-do-region",
        (OutageOf::Slice { .. }, _) => "notice-do-slice",
        (OutageOf::Domain(_), _) => "notice-do-domain",
        (_, Reason::Credentials) => "notice-do-credentials",
        (_, Reason::TlsExpired | Reason::TlsWrongName | Reason::TlsUntrusted) => "notice-do-certificate",
        (_, Reason::Configuration) => "notice-do-configuration",
        _ => "notice-do-wait",
    };
    locale.word(id)
}

fn named(locale: Locale, of: &OutageOf) -> String {
    match of {
        OutageOf::Gateway(name) => name.clone(),
        OutageOf::Channel(channel) => locale.channel(*channel),
        OutageOf::Uplink(name) => locale.say("notice-own-line", &[("name", Arg::text(name.clone()))]),
        OutageOf::Slice { gateway, region } if region.is_empty() => gateway.clone(),
        OutageOf::Slice { gateway, region } => locale
            .say("outage-of-slice", &[("gateway", Arg::text(&**gateway)), ("region", Arg::text(&**region))]),
        OutageOf::Region(name) => locale.say("outage-of-region", &[("region", Arg::text(&**name))]),
        OutageOf::Domain(name) => locale.say("outage-of-domain", &[("domain", Arg::text(&**name))]),
    }
}

/// Returns where the page tells more.
fn path(notice: &Notice) -> String {
    match &notice.what {
        What::Missed { message, .. } => format!("/messages/{message}"),
        What::Help(Help { message: Some(message), .. }) => {
            format!("/v1/replies?message={message}&kind=need_help")
        }
        What::HelpErased { .. } => "/v1/audit?act=close_help".into(),
        What::Help(_) => "/v1/replies?kind=need_help".into(),
        What::Outage(outage) | What::OutageOver(outage) | What::OutageTurned { outage, .. } => match &outage
            .of
        {
            OutageOf::Gateway(name) | OutageOf::Slice { gateway: name, .. } => format!("/gateways/{name}"),
            _ => "/outages".into(),
        },
        _ => "/".into(),
    }
}
