//! Runs other programs: in plain sight, into a log, or counted.

use std::collections::{BTreeMap, VecDeque};
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

/// The lines of a test runner's list of failures that the summary repeats.
const FAILURE_LINES_SHOWN: usize = 100;

/// How long output is waited for after the program itself has ended, in case something it left behind holds the pipe.
const OUTPUT_GRACE: Duration = Duration::from_secs(5);

/// Why Node's runner leaves out a test whose name the filter does not match. No reader needs to know of those.
const FILTERED_OUT: &str = "test name does not match pattern";

/// A part of the names of the tests to run. Without it all are run.
#[derive(Debug, Default, Clone)]
pub(crate) struct Filter(pub(crate) Option<String>);

impl Filter {
    /// Tells `cargo test`, and wasm-bindgen's runner behind it. The tests' names are those of functions.
    pub(crate) fn pass_to_cargo(&self, cargo: &mut Command) {
        if let Some(part) = &self.0 {
            cargo.arg("--").arg(part.replace(' ', "_"));
        }
    }

    /// Tells Node's test runner.
    pub(crate) fn pass_to_node(&self, node: &mut Command) {
        if let Some(part) = &self.0 {
            // Node takes a regular expression.
            let literally = part
                .chars()
                .flat_map(|character| character.is_ascii_punctuation().then_some('\\').into_iter().chain([character]));
            node.arg("--test-name-pattern").arg(literally.collect::<String>());
        }
    }
}

/// The results of a test runner.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Tests that passed.
    pub(crate) passed: u64,
    /// Tests that failed.
    pub(crate) failed: u64,
    /// Tests that were not run, by the reason.
    pub(crate) not_run: BTreeMap<String, Vec<String>>,
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
                    _ => {}
                }
            }
        } else if let Some(result) = line.strip_prefix("ℹ ") {
            match result.split_once(' ') {
                Some(("pass", number)) => self.passed += count(number),
                Some(("fail" | "cancelled", number)) => self.failed += count(number),
                _ => {}
            }
        } else if let Some((name, reason)) = not_run(line)
            && reason != FILTERED_OUT
        {
            let names = self.not_run.entry(reason.to_owned()).or_default();
            // Node repeats the line in its list of failures.
            if !names.iter().any(|known| known == name) {
                names.push(name.to_owned());
            }
        }
    }
}

/// A test runner's list of failures, for the summary: a long output may be cut elsewhere.
#[derive(Debug, Default)]
struct Failures {
    lines: Vec<String>,
    is_open: bool,
}

impl Failures {
    /// Takes in one line of output, where it is in the list of failures that cargo's, wasm-bindgen's or Node's runner ends with.
    fn read(&mut self, line: &str) {
        let line = line.trim_end();
        match line {
            "failures:" | "✖ failing tests:" => self.is_open = true,
            _ if line.starts_with("test result: ") => self.is_open = false,
            _ if self.is_open && !line.is_empty() && self.lines.len() < FAILURE_LINES_SHOWN => {
                self.lines.push(line.to_owned())
            }
            _ => {}
        }
    }
}

/// The name of a test that was not run, and the reason, in a line of Node's runner, "﹣ a name (0.1ms) # a reason", or of cargo's,
/// "test a_name ... ignored, a reason".
fn not_run(line: &str) -> Option<(&str, &str)> {
    if let Some(skipped) = line.trim_start().strip_prefix("﹣ ") {
        let (name, reason) = skipped.trim_end().rsplit_once(" # ")?;
        return Some((name.rsplit_once(" (").map_or(name, |(name, _)| name), reason));
    }
    let (name, rest) = line.trim_end().strip_prefix("test ")?.split_once(" ... ignored")?;
    Some((name, rest.strip_prefix(", ").unwrap_or("no reason is given")))
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        for (reason, names) in other.not_run {
            self.not_run.entry(reason).or_default().extend(names);
        }
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
/// When the runner fails, and when it says of no test that it passed although none was filtered out: a suite that ran nothing has
/// not passed.
pub(crate) fn run_tests(command: &mut Command, filter: &Filter, tally: &mut Tally) -> Result<()> {
    println!("\n$ {}", line(command));
    let mut child = command.stdout(Stdio::piped()).spawn().map_err(|error| not_started(command, &error))?;
    let output = child.stdout.take().ok_or_else(|| Error::new("the test runner has no output"))?;
    let (send, lines) = mpsc::channel();
    thread::spawn(move || {
        let mut output = BufReader::new(output);
        let mut line = Vec::new();
        while output.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
            let text = String::from_utf8_lossy(&line).into_owned();
            if not_run(&text).is_none_or(|(_, reason)| reason != FILTERED_OUT) {
                let mut screen = stdout().lock();
                // A screen that cannot be written is no reason to stop counting.
                let _ = screen.write_all(&line).and_then(|()| screen.flush());
            }
            if send.send(text).is_err() {
                break;
            }
            line.clear();
        }
    });
    let status = child.wait().map_err(|error| not_started(command, &error))?;
    let (mut ran, mut failures) = (Tally::default(), Failures::default());
    while let Ok(line) = lines.recv_timeout(OUTPUT_GRACE) {
        ran.read(&line);
        failures.read(&line);
    }
    let verdict = verdict(status.success(), &ran, filter);
    *tally += ran;
    let said: String = failures.lines.iter().map(|line| format!("\n| {line}")).collect();
    verdict.map_err(|fault| Error::new(format!("`{}` {fault}{said}", line(command))))
}

