//! Delivers what stands in the outbox, over and over.
//!
//! # None lost, none twice
//!
//! A row is taken for a while (a lease), delivered, and then marked as sent. Whoever is killed before the delivery leaves a row that is taken
//! again once the lease has ended: none is lost. Whoever is killed between the mail server's last word and our commit leaves a row that
//! looks the same, and SMTP has no way to ask: the message goes out again, byte for byte, with the same Message-ID, and the log says so. A
//! file in a folder is found again, and not written twice.

use std::time::Duration;

use tokio::time::MissedTickBehavior;

use super::Composer;
use super::delivery::{Delivery, Failure};
use crate::backoff::pause;
use crate::clock::{self, DAY};
use crate::database::{Database, DatabaseError};
use crate::store::outbox::{self, Taken};

/// How often the outbox is looked at.
const INTERVAL: Duration = Duration::from_secs(1);
/// After how many seconds a notification that cannot be delivered is given up (RFC 5321, section 4.5.4.1: four to five days).
const GIVE_UP_AFTER: i64 = 5 * DAY;

/// Delivers notifications.
pub struct Sender {
    database: Database,
    composer: Composer,
    delivery: Delivery,
    /// The pause after the first failure, in seconds.
    retry_after: i64,
    /// How long one attempt may take.
    limit: Duration,
}

impl Sender {
    /// A sender of what stands in `database`'s outbox. An attempt is given up after `limit`; the first pause is `retry_after` seconds.
    pub fn new(
        database: Database,
        composer: Composer,
        delivery: Delivery,
        retry_after_seconds: u32,
        limit: Duration,
    ) -> Self {
        Self { database, composer, delivery, retry_after: retry_after_seconds.into(), limit }
    }

    /// Delivers what waits, over and over. Ends when it is dropped.
    pub async fn keep_sending(&self) {
        let mut interval = tokio::time::interval(INTERVAL);
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            interval.tick().await;
            loop {
                match self.send_next().await {
                    Ok(true) => {}
                    Ok(false) => break,
                    Err(error) => {
                        tracing::error!(%error, "notifications wait");
                        break;
                    }
                }
            }
        }
    }

    /// Delivers the next notification. Returns whether there was one.
    async fn send_next(&self) -> Result<bool, DatabaseError> {
        let now = clock::now();
        // Twice the time that an attempt has: whoever lives has written its end by then.
        let lease = clock::from_unsigned(self.limit.as_secs().saturating_mul(2));
        let taken = outbox::take(&self.database, now, now + lease).await?;
        let Some(Taken { notification, attempts, is_in_doubt }) = taken else { return Ok(false) };
        let (identity, kind) = (notification.identity(), notification.kind.name());
        if is_in_doubt {
            tracing::warn!(identity, kind, "an earlier attempt had no end: if it arrived, this message arrives twice");
        }
        let delivered = match self.composer.compose(&notification) {
            Err(reason) => Err(Failure { reason, is_final: true }),
            Ok(message) => {
                let name = format!("{}-{kind}-{identity}.eml", notification.created_at);
                let delivery = self.delivery.deliver(message, name);
                tokio::time::timeout(self.limit, delivery)
                    .await
                    .unwrap_or_else(|_| Err(Failure { reason: "no answer in time".into(), is_final: false }))
            }
        };
        let mut transaction = self.database.transaction().await?;
        match delivered {
            Ok(()) => {
                outbox::sent(&mut transaction, &identity).await?;
                tracing::info!(identity, kind, "notification sent");
            }
            Err(Failure { reason, is_final }) => {
                let pause = pause(self.retry_after, attempts);
                let again_at = clock::now() + pause;
                let is_final = is_final || again_at > notification.created_at + GIVE_UP_AFTER;
                outbox::failed(&mut transaction, &identity, &reason, (!is_final).then_some(again_at)).await?;
                if is_final {
                    // Without the reason: mail servers name the recipient in it.
                    tracing::error!(
                        identity,
                        kind,
                        "notification not delivered: `keyside-gateway notifications list` says why"
                    );
                } else {
                    tracing::warn!(
                        identity,
                        kind,
                        pause,
                        "notification not delivered yet: `keyside-gateway notifications list` says why"
                    );
                }
            }
        }
        transaction.commit().await?;
        Ok(true)
    }
}
