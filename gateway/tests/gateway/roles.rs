//! Every route by role, as one table: tried cell by cell, held against the routes that there are, and printed as `docs/roles.md`.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::Path;
use std::sync::Arc;

use base64ct::{Base64, Encoding};
use keyside_core::api::{RequestStatus, certificate_path};
use keyside_gateway::ca::CaEngine;
use keyside_gateway::ca::embedded::EmbeddedCa;
use keyside_gateway::ca::settings::Ca;
use keyside_gateway::configuration::Config;
use keyside_gateway::database::Database;
use keyside_gateway::hexadecimal::hexadecimal;
use keyside_gateway::officers::invitation;
use keyside_gateway::ra::RegistrationAuthority;
use keyside_gateway::store::audit_actions::Actor;
use keyside_gateway::store::officer_roles::Role;
use keyside_gateway::web::console::Console;
use keyside_gateway::web::operations;
use keyside_gateway::web::rate_limit::RateLimits;
use keyside_gateway::web::{self, Around};
use reqwest::Method;

use crate::connection_check::send_with;
use crate::console::{Browser, COMPANY, in_days, invite, transaction_id};
use crate::harness::{Gateway, Site, good_request, header, submission};

/// Who asks, in the order of the table's columns.
const ROLES: [&str; 8] = [
    "Stranger",
    "User",
    "UAA of the company",
    "UAA of another company",
    "Approver",
    "Auditor",
    "Expired session",
    "Revoked officer",
];

/// What is answered. Whoever has not signed in is sent to do so, and learns nothing.
type Cells = [&'static str; 8];

const SIGN_IN: &str = "sign in";

/// The same for everybody: an officer's session counts for nothing here.
const fn all(cell: &'static str) -> Cells {
    [cell; 8]
}

/// For those who have signed in: the company's User Access Administrator, another company's, an approver, an auditor.
const fn officers(uaa: &'static str, other: &'static str, approver: &'static str, auditor: &'static str) -> Cells {
    [SIGN_IN, SIGN_IN, uaa, other, approver, auditor, SIGN_IN, SIGN_IN]
}

/// Where the gateway listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Listener {
    /// `--listen`.
    Site,
    /// `--tls-listen`, where certificates are seen. The console's other routes are there too, and the same.
    Check,
    /// `--operations-listen`, which is not for the world.
    Operations,
}

use Listener::{Check, Operations, Site as Main};

/// A row: where, how and what; and the answers. ANY stands for the methods that lead to the same answer.
type Row = (Listener, &'static str, &'static str, Cells);

