//! The HTTP server: accepts connections, within bounds, and ends them in peace.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ConnectInfo;
use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_io_timeout::TimeoutStream;
use tokio_rustls::TlsAcceptor;
use tower_http::add_extension::AddExtension;

use crate::config::Limits;
use crate::tls::Client;

/// How long requests that are under way may still take after the signal to stop.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long to wait when the system has no connection to give (it is out of file descriptors, say).
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// A client's connection, cut off when it takes no answer.
type Stream = Pin<Box<TimeoutStream<TcpStream>>>;

/// Serves `router` on `listener` until `shutdown` is there, then lets the requests that are under way finish.
///
/// HTTP/1 only: a connection has one request at a time, so that bounding connections bounds requests. A client that takes
/// longer than the time limit to send a request's head, to send the next one, or to take any of an answer, is cut off.
pub async fn serve(listener: TcpListener, router: Router, limits: &Limits, shutdown: impl Future<Output = ()>) {
    let open = |stream| std::future::ready(Ok((stream, router.clone())));
    accept_until(listener, limits, shutdown, open).await
}

/// The same over TLS: handlers find who is at the other end in an [`Extension`] with the [`Client`].
pub async fn serve_tls(
    listener: TcpListener,
    tls: TlsAcceptor,
    router: Router,
    limits: &Limits,
    shutdown: impl Future<Output = ()>,
) {
    let open = |stream: Stream| {
        let (handshake, router) = (tls.accept(stream), router.clone());
        async move {
            let stream = handshake.await?;
            let client = Client::of(stream.get_ref().1);
            Ok((stream, router.layer(Extension(client))))
        }
    };
    accept_until(listener, limits, shutdown, open).await
}

/// Accepts connections until `shutdown` is there. `open` makes of each the stream that HTTP is spoken on, and what answers there; it
/// has as long as a request's head.
async fn accept_until<Opening, Opened>(
    listener: TcpListener,
    limits: &Limits,
    shutdown: impl Future<Output = ()>,
    open: impl Fn(Stream) -> Opening,
) where
    Opening: Future<Output = io::Result<(Opened, Router)>> + Send + 'static,
    Opened: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(limits.timeout());
    let places = Arc::new(Semaphore::new(limits.connections.min(Semaphore::MAX_PERMITS)));
    let graceful = GracefulShutdown::new();
    let mut shutdown = std::pin::pin!(shutdown);

    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener, &places) => accepted,
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
        let mut stream = TimeoutStream::new(stream);
        stream.set_write_timeout(Some(limits.timeout()));
        let opening = tokio::time::timeout(limits.timeout(), open(Box::pin(stream)));
        let (http, watcher) = (http.clone(), graceful.watcher());
        tokio::spawn(async move {
            let _place = place;
            let (stream, router) = match opening.await {
                Ok(Ok(opened)) => opened,
                Ok(Err(error)) => return tracing::debug!(%error, "a connection was not opened"),
                Err(_) => return tracing::debug!("a connection was not opened in time"),
            };
            // Handlers find whom they answer.
            let service = AddExtension::new(router, ConnectInfo(peer));
            let connection = http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
            if let Err(error) = watcher.watch(connection).await {
                tracing::debug!(%error, "a connection broke off");
            }
        });
    }

    drop(listener);
    tracing::info!("stopping");
    if tokio::time::timeout(PATIENCE, graceful.shutdown()).await.is_err() {
        tracing::warn!("requests were still under way and are cut off");
    }
}

/// The next connection, once there is a place for it.
async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    stream.set_nodelay(true)?;
    Ok((stream, peer, place))
}
