//! Rows of messages and their frozen audiences.

use super::{Key, Malformed, Reader, Row, Table, Writer, numbered_key};
use crate::core::channel::Channel;
use crate::core::ids::MessageId;
use crate::core::message::{Message, Recipient, Severity, Status, Template, Urgency};
use crate::core::reply::Asks;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A chunk of a message's frozen audience.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct AudienceChunk {
    pub(crate) message: MessageId,
    pub(crate) chunk: u32,
    pub(crate) people: Arc<Vec<Recipient>>,
}

impl Row for Message {
    const TABLE: Table = Table::Message;
    const VERSION: u8 = 4;

    fn key(&self) -> Key {
        Key::from_slice(&self.id.to_bytes())
    }

    fn write(&self, out: &mut Writer) {
        out.text(&self.author);
        out.time(self.accepted_at);
        out.byte(self.severity as u8);
        out.byte(self.urgency as u8);
        out.byte(self.status as u8);
        out.option(self.incident.as_deref(), Writer::text);
        out.option(self.expires, Writer::time);
        write_texts(out, &self.text);
        out.option(self.template.as_ref(), |out, template| {
            out.text(&template.name);
            out.list(template.params.iter(), |out, (name, value)| {
                out.text(name);
                out.text(value);
            });
            out.option(template.language.as_deref(), Writer::text);
        });
        write_texts(out, &self.tags);
        out.number(self.recipients);
        out.list(self.audiences.iter(), |out, name| out.text(name));
        out.option(self.corrects, |out, id| out.raw(&id.to_bytes()));
        out.byte(self.asks.bits());
    }

    fn read(key: &mut Reader<'_>, body: &mut Reader<'_>, version: u8) -> Result<Self, Malformed> {
        Ok(Message {
            id: key.message_id()?,
            author: body.text()?,
            accepted_at: body.time()?,
            severity: body.one_of(Severity::ALL)?,
            urgency: body.one_of(Urgency::ALL)?,
            status: body.one_of(Status::ALL)?,
            incident: body.option(Reader::text)?,
            expires: body.option(Reader::time)?,
            text: read_texts(body)?,
            template: body.option(|body| {
                let name = body.text()?;
                let params = body.list(|body| Ok((body.text()?, body.text()?)))?;
                // Version 1 had no place for it.
                let language = if version >= 2 { body.option(Reader::text)? } else { None };
                Ok(Template { name, language, params })
            })?,
            tags: read_texts(body)?,
            recipients: body.number()?,
            audiences: body.list(Reader::text)?,
            // Versions before 3 had no corrections.
            corrects: if version >= 3 { body.option(Reader::message_id)? } else { None },
            // Versions before 4 asked for no answer.
            asks: if version >= 4 { Asks::from_bits(body.byte()?) } else { Asks::NOTHING },
        })
    }
}

impl Row for AudienceChunk {
    const TABLE: Table = Table::Audience;
    const VERSION: u8 = 1;

    fn key(&self) -> Key {
        Key::from_slice(&numbered_key(self.message, self.chunk))
    }

    fn write(&self, out: &mut Writer) {
        out.list(self.people.iter(), write_recipient);
    }

    fn read(key: &mut Reader<'_>, body: &mut Reader<'_>, _version: u8) -> Result<Self, Malformed> {
        Ok(AudienceChunk {
            message: key.message_id()?,
            chunk: key.u32_key()?,
            people: Arc::new(body.list(read_recipient)?),
        })
    }
}

/// Writes one person.
pub(super) fn write_recipient(out: &mut Writer, person: &Recipient) {
    out.option(person.contact.as_deref(), Writer::text);
    out.option(person.language.as_deref(), Writer::text);
    out.option(person.region.as_deref(), Writer::text);
    out.option(person.sector.as_deref(), Writer::text);
    out.list(person.audiences.iter(), |out, name| out.text(name));
    out.list(person.addresses.iter(), |out, (channel, address)| {
        out.byte(*channel as u8);
        out.text(address);
    });
}

/// Reads one person as version 1 wrote them.
pub(super) fn read_recipient(body: &mut Reader<'_>) -> Result<Recipient, Malformed> {
    Ok(Recipient {
        contact: body.option(Reader::text)?,
        language: body.option(Reader::text)?,
        region: body.option(Reader::text)?,
        sector: body.option(Reader::text)?,
        audiences: body.list(Reader::text)?,
        addresses: body.list(|body| Ok((body.one_of(&Channel::ALL)?, body.text()?)))?,
    })
}

fn write_texts(out: &mut Writer, texts: &BTreeMap<String, String>) {
    out.list(texts.iter(), |out, (name, text)| {
        out.text(name);
        out.text(text);
    });
}

fn read_texts(body: &mut Reader<'_>) -> Result<BTreeMap<String, String>, Malformed> {
    body.list(|body| Ok((body.text()?, body.text()?)))
}
