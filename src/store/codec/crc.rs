//! CRC-32 as zip and Ethernet use it, against torn and flipped bytes. Cites: ITU-T V.42, 8.1.1.6.2.

/// Returns the checksum of `bytes`.
pub(crate) fn crc32(bytes: &[u8]) -> u32 {
    crc32fast::hash(bytes)
}

/// Returns the checksum of parts laid end to end.
pub(crate) fn crc32_of(parts: &[&[u8]]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    parts.iter().for_each(|part| hasher.update(part));
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_standard_check_value_comes_out() {
        assert_eq!(super::crc32(b"123456789"), 0xCBF4_3926);
        assert_eq!(super::crc32_of(&[b"1234", b"", b"56789"]), 0xCBF4_3926);
    }
}
