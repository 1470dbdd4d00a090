//! A file sealed with a key: what it holds can be read by whoever has the key, and by nobody else, and a bit that was
//! flipped, a part that is missing or in another place is found before anything of that part is used.
//!
//! ```text
//! "WASLBK01"  salt (32)  when it was made, milliseconds (8)
//! chunks: last (1) and length (31 bits) of what follows, as 4 bytes;  ChaCha20-Poly1305 of at most 64 KiB
//! ```
//! Numbers are big-endian. Each file has a key of its own: HKDF-SHA256 of the key by the salt, for this header. The nonce is
//! the chunk's number, and whether it is the last is sealed with it, so that chunks cannot change places and a file cannot
//! end early. Cites: RFC 5869, RFC 8439; the chunks are those of STREAM (Hoang, Reyhanitabar, Rogaway, Vizár, 2015).
//!
//! Limits: memory for two chunks; 2^64 chunks.

use crate::core::time::Timestamp;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, Salt};
use ring::rand::{SecureRandom, SystemRandom};
use std::fmt;
use std::io::{self, Read, Write};

/// How a sealed file begins; the last two digits are the format's version.
pub const MAGIC: &[u8; 8] = b"WASLBK01";
/// How a file with a key begins.
const KEY_PREFIX: &str = "wasl-backup-key-1:";
const SALT_BYTES: usize = 32;
const HEADER_BYTES: usize = 8 + SALT_BYTES + 8;
/// How much is sealed at once.
const CHUNK_BYTES: usize = 64 << 10;
/// Marks the last chunk in its length.
const LAST: u32 = 1 << 31;

/// A key that seals. It is never shown but in its own file.
#[derive(Clone, PartialEq, Eq)]
pub struct SealKey([u8; 32]);

/// The system has no randomness to give.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the system has no randomness to give")]
pub struct NoRandomness;

impl SealKey {
    /// Makes a new one.
    pub fn random() -> Result<SealKey, NoRandomness> {
        random().map(SealKey)
    }

    /// Returns the text of its file.
    pub fn to_text(&self) -> String {
        let digits: String = self.0.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{KEY_PREFIX}{digits}\n")
    }

    /// Reads the text of its file; `None` where it is no such file.
    pub fn from_text(text: &str) -> Option<SealKey> {
        let hash: crate::core::audit::Hash = text.trim().strip_prefix(KEY_PREFIX)?.parse().ok()?;
        Some(SealKey(hash.0))
    }

    /// Returns the key of one file.
    fn of_file(&self, header: &[u8; HEADER_BYTES]) -> io::Result<LessSafeKey> {
        let (info, failed) = ([&header[..]], || io::Error::other("a key cannot be derived"));
        let derived = Salt::new(HKDF_SHA256, &header[8..8 + SALT_BYTES]).extract(&self.0);
        let expanded = derived.expand(&info, &CHACHA20_POLY1305).map_err(|_| failed())?;
        Ok(LessSafeKey::new(UnboundKey::from(expanded)))
    }
}

impl fmt::Debug for SealKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealKey(***)")
    }
}

fn random() -> Result<[u8; 32], NoRandomness> {
    let mut bytes = [0; 32];
    SystemRandom::new().fill(&mut bytes).map_err(|_| NoRandomness)?;
    Ok(bytes)
}

fn nonce(chunk: u64) -> Nonce {
    let mut bytes = [0; 12];
    bytes[4..].copy_from_slice(&chunk.to_be_bytes());
    Nonce::assume_unique_for_key(bytes)
}

/// Seals what is written to it. Without [`Sealer::finish`] there is no last chunk, and nobody can open it.
pub struct Sealer<W: Write> {
    out: W,
    key: LessSafeKey,
    chunk: Vec<u8>,
    number: u64,
}

impl<W: Write> Sealer<W> {
    /// Begins a file that is made at this time.
    pub fn begin(mut out: W, key: &SealKey, made: Timestamp) -> io::Result<Sealer<W>> {
        let mut header = [0; HEADER_BYTES];
        header[..8].copy_from_slice(MAGIC);
        header[8..8 + SALT_BYTES].copy_from_slice(&random().map_err(io::Error::other)?);
        header[8 + SALT_BYTES..].copy_from_slice(&made.ms().to_be_bytes());
        out.write_all(&header)?;
        let key = key.of_file(&header)?;
        Ok(Sealer { out, key, chunk: Vec::with_capacity(CHUNK_BYTES + 16), number: 0 })
    }

