//! One model, every engine: random batches, retention and crashes, and after each the engines must tell the same.
//!
//! The model is the outbox in memory. It is held against redb in a folder, which is closed and opened again at random
//! points, and against redb on a recording back end, which is cut off without warning.

use crate::support::media::{Disk, Survivors};
use crate::support::puts::{FEW_MESSAGES, Keys, few_message, put};
use proptest::collection::vec;
use proptest::prelude::*;
use wasl::core::audit::{Audit, Head};
use wasl::core::ids::{DeliveryId, OutageId};
use wasl::core::input::IdempotencyKey;
use wasl::core::query::{ActsFrom, Answer, Query, ReplyScope};
use wasl::core::record::Loaded;
use wasl::core::reply::{ReplyKey, ReplyKind};
use wasl::core::time::{Span, Timestamp};
use wasl::store::chain::Chain;
use wasl::store::outbox::memory::MemoryOutbox;
use wasl::store::outbox::redb::RedbOutbox;
use wasl::store::outbox::{Batch, Outbox, Position, Put, Reader, Retention, Walk, frames};

/// One thing that happens to a store.
#[derive(Clone, Debug)]
enum Step {
    Commit(Batch),
    /// It is closed, or its power goes, and it is opened again.
    Reopen,
    /// Somebody asks it everything.
    Ask,
    /// A day of the few messages' ids has passed retention.
    Retain {
        day: i64,
        limit: usize,
    },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => vec(put(Keys::Few), 0..12).prop_map(Step::Commit),
        1 => Just(Step::Reopen),
        2 => Just(Step::Ask),
        1 => (0..FEW_MESSAGES as i64 + 2, 1usize..20).prop_map(|(day, limit)| Step::Retain { day, limit }),
    ]
}

/// An engine that can be taken down and brought back.
trait Engine {
    fn outbox(&mut self) -> &mut dyn Outbox;
    fn reopen(&mut self);
}

struct InFolder {
    folder: tempfile::TempDir,
    outbox: Option<RedbOutbox>,
}

impl InFolder {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let outbox = RedbOutbox::open(&folder.path().join("outbox.redb")).expect("opened");
        InFolder { folder, outbox: Some(outbox) }
    }
}

impl Engine for InFolder {
    fn outbox(&mut self) -> &mut dyn Outbox {
        self.outbox.as_mut().expect("open")
    }

    fn reopen(&mut self) {
        self.outbox = None;
        self.outbox = Some(RedbOutbox::open(&self.folder.path().join("outbox.redb")).expect("opened again"));
    }
}

struct OnRecorder {
    disk: Disk,
    outbox: Option<RedbOutbox>,
}

impl OnRecorder {
    fn new() -> Self {
        let disk = Disk::new();
        let outbox = disk.outbox().expect("opened");
        OnRecorder { disk, outbox: Some(outbox) }
    }
}

impl Engine for OnRecorder {
    fn outbox(&mut self) -> &mut dyn Outbox {
        self.outbox.as_mut().expect("open")
    }

    /// The power goes while it runs: what was never synced is gone.
    fn reopen(&mut self) {
        let after = self.disk.after_cut(self.disk.writes(), &mut |_| Survivors::None);
        self.outbox = None;
        self.outbox = Some(after.outbox().expect("opened after a cut"));
        self.disk = after;
    }
}

fn run(engine: &mut dyn Engine, steps: &[Step]) {
    let mut model = MemoryOutbox::new();
    for step in steps {
        match step {
            Step::Commit(batch) => {
                let position = engine.outbox().commit(batch).expect("committed");
                assert_eq!(position, model.commit(batch).expect("committed"));
            }
            Step::Reopen => engine.reopen(),
            // Not after each step: what is asked for goes to the tables first, and the journal has nothing left.
            Step::Ask => agree(engine.outbox(), &model),
            Step::Retain { day, limit } => {
                let keep = Retention {
                    deliveries: Span::from_hours(24),
                    messages: Span::from_hours(48),
                    idempotency: Span::from_hours(24),
                    audit: Span::from_hours(36),
                };
                let now = Timestamp::from_ms(Span::from_hours(24 * day).ms());
                retain_all(engine.outbox(), &keep, now, *limit);
                retain_all(&mut model, &keep, now, *limit);
            }
        }
    }
    agree(engine.outbox(), &model);
    moves(engine.outbox(), &model);
}

