//! The end of the CA's own certificates. A certificate cannot last longer than its CA's: near that end each one is cut short, and after it
//! there is none.

use std::path::Path;

use keyside_pki::certificate::Certificate;

use super::{Authority, CaEngine, CaError, embedded};
use crate::clock::{self, DAY};

/// The days before the end at which the warnings begin, and become more urgent.
const WARNING_DAYS: [i64; 3] = [365, 90, 30];

/// The end of an authority's certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CaEnd {
    /// The authority.
    pub authority: Authority,
    /// The last second of its certificate's validity, since 1970-01-01T00:00:00Z.
    pub at: i64,
}

impl CaEnd {
    /// The ends of all authorities. One whose certificate cannot be read has none.
    pub fn all(ca: &dyn CaEngine) -> Vec<Self> {
        let end = |authority| {
            let certificate = Certificate::from_der(ca.certificate(authority)).ok()?;
            Some(Self { authority, at: clock::from_unsigned(certificate.validity().1) })
        };
        ca.authorities().into_iter().filter_map(end).collect()
    }

    /// The one that comes first, of the root and the authority that issues.
    pub fn first(ca: &dyn CaEngine) -> Option<Self> {
        let needed = [Authority::Root, ca.issuing()];
        Self::all(ca).into_iter().filter(|end| needed.contains(&end.authority)).min_by_key(|end| end.at)
    }

    /// The urgency at `now`: 0 while it is far, 3 in the last month and after the end.
    pub fn urgency(self, now: i64) -> usize {
        WARNING_DAYS.iter().filter(|days| self.at < now + **days * DAY).count()
    }

    /// A warning at `now`, in one sentence; none while it is far.
    pub fn warning(self, now: i64) -> Option<String> {
        let name = match self.authority {
            Authority::Root => "root CA",
            Authority::Issuing(_) => "issuing CA",
        };
        let end = clock::date_and_time(self.at);
        match self.urgency(now) {
            0 => None,
            _ if self.at <= now => {
                Some(format!("The certificate of the {name} has ended on {end}: nothing is issued any more."))
            }
            _ => Some(format!(
                "The certificate of the {name} ends on {end}, in {} days: certificates are cut to that, and none is issued after it.",
                (self.at - now) / DAY
            )),
        }
    }
}

/// The warnings at `now` about the embedded CA in the folder `directory`.
pub fn warnings_in(directory: &Path, now: i64) -> Result<Vec<String>, CaError> {
    let root = embedded::certificate_in(directory, Authority::Root)?;
    let issuing = embedded::issuing_in(directory)?.pop();
    let ends = [(Authority::Root, Some(root)), (Authority::FIRST, issuing)].into_iter().filter_map(
        |(authority, certificate)| Some(CaEnd { authority, at: clock::from_unsigned(certificate?.validity().1) }),
    );
    Ok(ends.filter_map(|end| end.warning(now)).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop where it fails")]

    use super::*;

    #[test]
    fn the_warnings_begin_a_year_before_and_become_urgent() {
        let end = CaEnd { authority: Authority::FIRST, at: 1_800_000_000 };
        for (days, urgency) in [(366, 0), (365, 0), (364, 1), (91, 1), (89, 2), (31, 2), (29, 3), (0, 3), (-1, 3)] {
            let now = end.at - days * DAY;
            assert_eq!(end.urgency(now), urgency, "{days} days before");
            assert_eq!(end.warning(now).is_some(), urgency > 0);
        }
        assert!(
            end.warning(end.at - 40 * DAY).unwrap().contains("issuing CA ends on 2027-01-15 08:00 UTC, in 40 days")
        );
        assert!(end.warning(end.at).unwrap().contains("has ended"));
    }
}
