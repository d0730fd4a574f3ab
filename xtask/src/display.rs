//! A screen that nobody sees, for browsers that cannot do without one.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::error::{Error, Result};

/// A running Xvfb, ended when dropped.
pub(crate) struct Display {
    server: Child,
    name: String,
}

impl Display {
    /// Starts the program `xvfb` on a display number that it chooses itself.
    pub(crate) fn start(xvfb: &Path) -> Result<Self> {
        let failed = |fault: String| Error::new(format!("{} did not start: {fault}", xvfb.display()));
        let mut command = Command::new(xvfb);
        // It writes the number to standard output once it accepts connections.
        command.args(["-displayfd", "1", "-screen", "0", "1600x1200x24", "-nolisten", "tcp", "-noreset"]);
        let mut server = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| failed(error.to_string()))?;
        let mut number = String::new();
        let read = server.stdout.take().map(|output| BufReader::new(output).read_line(&mut number));
        let display = Self { server, name: format!(":{}", number.trim()) };
        match read {
            Some(Ok(1..)) => Ok(display),
            _ => Err(failed("it named no display".to_owned())),
        }
    }

    /// The value of `DISPLAY`.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        // When it has ended already there is nothing left to do.
        let _ = self.server.kill().and_then(|()| self.server.wait());
    }
}
