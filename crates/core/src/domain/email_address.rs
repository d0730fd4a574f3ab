//! E-mail addresses as they may stand in an rfc822Name.

/// Why a text is not an e-mail address that a certificate can carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EmailAddressFault {
    /// There is nothing.
    #[error("there is no e-mail address")]
    Empty,
    /// An rfc822Name is an IA5String (RFC 5280, section 4.2.1.6): ASCII only.
    #[error("the e-mail address has a character outside ASCII")]
    NotAscii,
    /// It has a control character, which could forge a line in a mail or a log.
    #[error("the e-mail address has a control character")]
    Control,
    /// It does not have the form of an address (RFC 5321, section 4.1.2).
    #[error("an e-mail address has the form name@example.com")]
    Malformed,
}

/// Checks that `text` is a bare address (`name@example.com`) that an rfc822Name can carry.
pub fn check(text: &str) -> Result<(), EmailAddressFault> {
    if text.is_empty() {
        return Err(EmailAddressFault::Empty);
    }
    if !text.is_ascii() {
        return Err(EmailAddressFault::NotAscii);
    }
    if text.contains(|c: char| c.is_ascii_control()) {
        return Err(EmailAddressFault::Control);
    }
    let options = email_address::Options::default().with_required_tld().without_display_text().without_domain_literal();
    email_address::EmailAddress::parse_with_options(text, options).map(|_| ()).map_err(|_| EmailAddressFault::Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_told_from_other_texts() {
        for good in ["a@example.com", "first.last+tag@sub.example.org"] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        assert_eq!(check(""), Err(EmailAddressFault::Empty));
        assert_eq!(check("jürgen@example.com"), Err(EmailAddressFault::NotAscii));
        assert_eq!(check("\"a\tb\"@example.com"), Err(EmailAddressFault::Control));
        for bad in
            ["a", "a@", "@example.com", "a b@example.com", "a@example", "A Person <a@example.com>", "a@@example.com"]
        {
            assert_eq!(check(bad), Err(EmailAddressFault::Malformed), "{bad}");
        }
    }
}
