//! Commands and small programs that log in with a user's own files. They ask for the passphrase, or take it from the environment: it never
//! stands in them, and so neither in a shell's history nor in a list of processes.

/// The environment variable that may hold the passphrase, for programs that run unattended.
pub const PASSPHRASE_VARIABLE: &str = "KEYSIDE_PASSPHRASE";

/// What the snippets are about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snippets {
    /// The PKCS#12 file's name.
    pub pkcs12: String,
    /// The name of the PEM file with key, certificate and chain.
    pub pem: String,
    /// The name of the PEM file with the CA's root.
    pub root: String,
    /// What the root is called.
    pub root_name: String,
    /// Where to connect to.
    pub url: String,
}

/// A program that connects with a client certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Client {
    /// curl with the PKCS#12 file.
    CurlPkcs12,
    /// curl with the PEM file.
    CurlPem,
    /// Python with the package requests.
    Python,
    /// Java's own HTTP client.
    Java,
    /// Node.js without further packages.
    Node,
}

impl Client {
    /// All of them, in the order to show them in.
    pub const ALL: [Self; 5] = [Self::CurlPkcs12, Self::CurlPem, Self::Python, Self::Java, Self::Node];

    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::CurlPkcs12 => "curl, with the PKCS#12 file",
            Self::CurlPem => "curl, with the PEM file",
            Self::Python => "Python, with the package requests",
            Self::Java => "Java, with its own HTTP client",
            Self::Node => "Node.js, without further packages",
        }
    }

    /// A short name for machines.
    pub fn id(self) -> &'static str {
        match self {
            Self::CurlPkcs12 => "curl-pkcs12",
            Self::CurlPem => "curl-pem",
            Self::Python => "python",
            Self::Java => "java",
            Self::Node => "node",
        }
    }
}

impl Snippets {
    /// The text for `client`.
    pub fn of(&self, client: Client) -> String {
        match client {
            Client::CurlPkcs12 => self.curl(&format!("--cert-type P12 --cert {}", curl_certificate(&self.pkcs12))),
            Client::CurlPem => self.curl(&format!("--cert {}", curl_certificate(&self.pem))),
            Client::Python => self.python(),
            Client::Java => self.java(),
            Client::Node => self.node(),
        }
    }