    /// Ends the file, and returns what it was written to.
    pub fn finish(mut self) -> io::Result<W> {
        self.seal(LAST)?;
        self.out.flush()?;
        Ok(self.out)
    }

    fn seal(&mut self, last: u32) -> io::Result<()> {
        let (nonce, aad) = (nonce(self.number), Aad::from(last.to_be_bytes()));
        let sealed = self.key.seal_in_place_append_tag(nonce, aad, &mut self.chunk);
        sealed.map_err(|_| io::Error::other("a chunk cannot be sealed"))?;
        let length = u32::try_from(self.chunk.len()).map_err(io::Error::other)?;
        self.out.write_all(&(length | last).to_be_bytes())?;
        self.out.write_all(&self.chunk)?;
        self.chunk.clear();
        self.number += 1;
        Ok(())
    }
}

impl<W: Write> Write for Sealer<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // A full chunk waits for what follows it: it may be the last.
        if self.chunk.len() == CHUNK_BYTES && !bytes.is_empty() {
            self.seal(0)?;
        }
        let taken = bytes.len().min(CHUNK_BYTES - self.chunk.len());
        self.chunk.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Opens what was sealed. An error of the kind `InvalidData` says that it is not as it was, or that the key is another.
pub struct Opener<R: Read> {
    from: R,
    key: LessSafeKey,
    made: Timestamp,
    chunk: Vec<u8>,
    /// How much of the chunk was handed out.
    given: usize,
    number: u64,
    state: State,
}

/// How far a file was opened.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Chunks follow.
    Open,
    /// The last chunk was opened.
    Ended,
    /// A chunk was not as it should be: nothing after it is looked at.
    Broken,
}

impl<R: Read> Opener<R> {
    /// Reads the header.
    pub fn begin(mut from: R, key: &SealKey) -> io::Result<Opener<R>> {
        let mut header = [0; HEADER_BYTES];
        from.read_exact(&mut header).map_err(|error| cut_short(error, 0))?;
        if header[..6] != MAGIC[..6] {
            return Err(invalid("it is no backup".into()));
        }
        if header[..8] != MAGIC[..] {
            return Err(invalid("a newer program made it; restore it by that one".into()));
        }
        let mut made = [0; 8];
        made.copy_from_slice(&header[8 + SALT_BYTES..]);
        let (key, made) = (key.of_file(&header)?, Timestamp::from_ms(i64::from_be_bytes(made)));
        Ok(Opener { from, key, made, chunk: Vec::new(), given: 0, number: 0, state: State::Open })
    }

    /// Returns when it was made. Known to be true once the first chunk was opened.
    pub fn made(&self) -> Timestamp {
        self.made
    }

    /// Opens the next chunk. After an error there is none.
    fn open(&mut self) -> io::Result<()> {
        self.given = 0;
        self.chunk.clear();
        let opened = self.open_next();
        match opened {
            Ok(state) => self.state = state,
            Err(_) => {
                // What lies in it was not found to be as it was sealed.
                self.chunk.clear();
                self.state = State::Broken;
            }
        }
        opened.map(|_| ())
    }

    fn open_next(&mut self) -> io::Result<State> {
        let number = self.number;
        let mut length = [0; 4];
        self.from.read_exact(&mut length).map_err(|error| cut_short(error, number))?;
        let length = u32::from_be_bytes(length);
        let (last, length) = (length & LAST, usize::try_from(length & !LAST).unwrap_or(usize::MAX));
        if length > CHUNK_BYTES + CHACHA20_POLY1305.tag_len() {
            return Err(not_as_it_was(number));
        }
        self.chunk.resize(length, 0);
        self.from.read_exact(&mut self.chunk).map_err(|error| cut_short(error, number))?;
        let (nonce, aad) = (nonce(number), Aad::from(last.to_be_bytes()));
        let opened =
            self.key.open_in_place(nonce, aad, &mut self.chunk).map_err(|_| not_as_it_was(number))?.len();
        self.chunk.truncate(opened);
        self.number += 1;
        if last == 0 {
            return Ok(State::Open);
        }
        match self.from.read(&mut [0])? {
            0 => Ok(State::Ended),
            _ => Err(invalid("something follows its end".into())),
        }
    }
}

impl<R: Read> Read for Opener<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if into.is_empty() {
            return Ok(0);
        }
        while self.given == self.chunk.len() && self.state == State::Open {
            self.open()?;
        }
        if self.state == State::Broken {
            return Err(not_as_it_was(self.number));
        }
        let taken = into.len().min(self.chunk.len() - self.given);
        into[..taken].copy_from_slice(&self.chunk[self.given..self.given + taken]);
        self.given += taken;
        Ok(taken)
    }
}

