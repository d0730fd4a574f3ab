//! What those who run the gateway ask it: whether it lives, whether it can work, and how it fares.
//!
//! `/healthz` and `/readyz` are on every listener, and say a word. `/metrics` is on the operations listener alone (`--operations-listen`): how
//! many people ask for certificates is nobody else's affair.

use std::fmt::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use tokio::sync::Mutex;

use crate::ca::CaEngine;
use crate::ca::expiry::CaEnd;
use crate::clock;
use crate::database::{Database, DatabaseError};
use crate::store::requests::State as RequestState;
use crate::store::waiting;

/// How long the database and the CA engine have to answer when somebody asks whether they do.
const LIMIT: Duration = Duration::from_secs(5);
/// The time for which a result of the readiness probe is used: strangers may ask as often as they like, and each answer would be a write.
const FRESH: Duration = Duration::from_secs(1);
/// The upper ends of the histogram's buckets, in seconds.
const BUCKETS: [f64; 8] = [0.005, 0.02, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0];
/// The route of whatever no route is for: paths that nobody has thought of do not become labels.
const NO_ROUTE: &str = "none";
/// The media type of OpenMetrics.
const OPEN_METRICS: HeaderValue =
    HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    route: String,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Route {
    route: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfAuthority {
    authority: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct InState {
    state: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Within {
    days: u32,
}

fn histogram() -> Histogram {
    Histogram::new(BUCKETS)
}

/// The probes and the metrics.
pub struct Operations {
    database: Database,
    ca: Arc<dyn CaEngine>,
    registry: Registry,
    answered: Family<Answered, Counter>,
    durations: Family<Route, Histogram, fn() -> Histogram>,
    waiting: Family<InState, Gauge>,
    revocation_requested: Gauge,
    revoked: Gauge,
    ending: Family<Within, Gauge>,
    free_bytes: Gauge,
    /// When it was last found out whether the gateway is ready, and what is not.
    found: Mutex<Option<(Instant, Result<(), &'static str>)>>,
}

impl Operations {
    /// The operations of a gateway with this database and this engine.
    pub fn new(database: Database, ca: Arc<dyn CaEngine>) -> Self {
        let (answered, waiting) = (Family::default(), Family::default());
        let durations = Family::new_with_constructor(histogram as fn() -> Histogram);
        let mut registry = Registry::with_prefix("keyside");
        registry.register("http_answers", "Answers, by route and status", answered.clone());
        registry.register("http_duration_seconds", "How long answers took, by route", durations.clone());
        registry.register(
            "requests_waiting",
            "Requests for certificates that wait: for approval (pending), for the CA (approved)",
            waiting.clone(),
        );
        let (revocation_requested, revoked, ending) = (Gauge::default(), Gauge::default(), Family::default());
        registry.register(
            "certificates_revocation_requested",
            "Certificates whose revocation was asked for, and is not decided",
            revocation_requested.clone(),
        );
        registry.register("certificates_revoked", "Certificates that were revoked", revoked.clone());
        registry.register(
            "certificates_ending",
            "Certificates that are good, and end within so many days",
            ending.clone(),
        );
        let ca_ends = Family::<OfAuthority, Gauge>::default();
        for end in CaEnd::all(&*ca) {
            let authority = end.authority.slug();
            ca_ends.get_or_create(&OfAuthority { authority }).set(end.at);
        }
        registry.register(
            "ca_not_after_timestamp_seconds",
            "The last second of the validity of the CA's own certificates, since 1970-01-01T00:00:00Z",
            ca_ends,
        );
        let free_bytes = Gauge::default();
        if database.free_bytes().is_some() {
            registry.register("database_free_bytes", "The room on the disk of the SQLite database", free_bytes.clone());
        }
        Self {
            database,
            ca,
            registry,
            answered,
            durations,
            waiting,
            revocation_requested,
            revoked,
            ending,
            free_bytes,
            found: Mutex::default(),
        }
    }

    /// Finds out if the gateway can work; an error is the reason if it cannot.
    async fn ready(&self) -> Result<(), &'static str> {
        let mut found = self.found.lock().await;
        match *found {
            Some((at, known)) if at.elapsed() < FRESH => known,
            _ => {
                let now = self.find_out().await;
                *found = Some((Instant::now(), now));
                now
            }
        }
    }

    async fn find_out(&self) -> Result<(), &'static str> {
        let database = tokio::time::timeout(LIMIT, self.database.try_to_write());
        let engine = tokio::time::timeout(LIMIT, self.ca.ready());
        let (database, engine) = tokio::join!(database, engine);
        match (database, engine) {
            (Ok(Ok(())), Ok(Ok(()))) => Ok(()),
            (Ok(Ok(())), engine) => {
                tracing::warn!(?engine, "the CA engine is not ready");
                Err("the CA engine does not answer")
            }
            (Ok(Err(DatabaseError::NoRoom { path, free_bytes })), _) => {
                tracing::warn!(path = %path.display(), free_bytes, "the disk of the database is full");
                Err("the disk of the database is full")
            }
            (database, _) => {
                tracing::warn!(?database, "the database is not ready");
                Err("the database takes no writes")
            }
        }
    }

    /// The metrics as OpenMetrics text, which Prometheus reads.
    async fn metrics(&self) -> Result<String, Box<dyn std::error::Error + Send + Sync>> {
        let counts = waiting::counts(self.database.reader(), clock::now()).await?;
        for (state, count) in [(RequestState::Pending, counts.pending), (RequestState::Approved, counts.approved)] {
            self.waiting.get_or_create(&InState { state: state.name() }).set(count);
        }
        self.revocation_requested.set(counts.revocation_requested);
        self.revoked.set(counts.revoked);
        for (days, count) in [(30, counts.ending_in_30_days), (90, counts.ending_in_90_days)] {
            self.ending.get_or_create(&Within { days }).set(count);
        }
        self.free_bytes.set(self.database.free_bytes().map_or(0, |bytes| i64::try_from(bytes).unwrap_or(i64::MAX)));
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

/// The probes, for every listener.
pub fn probes(operations: Arc<Operations>) -> Router {
    Router::new().route("/healthz", get(health)).route("/readyz", get(readiness)).with_state(operations)
}

/// Everything that the operations listener answers to.
pub fn router(operations: Arc<Operations>) -> Router {
    let metrics = Router::new().route("/metrics", get(metrics)).with_state(Arc::clone(&operations));
    probes(operations).merge(metrics)
}

/// Counts an answer and how long it took.
pub async fn count(State(operations): State<Arc<Operations>>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map_or(NO_ROUTE, MatchedPath::as_str).to_owned();
    let started = Instant::now();
    let response = next.run(request).await;
    let status = response.status().as_u16();
    operations.durations.get_or_create(&Route { route: route.clone() }).observe(started.elapsed().as_secs_f64());
    operations.answered.get_or_create(&Answered { route, status }).inc();
    response
}

async fn health() -> &'static str {
    "alive\n"
}

async fn readiness(State(operations): State<Arc<Operations>>) -> Response {
    match operations.ready().await {
        Ok(()) => "ready\n".into_response(),
        Err(reason) => {
            let mut text = String::new();
            // A String takes everything.
            let _ = writeln!(text, "not ready: {reason}");
            (StatusCode::SERVICE_UNAVAILABLE, text).into_response()
        }
    }
}

async fn metrics(State(operations): State<Arc<Operations>>) -> Response {
    match operations.metrics().await {
        Ok(text) => ([(header::CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "the metrics cannot be told");
            (StatusCode::SERVICE_UNAVAILABLE, "the database does not answer\n").into_response()
        }
    }
}
