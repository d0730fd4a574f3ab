//! The words for errors and states: what happened, and what to do next.

pub mod inspection;

use core::fmt::Display;

use keyside_core::domain::distinguished_name::{CommonNameFault, SubjectDifference};
use keyside_core::domain::email_address::EmailAddressFault;
use keyside_core::domain::enrollment::Standing;
use keyside_core::domain::guessable_passphrase::Guess;
use keyside_core::domain::passphrase::{MAXIMUM_LENGTH, PassphrasePolicy, PassphraseRule};
use keyside_core::domain::preflight::Finding;
use keyside_core::domain::revocation::RevocationReason;
use keyside_core::domain::transaction_id::MalformedTransactionId;
use keyside_core::ports::{RaError, StoreError, WorkerError};
use keyside_core::protocol::{Searching, Stage};
use keyside_core::service::back_up::BackUpError;
use keyside_core::service::change_passphrase::ChangePassphraseError;
use keyside_core::service::collect::CollectError;
use keyside_core::service::device::{DeviceCollectError, ReadError, RequestFault};
use keyside_core::service::enroll::EnrollError;
use keyside_core::service::lost::LostError;
use keyside_core::service::renew::{NotRenewable, RenewError, UnpackError};
use keyside_core::service::restore::{Certificates, Outcome, RestoreError, Restored, UnusableBackup};

use crate::ui::format::{self, date_and_time};

/// A message: what happened, and the way out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// What happened, in a few words.
    pub title: String,
    /// Why, and what to do next.
    pub way_out: String,
    /// The words of the browser, or of a library, for a support; often none.
    pub details: String,
}

impl Message {
    /// The message as running text.
    pub fn in_one_line(&self) -> String {
        format!("{}. {}", self.title, self.way_out)
    }
}

fn message(title: &str, way_out: impl Into<String>) -> Message {
    Message { title: title.into(), way_out: way_out.into(), details: String::new() }
}

/// The same with the words of the browser, or of a library.
fn with_details(title: &str, way_out: &str, details: impl Display) -> Message {
    Message { details: details.to_string(), ..message(title, way_out) }
}

/// A passphrase rule as a list item.
pub fn rule(rule: PassphraseRule, policy: PassphrasePolicy) -> String {
    match rule {
        PassphraseRule::Length => format!("{} to {MAXIMUM_LENGTH} characters", policy.minimum_length()),
        PassphraseRule::Uppercase => "an uppercase character (A to Z)".into(),
        PassphraseRule::Lowercase => "a lowercase character (a to z)".into(),
        PassphraseRule::Digit => "a digit (0 to 9)".into(),
        PassphraseRule::Punctuation => "a punctuation character, such as - . ! $".into(),
        PassphraseRule::PrintableAscii => {
            "only plain characters: no accents, no tabs, so that every program can open the file".into()
        }
    }
}

/// The refusal of a passphrase that meets all rules and is easily guessed.
pub fn guess(guess: Guess) -> &'static str {
    match guess {
        Guess::Common => {
            "This passphrase is one of the first that an attacker tries. Choose another one, such as four words that have nothing to do with each other, with a digit and a hyphen."
        }
        Guess::NameOrAddress => {
            "This passphrase is made of the name or the e-mail address, which others know. Choose another one, such as four words that have nothing to do with each other, with a digit and a hyphen."
        }
    }
}

/// The refusal of the passphrase of a current certificate for a new key.
pub fn guess_at_present_passphrase(guess: Guess) -> String {
    let why = match guess {
        Guess::Common => "it is one of the first that an attacker tries",
        Guess::NameOrAddress => "it is made of the name or the e-mail address, which others know",
    };
    format!("For the new key this passphrase would be too weak: {why}. Tick “Give the new key another passphrase”.")
}

/// What is wrong with a Common Name.
pub fn common_name_fault(fault: CommonNameFault) -> String {
    name_fault(fault, "Common Name", "Enter the Common Name, exactly as your New User Notification e-mail gives it.")
}

/// What is wrong with a device's name, which is a Common Name, too.
pub fn device_name_fault(fault: CommonNameFault) -> String {
    name_fault(fault, "Device Name", "Enter the Device Name, as it stands in the certificate request.")
}

