//! A field for a file: picked, or dropped on it.

use js_sys::Uint8Array;
use leptos::ev::{DragEvent, Event};
use leptos::html;
use leptos::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::File;
use zeroize::Zeroizing;

use super::key_making::Stoppable;
use super::messages::Message;

/// A field for one file.
#[component]
pub fn FileField(
    /// The input's id.
    id: &'static str,
    /// Its label.
    label: &'static str,
    /// What to know before picking.
    hint: &'static str,
    /// Its `accept`.
    accept: &'static str,
    /// Hears of the file.
    on_file: Callback<File>,
) -> impl IntoView {
    let field: NodeRef<html::Input> = NodeRef::new();
    let picked = move |_: Event| {
        if let Some(file) = field.get_untracked().and_then(|field| field.files()).and_then(|files| files.get(0)) {
            on_file.run(file);
        }
    };
    let dropped = move |event: DragEvent| {
        event.prevent_default();
        let files = event.data_transfer().and_then(|transfer| transfer.files());
        if let Some(file) = files.and_then(|files| files.get(0)) {
            on_file.run(file);
        }
    };
    view! {
        <div class="field" on:dragover=|event: DragEvent| event.prevent_default() on:drop=dropped>
            <label for=id>{label}</label>
            <p class="hint" id=format!("{id}-hint")>{hint}</p>
            <input
                id=id
                type="file"
                accept=accept
                aria-describedby=format!("{id}-hint")
                node_ref=field
                on:change=picked
            />
        </div>
    }
}

/// The reading of a form's file, of the one that was picked last. A form that is submitted meanwhile waits for it.
#[derive(Clone, Copy)]
pub struct FileReading {
    reading: Stoppable,
    /// True once the form was submitted, from the beginning of a reading to its end.
    is_submitted: StoredValue<Option<bool>>,
}

impl FileReading {
    /// Nothing is being read yet.
    pub fn new() -> Self {
        Self { reading: Stoppable::new(), is_submitted: StoredValue::new(None) }
    }

    /// Reads, from now on. Gives what was read and whether the form was submitted meanwhile; nothing if another file was picked, or the
    /// page has gone.
    pub fn begin<T>(self, read: impl Future<Output = T>) -> impl Future<Output = Option<(T, bool)>> {
        self.is_submitted.set_value(Some(false));
        async move {
            let read = self.reading.run(read).await?;
            let is_submitted = self.is_submitted.try_update_value(Option::take).flatten()?;
            Some((read, is_submitted))
        }
    }

    /// True while a file is being read: the submission has to wait for it.
    pub fn delays_submission(self) -> bool {
        self.is_submitted
            .try_update_value(|is_submitted| is_submitted.as_mut().map(|it| *it = true))
            .flatten()
            .is_some()
    }
}

impl Default for FileReading {
    fn default() -> Self {
        Self::new()
    }
}

/// The bytes of a file that has at most `maximum_size` of them. It may hold a private key in the clear: no other copy stays.
pub async fn bytes_of(file: &File, maximum_size: usize) -> Result<Zeroizing<Vec<u8>>, Message> {
    if file.size() > maximum_size as f64 {
        return Err(Message {
            title: "This file is too large".into(),
            way_out: format!("It may have at most {} kB. Pick another one.", maximum_size / 1024),
            ..Message::default()
        });
    }
    let buffer = JsFuture::from(file.array_buffer()).await.map_err(|_| Message {
        title: "The file cannot be read".into(),
        way_out: "Copy it to this computer, then pick it again.".into(),
        ..Message::default()
    })?;
    let array = Uint8Array::new(&buffer);
    let bytes = Zeroizing::new(array.to_vec());
    array.fill(0, 0, array.length());
    Ok(bytes)
}
