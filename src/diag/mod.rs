//! Reading files for people: what is wrong, where, and what to do, all of it at once.
//!
//! A file becomes a [`Source`]; its TOML becomes a [`Table`], from which the caller takes the keys that it knows, each
//! with its place. Every mistake is put into [`Diagnostics`], which shows the line with a caret, or writes JSON.
//!
//! ```
//! # use wasl::diag::{Diagnostics, Source, Table};
//! let source = Source::new("probes/sms.toml", "interval = \"15s\"\nintervall = 3\n");
//! let mut diags = Diagnostics::default();
//! if let Some(mut table) = Table::parse(&source, &mut diags) {
//!     let interval = table.span("interval", &mut diags);
//!     assert_eq!(interval.map(|i| i.value.ms()), Some(15_000));
//!     table.finish(&mut diags);
//! }
//! assert!(diags.render().contains("did you mean `interval`?"));
//! ```
//!
//! Invariant: no secret's literal is shown, in whatever diagnostic its line appears.

mod article;
mod bidi;
mod diagnostic;
mod lookalike;
mod loose;
mod merge;
mod nearest;
mod render;
mod secret;
mod source;
mod table;
mod units;
mod value;
pub(crate) mod xml;

pub(crate) use article::article;
pub use diagnostic::{At, Diagnostic, Diagnostics, Level};
pub use loose::{Loose, Said};
pub use nearest::{did_you_mean, nearest};
pub use secret::Secret;
pub use source::{FILE_BYTES_MAX, Place, Position, Source, Spanned, holds_secret};
pub use table::Table;
pub use units::{parse_quota, parse_rate, parse_size, parse_span};