fn name_fault(fault: CommonNameFault, name: &str, enter_it: &str) -> String {
    match fault {
        CommonNameFault::Empty => enter_it.into(),
        CommonNameFault::TooLong(found) => {
            format!("The {name} may have at most 64 characters; this has {found}.")
        }
        CommonNameFault::Untrimmed => format!("Remove the spaces around the {name}."),
        CommonNameFault::DoubleSpace => format!("The {name} has two spaces in a row: use one."),
        CommonNameFault::Invisible => {
            format!(
                "The {name} has a character that cannot be seen, perhaps from pasting or in an emoji: type the name instead."
            )
        }
    }
}

/// What is wrong with an e-mail address.
pub fn email_address_fault(fault: EmailAddressFault) -> String {
    match fault {
        EmailAddressFault::Empty => "Enter your e-mail address.".into(),
        EmailAddressFault::NotAscii => {
            "Certificates hold e-mail addresses without accents or other special characters only.".into()
        }
        EmailAddressFault::Control => {
            "The e-mail address has a character that cannot be seen: type the address instead of pasting it.".into()
        }
        EmailAddressFault::Malformed => "Enter the e-mail address in the form name@example.com.".into(),
    }
}

/// How an enrollment stands, in a few words.
pub fn standing(standing: &Standing) -> &'static str {
    match standing {
        Standing::NotSent => "Not sent yet",
        Standing::Pending => "Waiting for approval",
        Standing::Rejected(_) => "Rejected",
        Standing::Issued => "Ready to collect",
        Standing::Collected => "Ready to download",
    }
}

/// What the worker is doing.
pub fn stage(stage: Stage) -> &'static str {
    match stage {
        Stage::GeneratingKeyPair(Searching { primes: 0, .. }) => {
            "Looking for two large prime numbers for your key pair…"
        }
        Stage::GeneratingKeyPair(_) => "One large prime number is found. Looking for the other…",
        Stage::SigningRequest => "Signing the certificate request…",
        Stage::EncryptingKey => "Encrypting the private key under your passphrase…",
    }
}

/// Why the registration authority did not help.
pub fn registration_authority(error: &RaError) -> Message {
    match error {
        RaError::Unreachable(_) => message(
            "The registration authority cannot be reached",
            "Check your network connection, then try again. Nothing that is saved in this browser is lost.",
        ),
        RaError::Problem(problem) => message(&problem.title, problem.detail.clone()),
        RaError::Unexpected(detail) => with_details(
            "The registration authority gave an answer that this page does not understand",
            "Reload the page and try again. If it happens again, tell your support what the details say.",
            detail,
        ),
    }
}

/// Why the browser's storage failed.
pub fn store(error: &StoreError) -> Message {
    match error {
        StoreError::AlreadyThere => {
            message("This key is already saved", "Open Home to see the request that it belongs to.")
        }
        StoreError::NotThere => message(
            "This request is not saved in this browser",
            "Requests are kept in the browser and on the computer in which they were made. Open this page there.",
        ),
        StoreError::Full => message(
            "The browser's storage is full",
            "Free some disk space, or remove the stored data of other sites, then try again.",
        ),
        StoreError::TooNew => message(
            "A newer version of this page has been used in this browser",
            "Reload the page. Your requests are still there.",
        ),
        StoreError::Unreadable(detail) => with_details(
            "What is saved of this request cannot be read",
            "It is damaged, or another version of this page wrote it. It is left as it is. Reload the page; if that does not help, tell your support what the details say.",
            detail,
        ),
        StoreError::Unusable(detail) => with_details(
            "This browser does not let the page store anything",
            "Allow storage for this site in the browser's settings, and if this is a private window, use another one; then reload.",
            detail,
        ),
    }
}

/// Why the worker did not do its job.
pub fn worker(error: &WorkerError) -> Message {
    match error {
        WorkerError::Failed(failure) => with_details(
            "The request cannot be worked on",
            "Nothing was lost. Tell your support what the details say.",
            failure,
        ),
        WorkerError::Stopped(detail) => with_details(
            "The background worker stopped",
            "Check your network connection, then try again; if that does not help, reload the page. What is saved in this browser is still there.",
            detail,
        ),
        WorkerError::Stale => message(
            "This page has been updated in the meantime",
            "Reload the page and try again; what is saved in this browser is still there.",
        ),
    }
}

