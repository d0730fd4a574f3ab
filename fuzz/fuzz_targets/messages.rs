//! Messages as JSON: the jobs of the inspector and of the worker for certificates are done, whatever is in them; the other messages are read.
//! Also the texts that a person or another program writes: transaction IDs, addresses and passphrases.
//!
//! Under `cfg(fuzzing)` the budget for derivations is small, so that no input takes long.
#![no_main]

use keyside_core::api::NewRequest;
use keyside_core::custody::foreign_files;
use keyside_core::domain::email_address;
use keyside_core::domain::passphrase::PassphrasePolicy;
use keyside_core::domain::transaction_id::TransactionId;
use keyside_core::domain::user_agent::{Keystore, takes_aes};
use keyside_core::protocol::{Answer, CertificateJob, FileAnswer, FileJob, Job};
use keyside_core::{backup, certificates};
use rand::SeedableRng;
use rand::rngs::StdRng;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(job) = serde_json::from_slice::<FileJob>(bytes) {
        let answer = foreign_files::handle(job, &mut StdRng::seed_from_u64(1));
        assert!(serde_json::to_string(&answer).is_ok());
    }
    if let Ok(job) = serde_json::from_slice::<CertificateJob>(bytes) {
        assert!(serde_json::to_string(&certificates::handle(job)).is_ok());
    }
    let _ = serde_json::from_slice::<Job>(bytes);
    let _ = (serde_json::from_slice::<Answer>(bytes), serde_json::from_slice::<FileAnswer>(bytes));
    let _ = serde_json::from_slice::<NewRequest>(bytes);
    let Ok(text) = core::str::from_utf8(bytes) else { return };
    if let Ok(id) = text.parse::<TransactionId>() {
        assert_eq!(id.to_string().parse(), Ok(id));
    }
    let _ = (email_address::check(text), PassphrasePolicy::default().unmet(text), backup::decode(text).is_ok());
    let _ = (takes_aes(text), Keystore::of(text).is_some());
});
