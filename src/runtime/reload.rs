//! Notices that a file was changed. The folders are watched, not the files: editors write a new one and rename it.
//!
//! Limits: changes within [`SETTLE`] are one; a thousand saves are one reload.

use crate::runtime::configuration;
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::sync::mpsc;

/// How long a folder must be quiet before it is read: an editor's save is several steps, a checkout many files.
const SETTLE: Duration = Duration::from_millis(300);

/// Watches the folders of a site's files.
pub struct Changes {
    watcher: Option<RecommendedWatcher>,
    folders: Vec<PathBuf>,
    watched: BTreeSet<PathBuf>,
    seen: mpsc::Receiver<()>,
    /// Held so that [`Changes::next`] waits for ever where nothing can be watched.
    _keep: mpsc::Sender<()>,
}

impl Changes {
    /// Watches what belongs to `config`. Where the system cannot watch, nothing is noticed and the log says so;
    /// SIGHUP still reloads.
    pub fn of(config: &Path) -> Changes {
        let (saw, seen) = mpsc::channel(1);
        let keep = saw.clone();
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            if event.is_ok_and(|event| concerns(&event)) {
                // One that waits stands for all.
                let _ = saw.try_send(());
            }
        });
        let watcher = watcher
            .inspect_err(
                |error| tracing::warn!(%error, "changes of files are not noticed; send SIGHUP to reload"),
            )
            .ok();
        let mut changes = Changes {
            watcher,
            folders: configuration::folders(config),
            watched: BTreeSet::new(),
            seen,
            _keep: keep,
        };
        changes.look_for_folders();
        changes
    }

    /// Waits until a file was changed and the folders are quiet again.
    pub async fn next(&mut self) {
        // The sender is kept, so there is always another.
        let _ = self.seen.recv().await;
        while tokio::time::timeout(SETTLE, self.seen.recv()).await.is_ok() {}
        self.look_for_folders();
    }

    /// Watches folders that have come, and forgets those that went.
    fn look_for_folders(&mut self) {
        let Some(watcher) = &mut self.watcher else { return };
        for folder in &self.folders {
            let (there, watched) = (folder.is_dir(), self.watched.contains(folder));
            if watched && !there {
                self.watched.remove(folder);
            }
            if !there || watched {
                continue;
            }
            match watcher.watch(folder, RecursiveMode::NonRecursive) {
                Ok(()) => drop(self.watched.insert(folder.clone())),
                Err(error) => {
                    tracing::warn!(folder = %folder.display(), %error, "changes in this folder are not noticed; send SIGHUP to reload");
                }
            }
        }
    }
}

/// Says whether an event may change what the files say: reading them does not.
fn concerns(event: &Event) -> bool {
    let is_ours = |path: &PathBuf| {
        path.extension().is_some_and(|extension| extension == "toml")
            || path.file_name().is_some_and(|name| name == "policies" || name == "probes")
    };
    !matches!(event.kind, EventKind::Access(_)) && event.paths.iter().any(is_ours)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn noticed(changes: &mut Changes) -> bool {
        tokio::time::timeout(Duration::from_secs(20), changes.next()).await.is_ok()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_save_by_renaming_and_a_new_folder_are_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("wasl.toml");
        std::fs::write(&config, "").unwrap();
        let mut changes = Changes::of(&config);
        std::fs::write(folder.path().join("wasl.toml.new"), "x").unwrap();
        std::fs::rename(folder.path().join("wasl.toml.new"), &config).unwrap();
        assert!(noticed(&mut changes).await, "a rename");
        std::fs::create_dir(folder.path().join("policies")).unwrap();
        assert!(noticed(&mut changes).await, "a new folder");
        std::fs::write(folder.path().join("policies/floods.toml"), "x").unwrap();
        assert!(noticed(&mut changes).await, "a file in the new folder");
    }
}
