//! `/console`: who may do what in the officers' console, and what becomes of it. The pages are [`crate::console`]'s.
//!
//! What is posted is taken when the browser says that it comes from this origin and, once somebody has signed in, when the form has
//! the session's token.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request as HttpRequest, State};
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{any, get, post};
use axum::{Extension, Form, Router};
use keyside_core::api::{ConnectionVerdict, ProblemKind};
use keyside_core::domain::transaction_id::TransactionId;
use maud::Markup;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::NO_STORE;
use crate::audit::Actor;
use crate::authorisations::{self, AuthorisationError, CodeToldBy, NewAuthorisation, WithCode};
use crate::clock;
use crate::config::{self, Config};
use crate::console::sign_in::Entrance;
use crate::console::{self, FORM_TOKEN, PAGE_SIZE, Site, Viewer};
use crate::database::{Database, DatabaseError};
use crate::decision::{self, DecisionError, Extent};
use crate::namesakes;
use crate::officers::{self, CertificateSignIn, SESSION_LIFETIME, Token};
use crate::problem::{RETRY_AFTER, Refusal};
use crate::security_headers;
use crate::service::Service;
use crate::store;
use crate::store::authorisations::{Applicant, Authorisation, Standing};
use crate::store::requests::Request;
use crate::tls::Client;

/// The session's cookie. With https it has a name that no other host, and no page without https, can set.
const SECURE_COOKIE: &str = "__Host-keyside-console";
/// The same without https: on the computer itself, for trying it out.
const LOCAL_COOKIE: &str = "keyside-console";
/// The most characters of a reason for a rejection.
const LONGEST_REASON: usize = 500;
/// How many entries of a history are shown.
const HISTORY: i64 = 100;

/// What the console works on.
pub struct Console {
    service: Arc<Service>,
    database: Database,
    site: Site,
    /// Where the page is, for the link to Register.
    page_url: String,
    /// The console's own origin.
    origin: String,
    entrance: Entrance,
    /// The console where certificates are seen, if that is elsewhere.
    certificate_url: Option<String>,
}

impl Console {
    /// The console at `public_url`. `check_url` is where certificates are seen, without a slash at the end, if there is such a place.
    pub fn new(
        service: Arc<Service>,
        database: Database,
        config: &Config,
        public_url: &str,
        check_url: Option<&str>,
    ) -> Self {
        let is_protected = public_url.starts_with("https://") || config::is_loopback(public_url);
        let site = Site::new(config, service.ca_end());
        Self {
            service,
            database,
            site,
            page_url: public_url.into(),
            origin: public_url.into(),
            entrance: if is_protected { Entrance::Link } else { Entrance::Closed },
            certificate_url: check_url.map(|url| format!("{url}{}", console::ROOT)),
        }
    }

    /// The same console where certificates are seen, at `check_url`.
    pub fn with_certificates(&self, check_url: &str) -> Self {
        Self {
            service: Arc::clone(&self.service),
            database: self.database.clone(),
            site: self.site.clone(),
            page_url: self.page_url.clone(),
            origin: check_url.into(),
            entrance: Entrance::Certificate,
            certificate_url: None,
        }
    }

    fn is_secure(&self) -> bool {
        self.origin.starts_with("https://")
    }

