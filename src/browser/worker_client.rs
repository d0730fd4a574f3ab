//! The page's side of the workers: one worker a job, terminated when the job is done or no longer wanted.

use core::pin::pin;
use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};

use futures_channel::mpsc::{UnboundedReceiver, unbounded};
use futures_util::StreamExt;
use futures_util::future::{Either, select};
use gloo_timers::future::TimeoutFuture;
use js_sys::{Array, Uint8Array};
use keyside_core::domain::base64_bytes::Base64Bytes;
use keyside_core::domain::enrollment::Enrollment;
use keyside_core::inspection::Inspection;
use keyside_core::ports::{KeyWorker, WorkerError};
use keyside_core::protocol::{
    Ahead, Answer, BUILD, CertificateJob, ChangePassphrase, Check, Checked, Export, ExportKey, FileAnswer, FileJob,
    Generate, Generated, Inspect, Job, KEY_MAKER, OpenBackup, Ready, Renew, Renewed, Sealed, Stage, Unpack, Unpacked,
    WARM,
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

use super::prime_searchers::{self, Searcher};
use super::release::worker_script;
use super::{start_worker, words};

/// The program of the main job's workers, by the title of its link in the document's head.
const WORKER: &str = "worker";
/// That of the worker that reads certificates.
const CERTIFICATES: &str = "certificates";
/// The inspector's.
const INSPECTOR: &str = "inspector";

/// How long a worker may take to load and start, in milliseconds.
const START_TIMEOUT: u32 = 60_000;

/// Workers of this page's own build.
#[derive(Clone, Copy, Debug)]
pub struct WebWorkers;

/// A running worker; dropping it terminates it, which discards its memory and whatever it was doing.
pub struct Running {
    worker: Worker,
    outbox: Rc<Outbox>,
    messages: UnboundedReceiver<Result<Vec<u8>, WorkerError>>,
    /// Those that search for primes on its behalf.
    _searchers: Rc<RefCell<Vec<Searcher>>>,
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

/// A message to a worker, JSON; wiped when dropped.
type Message = Zeroizing<Vec<u8>>;

fn message(content: &impl Serialize) -> Result<Message, WorkerError> {
    serde_json::to_vec(content).map(Zeroizing::new).map_err(|error| WorkerError::Stopped(error.to_string()))
}

/// Messages to a worker. Before its first message the worker does not listen: until then they wait here.
#[derive(Default)]
struct Outbox {
    is_listening: Cell<bool>,
    waiting: RefCell<Vec<Message>>,
}

impl Outbox {
    /// Hands a message over, now or later.
    fn post(&self, worker: &Worker, message: Message) -> Result<(), JsValue> {
        self.waiting.borrow_mut().push(message);
        if self.is_listening.get() { self.send(worker) } else { Ok(()) }
    }

    /// The bytes that are posted are the only copy, and they are transferred.
    fn send(&self, worker: &Worker) -> Result<(), JsValue> {
        self.is_listening.set(true);
        self.waiting.take().iter().try_for_each(|message| {
            let array = Uint8Array::from(message.as_slice());
            worker.post_message_with_transfer(&array, &Array::of1(&array.buffer()))
        })
    }
}

fn stopped(error: &JsValue) -> WorkerError {
    WorkerError::Stopped(words(error))
}

impl Running {
    /// Starts a worker called `name` with the program `title`; for one that makes keys, those that search for primes, too.
    async fn start(title: &str, name: &str) -> Result<Self, WorkerError> {
        let script = worker_script(title).await?;
        let worker = start_worker(&script, name).map_err(|error| stopped(&error))?;
        let (sender, messages) = unbounded();
        let outbox = Rc::<Outbox>::default();
        let searchers = Rc::<RefCell<Vec<Searcher>>>::default();
        let on_message = Closure::new({
            let (worker, outbox, searchers, sender) =
                (worker.clone(), outbox.clone(), searchers.clone(), sender.clone());
            let makes_keys = name == KEY_MAKER;
            move |event: MessageEvent| {
                if makes_keys && !outbox.is_listening.get() {
                    searchers.replace(prime_searchers::start(&script, &worker));
                }
                // A message that cannot be posted is missed where its answer is waited for.
                let _ = outbox.send(&worker);
                let bytes = event.data().dyn_into::<Uint8Array>().map_err(|_| WorkerError::Stale);
                let _ = sender.unbounded_send(bytes.map(|bytes| bytes.to_vec()));
            }
        });
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
        Ok(Self { worker, outbox, messages, _searchers: searchers, _on_message: on_message, _on_error: on_error })
    }

    /// The worker's next message, JSON. As text, which everything else is read from too: another source has a reader of its own.
    async fn next(&mut self) -> Result<String, WorkerError> {
        let stopped = || Err(WorkerError::Stopped("it said nothing".into()));
        let bytes = self.messages.next().await.unwrap_or_else(stopped)?;
        String::from_utf8(bytes).map_err(|_| WorkerError::Stale)
    }

    /// Hands a message over.
    fn post(&self, message: Result<Message, WorkerError>) -> Result<(), WorkerError> {
        self.outbox.post(&self.worker, message?).map_err(|error| stopped(&error))
    }
}

thread_local! {
    /// The workers that were started before they are needed, as long as they are kept.
    static PREPARED: RefCell<Vec<Weak<RefCell<Slot>>>> = const { RefCell::new(Vec::new()) };
}

impl WebWorkers {
    /// Starts a worker and ends it.
    pub async fn try_out() -> Result<(), WorkerError> {
        ready(Running::start(WORKER, "tryout").await?).await.map(drop)
    }
}

/// The work of a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Makes a key, with others that search for primes on its behalf.
    KeyMaker,
    /// Opens or seals a key.
    Custodian,
    /// Reads files from elsewhere, and opens the keys in them.
    Inspector,
    /// Reads certificates.
    CertificateReader,
}

impl Role {
    /// Starts a worker for it.
    async fn start(self) -> Result<Running, WorkerError> {
        let (title, name) = match self {
            Self::KeyMaker => (WORKER, KEY_MAKER),
            Self::Custodian => (WORKER, WARM),
            Self::Inspector => (INSPECTOR, WARM),
            Self::CertificateReader => (CERTIFICATES, ""),
        };
        Running::start(title, name).await
    }

    /// A worker that was prepared for it, or else one that starts now.
    async fn prepared(self) -> Result<Running, WorkerError> {
        let prepared = PREPARED.with_borrow_mut(|all| {
            all.retain(|slot| slot.strong_count() > 0);
            all.iter().filter_map(Weak::upgrade).find_map(|slot| slot.borrow_mut().take(self))
        });
        match prepared {
            Some(running) => Ok(running),
            None => self.start().await,
        }
    }
}

/// A worker that was started before it is needed.
struct Slot {
    role: Role,
    state: SlotState,
}

enum SlotState {
    /// It starts. Then it gets the message, if there is one.
    Starting(Option<Result<Message, WorkerError>>),
    Running(Running),
    /// It has got its job.
    Taken,
}

impl Slot {
    fn take(&mut self, role: Role) -> Option<Running> {
        if self.role != role || !matches!(self.state, SlotState::Running(_)) {
            return None;
        }
        match core::mem::replace(&mut self.state, SlotState::Taken) {
            SlotState::Running(running) => Some(running),
            _ => None,
        }
    }
}

/// Starts workers before they are needed, and has them do ahead what they can. Ends them when dropped, unless they are at work by then.
#[derive(Default)]
pub struct Prepared(RefCell<Vec<Rc<RefCell<Slot>>>>);

impl Prepared {
    /// Starts a worker for the next job.
    pub fn start(&self, role: Role) {
        self.slot(role);
    }

    /// Starts a worker for the next job, and has it do this ahead, unless it has got its job.
    pub fn ahead(&self, role: Role, ahead: Ahead) {
        let slot = self.slot(role);
        let order = message(&Job::Ahead(ahead));
        match &mut slot.borrow_mut().state {
            SlotState::Starting(waiting) => *waiting = Some(order),
            SlotState::Running(running) => drop(running.post(order)),
            SlotState::Taken => {}
        }
    }

    /// That of a worker which waits for a job of this kind.
    fn slot(&self, role: Role) -> Rc<RefCell<Slot>> {
        let mut slots = self.0.borrow_mut();
        slots.retain(|slot| !matches!(slot.borrow().state, SlotState::Taken));
        if let Some(slot) = slots.iter().find(|slot| slot.borrow().role == role) {
            return slot.clone();
        }
        let slot = Rc::new(RefCell::new(Slot { role, state: SlotState::Starting(None) }));
        slots.push(slot.clone());
        let weak = Rc::downgrade(&slot);
        PREPARED.with_borrow_mut(|all| all.push(weak.clone()));
        spawn_local(async move {
            // Where it cannot be started now, it cannot when it is needed either, and then the user hears of it.
            if let (Ok(running), Some(slot)) = (role.start().await, weak.upgrade()) {
                let mut slot = slot.borrow_mut();
                let running = SlotState::Running(running);
                if let (SlotState::Starting(Some(order)), SlotState::Running(running)) =
                    (core::mem::replace(&mut slot.state, running), &slot.state)
                {
                    let _ = running.post(order);
                }
            }
        });
        slot
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

/// Has the worker that was prepared for `role` do `job`, to its final answer.
async fn run(role: Role, job: Job, progress: &dyn Fn(Stage)) -> Result<Answer, WorkerError> {
    run_in(role.prepared().await?, job, progress).await
}

/// Has `running` do `job`, to its final answer.
async fn run_in(running: Running, job: Job, progress: &dyn Fn(Stage)) -> Result<Answer, WorkerError> {
    let mut running = ready(running).await?;
    running.post(message(&job))?;
    loop {
        match read(&running.next().await?)? {
            Answer::Progress(stage) => progress(stage),
            Answer::Failed(failure) => return Err(WorkerError::Failed(failure)),
            answer => return Ok(answer),
        }
    }
}

/// Has the worker that was prepared for `role` do `job`.
async fn ask(role: Role, job: Result<Message, WorkerError>) -> Result<Box<RawValue>, WorkerError> {
    let mut running = ready(role.prepared().await?).await?;
    running.post(job)?;
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
        match run(Role::KeyMaker, Job::Generate(job), &progress).await? {
            Answer::Generated(generated) => Ok(generated),
            _ => Err(WorkerError::Stale),
        }
    }

    type Exporting = Running;

    async fn begin_export(&self, key: ExportKey) -> Result<Running, WorkerError> {
        let running = Role::Custodian.prepared().await?;
        running.post(message(&Job::Ahead(Ahead { export: Some(key), ..Ahead::default() })))?;
        Ok(running)
    }

    async fn export(&self, exporting: Running, job: Export) -> Result<Vec<u8>, WorkerError> {
        match run_in(exporting, Job::Export(job), &|_| ()).await? {
            Answer::Exported(file) => Ok(file.0),
            _ => Err(WorkerError::Stale),
        }
    }

    async fn change_passphrase(&self, job: ChangePassphrase) -> Result<Sealed, WorkerError> {
        match run(Role::Custodian, Job::ChangePassphrase(job), &|_| ()).await? {
            Answer::PassphraseChanged(sealed) => Ok(sealed),
            _ => Err(WorkerError::Stale),
        }
    }

    async fn renew(&self, job: Renew, progress: impl Fn(Stage)) -> Result<Renewed, WorkerError> {
        match run(Role::KeyMaker, Job::Renew(job), &progress).await? {
            Answer::Renewed(renewed) => Ok(renewed),
            _ => Err(WorkerError::Stale),
        }
    }

    async fn unpack(&self, job: Unpack) -> Result<Vec<Unpacked>, WorkerError> {
        read(ask(Role::Inspector, message(&FileJob::Unpack(job))).await?.get())
    }

    async fn inspect(&self, job: Inspect) -> Result<Inspection, WorkerError> {
        read(ask(Role::Inspector, message(&FileJob::Inspect(job))).await?.get())
    }

    async fn check(&self, job: Check) -> Result<Result<Checked, PathError>, WorkerError> {
        read(ask(Role::CertificateReader, message(&CertificateJob::Check(job))).await?.get())
    }

    async fn summarize(&self, certificate: Base64Bytes) -> Result<CertificateSummary, WorkerError> {
        read(ask(Role::CertificateReader, message(&CertificateJob::Summarize(certificate))).await?.get())
    }

    async fn certs_only(&self, certificates: Vec<Base64Bytes>) -> Result<Vec<u8>, WorkerError> {
        read::<Base64Bytes>(ask(Role::Inspector, message(&FileJob::CertsOnly(certificates))).await?.get())
            .map(|file| file.0)
    }

    async fn read_backup(&self, file: Base64Bytes) -> Result<Enrollment, WorkerError> {
        read(ask(Role::Inspector, message(&FileJob::ReadBackup(file))).await?.get())
    }

    async fn open_backup(&self, job: OpenBackup) -> Result<Enrollment, WorkerError> {
        read(ask(Role::Inspector, message(&FileJob::OpenBackup(job))).await?.get())
    }

    async fn write_backup(&self, enrollment: Enrollment) -> Result<String, WorkerError> {
        read(ask(Role::Inspector, message(&FileJob::WriteBackup(Box::new(enrollment)))).await?.get())
    }
}
