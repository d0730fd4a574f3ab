//! The adapters and the core inside a real browser: `cargo xtask test browser`.
#![cfg(target_arch = "wasm32")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may stop where it fails")]

use der::Encode;
use futures_util::future::join;
use indexed_db_futures::database::Database;
use indexed_db_futures::prelude::*;
use indexed_db_futures::transaction::TransactionMode;
use keyside::browser::device_request_store::IndexedDbDeviceRequestStore;
use keyside::browser::draft::{self, Draft};
use keyside::browser::key_store::IndexedDbKeyStore;
use keyside::browser::registration_authority::HttpRegistrationAuthority;
use keyside::browser::worker_client::WebWorkers;
use keyside::ui::format::pairs;
use keyside_core::custody::{self, ahead::Ahead, prime_source::LocalSearch};
use keyside_core::domain::device::{Device, DeviceKind};
use keyside_core::domain::device_request::DeviceRequest;
use keyside_core::domain::enrollment::{Application, Enrollment, RequestState, Standing, Submission};
use keyside_core::domain::file_format::FileFormat;
use keyside_core::domain::key_size::KeySize;
use keyside_core::domain::passphrase::Passphrase;
use keyside_core::ports::{
    DeviceRequestStore, HeldDeviceRequests, KeyStore, KeyWorker, RaError, RegistrationAuthority, StoreError,
    WorkerError,
};
use keyside_core::protocol::{Answer, Generate, Generated, Job, Stage};
use keyside_pki::certification_request::CertificationRequest;
use keyside_pki::encrypted_private_key;
use keyside_pki::key_derivation::OnThisThread;
use keyside_pki::key_pair::{KeyPair, key_id};
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};
use x509_cert::name::Name;

wasm_bindgen_test_configure!(run_in_browser);

const PASSPHRASE: &str = "Correct-4-horse!";

fn job() -> Generate {
    Generate {
        key_size: KeySize::Rsa2048,
        subject: "CN=Zoë Example,O=Example,C=US".parse::<Name>().unwrap().to_der().unwrap().into(),
        email_address: "zoe@example.com".into(),
        passphrase: Passphrase::new(PASSPHRASE.into()),
    }
}

/// An enrollment whose key has this name; the store does not look inside.
fn enrollment(key_id: &str, created_at: u64) -> Enrollment {
    Enrollment {
        key_id: key_id.into(),
        created_at,
        application: Application {
            certificate_type: "participants".into(),
            certificate_type_name: "Participants & External Users".into(),
            common_name: "Zoë Example".into(),
            email_address: "zoe@example.com".into(),
            key_size: KeySize::Rsa3072,
            replaces: None,
            authorization_code: None,
            device: None,
        },
        encrypted_private_key: vec![0, 1, 254, 255].into(),
        authentication_key: Some(vec![7; 32].into()),
        certification_request: vec![48].into(),
        renewal: None,
        submission: None,
        former_transaction_ids: Vec::new(),
        certification_path: None,
        certificate: None,
        downloads: Vec::new(),
    }
}

#[wasm_bindgen_test]
async fn custody_makes_a_sealed_key_and_its_request() {
    let mut stages = Vec::new();
    let (mut ahead, mut primes) = (Ahead::default(), LocalSearch::new(rand::rng()));
    let told = |stage| stages.push(stage);
    let job = Job::Generate(job());
    let answer = custody::handle(job, &mut ahead, &mut rand::rng(), &mut primes, &OnThisThread, told).await;
    let Some(Answer::Generated(Generated { key_id: id, sealed, certification_request })) = answer else {
        panic!("{answer:?}");
    };
    stages.retain(|stage| !matches!(stage, Stage::GeneratingKeyPair(_)));
    assert_eq!(stages, [Stage::SigningRequest, Stage::EncryptingKey]);
    let request = CertificationRequest::from_der(&certification_request.0).unwrap();
    assert_eq!(request.verify(), Ok(()));
    assert_eq!(request.email_addresses().unwrap(), ["zoe@example.com"]);
    let clear = encrypted_private_key::decrypt(&sealed.encrypted_private_key.0, PASSPHRASE).unwrap();
    let key_pair = KeyPair::from_private_key_info(&clear).unwrap();
    assert_eq!(key_id(&key_pair.to_subject_public_key_info().unwrap()), id);
}