/// Whether a runner that ended so has passed.
fn verdict(success: bool, ran: &Tally, filter: &Filter) -> std::result::Result<(), &'static str> {
    match (success, ran) {
        (false, _) => Err("failed"),
        (true, Tally { failed: 1.., .. }) => Err("says that tests failed, but ended as if none had"),
        (true, Tally { passed: 0, .. }) if filter.0.is_none() => Err("ran no test"),
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
            "test slow ... ignored, takes hours",
            "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.42s",
            "test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out",
        ];
        let not_run = BTreeMap::from([("takes hours".to_owned(), vec!["slow".to_owned()])]);
        assert_eq!(tally_of(&lines), Tally { passed: 15, failed: 2, not_run });
    }

    #[test]
    fn result_lines_of_node_are_counted() {
        let lines = [
            "﹣ webkit: one (both) (0.1ms) # no restart",
            "  ﹣ webkit: two (0.1ms) # no restart",
            "﹣ three (0.1ms) # test name does not match pattern",
            "﹣ webkit: one (both) (0.1ms) # no restart",
            "ℹ tests 5",
            "ℹ pass 4",
            "ℹ fail 1",
            "ℹ cancelled 1",
        ];
        let names = ["webkit: one (both)", "webkit: two"].map(str::to_owned).to_vec();
        let not_run = BTreeMap::from([("no restart".to_owned(), names)]);
        assert_eq!(tally_of(&lines), Tally { passed: 4, failed: 2, not_run });
    }

    #[test]
    fn the_list_of_failures_is_kept_for_the_summary() {
        let kept = |lines: &[&str]| {
            let mut failures = Failures::default();
            lines.iter().for_each(|line| failures.read(line));
            failures.lines
        };
        let of_cargo = [
            "running 2 tests",
            "test a ... FAILED",
            "",
            "failures:",
            "",
            "---- a stdout ----",
            "1 is not 2",
            "test result: FAILED.",
        ];
        assert_eq!(kept(&of_cargo), ["---- a stdout ----", "1 is not 2"]);
        let of_node =
            ["✖ chromium: a (3ms)", "ℹ fail 1", "", "✖ failing tests:", "", "✖ chromium: a (3ms)", "  1 is not 2"];
        assert_eq!(kept(&of_node), ["✖ chromium: a (3ms)", "  1 is not 2"]);
        assert_eq!(kept(&["failures:"]).len(), 0);
        assert_eq!(kept(&[&["failures:"], &["a line"; 999][..]].concat()).len(), FAILURE_LINES_SHOWN);
    }

    #[test]
    fn a_runner_passes_only_when_it_succeeds_and_some_test_passed() {
        let (all, one) = (Filter(None), Filter(Some("a name".to_owned())));
        let some = Tally { passed: 1, ..Tally::default() };
        assert!(verdict(true, &some, &all).is_ok());
        assert!(verdict(false, &some, &all).is_err());
        assert!(verdict(true, &Tally::default(), &all).is_err());
        assert!(verdict(true, &Tally::default(), &one).is_ok());
        assert!(verdict(true, &Tally { failed: 1, ..some }, &all).is_err());
    }

    #[test]
    fn each_runner_gets_the_filter_as_it_takes_it() {
        let filter = Filter(Some("no key (yet)".to_owned()));
        let line_with = |pass: &dyn Fn(&mut Command)| {
            let mut command = Command::new("runner");
            pass(&mut command);
            line(&command)
        };
        assert_eq!(line_with(&|command| filter.pass_to_cargo(command)), "runner -- no_key_(yet)");
        assert_eq!(line_with(&|command| filter.pass_to_node(command)), r"runner --test-name-pattern no key \(yet\)");
    }
}
