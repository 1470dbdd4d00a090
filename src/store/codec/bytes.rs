//! Reads and writes the primitives of stored values: variable-length numbers, texts, options, lists.
//!
//! Invariant: [`Reader`] never panics and never allocates more than its input is long, whatever the bytes are.

use crate::core::time::{Span, Timestamp};

/// The bytes are not what they should be; says what was expected.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Malformed(pub(crate) &'static str);

/// Appends primitives to a buffer.
#[derive(Default)]
pub(crate) struct Writer {
    bytes: Vec<u8>,
}

/// Takes primitives off the front of a slice.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

/// The most bytes of a number: 7 bits a byte.
const VARINT_BYTES_MAX: u32 = 10;

// === impl Writer ===

impl Writer {
    /// Starts with room for a small row.
    pub(crate) fn new() -> Self {
        Writer { bytes: Vec::with_capacity(64) }
    }

    /// Goes on behind what a buffer holds.
    pub(crate) fn over(bytes: Vec<u8>) -> Self {
        Writer { bytes }
    }

    /// Returns what was written.
    pub(crate) fn finish(self) -> Vec<u8> {
        self.bytes
    }

    /// Returns what was written so far.
    pub(crate) fn written(&self) -> &[u8] {
        &self.bytes
    }

    /// Writes over what was written at `at`.
    pub(crate) fn patch(&mut self, at: usize, bytes: &[u8]) {
        self.bytes[at..at + bytes.len()].copy_from_slice(bytes);
    }

    /// Appends one byte.
    pub(crate) fn byte(&mut self, byte: u8) {
        self.bytes.push(byte);
    }

    /// Appends bytes as they are; their length must be known to the reader.
    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Appends a number, 7 bits a byte, least significant first.
    pub(crate) fn number(&mut self, number: impl Into<u64>) {
        let mut rest = number.into();
        while rest >= 0x80 {
            self.byte(rest as u8 | 0x80);
            rest >>= 7;
        }
        self.byte(rest as u8);
    }

    /// Appends a number that may be negative.
    pub(crate) fn signed(&mut self, number: i64) {
        self.number(((number << 1) ^ (number >> 63)) as u64);
    }

    /// Appends a time.
    pub(crate) fn time(&mut self, at: Timestamp) {
        self.signed(at.ms());
    }

    /// Appends a length of time.
    pub(crate) fn span(&mut self, span: Span) {
        self.signed(span.ms());
    }

    /// Appends a yes or no.
    pub(crate) fn flag(&mut self, flag: bool) {
        self.byte(u8::from(flag));
    }

    /// Appends a text with its length.
    pub(crate) fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        self.raw(text.as_bytes());
    }

    /// Appends whether there is a value, then the value.
    pub(crate) fn option<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Self, T)) {
        self.flag(value.is_some());
        if let Some(value) = value {
            write(self, value);
        }
    }

    /// Appends how many there are, then each.
    pub(crate) fn list<T>(&mut self, items: impl ExactSizeIterator<Item = T>, write: impl Fn(&mut Self, T)) {
        self.number(items.len() as u64);
        items.for_each(|item| write(self, item));
    }
}

// === impl Reader ===

