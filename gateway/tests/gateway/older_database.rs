//! A SQLite database of an older version: today's gateway opens it, and everything in it is still there.

use std::fs;

use keyside_core::api::{ProblemKind, RequestState, RequestStatus, Revocation, request_path};
use keyside_core::domain::revocation::{RevocationReason, RevocationState};
use keyside_core::domain::transaction_id::TransactionId;
use keyside_gateway::database::Location;
use keyside_gateway::store::request_search::{Filter, search};
use sqlx_sqlite::{SqliteConnectOptions, SqlitePool};

use crate::harness::{Gateway, Site, certification_request, email, good_request, openssl, problem, subject};
use crate::keys::key_of;

/// The last migration that the older version had.
const LAST_MIGRATION: i64 = 4;
/// The columns that its tables had.
const COLUMNS: [(&str, &str); 2] = [
    (
        "requests",
        "transaction_id, certificate_type, common_name, email_address, certification_request, submission_sha256, validity_days, \
         submitted_at, approve_at, state, decided_at, rejection_reason, serial_number, not_before, not_after, certificate, renews, \
         revocation_requested_at, revocation_requested_reason, revoked_at, revocation_reason, replaces, device_kind, \
         device_file_format, device_names",
    ),
    ("crls", "issuer, number, this_update, crl, entries"),
];

/// A site with the database as the older version left it: with the requests and the CRL of the site `today`, which it stored in the same
/// columns.
async fn older(today: &Site) -> Site {
    let site = Site::on_sqlite();
    fs::create_dir_all(site.data()).unwrap();
    let [Location::Sqlite(from), Location::Sqlite(to)] = [today.location(), site.location()] else {
        panic!("they are on SQLite")
    };
    let database =
        SqlitePool::connect_with(SqliteConnectOptions::new().filename(to).create_if_missing(true)).await.unwrap();
    sqlx::migrate!("migrations/sqlite").run_to(LAST_MIGRATION, &database).await.unwrap();
    let mut connection = database.acquire().await.unwrap();
    sqlx::query("ATTACH DATABASE $1 AS today").bind(from.to_str().unwrap()).execute(&mut *connection).await.unwrap();
    for (table, columns) in COLUMNS {
        let copy = format!("INSERT INTO {table} ({columns}) SELECT {columns} FROM today.{table}");
        let copied = sqlx::raw_sql(sqlx::AssertSqlSafe(copy)).execute(&mut *connection).await.unwrap();
        assert!(copied.rows_affected() > 0, "{table}");
    }
    drop(connection);
    database.close().await;
    site
}

/// The CRL as `openssl` describes it.
async fn crl(site: &Site, gateway: &Gateway) -> String {
    fs::write(site.path("crl.der"), gateway.get("/pki/issuing.crl").await.bytes().await.unwrap()).unwrap();
    openssl(&["crl", "-inform", "DER", "-in", "crl.der", "-noout", "-text"], &site.path(""))
}

fn run(site: &Site, command: &str, arguments: &[&str]) -> String {
    let output = site.run(command, arguments);
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
async fn everything_in_it_is_still_there() {
    let today = Site::on_sqlite();
    let gateway = today.start(&["--manual-approval"]);
    let submit = async |name: &str| gateway.submit_good(&good_request(name)).await;
    let (issued, revoked) = (submit("Ada Example").await, submit("Bea Example").await);
    let (waiting, rejected) = (submit("Cleo Ångström").await, submit("Dan Example").await);
    for id in [issued, revoked] {
        run(&today, "requests", &["approve", &id.to_string()]);
        gateway.issued(id).await;
    }
    run(&today, "requests", &["reject", &rejected.to_string(), "--reason", "nobody knows Dan"]);
    run(&today, "requests", &["revoke", &revoked.to_string(), "--reason", "key-compromise"]);
    let status = async |gateway: &Gateway, id: TransactionId| -> String {
        let answer = gateway.get(&request_path(&id)).await;
        assert_eq!(answer.status(), 200);
        answer.text().await.unwrap()
    };
    let told = async |gateway: &Gateway| {
        let mut told = Vec::new();
        for id in [issued, revoked, waiting, rejected] {
            told.push(status(gateway, id).await);
        }
        (told, gateway.issued(issued).await, crl(&today, gateway).await)
    };
    let before = told(&gateway).await;
    assert!(before.2.contains("Key Compromise"), "{}", before.2);
    assert!(gateway.stop().success());

    let site = older(&today).await;
    let gateway = site.start(&["--manual-approval"]);
    assert_eq!(told(&gateway).await, before);
    let revocation = serde_json::from_str::<RequestStatus>(&before.0[1]).unwrap().revocation;
    let (state, reason) = (RevocationState::Revoked, RevocationReason::KeyCompromise);
    assert!(matches!(revocation, Some(Revocation { state: s, reason: r, .. }) if (s, r) == (state, reason)));
    run(&site, "audit", &["verify"]);

    // Officers find it by name, and it goes on from there.
    let database = site.database().await;
    for (name, id) in [("cleo å", waiting), ("BEA", revoked)] {
        let found = search(&database, &Filter { text: name.into(), ..Filter::default() }, 2).await.unwrap();
        assert_eq!(found.into_iter().map(|request| request.transaction_id).collect::<Vec<_>>(), [id]);
    }
    database.close().await;
    // Its keys are known too.
    let address = vec![email("eve@example.com")];
    for (owner, kind) in [("Bea Example", ProblemKind::KeyCompromised), ("Ada Example", ProblemKind::KeyOfAnother)] {
        let stolen = certification_request(&key_of(owner), subject("Eve Example"), address.clone());
        assert_eq!(problem(gateway.submit(&stolen).await).await.kind, kind, "{owner}");
    }
    let new = gateway.submit_good(&good_request("Eve Example")).await;
    for id in [waiting, new] {
        assert_eq!(gateway.state(id).await, RequestState::Pending);
        run(&site, "requests", &["approve", &id.to_string()]);
        gateway.issued(id).await;
    }
    run(&site, "requests", &["revoke", &new.to_string(), "--reason", "superseded"]);
    let crl = crl(&site, &gateway).await;
    assert!(crl.contains("Key Compromise") && crl.contains("Superseded"), "{crl}");
    run(&site, "audit", &["verify"]);
}
