//! A TLS server that asks for a client certificate: `openssl s_server` on a port that the system chooses.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};

use crate::authority::{authority, to_pem};
use crate::tool::{Folder, command, missing};

/// A running server; it knows the root alone, so that the client has to send the rest of its chain.
pub(crate) struct Server {
    process: Child,
    address: String,
    folder: Folder,
}

impl Server {
    /// Starts it and waits until it listens.
    pub(crate) fn start() -> Self {
        let folder = Folder::new();
        let (key, certificate) = authority().server();
        let key = folder.write("server.key", key.as_bytes());
        let certificate = folder.write("server.pem", certificate.as_bytes());
        let root = folder.write("root.pem", to_pem(&authority().root).as_bytes());
        let mut process = command("openssl")
            .args(["s_server", "-accept", "127.0.0.1:0", "-key", &key, "-cert", &certificate, "-www"])
            .args(["-Verify", "2", "-verify_return_error", "-CAfile", &root])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{}", missing("openssl", &error)));
        let address = BufReader::new(process.stdout.take().unwrap())
            .lines()
            .map_while(Result::ok)
            .find_map(|line| line.strip_prefix("ACCEPT ").map(str::to_owned))
            .expect("`openssl s_server` ended before it listened");
        Self { process, address, folder }
    }

    pub(crate) fn url(&self) -> String {
        format!("https://{}/", self.address)
    }

    /// The path of the root's certificate, PEM.
    pub(crate) fn root(&self) -> String {
        self.folder.path("root.pem")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
