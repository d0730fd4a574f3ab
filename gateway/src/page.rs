//! The built page: static files, compressed ahead of time, with `index.html` standing in for the page's own routes.

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, Uri, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use tower_http::services::ServeDir;

/// For files whose name changes with their contents.
const IMMUTABLE: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
/// For files whose contents change under the same name: `index.html`, the workers' scripts.
const NO_CACHE: HeaderValue = HeaderValue::from_static("no-cache");
/// How many hexadecimal digits the content hash has that trunk writes into a file's name: 64 bits without leading zeros. A
/// shorter one comes once in a million, and only costs a question to the server.
const HASH_LENGTH: RangeInclusive<usize> = 12..=16;

/// No file of the page has a longer path, in bytes; and no file system takes a longer name, which would be an error of its own.
const LONGEST_PATH: usize = 255;

/// The folder does not have the built page.
#[derive(Debug, thiserror::Error)]
#[error("{0} has no index.html: build the page there first, or name another folder with --page")]
pub struct NoPage(PathBuf);

/// The folder with the built page.
pub struct Page(PathBuf);

impl Page {
    /// The page in `directory`.
    pub fn open(directory: &Path) -> Result<Self, NoPage> {
        if directory.join("index.html").is_file() {
            Ok(Self(directory.to_owned()))
        } else {
            Err(NoPage(directory.to_owned()))
        }
    }

    /// Serves it at every path that nothing else answers to.
    pub fn into_router(self) -> Router {
        let files = ServeDir::new(self.0).precompressed_br().precompressed_gzip();
        Router::new().fallback_service(files).layer(middleware::from_fn(serve))
    }
}

/// Turns the page's routes into `index.html`, and says how long an answer may be kept.
async fn serve(mut request: Request, next: Next) -> Response {
    let is_route = !file_name(request.uri().path()).contains('.');
    if !is_route && request.uri().path().len() > LONGEST_PATH {
        return not_found();
    }
    if is_route {
        *request.uri_mut() = Uri::from_static("/index.html");
    }
    let cache_control = if has_content_hash(file_name(request.uri().path())) { IMMUTABLE } else { NO_CACHE };
    let mut response = next.run(request).await;
    if response.status() == StatusCode::NOT_FOUND {
        return not_found();
    }
    response.headers_mut().insert(header::CACHE_CONTROL, cache_control);
    response
}

fn not_found() -> Response {
    (StatusCode::NOT_FOUND, [(header::CACHE_CONTROL, NO_CACHE)], "There is no such file.\n").into_response()
}

/// The last segment of a path.
fn file_name(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

/// Whether `name` has the hash of the file's contents, as in `app-0123456789abcdef.js` or `app-0123456789abcdef_bg.wasm`.
fn has_content_hash(name: &str) -> bool {
    let stem = name.split_once('.').map_or(name, |(stem, _)| stem);
    let stem = stem.strip_suffix("_bg").unwrap_or(stem);
    stem.rsplit_once('-').is_some_and(|(_, hash)| {
        HASH_LENGTH.contains(&hash.len()) && hash.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_hashes_are_recognised() {
        for name in ["app-0123456789abcdef.js", "app-0123456789abcdef_bg.wasm", "main-b2f3fbe5365b69a.css"] {
            assert!(has_content_hash(name), "{name}");
        }
        for name in [
            "index.html",
            "worker.js",
            "worker_bg.wasm",
            "worker-loader.js",
            "app-0123456789a.js",
            "app-0123456789ABCDEF.js",
            "0123456789abcdef.js",
        ] {
            assert!(!has_content_hash(name), "{name}");
        }
    }
}
