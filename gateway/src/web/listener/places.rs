//! The places for connections at a listener: there is one for each new client, for which a connection goes that only waits.
//!
//! A connection waits until it has sent a whole request and work on it begins, and again once the system has all of the answer. The one that has
//! waited longest is closed for a new one when all places are taken, or all that one address may have: a client that opens many and
//! sends little on them loses them first. A request that is worked on is answered in any case.

use std::collections::HashMap;
use std::io::{self, IoSlice};
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Instant;

use axum::body::{Bytes, HttpBody};
use axum::http::Response;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::{Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{Notify, OwnedSemaphorePermit};

use crate::network::network;

/// The length of an answer that a system takes at once, unless the client has not taken others.
const FEW: usize = 16 * 1024;

/// The places.
pub(super) struct Places {
    /// As many connections are open at once.
    limit: usize,
    /// As many are from one address, if that is bounded.
    limit_per_address: Option<usize>,
    open: Mutex<Open>,
    /// A connection was closed, or waits.
    changed: Notify,
}

#[derive(Default)]
struct Open {
    next: u64,
    connections: HashMap<u64, Connection>,
}

struct Connection {
    network: IpAddr,
    /// Since it waits, if it does.
    waits_since: Option<Instant>,
    /// All of the answer is there.
    is_answered: bool,
    /// Tells it to end.
    close: Arc<Notify>,
}

impl Open {
    /// Closes the connection that has waited longest, of one network if it is given. Returns false if none waits.
    fn close_one(&mut self, network: Option<IpAddr>) -> bool {
        let oldest = self
            .connections
            .iter()
            .filter(|(_, connection)| network.is_none_or(|network| network == connection.network))
            .filter_map(|(id, connection)| Some((connection.waits_since?, *id)))
            .min();
        let Some(closed) = oldest.and_then(|(_, id)| self.connections.remove(&id)) else { return false };
        closed.close.notify_one();
        true
    }

    fn count(&self, network: IpAddr) -> usize {
        self.connections.values().filter(|connection| connection.network == network).count()
    }
}

impl Places {
    pub(super) fn new(limit: usize, limit_per_address: Option<usize>) -> Arc<Self> {
        Arc::new(Self { limit, limit_per_address, open: Mutex::default(), changed: Notify::new() })
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for a connection from `address`, once there is one. None if all connections of the address are at work.
    pub(super) async fn take(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        let network = network(address);
        loop {
            if let Some(place) = self.try_take(network)? {
                return Some(place);
            }
            self.changed.notified().await;
        }
    }

    fn try_take(self: &Arc<Self>, network: IpAddr) -> Option<Option<Place>> {
        let mut open = self.open();
        if self.limit_per_address.is_some_and(|limit| open.count(network) >= limit) && !open.close_one(Some(network)) {
            return None;
        }
        if open.connections.len() >= self.limit && !open.close_one(None) {
            return Some(None);
        }
        let (id, close) = (open.next, Arc::new(Notify::new()));
        open.next += 1;
        let waits_since = Some(Instant::now());
        let connection = Connection { network, waits_since, is_answered: false, close: Arc::clone(&close) };
        open.connections.insert(id, connection);
        Some(Some(Place { id, close, places: Arc::clone(self) }))
    }
}

/// The place of one connection, which is free again when this is dropped.
pub(super) struct Place {
    id: u64,
    close: Arc<Notify>,
    places: Arc<Places>,
}

impl Place {
    /// Ends when the connection is to be closed.
    pub(super) async fn closed(&self) {
        self.close.notified().await;
    }

    /// The connection has sent a whole request.
    fn works(&self) {
        if let Some(connection) = self.places.open().connections.get_mut(&self.id) {
            (connection.waits_since, connection.is_answered) = (None, false);
        }
    }

    /// All of the answer is there.
    fn is_answered(&self) {
        if let Some(connection) = self.places.open().connections.get_mut(&self.id) {
            connection.is_answered = true;
        }
    }

    /// The part of the answer that is there is sent, or the client takes no more for now. Once all of it is sent the connection waits.
    fn sends(&self, is_sent: bool) {
        let mut open = self.places.open();
        let Some(connection) = open.connections.get_mut(&self.id) else { return };
        if !connection.is_answered || connection.waits_since.is_some() == is_sent {
            return;
        }
        connection.waits_since = is_sent.then(Instant::now);
        drop(open);
        if is_sent {
            self.places.changed.notify_one();
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.open().connections.remove(&self.id);
        self.places.changed.notify_one();
    }
}

/// A request's body, at whose end the connection has sent a whole request.
pub(super) struct Received<B> {
    body: B,
    place: Arc<Place>,
}

impl<B: HttpBody> Received<B> {
    pub(super) fn new(body: B, place: Arc<Place>) -> Self {
        if body.is_end_stream() {
            place.works();
        }
        Self { body, place }
    }
}

impl<B: HttpBody + Unpin> HttpBody for Received<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        if matches!(frame, Poll::Ready(None)) || self.body.is_end_stream() {
            self.place.works();
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A connection's stream, which waits once an answer is sent.
pub(super) struct Sending<S> {
    stream: S,
    place: Arc<Place>,
}

impl<S> Sending<S> {
    pub(super) const fn new(stream: S, place: Arc<Place>) -> Self {
        Self { stream, place }
    }

    /// Before `length` bytes are written. Few are sent at once: a client that has read them finds that its connection waits.
    fn before(&self, length: usize) {
        if length <= FEW {
            self.place.sends(true);
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Sending<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Sending<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.before(bytes.len());
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.place.sends(is_all(&written, bytes.len()));
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let length = slices.iter().map(|slice| slice.len()).sum();
        self.before(length);
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.place.sends(is_all(&written, length));
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// TLS takes more than it has sent.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        self.place.sends(flushed.is_ready());
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// True if all of `length` bytes were written.
fn is_all(written: &Poll<io::Result<usize>>, length: usize) -> bool {
    matches!(written, Poll::Ready(Ok(count)) if *count == length)
}

/// An answer's body. HTTP's writer drops it when it has all of it.
pub(super) struct Answer {
    body: UnsyncBoxBody<Bytes, axum::Error>,
    place: Arc<Place>,
    /// Permission to work on the request, until it is answered.
    _permit: Option<OwnedSemaphorePermit>,
}

impl Answer {
    pub(super) fn of(
        response: Response<axum::body::Body>,
        place: Arc<Place>,
        permit: Option<OwnedSemaphorePermit>,
    ) -> Response<Self> {
        response.map(|body| Self { body: UnsyncBoxBody::new(body), place, _permit: permit })
    }
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.place.is_answered();
    }
}
