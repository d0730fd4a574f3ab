//! Reading the bodies of requests.

use axum::body::Body;
use axum::http::{Request, header};
use http_body_util::BodyExt;
use keyside_core::api::ProblemKind;
use mediatype::MediaType;

use crate::ra::refusal::Refusal;

/// The body's media type in lowercase, without its parameters; empty if it is not told.
pub(super) fn essence(request: &Request<Body>) -> String {
    request
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| MediaType::parse(value).ok())
        .map(|media_type| media_type.essence().to_string().to_ascii_lowercase())
        .unwrap_or_default()
}

/// Reads at most `limit` bytes of `body`. The rest of a longer one is thrown away as it comes, for as long as a request may
/// take: a connection that is closed while the client still writes is reset, and the client never sees why.
pub(super) async fn read_body(mut body: Body, limit: usize) -> Result<Vec<u8>, Refusal> {
    let mut bytes = Vec::new();
    let mut size = 0;
    while let Some(frame) = body.frame().await {
        let frame =
            frame.map_err(|error| Refusal::new(ProblemKind::MalformedBody, format!("The body broke off: {error}.")))?;
        if let Ok(data) = frame.into_data() {
            size += data.len();
            if size <= limit {
                bytes.extend_from_slice(&data);
            }
        }
    }
    if size > limit {
        return Err(Refusal::new(
            ProblemKind::BodyTooLarge,
            format!("The body may take {limit} bytes; a request with a 4096-bit key takes about 2000."),
        ));
    }
    Ok(bytes)
}
