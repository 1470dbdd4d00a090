//! Rows of operating: outages, overlays, callers' keys, the audit record.

use super::{Key, Malformed, Reader, Row, Table, Writer, time_key};
use crate::core::audit::{Anchor, Audit, Hash, Link};
use crate::core::channel::Channel;
use crate::core::evidence::Layer;
use crate::core::ids::{MessageId, OutageId};
use crate::core::input::IdempotencyKey;
use crate::core::outcome::Reason;
use crate::core::record::{Outage, OutageOf, Overlay, OverlayKind, Sign};
use crate::core::time::Timestamp;

// The stored numbers of what an outage is of.
const OF_GATEWAY: u8 = 0;
const OF_CHANNEL: u8 = 1;
const OF_UPLINK: u8 = 2;
const OF_SLICE: u8 = 3;
const OF_REGION: u8 = 4;
const OF_DOMAIN: u8 = 5;

// The stored numbers of pieces of evidence.
const SIGN_PROBES: u8 = 0;
const SIGN_ATTEMPTS: u8 = 1;
const SIGN_RECEIPTS: u8 = 2;
const SIGN_DELIVERS: u8 = 3;
const SIGN_CONTROLS: u8 = 4;
const SIGN_PROVIDER: u8 = 5;
const SIGN_DOWN: u8 = 6;

// The stored numbers of overlays, and of what they lie over.
const HELD: u8 = 0;
const MAINTENANCE: u8 = 1;
const DRILL: u8 = 2;
const OVER_ALL: u8 = 0;
const OVER_ONE: u8 = 1;

/// What lies over a gateway, or over all of them.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct OverlayRow {
    pub(crate) gateway: Option<String>,
    pub(crate) overlay: Overlay,
}

/// What a caller's key made.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct IdempotencyRow {
    pub(crate) key: IdempotencyKey,
    pub(crate) message: MessageId,
    pub(crate) deliveries: u32,
    pub(crate) at: Timestamp,
}

/// An act without a chain, as programs kept it before format 7.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct UnchainedRow {
    /// A number that sorts acts of one millisecond.
    pub(crate) number: u64,
    pub(crate) audit: Audit,
}

/// Returns the key of an overlay.
pub(crate) fn overlay_key(gateway: Option<&str>) -> Vec<u8> {
    match gateway {
        None => vec![OVER_ALL],
        Some(name) => [&[OVER_ONE], name.as_bytes()].concat(),
    }
}

impl Row for Outage {
    const TABLE: Table = Table::Outage;
    const VERSION: u8 = 2;

    fn key(&self) -> Key {
        Key::from_slice(&self.id.0.to_be_bytes())
    }

    fn write(&self, out: &mut Writer) {
        match &self.of {
            OutageOf::Gateway(name) => {
                out.byte(OF_GATEWAY);
                out.text(name);
            }
            OutageOf::Channel(channel) => {
                out.byte(OF_CHANNEL);
                out.byte(*channel as u8);
            }
            OutageOf::Uplink(name) => {
                out.byte(OF_UPLINK);
                out.text(name);
            }
            OutageOf::Slice { gateway, region } => {
                out.byte(OF_SLICE);
                out.text(gateway);
                out.text(region);
            }
            OutageOf::Region(name) => {
                out.byte(OF_REGION);
                out.text(name);
            }
            OutageOf::Domain(name) => {
                out.byte(OF_DOMAIN);
                out.text(name);
            }
        }
        out.byte(self.channel as u8);
        out.time(self.onset);
        out.time(self.detected);
        out.option(self.recovered, Writer::time);
        out.byte(self.cause as u8);
        out.option(self.layer, |out, layer| out.byte(layer as u8));
        out.number(self.attempts_failed);
        out.flag(self.open);
        out.list(self.signs.iter(), write_sign);
    }

