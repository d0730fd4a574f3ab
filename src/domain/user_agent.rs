//! What a browser says of its system, as far as it decides which file to recommend.

/// Whether the system of the browser with this `User-Agent` surely takes a PKCS#12 file with AES-256.
///
/// macOS before 15, iOS before 17 and Android before 14 refuse it as a wrong password, and browsers there no longer tell the
/// system's version. Windows takes it from 10 (1709) and Server 2019 on.
pub fn takes_aes(user_agent: &str) -> bool {
    !["Mac OS X", "Macintosh", "iPhone", "iPad", "Android"].iter().any(|system| user_agent.contains(system))
}

#[cfg(test)]
mod tests {
    use super::*;

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