/// Why a certificate cannot be renewed, or not now.
pub fn not_renewable(fault: &NotRenewable) -> Message {
    match fault {
        NotRenewable::Foreign => message(
            "This certificate cannot be renewed here",
            "It is of no type that this registration authority offers. Renew it where you got it, or register for a new one.",
        ),
        NotRenewable::NotOffered => {
            message("Certificates of this type are not renewed", "Register for a new one when this one ends.")
        }
        NotRenewable::TooEarly(opens_at) => message(
            "It is too early to renew this certificate",
            format!("It can be renewed from {} on. Until then it works as it is.", date_and_time(*opens_at)),
        ),
        NotRenewable::Expired(at) => message(
            "This certificate has expired",
            format!(
                "It ended on {}, and a certificate that has ended cannot vouch for a new one. Register for a new one.",
                date_and_time(*at)
            ),
        ),
    }
}

/// Why no certificate came out of a file.
pub fn unpack(error: &UnpackError) -> Message {
    match error {
        UnpackError::WrongPassphrase => message(
            "The passphrase does not open this file",
            "It is the one that was given to the file when it was made. Try again as often as you like; upper and lower case and spaces matter.",
        ),
        UnpackError::KeyLocked => message(
            "The file opens, but its key has a passphrase of its own",
            "Enter it in the second field, which is there now, and open the file again.",
        ),
        UnpackError::Unusable(reason) => with_details(
            "There is no certificate to renew in this file",
            "Pick the .p12 or .pfx file that holds your certificate and its key.",
            reason,
        ),
        UnpackError::Worker(error) => worker(error),
    }
}

/// Why no renewal was made.
pub fn renew(error: &RenewError) -> Message {
    match error {
        RenewError::WrongPassphrase => message(
            "The passphrase is wrong",
            "It does not open the key of the current certificate. Nothing was sent. Try again as often as you like; upper and lower case and spaces matter. If it is forgotten, register for a new certificate.",
        ),
        RenewError::PassphraseNotPortable => message(
            "The new key needs another passphrase",
            "The present one is too long, or has characters that not every program can work with. Tick “Give the new key another passphrase” and choose one.",
        ),
        RenewError::KeyMismatch => message(
            "The key does not belong to the certificate",
            "This certificate cannot vouch for a new one. Register for a new certificate.",
        ),
        RenewError::Enroll(error) => enroll(error),
    }
}

/// Why nothing was asked for a lost certificate.
pub fn lost(error: &LostError) -> Message {
    match error {
        LostError::MalformedTransactionId(fault) => malformed_transaction_id(*fault),
        LostError::UnknownTransactionId => unknown_transaction_id(),
        LostError::NotIssued => message(
            "There is no certificate to revoke",
            "None was issued for this request, so nobody can misuse it. Tell your User Access Administrator, who can have the request rejected.",
        ),
        LostError::RegistrationAuthority(error) => registration_authority(error),
    }
}

/// A reason for a revocation, as a user would give it.
pub fn revocation_reason(reason: RevocationReason) -> &'static str {
    match reason {
        RevocationReason::KeyCompromise => "Somebody else has my key, or may have it",
        RevocationReason::AffiliationChanged => "My name or my company has changed",
        RevocationReason::Superseded => "I have another certificate in its place",
        RevocationReason::CessationOfOperation => "I do not need it any more",
        RevocationReason::PrivilegeWithdrawn => "The permission to use it was withdrawn",
        RevocationReason::Unspecified => "Another reason",
    }
}

fn malformed_transaction_id(fault: MalformedTransactionId) -> Message {
    message(
        "This is not a transaction ID",
        format!("{}. Compare it with the one that you noted.", transaction_id_fault(fault)),
    )
}

fn unknown_transaction_id() -> Message {
    message(
        "No request has this transaction ID",
        "The registration authority does not know it. Compare it with the one that you noted.",
    )
}

/// Why an enrollment did not get to its end.
pub fn enroll(error: &EnrollError) -> Message {
    match error {
        EnrollError::Worker(error) => worker(error),
        EnrollError::Store(error) => store(error),
        EnrollError::RegistrationAuthority(error) => registration_authority(error),
    }
}