impl<'a> Reader<'a> {
    /// Reads from the front of `bytes`.
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Reader { rest: bytes }
    }

    /// Takes everything that is left.
    pub(crate) fn remaining(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.rest)
    }

    /// Returns how many bytes are left.
    pub(crate) fn left(&self) -> usize {
        self.rest.len()
    }

    /// Refuses anything that is left.
    pub(crate) fn end(&self) -> Result<(), Malformed> {
        if self.rest.is_empty() { Ok(()) } else { Err(Malformed("the end")) }
    }

    /// Takes `len` bytes.
    pub(crate) fn raw(&mut self, len: usize) -> Result<&'a [u8], Malformed> {
        let (head, tail) = self.rest.split_at_checked(len).ok_or(Malformed("more bytes"))?;
        self.rest = tail;
        Ok(head)
    }

    /// Takes a fixed number of bytes.
    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (head, tail) = self.rest.split_first_chunk().ok_or(Malformed("more bytes"))?;
        self.rest = tail;
        Ok(*head)
    }

    /// Takes one byte.
    pub(crate) fn byte(&mut self) -> Result<u8, Malformed> {
        self.array::<1>().map(|[byte]| byte)
    }

    /// Takes a number that fits `T`.
    pub(crate) fn number<T: TryFrom<u64>>(&mut self) -> Result<T, Malformed> {
        let mut number = 0u64;
        for place in 0..VARINT_BYTES_MAX {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7F);
            // The tenth byte has room for one bit; and one number has one form.
            if (place == 9 && bits > 1) || (place > 0 && byte == 0) {
                break;
            }
            number |= bits << (7 * place);
            if byte < 0x80 {
                return T::try_from(number).map_err(|_| Malformed("a smaller number"));
            }
        }
        Err(Malformed("a number"))
    }

    /// Takes a number that may be negative.
    pub(crate) fn signed(&mut self) -> Result<i64, Malformed> {
        let number: u64 = self.number()?;
        Ok((number >> 1) as i64 ^ -((number & 1) as i64))
    }

    /// Takes a time.
    pub(crate) fn time(&mut self) -> Result<Timestamp, Malformed> {
        self.signed().map(Timestamp::from_ms)
    }

    /// Takes a length of time.
    pub(crate) fn span(&mut self) -> Result<Span, Malformed> {
        self.signed().map(Span::from_ms)
    }

    /// Takes a yes or no.
    pub(crate) fn flag(&mut self) -> Result<bool, Malformed> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Malformed("yes or no")),
        }
    }

    /// Takes a text with its length.
    pub(crate) fn text(&mut self) -> Result<String, Malformed> {
        let len = self.number()?;
        utf8(self.raw(len)?)
    }

    /// Takes everything that is left as a text.
    pub(crate) fn remaining_text(&mut self) -> Result<String, Malformed> {
        utf8(self.remaining())
    }

    /// Takes one of a closed list by its number.
    pub(crate) fn one_of<T: Copy>(&mut self, all: &[T]) -> Result<T, Malformed> {
        all.get(usize::from(self.byte()?)).copied().ok_or(Malformed("a known word's number"))
    }

    /// Takes a value that may be absent.
    pub(crate) fn option<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, Malformed>,
    ) -> Result<Option<T>, Malformed> {
        if self.flag()? { read(self).map(Some) } else { Ok(None) }
    }

    /// Takes a list. Every item is at least one byte long, so a lying count ends with the input.
    pub(crate) fn list<T, C: FromIterator<T>>(
        &mut self,
        mut read: impl FnMut(&mut Self) -> Result<T, Malformed>,
    ) -> Result<C, Malformed> {
        let count: usize = self.number()?;
        if count > self.rest.len() {
            return Err(Malformed("a shorter list"));
        }
        (0..count).map(|_| read(self)).collect()
    }
}

fn utf8(bytes: &[u8]) -> Result<String, Malformed> {
    std::str::from_utf8(bytes).map(str::to_owned).map_err(|_| Malformed("a text"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_every_size_read_back_and_take_little_room() {
        let check = |number: u64, bytes: usize| {
            let mut out = Writer::new();
            out.number(number);
            let written = out.finish();
            assert_eq!(written.len(), bytes, "{number}");
            assert_eq!(Reader::new(&written).number(), Ok(number));
        };
        check(0, 1);
        check(127, 1);
        check(128, 2);
        check(1_790_000_000_000, 6);
        check(u64::MAX, 10);
        for number in [0, -1, 1, i64::MIN, i64::MAX, 1_790_000_000_000] {
            let mut out = Writer::new();
            out.signed(number);
            assert_eq!(Reader::new(&out.finish()).signed(), Ok(number));
        }
    }

    #[test]
    fn a_number_has_one_form_and_an_end() {
        for bytes in [&[0x80, 0x00][..], &[0xFF; 11], &[0x80], &[], &[0xFF; 10]] {
            assert!(Reader::new(bytes).number::<u64>().is_err(), "{bytes:?}");
        }
        assert!(Reader::new(&[0x80, 0x02]).number::<u8>().is_err());
    }
}
