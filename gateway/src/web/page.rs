//! The built page: static files, compressed ahead of time, with `index.html` for the page's own routes. They are in the program, or are read from a
//! folder when the gateway starts.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use base64ct::{Base64, Encoding};
use sha2::{Digest, Sha256};

/// The files of a page that is in a program: their names and contents.
pub type EmbeddedFiles = &'static [(&'static str, &'static [u8])];

/// For files whose name changes with their contents.
const IMMUTABLE: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
/// For files whose contents change under the same name.
const NO_CACHE: HeaderValue = HeaderValue::from_static("no-cache");
/// For the document. WebKit freezes a page that is left, and keeps it for the way back. If the page was creating its database, no page
/// after it can open that. Over HTTPS, WebKit does not do so with a document that it may not store.
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
/// The number of hexadecimal digits of the hash that the build writes into a file's name: 64 bits.
const HASH_LENGTH: usize = 16;

const INDEX: &str = "index.html";

/// The encodings that a file may be compressed in ahead of time, the preferred one first, with the ending of such a file.
const ENCODINGS: [(&str, &str); 2] = [("br", ".br"), ("gzip", ".gz")];

/// The media types of the page's files, by the ending of their names.
const MEDIA_TYPES: [(&str, &str); 9] = [
    ("css", "text/css; charset=utf-8"),
    ("html", "text/html; charset=utf-8"),
    ("ico", "image/vnd.microsoft.icon"),
    ("js", "text/javascript; charset=utf-8"),
    ("json", "application/json"),
    ("png", "image/png"),
    ("svg", "image/svg+xml"),
    ("txt", "text/plain; charset=utf-8"),
    // Browsers compile it while it comes only under this type.
    ("wasm", "application/wasm"),
];

/// Why a folder's page cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum PageError {
    /// There is none.
    #[error("{0} has no index.html: build the page there first, or name another folder with --page")]
    Missing(PathBuf),
    /// It cannot be read.
    #[error("cannot read {0}: {1}")]
    Unreadable(PathBuf, io::Error),
}

/// A file of the page.
struct File {
    contents: Bytes,
    /// Tells these contents from others (RFC 9110, section 8.8.3).
    entity_tag: HeaderValue,
}

/// The page's files by name, those compressed ahead of time among them.
pub struct Page(BTreeMap<String, File>);

impl Page {
    /// The page that is in the program, if one is.
    pub fn embedded(files: EmbeddedFiles) -> Option<Self> {
        let files = files.iter().map(|(name, contents)| ((*name).to_owned(), Bytes::from_static(contents)));
        let page = Self::new(files);
        page.0.contains_key(INDEX).then_some(page)
    }

    /// Reads the page in `folder`.
    ///
    /// # Errors
    /// When it has no `index.html`, and when a file cannot be read.
    pub fn read(folder: &Path) -> Result<Self, PageError> {
        if !folder.join(INDEX).is_file() {
            return Err(PageError::Missing(folder.to_owned()));
        }
        let mut files = Vec::new();
        let unreadable = |path: &Path, error| PageError::Unreadable(path.to_owned(), error);
        for entry in fs::read_dir(folder).map_err(|error| unreadable(folder, error))? {
            let path = entry.map_err(|error| unreadable(folder, error))?.path();
            if let Some(name) = path.file_name().and_then(|name| name.to_str()).filter(|_| path.is_file()) {
                let contents = fs::read(&path).map_err(|error| unreadable(&path, error))?;
                files.push((name.to_owned(), Bytes::from(contents)));
            }
        }
        Ok(Self::new(files))
    }

    fn new(files: impl IntoIterator<Item = (String, Bytes)>) -> Self {
        let files = files.into_iter().map(|(name, contents)| {
            let tag = format!("\"{}\"", Base64::encode_string(&Sha256::digest(&contents)));
            // Base64 and quotes are allowed in every header.
            let entity_tag = HeaderValue::try_from(tag).unwrap_or(HeaderValue::from_static("\"\""));
            (name, File { contents, entity_tag })
        });
        Self(files.collect())
    }

    /// Serves it at every path that nothing else answers to.
    pub fn into_router(self) -> Router {
        Router::new().fallback_service(get(serve).with_state(Arc::new(self)))
    }