    fn cookie(&self) -> &'static str {
        if self.is_secure() { SECURE_COOKIE } else { LOCAL_COOKIE }
    }

    /// The session's token that the browser shows.
    fn token(&self, headers: &HeaderMap) -> Option<Token> {
        let cookies = headers.get_all(header::COOKIE).into_iter().filter_map(|value| value.to_str().ok());
        let mut pairs = cookies.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
        pairs.find(|(name, _)| *name == self.cookie()).map(|(_, value)| Token::shown(value))
    }

    /// The header that has the browser keep this token, or forget the one it has.
    fn set_cookie(&self, token: Option<&Token>) -> Result<(header::HeaderName, HeaderValue), Failure> {
        let (value, age) = token.map_or(("", 0), |token| (token.secret(), SESSION_LIFETIME));
        let secure = if self.is_secure() { "; Secure" } else { "" };
        let text = format!("{}={value}; Path=/; Max-Age={age}; HttpOnly; SameSite=Strict{secure}", self.cookie());
        let mut value = HeaderValue::from_str(&text).map_err(|error| Failure::from(Refusal::internal(&error)))?;
        value.set_sensitive(true);
        Ok((header::SET_COOKIE, value))
    }

    /// The one who has signed in, and shows the certificate that the session began with, if it began with one.
    async fn viewer(&self, headers: &HeaderMap, extensions: &Extensions) -> Result<Option<(Viewer, Token)>, Failure> {
        if self.entrance == Entrance::Closed {
            return Ok(None);
        }
        let Some(token) = self.token(headers) else { return Ok(None) };
        let certificate = extensions.get::<Client>().and_then(|client| client.certificate.as_deref());
        let officer = officers::of_session(&self.database, &token, certificate).await?;
        Ok(officer.map(|officer| (Viewer { officer, form_token: token.for_forms() }, token)))
    }

    /// Whether the browser says that a page of this origin sends the request: both ways in which browsers say so must agree.
    fn is_from_here(&self, headers: &HeaderMap) -> bool {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let host = text(header::HOST.as_str()).unwrap_or_default();
        let scheme = if self.is_secure() { "https" } else { "http" };
        let origin =
            text(header::ORIGIN.as_str()).map(|origin| origin == self.origin || origin == format!("{scheme}://{host}"));
        let site = text("sec-fetch-site").map(|site| site == "same-origin");
        match (origin, site) {
            (None, None) => false,
            (origin, site) => origin.unwrap_or(true) && site.unwrap_or(true),
        }
    }

    fn notice(&self, viewer: Option<&Viewer>, status: StatusCode, title: &str, text: &str) -> Response {
        (status, html(console::notices::notice(&self.site, viewer, title, text))).into_response()
    }

    fn not_found(&self, viewer: &Viewer) -> Response {
        let text = "There is nothing here that you may see: compare the address, or search for it.";
        self.notice(Some(viewer), StatusCode::NOT_FOUND, "Not found", text)
    }

    fn not_allowed(&self, viewer: &Viewer) -> Response {
        let text = format!("This is not for the role {}.", viewer.role().title());
        self.notice(Some(viewer), StatusCode::FORBIDDEN, "Not allowed", &text)
    }

    fn not_from_here(&self, viewer: Option<&Viewer>) -> Response {
        let text = "Nothing was done: the form did not come from a page of this console, or from one of an earlier session. \
                    Open the page anew, and try again.";
        self.notice(viewer, StatusCode::FORBIDDEN, "Not taken", text)
    }

    /// The request with this transaction ID, if the viewer may see it.
    async fn request(&self, viewer: &Viewer, id: &str) -> Result<Option<Request>, Failure> {
        let Ok(id) = id.parse::<TransactionId>() else { return Ok(None) };
        let request = store::requests::find(self.database.reader(), id).await?;
        Ok(request.filter(|request| viewer.officer.sees(request.company.as_deref())))
    }

    /// The authorisation with this id, if the viewer may see it.
    async fn authorisation(&self, viewer: &Viewer, id: &str) -> Result<Option<Authorisation>, Failure> {
        let authorisation = store::authorisations::find(&self.database, id).await?;
        Ok(authorisation.filter(|authorisation| viewer.officer.sees(Some(&authorisation.company))))
    }
}

/// That the gateway itself has failed, or has an outage: what it shows is left to [`finish`].
#[derive(Clone, Copy)]
struct Failure {
    is_outage: bool,
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        Extension(self).into_response()
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        // The rest is in the log.
        Self { is_outage: refusal.kind == ProblemKind::Unavailable }
    }
}

impl From<DatabaseError> for Failure {
    fn from(error: DatabaseError) -> Self {
        Refusal::failed(&error).into()
    }
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        Refusal::failed(&error).into()
    }
}

