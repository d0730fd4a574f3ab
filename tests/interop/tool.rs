//! Running the judges.

use std::env;
use std::fs;
use std::io::ErrorKind;
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// What a program made of its input.
#[derive(Debug)]
pub(crate) struct Verdict {
    call: String,
    succeeded: bool,
    told: String,
}

impl Verdict {
    /// What it said, however it ended.
    pub(crate) fn told(self) -> String {
        self.told
    }

    /// What it said, if it succeeded.
    pub(crate) fn accepted(self) -> String {
        assert!(self.succeeded, "refused by {}:\n{}", self.call, self.told);
        self.told
    }

    /// Fails if it succeeded.
    pub(crate) fn refused(self) {
        assert!(!self.succeeded, "not refused by {}:\n{}", self.call, self.told);
    }
}

/// A command that speaks English and UTF-8 and asks nothing.
pub(crate) fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    command.env("LC_ALL", "C.UTF-8").stdin(Stdio::null());
    command
}

/// What to say where a program cannot be started.
pub(crate) fn missing(program: &str, error: &std::io::Error) -> String {
    match error.kind() {
        ErrorKind::NotFound => {
            format!("the program `{program}` is missing; `cargo xtask test interop` installs it")
        }
        _ => format!("`{program}` cannot be started: {error}"),
    }
}

/// Runs `program` to its end.
pub(crate) fn run(program: &str, arguments: &[&str]) -> Verdict {
    let output =
        command(program).args(arguments).output().unwrap_or_else(|error| panic!("{}", missing(program, &error)));
    Verdict {
        call: format!("{program} {arguments:?}"),
        succeeded: output.status.success(),
        told: [output.stdout, output.stderr].map(|told| String::from_utf8_lossy(&told).into_owned()).concat(),
    }
}

/// Runs Java's keytool in English and UTF-8, whatever its version takes from the environment.
pub(crate) fn keytool(arguments: &[&str]) -> Verdict {
    let english = ["-J-Duser.language=en", "-J-Dfile.encoding=UTF-8", "-J-Dstdout.encoding=UTF-8"];
    run("keytool", &[arguments, &english].concat())
}

/// Runs a Java program from its source.
pub(crate) fn java(arguments: &[&str]) -> Verdict {
    run("java", arguments)
}

/// Runs the Python that has the package `cryptography`.
pub(crate) fn python(arguments: &[&str]) -> Verdict {
    let python = env::var("KEYSIDE_PYTHON").unwrap_or_else(|_| "python3".into());
    let has_package = run(&python, &["-c", "import cryptography"]);
    assert!(
        has_package.succeeded,
        "`{python}` does not have the package `cryptography`; `cargo xtask test interop` installs it, and \
         KEYSIDE_PYTHON names another Python"
    );
    run(&python, arguments)
}

/// A folder of one test, removed at its end.
pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_owned()
    }

    /// Writes a file and gives its path.
    pub(crate) fn write(&self, name: &str, bytes: &[u8]) -> String {
        fs::write(self.path(name), bytes).unwrap();
        self.path(name)
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    pub(crate) fn read_text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }
}
