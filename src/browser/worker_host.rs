//! A worker's side: takes one job, has custody do it, answers.

use js_sys::{Array, Uint8Array};
use serde::Serialize;
use serde::de::DeserializeOwned;
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{DedicatedWorkerGlobalScope, MessageEvent};
use zeroize::Zeroizing;

use crate::custody::{self, foreign_files};
use crate::protocol::{Answer, Failure, FileAnswer, Ready, VERSION};

/// Makes this worker the main job's, and says that it is ready.
pub fn start() -> Result<(), JsValue> {
    serve(Answer::Failed, |job, scope| {
        custody::handle(job, &mut rand::rng(), |stage| {
            let _ = post(scope, &Answer::Progress(stage));
        })
    })
}

/// Makes this worker the inspector, and says that it is ready.
pub fn start_inspector() -> Result<(), JsValue> {
    serve(FileAnswer::Failed, |job, _| foreign_files::handle(job, &mut rand::rng()))
}

/// Registers what handles a job; a job that is not of the kind `J` is answered with what `failed` makes of it.
fn serve<J: DeserializeOwned, A: Serialize>(
    failed: impl Fn(Failure) -> A + 'static,
    handle: impl Fn(J, &DedicatedWorkerGlobalScope) -> A + 'static,
) -> Result<(), JsValue> {
    let scope: DedicatedWorkerGlobalScope = js_sys::global().unchecked_into();
    let on_message = Closure::<dyn FnMut(MessageEvent)>::new({
        let scope = scope.clone();
        move |event: MessageEvent| {
            let answer = match read(&event) {
                Ok(job) => handle(job, &scope),
                Err(reason) => failed(Failure::Unusable(reason)),
            };
            let _ = post(&scope, &answer);
        }
    });
    scope.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
    on_message.forget();
    post(&scope, &Ready { version: VERSION.to_owned() })
}

/// Takes the job out of the message and wipes the bytes it came in.
fn read<J: DeserializeOwned>(event: &MessageEvent) -> Result<J, String> {
    let array: Uint8Array = event.data().dyn_into().map_err(|_| "the message is not bytes".to_owned())?;
    let bytes = Zeroizing::new(array.to_vec());
    array.fill(0, 0, array.length());
    serde_json::from_slice(&bytes).map_err(|error| error.to_string())
}

fn post(scope: &DedicatedWorkerGlobalScope, message: &impl Serialize) -> Result<(), JsValue> {
    let bytes = serde_json::to_vec(message).map_err(|error| error.to_string())?;
    let array = Uint8Array::from(bytes.as_slice());
    scope.post_message_with_transfer(&array, &Array::of1(&array.buffer()))
}
