//! `/console`: the officers' console.
//!
//! Plain HTML with a style sheet: no script at all. Whatever changes something is a form that is posted, and what cannot be undone
//! has a page of its own that asks once more. A page is in one file: its handlers, its query and its look.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request as HttpRequest, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{any, get, post};

use self::extract::{App, Failure};
use self::layout::Viewer;
use super::app::NO_STORE;
use super::problems::RETRY_AFTER;
use super::security_headers;

mod audit_log;
mod authorisations;
mod decisions;
mod extract;
mod layout;
mod officers;
mod request;
mod requests;
mod sign_in;

pub use extract::Console;

/// Everything under `/console`.
pub(super) fn router(console: Console) -> Router {
    let console = Arc::new(console);
    Router::new()
        .route("/console", get(root))
        .route(layout::STYLE_PATH, get(style))
        .route(layout::ICON_PATH, get(icon))
        .route("/console/sign-in", get(sign_in::show))
        .route("/console/sign-in/{token}", get(sign_in::show_link).post(sign_in::use_link))
        .route("/console/sign-in-with-certificate", post(sign_in::use_certificate))
        .route("/console/sign-out", post(sign_in::sign_out))
        .route("/console/sign-out-everywhere", post(sign_in::sign_out_everywhere))
        .route("/console/requests", get(requests::list))
        .route("/console/requests/{transaction_id}", get(request::show))
        .route("/console/requests/{transaction_id}/approve", get(decisions::ask_to_approve).post(decisions::approve))
        .route("/console/requests/{transaction_id}/reject", get(decisions::ask_to_reject).post(decisions::reject))
        .route("/console/requests/{transaction_id}/revoke", get(decisions::ask_to_revoke).post(decisions::revoke))
        .route("/console/authorisations", get(authorisations::list).post(authorisations::authorise))
        .route("/console/authorisations/new", get(authorisations::show_form))
        .route("/console/authorisations/{id}", get(authorisations::show))
        .route(
            "/console/authorisations/{id}/code",
            get(authorisations::ask_to_replace_code).post(authorisations::replace_code),
        )
        .route(
            "/console/authorisations/{id}/withdraw",
            get(authorisations::ask_to_withdraw).post(authorisations::withdraw),
        )
        .route("/console/officers", get(officers::list))
        .route("/console/audit", get(audit_log::list))
        .route("/console/{*path}", any(nothing))
        .method_not_allowed_fallback(wrong_method)
        .layer(middleware::from_fn_with_state(Arc::clone(&console), finish))
        .with_state(console)
}

/// Gives every answer its headers, and a failure its page.
async fn finish(State(console): App, request: HttpRequest, next: Next) -> Response {
    let mut response = if request.uri().path().contains("%00") {
        let text = "There is nothing at this address: compare it, or search from the console's pages.";
        console.notice(None, StatusCode::NOT_FOUND, "Not found", text)
    } else {
        next.run(request).await
    };
    if let Some(Failure { is_outage }) = response.extensions().get() {
        response = if *is_outage {
            let text = "Nothing is lost, and nothing was decided: try again in a minute, and tell the operator of this gateway if it stays.";
            console.notice(None, StatusCode::SERVICE_UNAVAILABLE, "The gateway cannot save anything now", text)
        } else {
            let text = "Nothing is lost, and nothing was decided: try again later, and tell the operator of this gateway if it stays.";
            console.notice(None, StatusCode::INTERNAL_SERVER_ERROR, "The gateway has failed", text)
        };
    }
    if response.status() == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(header::RETRY_AFTER, RETRY_AFTER);
    }
    let headers = response.headers_mut();
    headers.extend(security_headers::CONSOLE);
    headers.extend([NO_STORE]);
    response
}

async fn style() -> Response {
    ([(header::CONTENT_TYPE, HeaderValue::from_static("text/css; charset=utf-8"))], layout::STYLE).into_response()
}

async fn icon() -> Response {
    let media_type = HeaderValue::from_static("image/svg+xml");
    ([(header::CONTENT_TYPE, media_type)], include_str!("../../../public/icon.svg")).into_response()
}

async fn nothing(State(console): App, viewer: Viewer) -> Response {
    console.not_found(&viewer)
}

async fn wrong_method(State(console): App) -> Response {
    let text = "Nothing was done: this address is opened in another way. Go on from the console's pages.";
    console.notice(None, StatusCode::METHOD_NOT_ALLOWED, "Not taken", text)
}

async fn root(_: Viewer) -> Redirect {
    Redirect::to("/console/requests")
}
