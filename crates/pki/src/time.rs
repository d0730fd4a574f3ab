//! Times (RFC 5280, section 4.1.2.5): UTCTime and GeneralizedTime, as a number of seconds.

use crate::element::{Element, GENERALIZED_TIME, UTC_TIME};

const SECONDS_PER_DAY: i64 = 86_400;

/// Reads a Time: the seconds since 1970-01-01T00:00:00Z, negative before.
///
/// DER has them end in seconds and `Z`; X.680, sections 46 and 47, let them leave the seconds out, have a fraction of a second, and name an
/// offset from UTC. Some software writes that, and there is only one way to take it.
pub(crate) fn read(element: &Element<'_>) -> der::Result<i64> {
    let error = || der::Error::from(der::ErrorKind::DateTime);
    let text = core::str::from_utf8(element.contents).map_err(|_| error())?;
    let seconds = match element.tag {
        UTC_TIME => read_digits(text, 2).and_then(|(year, rest)| {
            // Years from 50 on are of the last century.
            seconds_in(if year < 50 { 2000 + year } else { 1900 + year }, rest)
        }),
        GENERALIZED_TIME => read_digits(text, 4).and_then(|(year, rest)| seconds_in(year, rest)),
        _ => None,
    };
    seconds.ok_or_else(error)
}

/// The number that the first `count` digits are, and what comes after them.
fn read_digits(text: &str, count: usize) -> Option<(i64, &str)> {
    let (digits, rest) = text.split_at_checked(count)?;
    let number = digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten()?;
    Some((number, rest))
}

/// The seconds until a month, a day, a time of day and a zone of `year`.
fn seconds_in(year: i64, text: &str) -> Option<i64> {
    let (month, rest) = read_digits(text, 2)?;
    let (day, rest) = read_digits(rest, 2)?;
    let (hour, rest) = read_digits(rest, 2)?;
    let (minute, rest) = read_digits(rest, 2)?;
    let (second, rest) = read_digits(rest, 2).unwrap_or((0, rest));
    let rest = match rest.strip_prefix(['.', ',']) {
        Some(fraction) => fraction.trim_start_matches(|c: char| c.is_ascii_digit()),
        None => rest,
    };
    let offset = match rest.split_at_checked(1)? {
        ("Z", "") => 0,
        (sign @ ("+" | "-"), offset) => {
            let (hours, offset) = read_digits(offset, 2)?;
            let (minutes, end) = read_digits(offset, 2)?;
            let seconds = 60 * (60 * hours + minutes);
            end.is_empty().then_some(if sign == "+" { seconds } else { -seconds })?
        }
        _ => return None,
    };
    let is_time = (1..=12).contains(&month)
        && (1..=days_of_month(year, month)).contains(&day)
        && (0..24).contains(&hour)
        && (0..60).contains(&minute)
        && (0..=60).contains(&second);
    is_time.then(|| days_until(year, month, day) * SECONDS_PER_DAY + 3600 * hour + 60 * minute + second - offset)
}

fn is_leap_year(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_of_month(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap_year(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// The days from 1970-01-01 to a day, by the Gregorian calendar.
fn days_until(year: i64, month: i64, day: i64) -> i64 {
    let leap_days = |year: i64| year / 4 - year / 100 + year / 400;
    let to_year = 365 * (year - 1970) + leap_days(year - 1) - leap_days(1969);
    to_year + (1..month).map(|month| days_of_month(year, month)).sum::<i64>() + day - 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::element::UTF8_STRING;

    fn read_as(tag: u8, text: &str) -> Option<i64> {
        read(&Element { tag, contents: text.as_bytes(), whole: &[] }).ok()
    }

    #[test]
    fn times_are_seconds() {
        for (text, seconds) in [
            ("19700101000000Z", 0),
            ("19691231235959Z", -1),
            ("19500101000000Z", -631_152_000),
            ("20000229120000Z", 951_825_600),
            ("20240229235959Z", 1_709_251_199),
            ("21000301000000Z", 4_107_542_400),
            ("99991231235959Z", 253_402_300_799),
            ("20240229235959.999Z", 1_709_251_199),
            ("20240301005959+0100", 1_709_251_199),
            ("20240229225959-0100", 1_709_251_199),
        ] {
            assert_eq!(read_as(GENERALIZED_TIME, text), Some(seconds), "{text}");
        }
    }

    #[test]
    fn years_of_two_digits_are_of_1950_to_2049() {
        for (text, same) in [
            ("491231235959Z", "20491231235959Z"),
            ("500101000000Z", "19500101000000Z"),
            ("2501010000Z", "20250101000000Z"),
            ("250101000000+0000", "20250101000000Z"),
        ] {
            assert!(read_as(UTC_TIME, text).is_some(), "{text}");
            assert_eq!(read_as(UTC_TIME, text), read_as(GENERALIZED_TIME, same), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_an_error() {
        for text in [
            "",
            "Z",
            "20240230000000Z",
            "20230229000000Z",
            "20241301000000Z",
            "20240001000000Z",
            "20240100000000Z",
            "20240101240000Z",
            "20240101006000Z",
            "20240101000061Z",
            "20240101000000",
            "20240101000000ZZ",
            "20240101000000+01",
            "20240101000000+010",
            "+0240101000000Z",
            "2024010100000é",
            "2024-01-01T00:00:00Z",
        ] {
            assert_eq!(read_as(GENERALIZED_TIME, text), None, "{text}");
        }
        assert_eq!(read_as(UTF8_STRING, "20240101000000Z"), None);
    }
}
