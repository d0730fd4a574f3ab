//! Hexadecimal as people compare it.

/// `hexadecimal` in pairs, as certificate viewers show it: `AB:CD:…`; a minus sign before it stays there.
pub fn pairs(hexadecimal: &str) -> String {
    if let Some(digits) = hexadecimal.strip_prefix('-') {
        return format!("-{}", pairs(digits));
    }
    hexadecimal.to_ascii_uppercase().as_bytes().chunks(2).map(String::from_utf8_lossy).collect::<Vec<_>>().join(":")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_stand_in_pairs() {
        assert_eq!(pairs(""), "");
        assert_eq!(pairs("0a"), "0A");
        assert_eq!(pairs("0ab1c2"), "0A:B1:C2");
        assert_eq!(pairs("-075b"), "-07:5B");
    }
}