    fn read(key: &mut Reader<'_>, body: &mut Reader<'_>, version: u8) -> Result<Self, Malformed> {
        Ok(Outage {
            id: OutageId(u64::from_be_bytes(key.array()?)),
            of: match body.byte()? {
                OF_GATEWAY => OutageOf::Gateway(body.text()?),
                OF_CHANNEL => OutageOf::Channel(body.one_of(&Channel::ALL)?),
                OF_UPLINK => OutageOf::Uplink(body.text()?),
                OF_SLICE => OutageOf::Slice { gateway: body.text()?, region: body.text()? },
                OF_REGION => OutageOf::Region(body.text()?),
                OF_DOMAIN => OutageOf::Domain(body.text()?),
                _ => return Err(Malformed("what the outage is of")),
            },
            channel: body.one_of(&Channel::ALL)?,
            onset: body.time()?,
            detected: body.time()?,
            recovered: body.option(Reader::time)?,
            cause: body.one_of(Reason::ALL)?,
            layer: body.option(|body| body.one_of(&Layer::ALL))?,
            attempts_failed: body.number()?,
            // The first version kept no evidence.
            open: version >= 2 && body.flag()?,
            signs: if version < 2 { Vec::new() } else { body.list(read_sign)? },
        })
    }
}

fn write_sign(out: &mut Writer, sign: &Sign) {
    match sign {
        Sign::Probes { failed, layer, reason } => {
            out.byte(SIGN_PROBES);
            out.number(*failed);
            out.option(*layer, |out, layer| out.byte(layer as u8));
            out.byte(*reason as u8);
        }
        Sign::Attempts { failed, reason } => {
            out.byte(SIGN_ATTEMPTS);
            out.number(*failed);
            out.byte(*reason as u8);
        }
        Sign::Receipts { gateway, region, came, expected } => {
            out.byte(SIGN_RECEIPTS);
            out.text(gateway);
            out.text(region);
            out.number(*came);
            out.number(*expected);
        }
        Sign::Delivers { gateway, region } => {
            out.byte(SIGN_DELIVERS);
            out.text(gateway);
            out.text(region);
        }
        Sign::Controls { failed, of } => {
            out.byte(SIGN_CONTROLS);
            out.byte(*failed);
            out.byte(*of);
        }
        Sign::Provider => out.byte(SIGN_PROVIDER),
        Sign::Down { gateway } => {
            out.byte(SIGN_DOWN);
            out.text(gateway);
        }
    }
}

fn read_sign(body: &mut Reader<'_>) -> Result<Sign, Malformed> {
    Ok(match body.byte()? {
        SIGN_PROBES => Sign::Probes {
            failed: body.number()?,
            layer: body.option(|body| body.one_of(&Layer::ALL))?,
            reason: body.one_of(Reason::ALL)?,
        },
        SIGN_ATTEMPTS => Sign::Attempts { failed: body.number()?, reason: body.one_of(Reason::ALL)? },
        SIGN_RECEIPTS => Sign::Receipts {
            gateway: body.text()?,
            region: body.text()?,
            came: body.number()?,
            expected: body.number()?,
        },
        SIGN_DELIVERS => Sign::Delivers { gateway: body.text()?, region: body.text()? },
        SIGN_CONTROLS => Sign::Controls { failed: body.byte()?, of: body.byte()? },
        SIGN_PROVIDER => Sign::Provider,
        SIGN_DOWN => Sign::Down { gateway: body.text()? },
        _ => return Err(Malformed("a piece of evidence")),
    })
}

impl Row for OverlayRow {
    const TABLE: Table = Table::Overlay;
    const VERSION: u8 = 1;

    fn key(&self) -> Key {
        overlay_key(self.gateway.as_deref()).into()
    }

    fn write(&self, out: &mut Writer) {
        match self.overlay.kind {
            OverlayKind::Held => out.byte(HELD),
            OverlayKind::Maintenance { until } => {
                out.byte(MAINTENANCE);
                out.time(until);
            }
            OverlayKind::Drill { until, everybody } => {
                out.byte(DRILL);
                out.time(until);
                out.flag(everybody);
            }
        }
        out.text(&self.overlay.who);
        out.text(&self.overlay.reason);
        out.time(self.overlay.since);
    }

