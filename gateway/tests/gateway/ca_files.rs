//! The embedded CA's files.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use keyside_gateway::ca::settings::CA_PASSPHRASE_VARIABLE;

use crate::harness::{Gateway, Site, good_request, openssl};

const KEYS: [&str; 2] = ["root-key.pem", "issuing-key.pem"];

/// Starts a gateway that does not come up, and gives what it says.
fn fault(site: &Site, passphrase: Option<&str>) -> String {
    let mut command = site.serve(&[]);
    if let Some(passphrase) = passphrase {
        command.env(CA_PASSPHRASE_VARIABLE, passphrase);
    }
    let output = command.output().unwrap();
    assert!(!output.status.success());
    assert_eq!(String::from_utf8_lossy(&output.stdout), "");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn only_the_owner_can_read_them() {
    let site = Site::without_ca_on_sqlite();
    drop(site.start(&[]));
    let mode = |name: &str| fs::metadata(site.data().join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(""), 0o700);
    assert_eq!(mode("ca"), 0o700);
    for key in KEYS {
        assert_eq!(mode(&format!("ca/{key}")), 0o600);
    }
    assert_eq!(mode("keyside.sqlite"), 0o600);
}

#[test]
fn keys_are_encrypted_under_a_configured_passphrase() {
    let site = Site::without_ca();
    let start = || {
        let mut command = site.serve(&[]);
        command.env(CA_PASSPHRASE_VARIABLE, "Correct-4-horse");
        Gateway::spawn(command)
    };
    drop(start());
    drop(start());
    let ca = site.data().join("ca");
    for key in KEYS {
        let text = fs::read_to_string(ca.join(key)).unwrap();
        assert!(text.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----"));
        openssl(&["pkey", "-in", key, "-passin", "pass:Correct-4-horse", "-noout"], &ca);
    }
    assert!(fault(&site, None).contains("is encrypted; give its passphrase"));
    assert!(fault(&site, Some("wrong")).contains("the passphrase does not open this key"));

    // From a file, it is the same passphrase.
    fs::write(site.path("passphrase"), "Correct-4-horse\n").unwrap();
    let file = site.path("passphrase").display().to_string();
    let site = site.configure(&format!("ca.passphrase_file = '{file}'"));
    drop(site.start(&[]));
    assert!(fault(&site, Some("Correct-4-horse")).contains("keep one"));
}

#[test]
fn a_passphrase_for_clear_keys_is_an_error() {
    let site = Site::new();
    assert!(fault(&site, Some("Correct-4-horse")).contains("is not encrypted although"));
    assert!(fault(&site, Some("")).contains("empty"));
}

#[tokio::test]
async fn half_a_ca_is_made_anew() {
    let site = Site::without_ca();
    let unfinished = site.data().join("ca.unfinished");
    fs::create_dir_all(&unfinished).unwrap();
    fs::write(unfinished.join("root-key.pem"), "half a k").unwrap();
    let gateway = site.start(&["--manual-approval"]);
    gateway.submit_good(&good_request("Ada Example")).await;
    assert!(!unfinished.exists());
}

#[test]
fn damaged_files_are_named() {
    let site = Site::new();
    let path = |name: &str| site.data().join("ca").join(name);
    let root_key = fs::read(path("root-key.pem")).unwrap();

    fs::copy(path("issuing-key.pem"), path("root-key.pem")).unwrap();
    let text = fault(&site, None);
    assert!(text.contains("root-key.pem") && text.contains("does not belong"), "{text}");

    fs::write(path("root-key.pem"), "nonsense").unwrap();
    let text = fault(&site, None);
    assert!(text.contains("root-key.pem") && text.contains("backup"), "{text}");

    fs::write(path("root-key.pem"), root_key).unwrap();
    fs::remove_file(path("issuing-certificate.pem")).unwrap();
    let text = fault(&site, None);
    assert!(text.contains("issuing-certificate.pem"), "{text}");
}

#[tokio::test]
async fn a_lost_ca_is_not_replaced_in_silence() {
    let site = Site::new().issuing_at_once();
    let ca = site.data().join("ca");
    let gateway = site.start(&[]);
    let id = gateway.submit_good(&good_request("Ada Example")).await;
    gateway.issued(id).await;
    assert!(gateway.stop().success());
    let backup = site.path("backup");
    fs::rename(&ca, &backup).unwrap();
    let text = fault(&site, None);
    assert!(text.contains("restore it from a backup"), "{text}");
    assert!(!ca.exists());
    fs::rename(&backup, &ca).unwrap();
    drop(site.start(&[]));
}

/// The command to serve from the data folder of `machine`, on the database of `database`.
fn serve_on(database: &Site, machine: &Site) -> Command {
    let mut command = machine.serve(&[]);
    command.env("KEYSIDE_DATABASE", database.database_url());
    command
}

#[test]
fn a_database_has_one_ca() {
    let machines = [Site::on_sqlite(), Site::without_ca_on_sqlite()];
    let database = Site::without_ca();
    fs::create_dir_all(database.data()).unwrap();
    drop(Gateway::spawn(serve_on(&database, &machines[0])));
    let refused = || {
        let output = serve_on(&database, &machines[1]).output().unwrap();
        assert!(!output.status.success() && output.stdout.is_empty(), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    let [ca, other_ca] = machines.each_ref().map(|machine| machine.data().join("ca"));

    // A machine without a CA makes none of its own, and one with another CA is told which one it should be.
    let text = refused();
    assert!(text.contains("copy it from the data folder"), "{text}");
    assert!(!other_ca.exists());
    drop(machines[1].start(&[]));
    let text = refused();
    let fingerprint = openssl(&["x509", "-in", "issuing-certificate.pem", "-noout", "-fingerprint", "-sha256"], &ca);
    let fingerprint = fingerprint.trim().split_once('=').unwrap().1.replace(':', "").to_lowercase();
    assert!(text.contains("another CA is in") && text.contains(&fingerprint), "{text}");

    for entry in fs::read_dir(&ca).unwrap() {
        let file = entry.unwrap();
        fs::copy(file.path(), other_ca.join(file.file_name())).unwrap();
    }
    drop(Gateway::spawn(serve_on(&database, &machines[1])));
    drop(Gateway::spawn(serve_on(&database, &machines[0])));
}

/// Of two that start on an empty database at the same moment with CAs of their own, one is refused.
#[test]
fn an_empty_database_takes_one_of_two_cas() {
    let machines = [Site::on_sqlite(), Site::without_ca_on_sqlite()];
    drop(machines[1].start(&[]));
    for _ in 0..5 {
        let database = Site::without_ca();
        fs::create_dir_all(database.data()).unwrap();
        let processes = machines.each_ref().map(|machine| {
            let mut command = serve_on(&database, machine);
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        });
        let ends = processes.map(|mut process| {
            // The address of one that serves, and nothing from one that does not.
            let mut line = String::new();
            BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
            let serves = line.starts_with("Keyside is at ");
            (serves, process)
        });
        let said = ends.map(|(serves, mut process)| {
            process.kill().unwrap();
            let said = String::from_utf8(process.wait_with_output().unwrap().stderr).unwrap();
            assert!(serves || said.contains("another CA is in"), "{said}");
            serves
        });
        assert_eq!(said.into_iter().filter(|serves| *serves).count(), 1);
    }
}

#[test]
fn certificates_never_carry_an_address_that_is_none() {
    let site = Site::without_ca();
    let mut command = Command::new(env!("CARGO_BIN_EXE_keyside-gateway"));
    let output = command.args(["serve", "--listen", "0.0.0.0:0", "--data"]).arg(site.data()).output().unwrap();
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("set public_url"));
    assert!(!site.data().join("ca").exists());
}

/// The number of the CRL that the gateway serves.
async fn crl_number(site: &Site, gateway: &Gateway) -> u32 {
    fs::write(site.path("issuing.crl"), gateway.get("/pki/issuing.crl").await.bytes().await.unwrap()).unwrap();
    let text = openssl(&["crl", "-inform", "DER", "-in", "issuing.crl", "-noout", "-crlnumber"], &site.path(""));
    u32::from_str_radix(text.trim().trim_start_matches("crlNumber=").trim_start_matches("0x"), 16).unwrap()
}

#[tokio::test]
async fn a_renewed_ca_has_its_keys_and_all_that_it_has_signed_stays_good() {
    let site = Site::without_ca()
        .configure("ca.issuing_validity_days = 80\nca.root_validity_days = 100")
        .configure("approval.after_seconds = 0");
    let renew = |site: &Site| {
        let file = site.path("keyside.toml").display().to_string();
        site.run("ca", &["renew", "--config", &file])
    };
    let get = async |site: &Site, gateway: &Gateway, path: &str, file: &str| {
        fs::write(site.path(file), gateway.get(path).await.bytes().await.unwrap()).unwrap();
        let pem = format!("{file}.pem");
        openssl(&["x509", "-inform", "DER", "-in", file, "-out", &pem], &site.path(""));
        pem
    };
    let end = |site: &Site, file: &str| openssl(&["x509", "-in", file, "-noout", "-enddate"], &site.path(""));
    let key = |site: &Site, file: &str| openssl(&["x509", "-in", file, "-noout", "-pubkey"], &site.path(""));
    let issue = async |site: &Site, gateway: &Gateway, name: &str, file: &str| {
        let id = gateway.submit_good(&good_request(name)).await;
        fs::write(site.path(file), gateway.issued(id).await).unwrap();
        openssl(&["x509", "-inform", "DER", "-in", file, "-out", &format!("{file}.pem")], &site.path(""));
        id
    };
    let check = |site: &Site| {
        let (file, data) = (site.path("keyside.toml"), site.data());
        let output = Command::new(env!("CARGO_BIN_EXE_keyside-gateway"))
            .args(["config", "check"])
            .args([file.as_os_str(), "--data".as_ref(), data.as_os_str()])
            .output();
        String::from_utf8(output.unwrap().stdout).unwrap()
    };
    let gateway = site.start(&[]);
    let said = check(&site);
    assert!(said.contains("root CA ends on") && said.contains("issuing CA ends on"), "{said}");
    let (old_root, old_issuing) = (
        get(&site, &gateway, "/pki/root.cer", "old-root").await,
        get(&site, &gateway, "/pki/issuing.cer", "old-issuing").await,
    );
    let revoked = issue(&site, &gateway, "Ada Example", "before").await;
    assert!(site.requests(&["revoke", &revoked.to_string(), "--reason", "superseded"]).status.success());
    let number = crl_number(&site, &gateway).await;
    let served = renew(&site);
    let said = String::from_utf8_lossy(&served.stderr).into_owned();
    assert!(!served.status.success() && said.contains("stop it first"), "{said}");
    assert!(gateway.stop().success());

    let site = site.configure("ca.issuing_validity_days = 3650\nca.root_validity_days = 7300");
    let renewed = renew(&site);
    assert!(renewed.status.success(), "{renewed:?}");
    let gateway = site.start(&[]);
    let (root, issuing) = (
        get(&site, &gateway, "/pki/root.cer", "root").await,
        get(&site, &gateway, "/pki/issuing.cer", "issuing").await,
    );
    assert_ne!((end(&site, &root), end(&site, &issuing)), (end(&site, &old_root), end(&site, &old_issuing)));
    assert_eq!((key(&site, &root), key(&site, &issuing)), (key(&site, &old_root), key(&site, &old_issuing)));
    issue(&site, &gateway, "Bea Example", "after").await;
    // Old and new, each over old and new.
    for (root, issuing) in [(&root, &issuing), (&old_root, &old_issuing), (&root, &old_issuing), (&old_root, &issuing)]
    {
        for leaf in ["before.pem", "after.pem"] {
            openssl(&["verify", "-CAfile", root, "-untrusted", issuing, leaf], &site.path(""));
        }
    }
    let days = openssl(&["x509", "-in", "after.pem", "-noout", "-checkend", "60000000"], &site.path(""));
    assert!(days.contains("will not expire"), "its validity is not cut any more");
    assert!(site.requests(&["revoke", &revoked.to_string()]).status.code() != Some(0), "it is revoked");
    let again = issue(&site, &gateway, "Cleo Example", "more").await;
    assert!(site.requests(&["revoke", &again.to_string(), "--reason", "superseded"]).status.success());
    assert!(crl_number(&site, &gateway).await > number, "the numbers go on");
    openssl(&["crl", "-inform", "DER", "-in", "issuing.crl", "-out", "crl.pem"], &site.path(""));
    for issuer in [&issuing, &old_issuing] {
        openssl(&["crl", "-in", "crl.pem", "-CAfile", issuer, "-noout"], &site.path(""));
    }
    assert!(!check(&site).contains("CA ends on"));
    let kept = fs::read_dir(site.data().join("ca")).unwrap().flatten();
    let kept = kept.filter(|entry| entry.file_name().to_string_lossy().contains("certificate-")).count();
    assert_eq!(kept, 2, "the certificates before stay");
}
