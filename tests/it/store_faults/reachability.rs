//! Reachability that cannot be used is moved aside and starts empty: it may be lost.

use super::NOW;
use std::fs;
use std::path::{Path, PathBuf};
use wasl::core::record::Needles;
use wasl::store::reachability::sled::SledReachability;
use wasl::store::reachability::{Cell, CellRow, Notice, Reachability};

fn cell(gateway: &str, dead: u32) -> CellRow {
    CellRow { cell: Cell::of_gateway(gateway), needles: Needles { dead, ..Needles::default() } }
}

/// A folder in which three gateways are known.
fn known(folder: &Path) -> PathBuf {
    let path = folder.join("reachability");
    let opened = SledReachability::open(&path, NOW).expect("opened");
    assert_eq!((opened.cells, opened.notice), (vec![], None));
    opened.reachability.remember(vec![cell("a", 1), cell("b", 1)]);
    opened.reachability.remember(vec![cell("c", 1), cell("a", 2)]);
    opened.reachability.close();
    path
}

#[test]
fn reachability_is_there_after_a_restart_and_the_last_value_won() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = known(folder.path());
    let opened = SledReachability::open(&path, NOW).expect("opened");
    assert_eq!((opened.cells, opened.notice), (vec![cell("a", 2), cell("b", 1), cell("c", 1)], None));
}

#[test]
fn unusable_reachability_is_moved_aside_and_starts_empty() {
    let check = |damage: &dyn Fn(&Path)| {
        let folder = tempfile::tempdir().expect("a folder");
        let path = known(folder.path());
        damage(&path);
        let opened = SledReachability::open(&path, NOW).expect("opened");
        assert_eq!(opened.cells, []);
        let Some(Notice::MovedAside { to, .. }) = &opened.notice else { panic!("{:?}", opened.notice) };
        assert!(
            to.exists() && to.to_string_lossy().ends_with("reachability.bad-1790000000"),
            "{}",
            to.display()
        );
        assert!(opened.notice.as_ref().is_some_and(|notice| notice.to_string().contains("starts empty")));
        opened.reachability.remember(vec![cell("d", 7)]);
        opened.reachability.close();
        let again = SledReachability::open(&path, NOW).expect("opened");
        assert_eq!((again.cells, again.notice), (vec![cell("d", 7)], None));
    };
    // Every page is changed.
    check(&|path| {
        let db = path.join("db");
        let mut bytes = fs::read(&db).expect("read");
        bytes.iter_mut().for_each(|byte| *byte ^= 0x5A);
        fs::write(db, bytes).expect("written");
    });
    // It opens, and is empty: what a power cut makes of sled without a real sync.
    check(&|path| {
        fs::remove_dir_all(path).expect("removed");
    });
    // It is not a folder.
    check(&|path| {
        fs::remove_dir_all(path).expect("removed");
        fs::write(path, b"?").expect("written");
    });
}

#[test]
fn a_snapshot_that_was_never_finished_is_cleared_away() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = known(folder.path());
    fs::write(path.join("snap.00000000DEADBEEF.generating"), b"half").expect("written");
    let opened = SledReachability::open(&path, NOW).expect("opened");
    assert_eq!((opened.cells.len(), opened.notice), (3, None));
}

#[test]
fn only_a_few_unusable_folders_are_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    for _ in 0..6 {
        let path = folder.path().join("reachability");
        let _ = fs::remove_dir_all(&path);
        fs::write(&path, b"?").expect("written");
        drop(SledReachability::open(&path, NOW).expect("opened"));
    }
    let names = fs::read_dir(folder.path()).expect("read").map(|entry| entry.expect("an entry").file_name());
    let aside = names.filter(|name| name.to_string_lossy().contains("bad-")).count();
    assert_eq!(aside, 3);
}
