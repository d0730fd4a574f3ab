//! The Inspector: each finding is about something that was found, and what is told of a file is bounded.
//!
//! Under `cfg(fuzzing)` the budget for derivations is small, so that no input takes long.
#![no_main]

use keyside_core::domain::passphrase::Passphrase;
use keyside_core::inspection::{Surroundings, inspect};
use keyside_fuzz::vectors::{AT, INTERMEDIATES, PASSPHRASE, ROOTS};

keyside_fuzz::der_target!(|bytes: &[u8]| {
    let surroundings = Surroundings { trust_anchors: &*ROOTS, intermediates: &*INTERMEDIATES, at: AT };
    for passphrase in [None, Some(Passphrase::new(PASSPHRASE.to_owned()))] {
        let Ok(inspection) = inspect(bytes, passphrase.as_ref(), &surroundings) else { continue };
        assert!((1..=100).contains(&inspection.found.len()));
        for finding in &inspection.findings {
            assert!((0..inspection.found.len()).any(|place| finding.concerns(place)), "{finding:?}");
        }
        let json = serde_json::to_string(&inspection).expect("an inspection has a JSON");
        assert!(json.len() <= 64 * 1024 + 100 * 16 * bytes.len());
        assert_eq!(serde_json::from_str(&json).ok().as_ref(), Some(&inspection));
    }
});