/// Something to know of this browser before registering.
pub fn finding(finding: &Finding) -> Message {
    match finding {
        Finding::InsecureContext => message(
            "This page did not come over a secure connection",
            "Browsers then withhold what is needed to make a key. Open its address with https:// in front, or ask your support for it.",
        ),
        Finding::Superseded => worker(&WorkerError::Stale),
        Finding::NoWorker(detail) => with_details(
            "This browser does not start the background worker that makes the key",
            "Reload the page. If that does not help, use a current version of Chrome, Edge, Firefox or Safari, or allow scripts and WebAssembly for this site.",
            detail,
        ),
        Finding::NoStorage(detail) => with_details(
            "This browser does not let the page store anything",
            "Your key would be lost. Allow storage for this site in the browser's settings, and if this is a private window, use another one; then reload.",
            detail,
        ),
        Finding::LittleStorage(free) => message(
            "This browser has little storage left",
            format!("It offers {} more. Free some disk space before you register.", format::megabytes(*free)),
        ),
    }
}

/// Why the passphrase was not changed.
pub fn change_passphrase(error: &ChangePassphraseError) -> Message {
    match error {
        ChangePassphraseError::WrongPassphrase => message(
            "The present passphrase is wrong",
            "It does not open your key, and nothing was changed. Try again as often as you like; upper and lower case and spaces matter.",
        ),
        ChangePassphraseError::ChangedElsewhere => message(
            "The passphrase was changed elsewhere in the meantime",
            "Nothing was changed here. Reload the page: the passphrase of the other tab is in force.",
        ),
        ChangePassphraseError::Worker(error) => worker(error),
        ChangePassphraseError::Store(error) => store(error),
    }
}

/// Why there is no backup.
pub fn back_up(error: &BackUpError) -> Message {
    match error {
        BackUpError::Store(error) => store(error),
        BackUpError::CannotBeWritten(detail) => {
            with_details("The backup cannot be written", "Tell your support what the details say.", detail)
        }
        BackUpError::Worker(error) => worker(error),
        BackUpError::Damaged(detail) => message(
            "What is saved here is damaged, so a backup of it could not be restored",
            format!("Tell your support that {detail}."),
        ),
    }
}

/// Why a file is no backup to restore.
pub fn backup(error: &UnusableBackup) -> Message {
    match error {
        UnusableBackup::NotABackup => message(
            "This file is not a backup",
            "Pick the text file that “Save a backup” gave you; its name ends in “backup.txt”.",
        ),
        UnusableBackup::Several => message(
            "There is more than one backup in this file",
            "Put each into a file of its own, from its line “KEYSIDE BACKUP” to its line “SHA-256”.",
        ),
        UnusableBackup::TooNew => message(
            "This backup was made by a newer version of this page",
            "Reload the page, so that it is the newest, and try again.",
        ),
        UnusableBackup::Damaged(damage) => message(
            "This backup is damaged",
            format!("Nothing was restored. Try another copy of the file; this one cannot be used: {damage}."),
        ),
        UnusableBackup::Worker(error) => worker(error),
    }
}

/// Why nothing was restored.
pub fn restore(error: &RestoreError) -> Message {
    match error {
        RestoreError::WrongPassphrase => message(
            "The passphrase is wrong",
            "It does not open the backup's key, and nothing was restored. It is the passphrase that the key had when the backup was saved. Try again as often as you like; upper and lower case and spaces matter.",
        ),
        RestoreError::KeyMismatch => message(
            "The backup's key is not the one of its request",
            "Nothing was restored. Try another copy of the file.",
        ),
        RestoreError::Damaged(damage) => backup(&UnusableBackup::Damaged(damage.clone())),
        RestoreError::Worker(error) => worker(error),
        RestoreError::Store(error) => store(error),
    }
}

/// What a restore did.
pub fn restored(restored: &Restored) -> Message {
    let certificates = match restored.certificates {
        Certificates::LeftOut => {
            " The certificate in the backup was left out: it does not lead to this site's certification authority, or is damaged. Collect it again."
        }
        Certificates::Good | Certificates::NotCompared(_) => "",
    };
    let (title, way_out) = match restored.outcome {
        Outcome::Inserted => ("Restored", "The request and its key are in this browser now."),
        Outcome::AlreadyThere => ("Already here", "All that the backup holds is in this browser; nothing was changed."),
        Outcome::Completed => ("Completed", "What was missing here was added from the backup."),
        Outcome::KeptSealedOtherwise => (
            "This browser has the same key under another passphrase, or encrypted at another time",
            "The key here was kept, and opens with the passphrase that it has here.",
        ),
        Outcome::Replaced => ("Replaced", "The key here opens with the backup's passphrase now."),
    };
    message(title, format!("{way_out}{certificates}"))
}

