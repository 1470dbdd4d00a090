//! `wasl demo`: a real outage against the real service, in about three minutes.

use super::{Done, Failure, table};
use crate::demo::{self, BadScenario, DemoError, Options, Scenario, Screen, Style, Wishes};
use crate::telemetry::log;
use std::io::{IsTerminal, Write};
use std::net::SocketAddr;
use std::path::PathBuf;

/// The fastest: the whole of history in well under a second.
const SPEED_MAX: f64 = 1e5;
/// The most people: an alert to more would wait for the SMS centre long after the end.
const PEOPLE_MAX: i64 = 20_000;

/// What may be given.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// Seconds of history in a second; 1 is history itself. Unless given, it lasts about 150 s
    #[arg(long, value_name = "FACTOR", value_parser = speed)]
    speed: Option<f64>,
    /// Where everything that is drawn comes from: the same seed makes the same plan
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Another outage, in the format outage-scenario/1
    #[arg(long, value_name = "PATH")]
    scenario: Option<PathBuf>,
    /// Where the page is; on loopback alone, since no token is asked for
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// How many people there are
    #[arg(long, value_name = "N", default_value = "1000", value_parser = clap::value_parser!(i64).range(1..=PEOPLE_MAX))]
    people: i64,
    /// Keep the temporary folder with the files and the stores
    #[arg(long)]
    keep: bool,
    /// Print the report as JSON; progress goes to standard error
    #[arg(long)]
    json: bool,
}

fn speed(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(speed) if speed > 0.0 && speed <= SPEED_MAX => Ok(speed),
        _ => Err(format!("a speed is a number above 0 and up to {SPEED_MAX}")),
    }
}

/// Gives it.
pub(super) fn run(args: Args) -> Done {
    // Progress has the terminal; whoever wants the log says so.
    if std::env::var_os(log::FILTER_ENV).is_some() {
        log::start(None);
    }
    let scenario = match &args.scenario {
        Some(path) => Scenario::read(path),
        None => Scenario::built_in(),
    };
    let scenario = scenario.map_err(|error| match error {
        BadScenario::Unreadable { .. } => Failure::Usage(error.to_string()),
        BadScenario::Wrong { .. } => Failure::No(error.to_string()),
    })?;
    let wishes = Wishes {
        seed: args.seed.unwrap_or(scenario.seed),
        speed: args.speed,
        people: usize::try_from(args.people).unwrap_or(1),
    };
    let options = Options { scenario, wishes, listen: args.listen, keep: args.keep };
    let mut screen = screen(args.json);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::Unreachable(format!("the system gives no threads: {error}")))?;
    let stop = async {
        if tokio::signal::ctrl_c().await.is_err() {
            // It cannot be heard, so it goes on to its end.
            std::future::pending::<()>().await;
        }
    };
    let report = runtime.block_on(demo::run(options, &mut screen, stop)).map_err(failure)?;
    if args.json {
        let value = serde_json::to_value(&report).map_err(|error| Failure::No(error.to_string()))?;
        table::json(&value);
    } else {
        table::print(&format!("\n{}", report.text()));
    }
    match report.nothing_lost() {
        true => Ok(()),
        false => Err(Failure::No(format!("{} deliveries were lost", report.tally.lost))),
    }
}

/// Progress goes to where the report does not go, if that is for a program.
fn screen(json: bool) -> Screen {
    let out: Box<dyn Write + Send> =
        if json { Box::new(std::io::stderr()) } else { Box::new(std::io::stdout()) };
    let is_terminal = if json { std::io::stderr().is_terminal() } else { std::io::stdout().is_terminal() };
    let may_colour = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    Screen::new(if is_terminal && may_colour { Style::Live } else { Style::Plain }, out)
}

fn failure(error: DemoError) -> Failure {
    match error {
        DemoError::NotLoopback(_) => Failure::Usage(error.to_string()),
        error => Failure::Unreachable(error.to_string()),
    }
}
