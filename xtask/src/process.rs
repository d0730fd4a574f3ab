//! Runs other programs: in plain sight, into a log, or counted.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write, stdout};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::error::{Error, Result};

/// How many lines of a failed installer's log are shown.
const LOG_LINES_SHOWN: usize = 25;

/// How long output is waited for after the program itself has ended, in case something it left behind holds the pipe.
const OUTPUT_GRACE: Duration = Duration::from_secs(5);

/// How many tests a runner says have passed and failed.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Tests that passed.
    pub(crate) passed: u64,
    /// Tests that failed.
    pub(crate) failed: u64,
    /// Tests that were left out.
    pub(crate) ignored: u64,
}

impl Tally {
    /// Takes in one line of output, where it is a result line of cargo's, wasm-bindgen's or Node's runner.
    fn read(&mut self, line: &str) {
        let count = |text: &str| text.trim().parse().unwrap_or(0);
        if let Some((_, results)) = line.split_once("test result: ") {
            for part in results.split(['.', ';']) {
                match part.trim().split_once(' ') {
                    Some((number, "passed")) => self.passed += count(number),
                    Some((number, "failed")) => self.failed += count(number),
                    Some((number, "ignored")) => self.ignored += count(number),
                    _ => {}
                }
            }
        } else if let Some(result) = line.strip_prefix("ℹ ") {
            match result.split_once(' ') {
                Some(("pass", number)) => self.passed += count(number),
                Some(("fail", number)) => self.failed += count(number),
                Some(("skipped" | "todo", number)) => self.ignored += count(number),
                _ => {}
            }
        }
    }
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.ignored += other.ignored;
    }
}

/// Runs a program in plain sight.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    println!("\n$ {}", line(command));
    let status = command.status().map_err(|error| not_started(command, &error))?;
    if status.success() { Ok(()) } else { Err(Error::new(format!("`{}` failed: {status}", line(command)))) }
}

/// Runs a test runner in plain sight and adds what its result lines say to `tally`.
///
/// # Errors
/// When the runner fails, and when it says of no test that it passed: a suite that ran nothing has not passed.
pub(crate) fn run_tests(command: &mut Command, tally: &mut Tally) -> Result<()> {
    println!("\n$ {}", line(command));
    let mut child = command.stdout(Stdio::piped()).spawn().map_err(|error| not_started(command, &error))?;
    let output = child.stdout.take().ok_or_else(|| Error::new("the test runner has no output"))?;
    let (send, lines) = mpsc::channel();
    thread::spawn(move || {
        let mut output = BufReader::new(output);
        let mut line = Vec::new();
        while output.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
            let mut screen = stdout().lock();
            // A screen that cannot be written is no reason to stop counting.
            let _ = screen.write_all(&line).and_then(|()| screen.flush());
            if send.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                break;
            }
            line.clear();
        }
    });
    let status = child.wait().map_err(|error| not_started(command, &error))?;
    let mut ran = Tally::default();
    while let Ok(line) = lines.recv_timeout(OUTPUT_GRACE) {
        ran.read(&line);
    }
    *tally += ran;
    verdict(status.success(), ran).map_err(|fault| Error::new(format!("`{}` {fault}", line(command))))
}

/// Whether a runner that ended so has passed.
fn verdict(success: bool, ran: Tally) -> std::result::Result<(), &'static str> {
    match (success, ran) {
        (false, _) => Err("failed"),
        (true, Tally { failed: 1.., .. }) => Err("says that tests failed, but ended as if none had"),
        (true, Tally { passed: 0, .. }) => Err("ran no test"),
        (true, _) => Ok(()),
    }
}

/// Runs an installer with all it says going to a log; a failure shows the log's end.
pub(crate) fn run_logged(command: &mut Command, log: &Path) -> Result<()> {
    let unwritable = |error| Error::file("write", log, &error);
    let mut out = File::options().create(true).append(true).open(log).map_err(unwritable)?;
    writeln!(out, "$ {}", line(command)).map_err(unwritable)?;
    let err = out.try_clone().map_err(unwritable)?;
    let status =
        command.stdin(Stdio::null()).stdout(out).stderr(err).status().map_err(|error| not_started(command, &error))?;
    if status.success() {
        return Ok(());
    }
    let mut end = VecDeque::new();
    for line in fs::read(log).map_err(|error| Error::file("read", log, &error))?.split(|byte| *byte == b'\n') {
        end.push_back(String::from_utf8_lossy(line).into_owned());
        if end.len() > LOG_LINES_SHOWN {
            end.pop_front();
        }
    }
    let end: Vec<_> = end.into_iter().map(|line| format!("    | {line}")).collect();
    Err(Error::new(format!("`{}` failed: {status}\n{}", line(command), end.join("\n")))
        .way_out(format!("The whole log is {}.", log.display())))
}

/// What a program prints, to either stream; `None` when it does not start or fails.
pub(crate) fn output(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).output().ok()?;
    let text = [output.stdout, output.stderr].concat();
    output.status.success().then(|| String::from_utf8_lossy(&text).into_owned())
}

/// A command as it would be typed.
fn line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

fn not_started(command: &Command, error: &std::io::Error) -> Error {
    Error::new(format!("cannot run `{}`: {error}", line(command)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally_of(lines: &[&str]) -> Tally {
        let mut tally = Tally::default();
        lines.iter().for_each(|line| tally.read(line));
        tally
    }

    #[test]
    fn result_lines_of_cargo_and_wasm_bindgen_are_counted() {
        let lines = [
            "running 3 tests",
            "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.42s",
            "test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out",
        ];
        assert_eq!(tally_of(&lines), Tally { passed: 15, failed: 2, ignored: 1 });
    }

    #[test]
    fn result_lines_of_node_are_counted() {
        assert_eq!(tally_of(&["ℹ tests 5", "ℹ pass 4", "ℹ fail 1"]), Tally { passed: 4, failed: 1, ignored: 0 });
    }

    #[test]
    fn a_runner_passes_only_when_it_succeeds_and_some_test_passed() {
        let some = Tally { passed: 1, ..Tally::default() };
        assert!(verdict(true, some).is_ok());
        assert!(verdict(false, some).is_err());
        assert!(verdict(true, Tally::default()).is_err());
        assert!(verdict(true, Tally { failed: 1, ..some }).is_err());
    }
}
