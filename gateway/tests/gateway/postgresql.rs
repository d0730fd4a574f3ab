//! A real PostgreSQL for the tests: a cluster of their own in a temporary folder, reached through a socket there, gone with the tests.

use std::env;
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// How long anything may take. Far more than it does: only a test that fails waits so long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// How often a state is asked for that cannot be waited on.
pub(crate) const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// The folder with PostgreSQL's programs, where they are not in PATH.
const FOLDER_VARIABLE: &str = "KEYSIDE_POSTGRESQL";
/// Where Debian keeps them, in a folder for each version.
const DEBIAN_FOLDER: &str = "/usr/lib/postgresql";
/// The cluster's owner.
const USER: &str = "keyside";

/// Starts PostgreSQL, and ends it and removes its folder when the tests are gone, however that comes about: then there is nobody any
/// more at the other end of standard input. To PostgreSQL, the second signal means not to wait for its clients; while it is still
/// starting, it only knows the first.
const GUARD: &str = r#"
folder=$1; shift
"$@" </dev/null >"$folder/log" 2>&1 &
read -r _
kill -TERM $!
kill -INT $!
wait $!
rm -rf "$folder"
"#;

/// A database, empty at first, gone when dropped.
pub(crate) struct PostgresqlDatabase {
    name: String,
}

impl PostgresqlDatabase {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("site{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let created = Cluster::get().client("createdb").arg(&name).output().unwrap();
        assert!(created.status.success(), "{created:?}");
        Self { name }
    }

    pub(crate) fn url(&self) -> String {
        format!("postgresql://{USER}@localhost/{}?host={}", self.name, Cluster::get().folder.display())
    }

    /// A client program of PostgreSQL, told where the database is.
    pub(crate) fn client(&self, program: &str) -> Command {
        let mut command = Cluster::get().client(program);
        command.env("PGDATABASE", &self.name);
        command
    }

    /// Lets nobody in, and ends all that are in; or lets them in again.
    pub(crate) fn lets_in(&self, somebody: bool) {
        let name = &self.name;
        let allow = format!("ALTER DATABASE {name} ALLOW_CONNECTIONS {somebody}");
        let end = format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'");
        let mut psql = Cluster::get().client("psql");
        psql.args(["--quiet", "--dbname", "postgres", "--command", &allow]);
        if !somebody {
            psql.args(["--command", &end]);
        }
        let output = psql.output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }
}

impl Drop for PostgresqlDatabase {
    fn drop(&mut self) {
        // The cluster goes too, in the end: this only keeps the disk from filling up.
        let _ = Cluster::get().client("dropdb").args(["--force", &self.name]).output();
    }
}

/// The running server.
struct Cluster {
    programs: PathBuf,
    folder: PathBuf,
    /// See [`GUARD`].
    _guard: ChildStdin,
}

impl Cluster {
    /// The one of this run.
    fn get() -> &'static Self {
        static CLUSTER: OnceLock<Cluster> = OnceLock::new();
        CLUSTER.get_or_init(Self::start)
    }

    fn start() -> Self {
        let programs = programs();
        let folder = tempfile::Builder::new().prefix("keyside-").tempdir().unwrap().keep();
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
        let user = unprivileged_user();
        if let Some((uid, gid)) = user {
            chown(&folder, Some(uid), Some(gid)).unwrap();
        }
        let as_user = |program: &Path| {
            let mut command = Command::new(program);
            command.current_dir(&folder);
            if let Some((uid, gid)) = user {
                command.uid(uid).gid(gid);
            }
            command
        };

        let data = folder.join("data");
        let mut initdb = as_user(&programs.join("initdb"));
        initdb.arg("--pgdata").arg(&data).args(["--username", USER, "--auth=trust", "--encoding=UTF8", "--locale=C"]);
        let made = initdb.arg("--no-sync").output().unwrap();
        assert!(made.status.success(), "{made:?}");

        // With fsync, as in production: there are tests that kill.
        let mut guarded = as_user(Path::new("sh"));
        guarded.args(["-c", GUARD, "guard"]).arg(&folder).arg(programs.join("postgres")).arg("-D").arg(&data);
        guarded.arg("-k").arg(&folder).args(["-c", "listen_addresses=", "-c", "max_connections=300"]);
        let guard = guarded.stdin(Stdio::piped()).spawn().unwrap().stdin.take().unwrap();

        let cluster = Self { programs, folder, _guard: guard };
        let deadline = Instant::now() + PATIENCE;
        while !cluster.client("pg_isready").output().unwrap().status.success() {
            let log = || fs::read_to_string(cluster.folder.join("log"));
            assert!(Instant::now() < deadline, "PostgreSQL does not start: {:?}", log());
            std::thread::sleep(POLL_INTERVAL);
        }
        cluster
    }

    /// A client program, told where the server is.
    fn client(&self, program: &str) -> Command {
        let mut command = Command::new(self.programs.join(program));
        command.env("PGHOST", &self.folder).env("PGUSER", USER);
        command
    }
}

/// The folder with PostgreSQL's programs.
fn programs() -> PathBuf {
    let named = env::var_os(FOLDER_VARIABLE).map(PathBuf::from);
    let in_path = env::split_paths(&env::var_os("PATH").unwrap_or_default()).collect::<Vec<_>>();
    let debian = fs::read_dir(DEBIAN_FOLDER).into_iter().flatten().map(|entry| entry.unwrap().path().join("bin"));
    // Links lead to where the others are.
    let folders =
        named.into_iter().chain(in_path).chain(debian).filter_map(|folder| folder.join("initdb").canonicalize().ok());
    let mut folders = folders.filter_map(|initdb| Some(initdb.parent()?.to_owned()));
    let found = folders.find(|folder| folder.join("postgres").is_file());
    found.expect("these tests need PostgreSQL: install it (Debian: postgresql), or name the folder of its programs in KEYSIDE_POSTGRESQL")
}

/// User and group for the server, which does not run as root, where the tests do.
fn unprivileged_user() -> Option<(u32, u32)> {
    let id = |arguments: &[&str]| {
        let output = Command::new("id").args(arguments).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().parse::<u32>().ok()
    };
    if id(&["-u"]).unwrap() != 0 {
        return None;
    }
    // Debian's package brings the first one.
    let mut users = ["postgres", "nobody"].into_iter().filter_map(|user| id(&["-u", user]).zip(id(&["-g", user])));
    Some(users.next().expect("there is no user nobody"))
}
