//! Names that are written in two ways, or look like others; and a request that is sent twice.

use std::str::FromStr;

use keyside_core::api::{ProblemKind, RequestState};
use keyside_core::domain::transaction_id::TransactionId;
use keyside_gateway::store::officer_roles::Role;

use keyside_pki::certificate::Certificate;
use x509_cert::name::Name;

use crate::console::{Browser, COMPANY, approver, invite};
use crate::harness::{Gateway, Site, certification_request, email, problem, subject};
use crate::keys::key_of;

/// The letter “ë” as one character, and as two.
const COMPOSED: &str = "Zo\u{eb} Example";
const DECOMPOSED: &str = "Zoe\u{308} Example";

/// The transaction ID of a request for this name with this key, which shows this code.
async fn submit(gateway: &Gateway, name: &str, key: &str, code: &str) -> TransactionId {
    let request = certification_request(&key_of(key), subject(name), vec![email("zoe@example.com")]);
    let (id, _) = crate::console::transaction_id(gateway.submit_with_code(&request, code).await).await;
    id
}

async fn is_authorised(site: &Site, id: TransactionId) -> bool {
    let all = site.all_requests().await;
    all.iter().find(|request| request.transaction_id == id).unwrap().authorisation_id.is_some()
}

async fn administrator(site: &Site, gateway: &Gateway) -> Browser {
    let database = site.database().await;
    let una = invite(&database, Role::Uaa, Some(COMPANY), "una").await;
    let browser = Browser::of(gateway, &database, &una).await;
    database.close().await;
    browser
}

#[tokio::test]
async fn a_name_is_the_same_however_its_letters_are_encoded() {
    let site = Site::new();
    let gateway = site.start(&["--manual-approval"]);
    let una = administrator(&site, &gateway).await;
    for (authorised, asked, key) in [(COMPOSED, DECOMPOSED, "one"), (DECOMPOSED, COMPOSED, "two")] {
        let code = una.authorise(authorised, "zoe@example.com").await.code;
        let id = submit(&gateway, asked, key, &code).await;
        assert!(is_authorised(&site, id).await, "{asked:?}");
    }
    // Another letter is another name.
    let code = una.authorise(COMPOSED, "zoe@example.com").await.code;
    let id = submit(&gateway, "Zoe Example", "three", &code).await;
    assert!(!is_authorised(&site, id).await);
}

#[tokio::test]
async fn a_request_that_was_sent_twice_can_be_rejected_and_the_authorisation_stays() {
    let site = Site::new();
    let gateway = site.start(&["--manual-approval"]);
    let una = administrator(&site, &gateway).await;
    let code = una.authorise("Zoe Example", "zoe@example.com").await.code;
    let first = submit(&gateway, "Zoe Example", "one", &code).await;
    let second = submit(&gateway, "Zoe Example", "two", &code).await;
    assert!(is_authorised(&site, first).await && !is_authorised(&site, second).await);
    let reject = |id: TransactionId| {
        let output = site.requests(&["reject", &id.to_string(), "--reason", "it came twice"]);
        assert!(output.status.success(), "{output:?}");
    };
    reject(first);
    let third = submit(&gateway, "Zoe Example", "three", &code).await;
    assert!(is_authorised(&site, third).await, "the code is not used up by a request that was rejected");
    // A request that is approved has used it up.
    assert!(site.requests(&["approve", &third.to_string()]).status.success());
    gateway.issued(third).await;
    reject(second);
    let fourth = submit(&gateway, "Zoe Example", "four", &code).await;
    assert!(!is_authorised(&site, fourth).await);
}

#[tokio::test]
async fn letters_of_another_script_are_marked_for_the_officer() {
    let site = Site::new();
    let gateway = site.start(&["--manual-approval"]);
    let database = site.database().await;
    let abe = approver(&gateway, &database).await;
    database.close().await;
    for (name, key, is_marked) in [("Zo\u{435} Example", "one", true), (COMPOSED, "two", false)] {
        let request = certification_request(&key_of(key), subject(name), vec![email("zoe@example.com")]);
        let id = gateway.submit_good(&request).await;
        let page = abe.page(&format!("/console/requests/{id}")).await;
        assert_eq!(page.contains("(U+0435)"), is_marked, "{name:?}");
    }
    let una = administrator(&site, &gateway).await;
    let id = una.authorise("\u{410}da Example", "zoe@example.com").await.id;
    assert!(una.page(&format!("/console/authorisations/{id}")).await.contains("(U+0410)"));
}

/// A request for this company, with a code if there is one.
async fn submit_for(gateway: &Gateway, company: &str, address: &str, key: &str, code: Option<&str>) -> TransactionId {
    let name = Name::from_str(&format!("CN=Zoe Example,O={company},C=US")).unwrap();
    let request = certification_request(&key_of(key), name, vec![email(address)]);
    let response = match code {
        Some(code) => gateway.submit_with_code(&request, code).await,
        None => gateway.submit(&request).await,
    };
    crate::console::transaction_id(response).await.0
}

