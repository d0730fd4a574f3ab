//! Notifications: each once, whatever the mail server does.

use std::fs;

use keyside_core::domain::transaction_id::TransactionId;

use crate::harness::{Gateway, Site, certification_request, email, eventually, good_request, subject};
use crate::keys::key_of;
use crate::mail_server::{MailServer, Taken};

/// The kinds of the notifications in the folder of a site without a mail server, oldest first.
fn kinds(site: &Site) -> Vec<String> {
    let Ok(folder) = fs::read_dir(site.data().join("notifications")) else { return Vec::new() };
    let names =
        folder.map(|entry| entry.unwrap().file_name().into_string().unwrap()).filter(|name| !name.starts_with('.'));
    let mut names: Vec<String> = names.collect();
    names.sort();
    names.iter().map(|name| name.split_once('-').unwrap().1.rsplit_once('-').unwrap().0.to_owned()).collect()
}

/// What `keyside-gateway notifications list` says.
fn list(site: &Site, more: &[&str]) -> String {
    let output = site.run("notifications", &[&["list"], more].concat());
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

/// A site that issues at once, and hands its notifications to `server`.
fn issuing_site(server: &MailServer) -> Site {
    Site::new().issuing_at_once().replace_table("notifications", &server.tables())
}

/// Waits until both that a request brings about have arrived, and the gateway knows.
async fn both_are_sent(server: &MailServer, site: &Site) {
    server.wait_for(2).await;
    eventually(async || list(site, &["--all"]).matches("\tsent\t").count() == 2).await;
}

fn subjects(taken: &[Taken]) -> Vec<&str> {
    taken.iter().map(|message| message.header("Subject")).collect()
}

async fn submit(gateway: &Gateway) -> TransactionId {
    gateway.submit_good(&good_request("Ada Example")).await
}

#[tokio::test]
async fn without_a_mail_server_each_is_a_file() {
    let site = Site::new().issuing_at_once();
    let gateway = site.start(&[]);
    let id = submit(&gateway).await;
    gateway.issued(id).await;
    // The same request again tells nobody anything.
    submit(&gateway).await;
    assert!(site.requests(&["revoke", &id.to_string(), "--reason", "superseded"]).status.success());
    eventually(async || kinds(&site).len() >= 3).await;
    let mut all = kinds(&site);
    all.sort();
    assert_eq!(all, ["issued", "revoked", "submitted"]);
    let folder = site.data().join("notifications");
    let texts = fs::read_dir(folder).unwrap().map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap());
    for text in texts {
        assert!(text.contains("To: ada@example.com\r\n") && text.contains(&id.to_string()), "{text}");
    }
}

#[tokio::test]
async fn a_stranger_sends_few_mails_to_a_mailbox_and_no_text_of_their_own() {
    let site = Site::new().configure("notifications.submitted_per_hour = 5");
    let gateway = site.start(&["--manual-approval"]);
    for number in 0..8 {
        gateway.submit_good(&good_request(&format!("Buy now {number}"))).await;
    }
    // Another mailbox, and after it nothing more can come.
    let other = certification_request(&key_of("Bea"), subject("Bea Example"), vec![email("bea@example.com")]);
    gateway.submit_good(&other).await;
    assert_eq!(list(&site, &["--all"]).matches("\tsubmitted\t").count(), 6, "{}", list(&site, &["--all"]));
    let texts = || -> Vec<String> {
        let files = fs::read_dir(site.data().join("notifications")).into_iter().flatten().flatten();
        let files = files.filter(|file| !file.file_name().to_string_lossy().starts_with('.'));
        files.map(|file| fs::read_to_string(file.path()).unwrap()).collect()
    };
    eventually(async || texts().len() == 6).await;
    let texts = texts();
    assert!(texts.iter().any(|text| text.contains("To: bea@example.com")));
    assert!(texts.iter().all(|text| !text.contains("Buy now") && !text.contains("Bea Example")), "{texts:?}");
}