    /// The file `name` in the best encoding that the client accepts, with that encoding.
    fn encoded(&self, name: &str, client: &HeaderMap) -> Option<(&File, Option<&'static str>)> {
        let accepted =
            client.get(header::ACCEPT_ENCODING).and_then(|accepted| accepted.to_str().ok()).unwrap_or_default();
        let encoded = ENCODINGS
            .iter()
            .filter(|(encoding, _)| accepts(accepted, encoding))
            .find_map(|(encoding, ending)| self.0.get(&format!("{name}{ending}")).map(|file| (file, Some(*encoding))));
        encoded.or_else(|| self.0.get(name).map(|file| (file, None)))
    }
}

/// Returns true if the header Accept-Encoding (RFC 9110, section 12.5.3) has `encoding` with a weight above zero.
fn accepts(header: &str, encoding: &str) -> bool {
    header.split(',').any(|item| {
        let (name, weight) = item.split_once(';').unwrap_or((item, ""));
        let weight = weight.trim().strip_prefix("q=").and_then(|weight| weight.parse().ok()).unwrap_or(1.0);
        name.trim().eq_ignore_ascii_case(encoding) && weight > 0.0
    })
}

/// A file, or for the page's own routes `index.html`.
async fn serve(State(page): State<Arc<Page>>, uri: Uri, client: HeaderMap) -> Response {
    // The page is one folder.
    let path = uri.path().strip_prefix('/').unwrap_or_default();
    let is_route = !path.rsplit('/').next().unwrap_or_default().contains('.');
    let name = if is_route { INDEX } else { path };
    let Some((file, encoding)) = page.encoded(name, &client) else {
        return (StatusCode::NOT_FOUND, [(header::CACHE_CONTROL, NO_CACHE)], "There is no such file.\n")
            .into_response();
    };
    let mut headers = HeaderMap::new();
    let mut set = |name: HeaderName, value| drop(headers.insert(name, value));
    let lifetime = match name {
        INDEX => NO_STORE,
        name if has_content_hash(name) => IMMUTABLE,
        _ => NO_CACHE,
    };
    set(header::CACHE_CONTROL, lifetime);
    set(header::ETAG, file.entity_tag.clone());
    set(header::VARY, HeaderValue::from_static("accept-encoding"));
    if client.get(header::IF_NONE_MATCH) == Some(&file.entity_tag) {
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    let ending = name.rsplit('.').next().unwrap_or_default();
    let media_type = MEDIA_TYPES.iter().find(|(known, _)| *known == ending).map(|(_, media_type)| *media_type);
    set(header::CONTENT_TYPE, HeaderValue::from_static(media_type.unwrap_or("application/octet-stream")));
    if let Some(encoding) = encoding {
        set(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
    }
    (headers, file.contents.clone()).into_response()
}

/// Returns true if `name` has the hash of the file's contents, as in `app-0123456789abcdef.js` or `app-0123456789abcdef_bg.wasm`.
fn has_content_hash(name: &str) -> bool {
    let stem = name.split_once('.').map_or(name, |(stem, _)| stem);
    let stem = stem.strip_suffix("_bg").unwrap_or(stem);
    stem.rsplit_once('-').is_some_and(|(_, hash)| {
        hash.len() == HASH_LENGTH && hash.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_hashes_are_recognized() {
        for name in ["app-0123456789abcdef.js", "app-0123456789abcdef_bg.wasm", "service-worker-0123456789abcdef.css"] {
            assert!(has_content_hash(name), "{name}");
        }
        for name in
            ["index.html", "service-worker.js", "app-0123456789a.js", "app-0123456789ABCDEF.js", "0123456789abcdef.js"]
        {
            assert!(!has_content_hash(name), "{name}");
        }
    }

    #[test]
    fn an_encoding_with_a_weight_of_zero_is_not_accepted() {
        for (header, expected) in [
            ("br", true),
            ("gzip, deflate, br", true),
            ("gzip;q=0.5, BR;q=0.1", true),
            ("br;q=0", false),
            ("br; q=0.0", false),
            ("brotli", false),
            ("", false),
        ] {
            assert_eq!(accepts(header, "br"), expected, "{header}");
        }
    }
}
