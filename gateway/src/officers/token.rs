//! The secret of a one-time link or a session.

use std::fmt;

use base64ct::{Base64UrlUnpadded, Encoding};
use rand::Rng;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::hexadecimal::hexadecimal;

/// Random bytes in a token: 256 bits.
const TOKEN_SIZE: usize = 32;

/// 256 random bits that let somebody in. Wiped when it is dropped, and never printed by accident.
pub struct Token(Zeroizing<String>);

impl Token {
    /// Draws one.
    pub(super) fn random() -> Self {
        let mut bytes = Zeroizing::new([0; TOKEN_SIZE]);
        rand::rng().fill_bytes(&mut bytes[..]);
        Self(Zeroizing::new(Base64UrlUnpadded::encode_string(&bytes[..])))
    }

    /// A token that somebody shows. Whether it is one is seen when it is looked for.
    pub fn shown(text: &str) -> Self {
        Self(Zeroizing::new(text.to_owned()))
    }

    /// The token itself.
    pub fn secret(&self) -> &str {
        &self.0
    }

    /// What the database has of it.
    pub(super) fn sha256(&self) -> Vec<u8> {
        Sha256::digest(self.0.as_bytes()).to_vec()
    }

    /// What a form shows to prove that a page of this session has sent it. It says nothing about the token.
    pub fn for_forms(&self) -> String {
        hexadecimal(&Sha256::new_with_prefix(b"keyside console form ").chain_update(self.0.as_bytes()).finalize())
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Token")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_not_printed_and_comes_once() {
        let (one, other) = (Token::random(), Token::random());
        assert_eq!(format!("{one:?}"), "Token");
        assert_eq!(one.secret().len(), 43);
        assert_ne!(one.secret(), other.secret());
        assert_ne!(one.for_forms(), hexadecimal(&one.sha256()));
    }
}
