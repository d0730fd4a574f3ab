//! The check of the browser, before anything is typed.

/// The least free storage to begin with, in bytes: keys, requests and the page's own files take far less.
pub const LEAST_STORAGE: u64 = 20 * 1024 * 1024;

/// The properties of the browser that decide whether it can do the job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The page came over HTTPS or from this computer. Elsewhere browsers withhold what the page needs.
    pub secure_context: bool,
    /// The site has a newer release than this page, and the page's workers are gone.
    pub is_superseded: bool,
    /// A background worker starts, or else the browser's words.
    pub worker: Result<(), String>,
    /// The database keeps what is written to it, or else the browser's words.
    pub storage: Result<(), String>,
    /// The number of bytes that may still be stored, if the browser reports it.
    pub free_bytes: Option<u64>,
}

/// Something to know before registering.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// The page did not come over HTTPS.
    InsecureContext,
    /// The site has a newer release than this page.
    Superseded,
    /// No background worker starts; the browser's words.
    NoWorker(String),
    /// Nothing can be stored; the browser's words.
    NoStorage(String),
    /// There are only so many bytes left.
    LittleStorage(u64),
}

impl Finding {
    /// Returns true if registering cannot succeed.
    pub fn is_obstacle(&self) -> bool {
        matches!(self, Self::InsecureContext | Self::Superseded | Self::NoWorker(_) | Self::NoStorage(_))
    }
}

/// Lists the findings, obstacles first. The list is empty if all is well.
pub fn findings(facts: &Facts) -> Vec<Finding> {
    if !facts.secure_context {
        // The browser withholds the rest for this reason.
        return vec![Finding::InsecureContext];
    }
    let superseded = facts.is_superseded.then_some(Finding::Superseded);
    let worker = facts.worker.as_ref().err().cloned().map(Finding::NoWorker);
    let storage = facts.storage.as_ref().err().cloned().map(Finding::NoStorage);
    let little = facts.free_bytes.filter(|&free| free < LEAST_STORAGE).map(Finding::LittleStorage);
    [superseded, worker, storage, little].into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> Facts {
        Facts {
            secure_context: true,
            is_superseded: false,
            worker: Ok(()),
            storage: Ok(()),
            free_bytes: Some(LEAST_STORAGE),
        }
    }

    #[test]
    fn a_good_browser_gives_nothing_to_say() {
        assert_eq!(findings(&good()), []);
        assert_eq!(findings(&Facts { free_bytes: None, ..good() }), []);
    }

    #[test]
    fn each_shortcoming_is_named() {
        let words = || Err("blocked".to_owned());
        for (facts, finding, is_obstacle) in [
            (Facts { is_superseded: true, ..good() }, Finding::Superseded, true),
            (Facts { worker: words(), ..good() }, Finding::NoWorker("blocked".into()), true),
            (Facts { storage: words(), ..good() }, Finding::NoStorage("blocked".into()), true),
            (Facts { free_bytes: Some(7), ..good() }, Finding::LittleStorage(7), false),
        ] {
            assert_eq!(finding.is_obstacle(), is_obstacle);
            assert_eq!(findings(&facts), [finding]);
        }
    }

    #[test]
    fn an_insecure_context_explains_the_rest() {
        let facts = Facts { secure_context: false, storage: Err("undefined".into()), free_bytes: None, ..good() };
        assert_eq!(findings(&facts), [Finding::InsecureContext]);
        assert!(Finding::InsecureContext.is_obstacle());
    }

    #[test]
    fn obstacles_come_first() {
        let facts = Facts { storage: Err("full".into()), free_bytes: Some(7), ..good() };
        assert_eq!(findings(&facts), [Finding::NoStorage("full".into()), Finding::LittleStorage(7)]);
    }
}