    /// In parentheses, so that a shell reads all of it before it asks, also when it is pasted.
    fn curl(&self, certificate: &str) -> String {
        let (root, url) = (shell_file(&self.root), shell(&self.url));
        format!(
            r#"(
  if [ -z "${PASSPHRASE_VARIABLE}" ]; then
    printf 'Passphrase: '; stty -echo; IFS= read -r {PASSPHRASE_VARIABLE}; stty echo; echo
  fi
  printf 'pass = "%s"\n' "$(printf '%s' "${PASSPHRASE_VARIABLE}" | sed 's/[\\"]/\\&/g')" |
    curl --config - {certificate} \
      --cacert {root} {url}
)
"#
        )
    }

    fn python(&self) -> String {
        let [pem, root, url] = [&self.pem, &self.root, &self.url].map(|text| literal(text));
        format!(
            r#"import getpass
import os
import ssl

import requests
from requests.adapters import HTTPAdapter

CERTIFICATE = {pem}
ROOT = {root}
URL = {url}


class ClientCertificate(HTTPAdapter):
    """Shows a client certificate whose key is encrypted, which requests alone cannot."""

    def init_poolmanager(self, *arguments, **options):
        passphrase = os.environ.get("{PASSPHRASE_VARIABLE}") or getpass.getpass("Passphrase: ")
        context = ssl.create_default_context(cafile=ROOT)
        context.load_cert_chain(CERTIFICATE, password=passphrase)
        super().init_poolmanager(*arguments, ssl_context=context, **options)


session = requests.Session()
session.verify = ROOT
session.mount("https://", ClientCertificate())
response = session.get(URL, timeout=30)
response.raise_for_status()
print(response.text)
"#
        )
    }

    fn java(&self) -> String {
        let [pkcs12, root, url] = [&self.pkcs12, &self.root, &self.url].map(|text| java_literal(text));
        format!(
            r#"import java.io.FileInputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;

public class Client {{
    static final String CERTIFICATE = {pkcs12};
    static final String ROOT = {root};
    static final String URL = {url};

    public static void main(String[] arguments) throws Exception {{
        String given = System.getenv("{PASSPHRASE_VARIABLE}");
        char[] passphrase = given != null ? given.toCharArray() : System.console().readPassword("Passphrase: ");

        KeyStore own = KeyStore.getInstance("PKCS12");
        try (FileInputStream file = new FileInputStream(CERTIFICATE)) {{
            own.load(file, passphrase);
        }}
        KeyManagerFactory keys = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
        keys.init(own, passphrase);

        KeyStore trusted = KeyStore.getInstance("PKCS12");
        trusted.load(null, null);
        try (FileInputStream file = new FileInputStream(ROOT)) {{
            trusted.setCertificateEntry("root", CertificateFactory.getInstance("X.509").generateCertificate(file));
        }}
        TrustManagerFactory trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        trust.init(trusted);

        SSLContext tls = SSLContext.getInstance("TLS");
        tls.init(keys.getKeyManagers(), trust.getTrustManagers(), null);
        HttpClient client = HttpClient.newBuilder().sslContext(tls).build();
        HttpRequest request = HttpRequest.newBuilder(URI.create(URL)).build();
        System.out.println(client.send(request, HttpResponse.BodyHandlers.ofString()).body());
    }}
}}
"#
        )
    }

    fn node(&self) -> String {
        let [pkcs12, root, url] = [&self.pkcs12, &self.root, &self.url].map(|text| literal(text));
        format!(
            r#"import {{ readFileSync }} from "node:fs";
import https from "node:https";
import {{ createInterface }} from "node:readline/promises";
import {{ Writable }} from "node:stream";

const pfx = readFileSync({pkcs12});
const ca = readFileSync({root});
const url = {url};

/** Asks, and does not show what is typed. */
async function ask(question) {{
    process.stdout.write(question);
    const unseen = new Writable({{ write: (chunk, encoding, done) => done() }});
    const line = createInterface({{ input: process.stdin, output: unseen, terminal: true }});
    const answer = await line.question("");
    line.close();
    console.log();
    return answer;
}}

const passphrase = process.env.{PASSPHRASE_VARIABLE} ?? (await ask("Passphrase: "));
https.get(url, {{ pfx, passphrase, ca }}, (response) => response.pipe(process.stdout));
"#
        )
    }

    /// The commands that put key and certificate into the NSS database of Chromium and Chrome on Linux; pk12util asks for the passphrase.
    pub fn nss_import(&self) -> String {
        let pkcs12 = shell_file(&self.pkcs12);
        format!(
            r#"mkdir -p "$HOME/.pki/nssdb"
[ -e "$HOME/.pki/nssdb/cert9.db" ] || certutil -d "sql:$HOME/.pki/nssdb" -N --empty-password
pk12util -d "sql:$HOME/.pki/nssdb" -i {pkcs12}
"#
        )
    }

    /// The command that makes these browsers trust the root.
    pub fn nss_trust(&self) -> String {
        let (name, root) = (shell(&self.root_name), shell_file(&self.root));
        format!("certutil -d \"sql:$HOME/.pki/nssdb\" -A -n {name} -t C,, -i {root}\n")
    }

    /// The commands that make Debian's own programs trust the root.
    pub fn debian_trust(&self) -> String {
        let root = shell_file(&self.root);
        // That folder's files must end in .crt.
        format!("sudo cp {root} /usr/local/share/ca-certificates/keyside-root.crt\nsudo update-ca-certificates\n")
    }

    /// The same for Fedora, with p11-kit.
    pub fn fedora_trust(&self) -> String {
        format!("sudo trust anchor --store {}\n", shell_file(&self.root))
    }

    /// The command that makes macOS trust the root; it asks for the user's password.
    pub fn mac_trust(&self) -> String {
        let root = shell_file(&self.root);
        format!("security add-trusted-cert -r trustRoot -k ~/Library/Keychains/login.keychain-db {root}\n")
    }

    /// The command that lists what is in the PKCS#12 file; it asks for the passphrase.
    pub fn keytool_list(&self) -> String {
        format!("keytool -list -storetype PKCS12 -keystore {}\n", shell_file(&self.pkcs12))
    }

    /// The command that makes a truststore with the root; it asks for a new password, and whether to trust.
    pub fn keytool_trust(&self) -> String {
        let root = shell_file(&self.root);
        format!("keytool -importcert -alias keyside-root -file {root} -storetype PKCS12 -keystore truststore.p12\n")
    }
}

/// `text` as one word of a POSIX shell (POSIX.1-2017, volume 3, section 2.2.2).
fn shell(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// A file's name as one word of a POSIX shell that no program takes for an option.
fn shell_file(name: &str) -> String {
    if name.starts_with('-') { shell(&format!("./{name}")) } else { shell(name) }
}

/// A file's name as curl's option --cert has it, where a colon ends the name and a backslash takes its meaning away.
fn curl_certificate(name: &str) -> String {
    shell_file(&name.replace('\\', r"\\").replace(':', r"\:"))
}

/// `text` as a literal of Python and of JavaScript, in double quotes.
fn literal(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            character => quoted.push(character),
        }
    }
    quoted + "\""
}

