//! An independent linter (pkilint) reads every profile that the embedded CA issues: root, issuing CA, people, devices, servers, CRLs.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::est::{Field, decided};
use crate::harness::{Site, good_request, openssl, python};

/// Runs one of pkilint's programs; what it finds is an error of ours. That it says what it saw ("INFO") is none.
fn lint(program: &str, arguments: &[&str], directory: &Path) {
    let mut command = Command::new(python());
    command.args(["-m", &format!("pkilint.bin.{program}"), "lint", "--severity", "NOTICE"]).args(arguments);
    let output = command.current_dir(directory).output().expect("these tests need Python with the package pkilint");
    let text = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    assert!(output.status.success() && text.trim().is_empty(), "{program} {arguments:?}: {text}");
}

#[tokio::test]
async fn nothing_is_found_in_what_the_embedded_ca_issues() {
    let field = Field::new(Site::issuing_at_once).await;
    let folder = field.folder();
    // With an entry of every kind on the CRL: with a reason, and without one.
    for (name, reason) in [("Ada Example", "key-compromise"), ("Grace Example", "unspecified")] {
        let id = field.gateway.submit_good(&good_request(name)).await;
        fs::write(folder.join("person.der"), field.gateway.issued(id).await).unwrap();
        let revoked = field.site.requests(&["revoke", &id.to_string(), "--reason", reason]);
        assert!(revoked.status.success());
    }
    for authority in ["root", "issuing"] {
        for kind in ["cer", "crl"] {
            let file = format!("{authority}.{kind}");
            let contents = field.gateway.get(&format!("/pki/{file}")).await.bytes().await.unwrap();
            fs::write(folder.join(file), contents).unwrap();
        }
    }
    field.request("rig", "rig-1", "");
    let user = format!("rig-1:{}", field.code("rig-1", &[]));
    assert_eq!(decided(|| field.enroll("rig", &user)), 200);
    field.certificate("device");
    field.request("named", "rig-2.example.com", "DNS:rig-2.example.com,IP:192.0.2.1");
    let user = format!("rig-2.example.com:{}", field.code("rig-2.example.com", &[]));
    assert_eq!(field.enroll("named", &user), 202);
    let (id, _) = field.requests().into_iter().find(|(_, state)| state == "pending").unwrap();
    field.approve(id);
    fs::write(folder.join("named.der"), field.gateway.issued(id).await).unwrap();
    let address = field.url().trim_start_matches("https://").to_owned();
    let shown =
        Command::new("openssl").args(["s_client", "-connect", &address]).stdin(std::process::Stdio::null()).output();
    fs::write(folder.join("shown"), shown.unwrap().stdout).unwrap();
    for (from, form, to) in [
        ("root.cer", "der", "root.pem"),
        ("issuing.cer", "der", "issuing.pem"),
        ("person.der", "der", "person.pem"),
        ("named.der", "der", "named.pem"),
        ("shown", "pem", "server.pem"),
        ("device.pem", "pem", "device.pem"),
    ] {
        openssl(&["x509", "-inform", form, "-in", from, "-out", to], &folder);
    }
    for name in ["root", "issuing", "person", "device", "named", "server"] {
        lint("lint_pkix_cert", &[&format!("{name}.pem")], &folder);
    }
    lint("lint_pkix_signer_signee_cert_chain", &["root.pem", "issuing.pem"], &folder);
    for name in ["person", "device", "named", "server"] {
        lint("lint_pkix_signer_signee_cert_chain", &["issuing.pem", &format!("{name}.pem")], &folder);
    }
    for (name, kind) in [("root", "ARL"), ("issuing", "CRL")] {
        let file = format!("{name}-crl.pem");
        openssl(&["crl", "-inform", "der", "-in", &format!("{name}.crl"), "-out", &file], &folder);
        lint("lint_crl", &["--type", kind, "--profile", "PKIX", &file], &folder);
    }
}