fn retain_all(outbox: &mut dyn Outbox, keep: &Retention, now: Timestamp, limit: usize) {
    for _ in 0..10_000 {
        let retained = outbox.retain(keep, now, limit).expect("retained");
        assert!(retained.removed <= limit);
        if !retained.more {
            return;
        }
    }
    panic!("retention never ends");
}

/// Everything that can be asked gives the same answer.
fn agree(engine: &dyn Outbox, model: &MemoryOutbox) {
    assert_eq!(told(&engine.load().expect("loaded")), told(&model.load().expect("loaded")));
    let (engine, model) = (engine.reader(), model.reader());
    assert_eq!(rows(engine.as_ref()).0, rows(model.as_ref()).0);
    for query in queries() {
        let [mine, theirs] =
            [&engine, &model].map(|reader| facts(&reader.answer(&query).expect("answered").value));
        assert_eq!(mine, theirs, "{query:?}");
    }
    let (mine, theirs) = (engine.health().expect("health"), model.health().expect("health"));
    assert_eq!(
        (mine.messages, mine.open_messages, mine.deliveries, mine.attempts),
        (theirs.messages, theirs.open_messages, theirs.deliveries, theirs.attempts)
    );
    assert_eq!(engine.tokens().expect("tokens").value, model.tokens().expect("tokens").value);
    assert_eq!(engine.erased().expect("erased").value, model.erased().expect("erased").value);
    assert_eq!(engine.opt_outs().expect("opt-outs").value, model.opt_outs().expect("opt-outs").value);
    assert_eq!(
        engine.policy_versions(3).expect("versions").value,
        model.policy_versions(3).expect("versions").value
    );
    for which in 0..FEW_MESSAGES {
        let id = few_message(which);
        assert_eq!(engine.message(id).expect("read").value, model.message(id).expect("read").value);
        for chunk in 0..2 {
            let [mine, theirs] =
                [&engine, &model].map(|reader| reader.audience(id, chunk).expect("read").value);
            assert_eq!(mine, theirs);
        }
    }
}

fn rows(reader: &dyn Reader) -> (Vec<Put>, Position) {
    let mut rows = Vec::new();
    let position = reader.rows(&mut |put| {
        rows.push(put);
        Walk::On
    });
    (rows, position.expect("read"))
}

fn told(loaded: &Loaded) -> String {
    format!("{loaded:?}")
}

/// `Debug` of an answer hides texts and addresses; those are compared by `message` and `audience`.
fn facts(answer: &Answer) -> String {
    format!("{answer:?}")
}

fn queries() -> Vec<Query> {
    let message = few_message;
    let names = ["a", "ab", "sms-main", ""];
    let mut queries = vec![
        Query::Messages { before: None, limit: 3 },
        Query::Messages { before: Some(message(2)), limit: 9 },
        Query::Outages { before: None, limit: 9 },
        Query::Outages { before: Some(OutageId(2)), limit: 1 },
        Query::Contacts { after: None, limit: 2 },
        Query::Contacts { after: Some("a".into()), limit: 9 },
        Query::Acts { from: ActsFrom::Before(None), limit: 2 },
        Query::Acts { from: ActsFrom::Before(Some(3)), limit: 4 },
        Query::Acts { from: ActsFrom::After(1), limit: 4 },
        Query::ChainEnds,
    ];
    let replies = |scope, kind, limit| Query::Replies { scope, kind, before: None, limit };
    queries.push(replies(ReplyScope::All, None, 3));
    let before = Some(ReplyKey { at: Timestamp::from_ms(1_800_000_000_000), digest: 7 });
    queries.push(Query::Replies { scope: ReplyScope::All, kind: None, before, limit: 9 });
    queries.extend(ReplyKind::ALL.map(|kind| replies(ReplyScope::All, Some(kind), 9)));
    let incident = |name: &&str| ReplyScope::Incident((*name).to_owned());
    queries.extend(names.iter().map(|name| replies(incident(name), Some(ReplyKind::Safe), 9)));
    let ids = names.iter().flat_map(|gateway| names.iter().map(move |id| (gateway, id)));
    queries.extend(ids.flat_map(|(gateway, id)| {
        let (gateway, id) = ((*gateway).to_owned(), (*id).to_owned());
        [Query::ReplyOf { gateway: gateway.clone(), id: id.clone() }, Query::AttemptOf { gateway, id }]
    }));
    queries.extend((0..FEW_MESSAGES).flat_map(|which| {
        let message = message(which);
        [
            Query::Message(message),
            Query::CorrectionOf(message),
            Query::Deliveries { message, after: None, limit: 9 },
            Query::Deliveries { message, after: Some(0), limit: 1 },
            Query::Delivery(DeliveryId::new(message, 1)),
            Query::Replies { scope: ReplyScope::Message(message), kind: None, before: None, limit: 2 },
            Query::Replies {
                scope: ReplyScope::Message(message),
                kind: Some(ReplyKind::NeedHelp),
                before: None,
                limit: 9,
            },
        ]
    }));
    queries.extend(names.iter().flat_map(|name| {
        let name = (*name).to_owned();
        [Query::Contact(name.clone()), Query::Audience(name)]
    }));
    queries.extend(
        [[0; 16], [1; 16], [0xFF; 16]].map(|key| Query::Idempotency(IdempotencyKey { key, body: [0; 16] })),
    );
    queries
}

