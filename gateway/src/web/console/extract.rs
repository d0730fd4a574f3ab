//! The viewer, a posted form, and the kinds of answers.
//!
//! What is posted is taken when the browser says that it comes from this origin and, once somebody has signed in, when the form has
//! the session's token.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{FromRequest, FromRequestParts, Query, Request as HttpRequest, State};
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::{Extension, Form};
use keyside_core::api::ProblemKind;
use keyside_core::domain::transaction_id::TransactionId;
use maud::Markup;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::layout::{self, FORM_TOKEN, Site, Viewer};
use crate::database::{Database, DatabaseError};
use crate::officers::sign_in::{self, SESSION_LIFETIME};
use crate::officers::token::Token;
use crate::ra::RegistrationAuthority;
use crate::ra::connection_check::Client;
use crate::ra::refusal::Refusal;
use crate::settings::faults::is_loopback;
use crate::store;
use crate::store::authorisations::Authorisation;
use crate::store::requests::Request;
use crate::web::settings;

/// The session's cookie. With https it has a name that no other host, and no page without https, can set.
const SECURE_COOKIE: &str = "__Host-keyside-console";

/// The same without https: on the computer itself, for trying it out.
const LOCAL_COOKIE: &str = "keyside-console";

/// How many entries of a history are shown.
pub(super) const HISTORY: i64 = 100;

/// How an officer gets in here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entrance {
    /// Certificates are seen here.
    Certificate,
    /// Only links work here.
    Link,
    /// The connection is not protected, so that nobody gets in.
    Closed,
}

/// What the console works on.
pub struct Console {
    pub(super) ra: Arc<RegistrationAuthority>,
    pub(super) database: Database,
    pub(super) site: Site,
    /// Where the page is, for the link to Register.
    pub(super) page_url: String,
    /// The console's own origin.
    pub(super) origin: String,
    pub(super) entrance: Entrance,
    /// The console where certificates are seen, if that is elsewhere.
    pub(super) certificate_url: Option<String>,
}

impl Console {
    /// The console at `public_url`. `check_url` is where certificates are seen, without a slash at the end, if there is such a place.
    pub fn new(
        ra: Arc<RegistrationAuthority>,
        database: Database,
        site: &settings::Site,
        public_url: &str,
        check_url: Option<&str>,
    ) -> Self {
        let is_protected = public_url.starts_with("https://") || is_loopback(public_url);
        let site = Site { site: site.clone(), ca_end: ra.ca_end() };
        Self {
            ra,
            database,
            site,
            page_url: public_url.into(),
            origin: public_url.into(),
            entrance: if is_protected { Entrance::Link } else { Entrance::Closed },
            certificate_url: check_url.map(|url| format!("{url}{}", layout::ROOT)),
        }
    }

    /// The same console where certificates are seen, at `check_url`.
    pub fn with_certificates(&self, check_url: &str) -> Self {
        Self {
            ra: Arc::clone(&self.ra),
            database: self.database.clone(),
            site: self.site.clone(),
            page_url: self.page_url.clone(),
            origin: check_url.into(),
            entrance: Entrance::Certificate,
            certificate_url: None,
        }
    }

    pub(super) fn is_secure(&self) -> bool {
        self.origin.starts_with("https://")
    }

