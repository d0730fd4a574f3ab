//! The officers' console over HTTP: signing in, sessions, forms, authorisations, and what the applicant is not told.

use std::sync::atomic::{AtomicUsize, Ordering};

use keyside_core::api::{RequestState, request_path};
use keyside_core::domain::transaction_id::TransactionId;
use keyside_gateway::database::Database;
use keyside_gateway::officers::invitation::{self, Invitation, LINK_LIFETIME};
use keyside_gateway::officers::sign_in;
use keyside_gateway::officers::token::Token;
use keyside_gateway::store::audit_actions::Actor;
use keyside_gateway::store::officer_roles::Role;
use keyside_gateway::store::requests::{self, NewRequest};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::redirect::Policy;
use reqwest::{Method, Response};

use crate::connection_check::send_with;
use crate::harness::{
    Gateway, PATIENCE, Site, certification_request, email, eventually, good_request, header, key, subject,
    submission_with_code,
};
use crate::keys::key_of;

/// The company whose people the tests are about.
pub(crate) const COMPANY: &str = "Example Power & Light";

/// A browser, and the session in it if there is one.
pub(crate) struct Browser {
    http: reqwest::Client,
    url: String,
    session: Option<Token>,
}

impl Browser {
    /// A browser without a session.
    pub(crate) fn new(gateway: &Gateway) -> Self {
        let http = reqwest::Client::builder().no_proxy().timeout(PATIENCE).redirect(Policy::none()).build().unwrap();
        Self { http, url: gateway.url.clone(), session: None }
    }

    /// A browser in which this officer has signed in.
    pub(crate) async fn of(gateway: &Gateway, database: &Database, officer: &str) -> Self {
        let link = invitation::give_link(database, officer, LINK_LIFETIME, Actor::CommandLine).await.unwrap();
        let session = sign_in::sign_in_by_link(database, &link).await.unwrap();
        Self { session: Some(session.unwrap()), ..Self::new(gateway) }
    }

    /// The header that the session is shown in; empty without one.
    pub(crate) fn cookie(&self) -> String {
        self.session.as_ref().map(|token| format!("keyside-console={}", token.secret())).unwrap_or_default()
    }

    /// A request as a browser sends it from a page of the gateway.
    pub(crate) fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.request_at(&self.url, method, path)
    }

    /// The same to another listener.
    pub(crate) fn request_at(&self, url: &str, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.http.request(method, format!("{url}{path}")).header("cookie", self.cookie());
        request.header("origin", &self.url).header("sec-fetch-site", "same-origin")
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        self.request(Method::GET, path).send().await.unwrap()
    }

    /// The page at `path`, which is there.
    pub(crate) async fn page(&self, path: &str) -> String {
        let response = self.get(path).await;
        assert_eq!(response.status(), 200, "{path}");
        response.text().await.unwrap()
    }

    /// The body of a form with the session's token.
    pub(crate) fn form(&self, fields: &[(&str, &str)]) -> String {
        let token = self.session.as_ref().map(Token::for_forms).unwrap_or_default();
        let fields = fields.iter().copied().chain([("form_token", token.as_str())]);
        let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        fields.map(|(name, value)| format!("{name}={}", encode(value))).collect::<Vec<_>>().join("&")
    }

    /// Sends a form as a page of the gateway does.
    pub(crate) async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Response {
        let request = self.request(Method::POST, path).header("content-type", "application/x-www-form-urlencoded");
        request.body(self.form(fields)).send().await.unwrap()
    }

    /// The details that the page before an approval has shown, as its form sends them.
    pub(crate) async fn seen(&self, approve: &str) -> String {
        let page = self.page(approve).await;
        let (_, rest) = page.split_once("name=\"seen\" value=\"").unwrap_or_else(|| panic!("{page}"));
        rest.split('"').next().unwrap().to_owned()
    }

    /// Approves the request that the page at this path asks about.
    pub(crate) async fn approve(&self, approve: &str) -> Response {
        self.post(approve, &[("seen", &self.seen(approve).await)]).await
    }

    /// Authorises a person until far ahead, and learns the code.
    pub(crate) async fn authorise(&self, common_name: &str, address: &str) -> Authorised {
        let until = in_days(30);
        let fields = [
            ("certificate_type", "participants"),
            ("common_name", common_name),
            ("email_address", address),
            ("until", until.as_str()),
            ("told_by_officer", "yes"),
        ];
        shown_code(self.post("/console/authorisations", &fields).await).await
    }
}

/// An authorisation: its id, and its code.
pub(crate) struct Authorised {
    pub(crate) id: String,
    pub(crate) code: String,
}

/// The authorisation on the page that shows its code.
async fn shown_code(response: Response) -> Authorised {
    assert_eq!(response.status(), 200);
    let page = response.text().await.unwrap();
    let between = |before: &str, after: char| {
        let (_, rest) = page.split_once(before).unwrap_or_else(|| panic!("{before}: {page}"));
        rest.split(after).next().unwrap().to_owned()
    };
    let code = page.split(['<', '>']).find(|text| text.parse::<TransactionId>().is_ok()).unwrap().to_owned();
    Authorised { id: between("href=\"/console/authorisations/", '"'), code }
}

/// The day so many days ahead, as a form has it.
pub(crate) fn in_days(days: i64) -> String {
    let at = keyside_gateway::clock::now() + days * keyside_gateway::clock::DAY;
    keyside_gateway::clock::date_and_time(at)[..10].to_owned()
}

/// Makes an officer; gives the id.
pub(crate) async fn invite(database: &Database, role: Role, company: Option<&str>, name: &str) -> String {
    let company = company.map(ToOwned::to_owned);
    let invitation = Invitation { role, company, name: name.into(), email_address: "officer@example.com".into() };
    invitation::invite(database, invitation, None, Actor::CommandLine).await.unwrap().id
}

/// Whether an answer leads to where officers sign in.
pub(crate) fn leads_to_sign_in(response: &Response) -> bool {
    response.status() == 303 && header(response, "location") == "/console/sign-in"
}

pub(crate) async fn approver(gateway: &Gateway, database: &Database) -> Browser {
    Browser::of(gateway, database, &invite(database, Role::Approver, None, "Abe Example").await).await
}

async fn administrator(gateway: &Gateway, database: &Database) -> Browser {
    Browser::of(gateway, database, &invite(database, Role::Uaa, Some(COMPANY), "Una Example").await).await
}

