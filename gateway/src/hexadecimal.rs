//! Bytes and serial numbers in hexadecimal, as people compare them.

/// Bytes in lowercase hexadecimal.
pub fn hexadecimal(bytes: &[u8]) -> String {
    base16ct::lower::encode_string(bytes)
}

/// A serial number that is written in hexadecimal, with or without colons, as viewers of certificates show it. Gives it unsigned, most
/// significant byte first.
pub fn serial_number(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = text.trim().bytes().filter(|byte| *byte != b':').collect();
    let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    let is_hexadecimal =
        !digits.is_empty() && digits.len().is_multiple_of(2) && digits.iter().all(u8::is_ascii_hexdigit);
    is_hexadecimal.then(|| digits.chunks(2).map(pair).collect::<Option<Vec<u8>>>()).flatten()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop where it fails")]

    use super::*;

    #[test]
    fn a_serial_number_is_read_as_viewers_show_it() {
        for text in ["0a1bff", "0A:1B:FF", " 0a1bFF "] {
            assert_eq!(serial_number(text).unwrap(), [0x0a, 0x1b, 0xff], "{text}");
        }
        for text in ["", ":", "0a1", "0a1g", "+a0b", "ää"] {
            assert_eq!(serial_number(text), None, "{text}");
        }
    }
}
