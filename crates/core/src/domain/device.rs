//! Devices: machines that need a certificate, and what goes along with a request for one.

use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Serialize};

use super::file_format::FileFormat;

/// What a device is, by the part that it plays in the market.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeviceKind {
    /// A Remote Intelligent Gateway.
    #[default]
    Rig,
    /// A Data Processing Gateway.
    Dpg,
    /// A server of the Inter-Control Center Communications Protocol (IEC 60870-6, TASE.2).
    Iccp,
}

impl DeviceKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Rig, Self::Dpg, Self::Iccp];

    /// Its name, as the API and the command line write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rig => "rig",
            Self::Dpg => "dpg",
            Self::Iccp => "iccp",
        }
    }

    /// The letters that people know it by.
    pub fn abbreviation(self) -> &'static str {
        match self {
            Self::Rig => "RIG",
            Self::Dpg => "DPG",
            Self::Iccp => "ICCP",
        }
    }

    /// What the letters stand for.
    pub fn full_name(self) -> &'static str {
        match self {
            Self::Rig => "Remote Intelligent Gateway",
            Self::Dpg => "Data Processing Gateway",
            Self::Iccp => "Inter-Control Center Communications Protocol",
        }
    }
}

impl fmt::Display for DeviceKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// The text is not the name of a kind of device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a device is one of: rig, dpg, iccp")]
pub struct UnknownDeviceKind;

impl FromStr for DeviceKind {
    type Err = UnknownDeviceKind;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|kind| kind.name() == text).ok_or(UnknownDeviceKind)
    }
}

/// The device that a certificate is for.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// What it is.
    pub kind: DeviceKind,
    /// Its name: the Common Name of the request and of the certificate.
    pub name: String,
    /// The file that it takes its certificate from.
    pub file_format: FileFormat,
    /// The address for mails about it. It does not become part of the certificate.
    pub email_address: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_back() -> Result<(), serde_json::Error> {
        for kind in DeviceKind::ALL {
            assert_eq!(kind.to_string().parse(), Ok(kind));
            assert_eq!(serde_json::to_string(&kind)?, format!("\"{kind}\""));
        }
        Ok(())
    }

    #[test]
    fn other_names_are_unknown() {
        for text in ["", "RIG", "plc", "rig "] {
            assert_eq!(text.parse::<DeviceKind>(), Err(UnknownDeviceKind), "{text}");
        }
    }

    #[test]
    fn a_device_has_a_form_that_does_not_change() -> Result<(), serde_json::Error> {
        let json = serde_json::json!({
            "kind": "iccp", "name": "iccp-1", "file_format": "p7b", "email_address": "ops@example.com",
        });
        let device: Device = serde_json::from_value(json.clone())?;
        assert_eq!(device.kind, DeviceKind::Iccp);
        assert_eq!(serde_json::to_value(&device)?, json);
        Ok(())
    }
}
