//! The registration authority over HTTP.

use std::cell::Cell;

use gloo_net::http::{Request, RequestBuilder, Response};
use gloo_timers::future::TimeoutFuture;
use js_sys::{Date, Promise, Uint8Array};
use keyside_core::api::{
    CA_PATH, CONFIGURATION_PATH, CaCertificates, Configuration, NewRequest, NewRevocation, PEM_CERTIFICATE_CHAIN,
    PKCS7_CMC_REQUEST, PROBLEM_JSON, REQUESTS_PATH, RequestStatus, certificate_path, request_path, revocation_path,
};
use keyside_core::domain::base64_bytes::Base64Bytes;
use keyside_core::domain::transaction_id::TransactionId;
use keyside_core::ports::{RaError, RegistrationAuthority};
use keyside_pki::pem;
use serde::de::DeserializeOwned;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{AbortSignal, ReadableStreamDefaultReader, ReadableStreamReadResult};

use super::{kept_configuration, words};

/// How long to wait for an answer, in milliseconds.
const TIMEOUT: u32 = 20_000;

/// The longest time that the registration authority can ask for between two questions, in seconds.
const LONGEST_WAIT: f64 = 60.0;

/// The largest answer that is read, in bytes: many times what a CA with all its documents takes.
const MAXIMUM_SIZE: usize = 1024 * 1024;

thread_local! {
    /// When the registration authority may be asked again, in milliseconds since 1970-01-01T00:00:00Z.
    static NOT_BEFORE: Cell<f64> = const { Cell::new(0.0) };
}

/// A gateway, reached with `fetch`.
#[derive(Clone, Debug)]
pub struct HttpRegistrationAuthority {
    /// What the API's paths are appended to: empty for the page's own origin.
    base: String,
}

impl HttpRegistrationAuthority {
    /// The gateway that the page's `<meta name="keyside-gateway">` names, or else the page's own origin.
    pub fn of_this_page() -> Self {
        let base = web_sys::window()
            .and_then(|window| window.document())
            .and_then(|document| document.query_selector("meta[name=keyside-gateway]").ok().flatten())
            .and_then(|meta| meta.get_attribute("content"))
            .unwrap_or_default();
        Self { base: base.trim_end_matches('/').to_owned() }
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    async fn get(&self, path: &str) -> Result<String, RaError> {
        text(send(limited(Request::get(&self.url(path)).header("Accept", "application/json")).build()).await?).await
    }
}

/// Sends a request, once the registration authority wants to be asked again.
async fn send(request: Result<Request, gloo_net::Error>) -> Result<Response, RaError> {
    let request = request.map_err(unexpected)?;
    let wait = NOT_BEFORE.get() - Date::now();
    if wait > 0.0 {
        TimeoutFuture::new(wait as u32).await;
    }
    let response = request.send().await.map_err(unreachable)?;
    if !response.ok()
        && let Some(seconds) = response.headers().get("Retry-After")
    {
        // A date in place of a number is not waited for. Not all pages ask again at the same moment.
        let wait = js_sys::parse_int(&seconds, 10).clamp(0.0, LONGEST_WAIT) * (1.0 + js_sys::Math::random());
        NOT_BEFORE.set(Date::now() + 1000.0 * wait);
    }
    Ok(response)
}

/// Never wait forever, never answer from a cache.
fn limited(request: RequestBuilder) -> RequestBuilder {
    request.cache(web_sys::RequestCache::NoStore).abort_signal(Some(&AbortSignal::timeout_with_u32(TIMEOUT)))
}

fn unreachable(error: gloo_net::Error) -> RaError {
    RaError::Unreachable(error.to_string())
}

fn unexpected(error: impl ToString) -> RaError {
    RaError::Unexpected(error.to_string())
}

/// The response, if it is a success; or else the problem it describes.
async fn success(response: Response) -> Result<Response, RaError> {
    if response.ok() {
        return Ok(response);
    }
    let status = response.status();
    let described =
        response.headers().get("Content-Type").is_some_and(|media_type| media_type.starts_with(PROBLEM_JSON));
    if described
        && let Ok(text) = text_of(&response).await
        && let Ok(problem) = read(&text)
    {
        return Err(RaError::Problem(problem));
    }
    // A proxy in front of a gateway that is down, or busy, answers in the gateway's place.
    if matches!(status, 408 | 425 | 429 | 500..) {
        return Err(RaError::Unreachable(format!("HTTP status {status}")));
    }
    Err(unexpected(format!("HTTP status {status}")))
}

/// The text of the response, if it is a success.
async fn text(response: Response) -> Result<String, RaError> {
    text_of(&success(response).await?).await
}

/// The text of an answer that has at most [`MAXIMUM_SIZE`] bytes.
pub(super) async fn text_of(response: &Response) -> Result<String, RaError> {
    let cut = |error: JsValue| RaError::Unreachable(words(&error));
    let Some(body) = response.body() else { return Ok(String::new()) };
    let reader: ReadableStreamDefaultReader = body.get_reader().unchecked_into();
    let mut bytes = Vec::new();
    loop {
        let chunk: ReadableStreamReadResult = JsFuture::from(reader.read()).await.map_err(cut)?.unchecked_into();
        if chunk.get_done().unwrap_or(true) {
            break;
        }
        let chunk: Uint8Array = chunk.get_value().unchecked_into();
        if bytes.len() + chunk.length() as usize > MAXIMUM_SIZE {
            drop(reader.cancel());
            return Err(unexpected(format!("it has more than {} kB", MAXIMUM_SIZE / 1024)));
        }
        bytes.extend(chunk.to_vec());
    }
    String::from_utf8(bytes).map_err(unexpected)
}

/// What a text of JSON says.
fn read<T: DeserializeOwned>(text: &str) -> Result<T, RaError> {
    serde_json::from_str(text).map_err(unexpected)
}

/// The configuration in the answer to [`CONFIGURATION_PATH`], a `Response` of fetch. Without a network, that of the last visit.
pub async fn configuration(answer: Promise) -> Result<Configuration, RaError> {
    latest(match JsFuture::from(answer).await {
        Ok(answer) => text(answer.unchecked_into::<web_sys::Response>().into()).await,
        Err(error) => Err(RaError::Unreachable(words(&error))),
    })
}

/// The configuration in this answer, which is kept; or else in the one that was kept, if the registration authority cannot be reached.
fn latest(answer: Result<String, RaError>) -> Result<Configuration, RaError> {
    match answer {
        Ok(answer) => read(&answer).inspect(|_: &Configuration| kept_configuration::save(&answer)),
        Err(RaError::Unreachable(reason)) => {
            // One that another release kept may not be readable.
            kept_configuration::load().and_then(|kept| read(&kept).ok()).ok_or(RaError::Unreachable(reason))
        }
        Err(error) => Err(error),
    }
}

impl RegistrationAuthority for HttpRegistrationAuthority {
    async fn configuration(&self) -> Result<Configuration, RaError> {
        latest(self.get(CONFIGURATION_PATH).await)
    }

