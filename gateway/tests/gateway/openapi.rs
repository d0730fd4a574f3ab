//! The API's description says what is there.

use std::fs;
use std::process::Command;

use keyside_core::api::{CA_PATH, CONFIGURATION_PATH, ProblemKind, REQUESTS_PATH};
use reqwest::Method;
use serde_json::Value;

use crate::harness::{Site, problem, python};

/// What schemathesis is told. A body can fit its schema and still be refused: no schema says what a certification request is.
const SCHEMATHESIS_CONFIGURATION: &str = r#"
warnings = false
[checks.positive_data_acceptance]
expected-statuses = ["2xx", 400, 404, 406, 409, 413, 422]
"#;

/// Every reference in `value`.
fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::Object(members) => {
            found.extend(members.get("$ref").and_then(Value::as_str));
            members.values().for_each(|member| references(member, found));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

#[tokio::test]
async fn every_path_of_the_description_is_there_and_every_reference_leads_somewhere() {
    let site = Site::new();
    let gateway = site.start(&[]);
    let description: Value = gateway.get("/api/v1/openapi.json").await.json().await.unwrap();
    assert!(description["openapi"].as_str().unwrap().starts_with("3."));

    let paths = description["paths"].as_object().unwrap();
    let one = format!("{REQUESTS_PATH}/{{transaction_id}}");
    let [certificate, revocation] = ["certificate", "revocation"].map(|part| format!("{one}/{part}"));
    let mut described: Vec<_> = paths.keys().map(String::as_str).collect();
    described.sort_unstable();
    let mut expected = [REQUESTS_PATH, &one, &certificate, &revocation, CONFIGURATION_PATH, CA_PATH];
    expected.sort_unstable();
    assert_eq!(described, expected);
    for (path, operations) in paths {
        for method in operations.as_object().unwrap().keys() {
            let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
            let answer = gateway.request(method, &path.replace("{transaction_id}", "none")).send().await.unwrap();
            if !answer.status().is_success() {
                let kind = problem(answer).await.kind;
                assert!(!matches!(kind, ProblemKind::NotFound | ProblemKind::MethodNotAllowed), "{path}: {kind:?}");
            }
        }
    }

    let mut found = Vec::new();
    references(&description, &mut found);
    assert!(found.len() > 5, "{found:?}");
    for reference in found {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(description.pointer(pointer).is_some(), "{reference}");
    }
}

/// Schemathesis reads the description, sends what fits it and what does not, and compares the answers with it.
#[test]
fn schemathesis_finds_nothing() {
    let site = Site::new().issuing_at_once();
    let gateway = site.start(&[]);
    let configuration = site.path("schemathesis.toml");
    fs::write(&configuration, SCHEMATHESIS_CONFIGURATION).unwrap();
    let output = Command::new(python())
        .args(["-m", "schemathesis.cli"])
        .arg("--config-file")
        .arg(configuration)
        .args(["run", &format!("{}/api/v1/openapi.json", gateway.url)])
        // The same each time, and no file left behind.
        .args(["--seed", "1", "--generation-deterministic", "--max-examples", "20"])
        .current_dir(site.path(""))
        .env("NO_PROXY", "127.0.0.1")
        .output()
        .expect("this test needs a Python with schemathesis from PyPI: name it in KEYSIDE_PYTHON");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("Tested: 7"), "{text}");
}
