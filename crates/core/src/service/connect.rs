//! Connecting: the names of a user's files and what tells the certificate apart, for the guides and snippets that log in with it.

use keyside_pki::certificate::Certificate;
use keyside_pki::certificate::CertificateSummary;

use crate::commands::snippets::Snippets;
use crate::domain::distinguished_name::common_name_of;
use crate::domain::enrollment::Enrollment;
use crate::domain::file_name::FileName;
use crate::service::trust::Trust;

/// Where the snippets connect to when the site has no connection check.
const EXAMPLE_URL: &str = "https://server.example.com/";

/// A collected certificate, as lists of certificates show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Own {
    /// The Common Name.
    pub common_name: String,
    /// The issuer's Common Name, or else its whole name.
    pub issuer_name: String,
    /// What people compare.
    pub summary: CertificateSummary,
}

/// The certificate that `enrollment` holds, once it was collected.
pub fn own(enrollment: &Enrollment) -> Option<Own> {
    let certificate = Certificate::from_der(&enrollment.certification_path.as_ref()?.first()?.0).ok()?;
    let summary = certificate.summary();
    Some(Own {
        common_name: enrollment.application.common_name.clone(),
        issuer_name: common_name_of(certificate.issuer()).unwrap_or_else(|| summary.issuer.clone()),
        summary,
    })
}

/// What the snippets are about, with examples for what is not known. `badge` marks an environment which is not production.
pub fn snippets(own: Option<&Own>, trust: Option<&Trust>, badge: Option<&str>, url: Option<&str>) -> Snippets {
    let file = |extension: &str| match own {
        Some(Own { common_name, summary, .. }) => {
            let CertificateSummary { serial_number, not_after, .. } = summary;
            FileName { common_name, serial_number, not_after: *not_after, badge }.with_extension(extension)
        }
        None => format!("certificate.{extension}"),
    };
    let root = trust.and_then(|trust| trust.chain.first());
    Snippets {
        pkcs12: file("p12"),
        pem: file("pem"),
        root: root.map_or_else(|| "root.pem".into(), |root| root.file_name("pem", badge)),
        root_name: root.map_or_else(|| "Root".into(), |root| root.name.clone()),
        url: url.unwrap_or(EXAMPLE_URL).into(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop where it fails")]

    use pollster::block_on;

    use super::*;
    use crate::ports::memory::MemoryAuthority;
    use crate::service::testing::{collected, enrollment};
    use crate::service::trust;

    #[test]
    fn the_user_s_files_are_named_as_they_were_downloaded() {
        let own = own(&collected()).unwrap();
        assert_eq!(own.issuer_name, "Example Issuing CA");
        let trust = block_on(trust::read(&MemoryAuthority::default())).unwrap();
        let snippets = snippets(Some(&own), Some(&trust), Some("Test"), Some("https://check.example/"));
        let CertificateSummary { serial_number, .. } = &own.summary;
        assert!(snippets.pkcs12.starts_with(&format!("{} {serial_number} ", own.common_name)), "{}", snippets.pkcs12);
        assert!(snippets.pkcs12.ends_with(" Test.p12") && snippets.pem.ends_with(" Test.pem"));
        assert!(snippets.root.starts_with("Example Root CA ") && snippets.root.ends_with(" Test.pem"));
        assert_eq!(snippets.root_name, "Example Root CA");
        assert_eq!(snippets.url, "https://check.example/");
    }

    #[test]
    fn what_is_not_known_has_an_example() {
        assert_eq!(own(&enrollment()), None);
        let snippets = snippets(None, None, Some("Test"), None);
        assert_eq!((&*snippets.pkcs12, &*snippets.root), ("certificate.p12", "root.pem"));
        assert_eq!(snippets.url, EXAMPLE_URL);
    }
}
