//! The pickup passphrase and its rules.
//!
//! The rule of the enrollment instructions: at least 8 characters, a mix of upper- and lowercase characters, digits and
//! punctuation. Printable ASCII only, because PKCS#12 readers disagree about every other character.

use core::fmt;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// The fewest characters that any policy allows.
pub const SHORTEST_MINIMUM: u8 = 8;
/// The longest passphrase: NSS, Java and Windows all take this many characters.
pub const MAXIMUM_LENGTH: usize = 128;

/// A passphrase: wiped when dropped, and never printed.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Passphrase(Zeroizing<String>);

impl Passphrase {
    /// Takes the text over; the copy inside is wiped when dropped.
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The text, for the code that derives a key from it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether every program takes it: printable ASCII, from one character to [`MAXIMUM_LENGTH`].
    pub fn is_portable(&self) -> bool {
        is_printable_ascii(&self.0) && self.0.len() <= MAXIMUM_LENGTH
    }
}

/// Whether there is something, and all of it is printable ASCII.
fn is_printable_ascii(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| matches!(c, ' '..='~'))
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(…)")
    }
}

/// What the registration authority asks of a passphrase beyond the fixed rules.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PassphrasePolicy {
    /// The fewest characters; a smaller value than [`SHORTEST_MINIMUM`] counts as that.
    pub minimum_length: u8,
}

impl Default for PassphrasePolicy {
    fn default() -> Self {
        Self { minimum_length: SHORTEST_MINIMUM }
    }
}

/// One rule, so that each can be ticked off as it is met.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PassphraseRule {
    /// Long enough, and at most [`MAXIMUM_LENGTH`].
    Length,
    /// An uppercase character.
    Uppercase,
    /// A lowercase character.
    Lowercase,
    /// A digit.
    Digit,
    /// A punctuation character.
    Punctuation,
    /// Nothing but printable ASCII.
    PrintableAscii,
}

impl PassphraseRule {
    /// Every rule, in the order to show them in.
    pub const ALL: [Self; 6] =
        [Self::Length, Self::Uppercase, Self::Lowercase, Self::Digit, Self::Punctuation, Self::PrintableAscii];
}

impl PassphrasePolicy {
    /// The fewest characters that this policy allows.
    pub fn minimum_length(self) -> usize {
        usize::from(self.minimum_length.max(SHORTEST_MINIMUM))
    }

    /// Whether `text` meets `rule`.
    pub fn meets(self, rule: PassphraseRule, text: &str) -> bool {
        match rule {
            PassphraseRule::Length => (self.minimum_length()..=MAXIMUM_LENGTH).contains(&text.chars().count()),
            PassphraseRule::Uppercase => text.contains(|c: char| c.is_ascii_uppercase()),
            PassphraseRule::Lowercase => text.contains(|c: char| c.is_ascii_lowercase()),
            PassphraseRule::Digit => text.contains(|c: char| c.is_ascii_digit()),
            PassphraseRule::Punctuation => text.contains(|c: char| c.is_ascii_punctuation()),
            PassphraseRule::PrintableAscii => is_printable_ascii(text),
        }
    }

    /// The rules that `text` does not meet.
    pub fn unmet(self, text: &str) -> Vec<PassphraseRule> {
        PassphraseRule::ALL.into_iter().filter(|&rule| !self.meets(rule, text)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_is_told_apart() {
        let policy = PassphrasePolicy::default();
        let unmet = |text| policy.unmet(text);
        assert_eq!(unmet("Correct-4-horse"), []);
        assert_eq!(unmet("aB3$567"), [PassphraseRule::Length]);
        assert_eq!(unmet("correct-4-horse"), [PassphraseRule::Uppercase]);
        assert_eq!(unmet("CORRECT-4-HORSE"), [PassphraseRule::Lowercase]);
        assert_eq!(unmet("Correct-four-horse"), [PassphraseRule::Digit]);
        assert_eq!(unmet("Correct4horse"), [PassphraseRule::Punctuation]);
        assert_eq!(unmet("Correct-4-hörse"), [PassphraseRule::PrintableAscii]);
        assert_eq!(unmet("Correct-4-horse\t"), [PassphraseRule::PrintableAscii]);
        assert_eq!(unmet("").len(), PassphraseRule::ALL.len());
        assert_eq!(unmet(&"aB3$".repeat(33)), [PassphraseRule::Length], "132 characters");
    }

    #[test]
    fn a_policy_can_only_be_stricter() {
        let lax = PassphrasePolicy { minimum_length: 1 };
        assert!(!lax.meets(PassphraseRule::Length, "aB3$567"));
        let strict = PassphrasePolicy { minimum_length: 12 };
        assert!(!strict.meets(PassphraseRule::Length, "aB3$5678901"));
    }

    #[test]
    fn what_some_program_refuses_is_not_portable() {
        let is_portable = |text: &str| Passphrase::new(text.into()).is_portable();
        for good in ["a", " ", "Correct-4-horse", &"~".repeat(128)] {
            assert!(is_portable(good), "{good}");
        }
        for bad in ["", "Correct-4-hörse", "Correct-4-horse\t", "Correct-4-horse\0", &"~".repeat(129)] {
            assert!(!is_portable(bad), "{bad}");
        }
    }

    #[test]
    fn a_passphrase_is_not_printed() {
        let passphrase = Passphrase::new("Correct-4-horse".into());
        assert!(!format!("{passphrase:?}").contains("horse"));
    }
}
