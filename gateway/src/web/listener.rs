//! The HTTP server: accepts connections, within bounds, and ends them in peace.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Request, Response};
use axum::response::IntoResponse;
use axum::{Extension, Router};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use keyside_core::api::ProblemKind;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_io_timeout::TimeoutStream;
use tokio_rustls::TlsAcceptor;
use tower_service::Service;

use self::places::{Answer, Place, Places, Received, Sending};
use super::settings::Limits;
use super::tls;
use crate::ra::refusal::Refusal;

mod places;

/// How long requests that are under way may still take after the signal to stop.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long to wait when the system has no connection to give (it is out of file descriptors, say).
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);
/// The longest time for a handshake, and for the head of a connection's first request.
const FIRST_HEAD: Duration = Duration::from_secs(10);
/// The connections beyond the limit on those that are worked on: for probes and revocation lists, which are always answered.
const RESERVE: usize = 64;

/// A client's connection, cut off when it takes no answer.
type Stream = Pin<Box<TimeoutStream<TcpStream>>>;

/// A listener.
pub struct Listener<'a> {
    /// Its socket.
    pub socket: TcpListener,
    /// The bounds.
    pub limits: &'a Limits,
    /// True if a proxy stands before it, so that many clients have one address.
    pub is_behind_proxy: bool,
}

impl Listener<'_> {
    /// Serves `router` until `shutdown` is there, then lets the requests that are under way finish.
    ///
    /// HTTP/1 only: a connection has one request at a time. A client that takes longer than the time limit to send a request's head, to send
    /// the next one, or to take any of an answer, is cut off; one that only waits is when there is no other place for a new one.
    pub async fn serve(self, router: Router, shutdown: impl Future<Output = ()>) {
        let open = |stream| std::future::ready(Ok((stream, router.clone())));
        self.accept_until(shutdown, open).await
    }

    /// The same over TLS: handlers find who is at the other end in an [`Extension`] with the [`Client`](crate::ra::connection_check::Client).
    pub async fn serve_tls(self, tls: TlsAcceptor, router: Router, shutdown: impl Future<Output = ()>) {
        let open = |stream: Stream| {
            let (handshake, router) = (tls.accept(stream), router.clone());
            async move {
                let stream = handshake.await?;
                let client = tls::client_of(stream.get_ref().1);
                Ok((stream, router.layer(Extension(client))))
            }
        };
        self.accept_until(shutdown, open).await
    }

    /// Accepts connections until `shutdown` is there. `open` makes of each the stream that HTTP is spoken on, and the router that answers there; it
    /// has as long as the head of the first request.
    async fn accept_until<Opening, Opened>(self, shutdown: impl Future<Output = ()>, open: impl Fn(Stream) -> Opening)
    where
        Opening: Future<Output = io::Result<(Opened, Router)>> + Send + 'static,
        Opened: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Self { socket, limits, is_behind_proxy } = self;
        let timeout = limits.timeout();
        let first_head = timeout.min(FIRST_HEAD);
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new()).header_read_timeout(timeout);
        let permits = Arc::new(Semaphore::new(limits.connections.min(Semaphore::MAX_PERMITS)));
        let per_address = (!is_behind_proxy).then_some(limits.connections_per_address);
        let places = Places::new(limits.connections.saturating_add(RESERVE), per_address);
        let graceful = GracefulShutdown::new();
        let mut shutdown = std::pin::pin!(shutdown);

        loop {
            let accepted = tokio::select! {
                accepted = accept(&socket, &places) => accepted,
                () = &mut shutdown => break,
            };
            let (stream, peer, place) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            let Some(place) = place.map(Arc::new) else {
                tracing::debug!("a connection is refused: its address has as many at work as it may");
                continue;
            };
            let mut stream = TimeoutStream::new(stream);
            stream.set_write_timeout(Some(timeout));
            let opening = tokio::time::timeout(first_head, open(Box::pin(stream)));
            let (http, watcher, permits) = (http.clone(), graceful.watcher(), Arc::clone(&permits));
            tokio::spawn(async move {
                let opened = tokio::select! {
                    opened = opening => opened,
                    () = place.closed() => return tracing::debug!("a connection is closed for a new one"),
                };
                let (stream, router) = match opened {
                    Ok(Ok(opened)) => opened,
                    Ok(Err(error)) => return tracing::debug!(%error, "a connection was not opened"),
                    Err(_) => return tracing::debug!("a connection was not opened in time"),
                };
                let has_begun = Arc::new(AtomicBool::new(false));
                let answering = Answering { router, peer, permits, timeout, place: Arc::clone(&place) };
                let service = {
                    let has_begun = Arc::clone(&has_begun);
                    service_fn(move |request| {
                        has_begun.store(true, Ordering::Relaxed);
                        answering.clone().answer(request)
                    })
                };
                let stream = TokioIo::new(Sending::new(stream, Arc::clone(&place)));
                let connection = watcher.watch(http.serve_connection(stream, service));
                let silence = async {
                    tokio::time::sleep(first_head).await;
                    if has_begun.load(Ordering::Relaxed) {
                        std::future::pending::<()>().await;
                    }
                };
                tokio::select! {
                    ended = connection => if let Err(error) = ended {
                        tracing::debug!(%error, "a connection broke off");
                    },
                    () = place.closed() => tracing::debug!("a connection is closed for a new one"),
                    () = silence => tracing::debug!("a connection has sent no request in time"),
                }
            });
        }

        drop(socket);
        tracing::info!("stopping");
        if tokio::time::timeout(PATIENCE, graceful.shutdown()).await.is_err() {
            tracing::warn!("requests were still under way and are cut off");
        }
    }
}

