//! HTTP: which path leads where, and what stands around every answer.

use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderValue, Method, Uri, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use axum::{Extension, Router};
use keyside_core::api::{CA_PATH, CONFIGURATION_PATH, ProblemKind, REQUESTS_PATH};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::cors::CorsLayer;
use tower_http::trace::TraceLayer;

use crate::ra::RegistrationAuthority;
use crate::ra::refusal::Refusal;

mod accept;
mod api;
mod app;
mod body;
mod connection_check;
pub mod console;
mod est;
pub mod listener;
pub mod operations;
pub mod page;
mod pki;
mod problems;
pub mod rate_limit;
mod security_headers;
pub mod settings;
pub mod tls;

use self::api::{ca, configuration, openapi, requests};
use self::app::App;
use self::console::Console;
use self::operations::Operations;
use self::page::Page;
use self::rate_limit::RateLimits;
use self::settings::Settings;

/// Where kinds of problems are described.
const PROBLEMS_PATH: &str = "/problems/{*slug}";

/// What stands around every answer of every listener: the count of answers, and the limits on calls.
#[derive(Clone)]
pub struct Around {
    /// Counts, and has the probes.
    pub operations: Arc<Operations>,
    /// Limits.
    pub rate_limits: Arc<RateLimits>,
}

/// Everything the gateway answers to.
pub fn router(
    ra: Arc<RegistrationAuthority>,
    settings: &Settings,
    page: Option<Page>,
    public_url: &str,
    console: Console,
    around: Around,
) -> Router {
    let app = App { ra, limits: settings.limits.clone() };
    let mut gateway = Router::new()
        .route(REQUESTS_PATH, post(requests::submit))
        .route(&format!("{REQUESTS_PATH}/{{transaction_id}}"), get(requests::status).put(requests::correct))
        .route(&format!("{REQUESTS_PATH}/{{transaction_id}}/certificate"), get(requests::certificate))
        .route(&format!("{REQUESTS_PATH}/{{transaction_id}}/revocation"), post(requests::revoke))
        .route(CONFIGURATION_PATH, get(configuration::read))
        .route(CA_PATH, get(ca::read))
        .route(openapi::PATH, get(openapi::read))
        .merge(pki::routes(&app.ra))
        .route(PROBLEMS_PATH, get(problems::describe))
        .method_not_allowed_fallback(method_not_allowed);
    for prefix in ["/api", "/pki"] {
        gateway = gateway
            .route(prefix, any(not_found))
            .route(&format!("{prefix}/"), any(not_found))
            .route(&format!("{prefix}/{{*path}}"), any(not_found));
    }
    gateway = gateway
        .layer(middleware::from_fn_with_state(app.clone(), in_time))
        .layer(middleware::from_fn_with_state(Arc::clone(&around.rate_limits), rate_limit::limit));
    if !settings.allowed_origins.is_empty() {
        gateway = gateway.layer(cors(&settings.allowed_origins));
    }
    let console = console::router(console)
        .layer(middleware::from_fn_with_state(app.clone(), in_time))
        .layer(middleware::from_fn_with_state(around.rate_limits, rate_limit::limit));
    let probes = operations::probes(Arc::clone(&around.operations));
    let gateway = gateway.with_state(app).merge(console).merge(probes);

    let router = match page {
        Some(page) => gateway.merge(page.into_router()),
        None => gateway.fallback(no_page),
    };
    router
        .layer(CatchPanicLayer::custom(problems::of_panic))
        .layer(middleware::map_response_with_state(security_headers::for_site(public_url), security_headers::set))
        .layer(middleware::from_fn_with_state(around.operations, operations::count))
        .layer(TraceLayer::new_for_http().make_span_with(span))
}

/// Everything that is answered to over TLS with client certificates: the connection check, EST, and the console. `page_url` is where the page is, if the gateway serves it.
pub fn connection_check_router(
    ra: Arc<RegistrationAuthority>,
    settings: &Settings,
    page_url: Option<&str>,
    console: Console,
    around: Around,
) -> Router {
    let app = App { ra, limits: settings.limits.clone() };
    let site = connection_check::Site::new(&settings.site, page_url);
    Router::new()
        .route("/", get(connection_check::read))
        .route(connection_check::STYLE_PATH, get(connection_check::style))
        .route(connection_check::ICON_PATH, get(connection_check::icon))
        .route(est::CA_CERTS_PATH, get(est::ca_certificates))
        .route(est::SIMPLE_ENROLL_PATH, post(est::simple_enroll))
        .route(est::SIMPLE_REENROLL_PATH, post(est::simple_reenroll))
        .route(PROBLEMS_PATH, get(problems::describe))
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(Extension(site))
        .layer(middleware::from_fn_with_state(app.clone(), in_time))
        .with_state(app.clone())
        .merge(console::router(console).layer(middleware::from_fn_with_state(app, in_time)))
        .layer(middleware::from_fn_with_state(around.rate_limits, rate_limit::limit_by_peer))
        .layer(CatchPanicLayer::custom(problems::of_panic))
        .layer(middleware::map_response_with_state(security_headers::for_connection_check(), security_headers::set))
        .layer(middleware::from_fn_with_state(around.operations, operations::count))
        .layer(TraceLayer::new_for_http().make_span_with(span))
}

/// What the log says of a request: its route alone. Paths and queries have names, addresses and one-time links in them.
fn span(request: &Request) -> tracing::Span {
    let route = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    tracing::debug_span!("request", method = %request.method(), route)
}

/// Lets the page use the API from these origins (the Fetch standard, section 3.3).
fn cors(origins: &[String]) -> CorsLayer {
    let origins = origins.iter().filter_map(|origin| HeaderValue::from_str(origin).ok());
    CorsLayer::new()
        .allow_origin(origins.collect::<Vec<_>>())
        .allow_methods([Method::GET, Method::POST, Method::PUT])
        .allow_headers([header::ACCEPT, header::CONTENT_TYPE])
        .expose_headers([header::LOCATION, header::RETRY_AFTER])
}

/// Gives up on a request that is not received and answered in time.
async fn in_time(State(app): State<App>, request: Request, next: Next) -> Response {
    let limit = app.limits.timeout();
    match tokio::time::timeout(limit, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Refusal::new(
            ProblemKind::Unavailable,
            format!("The request was not received and answered within {} seconds: try again.", limit.as_secs()),
        )
        .into_response(),
    }
}

async fn not_found(uri: Uri) -> Refusal {
    Refusal::new(ProblemKind::NotFound, format!("There is nothing at {}: compare it with the API's paths.", uri.path()))
}

async fn method_not_allowed(method: Method) -> Refusal {
    Refusal::new(
        ProblemKind::MethodNotAllowed,
        format!("{method} is not allowed here; the header Allow lists the methods that are."),
    )
}

async fn no_page() -> Refusal {
    Refusal::new(
        ProblemKind::NotFound,
        "This gateway was built without the page: start it with --page FOLDER to serve one.",
    )
}
