//! Whether a browser can do the job, told before anything is typed.

/// The least free storage to begin with, in bytes: keys, requests and the page's own files take far less.
pub const LEAST_STORAGE: u64 = 20 * 1024 * 1024;

/// What was found out about the browser.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Whether the page came over HTTPS or from this computer: elsewhere browsers withhold what the page needs.
    pub secure_context: bool,
    /// Whether a background worker starts; else the browser's words.
    pub worker: Result<(), String>,
    /// Whether the database keeps what is written to it; else the browser's words.
    pub storage: Result<(), String>,
    /// How many bytes may still be stored, where the browser tells.
    pub free_bytes: Option<u64>,
}

/// Something to know before registering.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// The page did not come over HTTPS.
    InsecureContext,
    /// No background worker starts; the browser's words.
    NoWorker(String),
    /// Nothing can be stored; the browser's words.
    NoStorage(String),
    /// There are only so many bytes left.
    LittleStorage(u64),
}

impl Finding {
    /// Whether registering cannot succeed.
    pub fn is_obstacle(&self) -> bool {
        matches!(self, Self::InsecureContext | Self::NoWorker(_) | Self::NoStorage(_))
    }
}

/// What there is to know, obstacles first. Nothing if all is well.
pub fn findings(facts: &Facts) -> Vec<Finding> {
    if !facts.secure_context {
        // The browser withholds the rest for this reason alone.
        return vec![Finding::InsecureContext];
    }
    let worker = facts.worker.as_ref().err().cloned().map(Finding::NoWorker);
    let storage = facts.storage.as_ref().err().cloned().map(Finding::NoStorage);
    let little = facts.free_bytes.filter(|&free| free < LEAST_STORAGE).map(Finding::LittleStorage);
    [worker, storage, little].into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> Facts {
        Facts { secure_context: true, worker: Ok(()), storage: Ok(()), free_bytes: Some(LEAST_STORAGE) }
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
        let facts = Facts { secure_context: false, worker: Ok(()), storage: Err("undefined".into()), free_bytes: None };
        assert_eq!(findings(&facts), [Finding::InsecureContext]);
        assert!(Finding::InsecureContext.is_obstacle());
    }

    #[test]
    fn obstacles_come_first() {
        let facts = Facts { storage: Err("full".into()), free_bytes: Some(7), ..good() };
        assert_eq!(findings(&facts), [Finding::NoStorage("full".into()), Finding::LittleStorage(7)]);
    }
}