type Answer = Result<Response, Failure>;
type App = State<Arc<Console>>;

fn html(page: Markup) -> Response {
    ([(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"))], page.into_string()).into_response()
}

impl FromRequestParts<Arc<Console>> for Viewer {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, console: &Arc<Console>) -> Result<Self, Response> {
        match console.viewer(&parts.headers, &parts.extensions).await {
            Ok(Some((viewer, _))) => Ok(viewer),
            Ok(None) => Err(to_sign_in()),
            Err(failure) => Err(failure.into_response()),
        }
    }
}

fn to_sign_in() -> Response {
    Redirect::to("/console/sign-in").into_response()
}

/// A form that a page of the viewer's session has sent.
struct Posted {
    viewer: Viewer,
    token: Token,
    fields: HashMap<String, String>,
}

impl FromRequest<Arc<Console>> for Posted {
    type Rejection = Response;

    async fn from_request(request: HttpRequest, console: &Arc<Console>) -> Result<Self, Response> {
        let headers = request.headers();
        let signed_in = console.viewer(headers, request.extensions()).await.map_err(Failure::into_response)?;
        if !console.is_from_here(headers) {
            return Err(console.not_from_here(signed_in.as_ref().map(|(viewer, _)| viewer)));
        }
        let Some((viewer, token)) = signed_in else { return Err(to_sign_in()) };
        let fields = Form::<HashMap<String, String>>::from_request(request, console).await;
        match fields {
            Ok(Form(fields)) if fields.get(FORM_TOKEN) == Some(&viewer.form_token) => {
                let fields = fields.into_iter().map(|(name, value)| (name, without_nul(&value))).collect();
                Ok(Self { viewer, token, fields })
            }
            _ => Err(console.not_from_here(Some(&viewer))),
        }
    }
}

impl Posted {
    fn field(&self, name: &str) -> &str {
        self.fields.get(name).map(String::as_str).unwrap_or_default()
    }
}

/// The query of a list.
type Fields = Query<HashMap<String, String>>;

fn field(fields: &Fields, name: &str) -> String {
    fields.get(name).map(|value| without_nul(value).trim().to_owned()).unwrap_or_default()
}

/// PostgreSQL takes no text with this character.
fn without_nul(text: &str) -> String {
    text.replace('\0', "")
}

fn optional(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

/// A query with these fields, without the empty ones.
fn query(fields: &[(&str, &str)]) -> String {
    let fields = fields.iter().filter(|(_, value)| !value.is_empty());
    fields
        .map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC)))
        .collect::<Vec<_>>()
        .join("&")
}

