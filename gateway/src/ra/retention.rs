//! Retention: rejects requests that no one decides about, and deletes rows that are as old as the configuration says.

use std::num::NonZeroU32;
use std::sync::atomic::Ordering;

use keyside_core::domain::transaction_id::TransactionId;

use super::RegistrationAuthority;
use super::decision::{self, DecisionError, Mail};
use super::refusal::Refusal;
use super::settings::Retention;
use crate::clock::{self, DAY};
use crate::store::audit::{self, NewEntry};
use crate::store::audit_actions::{Action, Actor};
use crate::store::requests::{self, Request};
use crate::store::retention::{self, BATCH};

/// The seconds from one look for old rows to the next.
const INTERVAL: i64 = 60 * 60;

impl RegistrationAuthority {
    /// Rejects requests that have waited for longer than the configuration says.
    pub(super) async fn reject_forgotten(&self) -> Result<(), Refusal> {
        let Some(days) = self.settings.retention.pending_days else { return Ok(()) };
        let reason =
            format!("No one has decided about it for {days} days. Register again if you still need the certificate.");
        let since = clock::now() - i64::from(days.get()) * DAY;
        for id in retention::pending_since(self.database.reader(), since).await? {
            let Ok(id) = id.parse::<TransactionId>() else { continue };
            let Some(request) = requests::find(self.database.reader(), id).await? else { continue };
            let mail = self.mail_about_forgotten(&request);
            match decision::reject_telling(&self.database, id, &reason, Actor::Policy, mail).await {
                // Decided meanwhile.
                Ok(()) | Err(DecisionError::Decided(..)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// The mail for a request that was forgotten. No officer has seen it: if no one has authorised it either, it may be a stranger's, and another
    /// person's address in it.
    fn mail_about_forgotten(&self, request: &Request) -> Mail {
        let key_id = request.key_id.as_deref().unwrap_or_default();
        if request.authorisation_id.is_some() || request.renews.is_some() {
            Mail::Full
        } else if self.mail_limits.admit(&request.email_address, key_id, None) {
            Mail::WithoutName
        } else {
            Mail::None
        }
    }

    /// Deletes rows that are as old as the configuration says, once an hour.
    pub(super) async fn purge(&self) -> Result<(), Refusal> {
        let now = clock::now();
        if now.abs_diff(self.purged_at.load(Ordering::Relaxed)) < INTERVAL.unsigned_abs() {
            return Ok(());
        }
        let Retention { rejected_days, ended_days, authorizations_days, notifications_days, .. } =
            self.settings.retention;
        let before = |days: Option<NonZeroU32>| days.map(|days| now - i64::from(days.get()) * DAY);
        let (mut rejected, mut ended, mut authorisations, mut notifications) = (0, 0, 0, 0);
        loop {
            let mut transaction = self.database.transaction().await?;
            let mut most = 0;
            if let Some(before) = before(rejected_days) {
                most = most.max(count(&mut rejected, retention::delete_rejected(&mut transaction, before).await?));
            }
            if let Some(before) = before(ended_days) {
                most = most.max(count(&mut ended, retention::delete_ended(&mut transaction, before).await?));
            }
            if let Some(before) = before(authorizations_days) {
                most = most
                    .max(count(&mut authorisations, retention::delete_authorisations(&mut transaction, before).await?));
            }
            if let Some(before) = before(notifications_days) {
                most = most
                    .max(count(&mut notifications, retention::delete_notifications(&mut transaction, before).await?));
            }
            transaction.commit().await?;
            if most < BATCH.unsigned_abs() {
                break;
            }
        }
        self.purged_at.store(now, Ordering::Relaxed);
        if rejected + ended + authorisations + notifications > 0 {
            let detail = format!(
                "{rejected} rejected requests, {ended} ended certificates, {authorisations} authorizations and codes, {notifications} notifications"
            );
            tracing::info!(detail, "deleted, as [retention] has it");
            let mut transaction = self.database.transaction().await?;
            let (actor, action) = (Actor::Policy, Action::Purged);
            audit::append(&mut transaction, NewEntry { at: now, actor, action, subject: "database".into(), detail })
                .await?;
            transaction.commit().await?;
        }
        Ok(())
    }
}

/// Adds to a sum, and returns what was added.
fn count(sum: &mut u64, more: u64) -> u64 {
    *sum += more;
    more
}
