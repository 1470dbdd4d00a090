//! The gateways, our own lines and the public address, each asked once from here. A probe asks and never sends.

use super::finding::Finding;
use super::{providers, public};
use crate::adapter;
use crate::adapter::net::Net;
use crate::cli::Failure;
use crate::cli::probe::said;
use crate::core::channel::GatewayId;
use crate::core::evidence::{Layer, ProbeReport, UplinkRound, Verdict};
use crate::core::hearsay::Word;
use crate::core::outcome::Reason;
use crate::diag::Diagnostics;
use crate::probe::uplink::Uplink;
use crate::probe::{self, Context, ProbeSet};
use crate::settings::{GatewaySettings, Settings};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::task::JoinSet;

/// Asks every gateway, its provider, every line and the public address, all at the same time. `runs`: the service runs on this
/// machine.
pub(super) fn all(settings: &Settings, runs: bool) -> Result<Vec<Finding>, Failure> {
    let context = Arc::new(Context::new(&settings.resolvers));
    let id = |name: &str| {
        let place = settings.gateways.iter().position(|gateway| gateway.config.name == name)?;
        u8::try_from(place).ok().map(GatewayId)
    };
    // What is wrong with the files was told before.
    let set = Arc::new(probe::load(settings, &adapter::kinds(), id, &context, &mut Diagnostics::default()));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::Unreachable(format!("the system gives no event queue: {error}")))?;
    let net = Net::new(&settings.resolvers);
    let ((reports, rounds), said, public) = runtime.block_on(async {
        tokio::join!(
            ask(settings, &set, &context),
            providers::all(settings, &net),
            public::look(settings, &net, runs)
        )
    });
    let mut found: Vec<_> = rounds.iter().map(line).collect();
    for (place, gateway) in settings.gateways.iter().enumerate() {
        let of = |report: &&ProbeReport| usize::from(report.gateway.0) == place;
        found.extend(told(gateway, &reports.iter().filter(of).collect::<Vec<_>>()));
    }
    found.extend(said);
    found.extend(public);
    if settings.gateways.is_empty() {
        found.push(Finding::fault(
            "gateway",
            "none is configured: nothing can be sent",
            format!("add a `[[gateway]]` to {}: REFERENCE.md lists the kinds", settings.file.display()),
        ));
    }
    Ok(found)
}

async fn ask(
    settings: &Settings,
    set: &Arc<ProbeSet>,
    context: &Arc<Context>,
) -> (Vec<ProbeReport>, Vec<UplinkRound>) {
    let (mut asked, mut lines) = (JoinSet::new(), JoinSet::new());
    for place in 0..settings.gateways.len() {
        let Ok(place) = u8::try_from(place) else { break };
        let (set, context) = (Arc::clone(set), Arc::clone(context));
        asked.spawn(async move { probe::once(&set, GatewayId(place), &context).await });
    }
    for uplink in &settings.uplinks {
        let (uplink, context) = (Uplink::new(uplink), Arc::clone(context));
        lines.spawn(async move { uplink.round(&context).await });
    }
    (asked.join_all().await.into_iter().flatten().collect(), lines.join_all().await)
}

fn line(round: &UplinkRound) -> Finding {
    const CHECK: &str = "uplink";
    let UplinkRound { uplink, controls, failed, .. } = round;
    match (*failed, *controls) {
        (0, _) => Finding::fine(CHECK, format!("{uplink}: all of its {controls} controls answer")),
        (failed, controls) if failed == controls => Finding::fault(
            CHECK,
            format!(
                "{uplink}: none of its {controls} controls answers: our own line is down, or a firewall keeps them from us"
            ),
            "look at the line and the firewall: `ip route`, `ping 9.9.9.9`; gateways that need no internet go on",
        ),
        (failed, controls) => Finding::warning(
            CHECK,
            format!("{uplink}: {failed} of its {controls} controls do not answer"),
            "replace those in its table that never answer from here: a majority of them judges the line",
        ),
    }
}

