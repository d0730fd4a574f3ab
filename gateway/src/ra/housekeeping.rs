//! The work of each minute: CRLs, warnings of the CA's end, mails about work and renewals, retention.

use std::sync::PoisonError;
use std::time::Duration;

use tokio::time::MissedTickBehavior;

use super::RegistrationAuthority;
use super::refusal::Refusal;
use crate::clock::{self, DAY};
use crate::hexadecimal::hexadecimal;
use crate::notifications::Kind;
use crate::officers::sign_in;
use crate::store::outbox::{self, NewNotification};
use crate::store::renewals;

/// How often CRLs and renewals are looked after.
const HOUSEKEEPING_INTERVAL: Duration = Duration::from_secs(60);

/// How many holders are told of renewals in one transaction.
const RENEWALS_AT_ONCE: i64 = 100;

impl RegistrationAuthority {
    /// Keeps CRLs current, and tells holders when their certificates can be renewed, over and over. Ends when it is dropped.
    pub async fn keep_house(&self) {
        let mut interval = tokio::time::interval(HOUSEKEEPING_INTERVAL);
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            interval.tick().await;
            // A failure is in the log; the next round tries again.
            if self.ca.crl_lifetime().is_some() {
                for authority in self.ca.authorities() {
                    let _ = self.crl(authority).await;
                }
            }
            self.warn_of_ca_end();
            if self.settings.digest {
                let told = self.digests.tell(&self.database, clock::now()).await;
                let _ = told.map_err(|error| Refusal::failed(&error));
            }
            let _ = self.tell_of_renewals().await;
            let _ = self.reject_forgotten().await;
            let _ = self.purge().await;
            let _ = sign_in::end_expired(&self.database).await.map_err(|error| Refusal::failed(&error));
        }
    }

    /// Says in the log that the CA's own certificate ends: at the start, each time that it becomes more urgent, and every day in the last month.
    fn warn_of_ca_end(&self) {
        let now = clock::now();
        let Some((urgency, warning)) = self.ca_end().and_then(|end| Some((end.urgency(now), end.warning(now)?))) else {
            return;
        };
        let mut warned = self.warned.lock().unwrap_or_else(PoisonError::into_inner);
        let is_daily = urgency == 3 && warned.1 != now / DAY;
        if urgency > warned.0 || is_daily {
            *warned = (urgency, now / DAY);
            tracing::warn!("{warning} docs/ca-life.md says what to do.");
        }
    }

    /// Tells holders that their certificates can be renewed, once for each certificate.
    async fn tell_of_renewals(&self) -> Result<(), Refusal> {
        let now = clock::now();
        for kind in &self.settings.certificate_types {
            let Some(renewal) = kind.renewal else { continue };
            let opens = now + i64::from(renewal.window_days) * DAY;
            loop {
                let mut transaction = self.database.transaction().await?;
                let ids = renewals::take_to_renew(&mut transaction, &kind.id, now, opens, RENEWALS_AT_ONCE).await?;
                for id in &ids {
                    let Some(request) = renewals::find_to_renew(&mut *transaction, *id).await? else { continue };
                    let serial_number = hexadecimal(request.serial_number.as_deref().unwrap_or_default());
                    let told = vec![
                        ("not_after", clock::day(request.not_after.unwrap_or_default())),
                        ("serial_number", serial_number),
                    ];
                    let told = NewNotification::about(Kind::RenewalDue, &request, told);
                    outbox::enqueue(&mut transaction, &told).await?;
                    tracing::info!(%id, "its certificate can be renewed");
                }
                transaction.commit().await?;
                if ids.is_empty() {
                    break;
                }
            }
        }
        Ok(())
    }
}
