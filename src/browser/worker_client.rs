//! The page's side of the workers: one worker a job, terminated when the job is done or no longer wanted.

use core::pin::pin;
use std::cell::{Cell, OnceCell, RefCell};
use std::rc::{Rc, Weak};

use futures_channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};
use futures_util::StreamExt;
use futures_util::future::{Either, select};
use gloo_timers::future::TimeoutFuture;
use js_sys::{Array, Uint8Array};
use keyside_core::domain::base64_bytes::Base64Bytes;
use keyside_core::domain::enrollment::Enrollment;
use keyside_core::inspection::Inspection;
use keyside_core::ports::{KeyWorker, WorkerError};
use keyside_core::protocol::{
    Answer, BUILD, CertificateJob, ChangePassphrase, Check, Checked, Export, FileAnswer, FileJob, Generate, Generated,
    Inspect, Job, KEY_MAKER, OpenBackup, Ready, Renew, Renewed, Sealed, Stage, Unpack, Unpacked,
};
use keyside_pki::certificate::CertificateSummary;
use keyside_pki::certification_path::PathError;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::spawn_local;
use web_sys::{ErrorEvent, MessageEvent, Worker};
use zeroize::Zeroizing;

use super::prime_searchers::PrimeSearchers;
use super::release::worker_script;
use super::{start_worker, words};

/// The program of the main job's workers, by the title of its link in the document's head. A second build, with what not every browser has (wide
/// arithmetic), would be chosen here: everything that makes keys starts with this name.
const WORKER: &str = "worker";
/// That of the worker for certificates.
const CERTIFICATES: &str = "certificates";
/// The inspector's.
const INSPECTOR: &str = "inspector";

/// How long a worker may take to load and start, in milliseconds.
const START_TIMEOUT: u32 = 60_000;

/// Workers of this page's own build.
#[derive(Clone, Copy, Debug)]
pub struct WebWorkers;

/// A running worker; dropping it terminates it, which discards its memory and whatever it was doing.
struct Running {
    worker: Worker,
    messages: UnboundedReceiver<Result<Vec<u8>, WorkerError>>,
    /// What searches for primes on its behalf.
    _searchers: Option<PrimeSearchers>,
    _on_message: Closure<dyn FnMut(MessageEvent)>,
    _on_error: Closure<dyn FnMut(ErrorEvent)>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.worker.set_onmessage(None);
        self.worker.set_onerror(None);
        self.worker.terminate();
    }
}

fn stopped(error: &JsValue) -> WorkerError {
    WorkerError::Stopped(words(error))
}

impl Running {
    /// Starts a worker called `name` with the program `title`.
    async fn start(title: &str, name: &str) -> Result<Self, WorkerError> {
        Self::start_script(&worker_script(title).await?, name)
    }

    fn start_script(script: &str, name: &str) -> Result<Self, WorkerError> {
        let worker = start_worker(script, name).map_err(|error| stopped(&error))?;
        let (sender, messages) = unbounded();
        let on_message = on_message(sender.clone());
        let on_error = Closure::new(move |event: ErrorEvent| {
            // A script that cannot be fetched gives a plain Event, without a message.
            let message = js_sys::Reflect::get(&event, &"message".into())
                .ok()
                .and_then(|message| message.as_string())
                .unwrap_or_else(|| "its script could not be loaded".into());
            let _ = sender.unbounded_send(Err(WorkerError::Stopped(message)));
        });
        worker.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
        worker.set_onerror(Some(on_error.as_ref().unchecked_ref()));
        Ok(Self { worker, messages, _searchers: None, _on_message: on_message, _on_error: on_error })
    }

    /// A worker that will be asked for a new key, and those that search for primes on its behalf.
    async fn start_key_maker() -> Result<Self, WorkerError> {
        let script = worker_script(WORKER).await?;
        let mut running = Self::start_script(&script, KEY_MAKER)?;
        running._searchers = Some(PrimeSearchers::start(&script, &running.worker).map_err(|error| stopped(&error))?);
        Ok(running)
    }

