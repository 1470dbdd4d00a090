//! An import of 100,000 contacts, from the file's text to the disk through a running service, beside reading the same cells and
//! one synced write of the same bytes.

use super::house::House;
use super::{Figure, Skipped};
use crate::cli::client::At;
use crate::cli::contacts::import_text;
use crate::cli::csv::Rows;
use std::fmt::Write as _;
use std::hint::black_box;
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

const ROWS: usize = 100_000;
/// Nothing is probed while it runs; where nothing listens, nothing is lost.
const NOBODY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 9);

pub(super) fn run(runtime: &tokio::runtime::Runtime) -> Result<Vec<Figure>, Skipped> {
    let text = file();
    let plain = plain(&text)?;
    let took = runtime.block_on(async {
        let house = House::open(&[NOBODY], "1h").await?;
        let at = At::to(format!("http://{}", house.site.address()));
        let importing = tokio::task::spawn_blocking(move || {
            let began = Instant::now();
            import_text(&at, &text).map(|stored| (stored, began.elapsed()))
        });
        let imported = importing.await.map_err(|error| error.to_string())?;
        house.close().await?;
        match imported {
            Ok((ROWS, took)) => Ok(took),
            Ok((stored, _)) => Err(format!("{stored} of {ROWS} rows were stored")),
            Err(failure) => Err(failure.to_string()),
        }
    })?;
    Ok(vec![Figure {
        name: "import of 100,000 contacts",
        value: took.as_secs_f64(),
        unit: "s",
        yardstick: Some(("reading the cells and one synced write", plain.as_secs_f64())),
        target: "at most 10 s",
    }])
}

/// Makes the file of a town, as a spreadsheet writes it.
fn file() -> String {
    let mut text = "id,name,language,region,audiences,whatsapp,sms\n".to_string();
    for n in 0..ROWS {
        // Writing to a text cannot fail.
        let _ = writeln!(text, "c-{n},أمل {n},ar,east,residents-e;residents,+97059{n:07},+97056{n:07}");
    }
    text
}

/// Reads the cells, and writes the bytes to a file that is synced once.
fn plain(text: &str) -> Result<Duration, String> {
    let folder = super::mass::folder()?;
    let began = Instant::now();
    let cells: usize = Rows::new(text).flatten().map(|row| row.len()).sum();
    black_box(cells);
    let mut file = std::fs::File::create(folder.path().join("plain")).map_err(|error| error.to_string())?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_data()).map_err(|error| error.to_string())?;
    Ok(began.elapsed())
}