#[tokio::test]
async fn a_link_from_the_command_line_works_once_and_only_by_its_button() {
    let site = Site::new();
    let gateway = site.start(&[]);
    let arguments =
        ["invite", "--role", "uaa", "--company", COMPANY, "--name", "Una Example", "--email", "una@example.com"];
    let output = site.run("officer", &[&arguments[..], &["--url", "https://ra.example.com/"]].concat());
    let text = String::from_utf8(output.stdout).unwrap();
    let path = text.lines().find_map(|line| line.strip_prefix("link https://ra.example.com")).unwrap();
    let browser = Browser::new(&gateway);
    for _ in 0..2 {
        let page = browser.page(path).await;
        assert!(page.contains("Una Example") && page.contains("Example Power &amp; Light"), "{page}");
    }
    let post = || browser.http.post(format!("{}{path}", gateway.url));
    for foreign in [
        post(),
        post().header("origin", "https://elsewhere.example"),
        post().header("origin", "null"),
        post().header("sec-fetch-site", "cross-site"),
        post().header("origin", &gateway.url).header("sec-fetch-site", "same-site"),
        post().header("origin", "https://elsewhere.example").header("sec-fetch-site", "same-origin"),
    ] {
        assert_eq!(foreign.send().await.unwrap().status(), 403);
    }
    let response = browser.post(path, &[]).await;
    assert_eq!((response.status().as_u16(), header(&response, "location")), (303, "/console/requests"));
    let cookie = header(&response, "set-cookie").to_owned();
    for part in ["keyside-console=", "; Path=/; Max-Age=36000", "; HttpOnly", "; SameSite=Strict"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    // Without https the browser would throw a secure one away.
    assert!(!cookie.contains("Secure"), "{cookie}");
    for method in [Method::GET, Method::POST] {
        assert_eq!(browser.request(method, path).send().await.unwrap().status(), 404);
    }
    let with_cookie = browser.http.get(format!("{}/console/requests", gateway.url));
    let response = with_cookie.header("cookie", cookie.split(';').next().unwrap()).send().await.unwrap();
    assert_eq!(response.status(), 200);
    // Neither token stands in the database.
    let bytes: Vec<u8> = ["keyside.sqlite", "keyside.sqlite-wal"]
        .iter()
        .flat_map(|name| std::fs::read(site.data().join(name)).unwrap_or_default())
        .collect();
    let secrets = [path.rsplit('/').next().unwrap(), cookie.split(['=', ';']).nth(1).unwrap()];
    for secret in secrets {
        assert_eq!(secret.len(), 43, "{secret}");
        assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()));
    }
}

#[tokio::test]
async fn a_link_ends_with_its_time_with_the_next_one_and_with_the_officer() {
    let site = Site::new();
    let gateway = site.start(&[]);
    let database = site.database().await;
    let id = invite(&database, Role::Auditor, None, "Aud Example").await;
    let browser = Browser::new(&gateway);
    let link = async |lifetime| {
        let token = invitation::give_link(&database, &id, lifetime, Actor::CommandLine).await.unwrap();
        format!("/console/sign-in/{}", token.secret())
    };
    let expired = link(0).await;
    assert_eq!(browser.post(&expired, &[]).await.status(), 404);
    let (first, second) = (link(60).await, link(60).await);
    assert_eq!(browser.get(&first).await.status(), 404);
    assert_eq!(browser.get(&second).await.status(), 200);
    assert!(site.run("officer", &["revoke", &id]).status.success());
    assert_eq!(browser.get(&second).await.status(), 404);
    assert_eq!(browser.post(&second, &[]).await.status(), 404);
    let again = site.run("officer", &["link", &id]);
    assert!(!again.status.success(), "{again:?}");
    let list = String::from_utf8(site.run("officer", &["list"]).stdout).unwrap();
    let line = list.lines().find(|line| line.starts_with(&id)).unwrap();
    assert!(line.contains("\tauditor\t\tAud Example\tofficer@example.com\t") && !line.ends_with('\t'), "{line}");
}

#[tokio::test]
async fn a_session_ends() {
    let site = Site::new();
    let gateway = site.start(&[]);
    let database = site.database().await;
    let id = invite(&database, Role::Approver, None, "Abe Example").await;
    let sign_in = async || Browser::of(&gateway, &database, &id).await;
    let is_in = async |browser: &Browser| !leads_to_sign_in(&browser.get("/console/requests").await);

    let browser = sign_in().await;
    assert!(is_in(&browser).await);
    site.execute("UPDATE sessions SET last_used_at = last_used_at - 1790").await;
    assert!(is_in(&browser).await, "it was used");
    site.execute("UPDATE sessions SET last_used_at = last_used_at - 1790").await;
    assert!(is_in(&browser).await, "being used counts");
    site.execute("UPDATE sessions SET last_used_at = last_used_at - 1801").await;
    assert!(!is_in(&browser).await, "idle");

    let browser = sign_in().await;
    site.execute("UPDATE sessions SET started_at = started_at - 36001").await;
    assert!(!is_in(&browser).await, "a working day is over");

    let (here, there) = (sign_in().await, sign_in().await);
    let response = here.post("/console/sign-out", &[]).await;
    assert!(header(&response, "set-cookie").contains("Max-Age=0"));
    assert!(!is_in(&here).await && is_in(&there).await);
    let here = sign_in().await;
    here.post("/console/sign-out-everywhere", &[]).await;
    assert!(!is_in(&here).await && !is_in(&there).await);

    let browser = sign_in().await;
    assert!(site.run("officer", &["revoke", &id]).status.success());
    assert!(!is_in(&browser).await, "revoked");
    let made_up = Browser { session: Some(Token::shown("a.b")), ..Browser::new(&gateway) };
    assert!(!is_in(&made_up).await);
}

#[tokio::test]
async fn a_form_is_taken_from_the_session_s_own_pages_alone() {
    let site = Site::new();
    let gateway = site.start(&["--manual-approval"]);
    let database = site.database().await;
    let (browser, other) = (approver(&gateway, &database).await, approver(&gateway, &database).await);
    let id = gateway.submit_good(&good_request("Ada Example")).await;
    let path = format!("/console/requests/{id}/reject");
    let post = |origin: &str, body: String| {
        let request = browser.http.post(format!("{}{path}", gateway.url)).header("cookie", browser.cookie());
        request.header("origin", origin).header("content-type", "application/x-www-form-urlencoded").body(body)
    };
    let good = browser.form(&[("reason", "no")]);
    for (origin, body) in [
        (gateway.url.as_str(), "reason=no".to_owned()),
        (&gateway.url, "reason=no&form_token=".to_owned()),
        (&gateway.url, other.form(&[("reason", "no")])),
        ("https://elsewhere.example", good.clone()),
        ("null", good.clone()),
    ] {
        let response = post(origin, body).send().await.unwrap();
        assert_eq!(response.status(), 403, "{origin}");
    }
    let response = post(&gateway.url, good.clone()).header("sec-fetch-site", "cross-site").send().await.unwrap();
    assert_eq!(response.status(), 403);
    let json = browser.request(Method::POST, &path).header("content-type", "text/plain").body(good.clone());
    assert_eq!(json.send().await.unwrap().status(), 403);
    assert_eq!(gateway.state(id).await, RequestState::Pending);
    assert_eq!(post(&gateway.url, good).send().await.unwrap().status(), 303);
    assert_eq!(gateway.state(id).await, RequestState::Rejected { reason: "no".into() });
}