/// Tells what a gateway's probes found: what is not in order, or that all is.
fn told(gateway: &GatewaySettings, reports: &[&ProbeReport]) -> Vec<Finding> {
    const CHECK: &str = "gateway";
    let name = &gateway.config.name;
    let (hearsay, reports): (Vec<_>, Vec<_>) =
        reports.iter().copied().partition(|report| report.verdict.is_hearsay());
    let hearsay = hearsay.into_iter().filter_map(|report| heard(name, report));
    if reports.is_empty() {
        let unasked = Finding::unasked(
            CHECK,
            format!("{name} has no probe: nobody knows of its trouble before something is sent"),
            "add one to a file in probes/, for this gateway or its kind; without that folder the ready ones are used",
        );
        return [unasked].into_iter().chain(hearsay).collect();
    }
    // What several probes found alike is told once.
    let mut alike: BTreeMap<_, Vec<&str>> = BTreeMap::new();
    for report in &reports {
        let (reason, is_fault) = match report.verdict {
            Verdict::Fine | Verdict::Says(_) | Verdict::Silent(_) => continue,
            Verdict::Failed(reason) => (reason, true),
            Verdict::Limited(reason) | Verdict::Noted(reason) => (reason, false),
        };
        let layer = report.failed_at().map_or("", Layer::name);
        alike.entry((is_fault, layer, reason)).or_default().push(&report.probe);
    }
    if alike.is_empty() {
        let probes: Vec<_> = reports.iter().map(|report| &*report.probe).collect();
        let fine = Finding::fine(CHECK, format!("{name} answers: {}", probes.join(", ")));
        return [fine].into_iter().chain(hearsay).collect();
    }
    let finding = |((is_fault, layer, reason), probes): ((bool, &str, Reason), Vec<&str>)| {
        let at = if layer.is_empty() { String::new() } else { format!(" at {layer}") };
        let what = format!("{name}: {}{at} (probes: {})", reason.name().replace('_', " "), probes.join(", "));
        let remedy = remedy(gateway, reason);
        if is_fault { Finding::fault(CHECK, what, remedy) } else { Finding::warning(CHECK, what, remedy) }
    };
    alike.into_iter().map(finding).chain(hearsay).collect()
}

/// Says what a provider's own page says, where it is not that all is well.
fn heard(name: &str, report: &ProbeReport) -> Option<Finding> {
    const CHECK: &str = "provider";
    let page = &report.probe;
    match &report.verdict {
        Verdict::Says(told) if told.word() == Word::Fine => None,
        Verdict::Says(told) => Some(Finding::warning(
            CHECK,
            format!("{name}: the provider says of itself ({page}): {}", said(told)),
            "what the other checks say of this gateway counts for more; have another way ready",
        )),
        verdict => Some(Finding::warning(
            CHECK,
            format!("{name}: the provider's page ({page}) cannot be read: {}", reason_of(verdict)),
            "nothing depends on it; look at its `url`, `component` and `private` in probes/, or take it out",
        )),
    }
}

fn reason_of(verdict: &Verdict) -> String {
    verdict.reason().map_or(String::new(), |reason| reason.name().replace('_', " "))
}

/// Says what a person can do about a reason.
fn remedy(gateway: &GatewaySettings, reason: Reason) -> String {
    let place = format!("{}:{}", gateway.place.source.name(), gateway.place.start().line);
    let again = format!("; then `wasl probe {}`", gateway.config.name);
    let what = match reason {
        Reason::Credentials => format!("ask the provider for a new credential, and put it where the table at {place} names it"),
        Reason::Configuration => format!(
            "look at the provider whether account, sender, permission and credit are as the table at {place} says"
        ),
        Reason::Throttled | Reason::QuotaExhausted | Reason::Busy => {
            format!("wait; if it stays so, write a lower `rate` or a `quota` in the table at {place}, or buy more")
        }
        Reason::ProviderFault | Reason::ServiceDown => {
            "it is the provider's own fault: look at its status page, and have another road meanwhile".into()
        }
        Reason::DnsNxdomain | Reason::DnsEmpty => format!("look whether the host in the table at {place} is spelled right"),
        Reason::DnsServfail | Reason::DnsTimeout => {
            "the name servers do not answer: `resolvectl query example.org`, and `resolvers` in [net] names others".into()
        }
        Reason::TcpRefused | Reason::NotConnected => format!(
            "look whether the program behind it runs, and whether host and port in the table at {place} are right"
        ),
        Reason::TcpTimeout | Reason::TcpReset | Reason::Unreachable => {
            "look at the firewall and the line: this machine must be let out to it".into()
        }
        Reason::TlsExpired => "its certificate has ended, or this machine's clock is wrong: `timedatectl`".into(),
        Reason::TlsWrongName | Reason::TlsUntrusted => format!(
            "look whether the host in the table at {place} is the right one; for a certificate of your own give `ca_file` there"
        ),
        _ => format!("look at each layer, and at the table at {place}"),
    };
    what + &again
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::hearsay::Told;
    use crate::core::time::Span;

    #[test]
    fn what_the_provider_says_is_a_warning_and_never_a_fault() {
        let report = |verdict| ProbeReport {
            gateway: GatewayId(0),
            probe: "page".into(),
            aims_at: Layer::Http,
            reached: None,
            verdict,
            phases: vec![],
            took: Span::from_ms(1),
            interval: Span::from_mins(2),
        };
        let told = |verdict| heard("sms", &report(verdict)).map(|finding| format!("{finding:?}"));
        assert_eq!(told(Verdict::Says(Told::new(Word::Fine, ""))), None);
        let bad = told(Verdict::Says(Told::new(Word::Partial, "Delays"))).expect("a finding");
        assert!(bad.contains("partial outage") && bad.contains("Delays") && bad.contains("Warning"), "{bad}");
        let silent = told(Verdict::Silent(Reason::DnsTimeout)).expect("a finding");
        assert!(silent.contains("dns timeout") && silent.contains("Warning"), "{silent}");
    }
}
