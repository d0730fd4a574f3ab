//! A calendar entry (iCalendar, RFC 5545) that reminds of a certificate's end.
//!
//! Written here and not by a crate because the crates for it bring a calendar and a random number generator of their own, many
//! times the size of this file, into a page that people wait for.

use core::time::Duration;

use der::DateTime;

/// How long before the end the entry stands, in seconds: thirty days.
const AHEAD: u64 = 30 * 86_400;

/// The longest line, in bytes without its end (RFC 5545, section 3.1).
const LONGEST_LINE: usize = 75;

/// What the entry is about.
#[derive(Clone, Copy, Debug)]
pub struct Reminder<'a> {
    /// What tells this certificate from all others, such as its fingerprint: importing the entry twice then gives one entry.
    pub uid: &'a str,
    /// The certificate's Common Name.
    pub common_name: &'a str,
    /// Its last second, since 1970-01-01T00:00:00Z.
    pub not_after: u64,
    /// What time it is.
    pub now: u64,
    /// Where to renew it.
    pub url: &'a str,
}

impl Reminder<'_> {
    /// The text of the `.ics` file; nothing for a time after the year 9999.
    ///
    /// An entry of a whole day, thirty days ahead of the end, with an alarm at its beginning.
    pub fn to_ics(&self) -> Option<String> {
        let end = date_time(self.not_after)?;
        let last_day = format!("{:04}-{:02}-{:02}", end.year(), end.month(), end.day());
        let summary = escaped(&format!("Renew the certificate of {}", self.common_name));
        let description = escaped(&format!("It is valid until {last_day} (UTC). Renew it at {}", self.url));
        let lines = [
            "BEGIN:VCALENDAR".to_owned(),
            "VERSION:2.0".to_owned(),
            "PRODID:-//Keyside//Keyside//EN".to_owned(),
            "BEGIN:VEVENT".to_owned(),
            format!("UID:{}@keyside", self.uid),
            format!("DTSTAMP:{}", stamp(self.now)?),
            format!("DTSTART;VALUE=DATE:{}", day(self.not_after.saturating_sub(AHEAD))?),
            format!("SUMMARY:{summary}"),
            format!("DESCRIPTION:{description}"),
            "TRANSP:TRANSPARENT".to_owned(),
            "BEGIN:VALARM".to_owned(),
            "ACTION:DISPLAY".to_owned(),
            format!("DESCRIPTION:{summary}"),
            "TRIGGER:PT0S".to_owned(),
            "END:VALARM".to_owned(),
            "END:VEVENT".to_owned(),
            "END:VCALENDAR".to_owned(),
        ];
        Some(lines.iter().map(|line| folded(line) + "\r\n").collect())
    }
}

fn date_time(seconds: u64) -> Option<DateTime> {
    DateTime::from_unix_duration(Duration::from_secs(seconds)).ok()
}

/// A DATE (RFC 5545, section 3.3.4), in UTC.
fn day(seconds: u64) -> Option<String> {
    let date = date_time(seconds)?;
    Some(format!("{:04}{:02}{:02}", date.year(), date.month(), date.day()))
}

/// A DATE-TIME in UTC (RFC 5545, section 3.3.5).
fn stamp(seconds: u64) -> Option<String> {
    let time = date_time(seconds)?;
    Some(format!("{}T{:02}{:02}{:02}Z", day(seconds)?, time.hour(), time.minutes(), time.seconds()))
}

/// A TEXT (RFC 5545, section 3.3.11).
fn escaped(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace(';', "\\;").replace(',', "\\,");
    escaped.replace(|c: char| c.is_control(), " ")
}

/// A line in pieces that are not too long (RFC 5545, section 3.1); no character is cut.
fn folded(line: &str) -> String {
    let mut folded = String::new();
    let mut length = 0;
    for character in line.chars() {
        if length + character.len_utf8() > LONGEST_LINE {
            folded.push_str("\r\n ");
            length = 1;
        }
        folded.push(character);
        length += character.len_utf8();
    }
    folded
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop where it fails")]

    use super::*;

    const REMINDER: Reminder<'_> = Reminder {
        uid: "0123abcd",
        common_name: "Zoë; Example, \\ Ødegård",
        // 2027-01-15T23:59:59Z
        not_after: 1_800_057_599,
        // 2026-11-22T06:35:12Z
        now: 1_795_329_312,
        url: "https://certificates.example.com/",
    };

    #[test]
    fn the_entry_stands_thirty_days_ahead() {
        let text = REMINDER.to_ics().unwrap();
        for line in [
            "DTSTAMP:20261122T063512Z\r\n",
            "DTSTART;VALUE=DATE:20261216\r\n",
            "UID:0123abcd@keyside\r\n",
            "SUMMARY:Renew the certificate of Zoë\\; Example\\, \\\\ Ødegård\r\n",
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
        assert!(text.starts_with("BEGIN:VCALENDAR\r\n") && text.ends_with("END:VCALENDAR\r\n"));
        let unfolded = text.replace("\r\n ", "");
        assert!(unfolded.contains("DESCRIPTION:It is valid until 2027-01-15 (UTC). Renew it at https://certificates"));
    }

    #[test]
    fn no_line_is_too_long_and_no_character_is_cut() {
        let common_name = "Ødegård ".repeat(40);
        let text = Reminder { common_name: &common_name, ..REMINDER }.to_ics().unwrap();
        assert!(text.split("\r\n").all(|line| line.len() <= LONGEST_LINE), "{text}");
        assert!(text.replace("\r\n ", "").contains(&common_name));
    }

    #[test]
    fn nothing_in_a_name_ends_its_line() {
        let text = Reminder { common_name: "Ada\r\nATTENDEE:x", ..REMINDER }.to_ics().unwrap();
        assert!(!text.contains("\r\nATTENDEE"), "{text}");
    }

    #[test]
    fn a_time_that_no_calendar_has_gives_no_entry() {
        assert_eq!(Reminder { not_after: u64::MAX, ..REMINDER }.to_ics(), None);
    }
}
