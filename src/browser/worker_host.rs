//! The worker's side: takes one job, has custody do it, answers.

use js_sys::{Array, Uint8Array};
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{DedicatedWorkerGlobalScope, MessageEvent};
use zeroize::Zeroizing;

use crate::custody;
use crate::protocol::{Answer, Failure, Job, VERSION};

/// Registers the handler and says that the worker is ready.
pub fn start() -> Result<(), JsValue> {
    let scope: DedicatedWorkerGlobalScope = js_sys::global().unchecked_into();
    let on_message = Closure::<dyn FnMut(MessageEvent)>::new({
        let scope = scope.clone();
        move |event: MessageEvent| {
            let progress = |stage| {
                let _ = post(&scope, &Answer::Progress(stage));
            };
            let answer = match read(&event) {
                Ok(job) => custody::handle(job, &mut rand::rng(), progress),
                Err(reason) => Answer::Failed(Failure::Unusable(reason)),
            };
            let _ = post(&scope, &answer);
        }
    });
    scope.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
    on_message.forget();
    post(&scope, &Answer::Ready { version: VERSION.to_owned() })
}

/// Takes the job out of the message and wipes the bytes it came in.
fn read(event: &MessageEvent) -> Result<Job, String> {
    let array: Uint8Array = event.data().dyn_into().map_err(|_| "the message is not bytes".to_owned())?;
    let bytes = Zeroizing::new(array.to_vec());
    array.fill(0, 0, array.length());
    serde_json::from_slice(&bytes).map_err(|error| error.to_string())
}

fn post(scope: &DedicatedWorkerGlobalScope, answer: &Answer) -> Result<(), JsValue> {
    let bytes = serde_json::to_vec(answer).map_err(|error| error.to_string())?;
    let array = Uint8Array::from(bytes.as_slice());
    scope.post_message_with_transfer(&array, &Array::of1(&array.buffer()))
}