#[tokio::test]
async fn a_rejected_request_says_why_and_nobody_writes_headers() {
    let site = Site::new();
    let gateway = site.start(&["--manual-approval"]);
    let id = submit(&gateway).await;
    let reason = "Unknown here\r\nBcc: eve@example.com\r\n\r\nHello";
    assert!(site.requests(&["reject", &id.to_string(), "--reason", reason]).status.success());
    eventually(async || kinds(&site).contains(&"rejected".into())).await;
    let folder = fs::read_dir(site.data().join("notifications")).unwrap();
    let path =
        folder.map(|entry| entry.unwrap().path()).find(|path| path.display().to_string().contains("rejected")).unwrap();
    let text = fs::read_to_string(path).unwrap();
    assert!(text.contains("Unknown here") && !text.contains("\nBcc"), "{text}");
}

#[tokio::test]
async fn they_arrive_by_starttls_and_by_tls() {
    for mode in ["starttls", "tls"] {
        let server = MailServer::start(mode);
        let site = issuing_site(&server);
        let gateway = site.start(&[]);
        let id = submit(&gateway).await;
        let mut taken = server.wait_for(2).await;
        // Both are of the same second.
        taken.sort_by_key(|message| message.header("Subject").to_owned());
        assert_eq!(subjects(&taken), ["Keyside: Certificate Request Submitted", "Keyside: your certificate is ready"]);
        for message in &taken {
            assert_eq!(message.recipient, "ada@example.com");
            assert_eq!(message.header("From"), "Keyside <no-reply@example.com>");
            assert_eq!(message.header("Auto-Submitted"), "auto-generated");
            assert!(message.text.contains(&id.to_string()));
            // No one has authorised the request: the name in it may be any text, until it was approved.
            let is_approved = message.header("Subject").contains("is ready");
            assert_eq!(message.text.contains("Ada Example"), is_approved, "{}", message.text);
        }
        // Quoted-printable breaks lines softly.
        let text = taken[1].text.replace("=\r\n", "");
        assert!(text.contains("Use the Collect command to retrieve it"), "{text}");
        assert_ne!(taken[0].header("Message-ID"), taken[1].header("Message-ID"));
    }
}

#[tokio::test]
async fn a_server_without_its_certificate_gets_nothing() {
    let server = MailServer::start("starttls");
    let other = MailServer::start("starttls");
    let ca = |server: &MailServer| server.tables().lines().last().unwrap().to_owned();
    let tables = server.tables().replace(&ca(&server), &ca(&other));
    let site = Site::new().issuing_at_once().replace_table("notifications", &tables);
    let gateway = site.start(&[]);
    submit(&gateway).await;
    eventually(async || list(&site, &[]).to_lowercase().contains("certificate")).await;
    assert!(server.taken().is_empty());
}

#[tokio::test]
async fn a_server_that_is_down_or_wants_them_later_gets_them_later() {
    let mut server = MailServer::start("plain");
    let site = issuing_site(&server);
    server.stop();
    let gateway = site.start(&[]);
    submit(&gateway).await;
    eventually(async || list(&site, &[]).matches("onnect").count() >= 2).await;
    server.mood("greylist");
    server.resume();
    eventually(async || list(&site, &[]).contains("Greylisted")).await;
    assert!(server.taken().is_empty());
    server.mood("take");
    both_are_sent(&server, &site).await;
    assert_eq!(server.taken().len(), 2);
}

#[tokio::test]
async fn what_a_server_refuses_has_failed_until_somebody_tries_again() {
    let server = MailServer::start("plain");
    let site = issuing_site(&server);
    server.mood("refuse");
    let gateway = site.start(&[]);
    submit(&gateway).await;
    eventually(async || list(&site, &[]).matches("\tfailed\t").count() == 2).await;
    assert!(list(&site, &[]).contains("No such mailbox"));
    server.mood("take");
    assert!(site.run("notifications", &["retry"]).status.success());
    both_are_sent(&server, &site).await;
    assert!(!site.run("notifications", &["retry"]).status.success(), "nothing is left to send");
}