    /// The worker's next message, JSON. As text, which everything else is read from too: another source has a reader of its own.
    async fn next(&mut self) -> Result<String, WorkerError> {
        let stopped = || Err(WorkerError::Stopped("it said nothing".into()));
        let bytes = self.messages.next().await.unwrap_or_else(stopped)?;
        String::from_utf8(bytes).map_err(|_| WorkerError::Stale)
    }

    /// Hands `job` over: the bytes posted are the only copy, and they are transferred.
    fn post(&self, job: &impl Serialize) -> Result<(), WorkerError> {
        let bytes = Zeroizing::new(serde_json::to_vec(job).map_err(|error| WorkerError::Stopped(error.to_string()))?);
        let array = Uint8Array::from(bytes.as_slice());
        self.worker.post_message_with_transfer(&array, &Array::of1(&array.buffer())).map_err(|error| stopped(&error))
    }
}

fn on_message(sender: UnboundedSender<Result<Vec<u8>, WorkerError>>) -> Closure<dyn FnMut(MessageEvent)> {
    Closure::new(move |event: MessageEvent| {
        let bytes = event.data().dyn_into::<Uint8Array>().map_err(|_| WorkerError::Stale);
        let _ = sender.unbounded_send(bytes.map(|bytes| bytes.to_vec()));
    })
}

thread_local! {
    /// The worker that [`Prepared::start`] has started last, as long as somebody keeps it.
    static PREPARED: RefCell<Weak<Cell<Option<Running>>>> = const { RefCell::new(Weak::new()) };
}

impl WebWorkers {
    /// Starts a worker and ends it.
    pub async fn try_out() -> Result<(), WorkerError> {
        ready(Running::start(WORKER, "tryout").await?).await.map(drop)
    }
}

/// Starts a worker before it is needed, once; ends it when dropped, unless it is at work by then.
#[derive(Default)]
pub struct Prepared(OnceCell<Rc<Cell<Option<Running>>>>);

impl Prepared {
    /// Starts the worker, and those that it lets search for primes, before a key is wanted: the next one to be made will not wait for them.
    pub fn start(&self) {
        self.0.get_or_init(|| {
            // Where it cannot be started now, it cannot when it is needed either, and then the user hears of it.
            let prepared = Rc::new(Cell::new(None));
            let weak = Rc::downgrade(&prepared);
            PREPARED.set(weak.clone());
            spawn_local(async move {
                let running = Running::start_key_maker().await.ok();
                if let Some(prepared) = weak.upgrade() {
                    prepared.set(running);
                }
            });
            prepared
        });
    }
}

/// The worker that was prepared for a new key, or else one that starts now.
async fn key_maker() -> Result<Running, WorkerError> {
    let prepared = PREPARED.with_borrow(Weak::upgrade).and_then(|running| running.take());
    match prepared {
        Some(running) => Ok(running),
        None => Running::start_key_maker().await,
    }
}

/// `running`, once it has started, if it is of this build.
async fn ready(mut running: Running) -> Result<Running, WorkerError> {
    let Ready { build } = match select(pin!(running.next()), TimeoutFuture::new(START_TIMEOUT)).await {
        Either::Left((ready, _)) => read(&ready?)?,
        Either::Right(_) => return Err(WorkerError::Stopped("it did not start within a minute".into())),
    };
    if build == BUILD { Ok(running) } else { Err(WorkerError::Stale) }
}

/// Runs `job` to its final answer, in a worker of its own.
async fn run(job: Job) -> Result<Answer, WorkerError> {
    run_in(Running::start(WORKER, "custodian").await?, job, |_| ()).await
}