/// What is exported and imported into an empty store is the same, whichever engine wrote it.
fn moves(engine: &dyn Outbox, model: &MemoryOutbox) {
    let exported = |reader: &dyn Reader| {
        let mut file = Vec::new();
        frames::export(reader, &mut file).expect("exported");
        file
    };
    let file = exported(engine.reader().as_ref());
    assert_eq!(file, exported(model.reader().as_ref()));
    let mut copy = MemoryOutbox::new();
    let count = frames::import(&mut copy, &mut file.as_slice()).expect("imported");
    let (mine, theirs) = (rows(copy.reader().as_ref()).0, rows(model.reader().as_ref()).0);
    assert_eq!((count as usize, mine), (theirs.len(), theirs));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(24) })]

    #[test]
    fn redb_in_a_folder_is_as_its_twin(steps in vec(step(), 1..24)) {
        run(&mut InFolder::new(), &steps);
    }

    #[test]
    fn redb_whose_power_goes_is_as_its_twin(steps in vec(step(), 1..24)) {
        run(&mut OnRecorder::new(), &steps);
    }
}

fn act(day: i64) -> Audit {
    let at = Timestamp::from_ms(Span::from_hours(24 * day).ms());
    Audit { at, who: "amal".into(), act: "hold".into(), on: format!("on day {day}"), reason: "مطر".into() }
}

fn acts(days: impl Iterator<Item = i64>) -> Batch {
    let mut chain = Chain::after(Head::default());
    days.map(|day| Put::Link(chain.link(act(day)))).collect()
}

#[test]
fn who_did_what_is_kept_as_long_as_is_said() {
    let check = |outbox: &mut dyn Outbox| {
        outbox.commit(&acts(1..=5)).expect("committed");
        let query = Query::Acts { from: ActsFrom::Before(None), limit: 9 };
        let kept = |outbox: &dyn Outbox| match outbox.reader().answer(&query) {
            Ok(answer) => match answer.value {
                Answer::Acts(links) => links.into_iter().map(|link| link.audit.on).collect::<Vec<_>>(),
                other => panic!("{other:?}"),
            },
            Err(error) => panic!("{error}"),
        };
        let now = Timestamp::from_ms(Span::from_hours(24 * 6).ms());
        retain_all(outbox, &Retention::default(), now, 1);
        assert_eq!(kept(outbox).len(), 5, "for ever, unless the file says otherwise");
        let keep = Retention { audit: Span::from_hours(48), ..Retention::default() };
        assert_eq!(outbox.retain(&keep, now, 2).expect("retained").removed, 2, "a few at a time");
        retain_all(outbox, &keep, now, 2);
        assert_eq!(kept(outbox), ["on day 5", "on day 4"], "the last two days");
    };
    check(&mut MemoryOutbox::new());
    check(InFolder::new().outbox());
    check(OnRecorder::new().outbox());
}

#[test]
fn a_damaged_export_is_refused_wherever_the_damage_is() {
    let mut outbox = MemoryOutbox::new();
    let batch = acts(1..=3);
    outbox.commit(&batch).expect("committed");
    let mut file = Vec::new();
    frames::export(outbox.reader().as_ref(), &mut file).expect("exported");
    for place in 0..file.len() {
        let mut damaged = file.clone();
        damaged[place] ^= 0x10;
        assert!(frames::import(&mut MemoryOutbox::new(), &mut damaged.as_slice()).is_err(), "{place}");
        assert!(frames::import(&mut MemoryOutbox::new(), &mut &file[..place]).is_err(), "{place}");
    }
}