/// Why there is no file of key and certificate (yet).
pub fn collect(error: &CollectError) -> Message {
    match error {
        CollectError::MalformedTransactionId(fault) => malformed_transaction_id(*fault),
        CollectError::UnknownTransactionId => unknown_transaction_id(),
        CollectError::KeyNotHere => message(
            "The key of this request is not on this computer",
            "The request exists, but its private key is kept in the browser in which you registered. Open this page in that browser, on that computer, and collect there.",
        ),
        CollectError::ForDevice(name) => message(
            "This is the request of a device",
            format!(
                "The key of {name} is on the device, so no passphrase is needed for its certificate. Collect it on Devices."
            ),
        ),
        CollectError::KeyNotHereUnconfirmed(_) => message(
            "No key in this browser belongs to this transaction ID",
            "The registration authority cannot be reached, so it is not known whether the ID is mistyped or the key is on another computer. Compare the ID with the one that you noted, check your connection, then try again.",
        ),
        CollectError::Pending => message(
            "The request is waiting for approval",
            "Nothing is wrong. Come back later: the transaction ID and the key stay in this browser.",
        ),
        CollectError::Rejected { reason } => message(
            "The request was rejected",
            format!("The reason given: {reason}. Ask your User Access Administrator, then register again."),
        ),
        CollectError::WrongPassphrase => message(
            "The passphrase is wrong",
            "It does not open the private key. Try again as often as you like; upper and lower case and spaces matter. Nobody can recover a forgotten passphrase: then you need a new certificate.",
        ),
        CollectError::KeyMismatch => message(
            "The certificate does not belong to your key",
            "The certificate that was issued is for another public key, so no file was made. Tell your User Access Administrator, and quote the transaction ID.",
        ),
        CollectError::NoTrustAnchor => message(
            "The certificate does not lead to the expected certification authority",
            "Its chain does not end at a root that this site names, so no file was made. Do not use the certificate; tell your User Access Administrator, and quote the transaction ID.",
        ),
        CollectError::NotPacked(why) => message(
            "No file was made of this certificate",
            format!("{why}. Tell your User Access Administrator, and quote the transaction ID."),
        ),
        CollectError::NotYetValid(from) => message(
            "The certificate is not valid yet",
            format!(
                "It becomes valid on {}. If that is in the past, this computer's clock is wrong: set it and try again.",
                date_and_time(*from)
            ),
        ),
        CollectError::Expired(at) => message(
            "The certificate has expired",
            format!(
                "It was valid until {}. Register for a new certificate. If that is in the future, this computer's clock is wrong: set it and try again.",
                date_and_time(*at)
            ),
        ),
        CollectError::Unreachable(_) => message(
            "The registration authority cannot be reached",
            "The certificate has not been fetched yet, so a connection is needed. Check it and try again; your key and your request are safe in this browser.",
        ),
        CollectError::RegistrationAuthority(error) => registration_authority(error),
        CollectError::Worker(error) => worker(error),
        CollectError::Store(error) => store(error),
    }
}

/// Why there is no certificate of a device (yet).
pub fn device_collect(error: &DeviceCollectError) -> Message {
    match error {
        DeviceCollectError::NotADevice => message(
            "This is not the request of a device",
            "Its certificate is of use only together with its key. Use Collect, in the browser in which the request was made.",
        ),
        DeviceCollectError::Collect(CollectError::Pending) => message(
            "The request is waiting for approval",
            "Nothing is wrong. Come back later with the transaction ID, from any computer.",
        ),
        DeviceCollectError::Collect(CollectError::Rejected { reason }) => message(
            "The request was rejected",
            format!(
                "The reason given: {reason}. Ask your User Access Administrator, then make a new request on the device."
            ),
        ),
        DeviceCollectError::Collect(CollectError::KeyMismatch) => message(
            "The certificate does not belong to this device",
            "The certificate that was issued is for another key or another name, so no file was made. Tell your User Access Administrator, and quote the transaction ID.",
        ),
        DeviceCollectError::Collect(CollectError::Expired(at)) => message(
            "The certificate has expired",
            format!(
                "It was valid until {}. Make a new request on the device. If that is in the future, this computer's clock is wrong: set it and try again.",
                date_and_time(*at)
            ),
        ),
        DeviceCollectError::Collect(CollectError::Unreachable(_)) => message(
            "The registration authority cannot be reached",
            "The certificate has not been fetched yet, so a connection is needed. Check it and try again.",
        ),
        DeviceCollectError::Collect(error) => collect(error),
    }
}

