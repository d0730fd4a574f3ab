//! CRLs (RFC 5280, section 5) of either version, described.

use super::error::Error;
use super::name::Name;
use super::time;
use crate::element::{BIT_STRING, Elements, GENERALIZED_TIME, INTEGER, SEQUENCE, UTC_TIME, unexpected};

const STRUCTURE: &str = "CertificateList";

/// A CRL's own particulars.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateList {
    /// The issuer's name.
    pub issuer: Name,
    /// When it was made, in seconds since 1970-01-01T00:00:00Z.
    pub this_update: i64,
    /// When the next one comes at the latest, in seconds since 1970-01-01T00:00:00Z.
    pub next_update: Option<i64>,
    /// The number of certificates that it revokes.
    pub revoked: usize,
}

impl CertificateList {
    /// Reads DER, to the last byte. No signature is verified.
    pub fn from_der(der: &[u8]) -> Result<Self, Error> {
        Self::read(der).map_err(Error::malformed(STRUCTURE))
    }

    fn read(der: &[u8]) -> der::Result<Self> {
        let mut whole = Elements::within(SEQUENCE, der)?;
        let mut list = whole.next_sequence()?;
        whole.next(SEQUENCE)?;
        whole.next(BIT_STRING)?;
        whole.finish()?;
        // Version 1 has no version.
        list.next_if(INTEGER)?;
        list.next(SEQUENCE)?;
        let issuer = Name::from_der(list.next_whole()?)?;
        let this_update = time::read(&list.next_element()?)?;
        let next_update = match list.next_if(UTC_TIME)? {
            Some(next) => Some(next),
            None => list.next_if(GENERALIZED_TIME)?,
        };
        let next_update = next_update.map(|next| time::read(&next)).transpose()?;
        let revoked = list.next_if(SEQUENCE)?.map_or(Ok(0), |revoked| {
            let mut count = 0;
            for certificate in Elements::of(revoked.contents) {
                let certificate = certificate?;
                if certificate.tag != SEQUENCE {
                    return Err(unexpected(certificate.tag));
                }
                count += 1;
            }
            Ok(count)
        })?;
        Ok(Self { issuer, this_update, next_update, revoked })
    }
}