#[tokio::test]
async fn a_character_that_no_database_takes_finds_nothing() {
    let site = Site::new();
    let gateway = site.start(&["--manual-approval"]);
    let database = site.database().await;
    let id = gateway.submit_good(&good_request("Ada Example")).await;
    let browser = approver(&gateway, &database).await;
    for path in [
        "/console/requests?text=a%00b",
        "/console/authorisations?text=%00",
        "/console/authorisations?after=%00",
        "/console/audit?text=%00&action=%00",
    ] {
        assert_eq!(browser.get(path).await.status(), 200, "{path}");
    }
    assert_eq!(browser.get("/console/authorisations/a%00b").await.status(), 404);
    let rejected = browser.post(&format!("/console/requests/{id}/reject"), &[("reason", "no\0t here")]).await;
    assert_eq!(rejected.status(), 303);
    assert_eq!(gateway.state(id).await, RequestState::Rejected { reason: "not here".into() });
}

#[tokio::test]
async fn pages_have_a_strict_policy_and_show_what_is_typed_as_text() {
    let site = Site::new();
    let gateway = site.start(&["--manual-approval"]);
    let database = site.database().await;
    let id = invite(&database, Role::Approver, None, "<b>Abe</b>").await;
    let browser = Browser::of(&gateway, &database, &id).await;
    let response = browser.get("/console/requests?text=%22%3E%3Cscript%3Ealert(1)%3C/script%3E&state=x&after=y").await;
    assert_eq!(
        header(&response, "content-security-policy"),
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    );
    for (name, value) in [
        ("referrer-policy", "same-origin"),
        ("cache-control", "no-store"),
        ("x-content-type-options", "nosniff"),
        ("cross-origin-opener-policy", "same-origin"),
    ] {
        assert_eq!(header(&response, name), value, "{name}");
    }
    let page = response.text().await.unwrap();
    assert!(page.contains("&lt;b&gt;Abe") && page.contains("&lt;script&gt;"), "{page}");
    assert!(!page.contains("<script") && !page.contains("style="), "{page}");
}

#[tokio::test]
async fn without_https_nobody_signs_in_from_elsewhere() {
    let site = Site::new().configure("public_url = 'http://ra.example.com'");
    let gateway = site.start(&[]);
    let database = site.database().await;
    let browser = approver(&gateway, &database).await;
    assert!(browser.page("/console/sign-in").await.contains("needs https"));
    assert!(leads_to_sign_in(&browser.get("/console/requests").await));

    let site = Site::new().configure("public_url = 'https://ra.example.com'");
    let gateway = site.start(&[]);
    let database = site.database().await;
    let id = invite(&database, Role::Auditor, None, "Aud Example").await;
    let link = invitation::give_link(&database, &id, LINK_LIFETIME, Actor::CommandLine).await.unwrap();
    let path = format!("/console/sign-in/{}", link.secret());
    let post = Browser::new(&gateway).http.post(format!("{}{path}", gateway.url));
    let response = post.header("origin", "https://ra.example.com").send().await.unwrap();
    let cookie = header(&response, "set-cookie");
    assert!(cookie.starts_with("__Host-keyside-console=") && cookie.ends_with("; Secure"), "{cookie}");
}

/// A site whose officer Abe signs in with a certificate, and a second certificate, which renews that one.
struct Certified {
    site: Site,
    gateway: Gateway,
    officer: String,
    own: Held,
    renewal: Held,
}

/// A certificate: the transaction ID of its request, its DER, and its serial number in hexadecimal.
struct Held {
    id: TransactionId,
    der: Vec<u8>,
    serial_number: String,
}

impl Certified {
    async fn new() -> Self {
        let site = Site::new().issuing_at_once();
        let gateway = site.start_with_check();
        let held = async |name: &str| {
            let id = gateway.submit_good(&good_request(name)).await;
            let der = gateway.issued(id).await;
            let all = site.all_requests().await;
            let request = all.into_iter().find(|request| request.transaction_id == id).unwrap();
            Held { id, der, serial_number: keyside_gateway::hexadecimal::hexadecimal(&request.serial_number.unwrap()) }
        };
        let (own, renewal) = (held("Abe Example").await, held("Abe Example 2").await);
        let invite = ["invite", "--role", "approver", "--name", "Abe Example", "--email", "abe@example.com"];
        let invited = site.run("officer", &[&invite[..], &["--certificate", &own.serial_number]].concat());
        assert!(invited.status.success(), "{invited:?}");
        let text = String::from_utf8(invited.stdout).unwrap();
        assert!(!text.contains("link"), "{text}");
        // As if the second one had been issued as the renewal of the officer's.
        site.execute(&format!(
            "UPDATE requests SET renews = (SELECT serial_number FROM requests WHERE transaction_id = '{}') \
             WHERE transaction_id = '{}'",
            own.id, renewal.id
        ))
        .await;
        let officer = text.trim().strip_prefix("officer ").unwrap().to_owned();
        Self { site, gateway, officer, own, renewal }
    }

    /// The answer to signing in with this certificate.
    async fn sign_in(&self, der: Option<&[u8]>) -> String {
        let headers = format!("Origin: {}\r\nContent-Length: 0", self.gateway.check_url.as_deref().unwrap());
        send_with(&self.site, &self.gateway, der, "POST /console/sign-in-with-certificate", &headers).await
    }

    /// The header with the session that has begun with this certificate.
    async fn session(&self, held: &Held) -> String {
        let answer = self.sign_in(Some(&held.der)).await;
        assert!(answer.starts_with("HTTP/1.1 303 "), "{answer}");
        let cookie = answer.lines().find_map(|line| line.strip_prefix("set-cookie: ")).unwrap();
        assert!(cookie.starts_with("__Host-keyside-console=") && cookie.contains("; Secure"), "{cookie}");
        format!("Cookie: {}", cookie.split(';').next().unwrap())
    }

    /// True if a session lets those in who show this certificate.
    async fn is_in(&self, session: &str, der: Option<&[u8]>) -> bool {
        let page = send_with(&self.site, &self.gateway, der, "GET /console/requests", session).await;
        assert!(page.starts_with("HTTP/1.1 200 ") || page.contains("location: /console/sign-in"), "{page}");
        page.starts_with("HTTP/1.1 200 ") && page.contains("Abe Example")
    }

    async fn is_refused(&self, held: &Held, text: &str) {
        let answer = self.sign_in(Some(&held.der)).await;
        assert!(answer.starts_with("HTTP/1.1 403 ") && answer.contains(text), "{text}: {answer}");
    }

    /// The operator lets this certificate sign the officer in.
    fn confirm(&self, held: &Held) {
        let bound = self.site.run("officer", &["certificate", &self.officer, &held.serial_number]);
        assert!(bound.status.success(), "{bound:?}");
    }

    fn revoke(&self, held: &Held, reason: &str) {
        let revoked = self.site.requests(&["revoke", &held.id.to_string(), "--reason", reason]);
        assert!(revoked.status.success(), "{revoked:?}");
    }
}

