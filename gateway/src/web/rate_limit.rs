//! How often one address may ask, and how often anybody may ask about one request: above that, the answer is 429 with Retry-After.

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use keyside_core::api::{PROBLEM_JSON, Problem, ProblemKind, REQUESTS_PATH};
use keyside_core::domain::transaction_id::TransactionId;
use percent_encoding::percent_decode_str;

use super::settings::Limits;
use crate::limiter_memory::forget;
use crate::network::network;

/// The limits, and who has asked how often.
pub struct RateLimits {
    addresses: DefaultKeyedRateLimiter<IpAddr>,
    requests: DefaultKeyedRateLimiter<TransactionId>,
    header: Option<HeaderName>,
}

impl RateLimits {
    /// The limits as they are configured.
    pub fn new(limits: &Limits) -> Self {
        let per_minute = |count: NonZeroU32| Quota::per_minute(count);
        Self {
            addresses: RateLimiter::keyed(per_minute(limits.calls_per_minute_and_address)),
            requests: RateLimiter::keyed(per_minute(limits.calls_per_minute_and_request)),
            header: limits.client_address_header.clone().map(|name| name.0),
        }
    }

    /// Notes a call from `address` on `path`; refuses it where there were too many.
    fn check(&self, address: Option<IpAddr>, path: &str) -> Result<(), TooMany> {
        let now = DefaultClock::default();
        let refuse = |wait: Duration, what| TooMany { what, seconds: wait.as_secs() + 1 };
        if let Some(address) = address {
            forget(&self.addresses);
            self.addresses
                .check_key(&network(address))
                .map_err(|until| refuse(until.wait_time_from(now.now()), "from this address"))?;
        }
        if let Some(id) = transaction_id(path) {
            forget(&self.requests);
            self.requests
                .check_key(&id)
                .map_err(|until| refuse(until.wait_time_from(now.now()), "about this request"))?;
        }
        Ok(())
    }

    /// Whom a call is from: as the trusted proxy says, whose entry is the last one, or else the other end of the connection.
    fn address(&self, headers: &HeaderMap, peer: Option<IpAddr>) -> Option<IpAddr> {
        // The proxy appends to what the client has sent, which may be any bytes, or nothing at all: that must not leave a call without limits.
        let entry = self.header.as_ref().and_then(|name| {
            let last = headers.get_all(name).iter().next_back()?.as_bytes().rsplit(|byte| *byte == b',').next()?;
            let last = std::str::from_utf8(last).ok()?.trim();
            last.parse().ok().or_else(|| last.parse::<SocketAddr>().ok().map(|address| address.ip()))
        });
        entry.or(peer)
    }
}

/// The transaction ID in a path, however it is written there.
fn transaction_id(path: &str) -> Option<TransactionId> {
    let segment = path.strip_prefix(REQUESTS_PATH)?.strip_prefix('/')?.split('/').next()?;
    percent_decode_str(segment).decode_utf8().ok()?.parse().ok()
}

/// The address that a call is from: an extension of the request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ClientAddress(pub(crate) IpAddr);

/// There were too many calls.
#[derive(Debug, PartialEq, Eq)]
struct TooMany {
    what: &'static str,
    /// After how many seconds there is room for one more.
    seconds: u64,
}

impl IntoResponse for TooMany {
    fn into_response(self) -> Response {
        let Self { what, seconds } = self;
        let detail = format!("There were too many calls {what}: try again in {seconds} seconds.");
        // To clients it is the kind that they know as "not now": what they do about it is the same.
        let problem = Problem { status: 429, ..Problem::new(ProblemKind::Unavailable, detail) };
        let headers = [
            (header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON)),
            (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
            (header::RETRY_AFTER, seconds.into()),
        ];
        (StatusCode::TOO_MANY_REQUESTS, headers, Json(problem)).into_response()
    }
}

/// Lets a call through, or refuses it.
pub async fn limit(State(limits): State<Arc<RateLimits>>, request: Request, next: Next) -> Response {
    let address = limits.address(request.headers(), peer(&request));
    limit_address(&limits, address, request, next).await
}

