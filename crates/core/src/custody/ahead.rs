//! Work that custody does before the job: while the user still types, or while the page fetches what belongs to the key.

use keyside_pki::encrypted_private_key::SealingKey;
use keyside_pki::error::Error;
use keyside_pki::key_derivation::Pbkdf2;
use rand::CryptoRng;

use super::prime_source::PrimeSource;
use super::{Exporting, unusable};
use crate::domain::passphrase::Passphrase;
use crate::protocol::{self, Failure};

/// Keys that were derived and unsealed ahead. Wiped when dropped.
#[derive(Default)]
pub struct Ahead {
    sealing_key: Option<(Passphrase, SealingKey)>,
    exporting: Option<Result<Exporting, Failure>>,
}

impl Ahead {
    /// Does what can be done ahead. A failure is told when the job asks for the key.
    pub(super) async fn take(
        &mut self,
        order: protocol::Ahead,
        rng: &mut impl CryptoRng,
        primes: &mut impl PrimeSource,
        pbkdf2: &impl Pbkdf2,
    ) {
        match order.key_size {
            Some(size) => primes.begin(size),
            None => primes.forget(),
        }
        self.sealing_key = match (self.sealing_key.take(), order.passphrase) {
            (Some((derived_from, key)), Some(passphrase)) if derived_from == passphrase => Some((derived_from, key)),
            (_, Some(passphrase)) => SealingKey::derive(passphrase.expose(), rng).ok().map(|key| (passphrase, key)),
            (_, None) => None,
        };
        self.exporting = match order.export {
            Some(key) => Some(Exporting::begin(&key, pbkdf2, rng).await),
            None => None,
        };
    }

    /// The sealing key for this passphrase: that which is there, or one that is derived now. It is used once.
    pub(super) fn sealing_key(
        &mut self,
        passphrase: &Passphrase,
        rng: &mut impl CryptoRng,
    ) -> Result<SealingKey, Error> {
        match self.sealing_key.take() {
            Some((derived_from, key)) if derived_from == *passphrase => Ok(key),
            _ => SealingKey::derive(passphrase.expose(), rng),
        }
    }

    /// The unsealed key.
    pub(super) fn exporting(self) -> Result<Exporting, Failure> {
        self.exporting.unwrap_or_else(|| Err(unusable("no key was unsealed")))
    }
}
