//! Notices that a file was changed. The folders are watched, not the files: editors write a new one and rename it.
//!
//! Limits: changes within [`SETTLE`] are one; a thousand saves are one reload.

use crate::runtime::configuration;
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::sync::mpsc;

/// How long a folder must be quiet before it is read: an editor's save is several steps, a checkout many files.
const SETTLE: Duration = Duration::from_millis(300);
/// What counts beside files of TOML: the folders, and the link that is swapped where the files are mounted from a
/// ConfigMap. Cites: Kubernetes' `AtomicWriter`.
const NAMES: [&str; 3] = ["policies", "probes", "..data"];

/// Watches the folders of a site's files.
pub struct Changes {
    watcher: Option<RecommendedWatcher>,
    folders: Vec<PathBuf>,
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
        let folders = configuration::folders(config);
        // The first is that of the file itself, where others may keep what they like. Events name absolute paths.
        let inner: Vec<_> = folders.iter().skip(1).filter_map(|f| std::path::absolute(f).ok()).collect();
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            if event.is_ok_and(|event| concerns(&event, &inner)) {
                // One that waits stands for all.
                let _ = saw.try_send(());
            }
        });
        let watcher = watcher
            .inspect_err(
                |error| tracing::warn!(%error, "changes of files are not noticed; send SIGHUP to reload"),
            )
            .ok();
        let mut changes = Changes { watcher, folders, seen, _keep: keep };
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

    /// Watches the folders that are there now, each anew: the system watches what a folder is and not how it is called, and
    /// another may have taken its place. What changes before this is read by whoever waited.
    fn look_for_folders(&mut self) {
        let Some(watcher) = &mut self.watcher else { return };
        for folder in &self.folders {
            // It may not be watched yet, or have gone of itself.
            let _ = watcher.unwatch(folder);
            if !folder.is_dir() {
                continue;
            }
            if let Err(error) = watcher.watch(folder, RecursiveMode::NonRecursive) {
                tracing::warn!(folder = %folder.display(), %error, "changes in this folder are not noticed; send SIGHUP to reload");
            }
        }
    }
}

/// Says whether an event may change what the files say: reading them does not. `inner`: the folders of which every file
/// counts, since a file may be a link to what is swapped beside it.
fn concerns(event: &Event, inner: &[PathBuf]) -> bool {
    let is_ours = |path: &PathBuf| {
        path.extension().is_some_and(|extension| extension == "toml")
            || path.file_name().is_some_and(|name| NAMES.iter().any(|ours| name == *ours))
            || path.parent().is_some_and(|parent| inner.iter().any(|folder| folder == parent))
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

    /// A site's folder with one policy, and what watches it.
    fn site() -> (tempfile::TempDir, Changes) {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("wasl.toml");
        std::fs::write(&config, "").unwrap();
        std::fs::create_dir(folder.path().join("policies")).unwrap();
        let changes = Changes::of(&config);
        (folder, changes)
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_folder_that_takes_the_place_of_another_is_watched() {
        let (folder, mut changes) = site();
        let at = |name: &str| folder.path().join(name);
        for round in ["one", "two"] {
            std::fs::create_dir(at("new")).unwrap();
            std::fs::write(at("new/floods.toml"), round).unwrap();
            std::fs::rename(at("policies"), at(&format!("old-{round}"))).unwrap();
            std::fs::rename(at("new"), at("policies")).unwrap();
            assert!(noticed(&mut changes).await, "{round}: another folder");
            std::fs::write(at("policies/floods.toml"), "x").unwrap();
            assert!(noticed(&mut changes).await, "{round}: a file in it");
            let quiet = tokio::time::timeout(SETTLE * 3, changes.next()).await.is_err();
            assert!(quiet, "{round}: to look is no change");
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn files_that_are_links_into_a_swapped_folder_are_watched() {
        use std::os::unix::fs::symlink;
        let (folder, mut changes) = site();
        // As Kubernetes mounts a ConfigMap over the folder of policies, then over the site's own.
        for mount in [folder.path().join("policies"), folder.path().to_owned()] {
            for version in ["..1", "..2", "..3"] {
                std::fs::create_dir(mount.join(version)).unwrap();
                std::fs::write(mount.join(version).join("floods.toml"), version).unwrap();
                symlink(version, mount.join("..data_tmp")).unwrap();
                std::fs::rename(mount.join("..data_tmp"), mount.join("..data")).unwrap();
                assert!(noticed(&mut changes).await, "{version} in {}", mount.display());
            }
        }
    }
}
