//! The places for connections at a listener: there is one for each new client, for which a connection goes that only waits.
//!
//! A connection waits until it has sent a whole request, and again once it was answered. The one that has waited longest is closed for a new one
//! when all places are taken, or all that one address may have: a client that opens many and sends little on them loses them first. A
//! request that was sent whole is answered in any case.

use std::collections::HashMap;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Instant;

use axum::body::{Bytes, HttpBody};
use axum::http::Response;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::{Frame, SizeHint};
use tokio::sync::{Notify, OwnedSemaphorePermit};

use crate::limiters::network;

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
        let connection = Connection { network, waits_since: Some(Instant::now()), close: Arc::clone(&close) };
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

    fn set(&self, waits_since: Option<Instant>) {
        if let Some(connection) = self.places.open().connections.get_mut(&self.id) {
            connection.waits_since = waits_since;
        }
        if waits_since.is_some() {
            self.places.changed.notify_one();
        }
    }

    /// The connection has sent a whole request.
    fn works(&self) {
        self.set(None);
    }

    /// The connection was answered.
    fn waits(&self) {
        self.set(Some(Instant::now()));
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

/// An answer's body, after which the connection waits.
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
        self.place.waits();
    }
}