const TABLE: &[Row] = &[
    (Main, "POST", "/api/v1/requests", all("202")),
    (Main, "GET", "/api/v1/requests/{transaction_id}", all("200")),
    (Main, "PUT", "/api/v1/requests/{transaction_id}", all("409")),
    (Main, "GET", "/api/v1/requests/{transaction_id}/certificate", all("200")),
    (Main, "POST", "/api/v1/requests/{transaction_id}/revocation", all("202")),
    (Main, "GET", "/api/v1/configuration", all("200")),
    (Main, "GET", "/api/v1/ca", all("200")),
    (Main, "GET", "/api/v1/openapi.json", all("200")),
    (Main, "ANY", "/api", all("404")),
    (Main, "ANY", "/api/", all("404")),
    (Main, "ANY", "/api/{*path}", all("404")),
    (Main, "GET", "/pki/root.cer", all("200")),
    (Main, "GET", "/pki/root.crl", all("200")),
    (Main, "GET", "/pki/issuing.cer", all("200")),
    (Main, "GET", "/pki/issuing.crl", all("200")),
    (Main, "ANY", "/pki", all("404")),
    (Main, "ANY", "/pki/", all("404")),
    (Main, "ANY", "/pki/{*path}", all("404")),
    (Main, "GET", "/problems/{*slug}", all("200")),
    (Main, "GET", "/healthz", all("200")),
    (Main, "GET", "/readyz", all("200")),
    (Main, "GET", "/console", officers("303", "303", "303", "303")),
    (Main, "GET", "/console/console.css", all("200")),
    (Main, "GET", "/console/icon.svg", all("200")),
    (Main, "GET", "/console/sign-in", ["200", "200", "303", "303", "303", "303", "200", "200"]),
    (Main, "GET", "/console/sign-in/{token}", all("200")),
    (Main, "POST", "/console/sign-in/{token}", all("303")),
    (Main, "POST", "/console/sign-in-with-certificate", all("403")),
    (Main, "POST", "/console/sign-out", all(SIGN_IN)),
    (Main, "POST", "/console/sign-out-everywhere", all(SIGN_IN)),
    (Main, "GET", "/console/requests", officers("200", "200", "200", "200")),
    (Main, "GET", "/console/requests/{transaction_id}", officers("200", "404", "200", "200")),
    (Main, "GET", "/console/requests/{transaction_id}/approve", officers("403", "403", "200", "403")),
    (Main, "POST", "/console/requests/{transaction_id}/approve", officers("403", "403", "303", "403")),
    (Main, "GET", "/console/requests/{transaction_id}/reject", officers("403", "403", "200", "403")),
    (Main, "POST", "/console/requests/{transaction_id}/reject", officers("403", "403", "303", "403")),
    (Main, "GET", "/console/requests/{transaction_id}/revoke", officers("403", "403", "200", "403")),
    (Main, "POST", "/console/requests/{transaction_id}/revoke", officers("403", "403", "303", "403")),
    (Main, "GET", "/console/authorisations", officers("200", "200", "200", "200")),
    (Main, "POST", "/console/authorisations", officers("303", "303", "403", "403")),
    (Main, "GET", "/console/authorisations/new", officers("200", "200", "403", "403")),
    (Main, "GET", "/console/authorisations/{id}", officers("200", "404", "200", "200")),
    (Main, "GET", "/console/authorisations/{id}/code", officers("200", "404", "403", "403")),
    (Main, "POST", "/console/authorisations/{id}/code", officers("303", "404", "403", "403")),
    (Main, "GET", "/console/authorisations/{id}/withdraw", officers("200", "404", "403", "403")),
    (Main, "POST", "/console/authorisations/{id}/withdraw", officers("303", "404", "403", "403")),
    (Main, "GET", "/console/officers", officers("403", "403", "200", "200")),
    (Main, "GET", "/console/audit", officers("403", "403", "200", "200")),
    (Main, "ANY", "/console/{*path}", officers("404", "404", "404", "404")),
    (Check, "GET", "/", all("200")),
    (Check, "GET", "/connection-check.css", all("200")),
    (Check, "GET", "/icon.svg", all("200")),
    (Check, "GET", "/problems/{*slug}", all("200")),
    (Check, "GET", "/.well-known/est/cacerts", all("200")),
    (Check, "POST", "/.well-known/est/simpleenroll", all("401")),
    (Check, "POST", "/.well-known/est/simplereenroll", ["401", "422", "422", "422", "422", "422", "422", "422"]),
    (Operations, "GET", "/healthz", all("200")),
    (Operations, "GET", "/readyz", all("200")),
    (Operations, "GET", "/metrics", all("200")),
    (Check, "POST", "/console/sign-in-with-certificate", ["403", "403", "303", "303", "303", "303", "303", "403"]),
];

/// The routes of a router, each with its methods: as its own description has them, since it lists them in no other way.
fn routes_of(router: &axum::Router) -> BTreeSet<(String, String)> {
    let text = format!("{router:?}");
    let (routes, rest) = text.split_once("node: Node { paths: ").expect("axum describes its routes");
    // Each begins with the number of the route.
    let entries = |text: &str| -> Vec<(String, String)> {
        let entries = text.split("RouteId(").skip(1).filter_map(|entry| entry.split_once("): "));
        entries.map(|(number, rest)| (number.to_owned(), rest.to_owned())).collect()
    };
    let paths = rest.split_once("\"} }").expect("the paths end").0;
    let paths: HashMap<String, String> =
        entries(paths).into_iter().map(|(number, path)| (number, path.split('"').nth(1).unwrap().to_owned())).collect();
    let mut found = BTreeSet::new();
    for (number, route) in entries(routes) {
        let path = paths.get(&number).expect("a route has a path");
        let methods = match route.split_once("allow_header: Bytes(b\"") {
            Some((_, rest)) => rest.split('"').next().unwrap(),
            // Every method.
            None => "ANY",
        };
        // A route that answers to GET answers to HEAD in the same way.
        for method in methods.split(',').filter(|method| *method != "HEAD") {
            found.insert((method.to_owned(), path.clone()));
        }
    }
    assert_eq!(paths.len(), entries(routes).len());
    found
}

