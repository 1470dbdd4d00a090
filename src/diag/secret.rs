//! A value that must never be seen, a token or a password, and how files name it.

use super::diagnostic::{Diagnostic, Diagnostics};
use super::source::Spanned;
use super::table::Table;
use super::value::Value;
use std::fmt;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

/// The longest secret that a file may hold. A service account's key is about 2 KiB.
const SECRET_BYTES_MAX: u64 = 64 * 1024;

/// A secret. `Debug` and `Display` print `***`; the value leaves only through [`Secret::expose`].
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Arc<str>);

impl Secret {
    /// Wraps a value.
    pub fn new(value: impl Into<Arc<str>>) -> Secret {
        Secret(value.into())
    }

    /// Returns the value. Hand it to the provider; never to a log, an error or a page.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl Table {
    /// Reads a secret: `{ env = "NAME" }`, `{ file = "PATH" }` (from the folder of the file that names it), or a literal,
    /// which is warned about. One that cannot be had is an error.
    pub fn secret(&mut self, key: &'static str, diags: &mut Diagnostics) -> Option<Secret> {
        let entry = self.take(key)?;
        match entry.value.value {
            Value::String(literal) => {
                diags.mask(entry.value.place.clone());
                diags.push(
                    Diagnostic::warning(
                        "literal-secret",
                        format!("`{key}` of {} stands in the file", self.called),
                    )
                    .at(&entry.value.place, "everybody who reads the file can read it")
                    .help(format!("write `{key} = {{ env = \"NAME\" }}` or `{key} = {{ file = \"PATH\" }}`")),
                );
                Some(Secret::new(literal))
            }
            Value::Table(table) => table.secret_elsewhere(key, &self.called, diags),
            _ => {
                diags.mask(entry.value.place.clone());
                self.wrong_type(
                    key,
                    &entry,
                    "a secret",
                    "write `{ env = \"NAME\" }` or `{ file = \"PATH\" }`",
                    diags,
                )
            }
        }
    }

    /// Reads a secret that must be there.
    pub fn required_secret(&mut self, key: &'static str, diags: &mut Diagnostics) -> Option<Secret> {
        if self.key(key).is_none() {
            self.missing(key, diags);
            return None;
        }
        self.secret(key, diags)
    }

    pub(super) fn secret_elsewhere(
        mut self,
        key: &str,
        owner: &str,
        diags: &mut Diagnostics,
    ) -> Option<Secret> {
        self.called = format!("`{key}` of {owner}");
        let env = self.string("env", diags);
        let file = self.string("file", diags);
        let place = self.place().clone();
        self.finish(diags);
        let problem = match (env, file) {
            (Some(name), None) => match std::env::var(&name.value) {
                Ok(value) if !value.is_empty() => return Some(Secret::new(value)),
                _ => {
                    let name_shown = shown(&name, is_variable, diags).unwrap_or("that is named here".into());
                    Diagnostic::error("secret-missing", format!("the variable {name_shown} is not set"))
                        .at(&name.place, format!("`{key}` of {owner} is read from it"))
                        .help("set it in the environment of the service, or use `{ file = \"PATH\" }`")
                }
            },
            (None, Some(path)) => match read_secret(&path) {
                Ok(secret) => return Some(secret),
                Err(why) => {
                    let file = shown(&path, is_path, diags).unwrap_or("the file that is named here".into());
                    Diagnostic::error("secret-missing", format!("{file} gives no secret: {why}"))
                        .at(&path.place, format!("`{key}` of {owner} is read from it"))
                        .help("write the secret alone into the file, readable by the user that runs Wasl")
                }
            },
            _ => {
                Diagnostic::error("bad-value", format!("`{key}` of {owner} does not say where the secret is"))
                    .at(&place, "either `env` or `file` is needed")
                    .help("write `{ env = \"NAME\" }` or `{ file = \"PATH\" }`")
            }
        };
        diags.push(problem);
        None
    }
}

/// Names where a secret should be, in quotes; but hides what does not look like a place: it may be the secret itself.
fn shown(name: &Spanned<String>, is_place: fn(&str) -> bool, diags: &mut Diagnostics) -> Option<String> {
    if is_place(&name.value) {
        return Some(format!("`{}`", name.value));
    }
    diags.mask(name.place.clone());
    None
}

fn is_variable(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
}

fn is_path(name: &str) -> bool {
    // Letters of one case and hyphens make a file's name; a secret that is made of these alone is none.
    (name.contains(['/', '.']) && !name.contains("://"))
        || name.chars().all(|c| c.is_ascii_lowercase() || matches!(c, '-' | '_'))
}

/// Reads a secret's file, relative to the folder of the file that names it.
fn read_secret(path: &Spanned<String>) -> Result<Secret, String> {
    let folder = Path::new(path.place.source.name()).parent().unwrap_or(Path::new(""));
    let mut text = String::new();
    std::fs::File::open(folder.join(&path.value))
        .and_then(|file| file.take(SECRET_BYTES_MAX + 1).read_to_string(&mut text))
        .map_err(|error| error.to_string())?;
    match text.trim_end_matches(['\r', '\n']) {
        "" => Err("it is empty".into()),
        secret if secret.len() as u64 > SECRET_BYTES_MAX => {
            Err(format!("it is longer than {SECRET_BYTES_MAX} bytes"))
        }
        secret => Ok(Secret::new(secret)),
    }
}