fn invalid(why: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

fn not_as_it_was(chunk: u64) -> io::Error {
    let place = match chunk {
        0 => "it was sealed with another key, or was changed at its beginning".into(),
        _ => format!("it was changed after {} KiB", kib(chunk)),
    };
    invalid(place)
}

/// Returns how much lies before a chunk.
fn kib(chunk: u64) -> u64 {
    chunk.saturating_mul(CHUNK_BYTES as u64 >> 10)
}

fn cut_short(error: io::Error, chunk: u64) -> io::Error {
    match error.kind() {
        io::ErrorKind::UnexpectedEof if chunk == 0 => {
            invalid(format!("it was cut short within its first {} KiB", kib(1)))
        }
        io::ErrorKind::UnexpectedEof => invalid(format!("it was cut short after {} KiB", kib(chunk))),
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(seed: u8) -> SealKey {
        SealKey([seed; 32])
    }

    fn sealed(bytes: &[u8]) -> Vec<u8> {
        let mut sealer = Sealer::begin(Vec::new(), &key(1), Timestamp::from_ms(7)).unwrap();
        bytes.chunks(10_000).for_each(|part| sealer.write_all(part).unwrap());
        sealer.finish().unwrap()
    }

    fn opened(bytes: &[u8], key: &SealKey) -> io::Result<Vec<u8>> {
        let (mut opener, mut out) = (Opener::begin(bytes, key)?, Vec::new());
        opener.read_to_end(&mut out)?;
        assert_eq!(opener.made(), Timestamp::from_ms(7));
        Ok(out)
    }

    fn plain(len: usize) -> Vec<u8> {
        (0..len).map(|n| (n * 31 % 251) as u8).collect()
    }

    #[test]
    fn what_was_sealed_opens_with_its_key_alone() {
        for len in [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES, 200_001] {
            let file = sealed(&plain(len));
            assert!(opened(&file, &key(1)).unwrap() == plain(len), "{len}");
            let refused = opened(&file, &key(2)).unwrap_err();
            assert!(refused.to_string().contains("another key"), "{refused}");
        }
        let (one, two) = (sealed(b"same"), sealed(b"same"));
        assert_ne!(one, two, "no two files share a key stream");
    }

    #[test]
    fn a_flipped_bit_a_cut_an_exchange_and_an_addition_are_found() {
        let file = sealed(&plain(3 * CHUNK_BYTES + 5));
        let refused = |bytes: &[u8]| {
            let error = opened(bytes, &key(1)).expect_err("it was taken");
            assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{error}");
            let Ok(mut opener) = Opener::begin(bytes, &key(1)) else { return };
            while opener.read(&mut [0; 8_192]).is_ok() {}
            assert!(opener.read(&mut [0; 8]).is_err(), "after a refusal nothing more is handed out");
        };
        // Every byte of the header and of the first chunk's length, then some everywhere.
        for place in (0..HEADER_BYTES + 6).chain((0..file.len()).step_by(997)) {
            let mut flipped = file.clone();
            flipped[place] ^= 0x04;
            refused(&flipped);
        }
        (0..file.len()).step_by(1_499).for_each(|cut| refused(&file[..cut]));
        let chunk = 4 + CHUNK_BYTES + 16;
        let at = |number: usize| HEADER_BYTES + number * chunk;
        // Cut where a chunk ends, the last of what is left marked so.
        let mut early = file[..at(2)].to_vec();
        early[at(1)] |= 0x80;
        refused(&early);
        refused(&file[..at(2)]);
        let exchanged = [&file[..at(0)], &file[at(1)..at(2)], &file[at(0)..at(1)], &file[at(2)..]].concat();
        refused(&exchanged);
        let twice = [&file[..at(1)], &file[at(0)..]].concat();
        refused(&twice);
        refused(&[&file[..], b"x"].concat());
    }

    #[test]
    fn a_key_has_a_text_and_is_never_shown_otherwise() {
        let key = SealKey::random().unwrap();
        assert_eq!(SealKey::from_text(&key.to_text()), Some(key.clone()));
        assert_eq!(format!("{key:?}"), "SealKey(***)");
        for wrong in ["", "wasl-backup-key-1:", "wasl-backup-key-2:00", &"0".repeat(64)] {
            assert_eq!(SealKey::from_text(wrong), None);
        }
    }
}