#[tokio::test]
async fn every_route_has_its_rows() {
    let site = Site::new();
    let config = Config::load(None).unwrap();
    let database = site.new_database().await;
    let url = "http://127.0.0.1";
    let Ca::Embedded(ca) = &config.ca else { panic!("the example has the embedded CA") };
    let ca = EmbeddedCa::open_or_create(&site.data().join("ca"), ca, None, url).unwrap();
    let ca: Arc<dyn CaEngine> = Arc::new(ca);
    let operations = Arc::new(operations::Operations::new(database.clone(), Arc::clone(&ca)));
    let around =
        || Around { operations: Arc::clone(&operations), rate_limits: Arc::new(RateLimits::new(&config.limits)) };
    let ra = Arc::new(RegistrationAuthority::new(config.registration_authority(None), database.clone(), ca));
    let settings = config.web();
    let console = || Console::new(Arc::clone(&ra), database.clone(), &settings.site, url, None);
    let main = routes_of(&web::router(Arc::clone(&ra), &settings, None, url, console(), around()));
    let check = routes_of(&web::connection_check_router(Arc::clone(&ra), &settings, None, console(), around()));
    let rows = |listener| -> BTreeSet<(String, String)> {
        let rows = TABLE.iter().filter(|(of, ..)| *of == listener);
        rows.map(|(_, method, path, _)| ((*method).to_owned(), (*path).to_owned())).collect()
    };
    assert_eq!(main, rows(Main));
    assert_eq!(routes_of(&operations::router(Arc::clone(&operations))), rows(Operations));
    let consoles: BTreeSet<_> = main.into_iter().filter(|(_, path)| path.starts_with("/console")).collect();
    assert_eq!(check, rows(Check).union(&consoles).cloned().collect());
}

/// What the cells are about.
struct Fixtures<'a> {
    site: &'a Site,
    gateway: &'a Gateway,
    database: &'a Database,
    /// The User Access Administrator of the company.
    own: Browser,
    approver: Browser,
    /// A request of the company's that waits, and one whose certificate was issued.
    pending: String,
    issued: String,
    authorisation: String,
    /// An officer for whom links are made.
    spare: String,
    count: u32,
}

impl Fixtures<'_> {
    /// A new name.
    fn name(&mut self) -> String {
        self.count += 1;
        format!("Ada Example {}", self.count)
    }

    /// A request of one of the company's people, and its authorisation.
    async fn request(&mut self) -> (String, String) {
        let name = self.name();
        let authorised = self.own.authorise(&name, "ada@example.com").await;
        let response = self.gateway.submit_with_code(&good_request(&name), &authorised.code).await;
        (transaction_id(response).await.0.to_string(), authorised.id)
    }

    /// One whose certificate was issued.
    async fn issued(&mut self) -> String {
        let (id, _) = self.request().await;
        let approved = self.approver.approve(&format!("/console/requests/{id}/approve")).await;
        assert_eq!(approved.status(), 303);
        self.gateway.issued(id.parse().unwrap()).await;
        id
    }

    /// A path of the table with something in its places; fresh where the request changes it.
    async fn path(&mut self, method: &str, pattern: &str) -> String {
        let changes = method == "POST";
        let id = match pattern.rsplit('/').next().unwrap() {
            "approve" | "reject" if changes => self.request().await.0,
            "revoke" if changes => self.issued().await,
            "withdraw" | "code" if changes => {
                let name = self.name();
                self.own.authorise(&name, "ada@example.com").await.id
            }
            "certificate" | "revocation" | "revoke" => self.issued.clone(),
            _ if pattern.starts_with("/console/authorisations") => self.authorisation.clone(),
            _ => self.pending.clone(),
        };
        let token = invitation::give_link(self.database, &self.spare, 60, Actor::CommandLine).await.unwrap();
        pattern
            .replace("{transaction_id}", &id)
            .replace("{id}", &id)
            .replace("{token}", token.secret())
            .replace("{*slug}", "not-found")
            .replace("{*path}", "elsewhere")
    }

    /// The certificate of a new person, and its serial number.
    async fn certificate(&mut self) -> (Vec<u8>, Vec<u8>) {
        let id: keyside_core::domain::transaction_id::TransactionId = self.issued().await.parse().unwrap();
        let response =
            self.gateway.request(Method::GET, &certificate_path(&id)).header("accept", "application/pkix-cert");
        let der = response.send().await.unwrap().bytes().await.unwrap().to_vec();
        let all = self.site.all_requests().await;
        let request = all.into_iter().find(|request| request.transaction_id == id).unwrap();
        (der, request.serial_number.unwrap())
    }
}