/// Runs `job` to its final answer in `running`.
async fn run_in(running: Running, job: Job, progress: impl Fn(Stage)) -> Result<Answer, WorkerError> {
    let mut running = ready(running).await?;
    running.post(&job)?;
    loop {
        match read(&running.next().await?)? {
            Answer::Progress(stage) => progress(stage),
            Answer::Failed(failure) => return Err(WorkerError::Failed(failure)),
            answer => return Ok(answer),
        }
    }
}

/// Has a worker with the program `title` do `job`.
async fn ask(title: &str, job: impl Serialize) -> Result<Box<RawValue>, WorkerError> {
    let mut running = ready(Running::start(title, "").await?).await?;
    running.post(&job)?;
    match read(&running.next().await?)? {
        FileAnswer::Done(done) => Ok(done),
        FileAnswer::Failed(failure) => Err(WorkerError::Failed(failure)),
    }
}

/// What a worker says.
fn read<T: DeserializeOwned>(json: &str) -> Result<T, WorkerError> {
    serde_json::from_str(json).map_err(|_| WorkerError::Stale)
}

impl KeyWorker for WebWorkers {
    async fn generate(&self, job: Generate, progress: impl Fn(Stage)) -> Result<Generated, WorkerError> {
        match run_in(key_maker().await?, Job::Generate(job), progress).await? {
            Answer::Generated(generated) => Ok(generated),
            _ => Err(WorkerError::Stale),
        }
    }

    async fn export(&self, job: Export) -> Result<Vec<u8>, WorkerError> {
        match run(Job::Export(job)).await? {
            Answer::Exported(file) => Ok(file.0),
            _ => Err(WorkerError::Stale),
        }
    }

    async fn change_passphrase(&self, job: ChangePassphrase) -> Result<Sealed, WorkerError> {
        match run(Job::ChangePassphrase(job)).await? {
            Answer::PassphraseChanged(sealed) => Ok(sealed),
            _ => Err(WorkerError::Stale),
        }
    }

    async fn renew(&self, job: Renew, progress: impl Fn(Stage)) -> Result<Renewed, WorkerError> {
        match run_in(key_maker().await?, Job::Renew(job), progress).await? {
            Answer::Renewed(renewed) => Ok(renewed),
            _ => Err(WorkerError::Stale),
        }
    }

    async fn unpack(&self, job: Unpack) -> Result<Vec<Unpacked>, WorkerError> {
        read(ask(INSPECTOR, FileJob::Unpack(job)).await?.get())
    }

    async fn inspect(&self, job: Inspect) -> Result<Inspection, WorkerError> {
        read(ask(INSPECTOR, FileJob::Inspect(job)).await?.get())
    }

    async fn check(&self, job: Check) -> Result<Result<Checked, PathError>, WorkerError> {
        read(ask(CERTIFICATES, CertificateJob::Check(job)).await?.get())
    }

    async fn summarize(&self, certificate: Base64Bytes) -> Result<CertificateSummary, WorkerError> {
        read(ask(CERTIFICATES, CertificateJob::Summarize(certificate)).await?.get())
    }

    async fn certs_only(&self, certificates: Vec<Base64Bytes>) -> Result<Vec<u8>, WorkerError> {
        read::<Base64Bytes>(ask(INSPECTOR, FileJob::CertsOnly(certificates)).await?.get()).map(|file| file.0)
    }

    async fn read_backup(&self, file: Base64Bytes) -> Result<Enrollment, WorkerError> {
        read(ask(INSPECTOR, FileJob::ReadBackup(file)).await?.get())
    }

    async fn open_backup(&self, job: OpenBackup) -> Result<Enrollment, WorkerError> {
        read(ask(INSPECTOR, FileJob::OpenBackup(job)).await?.get())
    }

    async fn write_backup(&self, enrollment: Enrollment) -> Result<String, WorkerError> {
        read(ask(INSPECTOR, FileJob::WriteBackup(Box::new(enrollment))).await?.get())
    }
}
