//! Slow clients, and the end.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::time::Duration;

use keyside_core::api::CONFIGURATION_PATH;
use keyside_gateway::configuration::Config;
use keyside_gateway::web::listener::raise_file_limit;
use tokio::net::TcpSocket;

use crate::connection_check::send_with;
use crate::harness::{Gateway, PATIENCE, Site};

/// Less than a silent client has.
const QUICK: Duration = Duration::from_secs(5);

fn connect(gateway: &Gateway) -> TcpStream {
    let stream = TcpStream::connect(gateway.url.strip_prefix("http://").unwrap()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Asks for `path`, which is there, and reads the answer, after which the connection stays.
fn ask(stream: &mut TcpStream, path: &str) {
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes()).unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"alive\n") {
        let mut bytes = [0; 1024];
        let count = stream.read(&mut bytes).unwrap();
        assert!(count > 0, "{}", String::from_utf8_lossy(&answer));
        answer.extend_from_slice(&bytes[..count]);
    }
}

/// Everything that comes until the gateway closes the connection. With bytes from here that it has not read, the system resets it.
fn read_to_end(mut stream: TcpStream) -> String {
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        Err(error) if error.kind() != ErrorKind::ConnectionReset => panic!("{error}"),
        _ => String::from_utf8(bytes).unwrap(),
    }
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

/// Connections from as many addresses of this computer, which send nothing.
async fn silent(target: SocketAddr, count: u8, each: usize) -> Vec<tokio::net::TcpStream> {
    let mut streams = Vec::new();
    for host in 0..count {
        for _ in 0..each {
            let socket = TcpSocket::new_v4().unwrap();
            socket.bind(SocketAddr::from(([127, 0, 1, host + 1], 0))).unwrap();
            streams.push(socket.connect(target).await.unwrap());
        }
    }
    streams
}

/// The address in a URL.
fn address(url: &str) -> SocketAddr {
    url.split_once("://").unwrap().1.trim_end_matches('/').parse().unwrap()
}

#[tokio::test]
async fn slow_clients_of_one_address_or_of_many_keep_no_one_else_out() {
    // For as many sockets in this process.
    raise_file_limit(&Config::load(None).unwrap().limits);
    let site = Site::new();
    let gateway = site.start_with_check();
    let check = address(gateway.check_url.as_deref().unwrap());
    // 520 of one address, and then 576 of nine.
    for (hosts, each) in [(1, 520), (9, 64)] {
        let main = silent(address(&gateway.url), hosts, each).await;
        let tls = silent(check, hosts, each).await;
        // A client that waits for less time than the silent ones have.
        let http = reqwest::Client::builder().no_proxy().timeout(QUICK).build().unwrap();
        for path in ["/pki/issuing.crl", "/console/sign-in", CONFIGURATION_PATH, "/readyz"] {
            let answer = http.get(format!("{}{path}", gateway.url)).send().await;
            assert!(answer.as_ref().is_ok_and(|answer| answer.status() == 200), "{hosts} {path}: {answer:?}");
        }
        let est =
            tokio::time::timeout(QUICK, send_with(&site, &gateway, None, "GET /.well-known/est/cacerts", "")).await;
        assert!(est.as_ref().is_ok_and(|answer| answer.starts_with("HTTP/1.1 200 ")), "{hosts}: {est:?}");
        drop((main, tls));
    }
}

#[test]
fn an_address_has_so_many_connections_and_loses_the_one_that_has_waited_longest() {
    let site = Site::new().configure("limits.connections_per_address = 2");
    let gateway = site.start(&[]);
    let (first, mut second) = (connect(&gateway), connect(&gateway));
    ask(&mut second, "/healthz");
    let mut third = connect(&gateway);
    assert_eq!(read_to_end(first), "");
    ask(&mut second, "/healthz");
    ask(&mut third, "/healthz");
}

/// Behind a proxy all clients have one address.
#[test]
fn a_proxy_has_as_many_connections_as_there_are() {
    let site =
        Site::new().configure("limits.connections_per_address = 2\nlimits.client_address_header = 'X-Forwarded-For'");
    let gateway = site.start(&[]);
    let mut all: Vec<_> = (0..20).map(|_| connect(&gateway)).collect();
    for stream in &mut all {
        ask(stream, "/healthz");
    }
}

#[test]
fn a_request_that_is_not_sent_whole_goes_for_a_new_connection_and_one_that_is_does_not() {
    let site = Site::new().configure("limits.connections_per_address = 2");
    let gateway = site.start(&[]);
    let mut slow = connect(&gateway);
    slow.write_all(
        b"POST /api/v1/requests HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{",
    )
    .unwrap();
    let mut idle = connect(&gateway);
    // Once it was answered, the slow one has waited longer.
    ask(&mut idle, "/healthz");
    let mut new = connect(&gateway);
    ask(&mut new, "/healthz");
    assert_eq!(read_to_end(slow), "");
    ask(&mut idle, "/healthz");
}

#[test]
fn an_answer_that_is_being_sent_is_sent_to_its_end() {
    let site = Site::new().configure("limits.connections_per_address = 2");
    let page = site.path("page");
    fs::create_dir_all(&page).unwrap();
    fs::write(page.join("index.html"), "<!DOCTYPE html>").unwrap();
    // The system takes some megabytes on their way, the gateway some more: of one of these it has all, and the system has not.
    let sizes = (1..=32).map(|quarters| quarters << 18);
    for size in sizes.clone() {
        fs::write(page.join(format!("{size}.bin")), vec![0; size]).unwrap();
    }
    let gateway = site.start(&["--page", page.to_str().unwrap()]);
    for size in sizes {
        let mut slow = connect(&gateway);
        slow.write_all(format!("GET /{size}.bin HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").as_bytes()).unwrap();
        let mut first = [0; 12];
        slow.read_exact(&mut first).unwrap();
        // The second of these takes the place of the first one.
        for _ in 0..2 {
            ask(&mut connect(&gateway), "/healthz");
        }
        let mut rest = Vec::new();
        slow.read_to_end(&mut rest).unwrap();
        assert!(rest.len() > size, "{} of {size}", rest.len());
    }
}

#[test]
fn the_limit_on_open_files_is_raised() {
    let site = Site::new();
    let mut serve = site.serve(&[]);
    let mut shell = Command::new("sh");
    shell.args(["-c", "ulimit -Sn 128 && exec \"$0\" \"$@\""]).arg(serve.get_program()).args(serve.get_args());
    shell.envs(serve.get_envs().filter_map(|(name, value)| Some((name, value?))));
    serve = shell;
    let gateway = Gateway::spawn(serve);
    let limits = fs::read_to_string(format!("/proc/{}/limits", gateway.process_id())).unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let numbers: Vec<&str> = line.split_whitespace().skip(3).take(2).collect();
    assert_eq!(numbers[0], numbers[1], "{line}");
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
