//! Runs several parts, two at a time: each is a run of this program, whose output goes to a log, and is shown when the part has ended.

use std::fs::{self, File};
use std::io::{Write, stdout};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Instant;

use super::{Part, Report, Suite};
use crate::error::{Error, Result};
use crate::folders;
use crate::process::{self, Filter, Tally};
use crate::progress::Progress;
use crate::toolbox::target_folder;

/// Parts that run one after another. Both processors have enough to do with two lanes: what a browser does is mostly waiting, and of a big
/// crate one processor compiles for long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lane {
    /// The page, and browsers that walk through it.
    InPages,
    /// All that neither needs the page nor is measured.
    Rest,
    /// Measurements: in the end, when the machine does nothing else.
    Measured,
}

const fn lane(suite: Suite) -> Lane {
    match suite {
        Suite::Build | Suite::E2e | Suite::Trunk => Lane::InPages,
        Suite::Lint | Suite::Native | Suite::Fuzz | Suite::Interop | Suite::Browser => Lane::Rest,
        Suite::Budget => Lane::Measured,
    }
}

/// Runs `parts`, whose tools are there. The reports are in the order of the parts.
pub(super) fn run(parts: &[Part], filter: &Filter) -> Result<Vec<Report>> {
    let logs = target_folder().join("test");
    folders::remove(&logs)?;
    folders::create(&logs)?;
    println!("\nTwo parts run at a time. Their output is in {}, and here when they have ended.", logs.display());
    let progress = Progress::start();
    let run_lane = |of: Lane| -> Vec<_> {
        let parts = parts.iter().filter(|part| lane(part.suite) == of);
        parts.map(|part| run_part(*part, filter, &logs, &progress)).collect()
    };
    let mut reports = thread::scope(|scope| {
        let rest = scope.spawn(|| run_lane(Lane::Rest));
        let mut reports = run_lane(Lane::InPages);
        reports.extend(rest.join().unwrap_or_default());
        reports
    });
    reports.extend(run_lane(Lane::Measured));
    if reports.len() != parts.len() {
        return Err(Error::new("not every part was run"));
    }
    reports.sort_by_key(|report| parts.iter().position(|part| *part == report.part));
    Ok(reports)
}

/// Runs `part`, then shows its log and counts what that says.
fn run_part(part: Part, filter: &Filter, logs: &Path, progress: &Progress) -> Report {
    let (started, mut tally) = (Instant::now(), Tally::default());
    let log = logs.join(format!("{}.log", part.words().join("-")));
    let outcome = progress.step(&part.name(), || run_logged(part, filter, &log));
    let duration = started.elapsed();
    let said = fs::read(&log).unwrap_or_default();
    let mut screen = stdout().lock();
    // A screen that cannot be written is no reason to stop counting.
    let _ = writeln!(screen, "\n=== {} ===", part.name()).and_then(|()| screen.write_all(&said));
    let said = String::from_utf8_lossy(&said);
    said.lines().for_each(|line| tally.read(line));
    let outcome = outcome.map_err(|error| match said.rsplit_once("\nerror: ") {
        Some((_, fault)) => Error::new(fault.trim_end()),
        None => error,
    });
    Report { part, tally, duration, outcome }
}

/// Runs this program for `part`, with all it says going to `log`.
fn run_logged(part: Part, filter: &Filter, log: &Path) -> Result<()> {
    let unwritable = |error| Error::file("write", log, &error);
    let output = File::create(log).map_err(unwritable)?;
    let mut program = Command::new(process::this_program()?);
    program.arg("test").args(part.words()).arg("--part");
    if let Some(text) = &filter.0 {
        program.arg("--").arg(text);
    }
    program.stdin(Stdio::null()).stdout(output.try_clone().map_err(unwritable)?).stderr(output);
    process::run_quietly(&mut program)
}
