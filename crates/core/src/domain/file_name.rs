//! The names of the files that hold certificates.

use core::time::Duration;

use der::DateTime;

use super::distinguished_name::is_invisible;

/// The longest name, in bytes of UTF-8. File systems take 255; browsers add to it while they download, and when a name is taken.
const MAXIMUM_SIZE: usize = 200;
/// The longest serial number, in hexadecimal digits: RFC 5280, section 4.1.2.2 allows 20 bytes.
const MAXIMUM_SERIAL_NUMBER_SIZE: usize = 40;
/// The longest badge, in bytes of UTF-8.
const MAXIMUM_BADGE_SIZE: usize = 32;
/// What stands where nothing is left of a Common Name.
const NAMELESS: &str = "certificate";
/// The names that Windows keeps for devices, whatever extension follows them.
const DEVICES: [&str; 6] = ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"];

/// What the name of a certificate's file is made of: `<Common Name> <serial number> <last day>[ <badge>].<extension>`.
///
/// It tells a user's old certificate from the new one, and a test certificate from one for production.
#[derive(Clone, Copy, Debug)]
pub struct FileName<'a> {
    /// The Common Name.
    pub common_name: &'a str,
    /// The serial number in hexadecimal.
    pub serial_number: &'a str,
    /// The last second of the certificate's validity, since 1970-01-01T00:00:00Z; its day is given in UTC.
    pub not_after: u64,
    /// The word that marks an environment which is not production.
    pub badge: Option<&'a str>,
}

impl FileName<'_> {
    /// The file's name, as every operating system takes it; `extension` comes without its dot.
    pub fn with_extension(&self, extension: &str) -> String {
        let mut particulars = String::new();
        let serial_number = clean(self.serial_number, MAXIMUM_SERIAL_NUMBER_SIZE);
        let badge = clean(self.badge.unwrap_or_default(), MAXIMUM_BADGE_SIZE);
        for part in [serial_number, day(self.not_after).unwrap_or_default(), badge] {
            if !part.is_empty() {
                particulars = format!("{particulars} {part}");
            }
        }
        let end = format!("{particulars}.{extension}");
        let common_name = clean(self.common_name, MAXIMUM_SIZE.saturating_sub(end.len() + 1));
        match common_name.as_str() {
            "" => format!("{NAMELESS}{end}"),
            common_name if is_device(&format!("{common_name}{end}")) => format!("_{common_name}{end}"),
            common_name => format!("{common_name}{end}"),
        }
    }
}

/// `text` without what some system refuses or reads as something else, cut to `maximum_size` bytes.
fn clean(text: &str, maximum_size: usize) -> String {
    let replaced: String = text
        .chars()
        .map(|c| match c {
            '/' | '\\' | ':' | '*' | '?' | '"' | '<' | '>' | '|' => '_',
            c if is_invisible(c) => '_',
            c => c,
        })
        .collect();
    // A dot at the start hides a file, a hyphen makes it look like an option.
    let started = replaced.trim_start_matches(['.', ' ', '-']);
    let cut = started.get(..started.floor_char_boundary(maximum_size)).unwrap_or_default();
    cut.trim_end_matches(['.', ' ']).to_owned()
}

/// Whether Windows takes `file_name` for a device: it reads as far as the first dot, and passes over spaces before it.
fn is_device(file_name: &str) -> bool {
    let stem = file_name.split('.').next().unwrap_or_default().trim_end().to_ascii_uppercase();
    let mut characters = stem.chars();
    let is_numbered = characters.next_back().is_some_and(|c| matches!(c, '0'..='9' | '¹' | '²' | '³'))
        && ["COM", "LPT"].contains(&characters.as_str());
    is_numbered || DEVICES.contains(&stem.as_str())
}