/// Everything under `/console`.
pub(super) fn router(console: Console) -> Router {
    let console = Arc::new(console);
    Router::new()
        .route("/console", get(root))
        .route(console::STYLE_PATH, get(style))
        .route(console::ICON_PATH, get(icon))
        .route("/console/sign-in", get(sign_in))
        .route("/console/sign-in/{token}", get(show_link).post(use_link))
        .route("/console/sign-in-with-certificate", post(use_certificate))
        .route("/console/sign-out", post(sign_out))
        .route("/console/sign-out-everywhere", post(sign_out_everywhere))
        .route("/console/requests", get(list_requests))
        .route("/console/requests/{transaction_id}", get(show_request))
        .route("/console/requests/{transaction_id}/approve", get(ask_to_approve).post(approve))
        .route("/console/requests/{transaction_id}/reject", get(ask_to_reject).post(reject))
        .route("/console/requests/{transaction_id}/revoke", get(ask_to_revoke).post(revoke))
        .route("/console/authorisations", get(list_authorisations).post(authorise))
        .route("/console/authorisations/new", get(new_authorisation))
        .route("/console/authorisations/{id}", get(show_authorisation))
        .route("/console/authorisations/{id}/code", get(ask_to_replace_code).post(replace_code))
        .route("/console/authorisations/{id}/withdraw", get(ask_to_withdraw).post(withdraw))
        .route("/console/officers", get(list_officers))
        .route("/console/audit", get(list_audit))
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
    ([(header::CONTENT_TYPE, HeaderValue::from_static("text/css; charset=utf-8"))], console::STYLE).into_response()
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

// Signing in and out

async fn sign_in(State(console): App, request: HttpRequest) -> Answer {
    let signed_in = console.viewer(request.headers(), request.extensions()).await?;
    if signed_in.is_some() {
        return Ok(Redirect::to("/console/requests").into_response());
    }
    Ok(html(console::sign_in::invite(&console.site, console.entrance, console.certificate_url.as_deref())))
}

/// Whom the link signs in, if it works here.
async fn show_link(State(console): App, Path(token): Path<String>) -> Answer {
    let officer = match console.entrance {
        Entrance::Closed => None,
        _ => officers::of_link(&console.database, &Token::shown(&token)).await?,
    };
    let path = format!("/console/sign-in/{}", utf8_percent_encode(&token, NON_ALPHANUMERIC));
    Ok(officer
        .map_or_else(|| no_link(&console), |officer| html(console::sign_in::confirm(&console.site, &officer, &path))))
}

fn no_link(console: &Console) -> Response {
    let text = "It has been used, or its time is over. Whoever runs this gateway can make another one for you.";
    console.notice(None, StatusCode::NOT_FOUND, "This link does not work", text)
}

async fn use_link(State(console): App, Path(token): Path<String>, headers: HeaderMap) -> Answer {
    if !console.is_from_here(&headers) {
        return Ok(console.not_from_here(None));
    }
    let session = match console.entrance {
        Entrance::Closed => None,
        _ => officers::sign_in_by_link(&console.database, &Token::shown(&token)).await?,
    };
    match session {
        Some(session) => enter(&console, &headers, &session).await,
        None => Ok(no_link(&console)),
    }
}

/// Hands out the new session in place of the one that the browser has.
async fn enter(console: &Console, headers: &HeaderMap, session: &Token) -> Answer {
    if let Some(old) = console.token(headers) {
        officers::sign_out(&console.database, &old).await?;
    }
    Ok(([console.set_cookie(Some(session))?], Redirect::to("/console/requests")).into_response())
}

async fn use_certificate(State(console): App, client: Option<Extension<Client>>, headers: HeaderMap) -> Answer {
    if !console.is_from_here(&headers) {
        return Ok(console.not_from_here(None));
    }
    let refuse = |text: &str| console.notice(None, StatusCode::FORBIDDEN, "Not signed in", text);
    let Some(Extension(client)) = client else {
        return Ok(refuse("No certificate is seen here: use the address of the connection check."));
    };
    let der = client.certificate.clone().unwrap_or_default();
    let check = console.service.check_connection(client).await?;
    let (ConnectionVerdict::Works, Some(certificate)) = (check.verdict, check.certificate) else {
        return Ok(console.notice(None, StatusCode::FORBIDDEN, &check.title, &check.detail));
    };
    let serial_number = officers::serial_number(&certificate.serial_number).unwrap_or_default();
    let outcome = match store::requests::find_issued(console.database.reader(), &serial_number).await? {
        Some(issued) if issued.certificate == der => {
            officers::sign_in_by_certificate(&console.database, &serial_number, &der).await?
        }
        _ => CertificateSignIn::Stranger,
    };
    match outcome {
        CertificateSignIn::Begun(session) => enter(&console, &headers, &session).await,
        CertificateSignIn::Unconfirmed => Ok(refuse(
            "The certificate renews an officer's, and is not confirmed yet: ask the operator of this gateway to confirm it, and say its serial number.",
        )),
        CertificateSignIn::Stranger => {
            Ok(refuse("The certificate is good, but it is no officer's: ask the operator of this gateway."))
        }
    }
}

async fn sign_out(State(console): App, posted: Posted) -> Answer {
    officers::sign_out(&console.database, &posted.token).await?;
    Ok(([console.set_cookie(None)?], to_sign_in()).into_response())
}

async fn sign_out_everywhere(State(console): App, posted: Posted) -> Answer {
    officers::sign_out_everywhere(&console.database, &posted.viewer.officer.id).await?;
    Ok(([console.set_cookie(None)?], to_sign_in()).into_response())
}

// Requests

async fn list_requests(State(console): App, viewer: Viewer, fields: Fields) -> Answer {
    let mut search = console::requests::Search {
        text: field(&fields, "text"),
        state: field(&fields, "state"),
        certificate_type: field(&fields, "type"),
        company: field(&fields, "company"),
        query: String::new(),
    };
    search.query = query(&[
        ("text", &search.text),
        ("state", &search.state),
        ("type", &search.certificate_type),
        ("company", &search.company),
    ]);
    let filter = store::request_search::Filter {
        text: search.text.clone(),
        standing: store::request_search::Standing::of_name(&search.state),
        certificate_type: optional(&search.certificate_type),
        company: company(&viewer, &search.company),
        after: fields.get("after").and_then(|id| id.parse().ok()),
        now: clock::now(),
    };
    let mut found = store::request_search::search(&console.database, &filter, PAGE_SIZE + 1).await?;
    let has_more = found.len() > PAGE_SIZE;
    found.truncate(PAGE_SIZE);
    Ok(html(console::requests::list(&console.site, &viewer, &search, &filter, &found, has_more)))
}

/// The company to look at: a User Access Administrator's own, whatever was asked for.
fn company(viewer: &Viewer, asked_for: &str) -> Option<String> {
    match viewer.role().may_oversee() {
        true => optional(asked_for),
        false => Some(viewer.officer.company.clone().unwrap_or_default()),
    }
}

async fn show_request(State(console): App, viewer: Viewer, Path(id): Path<String>) -> Answer {
    let Some(request) = console.request(&viewer, &id).await? else { return Ok(console.not_found(&viewer)) };
    let database = &console.database;
    let der = store::requests::certification_request(database.reader(), request.transaction_id).await?;
    let decoded = tokio::task::spawn_blocking(move || console::request::Decoded::from_der(&der.unwrap_or_default()));
    let applicant = Applicant {
        certificate_type: &request.certificate_type,
        common_name: &request.common_name,
        email_address: &request.email_address,
    };
    let mut comparisons =
        authorisations::compare(database, request.authorisation_id.as_deref(), applicant, clock::now()).await?;
    comparisons.retain(|comparison| viewer.officer.sees(Some(&comparison.authorisation.company)));
    let chain = chain(&console, &viewer, &request).await?;
    let types = &console.site.certificate_types;
    let holder = namesakes::holder_of_subject(database.reader(), types, &request, clock::now()).await?;
    // Those of other companies are none of an administrator's affair.
    let holder = holder.filter(|holder| viewer.officer.sees(holder.company.as_deref()));
    let history = store::audit::about(database, &request.transaction_id.to_string(), HISTORY).await?;
    let shown = console::request::Shown {
        request: &request,
        decoded: &decoded.await.map_err(|error| Failure::from(Refusal::internal(&error)))?,
        comparisons: &comparisons,
        chain: &chain,
        holder: holder.as_ref(),
        history: &history,
        officers: &store::officers::list(database).await?,
    };
    Ok(html(console::request::read(&console.site, &viewer, &shown)))
}

/// The requests in the chain of renewals that a request is in, itself included, as far as the viewer may see them.
async fn chain(console: &Console, viewer: &Viewer, request: &Request) -> Result<Vec<Request>, Failure> {
    let mut chain = store::renewals::chain(console.database.reader(), request.transaction_id).await?;
    chain.retain(|other| viewer.officer.sees(other.company.as_deref()));
    Ok(chain)
}

/// The request with this transaction ID, for somebody who decides; or what to answer instead.
async fn to_decide(console: &Console, viewer: &Viewer, id: &str) -> Result<Result<Request, Response>, Failure> {
    if !viewer.role().may_decide() {
        return Ok(Err(console.not_allowed(viewer)));
    }
    Ok(console.request(viewer, id).await?.ok_or_else(|| console.not_found(viewer)))
}

/// What became of a decision: back to the request, or why not.
fn decided(console: &Console, viewer: &Viewer, id: TransactionId, outcome: Result<(), DecisionError>) -> Answer {
    match outcome {
        Ok(()) => Ok(Redirect::to(&format!("/console/requests/{id}")).into_response()),
        Err(DecisionError::Database(error)) => Err(error.into()),
        Err(error) => Ok(console.notice(
            Some(viewer),
            StatusCode::CONFLICT,
            "Not decided",
            &format!("Nothing was done: {error}."),
        )),
    }
}

async fn ask_to_approve(State(console): App, viewer: Viewer, Path(id): Path<String>) -> Answer {
    Ok(match to_decide(&console, &viewer, &id).await? {
        Ok(request) => html(console::decisions::approve(&console.site, &viewer, &request)),
        Err(response) => response,
    })
}

async fn approve(State(console): App, Path(id): Path<String>, posted: Posted) -> Answer {
    let viewer = &posted.viewer;
    let request = match to_decide(&console, viewer, &id).await? {
        Ok(request) => request,
        Err(response) => return Ok(response),
    };
    let id = request.transaction_id;
    decided(&console, viewer, id, decision::approve(&console.database, id, viewer.officer.actor()).await)
}

async fn ask_to_reject(State(console): App, viewer: Viewer, Path(id): Path<String>) -> Answer {
    Ok(match to_decide(&console, &viewer, &id).await? {
        Ok(request) => html(console::decisions::reject(&console.site, &viewer, &request, "", None)),
        Err(response) => response,
    })
}

async fn reject(State(console): App, Path(id): Path<String>, posted: Posted) -> Answer {
    let viewer = &posted.viewer;
    let request = match to_decide(&console, viewer, &id).await? {
        Ok(request) => request,
        Err(response) => return Ok(response),
    };
    let reason = posted.field("reason").trim();
    let fault = match reason.chars().count() {
        0 => Some("Say why: the user reads the reason."),
        length if length > LONGEST_REASON => Some("Say it in 500 characters."),
        _ => None,
    };
    if let Some(fault) = fault {
        let page = console::decisions::reject(&console.site, viewer, &request, reason, Some(fault));
        return Ok((StatusCode::UNPROCESSABLE_ENTITY, html(page)).into_response());
    }
    let id = request.transaction_id;
    decided(&console, viewer, id, decision::reject(&console.database, id, reason, viewer.officer.actor()).await)
}

async fn ask_to_revoke(State(console): App, viewer: Viewer, Path(id): Path<String>) -> Answer {
    Ok(match to_decide(&console, &viewer, &id).await? {
        Ok(request) => {
            let chain = chain(&console, &viewer, &request).await?;
            html(console::decisions::revoke(&console.site, &viewer, &request, &chain, None))
        }
        Err(response) => response,
    })
}

async fn revoke(State(console): App, Path(id): Path<String>, posted: Posted) -> Answer {
    let viewer = &posted.viewer;
    let request = match to_decide(&console, viewer, &id).await? {
        Ok(request) => request,
        Err(response) => return Ok(response),
    };
    let Ok(reason) = posted.field("reason").parse() else {
        let chain = chain(&console, viewer, &request).await?;
        let page = console::decisions::revoke(&console.site, viewer, &request, &chain, Some("Choose a reason."));
        return Ok((StatusCode::UNPROCESSABLE_ENTITY, html(page)).into_response());
    };
    let id = request.transaction_id;
    let extent = match posted.field("extent") {
        "certificate" => Extent::Certificate,
        "chain" => Extent::Chain,
        _ => Extent::of(reason),
    };
    let outcome = decision::revoke(&console.database, id, reason, extent, viewer.officer.actor()).await;
    decided(&console, viewer, id, outcome)
}

// Authorisations

async fn list_authorisations(State(console): App, viewer: Viewer, fields: Fields) -> Answer {
    let now = clock::now();
    let mut search = console::authorisations::Search {
        text: field(&fields, "text"),
        standing: field(&fields, "state"),
        company: field(&fields, "company"),
        query: String::new(),
    };
    search.query = query(&[("text", &search.text), ("state", &search.standing), ("company", &search.company)]);
    let standing = Standing::ALL.into_iter().find(|standing| standing.name() == search.standing);
    let filter = store::authorisations::Filter {
        company: company(&viewer, &search.company),
        text: search.text.clone(),
        standing: standing.map(|standing| (standing, now)),
        after: fields.get("after").cloned(),
    };
    let mut found = authorisations::search(&console.database, &filter, PAGE_SIZE + 1).await?;
    let has_more = found.len() > PAGE_SIZE;
    found.truncate(PAGE_SIZE);
    Ok(html(console::authorisations::list(&console.site, &viewer, &search, &filter, &found, has_more, now)))
}

async fn show_authorisation(State(console): App, viewer: Viewer, Path(id): Path<String>) -> Answer {
    let Some(authorisation) = console.authorisation(&viewer, &id).await? else { return Ok(console.not_found(&viewer)) };
    let history = store::audit::about(&console.database, &authorisation.id, HISTORY).await?;
    let officers = store::officers::list(&console.database).await?;
    let link = authorisations::register_link(&console.page_url, &authorisation, None);
    let page =
        console::authorisations::read(&console.site, &viewer, &authorisation, &link, &history, &officers, clock::now());
    Ok(html(page))
}

async fn new_authorisation(State(console): App, viewer: Viewer) -> Response {
    match viewer.role().may_authorise() {
        true => html(console::authorisations::new(&console.site, &viewer, &Default::default(), &[])),
        false => console.not_allowed(&viewer),
    }
}

async fn authorise(State(console): App, posted: Posted) -> Answer {
    let viewer = &posted.viewer;
    let (true, Some(company)) = (viewer.role().may_authorise(), viewer.officer.company.clone()) else {
        return Ok(console.not_allowed(viewer));
    };
    let typed = console::authorisations::Typed {
        certificate_type: posted.field("certificate_type").into(),
        common_name: posted.field("common_name").into(),
        email_address: posted.field("email_address").into(),
        until: posted.field("until").into(),
        code_told_by: code_told_by(&posted),
    };
    let new = NewAuthorisation {
        certificate_type: typed.certificate_type.clone(),
        common_name: typed.common_name.clone(),
        email_address: typed.email_address.clone(),
        company,
        expires_at: clock::end_of_day(&typed.until),
        code_told_by: typed.code_told_by,
    };
    let actor: Actor = viewer.officer.actor();
    let (types, companies) = (&console.site.certificate_types, &console.site.companies);
    match authorisations::authorise(&console.database, types, companies, &console.page_url, new, &actor).await {
        Ok(authorised) => Ok(with_code(&console, viewer, &authorised, typed.code_told_by)),
        Err(AuthorisationError::Faults(faults)) => {
            let page = console::authorisations::new(&console.site, viewer, &typed, &faults);
            Ok((StatusCode::UNPROCESSABLE_ENTITY, html(page)).into_response())
        }
        Err(AuthorisationError::Database(error)) => Err(error.into()),
    }
}

/// The one who is to tell the code, as the form says.
fn code_told_by(posted: &Posted) -> CodeToldBy {
    match posted.field(console::authorisations::TOLD_BY_OFFICER) {
        "" => CodeToldBy::Notification,
        _ => CodeToldBy::Officer,
    }
}

/// Back to the authorisation; or its code, which is shown this once, where the officer is to tell it.
fn with_code(console: &Console, viewer: &Viewer, given: &WithCode, told_by: CodeToldBy) -> Response {
    let WithCode { authorisation, code } = given;
    match told_by {
        CodeToldBy::Notification => {
            Redirect::to(&format!("/console/authorisations/{}", authorisation.id)).into_response()
        }
        CodeToldBy::Officer => html(console::authorisations::show_code(&console.site, viewer, authorisation, code)),
    }
}

async fn ask_to_replace_code(State(console): App, viewer: Viewer, Path(id): Path<String>) -> Answer {
    Ok(match to_change(&console, &viewer, &id).await? {
        Ok(authorisation) => html(console::authorisations::replace_code(&console.site, &viewer, &authorisation)),
        Err(response) => response,
    })
}

async fn replace_code(State(console): App, Path(id): Path<String>, posted: Posted) -> Answer {
    let viewer = &posted.viewer;
    let authorisation = match to_change(&console, viewer, &id).await? {
        Ok(authorisation) => authorisation,
        Err(response) => return Ok(response),
    };
    let (told_by, actor) = (code_told_by(&posted), viewer.officer.actor());
    let replaced =
        authorisations::replace_code(&console.database, &console.page_url, &authorisation.id, told_by, &actor).await?;
    Ok(match replaced {
        Some(given) => with_code(&console, viewer, &given, told_by),
        None => {
            let text = "Nothing was done: the authorisation is not open any more. Authorise the person again.";
            console.notice(Some(viewer), StatusCode::CONFLICT, "No new code", text)
        }
    })
}

/// The authorisation with this id, for an officer who may change it; or what to answer instead.
async fn to_change(console: &Console, viewer: &Viewer, id: &str) -> Result<Result<Authorisation, Response>, Failure> {
    if !viewer.role().may_authorise() {
        return Ok(Err(console.not_allowed(viewer)));
    }
    Ok(console.authorisation(viewer, id).await?.ok_or_else(|| console.not_found(viewer)))
}

async fn ask_to_withdraw(State(console): App, viewer: Viewer, Path(id): Path<String>) -> Answer {
    Ok(match to_change(&console, &viewer, &id).await? {
        Ok(authorisation) => html(console::decisions::withdraw(&console.site, &viewer, &authorisation)),
        Err(response) => response,
    })
}

async fn withdraw(State(console): App, Path(id): Path<String>, posted: Posted) -> Answer {
    let viewer = &posted.viewer;
    let authorisation = match to_change(&console, viewer, &id).await? {
        Ok(authorisation) => authorisation,
        Err(response) => return Ok(response),
    };
    if !authorisations::withdraw(&console.database, &authorisation.id, &viewer.officer.actor()).await? {
        let text = "Nothing was done: the authorisation was withdrawn before.";
        return Ok(console.notice(Some(viewer), StatusCode::CONFLICT, "Not withdrawn", text));
    }
    Ok(Redirect::to(&format!("/console/authorisations/{}", authorisation.id)).into_response())
}

// Officers and the audit log

async fn list_officers(State(console): App, viewer: Viewer) -> Answer {
    if !viewer.role().may_oversee() {
        return Ok(console.not_allowed(&viewer));
    }
    let officers = store::officers::list(&console.database).await?;
    Ok(html(console::officers::list(&console.site, &viewer, &officers)))
}

async fn list_audit(State(console): App, viewer: Viewer, fields: Fields) -> Answer {
    if !viewer.role().may_oversee() {
        return Ok(console.not_allowed(&viewer));
    }
    let after = fields.get("after").and_then(|number| number.parse().ok());
    let count = i64::try_from(PAGE_SIZE).unwrap_or(i64::MAX);
    let mut entries = store::audit::before(&console.database, after.unwrap_or(i64::MAX), count + 1).await?;
    let has_more = entries.len() > PAGE_SIZE;
    entries.truncate(PAGE_SIZE);
    let officers = store::officers::list(&console.database).await?;
    Ok(html(console::audit_log::list(&console.site, &viewer, &entries, &officers, after.is_none(), has_more)))
}
