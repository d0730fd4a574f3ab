//! A database that cannot work for a while: the gateway says so, loses nothing, and goes on by itself.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use keyside_core::api::{ProblemKind, RequestState};

use crate::console::approver;
use crate::est::Field;
use crate::harness::{Gateway, POLL_INTERVAL, Site, eventually, good_request, header, http_client, problem};

/// The time in which there must be work again after there is room.
const SOON: Duration = Duration::from_secs(5);

/// A disk of 8 MB for the database, which the gateway alone sees.
struct SmallDisk {
    gateway: Gateway,
    folder: PathBuf,
}

impl SmallDisk {
    fn new(site: &Site) -> Self {
        let folder = site.path("disk");
        fs::create_dir(&folder).unwrap();
        let database = format!("sqlite:{}", folder.join("keyside.sqlite").display());
        let serve = site.serve(&["--manual-approval", "--operations-listen", "127.0.0.1:0", "--database", &database]);
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--mount", "sh", "-c"]);
        command.arg("mount -t tmpfs -o size=8m none \"$0\" && exec \"$@\"").arg(&folder);
        command.arg(serve.get_program()).args(serve.get_args()).env("RUST_LOG", "off");
        Self { gateway: Gateway::spawn(command), folder }
    }

    /// A file on the disk, as it is seen from outside.
    fn path(&self, name: &str) -> PathBuf {
        Path::new(&format!("/proc/{}/root", self.gateway.process_id()))
            .join(self.folder.strip_prefix("/").unwrap())
            .join(name)
    }

    /// Fills it to the last byte.
    fn fill(&self) {
        let mut filler = File::create(self.path("filler")).unwrap();
        for size in [64 * 1024, 1] {
            while filler.write_all(&vec![0; size]).is_ok() {}
        }
    }

    fn empty(&self) {
        fs::remove_file(self.path("filler")).unwrap();
    }
}

async fn is_ready(gateway: &Gateway) -> bool {
    gateway.get("/readyz").await.status() == 200
}

#[tokio::test]
async fn a_full_disk_is_told_and_work_goes_on_when_there_is_room() {
    let site = Site::on_sqlite();
    let disk = SmallDisk::new(&site);
    let gateway = &disk.gateway;
    let first = gateway.submit_good(&good_request("Before")).await;
    assert!(is_ready(gateway).await);
    for round in 0..3 {
        disk.fill();
        eventually(async || !is_ready(gateway).await).await;
        for attempt in 0..10 {
            let response = gateway.submit(&good_request(&format!("Full {round} {attempt}"))).await;
            assert_eq!(header(&response, "retry-after"), "5");
            assert_eq!(problem(response).await.kind, ProblemKind::Unavailable);
        }
        assert!(!is_ready(gateway).await);
        assert_eq!(gateway.state(first).await, RequestState::Pending, "reading goes on");
        disk.empty();
        let emptied = Instant::now();
        let request = good_request(&format!("Room {round}"));
        while !gateway.submit(&request).await.status().is_success() || !is_ready(gateway).await {
            assert!(emptied.elapsed() < SOON, "no work {SOON:?} after there is room");
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }
    let metrics =
        http_client().get(format!("{}/metrics", gateway.operations_url.as_ref().unwrap())).send().await.unwrap();
    let metrics = metrics.text().await.unwrap();
    assert!(
        metrics.contains("keyside_requests_waiting{state=\"pending\"} 4\n"),
        "nothing is lost or there twice: {metrics}"
    );
    assert!(metrics.contains("keyside_database_free_bytes "), "{metrics}");
}

/// Makes sure that a response says that it is worth trying again, and when.
async fn is_outage(response: reqwest::Response) {
    assert_eq!(header(&response, "retry-after"), "5");
    assert_eq!(problem(response).await.kind, ProblemKind::Unavailable);
}

#[tokio::test]
async fn a_server_that_lets_nobody_in_is_an_outage_everywhere() {
    let field = Field::new(|_| Site::on_postgresql()).await;
    let (site, gateway) = (&field.site, &field.gateway);
    let id = gateway.submit_good(&good_request("Before")).await;
    let code = field.code("rig-1", &[]);
    field.request("rig-1", "rig-1", "");
    let database = site.database().await;
    let browser = approver(gateway, &database).await;
    database.close().await;
    site.database_lets_in(false);
    is_outage(gateway.submit(&good_request("Meanwhile")).await).await;
    is_outage(gateway.get(&keyside_core::api::request_path(&id)).await).await;
    let page = browser.get("/console/requests").await;
    assert_eq!((page.status().as_u16(), header(&page, "retry-after")), (503, "5"));
    assert!(page.text().await.unwrap().contains("cannot save anything now"));
    assert_eq!(field.enroll("rig-1", &format!("rig-1:{code}")), 503);
    let head = fs::read_to_string(site.path("head")).unwrap().to_lowercase();
    assert!(head.contains("retry-after: 5"), "{head}");
    site.database_lets_in(true);
    eventually(async || is_ready(gateway).await).await;
    gateway.submit_good(&good_request("Meanwhile")).await;
    let status = field.enroll("rig-1", &format!("rig-1:{code}"));
    assert!([200, 202].contains(&status), "the code was not used up: {status}");
}

#[tokio::test]
async fn a_database_that_another_program_locks_is_an_outage() {
    let site = Site::on_sqlite();
    let gateway = site.start(&["--manual-approval"]);
    let database = site.database().await;
    let lock = database.transaction().await.unwrap();
    let request = good_request("Meanwhile");
    let (submitted, ready) = tokio::join!(gateway.submit(&request), is_ready(&gateway));
    is_outage(submitted).await;
    assert!(!ready);
    drop(lock);
    database.close().await;
    gateway.submit_good(&request).await;
    eventually(async || is_ready(&gateway).await).await;
}
