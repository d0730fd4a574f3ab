//! The page's files and the headers around every answer.

use std::fs;

use keyside_core::api::{CONFIGURATION_PATH, REQUESTS_PATH};
use reqwest::Method;

use crate::harness::{Gateway, Site, header};

/// A site with a page such as the build makes it.
fn site_with_page() -> Site {
    let site = Site::new();
    let page = site.path("page");
    fs::create_dir_all(&page).unwrap();
    for (name, contents) in [
        ("index.html", "<!DOCTYPE html><title>Keyside</title>"),
        ("app-0123456789abcdef.js", "// clear"),
        ("app-0123456789abcdef.js.br", "brotli"),
        ("app-0123456789abcdef.js.gz", "gzip"),
        ("app-0123456789abcdef_bg.wasm", "\0asm"),
        ("service-worker.js", "// worker"),
    ] {
        fs::write(page.join(name), contents).unwrap();
    }
    site
}

fn start(site: &Site) -> Gateway {
    site.start(&["--page", site.path("page").to_str().unwrap()])
}

#[tokio::test]
async fn files_have_their_type_and_lifetime() {
    let site = site_with_page();
    let gateway = start(&site);
    for (path, media_type, cache_control) in [
        ("/", "text/html; charset=utf-8", "no-store"),
        ("/index.html", "text/html; charset=utf-8", "no-store"),
        ("/collect", "text/html; charset=utf-8", "no-store"),
        ("/register/participants", "text/html; charset=utf-8", "no-store"),
        ("/app-0123456789abcdef.js", "text/javascript; charset=utf-8", "public, max-age=31536000, immutable"),
        ("/app-0123456789abcdef_bg.wasm", "application/wasm", "public, max-age=31536000, immutable"),
        ("/service-worker.js", "text/javascript; charset=utf-8", "no-cache"),
    ] {
        let response = gateway.get(path).await;
        assert_eq!(response.status(), 200, "{path}");
        assert_eq!(header(&response, "content-type"), media_type, "{path}");
        assert_eq!(header(&response, "cache-control"), cache_control, "{path}");
    }
    for path in
        ["/missing.js", "/app-fedcba9876543210.js", "/../keyside.toml", "/%2e%2e/keyside.toml", "/snippets/missing.js"]
    {
        let response = gateway.get(path).await;
        assert_eq!(response.status(), 404, "{path}");
        assert_eq!(header(&response, "cache-control"), "no-cache", "{path}");
    }
    for length in [240, 300, 5_000] {
        let response = gateway.get(&format!("/{}.js", "a".repeat(length))).await;
        assert_eq!(response.status(), 404, "{length} letters");
    }
    let response = gateway.request(Method::POST, "/collect").send().await.unwrap();
    assert_eq!(response.status(), 405);
}

#[tokio::test]
async fn files_are_compressed_ahead_of_time() {
    let site = site_with_page();
    let gateway = start(&site);
    for (accept, encoding, contents) in
        [("br, gzip", "br", "brotli"), ("gzip", "gzip", "gzip"), ("identity", "", "// clear")]
    {
        let request = gateway.request(Method::GET, "/app-0123456789abcdef.js").header("accept-encoding", accept);
        let response = request.send().await.unwrap();
        assert_eq!(header(&response, "content-encoding"), encoding);
        assert_eq!(header(&response, "content-type"), "text/javascript; charset=utf-8");
        assert_eq!(header(&response, "vary"), "accept-encoding");
        let entity_tag = header(&response, "etag").to_owned();
        assert_eq!(response.text().await.unwrap(), contents);

        let request = gateway.request(Method::GET, "/app-0123456789abcdef.js").header("accept-encoding", accept);
        let response = request.header("if-none-match", &entity_tag).send().await.unwrap();
        assert_eq!(response.status(), 304, "{encoding}");
        assert_eq!(header(&response, "etag"), entity_tag);
    }
}

#[tokio::test]
async fn every_answer_has_the_security_headers() {
    let site = site_with_page();
    let gateway = start(&site);
    for path in ["/", "/service-worker.js", "/missing.js", CONFIGURATION_PATH, "/api/nothing", "/pki/root.crl"] {
        let response = gateway.get(path).await;
        let policy = header(&response, "content-security-policy");
        assert!(policy.starts_with("default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; "), "{path}");
        assert!(!policy.contains("unsafe-inline") && !policy.contains("http"), "{path}");
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-embedder-policy", "require-corp"),
            ("cross-origin-resource-policy", "same-origin"),
            ("strict-transport-security", ""),
        ] {
            assert_eq!(header(&response, name), value, "{path}");
        }
    }

    let site = Site::new().configure("public_url = 'https://certificates.example.com'");
    let response = site.start(&[]).get(CONFIGURATION_PATH).await;
    assert_eq!(header(&response, "strict-transport-security"), "max-age=31536000");
}

#[tokio::test]
async fn a_page_hosted_elsewhere_may_use_the_api_if_it_is_configured() {
    let preflight = async |gateway: &Gateway, origin: &str| {
        gateway
            .request(Method::OPTIONS, REQUESTS_PATH)
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "content-type")
            .send()
            .await
            .unwrap()
    };
    let site = Site::new().configure("allowed_origins = ['https://www.example.com']");
    let gateway = site.start(&[]);
    let response = preflight(&gateway, "https://www.example.com").await;
    assert_eq!(response.status(), 200);
    assert_eq!(header(&response, "access-control-allow-origin"), "https://www.example.com");
    assert_eq!(header(&response, "access-control-allow-methods"), "GET,POST,PUT");
    assert!(header(&response, "access-control-allow-headers").contains("content-type"));
    let response = preflight(&gateway, "https://evil.example").await;
    assert_eq!(header(&response, "access-control-allow-origin"), "");

    // Problems too: the page must be able to read what is wrong.
    let request = gateway.request(Method::GET, "/api/v1/nothing").header("origin", "https://www.example.com");
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 404);
    assert_eq!(header(&response, "access-control-allow-origin"), "https://www.example.com");
    assert_eq!(header(&response, "access-control-expose-headers"), "location,retry-after");

    let site = Site::new();
    let response = preflight(&site.start(&[]), "https://www.example.com").await;
    assert_eq!(response.status(), 405);
    assert_eq!(header(&response, "access-control-allow-origin"), "");
}

#[test]
fn a_folder_without_the_page_is_named() {
    let site = Site::new();
    let output = site.serve(&["--page", "nowhere"]).output().unwrap();
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("nowhere has no index.html"));
}
