//! The files of a policy: which, in what order, and their hash.

use crate::diag::{Diagnostic, Diagnostics, Source};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The most files of one policy.
pub const FILES_MAX: usize = 256;
/// How many hexadecimal digits of SHA-256 name a policy: enough to tell versions apart, short enough to read out.
const HASH_CHARS: usize = 12;

/// The texts of a policy, in the order in which their rules are tried: by file name, then as written.
#[derive(Clone, Debug)]
pub struct PolicyFiles {
    sources: Vec<Arc<Source>>,
}

impl PolicyFiles {
    /// Takes texts that are not in a folder (built in, or sent for checking), each with its name.
    pub fn from_texts<'a>(texts: impl IntoIterator<Item = (&'a str, &'a str)>) -> PolicyFiles {
        let mut sources: Vec<_> = texts.into_iter().map(|(name, text)| Source::new(name, text)).collect();
        sources.sort_by(|a, b| a.name().cmp(b.name()));
        PolicyFiles { sources }
    }

    /// Reads every `*.toml` of a folder, hidden files and subfolders left aside. Whatever cannot be read is an error: a
    /// policy with a file missing is another policy.
    pub fn read(folder: &Path, diags: &mut Diagnostics) -> PolicyFiles {
        let paths = match toml_files(folder) {
            Ok(paths) => paths,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => {
                let name = folder.display().to_string();
                diags.push(
                    Diagnostic::error("unreadable-folder", format!("cannot read `{name}`: {error}"))
                        .in_file(name)
                        .help("check its permissions for the user that runs Wasl"),
                );
                Vec::new()
            }
        };
        if paths.is_empty() && !diags.has_errors() {
            diags.push(
                Diagnostic::warning(
                    "no-policy",
                    "there is no policy: the built-in last rule routes everything",
                )
                .in_file(folder.display().to_string())
                .help("copy the shipped `policies/` folder beside wasl.toml and change it"),
            );
        }
        if paths.len() > FILES_MAX {
            diags.push(
                Diagnostic::error("too-many", format!("more than {FILES_MAX} policy files"))
                    .in_file(folder.display().to_string())
                    .help("put several rules into one file"),
            );
        }
        for path in &paths {
            check_name(path, diags);
        }
        let sources = paths.iter().take(FILES_MAX).filter_map(|path| Source::read(path, diags)).collect();
        PolicyFiles { sources }
    }

    /// Returns the files in order.
    pub fn sources(&self) -> &[Arc<Source>] {
        &self.sources
    }

    /// Returns a short hash over every file's name and text; it names the policy in metrics, records and pages.
    pub fn hash(&self) -> String {
        let mut digest = ring::digest::Context::new(&ring::digest::SHA256);
        for source in &self.sources {
            let name = Path::new(source.name()).file_name().unwrap_or_default();
            for part in [name.as_encoded_bytes(), source.text().as_bytes()] {
                digest.update(&(part.len() as u64).to_be_bytes());
                digest.update(part);
            }
        }
        let hex: String = digest.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        hex[..HASH_CHARS].to_owned()
    }
}

fn toml_files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if !hidden && path.extension().is_some_and(|extension| extension == "toml") && !path.is_dir() {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

/// A name is also a part of the API's URLs.
fn check_name(path: &Path, diags: &mut Diagnostics) {
    let stem = path.file_stem().unwrap_or_default().as_encoded_bytes();
    if stem.iter().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-')) {
        return;
    }
    diags.push(
        Diagnostic::error("bad-name", format!("`{}` cannot be the name of a policy file", path.display()))
            .in_file(path.display().to_string())
            .help("names are `[a-z0-9-]+.toml`; rules are tried in the order of the names"),
    );
}