#[tokio::test]
async fn an_officer_s_own_certificate_signs_in_and_the_session_is_its_holder_s_alone() {
    let certified = Certified::new().await;
    let Certified { site, gateway, own, renewal, .. } = &certified;
    let invite = ["invite", "--role", "approver", "--name", "Abe Example", "--email", "abe@example.com"];
    let unknown = site.run("officer", &[&invite[..], &["--certificate", "0a0b"]].concat());
    assert!(!unknown.status.success(), "{unknown:?}");
    assert_eq!(String::from_utf8(site.run("officer", &["list"]).stdout).unwrap().lines().count(), 2);

    let session = certified.session(own).await;
    assert!(certified.is_in(&session, Some(&own.der)).await);
    assert!(!certified.is_in(&session, None).await, "a stolen cookie is of no use without the certificate");
    assert!(!certified.is_in(&session, Some(&renewal.der)).await);
    let token = session.split_once('=').unwrap().1;
    let elsewhere =
        gateway.request(Method::GET, "/console/requests").header("cookie", format!("keyside-console={token}"));
    assert_ne!(elsewhere.send().await.unwrap().url().path(), "/console/requests", "no certificate is seen there");

    assert!(certified.sign_in(None).await.contains("No certificate"));
    let path = "POST /console/sign-in-with-certificate";
    let foreign = "Origin: https://elsewhere.example\r\nContent-Length: 0";
    let answer = send_with(site, gateway, Some(&own.der), path, foreign).await;
    assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
}

#[tokio::test]
async fn a_renewal_of_an_officer_s_certificate_signs_in_once_an_operator_has_confirmed_it() {
    let certified = Certified::new().await;
    let (own, renewal) = (&certified.own, &certified.renewal);
    certified.is_refused(renewal, "is not confirmed yet").await;
    let session = certified.session(own).await;
    certified.confirm(renewal);
    let renewed = certified.session(renewal).await;
    certified.is_refused(own, "it is no officer").await;
    assert!(!certified.is_in(&session, Some(&own.der)).await, "the one before may be lost");
    // The one before has been replaced, which is no reason to shut the officer out.
    certified.revoke(own, "superseded");
    assert!(certified.is_in(&renewed, Some(&renewal.der)).await);
    certified.revoke(renewal, "cessation-of-operation");
    assert!(!certified.is_in(&renewed, Some(&renewal.der)).await);
}

#[tokio::test]
async fn the_sessions_of_a_revoked_issuer_s_certificates_end() {
    let certified = Certified::new().await;
    let Certified { site, gateway, own, .. } = &certified;
    let session = certified.session(own).await;
    let issuing = gateway.get("/pki/issuing.cer").await.bytes().await.unwrap();
    let issuing = keyside_pki::certificate::Certificate::from_der(&issuing).unwrap();
    let database = site.database().await;
    let mut transaction = database.transaction().await.unwrap();
    let issuer = keyside_gateway::store::crls::issuer_of(&issuing);
    sign_in::issuer_revoked(&mut transaction, &issuer, &Actor::CommandLine).await.unwrap();
    transaction.commit().await.unwrap();
    database.close().await;
    assert!(!certified.is_in(&session, Some(&own.der)).await);
    certified.is_refused(own, "it is no officer").await;
}

#[tokio::test]
async fn a_revoked_certificate_ends_its_sessions_and_the_sign_in_of_what_renews_it() {
    let certified = Certified::new().await;
    let Certified { site, own, renewal, .. } = &certified;
    let session = certified.session(own).await;
    certified.confirm(renewal);
    let renewed = certified.session(renewal).await;
    // Only this one, without those that renew it.
    let alone = ["--reason", "key-compromise", "--extent", "certificate"];
    let revoked = site.requests(&[&["revoke", &own.id.to_string()][..], &alone].concat());
    assert!(revoked.status.success(), "{revoked:?}");
    assert!(!certified.is_in(&session, Some(&own.der)).await);
    assert!(!certified.is_in(&renewed, Some(&renewal.der)).await, "the thief may have it");
    certified.is_refused(own, "revoked").await;
    certified.is_refused(renewal, "it is no officer").await;
    let database = site.database().await;
    let taken: Vec<String> = sqlx::query_scalar("SELECT detail FROM audit WHERE action = 'sign-in taken'")
        .fetch_all(database.reader())
        .await
        .unwrap();
    assert!(matches!(&taken[..], [detail] if detail.contains(&renewal.serial_number)), "{taken:?}");
    database.close().await;
}

#[tokio::test]
async fn an_expired_certificate_ends_its_sessions_and_signs_in_no_more() {
    let certified = Certified::new().await;
    let Certified { site, own, .. } = &certified;
    let session = certified.session(own).await;
    assert!(certified.is_in(&session, Some(&own.der)).await);
    let expire = format!("UPDATE requests SET not_after = not_before + 1 WHERE transaction_id = '{}'", own.id);
    site.execute(&expire).await;
    assert!(!certified.is_in(&session, Some(&own.der)).await);
    let database = site.database().await;
    sign_in::end_expired(&database).await.unwrap();
    certified.is_refused(own, "it is no officer").await;
    database.close().await;
}

#[tokio::test]
async fn a_session_from_a_time_when_the_clock_was_ahead_is_none() {
    let site = Site::new();
    let gateway = site.start(&[]);
    let database = site.database().await;
    let browser = approver(&gateway, &database).await;
    assert_eq!(browser.get("/console/requests").await.status(), 200);
    site.execute("UPDATE sessions SET started_at = started_at + 2592000, last_used_at = last_used_at + 2592000").await;
    assert!(leads_to_sign_in(&browser.get("/console/requests").await));
    database.close().await;
}

/// An answer without what differs from one request to the next: the transaction ID, the times, and the name. The second to come back in
/// is that of the approval, and ticks in between.
async fn comparable(response: Response, id: TransactionId) -> String {
    let status = response.status();
    let mut headers: Vec<_> =
        response.headers().iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
    headers.retain(|header| !header.starts_with("date: "));
    for header in &mut headers {
        let seconds = header.strip_prefix("retry-after: ").and_then(|seconds| seconds.parse().ok());
        if seconds.is_some_and(|seconds: u32| seconds.abs_diff(3600) < 60) {
            "retry-after: about an hour".clone_into(header);
        }
    }
    headers.sort();
    let body = response.text().await.unwrap();
    let mut text = format!("{status}\n{}\n\n{body}", headers.join("\n")).replace(&id.to_string(), "ID");
    let member = "\"submitted_at\":";
    let at = text.find(member).unwrap() + member.len();
    let digits = text[at..].chars().take_while(char::is_ascii_digit).count();
    text.replace_range(at..at + digits, "TIME");
    text
}

pub(crate) async fn transaction_id(response: Response) -> (TransactionId, Response) {
    let id = header(&response, "location").rsplit('/').next().unwrap().parse().unwrap();
    (id, response)
}