#[wasm_bindgen_test]
async fn an_enrollment_is_kept_as_it_was_and_never_overwritten() {
    let store = IndexedDbKeyStore;
    let mut kept = enrollment("kept", 1_800_000_000);
    kept.submission = Some(Submission {
        transaction_id: "000-000-000-000-000-000-000-000-011".parse().unwrap(),
        submitted_at: 1_800_000_001,
        state: RequestState::Rejected { reason: "unknown person".into() },
    });
    kept.certification_path = Some(vec![vec![48, 0].into(), vec![48, 1].into()]);
    store.insert(&kept).await.unwrap();
    assert_eq!(store.get("kept").await.unwrap(), Some(kept.clone()));
    assert_eq!(store.insert(&enrollment("kept", 1)).await, Err(StoreError::AlreadyThere));
    assert_eq!(store.get("kept").await.unwrap(), Some(kept));
    assert_eq!(store.get("another").await.unwrap(), None);
}

#[wasm_bindgen_test]
async fn enrollments_are_listed_newest_first() {
    let store = IndexedDbKeyStore;
    for (key_id, created_at) in [("oldest", 10), ("newest", 4_000_000_000), ("middle", 20)] {
        store.insert(&enrollment(key_id, created_at)).await.unwrap();
    }
    let listed = store.list().await.unwrap().enrollments;
    let place = |key_id| listed.iter().position(|enrollment| enrollment.key_id == key_id).unwrap();
    assert!(place("newest") < place("middle") && place("middle") < place("oldest"));
}

#[wasm_bindgen_test]
async fn a_record_that_cannot_be_read_hides_no_other() {
    let store = IndexedDbKeyStore;
    store.insert(&enrollment("readable", 40)).await.unwrap();
    let database = Database::open("keyside").await.unwrap();
    let transaction = database.transaction("enrollments").with_mode(TransactionMode::Readwrite).build().unwrap();
    let records = transaction.object_store("enrollments").unwrap();
    records.put("not an enrollment").with_key("damaged").without_key_type().await.unwrap();
    transaction.commit().await.unwrap();
    database.close();
    let held = store.list().await.unwrap();
    assert_eq!(held.unreadable, 1);
    assert!(held.enrollments.iter().any(|enrollment| enrollment.key_id == "readable"));
    let damaged = store.get("damaged").await;
    assert!(matches!(damaged, Err(StoreError::Unreadable(_))), "{damaged:?}");
}

/// A request for a device under this ID; the store does not look inside.
fn device_request(id: &str, created_at: u64) -> DeviceRequest {
    DeviceRequest {
        id: id.into(),
        created_at,
        certificate_type: "devices".into(),
        certificate_type_name: "Devices".into(),
        device: Device {
            kind: DeviceKind::Iccp,
            name: "iccp-1".into(),
            file_format: FileFormat::P7b,
            email_address: "ops@example.com".into(),
        },
        authorization_code: None,
        certification_request: vec![48].into(),
        submission: None,
        former_transaction_ids: Vec::new(),
        certification_path: None,
    }
}

/// Makes the database anew, as this version of the schema had it, with an enrollment in it.
async fn database_of_version(version: u32, stores: &[&str], kept: &Enrollment) {
    Database::delete_by_name("keyside").unwrap().await.unwrap();
    let stores: Vec<String> = stores.iter().map(|store| (*store).to_owned()).collect();
    let database = Database::open("keyside")
        .with_version(version)
        .with_on_upgrade_needed(move |_, database| {
            for store in &stores {
                database.create_object_store(store).build()?;
            }
            Ok(())
        })
        .await
        .unwrap();
    let transaction = database.transaction("enrollments").with_mode(TransactionMode::Readwrite).build().unwrap();
    let records = transaction.object_store("enrollments").unwrap();
    let record = js_sys::JSON::parse(&serde_json::to_string(kept).unwrap()).unwrap();
    records.add(record).with_key(kept.id()).without_key_type().await.unwrap();
    transaction.commit().await.unwrap();
    database.close();
}