    pub(super) fn cookie(&self) -> &'static str {
        if self.is_secure() { SECURE_COOKIE } else { LOCAL_COOKIE }
    }

    /// The session's token that the browser shows.
    pub(super) fn token(&self, headers: &HeaderMap) -> Option<Token> {
        let cookies = headers.get_all(header::COOKIE).into_iter().filter_map(|value| value.to_str().ok());
        let mut pairs = cookies.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
        pairs.find(|(name, _)| *name == self.cookie()).map(|(_, value)| Token::shown(value))
    }

    /// The header that has the browser keep this token, or forget the one it has.
    pub(super) fn set_cookie(&self, token: Option<&Token>) -> Result<(header::HeaderName, HeaderValue), Failure> {
        let (value, age) = token.map_or(("", 0), |token| (token.secret(), SESSION_LIFETIME));
        let secure = if self.is_secure() { "; Secure" } else { "" };
        let text = format!("{}={value}; Path=/; Max-Age={age}; HttpOnly; SameSite=Strict{secure}", self.cookie());
        let mut value = HeaderValue::from_str(&text).map_err(|error| Failure::from(Refusal::internal(&error)))?;
        value.set_sensitive(true);
        Ok((header::SET_COOKIE, value))
    }

    /// The one who has signed in, and shows the certificate that the session began with, if it began with one.
    pub(super) async fn viewer(
        &self,
        headers: &HeaderMap,
        extensions: &Extensions,
    ) -> Result<Option<(Viewer, Token)>, Failure> {
        if self.entrance == Entrance::Closed {
            return Ok(None);
        }
        let Some(token) = self.token(headers) else { return Ok(None) };
        let certificate = extensions.get::<Client>().and_then(|client| client.certificate.as_deref());
        let officer = sign_in::of_session(&self.database, &token, certificate).await?;
        Ok(officer.map(|officer| (Viewer { officer, form_token: token.for_forms() }, token)))
    }

    /// Whether the browser says that a page of this origin sends the request: both ways in which browsers say so must agree.
    pub(super) fn is_from_here(&self, headers: &HeaderMap) -> bool {
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

    pub(super) fn notice(&self, viewer: Option<&Viewer>, status: StatusCode, title: &str, text: &str) -> Response {
        (status, html(layout::notice(&self.site, viewer, title, text))).into_response()
    }

    pub(super) fn not_found(&self, viewer: &Viewer) -> Response {
        let text = "There is nothing here that you may see: compare the address, or search for it.";
        self.notice(Some(viewer), StatusCode::NOT_FOUND, "Not found", text)
    }

    pub(super) fn not_allowed(&self, viewer: &Viewer) -> Response {
        let text = format!("This is not for the role {}.", viewer.role().title());
        self.notice(Some(viewer), StatusCode::FORBIDDEN, "Not allowed", &text)
    }

    pub(super) fn not_from_here(&self, viewer: Option<&Viewer>) -> Response {
        let text = "Nothing was done: the form did not come from a page of this console, or from one of an earlier session. \
                    Open the page anew, and try again.";
        self.notice(viewer, StatusCode::FORBIDDEN, "Not taken", text)
    }

    /// The request with this transaction ID, if the viewer may see it.
    pub(super) async fn request(&self, viewer: &Viewer, id: &str) -> Result<Option<Request>, Failure> {
        let Ok(id) = id.parse::<TransactionId>() else { return Ok(None) };
        let request = store::requests::find(self.database.reader(), id).await?;
        Ok(request.filter(|request| viewer.officer.sees(request.company.as_deref())))
    }

    /// The authorisation with this id, if the viewer may see it.
    pub(super) async fn authorisation(&self, viewer: &Viewer, id: &str) -> Result<Option<Authorisation>, Failure> {
        let authorisation = store::authorisations::find(&self.database, id).await?;
        Ok(authorisation.filter(|authorisation| viewer.officer.sees(Some(&authorisation.company))))
    }
}

/// That the gateway itself has failed, or has an outage: what it shows is left to [`finish`](super::finish).
#[derive(Clone, Copy)]
pub(super) struct Failure {
    pub(super) is_outage: bool,
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

pub(super) type Answer = Result<Response, Failure>;
pub(super) type App = State<Arc<Console>>;

pub(super) fn html(page: Markup) -> Response {
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

pub(super) fn to_sign_in() -> Response {
    Redirect::to("/console/sign-in").into_response()
}

/// A form that a page of the viewer's session has sent.
pub(super) struct Posted {
    pub(super) viewer: Viewer,
    pub(super) token: Token,
    pub(super) fields: HashMap<String, String>,
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
    pub(super) fn field(&self, name: &str) -> &str {
        self.fields.get(name).map(String::as_str).unwrap_or_default()
    }
}

/// The query of a list.
pub(super) type Fields = Query<HashMap<String, String>>;

pub(super) fn field(fields: &Fields, name: &str) -> String {
    fields.get(name).map(|value| without_nul(value).trim().to_owned()).unwrap_or_default()
}

/// PostgreSQL takes no text with this character.
pub(super) fn without_nul(text: &str) -> String {
    text.replace('\0', "")
}

pub(super) fn optional(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

/// A query with these fields, without the empty ones.
pub(super) fn query(fields: &[(&str, &str)]) -> String {
    let fields = fields.iter().filter(|(_, value)| !value.is_empty());
    fields
        .map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC)))
        .collect::<Vec<_>>()
        .join("&")
}

/// The company to look at: a User Access Administrator's own, whatever was asked for.
pub(super) fn company(viewer: &Viewer, asked_for: &str) -> Option<String> {
    match viewer.role().may_oversee() {
        true => optional(asked_for),
        false => Some(viewer.officer.company.clone().unwrap_or_default()),
    }
}