    fn read(key: &mut Reader<'_>, body: &mut Reader<'_>, _version: u8) -> Result<Self, Malformed> {
        let gateway = match key.byte()? {
            OVER_ALL => None,
            OVER_ONE => Some(key.remaining_text()?),
            _ => return Err(Malformed("what the overlay lies over")),
        };
        let kind = match body.byte()? {
            HELD => OverlayKind::Held,
            MAINTENANCE => OverlayKind::Maintenance { until: body.time()? },
            DRILL => OverlayKind::Drill { until: body.time()?, everybody: body.flag()? },
            _ => return Err(Malformed("an overlay")),
        };
        let overlay = Overlay { kind, who: body.text()?, reason: body.text()?, since: body.time()? };
        Ok(OverlayRow { gateway, overlay })
    }
}

impl Row for IdempotencyRow {
    const TABLE: Table = Table::Idempotency;
    const VERSION: u8 = 1;

    fn key(&self) -> Key {
        Key::from_slice(&self.key.key)
    }

    fn write(&self, out: &mut Writer) {
        out.raw(&self.key.body);
        out.raw(&self.message.to_bytes());
        out.number(self.deliveries);
        out.time(self.at);
    }

    fn read(key: &mut Reader<'_>, body: &mut Reader<'_>, _version: u8) -> Result<Self, Malformed> {
        Ok(IdempotencyRow {
            key: IdempotencyKey { key: key.array()?, body: body.array()? },
            message: body.message_id()?,
            deliveries: body.number()?,
            at: body.time()?,
        })
    }
}

impl Row for UnchainedRow {
    const TABLE: Table = Table::Audit;
    const VERSION: u8 = 1;

    fn key(&self) -> Key {
        let mut key = Key::from_slice(&time_key(self.audit.at));
        key.extend_from_slice(&self.number.to_be_bytes());
        key
    }

    fn write(&self, out: &mut Writer) {
        write_act(&self.audit, out);
    }

    fn read(key: &mut Reader<'_>, body: &mut Reader<'_>, _version: u8) -> Result<Self, Malformed> {
        let (at, number) = (key.time_key()?, u64::from_be_bytes(key.array()?));
        Ok(UnchainedRow { number, audit: read_act(at, body)? })
    }
}

impl Row for Link {
    const TABLE: Table = Table::Link;
    const VERSION: u8 = 1;

    fn key(&self) -> Key {
        Key::from_slice(&self.number.to_be_bytes())
    }

    fn write(&self, out: &mut Writer) {
        out.raw(&self.prev.0);
        out.raw(&self.hash.0);
        out.time(self.audit.at);
        write_act(&self.audit, out);
    }

    fn read(key: &mut Reader<'_>, body: &mut Reader<'_>, _version: u8) -> Result<Self, Malformed> {
        let (prev, hash) = (Hash(body.array()?), Hash(body.array()?));
        let audit = body.time().and_then(|at| read_act(at, body))?;
        Ok(Link { number: u64::from_be_bytes(key.array()?), prev, hash, audit })
    }
}

impl Row for Anchor {
    const TABLE: Table = Table::Anchor;
    const VERSION: u8 = 1;

    fn key(&self) -> Key {
        Key::new()
    }

    fn write(&self, out: &mut Writer) {
        out.number(self.number);
        out.raw(&self.hash.0);
        out.number(self.adopted);
    }

    fn read(_key: &mut Reader<'_>, body: &mut Reader<'_>, _version: u8) -> Result<Self, Malformed> {
        Ok(Anchor { number: body.number()?, hash: Hash(body.array()?), adopted: body.number()? })
    }
}

fn write_act(audit: &Audit, out: &mut Writer) {
    out.text(&audit.who);
    out.text(&audit.act);
    out.text(&audit.on);
    out.text(&audit.reason);
}

fn read_act(at: Timestamp, body: &mut Reader<'_>) -> Result<Audit, Malformed> {
    Ok(Audit { at, who: body.text()?, act: body.text()?, on: body.text()?, reason: body.text()? })
}