#[tokio::test]
async fn an_administrator_authorises_the_company_s_people_alone() {
    let rules =
        "[[companies]]\nname = 'Example Power & Light'\nmail_domains = ['example.com']\ncommon_names = '* (EPL)'";
    let site = Site::new().configure(rules);
    let gateway = site.start(&["--manual-approval"]);
    let database = site.database().await;
    let officer = administrator(&gateway, &database).await;
    let until = in_days(30);
    for (name, address, says) in [
        ("Ada Example", "ada@example.com", "have the form"),
        ("Ada Example (EPL)", "ada@example.org", "at example.com."),
    ] {
        let fields = [
            ("certificate_type", "participants"),
            ("common_name", name),
            ("email_address", address),
            ("until", until.as_str()),
        ];
        let response = officer.post("/console/authorisations", &fields).await;
        assert_eq!(response.status(), 422);
        let page = response.text().await.unwrap();
        assert!(page.contains(says) && page.contains(name), "{page}");
    }
    officer.authorise("Ada Example (EPL)", "ada@example.com").await;
    database.close().await;
}

#[tokio::test]
async fn the_applicant_is_not_told_whether_there_is_an_authorisation() {
    let unchanged = |site: Site| site;
    type Configure<'a> = &'a dyn Fn(Site) -> Site;
    let settings: [(&str, Configure<'_>, &[&str]); 3] = [
        ("manual", &unchanged, &["--manual-approval"]),
        ("after a while", &|site| site.configure("approval.after_seconds = 3600"), &[]),
        ("authorised", &approving_authorised, &["--manual-approval"]),
    ];
    for (setting, configure, arguments) in settings {
        let site = configure(Site::new());
        let gateway = site.start(arguments);
        let database = site.database().await;
        let officer = administrator(&gateway, &database).await;
        let ada = officer.authorise("Ada Example", "ada@example.com").await;
        let (of_another, right) = (officer.authorise("Bea Example", "bea@example.com").await.code, ada.code.as_str());
        // The names and an address are known to strangers; the code is not.
        let strangers = [
            ("Eve Example", None),
            ("Eve Example", Some(right)),
            ("Ada Example", None),
            ("Ada Example", Some("000-000-000-000-000-000-000-000-011")),
            ("Ada Example", Some(&of_another)),
            ("Ada Example", Some("nonsense\0")),
            ("Ada Example", Some("")),
        ];
        let submit = async |name: &str, code: Option<&str>| {
            let request = another_request(name);
            let body = submission_with_code("participants", &request, code);
            let (id, answer) = transaction_id(gateway.post(body).await).await;
            (id, comparable(answer, id).await)
        };
        let mut others = Vec::new();
        for (name, code) in strangers {
            others.push(submit(name, code).await);
        }
        let (one, first) = submit("Ada Example", Some(right)).await;
        assert!(first.starts_with("202 Accepted"), "{setting}: {first}");
        let status = async |id: TransactionId| comparable(gateway.get(&request_path(&id)).await, id).await;
        for (other, answer) in &others {
            assert_eq!(first, *answer, "{setting}");
            assert_eq!(matches(&site, *other).await, None);
        }
        let stranger = others.first().unwrap().0;
        if setting == "authorised" {
            gateway.issued(one).await;
            for (other, _) in others {
                assert_eq!(status(other).await, status(stranger).await);
            }
            continue;
        }
        assert_eq!(status(one).await, status(stranger).await, "{setting}");
        let all = site.all_requests().await;
        let authorised: Vec<_> = all.iter().map(|request| request.authorisation_id.is_some()).collect();
        assert_eq!(authorised.iter().filter(|is| **is).count(), 1, "{setting}");
    }
}

/// The site, where the type `participants` approves by itself what is authorised.
fn approving_authorised(site: Site) -> Site {
    site.configure_types(&["participants"], "approval = 'authorised'")
}

/// A certification request that was not sent before: the address is in other letters each time, as far as case goes.
fn another_request(common_name: &str) -> Vec<u8> {
    static COUNT: AtomicUsize = AtomicUsize::new(1);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let letter = |(place, c): (usize, char)| if number >> place & 1 == 1 { c.to_ascii_uppercase() } else { c };
    let address: String = "ada@example.com".chars().filter(|c| *c != '@').enumerate().map(letter).collect();
    let (local, host) = address.split_at(3);
    let address = format!("{local}@{host}");
    certification_request(&key_of(&format!("{common_name}, {address}")), subject(common_name), vec![email(&address)])
}

/// Whether a request that has just been taken matches an authorisation.
async fn matches(site: &Site, id: TransactionId) -> Option<String> {
    let all = site.all_requests().await;
    all.into_iter().find(|request| request.transaction_id == id).unwrap().authorisation_id
}

#[tokio::test]
async fn an_authorisation_is_for_one_request_of_one_person_for_a_while() {
    let site = Site::new();
    let gateway = site.start(&["--manual-approval"]);
    let database = site.database().await;
    let officer = administrator(&gateway, &database).await;
    let request = |name: &str, address: &str| {
        certification_request(&key_of(&format!("{name}, {address}")), subject(name), vec![email(address)])
    };
    let submit = async |name: &str, address: &str, code: &str| {
        let response = gateway.submit_with_code(&request(name, address), code).await;
        let (id, _) = transaction_id(response).await;
        (id, matches(&site, id).await)
    };
    let Authorised { id, code } = officer.authorise(" Ada Example ", "Ada@Example.com").await;
    for (name, address) in [("ada example", "ada@example.com"), ("Ada Example", "eve@example.com")] {
        assert_eq!(submit(name, address, &code).await.1, None, "{name} {address}");
    }
    let employees = "CN=Ada Example,OU=ISO Employees & Contractors,O=Example Grid Operator,C=US".parse().unwrap();
    let employees = certification_request(&key(), employees, vec![email("ada@example.com")]);
    let body = submission_with_code("employees", &employees, Some(&code));
    let (other_type, _) = transaction_id(gateway.post(body).await).await;
    assert_eq!(matches(&site, other_type).await, None);
    // The same certification request, sent again, is the same request, and uses nothing up.
    let typed = code.to_lowercase().replace('-', " ");
    let (first, found) = submit("Ada Example", "ada@example.com", &typed).await;
    assert_eq!(found.as_deref(), Some(id.as_str()));
    assert_eq!(submit("Ada Example", "ada@example.com", &code).await.0, first);
    assert_eq!(submit("Ada Example", "ADA@example.com", &code).await.1, None, "it is used up");
    let page = officer.page(&format!("/console/authorisations/{id}")).await;
    assert!(page.contains("Used") && page.contains(&first.to_string()), "{page}");

    let expired = officer.authorise("Bea Example", "bea@example.com").await;
    site.execute(&format!("UPDATE authorisations SET expires_at = 1 WHERE id = '{}'", expired.id)).await;
    assert_eq!(submit("Bea Example", "bea@example.com", &expired.code).await.1, None);
    let withdrawn = officer.authorise("Cai Example", "cai@example.com").await;
    let path = format!("/console/authorisations/{}/withdraw", withdrawn.id);
    assert_eq!(officer.post(&path, &[]).await.status(), 303);
    assert_eq!(officer.post(&path, &[]).await.status(), 409);
    let (waiting, found) = submit("Cai Example", "cai@example.com", &withdrawn.code).await;
    assert_eq!(found, None);
    // A request that waits is not matched by an authorisation that comes after it: it may be a stranger's.
    officer.authorise("Cai Example", "cai@example.com").await;
    assert_eq!(matches(&site, waiting).await, None);
}

#[tokio::test]
async fn where_the_code_is_optional_the_names_are_enough_but_not_with_a_wrong_one() {
    let site = Site::new().configure_types(&["participants"], "code = 'optional'");
    let gateway = site.start(&["--manual-approval"]);
    let database = site.database().await;
    let officer = administrator(&gateway, &database).await;
    let waiting = gateway.submit_good(&good_request("Ada Example")).await;
    let ada = officer.authorise("Ada Example", "ada@example.com").await;
    assert_eq!(matches(&site, waiting).await, None, "it was there before");
    let submit = async |code: Option<&str>| {
        let request = another_request("Ada Example");
        let (id, _) = transaction_id(gateway.post(submission_with_code("participants", &request, code)).await).await;
        (id, matches(&site, id).await)
    };
    assert_eq!(submit(Some("000-000-000-000-000-000-000-000-011")).await.1, None);
    assert_eq!(submit(None).await.1, Some(ada.id));
    assert_eq!(submit(None).await.1, None, "it is used up");
    let again = officer.authorise("Ada Example", "ada@example.com").await;
    let (id, found) = submit(Some(&again.code)).await;
    assert_eq!(found, Some(again.id));
    let page = approver(&gateway, &database).await.page(&format!("/console/requests/{id}")).await;
    assert!(page.contains("Came with the code of its authorisation"), "{page}");
}

#[tokio::test]
async fn the_approver_sees_which_code_a_request_came_with() {
    let site = Site::new();
    let gateway = site.start(&["--manual-approval"]);
    let database = site.database().await;
    let officer = administrator(&gateway, &database).await;
    let ada = officer.authorise("Ada Example", "ada@example.com").await;
    let approver = approver(&gateway, &database).await;
    let stranger = gateway.submit_good(&good_request("Ada Example")).await;
    let page = approver.page(&format!("/console/requests/{stranger}")).await;
    for text in ["Not authorised", "Came without a code", "did not show the code"] {
        assert!(page.contains(text), "{text}: {page}");
    }
    let request = another_request("Ada Example");
    let wrong = "000-000-000-000-000-000-000-000-011";
    let (guesser, _) = transaction_id(gateway.submit_with_code(&request, wrong).await).await;
    let page = approver.page(&format!("/console/requests/{guesser}")).await;
    assert!(page.contains("Came with a code that is not this person"), "{page}");
    let request = another_request("Ada Example");
    let (own, _) = transaction_id(gateway.submit_with_code(&request, &ada.code).await).await;
    let page = approver.page(&format!("/console/requests/{own}")).await;
    assert!(page.contains("Came with the code of its authorisation") && !page.contains("Not authorised"), "{page}");
}

/// The text of the newest notification to this address, of a site without a mail server.
async fn newest_mail(site: &Site, address: &str, count: usize) -> String {
    let folder = site.data().join("notifications");
    let mails = || -> Vec<(std::time::SystemTime, String)> {
        let files = std::fs::read_dir(&folder).into_iter().flatten().flatten();
        let mails = files.filter(|file| file.path().extension().is_some_and(|extension| extension == "eml"));
        let read = mails
            .map(|file| (file.metadata().unwrap().modified().unwrap(), std::fs::read_to_string(file.path()).unwrap()));
        read.filter(|(_, text)| text.contains(&format!("To: {address}"))).collect()
    };
    eventually(async || mails().len() == count).await;
    // Long lines may be cut (RFC 2045, section 6.7).
    mails().into_iter().max().unwrap().1.replace("=\r\n", "").replace("=3D", "=")
}

/// The code in a mail's link.
fn code_in(mail: &str) -> Option<&str> {
    mail.split_once("#code=").map(|(_, rest)| rest.split_whitespace().next().unwrap())
}

#[tokio::test]
async fn the_code_is_in_the_mail_alone_and_a_new_one_ends_it() {
    let site = Site::new();
    let gateway = site.start(&["--manual-approval"]);
    let database = site.database().await;
    let officer = administrator(&gateway, &database).await;
    let until = in_days(30);
    let fields = [
        ("certificate_type", "participants"),
        ("common_name", "Ada Example"),
        ("email_address", "ada@example.com"),
        ("until", until.as_str()),
    ];
    let response = officer.post("/console/authorisations", &fields).await;
    assert_eq!(response.status(), 303);
    let path = header(&response, "location").to_owned();
    let mail = newest_mail(&site, "ada@example.com", 1).await;
    let first = code_in(&mail).unwrap().to_owned();
    assert!(
        mail.contains(
            "/register/participants?common_name=Ada%20Example&email_address=ada%40example%2Ecom\
             &company=Example%20Power%20%26%20Light#code="
        ),
        "{mail}"
    );
    assert!(!officer.page(&path).await.contains(&first), "the console does not know it");
    // Once it was sent, the database does not have it either.
    let details = async || -> Vec<String> {
        sqlx::query_scalar("SELECT details FROM outbox WHERE kind = 'authorised'")
            .fetch_all(database.reader())
            .await
            .unwrap()
    };
    eventually(async || details().await == ["{}"]).await;

    let new_code = async |fields: &[(&str, &str)]| officer.post(&format!("{path}/code"), fields).await;
    assert_eq!(new_code(&[]).await.status(), 303);
    let second = code_in(&newest_mail(&site, "ada@example.com", 2).await).unwrap().to_owned();
    let third = shown_code(new_code(&[("told_by_officer", "yes")]).await).await;
    let mail = newest_mail(&site, "ada@example.com", 3).await;
    assert!(code_in(&mail).is_none() && mail.contains("tells you by another way"), "{mail}");
    for (code, is_right) in [(&first, false), (&second, false), (&third.code, true)] {
        let request = another_request("Ada Example");
        let (id, _) = transaction_id(gateway.submit_with_code(&request, code).await).await;
        assert_eq!(matches(&site, id).await.is_some(), is_right);
    }
    let response = new_code(&[]).await;
    assert_eq!(response.status(), 409, "it is used");
    let log: Vec<(String, String)> =
        sqlx::query_as("SELECT action, detail FROM audit").fetch_all(database.reader()).await.unwrap();
    assert_eq!(log.iter().filter(|(action, _)| action == "code replaced").count(), 2);
    for code in [first, second, third.code] {
        assert!(!log.iter().any(|(_, detail)| detail.contains(&code)));
    }
}

#[tokio::test]
async fn what_is_authorised_is_approved_at_once_where_the_type_has_it_so() {
    let site = approving_authorised(Site::new());
    let gateway = site.start(&[]);
    let database = site.database().await;
    let officer = administrator(&gateway, &database).await;
    let ada = officer.authorise("Ada Example", "ada@example.com").await;
    let (id, _) = transaction_id(gateway.submit_with_code(&good_request("Ada Example"), &ada.code).await).await;
    gateway.issued(id).await;
    // One that waits stays with the approver: an authorisation that comes later does not match it.
    let waiting = gateway.submit_good(&good_request("Bea Example")).await;
    let bea = officer.authorise("Bea Example", "ada@example.com").await;
    let all = site.all_requests().await;
    let approve_at = all.iter().find(|request| request.transaction_id == waiting).unwrap().approve_at;
    assert_eq!(approve_at, None, "by time nothing is approved");
    let own = another_request("Bea Example");
    let (own, _) = transaction_id(gateway.submit_with_code(&own, &bea.code).await).await;
    gateway.issued(own).await;
    assert_eq!(gateway.state(waiting).await, RequestState::Pending);
    let actors: Vec<String> = sqlx::query_scalar("SELECT actor FROM audit WHERE action = 'approved'")
        .fetch_all(database.reader())
        .await
        .unwrap();
    assert_eq!(actors, ["policy", "policy"]);
}

#[tokio::test]
async fn a_withdrawn_authorisation_approves_nothing() {
    let site = approving_authorised(Site::new());
    let gateway = site.start(&[]);
    let database = site.database().await;
    let officer = administrator(&gateway, &database).await;
    let id = officer.authorise("Ada Example", "ada@example.com").await.id;
    assert!(gateway.stop().success());
    // As it is between a submission and the next look at what is due.
    let gateway = site.start(&["--manual-approval"]);
    let request = gateway.submit_good(&good_request("Eve Example")).await;
    site.execute(&format!(
        "UPDATE requests SET authorisation_id = '{id}', approve_at = 4102444800 WHERE transaction_id = '{request}'; \
         UPDATE authorisations SET used_by = '{request}' WHERE id = '{id}'"
    ))
    .await;
    let officer = administrator(&gateway, &database).await;
    assert_eq!(officer.post(&format!("/console/authorisations/{id}/withdraw"), &[]).await.status(), 303);
    assert_eq!(site.all_requests().await.pop().unwrap().approve_at, None);
    let browser = approver(&gateway, &database).await;
    site.execute(&format!("UPDATE requests SET company = '{COMPANY}' WHERE transaction_id = '{request}'")).await;
    let page = browser.page(&format!("/console/requests/{request}")).await;
    assert!(page.contains("It was withdrawn") && page.contains("differs"), "{page}");
}

#[tokio::test]
async fn what_is_typed_wrong_is_said_at_its_field_and_kept() {
    let site = Site::new();
    let gateway = site.start(&[]);
    let database = site.database().await;
    let officer = administrator(&gateway, &database).await;
    let (yesterday, far) = (in_days(-1), in_days(400));
    let long = "a".repeat(65);
    for (kind, name, address, until, fault) in [
        ("", "Ada", "ada@example.com", in_days(1).as_str(), "certificate_type"),
        ("participants", " ", "ada@example.com", &in_days(1), "common_name"),
        ("participants", &long, "ada@example.com", &in_days(1), "common_name"),
        ("participants", "Ada", "ada", &in_days(1), "email_address"),
        ("participants", "Ada", "ada@example.com", "", "until"),
        ("participants", "Ada", "ada@example.com", &yesterday, "until"),
        ("participants", "Ada", "ada@example.com", &far, "until"),
    ] {
        let fields = [("certificate_type", kind), ("common_name", name), ("email_address", address), ("until", until)];
        let response = officer.post("/console/authorisations", &fields).await;
        assert_eq!(response.status(), 422, "{fault}");
        let page = response.text().await.unwrap();
        assert_eq!(page.matches("href=\"#").count() - 1, 1, "one fault, and the link to the content: {page}");
        assert!(
            page.contains(&format!("href=\"#{fault}\"")) && page.contains(&format!("value=\"{address}\"")),
            "{page}"
        );
    }
    let approver = approver(&gateway, &database).await;
    let id = gateway.submit_good(&good_request("Ada Example")).await;
    for (action, fault) in [("reject", "Say why"), ("revoke", "Choose a reason")] {
        let response = approver.post(&format!("/console/requests/{id}/{action}"), &[("reason", " ")]).await;
        assert_eq!(response.status(), 422);
        assert!(response.text().await.unwrap().contains(fault));
    }
}

#[tokio::test]
async fn a_user_access_administrator_finds_the_company_s_own_alone() {
    let site = Site::new();
    let gateway = site.start(&["--manual-approval"]);
    let database = site.database().await;
    let own = administrator(&gateway, &database).await;
    let other = Browser::of(&gateway, &database, &invite(&database, Role::Uaa, Some("Other"), "Uma").await).await;
    let Authorised { id: own_id, code } = own.authorise("Ada Example", "ada@example.com").await;
    let other = other.authorise("Ada Other", "ada@example.com").await;
    let code_of = |name: &str| if name == "Ada Other" { &other.code } else { &code };
    let mut ids = Vec::new();
    for name in ["Ada Example", "Ada Other", "Ada Nobody"] {
        let (id, _) = transaction_id(gateway.submit_with_code(&good_request(name), code_of(name)).await).await;
        ids.push(id.to_string());
    }
    let shows = |page: &str| ids.iter().map(|id| page.contains(id)).collect::<Vec<_>>();
    for query in ["", "?text=ada", "?text=ada@example.com", "?company=Other", "?state=pending", "?type=participants"] {
        let page = own.page(&format!("/console/requests{query}")).await;
        assert_eq!(shows(&page), [true, false, false], "{query}");
        assert!(!own.page(&format!("/console/authorisations{query}")).await.contains("Ada Other"), "{query}");
    }
    // The field shows what was searched for.
    let page = own.page(&format!("/console/requests?text={}", ids[1])).await;
    assert!(page.contains("No request is like that") && page.matches(&ids[1]).count() == 1, "{page}");
    let approver = approver(&gateway, &database).await;
    assert_eq!(shows(&approver.page("/console/requests").await), [true, true, true]);
    assert_eq!(shows(&approver.page("/console/requests?company=Other").await), [false, true, false]);
    assert_eq!(
        shows(&approver.page(&format!("/console/requests?text={}", ids[2].to_lowercase())).await),
        [false, false, true]
    );
    assert_eq!(shows(&approver.page("/console/requests?text=ADA%20NOB").await), [false, false, true]);
    assert_eq!(shows(&approver.page("/console/requests?text=example").await), [false, false, false]);
    let page = approver.page(&format!("/console/authorisations/{own_id}")).await;
    assert!(page.contains("Una Example") && !page.contains("Withdraw"), "{page}");
}

#[tokio::test]
async fn the_lists_are_turned_page_by_page_without_a_gap() {
    let site = Site::new();
    let gateway = site.start(&["--manual-approval"]);
    let database = site.database().await;
    gateway.submit_good(&good_request("Ada Example")).await;
    // 120 further ones: some came in the same second, and each name is there twice.
    let now = keyside_gateway::clock::now();
    let mut transaction = database.transaction().await.unwrap();
    for n in 0..120_u8 {
        let new = NewRequest {
            transaction_id: TransactionId::random(&mut rand::rng()),
            certificate_type: "participants".into(),
            subject_company: None,
            common_name: format!("Ada Example {}", n / 2),
            email_address: "ada@example.com".into(),
            certification_request: vec![n],
            key_id: String::new(),
            submission_sha256: vec![n],
            renews: None,
            replaces: None,
            device: None,
            validity_days: 1,
            submitted_at: now - 3_600 + i64::from(n / 3),
            approve_at: None,
        };
        assert!(requests::insert(&mut transaction, &new).await.unwrap());
    }
    transaction.commit().await.unwrap();
    let all = site.all_requests().await;
    let browser = approver(&gateway, &database).await;
    for query in ["", "?text=ada%20ex", "?text=ada@ex", "?state=pending&type=participants"] {
        let mut path = format!("/console/requests{query}");
        let (mut seen, mut pages) = (Vec::new(), 0);
        loop {
            let page = browser.page(&path).await;
            pages += 1;
            let links =
                page.split("<td role=\"cell\" data-label=\"Common Name\"><div><a href=\"/console/requests/").skip(1);
            seen.extend(links.map(|rest| rest.split('"').next().unwrap().to_owned()));
            let Some((_, next)) = page.split_once("<a rel=\"next\" href=\"") else { break };
            path = next.split('"').next().unwrap().replace("&amp;", "&");
        }
        assert_eq!((pages, seen.len()), (3, all.len()), "{query}");
        let distinct: std::collections::HashSet<_> = seen.iter().collect();
        assert_eq!(distinct.len(), seen.len(), "{query}");
    }
}

#[tokio::test]
async fn a_decision_is_made_once() {
    let site = Site::new();
    let gateway = site.start(&["--manual-approval"]);
    let database = site.database().await;
    let browser = approver(&gateway, &database).await;
    let id = gateway.submit_good(&good_request("Ada Example")).await;
    let approve = format!("/console/requests/{id}/approve");
    let (one, other) = tokio::join!(browser.approve(&approve), browser.approve(&approve));
    let mut statuses = [one.status().as_u16(), other.status().as_u16()];
    statuses.sort();
    assert_eq!(statuses, [303, 409]);
    gateway.issued(id).await;
    let revoke = format!("/console/requests/{id}/revoke");
    assert_eq!(browser.post(&revoke, &[("reason", "superseded")]).await.status(), 303);
    assert_eq!(browser.post(&revoke, &[("reason", "superseded")]).await.status(), 409);
    eventually(async || browser.page(&format!("/console/requests/{id}")).await.contains("Revoked")).await;
    let page = browser.page(&format!("/console/requests/{id}")).await;
    for text in [
        "RSA, 2048 bits",
        "RSA with SHA-256, made with the key above",
        "ada@example.com (e-mail address)",
        "approved by Abe Example",
    ] {
        assert!(page.contains(text), "{text}: {page}");
    }
    assert!(site.run("audit", &["verify"]).status.success());
}

#[tokio::test]
async fn a_subject_that_another_person_has_is_left_to_a_person_and_marked() {
    let site = Site::new().issuing_at_once().configure_types(&["participants"], "approval = 'authorised'");
    let gateway = site.start(&[]);
    let database = site.database().await;
    let (own, other) = (administrator(&gateway, &database).await, Role::Uaa);
    let other = Browser::of(&gateway, &database, &invite(&database, other, Some("Other"), "Uma").await).await;
    let request = |name: &str, address: &str| {
        certification_request(&key_of(&format!("{name}, {address}")), subject(name), vec![email(address)])
    };
    let submit = async |name: &str, address: &str, code: &str| {
        transaction_id(gateway.submit_with_code(&request(name, address), code).await).await.0
    };
    let first = own.authorise("Ada Example", "ada@example.com").await;
    let first = submit("Ada Example", "ada@example.com", &first.code).await;
    gateway.issued(first).await;
    // A person of another company, with the same name but for case.
    let second = other.authorise("Ada EXAMPLE", "ada@other.example").await;
    let second = submit("Ada EXAMPLE", "ada@other.example", &second.code).await;
    let due = async || site.all_requests().await.into_iter().find(|request| request.transaction_id == second).unwrap();
    eventually(async || due().await.approve_at.is_none()).await;
    assert_eq!(gateway.state(second).await, RequestState::Pending);
    let approver = approver(&gateway, &database).await;
    let page = approver.page(&format!("/console/requests/{second}")).await;
    assert!(
        page.contains("Another person has a certificate with this subject") && page.contains(&first.to_string()),
        "{page}"
    );
    let page = other.page(&format!("/console/requests/{second}")).await;
    assert!(!page.contains("ada@example.com"), "what is another company's is not shown: {page}");
    // The same person has several certificates, and their renewals.
    let again = own.authorise("Ada Example", "ADA@example.com").await;
    gateway.issued(submit("Ada Example", "ADA@example.com", &again.code).await).await;
    // Once the other one lives no more, the subject is free.
    assert!(site.requests(&["revoke", &first.to_string(), "--reason", "superseded"]).status.success());
    let page = approver.page(&format!("/console/requests/{second}")).await;
    assert!(page.contains("Another person has"), "the second certificate lives: {page}");
    site.execute("UPDATE requests SET not_after = not_before + 1 WHERE state = 'issued'").await;
    let page = approver.page(&format!("/console/requests/{second}")).await;
    assert!(!page.contains("Another person has"), "{page}");
    database.close().await;
}

#[tokio::test]
async fn the_end_of_the_ca_is_warned_of_and_an_approver_is_told_of_certificates_that_are_cut() {
    for (days, class) in [(80, "message wait"), (20, "message error")] {
        let site = Site::without_ca().configure(&format!("ca.issuing_validity_days = {days}"));
        let gateway = site.start(&["--manual-approval"]);
        let database = site.database().await;
        let id = gateway.submit_good(&good_request("Ada Example")).await;
        let approver = approver(&gateway, &database).await;
        let page = approver.page("/console/requests").await;
        let warning = "The certificate of the issuing CA ends on ";
        assert!(page.contains(&format!("class=\"{class}\">{warning}")), "{page}");
        let page = approver.page(&format!("/console/requests/{id}/approve")).await;
        assert!(page.contains("It will not be valid for 730 days"), "{page}");
        let officer = administrator(&gateway, &database).await;
        assert!(!officer.page("/console/requests").await.contains(warning), "it is not an administrator's affair");
        database.close().await;
    }
    let site = Site::new();
    let gateway = site.start(&["--manual-approval"]);
    let database = site.database().await;
    let id = gateway.submit_good(&good_request("Ada Example")).await;
    let approver = approver(&gateway, &database).await;
    let page = approver.page(&format!("/console/requests/{id}/approve")).await;
    assert!(!page.contains("ends on") && !page.contains("It will not be valid for"), "{page}");
    database.close().await;
}
