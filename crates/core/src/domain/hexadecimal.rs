//! Hexadecimal as people compare it.

/// `hexadecimal` in pairs, as certificate viewers show it: `AB:CD:…`.
pub fn pairs(hexadecimal: &str) -> String {
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
    }
}
