//! Rows of contacts, tokens and policy versions, and of who was erased.

use super::message::{read_recipient, write_recipient};
use super::{Key, Malformed, Reader, Row, Table, Writer, time_key};
use crate::core::erasure::Erased;
use crate::core::query::{Contact, Role, TokenRecord};
use crate::store::outbox::PolicyVersion;

impl Row for Contact {
    const TABLE: Table = Table::Contact;
    const VERSION: u8 = 1;

    fn key(&self) -> Key {
        Key::from_slice(self.id.as_bytes())
    }

    fn write(&self, out: &mut Writer) {
        out.text(&self.name);
        write_recipient(out, &self.person);
        out.text(&self.consent);
        out.option(self.deputy.as_deref(), Writer::text);
    }

    fn read(key: &mut Reader<'_>, body: &mut Reader<'_>, _version: u8) -> Result<Self, Malformed> {
        Ok(Contact {
            id: key.remaining_text()?,
            name: body.text()?,
            person: read_recipient(body)?,
            consent: body.text()?,
            deputy: body.option(Reader::text)?,
        })
    }
}

impl Row for TokenRecord {
    const TABLE: Table = Table::Token;
    const VERSION: u8 = 1;

    fn key(&self) -> Key {
        Key::from_slice(self.name.as_bytes())
    }

    fn write(&self, out: &mut Writer) {
        out.byte(self.role as u8);
        out.raw(&self.hash);
        out.time(self.made_at);
    }

    fn read(key: &mut Reader<'_>, body: &mut Reader<'_>, _version: u8) -> Result<Self, Malformed> {
        Ok(TokenRecord {
            name: key.remaining_text()?,
            role: body.one_of(&Role::ALL)?,
            hash: body.array()?,
            made_at: body.time()?,
        })
    }
}

impl Row for PolicyVersion {
    const TABLE: Table = Table::Policy;
    const VERSION: u8 = 1;

    fn key(&self) -> Key {
        [&time_key(self.at)[..], self.file.as_bytes()].concat().into()
    }

    fn write(&self, out: &mut Writer) {
        out.text(&self.text);
        out.text(&self.author);
        out.text(&self.reason);
    }

    fn read(key: &mut Reader<'_>, body: &mut Reader<'_>, _version: u8) -> Result<Self, Malformed> {
        Ok(PolicyVersion {
            at: key.time_key()?,
            file: key.remaining_text()?,
            text: body.text()?,
            author: body.text()?,
            reason: body.text()?,
        })
    }
}

/// A person's key is the digest; the secret has none.
impl Row for Erased {
    const TABLE: Table = Table::Erased;
    const VERSION: u8 = 1;

    fn key(&self) -> Key {
        match self {
            Erased::Secret(_) => Key::new(),
            Erased::Person { digest, .. } => Key::from_slice(digest),
        }
    }

    fn write(&self, out: &mut Writer) {
        match self {
            Erased::Secret(secret) => out.raw(secret),
            Erased::Person { at, .. } => out.time(*at),
        }
    }

    fn read(key: &mut Reader<'_>, body: &mut Reader<'_>, _version: u8) -> Result<Self, Malformed> {
        Ok(match key.left() {
            0 => Erased::Secret(body.array()?),
            _ => Erased::Person { digest: key.array()?, at: body.time()? },
        })
    }
}