#[wasm_bindgen_test]
async fn a_database_of_version_1_gets_what_was_added_and_keeps_what_it_has() {
    let kept = enrollment("older than devices", 60);
    database_of_version(1, &["enrollments", "drafts"], &kept).await;
    assert_eq!(IndexedDbKeyStore.get("older than devices").await, Ok(Some(kept)));
    let store = IndexedDbDeviceRequestStore;
    assert_eq!(store.list().await, Ok(HeldDeviceRequests::default()));
    store.insert(&device_request("new", 61)).await.unwrap();
    assert_eq!(store.get("new").await, Ok(Some(device_request("new", 61))));
    draft::save(&Draft::default()).await.unwrap();
    draft::clear().await.unwrap();
}

#[wasm_bindgen_test]
async fn a_database_of_a_newer_version_is_left_alone() {
    let kept = enrollment("from the future", 70);
    database_of_version(99, &["enrollments", "drafts", "device_requests", "more"], &kept).await;
    assert_eq!(IndexedDbKeyStore.list().await, Err(StoreError::TooNew));
    assert_eq!(IndexedDbDeviceRequestStore.list().await, Err(StoreError::TooNew));
    // The tests share the database.
    Database::delete_by_name("keyside").unwrap().await.unwrap();
}

#[wasm_bindgen_test]
async fn a_request_for_a_device_is_kept_changed_and_removed() {
    let store = IndexedDbDeviceRequestStore;
    for (id, created_at) in [("older", 80), ("newer", 81)] {
        store.insert(&device_request(id, created_at)).await.unwrap();
    }
    assert_eq!(store.insert(&device_request("older", 1)).await, Err(StoreError::AlreadyThere));
    let listed: Vec<String> = store.list().await.unwrap().requests.into_iter().map(|request| request.id).collect();
    let place = |id| listed.iter().position(|listed| listed == id).unwrap();
    assert!(place("newer") < place("older"));
    let changed =
        store.update("older", |request| request.certification_path = Some(vec![vec![48].into()])).await.unwrap();
    assert_eq!(store.get("older").await, Ok(Some(changed)));
    store.remove("older").await.unwrap();
    assert_eq!(store.get("older").await, Ok(None));
    assert!(store.get("newer").await.unwrap().is_some());
    assert_eq!(store.update("older", |_| ()).await, Err(StoreError::NotThere));
}

#[wasm_bindgen_test]
async fn two_changes_at_once_do_not_undo_each_other() {
    let store = IndexedDbKeyStore;
    store.insert(&enrollment("changed", 30)).await.unwrap();
    let submission = Submission {
        transaction_id: "000-000-000-000-000-000-000-000-011".parse().unwrap(),
        submitted_at: 31,
        state: RequestState::Issued,
    };
    let (first, second) = join(
        store.update("changed", |enrollment| enrollment.submission = Some(submission.clone())),
        store.update("changed", |enrollment| enrollment.certification_path = Some(Vec::new())),
    )
    .await;
    first.unwrap();
    second.unwrap();
    let changed = store.get("changed").await.unwrap().unwrap();
    assert_eq!(changed.submission, Some(submission));
    assert_eq!(changed.standing(), Standing::Collected);
    let missing = store.update("missing", |enrollment| enrollment.created_at = 0).await;
    assert_eq!(missing, Err(StoreError::NotThere));
}

#[wasm_bindgen_test]
async fn what_is_removed_is_gone_and_nothing_else() {
    let store = IndexedDbKeyStore;
    for key_id in ["removed", "beside it"] {
        store.insert(&enrollment(key_id, 50)).await.unwrap();
    }
    assert_eq!(store.remove("removed").await, Ok(()));
    assert_eq!(store.get("removed").await, Ok(None));
    assert_eq!(store.remove("removed").await, Ok(()));
    assert!(store.get("beside it").await.unwrap().is_some());
}