#[tokio::test]
async fn a_connection_that_breaks_off_before_it_is_taken_loses_nothing() {
    let server = MailServer::start("plain");
    let site = issuing_site(&server);
    server.mood("lose");
    let gateway = site.start(&[]);
    submit(&gateway).await;
    eventually(async || list(&site, &[]).lines().skip(1).all(|line| line.rsplit('\t').next().unwrap() != "")).await;
    assert!(server.taken().is_empty());
    server.mood("take");
    both_are_sent(&server, &site).await;
    assert_eq!(server.taken().len(), 2);
}

#[tokio::test]
async fn one_whose_answer_is_lost_comes_again_the_same_to_the_last_byte() {
    let server = MailServer::start("plain");
    let site = Site::new().replace_table("notifications", &server.tables());
    server.mood("drop");
    let gateway = site.start(&["--manual-approval"]);
    submit(&gateway).await;
    server.wait_for(1).await;
    server.mood("take");
    eventually(async || list(&site, &["--all"]).contains("\tsent\t")).await;
    let taken = server.taken();
    assert!(taken.len() >= 2);
    assert!(taken.iter().all(|message| message.text == taken[0].text), "a mailbox can tell: the same Message-ID");
}

#[tokio::test]
async fn a_gateway_that_is_killed_loses_nothing() {
    let mut server = MailServer::start("plain");
    let site = issuing_site(&server);
    server.stop();
    let gateway = site.start(&[]);
    let id = submit(&gateway).await;
    gateway.issued(id).await;
    // Dropped, it is killed.
    drop(gateway);
    server.resume();
    let _gateway = site.start(&[]);
    both_are_sent(&server, &site).await;
}

#[tokio::test]
async fn a_holder_is_told_once_that_the_certificate_can_be_renewed() {
    // The window is as long as the validity: it is open at once.
    let site =
        Site::new().issuing_at_once().configure_types(&["employees", "participants"], "renewal.window_days = 730");
    let gateway = site.start(&[]);
    let id = submit(&gateway).await;
    gateway.issued(id).await;
    drop(gateway);
    for _ in 0..2 {
        let gateway = site.start(&[]);
        eventually(async || list(&site, &["--all"]).contains("renewal-due")).await;
        drop(gateway);
    }
    assert_eq!(list(&site, &["--all"]).matches("renewal-due").count(), 1);
    // One whose window has not opened is not told of.
    let site = Site::new().issuing_at_once();
    let gateway = site.start(&[]);
    let id = submit(&gateway).await;
    gateway.issued(id).await;
    drop(gateway);
    let gateway = site.start(&[]);
    gateway.get("/pki/issuing.crl").await;
    eventually(async || list(&site, &["--all"]).matches("\tsent\t").count() == 2).await;
    assert!(!list(&site, &["--all"]).contains("renewal-due"));
}

#[test]
fn a_template_of_the_sites_own_that_is_wrong_is_told_at_the_start() {
    let site = Site::without_ca();
    fs::create_dir(site.path("templates")).unwrap();
    fs::write(site.path("templates/issued.txt"), "Subject: Ready\n\nDear {comon_name}").unwrap();
    let folder = site.path("templates").display().to_string();
    let site = site.replace_table("notifications", &format!("[notifications]\ntemplates = '{folder}'\n"));
    let output = site.serve(&[]).output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && text.contains("{comon_name}") && text.contains("issued.txt"), "{text}");
}

#[test]
fn mails_do_not_leave_this_computer_in_the_clear() {
    for (host, security, is_allowed) in
        [("mail.example.com", "none", false), ("192.0.2.1", "none", false), ("mail.example.com", "starttls", true)]
    {
        let tables = format!(
            "[notifications]\nfrom = \"a@example.com\"\n[notifications.smtp]\nhost = \"{host}\"\nport = 25\nsecurity = \"{security}\"\n"
        );
        let site = Site::without_ca().replace_table("notifications", &tables);
        let config = site.path("keyside.toml");
        let outcome = keyside_gateway::configuration::Config::load(Some(&config));
        assert_eq!(outcome.is_ok(), is_allowed, "{host} {security}");
    }
}