#[tokio::test]
async fn every_cell_is_as_the_table_has_it() {
    let site = Site::new();
    let gateway =
        site.start(&["--manual-approval", "--tls-listen", "127.0.0.1:0", "--operations-listen", "127.0.0.1:0"]);
    let database = site.database().await;
    let officer = async |role, company| invite(&database, role, company, "An Officer").await;
    let ids = [
        officer(Role::Uaa, Some(COMPANY)).await,
        officer(Role::Uaa, Some("Another Company")).await,
        officer(Role::Approver, None).await,
        officer(Role::Auditor, None).await,
        officer(Role::Approver, None).await,
        officer(Role::Approver, None).await,
    ];
    let mut fixtures = Fixtures {
        site: &site,
        gateway: &gateway,
        database: &database,
        own: Browser::of(&gateway, &database, &officer(Role::Uaa, Some(COMPANY)).await).await,
        approver: Browser::of(&gateway, &database, &officer(Role::Approver, None).await).await,
        pending: String::new(),
        issued: String::new(),
        authorisation: String::new(),
        spare: officer(Role::Auditor, None).await,
        count: 0,
    };
    (fixtures.pending, fixtures.authorisation) = fixtures.request().await;
    fixtures.issued = fixtures.issued().await;
    let mut certificates = Vec::new();
    for id in &ids {
        let (der, serial_number) = fixtures.certificate().await;
        invitation::bind_certificate(&database, id, &serial_number, Actor::CommandLine).await.unwrap();
        certificates.push((der, hexadecimal(&serial_number)));
    }
    let (user, _) = fixtures.certificate().await;
    let shown = |role: usize| match role {
        0 => None,
        1 => Some(user.as_slice()),
        role => Some(certificates[role - 2].0.as_slice()),
    };
    let expired = &ids[4];
    let expire = format!("UPDATE sessions SET started_at = 0 WHERE officer_id = '{expired}'");
    let browser = async |role: usize| match role {
        0 | 1 => Browser::new(&gateway),
        7 => {
            // Its session is from before.
            let browser =
                Browser::of(&gateway, &database, &invite(&database, Role::Approver, None, "Gone").await).await;
            site.execute("UPDATE officers SET revoked_at = 1 WHERE name = 'Gone'").await;
            browser
        }
        role => {
            let browser = Browser::of(&gateway, &database, &ids[role - 2]).await;
            if role == 6 {
                site.execute(&expire).await;
            }
            browser
        }
    };
    invitation::revoke(&database, &ids[5], Actor::CommandLine).await.unwrap();
    let mut browsers = Vec::new();
    for role in 0..ROLES.len() {
        browsers.push(browser(role).await);
    }
    let until = in_days(30);
    for (listener, method, pattern, cells) in TABLE {
        let mut found = Vec::new();
        for (role, name) in ROLES.iter().enumerate() {
            let path = fixtures.path(method, pattern).await;
            let here = &browsers[role];
            let verb = if *method == "ANY" { "GET" } else { method };
            let (status, location) = if *listener == Check {
                // What EST takes; the other routes do not look at it.
                let body = Base64::encode_string(&good_request("Ada Example"));
                let headers = format!(
                    "Origin: {}\r\nAccept: text/html\r\nCookie: {}\r\nContent-Type: application/pkcs10\r\n\
                     Content-Length: {}\r\n\r\n{body}",
                    gateway.check_url.as_deref().unwrap(),
                    here.cookie().replace("keyside", "__Host-keyside"),
                    body.len()
                );
                let answer = send_with(&site, &gateway, shown(role), &format!("{verb} {path}"), &headers).await;
                let location = answer.lines().find_map(|line| line.strip_prefix("location: ")).unwrap_or_default();
                (answer["HTTP/1.1 ".len()..][..3].to_owned(), location.to_owned())
            } else {
                let url = match listener {
                    Operations => gateway.operations_url.as_deref().unwrap(),
                    _ => gateway.url.as_str(),
                };
                let request = here.request_at(url, verb.parse().unwrap(), &path);
                let name = fixtures.name();
                let seen = match (verb, path.ends_with("/approve")) {
                    ("POST", true) => fixtures.approver.seen(&path).await,
                    _ => String::new(),
                };
                let json = "application/json";
                let (media_type, body) = match (verb, *pattern) {
                    ("POST", "/api/v1/requests") | ("PUT", _) => {
                        (json, submission("participants", &good_request(&name)))
                    }
                    ("POST", path) if path.ends_with("/revocation") => (json, r#"{"reason": "superseded"}"#.into()),
                    ("POST", _) => (
                        "application/x-www-form-urlencoded",
                        here.form(&[
                            ("seen", &seen),
                            ("reason", "superseded"),
                            ("certificate_type", "participants"),
                            ("common_name", &name),
                            ("email_address", "ada@example.com"),
                            ("until", &until),
                        ]),
                    ),
                    _ => ("", String::new()),
                };
                let request = match media_type {
                    "" => request,
                    _ => request.header("content-type", media_type).body(body),
                };
                let response = request.send().await.unwrap();
                (response.status().as_u16().to_string(), header(&response, "location").to_owned())
            };
            let cell = if status == "303" && location == "/console/sign-in" { SIGN_IN.to_owned() } else { status };
            found.push((*name, cell));
            // Signing in and out ends the session that the browser has.
            if *method == "POST" && pattern.starts_with("/console/sign-") {
                browsers[role] = browser(role).await;
            }
        }
        let expected: Vec<_> = ROLES.into_iter().zip(cells.map(ToOwned::to_owned)).collect();
        assert_eq!(found, expected, "{listener:?} {method} {pattern}");
    }
    // What was refused has changed nothing: the requests that approvers have decided are the only ones.
    let state = gateway.get(&format!("/api/v1/requests/{}", fixtures.pending)).await;
    assert_eq!(state.json::<RequestStatus>().await.unwrap().state, keyside_core::api::RequestState::Pending);
    database.close().await;
    assert!(site.run("audit", &["verify"]).status.success());
}

/// The table as the document has it.
fn document() -> String {
    let mut text = String::from(
        "# Who gets what\n\n\
         Every route of the gateway by role. This table is the one that the tests try cell by cell (`gateway/tests/gateway/roles.rs`), and\n\
         a route without a row fails them.\n\n\
         A number is the HTTP status. 303 leads on: to the result of what was done. *sign in* leads to the page where officers sign in, and\n\
         tells nothing. 403: this role may not. 404: there is nothing here that this role may see; whether there is anything is not told.\n\
         The API knows no officers: who has the transaction ID may read the request, ask for its certificate and for its revocation.\n\n\
         *User* is a person with a certificate who is no officer. At `--tls-listen` each row is tried with a certificate of its role's own;\n\
         the console's other routes are there too, and the same.\n",
    );
    for (listener, title) in
        [(Main, "At `--listen`"), (Check, "At `--tls-listen`"), (Operations, "At `--operations-listen`")]
    {
        text += &format!(
            "\n## {title}\n\n| Method | Path | {} |\n|---|---|{}\n",
            ROLES.join(" | "),
            "---|".repeat(ROLES.len())
        );
        for (_, method, path, cells) in TABLE.iter().filter(|(of, ..)| *of == listener) {
            text += &format!("| {method} | `{path}` | {} |\n", cells.join(" | "));
        }
    }
    text
}

#[test]
fn the_document_is_the_table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/roles.md");
    let written = fs::read_to_string(&path).unwrap_or_default();
    if written != document() {
        let fresh = Path::new(env!("CARGO_TARGET_TMPDIR")).join("roles.md");
        fs::write(&fresh, document()).unwrap();
        panic!("docs/roles.md is not the table: put {} in its place", fresh.display());
    }
}