#[tokio::test]
async fn a_subject_has_the_company_of_its_authorisation_and_no_other_one() {
    let with_company = "subject_template = 'CN={common_name},O={company},C=US'";
    let site = Site::new().issuing_at_once().configure_types(&["participants"], with_company);
    let gateway = site.start(&[]);
    let una = administrator(&site, &gateway).await;
    let authorised = una.authorise("Zoe Example", "zoe@example.com").await;
    let page = una.page(&format!("/console/authorisations/{}", authorised.id)).await;
    assert!(page.contains("company=Example%20Power%20%26%20Light"), "{page}");
    let code = Some(authorised.code.as_str());

    // Anyone can write a company: without an authorisation for it, a person decides, whatever [approval] says.
    let without = submit_for(&gateway, COMPANY, "zoe@example.com", "one", None).await;
    let other = submit_for(&gateway, "Other", "zoe@example.com", "two", code).await;
    for id in [without, other] {
        assert!(!is_authorised(&site, id).await);
    }
    let own = submit_for(&gateway, COMPANY, "zoe@example.com", "three", code).await;
    assert!(is_authorised(&site, own).await);
    let certificate = Certificate::from_der(&gateway.issued(own).await).unwrap();
    assert_eq!(certificate.subject().to_string(), format!("CN=Zoe Example,O={COMPANY},C=US"));
    for id in [without, other] {
        assert_eq!(gateway.state(id).await, RequestState::Pending);
    }

    // A person of another company has another subject, and the same name.
    let database = site.database().await;
    let otto = Browser::of(&gateway, &database, &invite(&database, Role::Uaa, Some("Other"), "otto").await).await;
    let abe = approver(&gateway, &database).await;
    database.close().await;
    let code = otto.authorise("Zoe Example", "other@example.com").await.code;
    let namesake = submit_for(&gateway, "Other", "other@example.com", "four", Some(&code)).await;
    gateway.issued(namesake).await;
    // The officer sees the company beside the authorised one.
    let page = abe.page(&format!("/console/requests/{other}")).await;
    assert!(page.contains(">Company<") && page.contains("differs"), "{page}");
    for company in [" Other", "Other\u{200b}s", &"a".repeat(65)] {
        let name = Name::from_str(&format!("CN=Zoe Example,O={},C=US", company.replace(' ', "\\20"))).unwrap();
        let request = certification_request(&key_of("five"), name, vec![email("zoe@example.com")]);
        let refused = problem(gateway.submit(&request).await).await;
        assert_eq!(refused.kind, ProblemKind::SubjectNotAllowed, "{company:?}");
    }
}

#[tokio::test]
async fn a_company_is_the_same_however_its_letters_are_encoded() {
    let site = Site::new().configure("companies = [{ name = '\u{c9}nergie', mail_domains = ['energie.example'] }]");
    let gateway = site.start(&["--manual-approval"]);
    let database = site.database().await;
    let eve = invite(&database, Role::Uaa, Some("E\u{301}nergie"), "eve").await;
    // One who was invited by an earlier version.
    site.execute("UPDATE officers SET company = 'E\u{301}nergie'").await;
    drop(gateway);
    let gateway = site.start(&["--manual-approval"]);
    let browser = Browser::of(&gateway, &database, &eve).await;
    let authorised = browser.authorise("Zoe Example", "zoe@energie.example").await;
    assert!(browser.page(&format!("/console/authorisations/{}", authorised.id)).await.contains("Zoe Example"));
    let until = crate::console::in_days(30);
    let fields = [
        ("certificate_type", "participants"),
        ("common_name", "Zoe Example"),
        ("email_address", "zoe@elsewhere.example"),
        ("until", until.as_str()),
    ];
    let page = browser.post("/console/authorisations", &fields).await.text().await.unwrap();
    assert!(page.contains("energie.example"), "{page}");
    database.close().await;
}

#[tokio::test]
async fn subjects_are_compared_and_not_the_templates_that_they_were_made_of() {
    let site = Site::new()
        .configure("approval.after_seconds = 0")
        .configure_types(&["participants"], &format!("subject_template = 'CN={{common_name}},O={COMPANY},C=US'"));
    let gateway = site.start(&[]);
    let first = submit_for(&gateway, COMPANY, "zoe@example.com", "one", None).await;
    gateway.issued(first).await;
    drop(gateway);
    let site = site.configure_types(&["participants"], "subject_template = 'CN={common_name},O={company},C=US'");
    let gateway = site.start(&[]);
    let una = administrator(&site, &gateway).await;
    let code = una.authorise("Zoe Example", "other@example.com").await.code;
    let second = submit_for(&gateway, COMPANY, "other@example.com", "two", Some(&code)).await;
    let database = site.database().await;
    let abe = approver(&gateway, &database).await;
    database.close().await;
    let page = abe.page(&format!("/console/requests/{second}")).await;
    assert!(page.contains(&first.to_string()), "{page}");
    assert_eq!(gateway.state(second).await, RequestState::Pending);
}