/// Has the next call of a method in JavaScript, such as `IDBDatabase.prototype.transaction`, throw an exception of this name, as WebKit
/// does once its storage process has died; `before` is what the call still does.
fn spoil_once(prototype: &str, method: &str, exception: &str, before: &str) {
    let script = format!(
        "{{ const prototype = {prototype}.prototype; const native = prototype.{method};
            prototype.{method} = function (...parameters) {{
                prototype.{method} = native; {before}
                throw new DOMException('Connection to Indexed Database server lost', '{exception}');
            }}; }}"
    );
    js_sys::eval(&script).unwrap();
}

#[wasm_bindgen_test]
async fn a_connection_that_is_lost_is_replaced_by_a_new_one() {
    let store = IndexedDbKeyStore;
    for (id, exception) in [("lost once", "UnknownError"), ("lost again", "InvalidStateError")] {
        spoil_once("IDBDatabase", "transaction", exception, "");
        assert_eq!(store.insert(&enrollment(id, 90)).await, Ok(()));
        spoil_once("IDBDatabase", "transaction", exception, "");
        assert_eq!(store.get(id).await, Ok(Some(enrollment(id, 90))));
        spoil_once("IDBDatabase", "transaction", exception, "");
        assert_eq!(store.update(id, |enrollment| enrollment.created_at = 91).await, Ok(enrollment(id, 91)));
    }
    // Another exception is final, and so is a second loss.
    spoil_once("IDBDatabase", "transaction", "SecurityError", "");
    assert!(matches!(store.get("lost once").await, Err(StoreError::Unusable(_))));
    spoil_once("IDBDatabase", "transaction", "UnknownError", "");
    spoil_once("IDBDatabase", "transaction", "UnknownError", "");
    assert!(matches!(store.get("lost once").await, Err(StoreError::Unusable(_))));
}

#[wasm_bindgen_test]
async fn a_record_whose_commit_is_not_answered_is_written_once() {
    let store = IndexedDbKeyStore;
    spoil_once("IDBTransaction", "commit", "UnknownError", "native.apply(this, parameters);");
    assert_eq!(store.insert(&enrollment("committed", 92)).await, Ok(()));
    assert_eq!(store.get("committed").await, Ok(Some(enrollment("committed", 92))));
    assert_eq!(store.insert(&enrollment("committed", 92)).await, Err(StoreError::AlreadyThere));
}

#[wasm_bindgen_test]
async fn a_database_that_does_not_open_is_an_error_not_a_wait() {
    let connection = Database::open("keyside").await.unwrap();
    // It waits for that connection to be closed, and all that opens the database waits for it.
    let deletion = Database::delete_by_name("keyside").unwrap();
    let outcome = IndexedDbKeyStore.list().await;
    assert!(matches!(&outcome, Err(StoreError::Unusable(words)) if words.contains("seconds")), "{outcome:?}");
    connection.close();
    deletion.await.unwrap();
    assert_eq!(IndexedDbKeyStore.list().await.map(|held| held.enrollments), Ok(Vec::new()));
}

#[wasm_bindgen_test]
async fn a_draft_is_kept_and_forgotten() {
    let typed = Draft {
        common_name: "Zoë".into(),
        email_address: "zoe@example.com".into(),
        company: "Example Power".into(),
        authorization_code: "000".into(),
        key_size: KeySize::Rsa4096,
    };
    draft::save(&typed).await.unwrap();
    assert_eq!(draft::load().await, Ok(Some(typed)));
    draft::clear().await.unwrap();
    assert_eq!(draft::load().await, Ok(None));
}

#[wasm_bindgen_test]
async fn a_worker_that_does_not_start_is_an_error_not_a_wait() {
    // The test server has no such script.
    let outcome = WebWorkers.generate(job(), |_| ()).await;
    assert!(matches!(outcome, Err(WorkerError::Stopped(_))), "{outcome:?}");
}

#[wasm_bindgen_test]
async fn an_answer_from_something_else_is_told_from_silence() {
    // The test server knows nothing of the API.
    let outcome = HttpRegistrationAuthority::of_this_page().configuration().await;
    assert!(matches!(outcome, Err(RaError::Unexpected(_))), "{outcome:?}");
}

#[wasm_bindgen_test]
fn fingerprints_are_shown_in_pairs() {
    assert_eq!(pairs("00ab1f"), "00:AB:1F");
}
