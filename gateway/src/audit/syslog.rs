//! The audit log as a stream to a syslog server (RFC 5424), an entry each message. It runs beside the decisions and holds none up: what a server
//! does not take is sent when it does. After a crash an entry may come twice; its number tells.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use serde::Deserialize;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpStream, UdpSocket, UnixDatagram};
use tokio::time::{sleep, timeout};

use super::export;
use crate::backoff;
use crate::database::{Database, DatabaseError};
use crate::store::audit::{self, Entry};
use crate::store::syslog;

/// The severity "notice" of the facility "log audit" (RFC 5424, section 6.2.1).
const PRIORITY: u8 = 13 * 8 + 5;
/// The time between two looks at the log.
const INTERVAL: Duration = Duration::from_secs(1);
/// The entries that are read at once.
const BATCH: i64 = 100;
/// The time limit for a connection, and for a message.
const PATIENCE: Duration = Duration::from_secs(10);
/// After how many seconds to try again what was not taken; twice as long each time.
const RETRY_AFTER: i64 = 1;
/// The longest name of a host in a message (RFC 5424, section 6).
const LONGEST_HOST: usize = 255;

/// The settings of the audit log.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The syslog server that gets each entry, if there is one.
    pub syslog: Option<Server>,
}

/// A syslog server.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Server {
    /// A socket of this machine, such as /dev/log.
    Unix(PathBuf),
    /// A host and port by UDP (RFC 5426).
    Udp(String),
    /// A host and port by TCP, with the length before each message (RFC 6587, section 3.4.1).
    Tcp(String),
}

/// The text names no server.
#[derive(Debug, thiserror::Error)]
#[error(
    "“{0}” is no syslog server: write it as in “unix:/dev/log”, “udp:logs.example.com:514” or “tcp:logs.example.com:601”"
)]
pub struct NoServer(String);

impl FromStr for Server {
    type Err = NoServer;

    fn from_str(text: &str) -> Result<Self, NoServer> {
        let has_port = |host: &str| {
            host.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok())
        };
        match text.split_once(':') {
            Some(("unix", path)) if path.starts_with('/') => Ok(Self::Unix(path.into())),
            Some(("udp", host)) if has_port(host) => Ok(Self::Udp(host.into())),
            Some(("tcp", host)) if has_port(host) => Ok(Self::Tcp(host.into())),
            _ => Err(NoServer(text.into())),
        }
    }
}

impl TryFrom<String> for Server {
    type Error = NoServer;

    fn try_from(text: String) -> Result<Self, NoServer> {
        text.parse()
    }
}

impl fmt::Display for Server {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(formatter, "unix:{}", path.display()),
            Self::Udp(host) => write!(formatter, "udp:{host}"),
            Self::Tcp(host) => write!(formatter, "tcp:{host}"),
        }
    }
}

/// The way to a server.
enum Connection {
    Unix(UnixDatagram),
    Udp(UdpSocket),
    Tcp(TcpStream),
}

impl Connection {
    async fn open(server: &Server) -> io::Result<Self> {
        Ok(match server {
            Server::Unix(path) => {
                let socket = UnixDatagram::unbound()?;
                socket.connect(path)?;
                Self::Unix(socket)
            }
            Server::Udp(host) => {
                let address = tokio::net::lookup_host(host).await?.next().ok_or(io::ErrorKind::NotFound)?;
                let own = if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
                let socket = UdpSocket::bind(own).await?;
                socket.connect(address).await?;
                Self::Udp(socket)
            }
            Server::Tcp(host) => Self::Tcp(TcpStream::connect(host).await?),
        })
    }

    /// Fails if the server has closed the connection: what is written then is lost, and no error tells.
    fn check(&self) -> io::Result<()> {
        let Self::Tcp(stream) = self else { return Ok(()) };
        match stream.try_read(&mut [0; 64]) {
            Ok(0) => Err(io::ErrorKind::ConnectionReset.into()),
            // A server has nothing to say; if it does, there is no reply.
            Ok(_) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn send(&mut self, message: &str) -> io::Result<()> {
        match self {
            Self::Unix(socket) => socket.send(message.as_bytes()).await.map(drop),
            Self::Udp(socket) => socket.send(message.as_bytes()).await.map(drop),
            Self::Tcp(stream) => stream.write_all(format!("{} {message}", message.len()).as_bytes()).await,
        }
    }
}

/// An entry as a message of this host.
fn message(entry: &Entry, host: &str) -> String {
    let (time, process) = (export::time(entry), std::process::id());
    format!("<{PRIORITY}>1 {time} {host} keyside-gateway {process} audit - {}", export::line(entry))
}

/// This machine's name, as a message may have it.
fn host() -> String {
    let system = rustix::system::uname();
    let name = system.nodename().to_string_lossy().into_owned();
    let name: String = name.chars().filter(char::is_ascii_graphic).take(LONGEST_HOST).collect();
    if name.is_empty() { "-".into() } else { name }
}

/// Sends each new entry to `server`, over and over. Ends when it is dropped.
pub async fn keep_sending(database: &Database, server: &Server) {
    let host = host();
    let (mut connection, mut attempts) = (None, 0);
    loop {
        match send_new(database, server, &host, &mut connection).await {
            Ok(()) => attempts = 0,
            Err(error) => {
                connection = None;
                attempts += 1;
                let pause = backoff::pause(RETRY_AFTER, attempts);
                tracing::warn!(%server, %error, pause, "the audit log's new entries wait");
                sleep(Duration::from_secs(pause.unsigned_abs())).await;
            }
        }
        sleep(INTERVAL).await;
    }
}

/// A fault for which entries were not sent.
#[derive(Debug, thiserror::Error)]
enum SendError {
    #[error(transparent)]
    Database(#[from] DatabaseError),
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("the syslog server does not take it in time")]
    Slow(#[from] tokio::time::error::Elapsed),
}

async fn send_new(
    database: &Database,
    server: &Server,
    host: &str,
    connection: &mut Option<Connection>,
) -> Result<(), SendError> {
    let mut sent = syslog::position(database).await?;
    loop {
        let entries = audit::following(database, sent, BATCH).await.map_err(DatabaseError::from)?;
        let Some(last) = entries.last().map(|entry| entry.number) else { return Ok(()) };
        let open = match connection {
            Some(open) => open,
            None => connection.insert(timeout(PATIENCE, Connection::open(server)).await??),
        };
        open.check()?;
        for entry in &entries {
            timeout(PATIENCE, open.send(&message(entry, host))).await??;
        }
        open.check()?;
        syslog::advance(database, sent, last).await?;
        sent = last;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop where it fails")]

    use super::*;

    #[test]
    fn servers_are_read_and_written() {
        for text in ["unix:/dev/log", "udp:logs.example.com:514", "tcp:[2001:db8::1]:601"] {
            assert_eq!(text.parse::<Server>().unwrap().to_string(), text);
        }
        for text in
            ["", "/dev/log", "unix:log", "udp:logs.example.com", "tcp::514", "tls:logs.example.com:6514", "udp:a:99999"]
        {
            assert!(text.parse::<Server>().is_err(), "{text}");
        }
    }
}
