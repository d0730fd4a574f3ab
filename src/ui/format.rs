//! Times and fingerprints as people read them.

use wasm_bindgen::JsValue;

pub use keyside_core::domain::hexadecimal::pairs;

/// A date and time in the user's own language and time zone, by its seconds since 1970-01-01T00:00:00Z.
pub fn date_and_time(seconds: u64) -> String {
    in_own_words(seconds as f64)
}

/// The same for a time that may be before.
pub fn early_date_and_time(seconds: i64) -> String {
    in_own_words(seconds as f64)
}

fn in_own_words(seconds: f64) -> String {
    let date = js_sys::Date::new(&JsValue::from_f64(seconds * 1000.0));
    let options = js_sys::Object::new();
    for (key, value) in [("dateStyle", "long"), ("timeStyle", "short")] {
        // A plain object always takes a property.
        let _ = js_sys::Reflect::set(&options, &key.into(), &value.into());
    }
    String::from(date.to_locale_string("default", &options))
}

/// Until when something is valid, and how long that still is. Times in seconds since 1970-01-01T00:00:00Z.
pub fn validity(not_after: u64, now: u64) -> String {
    let until = date_and_time(not_after);
    match not_after.checked_sub(now).map(|left| left / 86_400) {
        None => format!("Expired on {until}"),
        Some(0) => format!("Valid until {until}: less than a day left"),
        Some(1) => format!("Valid until {until}: 1 day left"),
        Some(days) => format!("Valid until {until}: {days} days left"),
    }
}

/// A size as people read it.
pub fn megabytes(bytes: u64) -> String {
    format!("{} MB", bytes / 1_000_000)
}
