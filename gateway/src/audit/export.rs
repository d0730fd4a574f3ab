//! Entries as lines of JSON, for other programs and other machines: who has them can tell whether the log was cut.

use der::DateTime;
use serde::Serialize;

use crate::clock;
use crate::hexadecimal::hexadecimal;
use crate::store::audit::Entry;

#[derive(Serialize)]
struct Line<'a> {
    number: i64,
    at: String,
    actor: &'a str,
    action: &'a str,
    subject: &'a str,
    detail: &'a str,
    previous_sha256: String,
    sha256: String,
}

/// An entry as one line of JSON in ASCII, without its end. Times are as RFC 3339 has them, hashes in hexadecimal.
pub fn line(entry: &Entry) -> String {
    let line = Line {
        number: entry.number,
        at: time(entry),
        actor: &entry.actor,
        action: &entry.action,
        subject: &entry.subject,
        detail: &entry.detail,
        previous_sha256: hexadecimal(&entry.previous_sha256),
        sha256: hexadecimal(&entry.sha256),
    };
    in_ascii(&serde_json::to_string(&line).unwrap_or_default())
}

/// When it was done, as RFC 3339 has it.
pub(super) fn time(entry: &Entry) -> String {
    let since = std::time::Duration::from_secs(clock::to_unsigned(entry.at));
    DateTime::from_unix_duration(since).map(|time| time.to_string()).unwrap_or_default()
}

/// JSON with all that is not ASCII escaped (RFC 8259, section 7).
fn in_ascii(json: &str) -> String {
    let mut ascii = String::with_capacity(json.len());
    for character in json.chars() {
        if character.is_ascii() {
            ascii.push(character);
        } else {
            let mut units = [0; 2];
            for unit in character.encode_utf16(&mut units) {
                ascii.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    ascii
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop where it fails")]

    use super::*;

    #[test]
    fn a_line_is_json_in_ascii_and_says_all() {
        let entry = Entry {
            number: 7,
            at: 1_800_000_000,
            actor: "gateway".into(),
            action: "issued".into(),
            subject: "A\nB".into(),
            detail: "Å 😀 \"x\"".into(),
            previous_sha256: vec![0; 32],
            sha256: vec![0xab; 32],
        };
        let line = line(&entry);
        assert!(line.is_ascii() && !line.contains('\n'), "{line}");
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(value["detail"], "Å 😀 \"x\"");
        assert_eq!(value["subject"], "A\nB");
        assert_eq!(value["at"], "2027-01-15T08:00:00Z");
        assert_eq!(value["sha256"], "ab".repeat(32));
    }
}
