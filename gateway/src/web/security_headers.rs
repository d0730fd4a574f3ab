//! The headers that stand on every answer, workers' scripts included: a worker does not inherit its page's policy.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::Response;

/// Everything comes from this origin, and WebAssembly may be compiled. Forms are handled in script, so that none is ever sent
/// (`form-action`). Text becomes a script or markup only by the page's one policy (Trusted Types, in `public/start.js`).
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; \
    img-src 'self'; font-src 'self'; connect-src 'self'; worker-src 'self'; manifest-src 'self'; form-action 'none'; \
    base-uri 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types default";

/// The connection check's page: a style sheet and an icon, and no script at all.
const CONNECTION_CHECK_POLICY: &str =
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'";

/// The officers' console: a style sheet and an icon, forms that are sent to it, and no script at all. Its pages tell its own origin where
/// they come from, since a browser that may not would send forms without their origin too.
pub(super) const CONSOLE: [(HeaderName, HeaderValue); 2] = [
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
        ),
    ),
    (header::REFERRER_POLICY, HeaderValue::from_static("same-origin")),
];

/// Headers that every site has.
const HEADERS: [(HeaderName, HeaderValue); 7] = [
    (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(CONTENT_SECURITY_POLICY)),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (
        HeaderName::from_static("permissions-policy"),
        HeaderValue::from_static("camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
    ),
    (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
    (HeaderName::from_static("cross-origin-embedder-policy"), HeaderValue::from_static("require-corp")),
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
];

/// The headers for a site that is reached at `public_url`: with https, browsers are told never to use http again (RFC 6797).
pub(super) fn for_site(public_url: &str) -> Arc<HeaderMap> {
    let mut headers = HeaderMap::from_iter(HEADERS);
    if public_url.starts_with("https://") {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    }
    Arc::new(headers)
}

/// The headers of the connection check. It never tells browsers to use https alone: that would hold for every port of its host, and
/// the site may be on another one.
pub(super) fn for_connection_check() -> Arc<HeaderMap> {
    let mut headers = HeaderMap::from_iter(HEADERS);
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(CONNECTION_CHECK_POLICY));
    Arc::new(headers)
}

/// Sets `headers` on a response that does not have its own.
pub(super) async fn set(State(headers): State<Arc<HeaderMap>>, mut response: Response) -> Response {
    for (name, value) in headers.iter() {
        response.headers_mut().entry(name).or_insert_with(|| value.clone());
    }
    response
}