/// The same where no proxy can have written a header, because clients speak TLS with the gateway itself: the other end of the connection
/// counts, whatever it says.
pub async fn limit_by_peer(State(limits): State<Arc<RateLimits>>, request: Request, next: Next) -> Response {
    let address = peer(&request);
    limit_address(&limits, address, request, next).await
}

/// The other end of the connection.
fn peer(request: &Request) -> Option<IpAddr> {
    request.extensions().get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(address)| address.ip())
}

async fn limit_address(limits: &RateLimits, address: Option<IpAddr>, mut request: Request, next: Next) -> Response {
    if let Some(address) = address {
        request.extensions_mut().insert(ClientAddress(address));
    }
    match limits.check(address, request.uri().path()) {
        Ok(()) => next.run(request).await,
        Err(too_many) => too_many.into_response(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop where it fails")]

    use super::*;
    use crate::configuration::Config;

    fn limits(count: u32, header: Option<&str>) -> RateLimits {
        let mut limits = Config::load(None).unwrap().limits;
        limits.calls_per_minute_and_address = NonZeroU32::new(count).unwrap();
        limits.calls_per_minute_and_request = NonZeroU32::new(2).unwrap();
        let mut rate_limits = RateLimits::new(&limits);
        rate_limits.header = header.map(|name| name.parse().unwrap());
        rate_limits
    }

    #[test]
    fn an_address_has_its_share_and_no_more() {
        let limits = limits(3, None);
        let one = Some("192.0.2.1".parse().unwrap());
        for _ in 0..3 {
            limits.check(one, "/api/v1/ca").unwrap();
        }
        let too_many = limits.check(one, "/api/v1/ca").unwrap_err();
        assert_eq!(too_many, TooMany { what: "from this address", seconds: 20 });
        limits.check(Some("192.0.2.2".parse().unwrap()), "/api/v1/ca").unwrap();
    }

    #[test]
    fn one_network_is_one_customer() {
        let limits = limits(2, None);
        for address in ["2001:db8::1", "2001:db8::2:1"] {
            limits.check(Some(address.parse().unwrap()), "/api/v1/ca").unwrap();
        }
        assert!(limits.check(Some("2001:db8::3".parse().unwrap()), "/api/v1/ca").is_err());
        limits.check(Some("2001:db8:0:1::1".parse().unwrap()), "/api/v1/ca").unwrap();
    }

    #[test]
    fn a_request_has_its_share_whoever_asks_and_however_it_is_written() {
        let limits = limits(100, None);
        let ask = |last: u8, path: String| limits.check(Some(IpAddr::from([192, 0, 2, last])), &path);
        let [one, other] = [(); 2].map(|()| TransactionId::random(&mut rand::rng()).to_string());
        ask(1, format!("{REQUESTS_PATH}/{one}")).unwrap();
        ask(2, format!("{REQUESTS_PATH}/{}/certificate", one.to_lowercase().replace('-', ""))).unwrap();
        assert!(ask(3, format!("{REQUESTS_PATH}/{}/revocation", one.replace('-', "%2D"))).is_err());
        ask(3, format!("{REQUESTS_PATH}/{other}")).unwrap();
        ask(3, REQUESTS_PATH.into()).unwrap();
    }

    #[test]
    fn only_the_trusted_proxy_says_whom_a_call_is_from() {
        let peer = Some("127.0.0.1".parse().unwrap());
        let mut headers = HeaderMap::new();
        headers.insert("x-forwarded-for", HeaderValue::from_static("198.51.100.7, 192.0.2.1"));
        assert_eq!(limits(1, None).address(&headers, peer), peer);
        let behind_a_proxy = limits(1, Some("x-forwarded-for"));
        assert_eq!(behind_a_proxy.address(&headers, peer), Some("192.0.2.1".parse().unwrap()));
        headers.insert("x-forwarded-for", HeaderValue::from_static("nonsense"));
        assert_eq!(behind_a_proxy.address(&headers, peer), peer);
        headers.clear();
        assert_eq!(behind_a_proxy.address(&headers, peer), peer);
        // What the client has sent before the proxy's entry may be any bytes.
        headers.insert("x-forwarded-for", HeaderValue::from_bytes(b"\xff, 192.0.2.1").unwrap());
        assert_eq!(behind_a_proxy.address(&headers, peer), Some("192.0.2.1".parse().unwrap()));
    }
}
