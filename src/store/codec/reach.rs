//! Rows of reachability: a gateway's needles as one vantage point sees them, for one slice of its recipients.

use super::{Key, Malformed, Reader, Row, Table, Writer};
use crate::core::record::{Learned, Needles, QuotaUse};
use crate::store::reachability::{Cell, CellRow};

/// The first byte of a cell's key. Others are kept for recipients' addresses and history.
pub(crate) const CELL: u8 = b'c';

impl Row for CellRow {
    const TABLE: Table = Table::Needles;
    const VERSION: u8 = 4;

    fn key(&self) -> Key {
        let mut out = Writer::new();
        out.byte(CELL);
        out.text(&self.cell.vantage);
        out.text(&self.cell.gateway);
        out.text(&self.cell.slice);
        out.finish().into()
    }

    fn write(&self, out: &mut Writer) {
        out.number(self.needles.dead);
        out.number(self.needles.refused);
        out.number(self.needles.flaky);
        out.time(self.needles.at);
        out.option(self.needles.down_since, Writer::time);
        out.span(self.needles.time_out);
        out.list(self.needles.quotas.iter(), |out, quota| {
            out.number(quota.limit);
            out.span(quota.period);
            out.signed(quota.newest);
            out.list(quota.slices.iter(), |out, slice| out.number(*slice));
        });
        out.number(self.needles.swallowing);
        out.number(self.needles.losing);
        out.number(self.needles.penalty);
        out.option(self.needles.damped_until, Writer::time);
        let learned = &self.needles.learned;
        out.list(learned.came.iter(), |out, count| out.number(*count));
        out.list(learned.waited.iter(), |out, count| out.number(*count));
        out.number(learned.with_account);
        out.number(learned.without_account);
        out.list(learned.of_came.iter(), |out, count| out.number(*count));
        out.list(learned.usual.iter(), |out, count| out.number(*count));
    }

    fn read(key: &mut Reader<'_>, body: &mut Reader<'_>, version: u8) -> Result<Self, Malformed> {
        if key.byte()? != CELL {
            return Err(Malformed("a cell's key"));
        }
        let mut row = CellRow {
            cell: Cell { vantage: key.text()?, gateway: key.text()?, slice: key.text()? },
            needles: Needles {
                dead: body.number()?,
                refused: body.number()?,
                flaky: body.number()?,
                at: body.time()?,
                down_since: body.option(Reader::time)?,
                time_out: body.span()?,
                // The first format knew of no quotas.
                quotas: if version < 2 { Vec::new() } else { body.list(quota)? },
                ..Needles::default()
            },
        };
        // The second format knew nothing of receipts.
        if version >= 3 {
            row.needles.swallowing = body.number()?;
            row.needles.losing = body.number()?;
            row.needles.penalty = body.number()?;
            row.needles.damped_until = body.option(Reader::time)?;
            row.needles.learned = Learned {
                came: body.list(|body| body.number())?,
                waited: body.list(|body| body.number())?,
                with_account: body.number()?,
                without_account: body.number()?,
                ..Learned::default()
            };
            if version >= 4 {
                row.needles.learned.of_came = body.list(|body| body.number())?;
                row.needles.learned.usual = body.list(|body| body.number())?;
            } else {
                // It counted what was given up, not what was waited for: that cannot be told from the other.
                row.needles.learned.came.clear();
                row.needles.learned.waited.clear();
            }
        }
        Ok(row)
    }
}

fn quota(body: &mut Reader<'_>) -> Result<QuotaUse, Malformed> {
    Ok(QuotaUse {
        limit: body.number()?,
        period: body.span()?,
        newest: body.signed()?,
        slices: body.list(|body| body.number())?,
    })
}