/// Why a file or a text is not a certificate request.
pub fn request_read_error(error: &ReadError) -> String {
    match error {
        ReadError::Empty => "Paste the certificate request here, or choose its file.".into(),
        ReadError::TooLarge => {
            "This is too large to be a certificate request. Choose the file that the device made, which takes about a kilobyte.".into()
        }
        ReadError::PrivateKey => {
            "This has a private key. It must not leave the device: nothing was sent. Remove it from here, and send the certificate request alone.".into()
        }
        ReadError::OtherPem(label) if label.contains("CERTIFICATE") => {
            "This is a certificate, not a certificate request. Choose the file that begins with “BEGIN CERTIFICATE REQUEST”.".into()
        }
        ReadError::OtherPem(label) => {
            format!("This is not a certificate request but “{label}”. Choose the file that begins with “BEGIN CERTIFICATE REQUEST”.")
        }
        ReadError::Several(found) => {
            format!("There are {found} certificate requests here. Send one at a time: each device has its own.")
        }
        ReadError::Malformed(_) => {
            "This is not a certificate request, or it is damaged. Copy all of it, from “BEGIN” to “END”, or choose its file.".into()
        }
    }
}

/// Why the registration authority would not take a certificate request.
pub fn request_fault(fault: &RequestFault) -> String {
    match fault {
        RequestFault::Signature => {
            "The signature of the certificate request is wrong: it was changed or damaged on its way. Make it anew on the device.".into()
        }
        RequestFault::SignatureAlgorithm(oid) => {
            format!("The certificate request is signed in a way that is not accepted ({oid}). Sign it with RSA and SHA-256.")
        }
        RequestFault::KeyAlgorithm(oid) => {
            format!("The key is not an RSA key ({oid}). Make an RSA key on the device.")
        }
        RequestFault::KeySize { bits, offered } => {
            let offered: Vec<String> = offered.iter().map(ToString::to_string).collect();
            format!("The key has {bits} bits. Make one with {} bits.", offered.join(" or "))
        }
        RequestFault::PublicExponent => "The key has an unusual public exponent. Make one with 65537.".into(),
        RequestFault::Subject(differences) => {
            let differences: Vec<String> = differences.iter().map(subject_difference).collect();
            format!(
                "The subject is not the one that is expected: {}. Change the Device Name, or make the certificate request anew.",
                differences.join("; ")
            )
        }
        RequestFault::Names(fault) => {
            format!("In the subject alternative names {fault}. They may have the host names and IP addresses of this one device.")
        }
        RequestFault::Unreadable(detail) => format!("A part of the certificate request cannot be read. Make a new one on the device. (For your support: {detail}.)"),
    }
}

fn subject_difference(difference: &SubjectDifference) -> String {
    match difference {
        SubjectDifference::Other { wanted, found } => format!("“{found}” instead of “{wanted}”"),
        SubjectDifference::Missing(wanted) => format!("“{wanted}” is missing"),
        SubjectDifference::Foreign(found) => format!("“{found}” should not be there"),
        SubjectDifference::Order => "its parts stand in another order".into(),
    }
}

/// The fault of an authorization code, which has the symbols of a transaction ID.
pub fn authorization_code_fault(fault: MalformedTransactionId) -> String {
    match fault {
        MalformedTransactionId::Length(found) => {
            format!("An authorization code has 27 letters and digits; this has {found}.")
        }
        MalformedTransactionId::Character(found) => {
            format!("The character “{found}” is in no authorization code.")
        }
        MalformedTransactionId::Check => "A letter or digit of the authorization code is mistyped.".into(),
    }
}

/// What is wrong with a transaction ID.
fn transaction_id_fault(fault: MalformedTransactionId) -> String {
    match fault {
        MalformedTransactionId::Length(0) => "Enter the transaction ID".into(),
        MalformedTransactionId::Length(found) => {
            format!("A transaction ID has 27 letters and digits; this has {found}")
        }
        MalformedTransactionId::Character(found) => {
            format!("The character “{found}” is in no transaction ID")
        }
        MalformedTransactionId::Check => "A letter or digit of it is mistyped".into(),
    }
}
