//! Passphrases that meet every rule, and are the first that an attacker tries.
//!
//! An attacker who has a file tries the commonest passphrases, in the variants that rules for characters lead people to: a capital in front, digits
//! and punctuation at the end, digits in place of letters. So the list has words, and a passphrase is compared without those.

/// The reason for which a passphrase is easily guessed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guess {
    /// It is one of the commonest.
    Common,
    /// It is made of the user's name or e-mail address.
    NameOrAddress,
}

/// Words, names and rows of keys that the commonest passphrases of public lists are made of; in lowercase letters, without repetition.
const COMMON: &str = " a aa aaa aaaa ab abc abcabc abcd abcde abcdef abcdefg abcdefgh access admin administrator alpha america amanda andrew angel apple april asd \
    asdf asdfasdf asdfgh asdfghjkl ashley asdqwe austin august autumn baby bailey banana baseball basketball batman blink bond buster butterfly \
    california caiso changeit changeme changemenow charlie cheese chelsea chocolate company computer cookie corvette daniel december default demo \
    diamond donald dragon eagle energy fall family february ferrari flower football freedom friends fuckyou george ginger google guest hannah harley \
    hello helloworld hockey hunter hunter iloveu iloveyou india internet jackson january jennifer jessica jesus jordan joshua july june justin keepass killer \
    keyside letmein liverpool login london love lovely loveme maggie manager march market marlboro martin master matrix matthew maverick may mercedes \
    merlin michael michelle mickey midnight monday monkey monster mustang mypassword nicole newpassword ninja november october orange pa pass passphrase passpass passw \
    password passwordpassword passwort pepper phoenix pickup pokemon power princess private pumpkin purple q qa qaz qazwsx qazwsxedc qazqaz qazxsw qqww \
    qwaszx qwe qweasd qweasdzxc qweqwe qwer qwert qwerty qwertyui qwertyuiop qwertz ranger robert root samantha scooter secret secure security september server \
    service shadow soccer sophie spider spring starwars steelers summer sunday sunshine super superman support system taylor temp temporary \
    test tester testing testtest thomas thunder tiger trustno trustnoone user username welcome whatever wine winter wizard wsx yankees \
    yellow zaq zaqwsx zaqxsw zxc zxcv zxcvbn zxcvbnm ";

/// Returns the reason for which `passphrase` is easily guessed, if there is one. `about` has what others know of its owner: name, address.
pub fn guess(passphrase: &str, about: &[impl AsRef<str>]) -> Option<Guess> {
    let digits = passphrase.chars().filter(char::is_ascii_digit).count();
    // Digits in no order are something to guess: many of them by themselves, and some beside a few letters.
    if digits >= 8 && !has_digits_in_a_row(passphrase) {
        return None;
    }
    let [plain, read] = [plain_letters(passphrase), with_letters_for_digits(passphrase)];
    let is_enough = |word: &str| word.len() >= 4 || !word.is_empty() && has_digits_in_a_row(passphrase);
    let is_among = |words: &str| {
        let mut words = words.split(|c: char| !c.is_ascii_lowercase());
        words.any(|word| is_enough(word) && (word == plain || word == read))
    };
    if is_among(COMMON) {
        return Some(Guess::Common);
    }
    let known = about.iter().any(|text| {
        let words = text.as_ref().to_ascii_lowercase();
        let mailbox = words.split('@').next().unwrap_or_default();
        // A surname may have a hyphen or an apostrophe in it.
        let mut parts = words.split(|c: char| c.is_whitespace() || matches!(c, '.' | '@'));
        is_among(&words)
            || [words.as_str(), mailbox].iter().any(|part| is_among(&plain_letters(part)))
            || parts.any(|part| is_among(&plain_letters(part)))
    });
    known.then_some(Guess::NameOrAddress)
}

/// Returns true if the digits of `text` are counted up or all the same, as far as there are any.
fn has_digits_in_a_row(text: &str) -> bool {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    "01234567890".contains(&digits) || digits.bytes().all(|digit| digits.as_bytes().first() == Some(&digit))
}

/// The letters of `text`, in lowercase.
fn plain_letters(text: &str) -> String {
    text.to_ascii_lowercase().chars().filter(char::is_ascii_lowercase).collect()
}

/// The letters of `text` from the first to the last, in lowercase, with those that digits and punctuation between them stand for.
fn with_letters_for_digits(text: &str) -> String {
    let word = text.trim_matches(|c: char| !c.is_ascii_alphabetic() && c != '@' && c != '$');
    let letter = |c: char| match c {
        '0' => Some('o'),
        '1' | '!' | '|' => Some('i'),
        '3' => Some('e'),
        '4' | '@' => Some('a'),
        '5' | '$' => Some('s'),
        '7' | '+' => Some('t'),
        c => Some(c.to_ascii_lowercase()).filter(char::is_ascii_lowercase),
    };
    word.chars().filter_map(letter).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::passphrase::PassphrasePolicy;

    const ABOUT: [&str; 2] = ["Ada Example", "a.lovelace@grid.example"];

    #[test]
    fn the_commonest_are_known_in_each_variant() {
        for common in [
            "Password1!",
            "P@ssw0rd",
            "Passw0rd!",
            "P@$$w0rd1",
            "Password123!",
            "Welcome1!",
            "Welcome@123",
            "Qwerty123!",
            "Qwerty!2024",
            "Admin123!",
            "Admin@123",
            "Abc123!@#",
            "Aa123456!",
            "Aa123456@",
            "1qaz@WSX",
            "!QAZ2wsx",
            "Summer2024!",
            "Winter-2026",
            "Changeme1!",
            "ChangeMe!1",
            "L3tmein!",
            "Test1234!",
            "Iloveyou1!",
            "Monkey-1",
            "Dragon#99",
            "Pass@word1",
            "Caiso2026!",
            "January2026!",
            "Q1w2e3r4t5!",
            "1qaz!QAZ",
            "Aaaa1111!",
            "Hello-World-1",
        ] {
            assert_eq!(PassphrasePolicy::default().unmet(common), [], "{common}: the rules let it pass");
            assert_eq!(guess(common, &ABOUT), Some(Guess::Common), "{common}");
        }
    }

    #[test]
    fn the_name_and_the_address_are_known() {
        for known in [
            "Ada-Example-1",
            "AdaExample1!",
            "Example-2026",
            "Example!1",
            "A.Lovelace@grid.example1",
            "Lovelace-1815",
            "A-Lovelace-1",
            "Lovel4ce!",
            "Ada-123!",
        ] {
            assert_eq!(guess(known, &ABOUT), Some(Guess::NameOrAddress), "{known}");
        }
        assert_eq!(guess("Lovelace-1815", &["Ada Example"]), None);
        for known in ["Smith-Jones-1", "Smithjones1!", "Jones-2026", "Z.smith-jones1"] {
            assert_eq!(
                guess(known, &["Zoë Smith-Jones", "z.smith-jones@grid.example"]),
                Some(Guess::NameOrAddress),
                "{known}"
            );
        }
    }

    #[test]
    fn others_are_let_pass() {
        for good in [
            "Correct-4-horse",
            "Battery=staple 9",
            "Another-5-donkeys",
            "xK9$pLm2vQ",
            "Password-of-the-7-seas",
            "Example of 3 cats, Ada",
            "12345678-",
            "",
            "Tr0ub4dor&3",
            "aA7#94028173",
            "Ada-86041-93",
            "Monkey#4829371650284",
        ] {
            assert_eq!(guess(good, &ABOUT), None, "{good}");
        }
    }
}
