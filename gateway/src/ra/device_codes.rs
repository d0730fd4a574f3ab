//! The one-time codes with which devices enroll (EST, RFC 7030).

use keyside_core::domain::device::{Device, DeviceKind};
use keyside_core::domain::distinguished_name::{self, CommonNameFault};
use keyside_core::domain::email_address::{self, EmailAddressFault};
use keyside_core::domain::file_format::FileFormat;
use zeroize::Zeroizing;

use super::one_time_code;
use super::settings::CertificateType;
use crate::clock::{self, DAY};
use crate::database::{Database, DatabaseError};
use crate::store::audit::{self, NewEntry};
use crate::store::audit_actions::{Action, Actor};
use crate::store::est_codes::{self, Code};

/// What a device without a certificate shows: its name as the user, and its code as the password (RFC 7030, section 3.2.3).
pub struct Credentials {
    /// The device's name, its Common Name.
    pub user: String,
    code: Zeroizing<String>,
}

impl Credentials {
    /// Those of this user, with this code.
    pub fn new(user: String, code: Zeroizing<String>) -> Self {
        Self { user, code }
    }

    /// The part of the code that the database knows.
    pub fn code_sha256(&self) -> Vec<u8> {
        one_time_code::hash(&self.code)
    }
}

/// The device that a code is for; `None` where the code is of a later version, and for something unknown.
pub fn device_of(code: &Code) -> Option<Device> {
    Some(Device {
        kind: code.device_kind.parse().ok()?,
        name: code.common_name.clone(),
        file_format: code.device_file_format.parse().ok()?,
        email_address: code.email_address.clone(),
    })
}

/// A device that is to enroll by itself.
#[derive(Clone, Debug)]
pub struct NewDevice {
    /// Its Common Name, and the user that it shows.
    pub common_name: String,
    /// The id of a certificate type that is for devices.
    pub certificate_type: String,
    /// Its kind.
    pub kind: DeviceKind,
    /// The e-mail address of the person to write to about it.
    pub email_address: String,
    /// The file that it takes its certificate from.
    pub file_format: FileFormat,
    /// The days in which the code can be used.
    pub days: u16,
}

/// A fault for which no code is made.
#[derive(Debug, thiserror::Error)]
pub enum DeviceCodeError {
    /// The type is not for devices.
    #[error("“{0}” is no certificate type for devices; there are: {1}")]
    Type(String, String),
    /// The Common Name is none.
    #[error("the Common Name: {0}")]
    CommonName(#[from] CommonNameFault),
    /// The address is none.
    #[error("the e-mail address: {0}")]
    EmailAddress(#[from] EmailAddressFault),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

impl From<sqlx::Error> for DeviceCodeError {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error.into())
    }
}

/// Makes a one-time code for a device. The database has its hash.
pub async fn make(
    database: &Database,
    types: &[CertificateType],
    device: NewDevice,
    actor: Actor,
) -> Result<Zeroizing<String>, DeviceCodeError> {
    let NewDevice { common_name, certificate_type, kind, email_address, file_format, days } = device;
    let for_devices = || types.iter().filter(|kind| kind.for_devices);
    if !for_devices().any(|kind| kind.id == certificate_type) {
        let ids: Vec<_> = for_devices().map(|kind| kind.id.as_str()).collect();
        return Err(DeviceCodeError::Type(certificate_type, ids.join(", ")));
    }
    distinguished_name::check_common_name(&common_name)?;
    email_address::check(&email_address)?;
    let code = one_time_code::new();
    let now = clock::now();
    let row = Code {
        code_sha256: one_time_code::hash(&code),
        common_name,
        certificate_type,
        device_kind: kind.name().into(),
        device_file_format: file_format.name().into(),
        email_address,
        created_at: now,
        valid_until: now + i64::from(days) * DAY,
        submission_sha256: None,
    };
    let mut transaction = database.transaction().await?;
    est_codes::insert(&mut transaction, &row).await?;
    let until = clock::date_and_time(row.valid_until);
    let detail = format!("{}, {}, {}, until {until}", row.device_kind, row.certificate_type, row.email_address);
    let entry = NewEntry { at: now, actor, action: Action::DeviceCodeMade, subject: row.common_name, detail };
    audit::append(&mut transaction, entry).await?;
    transaction.commit().await?;
    Ok(code)
}
