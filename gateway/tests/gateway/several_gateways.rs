//! Several gateways on one PostgreSQL share the work: each request is worked on once, and what one that is killed has begun, another ends.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use keyside_core::api::{REQUESTS_PATH, RequestStatus};
use keyside_core::domain::transaction_id::TransactionId;
use keyside_pki::certificate::Certificate;
use reqwest::Method;
use tokio::sync::Mutex;

use crate::harness::{Gateway, Site, eventually, good_request, http_client, submission};

const REQUESTS: usize = 500;
/// So many are taken before one of the gateways is killed.
const BEFORE_THE_KILL: usize = 200;
/// Clients at once.
const CLIENTS: usize = 8;

/// Submits a certification request to one of `urls`, and to the next one while there is no answer. Returns its transaction ID.
async fn submit(http: &reqwest::Client, urls: [&str; 2], certification_request: &[u8]) -> TransactionId {
    let body = submission("participants", certification_request);
    for url in urls.iter().cycle().take(100) {
        let request = http.request(Method::POST, format!("{url}{REQUESTS_PATH}"));
        let answer = request.header("content-type", "application/json").body(body.clone()).send().await;
        if let Ok(answer) = answer {
            assert!(answer.status().is_success(), "{answer:?}");
            // An answer that breaks off is none.
            if let Ok(status) = answer.json::<RequestStatus>().await {
                return status.transaction_id;
            }
        }
    }
    panic!("no gateway answers");
}

async fn all_issued(gateway: &Gateway, ids: &HashSet<TransactionId>) -> HashMap<TransactionId, Vec<u8>> {
    let mut certificates = HashMap::new();
    for &id in ids {
        certificates.insert(id, gateway.issued(id).await);
    }
    certificates
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_two_is_killed_and_nothing_is_lost_or_done_twice() {
    let site = Site::on_postgresql().configure("approval.after_seconds = 1");
    let other_site = site.another_machine();
    let (killed, survivor) = (site.start(&[]), other_site.start(&[]));
    let urls = [killed.url.clone(), survivor.url.clone()];

    let (next, taken) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(HashMap::new())));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let (next, taken, urls) = (Arc::clone(&next), Arc::clone(&taken), urls.clone());
            tokio::spawn(async move {
                let http = http_client();
                loop {
                    let i = next.fetch_add(1, Ordering::Relaxed);
                    if i >= REQUESTS {
                        return;
                    }
                    let request =
                        tokio::task::spawn_blocking(move || good_request(&format!("User {i}"))).await.unwrap();
                    let id = submit(&http, [&urls[i % 2], &urls[(i + 1) % 2]], &request).await;
                    taken.lock().await.insert(id, i);
                }
            })
        })
        .collect();

    let database = site.database().await;
    let count = async |state: &'static str| -> usize {
        let count: i64 = sqlx::query_scalar("SELECT count(*) FROM requests WHERE state = $1")
            .bind(state)
            .fetch_one(database.reader())
            .await
            .unwrap();
        usize::try_from(count).unwrap()
    };
    eventually(async || taken.lock().await.len() >= BEFORE_THE_KILL && count("issued").await > 0).await;
    drop(killed);
    assert!(count("issued").await < REQUESTS, "all was done before the kill: this test tests nothing");
    for client in clients {
        client.await.unwrap();
    }

    let ids: HashSet<_> = taken.lock().await.keys().copied().collect();
    assert_eq!(ids.len(), REQUESTS);
    let certificates = all_issued(&survivor, &ids).await;
    assert_eq!((count("issued").await, count("pending").await), (REQUESTS, 0));
    let serials: HashSet<Vec<u8>> = certificates
        .values()
        .map(|certificate| {
            let certificate = Certificate::from_der(certificate).unwrap();
            certificate.serial_number().to_vec()
        })
        .collect();
    assert_eq!(serials.len(), REQUESTS);

    // Everybody was told, once: that the request was taken, and that the certificate is there.
    let told = async || -> usize {
        let sent = "SELECT count(*) FROM outbox WHERE state = 'sent'";
        let count: i64 = sqlx::query_scalar(sent).fetch_one(database.reader()).await.unwrap();
        usize::try_from(count).unwrap()
    };
    eventually(async || told().await == 2 * REQUESTS).await;
    let files = [&site, &other_site].map(|site| {
        let folder = std::fs::read_dir(site.data().join("notifications")).unwrap();
        let names = folder.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| !name.starts_with('.')).collect::<Vec<_>>()
    });
    let all: HashSet<_> = files.iter().flatten().collect();
    assert_eq!(all.len(), 2 * REQUESTS);
    let twice = files.concat().len() - all.len();
    assert!(
        twice <= 1,
        "{twice} twice: no more than the one that the kill has come down on, on the other machine's disk"
    );
    let verified = site.run("audit", &["verify"]);
    assert!(verified.status.success(), "{verified:?}");

    // A machine that comes back has the same to say.
    let restarted = site.start(&[]);
    let some = ids.iter().copied().take(20).collect();
    for (id, certificate) in all_issued(&restarted, &some).await {
        assert_eq!(certificates[&id], certificate, "{id}");
    }
    database.close().await;
}