/// The day in UTC of a time in seconds since 1970-01-01T00:00:00Z, as ISO 8601 writes it; nothing after the year 9999.
pub fn day(seconds: u64) -> Option<String> {
    let date = DateTime::from_unix_duration(Duration::from_secs(seconds)).ok()?;
    Some(format!("{:04}-{:02}-{:02}", date.year(), date.month(), date.day()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADA: FileName<'_> = FileName {
        common_name: "Ada Example",
        serial_number: "4f2a00c1",
        // 2027-01-15T23:59:59Z
        not_after: 1_800_057_599,
        badge: None,
    };

    fn of(common_name: &str) -> String {
        FileName { common_name, ..ADA }.with_extension("p12")
    }

    #[test]
    fn a_file_is_named_after_its_certificate() {
        assert_eq!(ADA.with_extension("p12"), "Ada Example 4f2a00c1 2027-01-15.p12");
        let test = FileName { badge: Some("Test"), ..ADA };
        assert_eq!(test.with_extension("pem"), "Ada Example 4f2a00c1 2027-01-15 Test.pem");
        let next_day = FileName { not_after: 1_800_057_600, ..ADA };
        assert_eq!(next_day.with_extension("p12"), "Ada Example 4f2a00c1 2027-01-16.p12");
        let never = FileName { not_after: 253_402_300_799, ..ADA };
        assert_eq!(never.with_extension("p12"), "Ada Example 4f2a00c1 9999-12-31.p12");
    }

    #[test]
    fn a_part_that_is_missing_leaves_no_gap() {
        let bare = FileName { serial_number: "", not_after: u64::MAX, badge: Some(" "), ..ADA };
        assert_eq!(bare.with_extension("p12"), "Ada Example.p12");
        for nameless in ["", "...", " - "] {
            assert_eq!(of(nameless), "certificate 4f2a00c1 2027-01-15.p12");
        }
    }

    #[test]
    fn a_name_is_one_everywhere() {
        assert_eq!(of("Zoë Ødegård"), "Zoë Ødegård 4f2a00c1 2027-01-15.p12");
        assert_eq!(of("../etc/passwd"), "_etc_passwd 4f2a00c1 2027-01-15.p12");
        assert_eq!(of("a\\b:c*d?e\"f<g>h|i\u{7}"), "a_b_c_d_e_f_g_h_i_ 4f2a00c1 2027-01-15.p12");
        assert_eq!(of("-rf ."), "rf 4f2a00c1 2027-01-15.p12");
        assert_eq!(of("Ada\u{202E}21p.exe"), "Ada_21p.exe 4f2a00c1 2027-01-15.p12", "nothing turns the text around");
        let test = FileName { badge: Some("Test/QA."), serial_number: "../1", ..ADA };
        assert_eq!(test.with_extension("p12"), "Ada Example _1 2027-01-15 Test_QA.p12");
    }

    #[test]
    fn no_name_is_a_device() {
        for device in ["con.exe", "NUL .x", "Com1.", "LPT³.x", "conin$.x"] {
            let bare = FileName { common_name: device, serial_number: "", not_after: u64::MAX, badge: None };
            assert!(bare.with_extension("p12").starts_with('_'), "{}", bare.with_extension("p12"));
        }
        assert_eq!(of("aux.x"), "_aux.x 4f2a00c1 2027-01-15.p12");
        assert_eq!(of("CON"), "CON 4f2a00c1 2027-01-15.p12", "no device with more behind it");
        assert_eq!(of("Conrad"), "Conrad 4f2a00c1 2027-01-15.p12");
        assert_eq!(of("COM"), "COM 4f2a00c1 2027-01-15.p12");
    }

    #[test]
    fn a_long_name_is_cut_between_characters() {
        for common_name in ["a".repeat(1000), "漢".repeat(1000), "🔑".repeat(1000), "a ".repeat(1000)] {
            let long = FileName {
                common_name: &common_name,
                serial_number: &"f".repeat(100),
                badge: Some(&"Test ".repeat(100)),
                ..ADA
            };
            let name = long.with_extension("p12");
            assert!((190..=MAXIMUM_SIZE).contains(&name.len()), "{name}");
            let end = format!(" {} 2027-01-15 {}Te.p12", "f".repeat(40), "Test ".repeat(6));
            assert!(name.ends_with(&end), "{name}");
        }
    }
}
