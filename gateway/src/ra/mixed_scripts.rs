//! Letters that look like others. A name with a Cyrillic “а” among Latin letters reads as one without, and is another name.

use unicode_security::MixedScript;

/// A warning about the letters of a name, in one or two sentences; none where all are of one script, as people write.
pub fn warning(name: &str) -> Option<String> {
    if name.is_single_script() {
        return None;
    }
    let others = name.chars().filter(|c| !goes_with_latin(*c));
    let others: Vec<String> = others.map(|c| format!("“{c}” (U+{:04X})", u32::from(c))).collect();
    Some(format!(
        "This name has letters of several scripts, which may look like others: {}. Make sure that it is the person's own.",
        others.join(", ")
    ))
}

/// True for a Latin letter, and for what no script has for itself.
fn goes_with_latin(character: char) -> bool {
    String::from_iter(['a', character]).as_str().is_single_script()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_as_people_write_them_pass() {
        for name in [
            "Ada Example",
            "Zoë Ångström-O’Neil",
            "Łukasz Żółć",
            "Αθηνά Παπαδοπούλου",
            "Анна Иванова",
            "山田 太郎",
            "김 민수",
            "RIG 1.2",
        ] {
            assert_eq!(warning(name), None, "{name}");
        }
    }

    #[test]
    fn a_letter_that_looks_like_another_is_named() {
        for (name, letter) in [("Adа Example", "“а” (U+0430)"), ("Βea", "“Β” (U+0392)"), ("Ada Ехample", "U+0415")]
        {
            let told = warning(name).unwrap_or_default();
            assert!(told.contains(letter), "{name}: {told}");
        }
    }
}