/// The next connection, with its place once there is one. Without a place it is to be closed.
async fn accept(socket: &TcpListener, places: &Arc<Places>) -> io::Result<(TcpStream, SocketAddr, Option<Place>)> {
    let (stream, peer) = socket.accept().await?;
    stream.set_nodelay(true)?;
    let place = places.take(peer.ip()).await;
    Ok((stream, peer, place))
}

/// All that the requests of a connection are answered with.
#[derive(Clone)]
struct Answering {
    router: Router,
    peer: SocketAddr,
    /// Permits to work on a request: one for each connection of the limit.
    permits: Arc<Semaphore>,
    timeout: Duration,
    place: Arc<Place>,
}

impl Answering {
    async fn answer(self, request: Request<Incoming>) -> Result<Response<Answer>, Infallible> {
        let Self { mut router, peer, permits, timeout, place } = self;
        let permit = if is_in_reserve(request.uri().path()) {
            None
        } else {
            match tokio::time::timeout(timeout, permits.acquire_owned()).await {
                Ok(Ok(permit)) => Some(permit),
                _ => return Ok(Answer::of(busy(), place, None)),
            }
        };
        let mut request = request.map(|body| Body::new(Received::new(body, Arc::clone(&place))));
        // Handlers find the address of the client.
        request.extensions_mut().insert(ConnectInfo(peer));
        let response = router.call(request).await?;
        Ok(Answer::of(response, place, permit))
    }
}

/// True for a path that is answered though all else waits: a site that looks dead would be restarted, and one without a current CRL is.
fn is_in_reserve(path: &str) -> bool {
    matches!(path, "/healthz" | "/readyz") || path.starts_with("/pki/")
}

fn busy() -> Response<Body> {
    Refusal::new(ProblemKind::Unavailable, "The service has too much to do. Nothing is lost: try again in a minute.")
        .into_response()
}

/// The files that are open beside connections: databases, the log, and what is read for a moment.
const FILES_BESIDE: u64 = 256;
/// The listeners, each of which has connections of its own.
const LISTENERS: u64 = 3;

/// Lets this process have as many files open, connections among them, as the system permits it, and says so in the log where that is too few.
pub fn raise_file_limit(limits: &Limits) {
    let limit = getrlimit(Resource::Nofile);
    // No number is no limit.
    let (Some(current), maximum) = (limit.current, limit.maximum) else { return };
    let connections = u64::try_from(limits.connections.saturating_add(RESERVE)).unwrap_or(u64::MAX);
    let wanted = connections.saturating_mul(LISTENERS).saturating_add(FILES_BESIDE);
    if maximum.is_none_or(|maximum| maximum > current)
        && let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })
    {
        tracing::warn!(%error, current, "the limit on open files cannot be raised");
    }
    if maximum.is_some_and(|maximum| maximum < wanted) {
        tracing::warn!(
            maximum,
            wanted,
            "there may be too few open files for limits.connections: raise LimitNOFILE or “ulimit -Hn”"
        );
    }
}
