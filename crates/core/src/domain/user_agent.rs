//! What a browser says of its system, as far as it decides which file to recommend, and which guide to show first.

/// Whether the system of the browser with this `User-Agent` surely takes a PKCS#12 file with AES-256.
///
/// macOS before 15, iOS before 17 and Android before 14 refuse it as a wrong password, and browsers there no longer tell the
/// system's version. Windows takes it from 10 (1709) and Server 2019 on.
pub fn takes_aes(user_agent: &str) -> bool {
    !["Mac OS X", "Macintosh", "iPhone", "iPad", "Android"].iter().any(|system| user_agent.contains(system))
}

/// A place that certificates are installed in, each with a guide of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keystore {
    /// Windows' own, which Edge, Chrome and most programs use.
    Windows,
    /// The keychain of macOS.
    MacOs,
    /// The NSS database of Chromium and Chrome on Linux.
    Linux,
    /// Firefox's own, on every computer.
    Firefox,
    /// That of iPhones and iPads.
    Ios,
    /// That of Android.
    Android,
    /// A Java program's.
    Java,
}

impl Keystore {
    /// All of them, in the order to show them in.
    pub const ALL: [Self; 7] =
        [Self::Windows, Self::MacOs, Self::Linux, Self::Firefox, Self::Ios, Self::Android, Self::Java];

    /// The one that the browser with this `User-Agent` uses; `None` if it does not say. An iPad that asks for desktop sites says that it is
    /// a Mac.
    pub fn of(user_agent: &str) -> Option<Self> {
        let says = |word: &&str| user_agent.contains(*word);
        // On phones Firefox uses the system's.
        let systems = [
            (&["iPhone", "iPad"][..], Self::Ios),
            (&["Android"], Self::Android),
            (&["Firefox/"], Self::Firefox),
            (&["Windows"], Self::Windows),
            (&["Macintosh"], Self::MacOs),
            (&["Linux", "CrOS"], Self::Linux),
        ];
        systems.into_iter().find(|(words, _)| words.iter().any(says)).map(|(_, keystore)| keystore)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_tells_the_keystore_that_it_uses() {
        for (user_agent, keystore) in [
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/156.0.0.0 Safari/537.36 Edg/156.0.0.0",
                Some(Keystore::Windows),
            ),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:153.0) Gecko/20100101 Firefox/153.0",
                Some(Keystore::Firefox),
            ),
            ("Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0", Some(Keystore::Firefox)),
            (
                "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 HeadlessChrome/156.0.0.0 Safari/537.36",
                Some(Keystore::Linux),
            ),
            (
                "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Version/18.0 Safari/605.1.15",
                Some(Keystore::MacOs),
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) FxiOS/153.0 Mobile/15E148 Safari/605.1.15",
                Some(Keystore::Ios),
            ),
            ("Mozilla/5.0 (Android 16; Mobile; rv:153.0) Gecko/153.0 Firefox/153.0", Some(Keystore::Android)),
            (
                "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 Chrome/156.0.0.0 Mobile Safari/537.36",
                Some(Keystore::Android),
            ),
            ("", None),
        ] {
            assert_eq!(Keystore::of(user_agent), keystore, "{user_agent}");
        }
    }

    #[test]
    fn systems_that_may_refuse_aes_are_known_by_name() {
        for (user_agent, takes) in [
            ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/156.0.0.0 Safari/537.36", true),
            ("Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0", true),
            (
                "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Version/18.0 Safari/605.1.15",
                false,
            ),
            ("Mozilla/5.0 (iPhone; CPU iPhone OS 16_6 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148", false),
            ("Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 Chrome/156.0.0.0 Mobile Safari/537.36", false),
            ("", true),
        ] {
            assert_eq!(takes_aes(user_agent), takes, "{user_agent}");
        }
    }
}
