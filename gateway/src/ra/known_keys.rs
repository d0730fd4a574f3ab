//! Keys that are known from earlier certificates. A key stands for one person or one device: no other one gets a certificate for it, and no one
//! at all once a stranger may have it.

use core::fmt;

use sqlx::any::AnyExecutor;

use crate::store::requests::{self, Request, is_same_text};

/// A person or a device that asks for a certificate.
#[derive(Clone, Copy, Debug)]
pub struct KeyHolder<'a> {
    /// The Common Name.
    pub common_name: &'a str,
    /// The e-mail address; for a device, that of the person to write to.
    pub email_address: &'a str,
    /// True for a device.
    pub is_device: bool,
}

impl<'a> KeyHolder<'a> {
    /// The one of this request.
    pub fn of(request: &'a Request) -> Self {
        let Request { common_name, email_address, .. } = request;
        Self { common_name, email_address, is_device: request.is_for_device() }
    }

    /// True if the other one is the same person or device. A device may have another person to write to by now.
    fn is(self, other: Self) -> bool {
        self.is_device == other.is_device
            && is_same_text(self.common_name, other.common_name)
            && (self.is_device || is_same_text(self.email_address, other.email_address))
    }
}

/// A fault for which a key gets no certificate, the gravest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeyFault {
    /// A certificate for it was revoked because a stranger may have it, or its holder has asked for that.
    Compromised,
    /// It is in another holder's certificate.
    OfAnother,
    /// It is in an earlier certificate of the same holder.
    Earlier,
    /// Its modulus is a prime.
    Prime,
}

impl fmt::Display for KeyFault {
    /// As a clause.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Compromised => "its key was reported as compromised",
            Self::OfAnother => "its key is in the certificate of another person or device",
            Self::Earlier => "its key is in an earlier certificate",
            Self::Prime => "the modulus of its RSA key is a prime, which protects nothing",
        })
    }
}

/// The gravest fault that is known of the key `key_id`, if this holder wants a certificate for it. The request `except` does not count.
pub async fn fault_of(
    executor: impl AnyExecutor<'_>,
    key_id: &str,
    holder: KeyHolder<'_>,
    except: Option<&Request>,
) -> Result<Option<KeyFault>, sqlx::Error> {
    let certified = requests::certified(executor, key_id).await?;
    let others =
        certified.iter().filter(|other| except.is_none_or(|except| except.transaction_id != other.transaction_id));
    let faults = others.map(|other| match holder.is(KeyHolder::of(other)) {
        _ if other.is_compromised() => KeyFault::Compromised,
        false => KeyFault::OfAnother,
        true => KeyFault::Earlier,
    });
    Ok(faults.min())
}
