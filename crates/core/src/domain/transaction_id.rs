//! The transaction ID: the name of a request, which a person can copy by hand.
//!
//! 128 random bits in Crockford's base32 (26 symbols, most significant first) and Crockford's check symbol (the value
//! modulo 37), shown in nine groups of three: `2QX-7K3-…`. Input is forgiving: case, spaces and hyphens do not matter, and
//! `O`, `I` and `L` are read as `0`, `1` and `1`. A single wrong symbol, or two neighbours swapped, is always noticed.

use core::fmt;
use core::str::FromStr;

use rand::CryptoRng;
use serde::{Deserialize, Serialize};

/// Crockford's base32 alphabet: no I, L, O, U.
const ALPHABET: [char; 32] = [
    '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'J', 'K', 'M', 'N', 'P',
    'Q', 'R', 'S', 'T', 'V', 'W', 'X', 'Y', 'Z',
];
/// Symbols that carry the 128 bits.
const VALUE_SYMBOLS: usize = 26;
/// Symbols in all: the value's and the check symbol.
const SYMBOLS: usize = VALUE_SYMBOLS + 1;
/// Symbols in a group.
const GROUP: usize = 3;
/// Crockford's check symbol is the value modulo this prime.
const CHECK_MODULUS: u128 = 37;

/// The name of a request at the registration authority.
///
/// Only IDs whose check symbol is a letter or digit of the alphabet are ever made (Crockford's five further check symbols
/// are awkward in a URL), so a parsed ID whose check value is above 31 is malformed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct TransactionId(u128);

impl TransactionId {
    /// Draws a new ID from `rng`.
    pub fn random(rng: &mut impl CryptoRng) -> Self {
        loop {
            let mut bytes = [0; 16];
            rng.fill_bytes(&mut bytes);
            let value = u128::from_be_bytes(bytes);
            if check_symbol(value).is_some() {
                return Self(value);
            }
        }
    }
}

/// The check symbol of `value`, if it is one of the alphabet's.
fn check_symbol(value: u128) -> Option<char> {
    ALPHABET.get((value % CHECK_MODULUS) as usize).copied()
}

/// Why a text is not a transaction ID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MalformedTransactionId {
    /// It does not have 27 symbols; the number found.
    #[error("a transaction ID has {SYMBOLS} letters and digits; this has {0}")]
    Length(usize),
    /// It has a character that no transaction ID has.
    #[error("the character “{0}” is in no transaction ID")]
    Character(char),
    /// The check symbol does not fit: a symbol is wrong, or two are swapped.
    #[error("a letter or digit of the transaction ID is mistyped")]
    Check,
}

impl FromStr for TransactionId {
    type Err = MalformedTransactionId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let symbols = text
            .chars()
            .filter(|c| !c.is_whitespace() && !matches!(c, '-' | '‐' | '‑' | '–' | '—'))
            .map(symbol_value)
            .collect::<Result<Vec<u8>, _>>()?;
        let Some((&check, value_symbols)) =
            symbols.split_last().filter(|(_, value_symbols)| value_symbols.len() == VALUE_SYMBOLS)
        else {
            return Err(MalformedTransactionId::Length(symbols.len()));
        };
        let mut value: u128 = 0;
        for &symbol in value_symbols {
            value = value.checked_mul(32).ok_or(MalformedTransactionId::Check)? | u128::from(symbol);
        }
        if value % CHECK_MODULUS == u128::from(check) { Ok(Self(value)) } else { Err(MalformedTransactionId::Check) }
    }
}

/// The value of one symbol, forgiving case and the letters that look like digits.
fn symbol_value(character: char) -> Result<u8, MalformedTransactionId> {
    let symbol = match character.to_ascii_uppercase() {
        'O' => '0',
        'I' | 'L' => '1',
        other => other,
    };
    ALPHABET
        .iter()
        .position(|&known| known == symbol)
        .map(|position| position as u8)
        .ok_or(MalformedTransactionId::Character(character))
}

impl fmt::Display for TransactionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = (0..VALUE_SYMBOLS).rev().filter_map(|i| ALPHABET.get((self.0 >> (5 * i)) as usize & 31));
        for (i, symbol) in value.chain(check_symbol(self.0).iter()).enumerate() {
            if i > 0 && i % GROUP == 0 {
                f.write_str("-")?;
            }
            write!(f, "{symbol}")?;
        }
        Ok(())
    }
}

impl From<TransactionId> for String {
    fn from(id: TransactionId) -> Self {
        id.to_string()
    }
}

impl TryFrom<String> for TransactionId {
    type Error = MalformedTransactionId;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop where it fails")]

    use super::*;

    #[test]
    fn what_is_shown_is_read_back() {
        for _ in 0..200 {
            let id = TransactionId::random(&mut rand::rng());
            let shown = id.to_string();
            assert_eq!(shown.len(), 35);
            assert_eq!(shown.parse(), Ok(id));
            assert_eq!(shown.to_lowercase().replace('-', " ").parse(), Ok(id));
        }
    }

    #[test]
    fn lookalikes_are_forgiven() {
        let id = TransactionId(33); // …0011, check value 33 - would be above the alphabet
        assert_eq!(check_symbol(id.0), None);
        let id = TransactionId(1);
        assert_eq!(id.to_string(), "000-000-000-000-000-000-000-000-011");
        assert_eq!("ooo ooo ooo ooo ooo ooo ooo ooo oil".parse(), Ok(id));
    }

    #[test]
    fn every_single_slip_is_noticed() {
        let id = TransactionId::random(&mut rand::rng());
        let shown: Vec<char> = id.to_string().replace('-', "").chars().collect();
        for place in 0..shown.len() {
            for &other in ALPHABET.iter().filter(|&&c| c != shown[place]) {
                let mut wrong = shown.clone();
                wrong[place] = other;
                let wrong: String = wrong.into_iter().collect();
                assert!(wrong.parse::<TransactionId>().is_err(), "{wrong}");
            }
            if place > 0 && shown[place] != shown[place - 1] {
                let mut swapped = shown.clone();
                swapped.swap(place, place - 1);
                let swapped: String = swapped.into_iter().collect();
                assert!(swapped.parse::<TransactionId>().is_err(), "{swapped}");
            }
        }
    }

    #[test]
    fn faults_are_named() {
        let parse = |text: &str| text.parse::<TransactionId>().unwrap_err();
        assert_eq!(parse(""), MalformedTransactionId::Length(0));
        assert_eq!(parse("ABC"), MalformedTransactionId::Length(3));
        assert_eq!(parse("ABC-U"), MalformedTransactionId::Character('U'));
        assert_eq!(parse("é"), MalformedTransactionId::Character('é'));
        assert_eq!(parse("ZZZ-ZZZ-ZZZ-ZZZ-ZZZ-ZZZ-ZZZ-ZZZ-ZZZ"), MalformedTransactionId::Check);
        assert_eq!(parse(&"0".repeat(28)), MalformedTransactionId::Length(28));
    }
}
