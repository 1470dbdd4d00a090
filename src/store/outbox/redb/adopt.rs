//! Takes in what an older program kept in another way: acts that had no chain get their places in one.
//!
//! Invariant: all of it or nothing, and what was taken in says so as an act of its own.

use super::fault::Fault;
use super::tables::{Meta, Place};
use super::writing::Writing;
use crate::core::audit::Head;
use crate::store::chain::Chain;
use crate::store::codec::{Row, Table, UnchainedRow, decode, encode};

/// The first store format whose acts are chained.
const FIRST_WITH_CHAIN: u32 = 7;
/// How many acts are in memory at once.
const ACTS_AT_ONCE: usize = 10_000;

/// Says whether a store's acts have no chain yet.
pub(super) fn is_due(meta: &Meta) -> bool {
    meta.format < FIRST_WITH_CHAIN
}

/// Moves every act of an older store into the chain, in the order of time.
pub(super) fn adopt(tables: &mut Writing<'_>) -> Result<(), Fault> {
    tables.open_all()?;
    let (old, links) = (Place::Of(Table::Audit), Place::Of(Table::Link));
    let (mut chain, mut last) = (Chain::after(Head::default()), None);
    loop {
        let rows = tables.some_under(old, &[], ACTS_AT_ONCE)?;
        if rows.is_empty() {
            break;
        }
        for (key, value) in rows {
            let UnchainedRow { audit, .. } = decode(&key, &value)?;
            last = Some(audit.at);
            let link = chain.link(audit);
            tables.insert(links, link.key(), &encode(&link))?;
            tables.remove(old, key);
        }
        tables.flush()?;
    }
    if let Some(last) = last {
        let (anchor, note) = chain.adopted(last);
        tables.insert(Place::Of(Table::Anchor), anchor.key(), &encode(&anchor))?;
        tables.insert(links, note.key(), &encode(&note))?;
    }
    Ok(())
}
