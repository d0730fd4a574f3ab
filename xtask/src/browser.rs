//! The browsers under test.

use clap::ValueEnum;

use crate::tool::Tool;

/// A browser under test.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Browser {
    /// Chrome and Edge have the same engine.
    Chromium,
    /// Firefox.
    Firefox,
    /// WebKitGTK's MiniBrowser. Safari has the same engine.
    Webkit,
}

impl Browser {
    /// The program itself.
    pub(crate) const fn program(self) -> Tool {
        match self {
            Self::Chromium => Tool::Chromium,
            Self::Firefox => Tool::Firefox,
            Self::Webkit => Tool::MiniBrowser,
        }
    }

    /// The program that drives it over WebDriver.
    pub(crate) const fn driver(self) -> Tool {
        match self {
            Self::Chromium => Tool::ChromeDriver,
            Self::Firefox => Tool::GeckoDriver,
            Self::Webkit => Tool::WebKitDriver,
        }
    }

    /// The environment variable in which wasm-bindgen's test runner looks for that driver.
    pub(crate) const fn driver_variable(self) -> &'static str {
        match self {
            Self::Chromium => "CHROMEDRIVER",
            Self::Firefox => "GECKODRIVER",
            Self::Webkit => "SAFARIDRIVER",
        }
    }

    /// Whether it runs only with a screen. The others have a mode without one.
    pub(crate) const fn needs_display(self) -> bool {
        matches!(self, Self::Webkit)
    }
}
