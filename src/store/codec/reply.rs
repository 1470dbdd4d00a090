//! Rows of what recipients say: replies, each delivery's last answer, who wants nothing more on a channel.

use super::{Key, Malformed, Reader, Row, Table, Writer, attempt_key, delivery_key, time_key};
use crate::core::channel::Channel;
use crate::core::record::AddressDigest;
use crate::core::reply::{KeptReply, LastAnswer, ReplyKey, ReplyKind, Said};
use crate::core::time::Timestamp;

// The stored numbers of what was said.
const TEXT: u8 = 0;
const BUTTON: u8 = 1;
const OTHER: u8 = 2;

/// Somebody wants nothing more on a channel.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct OptOutRow {
    pub(crate) channel: Channel,
    pub(crate) address: AddressDigest,
    pub(crate) since: Timestamp,
}

/// Returns a reply's key.
pub(crate) fn reply_key(key: ReplyKey) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&time_key(key.at));
    bytes[8..].copy_from_slice(&key.digest.to_be_bytes());
    bytes
}

/// Returns the key of an opt-out.
pub(crate) fn opt_out_key(channel: Channel, address: &AddressDigest) -> Key {
    let mut key = Key::from_slice(&[channel as u8]);
    key.extend_from_slice(address);
    key
}

impl Row for KeptReply {
    const TABLE: Table = Table::Reply;
    const VERSION: u8 = 1;

    fn key(&self) -> Key {
        Key::from_slice(&reply_key(KeptReply::key(self)))
    }

    fn write(&self, out: &mut Writer) {
        out.text(&self.gateway);
        out.byte(self.channel as u8);
        out.text(&self.from);
        match &self.said {
            Said::Text(words) => {
                out.byte(TEXT);
                out.text(words);
            }
            Said::Button(back) => {
                out.byte(BUTTON);
                out.text(back);
            }
            Said::Other => out.byte(OTHER),
        }
        out.text(&self.id);
        out.option(self.sent_at, Writer::time);
        out.byte(self.kind as u8);
        out.option(self.of, |out, attempt| out.raw(&attempt_key(attempt)));
        out.flag(self.quoted);
        out.option(self.incident.as_deref(), Writer::text);
    }

    fn read(key: &mut Reader<'_>, body: &mut Reader<'_>, _version: u8) -> Result<Self, Malformed> {
        let (at, digest) = (key.time_key()?, u64::from_be_bytes(key.array()?));
        let reply = KeptReply {
            at,
            gateway: body.text()?,
            channel: body.one_of(&Channel::ALL)?,
            from: body.text()?,
            said: match body.byte()? {
                TEXT => Said::Text(body.text()?),
                BUTTON => Said::Button(body.text()?),
                OTHER => Said::Other,
                _ => return Err(Malformed("what was said")),
            },
            id: body.text()?,
            sent_at: body.option(Reader::time)?,
            kind: body.one_of(&ReplyKind::ALL)?,
            of: body.option(Reader::attempt_id)?,
            quoted: body.flag()?,
            incident: body.option(Reader::text)?,
        };
        match KeptReply::key(&reply).digest == digest {
            true => Ok(reply),
            false => Err(Malformed("a reply under its own key")),
        }
    }
}

impl Row for LastAnswer {
    const TABLE: Table = Table::Answer;
    const VERSION: u8 = 1;

    fn key(&self) -> Key {
        Key::from_slice(&delivery_key(self.of))
    }

    fn write(&self, out: &mut Writer) {
        out.byte(self.kind as u8);
        out.time(self.at);
    }

    fn read(key: &mut Reader<'_>, body: &mut Reader<'_>, _version: u8) -> Result<Self, Malformed> {
        Ok(LastAnswer { of: key.delivery_id()?, kind: body.one_of(&ReplyKind::ALL)?, at: body.time()? })
    }
}

impl Row for OptOutRow {
    const TABLE: Table = Table::OptOut;
    const VERSION: u8 = 1;

    fn key(&self) -> Key {
        opt_out_key(self.channel, &self.address)
    }

    fn write(&self, out: &mut Writer) {
        out.time(self.since);
    }

    fn read(key: &mut Reader<'_>, body: &mut Reader<'_>, _version: u8) -> Result<Self, Malformed> {
        Ok(OptOutRow { channel: key.one_of(&Channel::ALL)?, address: key.array()?, since: body.time()? })
    }
}