    async fn ca_certificates(&self) -> Result<CaCertificates, RaError> {
        read(&self.get(CA_PATH).await?)
    }

    async fn submit(&self, request: &NewRequest) -> Result<RequestStatus, RaError> {
        let request = limited(Request::post(&self.url(REQUESTS_PATH))).json(request);
        read(&text(send(request).await?).await?)
    }

    async fn correct(&self, id: &TransactionId, request: &NewRequest) -> Result<RequestStatus, RaError> {
        let request = limited(Request::put(&self.url(&request_path(id)))).json(request);
        read(&text(send(request).await?).await?)
    }

    async fn renew(&self, full_pki_request: &[u8]) -> Result<RequestStatus, RaError> {
        let request = limited(Request::post(&self.url(REQUESTS_PATH)))
            .header("Content-Type", PKCS7_CMC_REQUEST)
            .body(Uint8Array::from(full_pki_request));
        read(&text(send(request).await?).await?)
    }

    async fn status(&self, id: &TransactionId) -> Result<RequestStatus, RaError> {
        read(&self.get(&request_path(id)).await?)
    }

    async fn request_revocation(&self, id: &TransactionId, new: &NewRevocation) -> Result<RequestStatus, RaError> {
        let request = limited(Request::post(&self.url(&revocation_path(id)))).json(new);
        read(&text(send(request).await?).await?)
    }

    async fn certificate(&self, id: &TransactionId) -> Result<Vec<Base64Bytes>, RaError> {
        let request = limited(Request::get(&self.url(&certificate_path(id))).header("Accept", PEM_CERTIFICATE_CHAIN));
        let response = success(send(request.build()).await?).await?;
        let chain = text_of(&response).await?;
        let certificates = pem::decode_all(pem::CERTIFICATE, &chain).map_err(unexpected)?;
        Ok(certificates.into_iter().map(Base64Bytes).collect())
    }
}
