//! `wasl policy explain`: which way a described message would take right now, and why.

use super::client::At;
use super::{Done, Failure, table};
use crate::adapter;
use crate::core::channel::{Channel, ChannelSet};
use crate::core::message::{Severity, Status, Urgency};
use crate::diag::{Diagnostics, did_you_mean};
use crate::policy::{self, Described, PolicyFiles, Situation};
use crate::settings::Settings;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// What may be given.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand, Debug)]
enum Command {
    /// Show which rule and which gateways a described message would take right now, and why each other one was not taken
    Explain(Box<Explain>),
}

/// A message, its recipient, and where to look.
#[derive(clap::Args, Debug)]
struct Explain {
    /// How grave: extreme, severe, moderate, minor, unknown
    #[arg(long, value_name = "WORD", value_parser = severity)]
    severity: Severity,
    /// How soon to act: immediate, expected, future, past, unknown
    #[arg(long, value_name = "WORD", default_value = "unknown", value_parser = urgency)]
    urgency: Urgency,
    /// Whether it is meant: actual, exercise, system, test
    #[arg(long, value_name = "WORD", default_value = "actual", value_parser = status)]
    status: Status,
    /// The incident that it belongs to
    #[arg(long, value_name = "NAME")]
    incident: Option<String>,
    /// A tag of the message, as sector=health; may be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = tag)]
    tag: Vec<(String, String)>,
    /// The recipient's language: ar, en, ..
    #[arg(long, visible_alias = "lang", value_name = "TAG")]
    language: Option<String>,
    /// The recipient's region
    #[arg(long, value_name = "NAME")]
    region: Option<String>,
    /// The recipient's sector
    #[arg(long, value_name = "NAME")]
    sector: Option<String>,
    /// An audience of the recipient's; may be repeated
    #[arg(long, value_name = "NAME")]
    audience: Vec<String>,
    /// The channels on which the recipient has an address, as sms,whatsapp; all of them if not given
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = channel)]
    channels: Vec<Channel>,
    /// The configuration; `policies/` lies beside it
    #[arg(long, value_name = "FILE", default_value = "wasl.toml")]
    config: PathBuf,
    /// Ask no running service: every gateway counts as unknown
    #[arg(long)]
    offline: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    at: At,
}

/// Explains.
pub(super) fn run(args: &Args) -> Done {
    let Command::Explain(args) = &args.command;
    let mut diags = Diagnostics::default();
    let settings = Settings::read(&args.config, &adapter::kinds(), &mut diags);
    let Some(settings) = settings.filter(|_| !diags.has_errors()) else { return refuse(args, &diags) };
    let gateways = settings.gateway_configs();
    let files = PolicyFiles::read(&settings.policies_dir(), &mut diags);
    let checked = policy::check(&files, Some(&gateways), &mut diags);
    let Some(checked) = checked.filter(|_| !diags.has_errors()) else { return refuse(args, &diags) };
    let policy = checked.into_policy();
    let situation = situation(args)?;
    let explanation = policy::explain(&policy, described(args), &gateways, &situation);
    match args.json {
        true => table::json(&explanation.to_json()),
        false => table::print(&explanation.to_string()),
    }
    Ok(())
}

fn refuse(args: &Explain, diags: &Diagnostics) -> Done {
    match args.json {
        true => table::json(&serde_json::json!({ "diagnostics": diags.to_json() })),
        false => eprint!("{}", if table::coloured() { diags.render_coloured() } else { diags.render() }),
    }
    Err(Failure::Told)
}

/// Asks the service what it knows. Nobody there is no reason to say nothing: the explanation says that it is not live.
fn situation(args: &Explain) -> Result<Situation, Failure> {
    if args.offline {
        return Ok(Situation::default());
    }
    match args.at.client()?.get("/v1/status") {
        Ok(status) => Situation::from_status(&status).ok_or_else(|| {
            Failure::Unreachable("the service's answer is not its status: is the URL Wasl's?".into())
        }),
        Err(Failure::Unreachable(_)) => Ok(Situation::default()),
        Err(refused) => Err(refused),
    }
}

fn described(args: &Explain) -> Described {
    Described {
        severity: args.severity,
        urgency: args.urgency,
        status: args.status,
        incident: args.incident.clone(),
        tags: args.tag.iter().cloned().collect::<BTreeMap<_, _>>(),
        language: args.language.clone(),
        region: args.region.clone(),
        sector: args.sector.clone(),
        audiences: args.audience.clone(),
        channels: match args.channels.as_slice() {
            [] => ChannelSet::ALL,
            some => some.iter().copied().collect(),
        },
    }
}

/// Reads one of the words that a field knows; else says which are near.
pub(super) fn word<T: Copy>(text: &str, known: &[T], name: fn(T) -> &'static str) -> Result<T, String> {
    let unknown = || did_you_mean(text, known.iter().map(|value| name(*value)));
    known.iter().copied().find(|value| name(*value) == text).ok_or_else(unknown)
}

pub(super) fn severity(text: &str) -> Result<Severity, String> {
    word(text, Severity::ALL, Severity::name)
}

pub(super) fn urgency(text: &str) -> Result<Urgency, String> {
    word(text, Urgency::ALL, Urgency::name)
}

fn status(text: &str) -> Result<Status, String> {
    word(text, Status::ALL, Status::name)
}

fn channel(text: &str) -> Result<Channel, String> {
    word(text, &Channel::ALL, Channel::name)
}

fn tag(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').filter(|(key, _)| !key.is_empty());
    pair.map(|(key, value)| (key.to_owned(), value.to_owned()))
        .ok_or_else(|| "write it as sector=health".into())
}