/// `text` as a literal of Java in ASCII alone, since a source file's encoding is the system's before Java 18 (JLS, section 3.3).
fn java_literal(text: &str) -> String {
    let mut ascii = String::new();
    for character in literal(text).chars() {
        if character.is_ascii() {
            ascii.push(character);
        } else {
            let mut units = [0; 2];
            ascii.extend(character.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")));
        }
    }
    ascii
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop where it fails")]

    use std::process::Command;

    use super::*;

    /// Names that shells and languages stumble over.
    const AWKWARD: [&str; 8] = [
        "Ada Example 4f2a00c1 2027-01-15 Test.p12",
        "Siobhán O'Brien 'x' 4f.p12",
        "$HOME `id` $(id) & ; | > < * ? ! ~ # %s.p12",
        "double \" quote \\ backslash \\' both.p12",
        "-rf.p12",
        "colon: 1\\: 2.p12",
        "Ødegård 漢字 🔑.p12",
        "line\nbreak\r.p12",
    ];

    fn snippets(name: &str) -> Snippets {
        Snippets {
            pkcs12: name.into(),
            pem: name.into(),
            root: name.into(),
            root_name: name.into(),
            url: "https://check.example/?a=1&b=%20'".into(),
        }
    }

    #[test]
    fn a_shell_reads_the_name_as_it_is() {
        for name in AWKWARD {
            let script = format!("printf '%s' {}", shell(name));
            let output = Command::new("sh").args(["-c", &script]).output().unwrap();
            assert_eq!(String::from_utf8(output.stdout).unwrap(), name);
        }
        assert_eq!(shell_file("-rf.p12"), "'./-rf.p12'");
        assert_eq!(curl_certificate("a:b\\c d.p12"), r"'a\:b\\c d.p12'");
    }

    #[test]
    fn every_shell_snippet_is_one_that_a_shell_can_read() {
        for name in AWKWARD {
            let snippets = snippets(name);
            for text in [
                snippets.of(Client::CurlPkcs12),
                snippets.of(Client::CurlPem),
                snippets.nss_import(),
                snippets.nss_trust(),
                snippets.debian_trust(),
                snippets.fedora_trust(),
                snippets.mac_trust(),
                snippets.keytool_list(),
                snippets.keytool_trust(),
            ] {
                let output = Command::new("sh").args(["-n", "-c", &text]).output().unwrap();
                assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
            }
        }
    }

    #[test]
    fn a_name_is_one_literal() {
        assert_eq!(literal("O'Brien \"Bo\" \\ é\n"), r#""O'Brien \"Bo\" \\ é\n""#);
        assert_eq!(java_literal("\\é🔑"), r#""\\\u00e9\ud83d\udd11""#);
        for name in AWKWARD {
            // What JSON reads is what Python and JavaScript read, for these characters.
            assert_eq!(serde_json::from_str::<String>(&literal(name)).unwrap(), name);
            assert_eq!(serde_json::from_str::<String>(&java_literal(name)).unwrap(), name);
        }
    }

    #[test]
    fn each_program_has_its_files_and_no_passphrase() {
        let named = Snippets {
            pkcs12: "own.p12".into(),
            pem: "own.pem".into(),
            root: "root.pem".into(),
            root_name: "Root".into(),
            url: "https://check.example/".into(),
        };
        for client in Client::ALL {
            let text = named.of(client);
            let takes_pem = matches!(client, Client::CurlPem | Client::Python);
            assert_eq!(text.contains("own.pem"), takes_pem, "{text}");
            assert_eq!(text.contains("own.p12"), !takes_pem, "{text}");
            for part in ["root.pem", "https://check.example/", PASSPHRASE_VARIABLE, "Passphrase: "] {
                assert!(text.contains(part), "{part} is not in {text}");
            }
        }
    }

    #[test]
    fn curl_is_told_any_passphrase() {
        let passphrase: String = (' '..='~').collect();
        let text = snippets("a.p12").of(Client::CurlPkcs12);
        // What curl would read, printed by what stands in its place.
        let text = text.replace("curl --config -", "cat; :");
        let output = Command::new("sh").args(["-c", &text]).env(PASSPHRASE_VARIABLE, &passphrase).output().unwrap();
        let escaped = passphrase.replace('\\', "\\\\").replace('"', "\\\"");
        assert_eq!(String::from_utf8(output.stdout).unwrap(), format!("pass = \"{escaped}\"\n"));
    }
}
