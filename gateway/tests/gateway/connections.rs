//! Slow clients, and the end.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;

use keyside_core::api::CONFIGURATION_PATH;

use crate::harness::{Gateway, PATIENCE, Site};

fn connect(gateway: &Gateway) -> TcpStream {
    let stream = TcpStream::connect(gateway.url.strip_prefix("http://").unwrap()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Everything that comes until the gateway closes the connection.
fn read_to_end(mut stream: TcpStream) -> String {
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

#[test]
fn slow_clients_are_cut_off() {
    let site = Site::new().configure("limits.timeout_seconds = 1");
    let gateway = site.start(&[]);

    let mut half_a_head = connect(&gateway);
    half_a_head.write_all(b"GET / HTTP/1.1\r\nHost: ").unwrap();
    assert_eq!(read_to_end(half_a_head), "");

    let mut half_a_body = connect(&gateway);
    half_a_body
        .write_all(b"POST /api/v1/requests HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{")
        .unwrap();
    let answer = read_to_end(half_a_body);
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert!(answer.contains("retry-after: 5") && answer.contains("/problems/unavailable"), "{answer}");
}

#[test]
fn a_client_that_takes_no_answer_is_cut_off() {
    let site = Site::new().configure("limits = { timeout_seconds = 1, connections = 1 }");
    let page = site.path("page");
    fs::create_dir_all(&page).unwrap();
    fs::write(page.join("index.html"), "<!DOCTYPE html>").unwrap();
    // Far more than the system takes on its way.
    fs::write(page.join("large.bin"), vec![0; 64 << 20]).unwrap();
    let gateway = site.start(&["--page", page.to_str().unwrap()]);
    let mut deaf = connect(&gateway);
    deaf.write_all(b"GET /large.bin HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    let mut waiting = connect(&gateway);
    waiting.write_all(b"GET /api/v1/ca HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
    assert!(read_to_end(waiting).starts_with("HTTP/1.1 200 "));
    drop(deaf);
}

#[test]
fn connections_beyond_the_limit_wait_their_turn() {
    let site = Site::new().configure("limits = { timeout_seconds = 1, connections = 1 }");
    let gateway = site.start(&[]);
    let idle = connect(&gateway);
    let mut waiting = connect(&gateway);
    waiting.write_all(b"GET /api/v1/ca HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
    assert!(read_to_end(waiting).starts_with("HTTP/1.1 200 "));
    drop(idle);
}

#[tokio::test]
async fn it_stops_in_peace_when_told_to() {
    let site = Site::new();
    let gateway = site.start(&[]);
    gateway.get(CONFIGURATION_PATH).await; // leaves a connection open
    let mut half_a_head = connect(&gateway);
    half_a_head.write_all(b"GET / HT").unwrap();
    assert!(gateway.stop().success());
    // The database is whole in its one file: whoever copies that has it all.
    let log = std::fs::metadata(site.data().join("keyside.sqlite-wal")).map_or(0, |log| log.len());
    assert_eq!(log, 0);
}
