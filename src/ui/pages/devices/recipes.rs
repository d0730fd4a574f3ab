//! How to make key and certification request on the device: commands for the name that was typed.

use keyside_core::api::CertificateType;
use keyside_core::commands::device_recipes::{self, recipes};
use keyside_core::domain::distinguished_name::{SubjectTemplate, check_common_name};
use keyside_core::domain::key_size::KeySize;
use leptos::prelude::*;

use crate::ui::components::CopyButton;
use crate::ui::links::Link;

/// The recipes.
#[component]
pub fn Recipes(
    /// The certificate type, whose subject it will be.
    certificate_type: RwSignal<CertificateType>,
    /// The device's name as typed.
    name: RwSignal<String>,
    /// The size of the key.
    key_size: KeySize,
) -> impl IntoView {
    let made = Memo::new(move |_| {
        let template: SubjectTemplate = certificate_type.with(|kind| kind.subject_template.parse()).ok()?;
        name.with(|name| {
            check_common_name(name.trim()).ok()?;
            recipes(&template.subject(name.trim()), name.trim(), key_size)
        })
    });
    let is_made = Memo::new(move |_| made.with(Option::is_some));
    view! {
        <details class="field no-print">
            <summary>"How to make the certificate request on the device"</summary>
            {move || {
                if is_made.get() {
                    view! { <Commands made/> }.into_any()
                } else {
                    view! { <p>"Enter the Device Name above, and the commands for it appear here."</p> }.into_any()
                }
            }}
        </details>
    }
}

#[component]
fn Commands(made: Memo<Option<device_recipes::Recipes>>) -> impl IntoView {
    let command =
        move |of: fn(device_recipes::Recipes) -> String| Memo::new(move |_| made.get().map(of).unwrap_or_default());
    view! {
        <p>"The commands are for a shell on Linux, macOS or another Unix. The key stays on the device; send the file that ends in “.csr”."</p>
        <h3>"OpenSSL"</h3>
        <Command text=command(|made| made.openssl) id="openssl-recipe" of="the OpenSSL command"/>
        <p class="hint">
            "Should others reach the device by a host name, add it at the end: -addext 'subjectAltName=DNS:rig.example.com'."
        </p>
        <h3>"Java's keytool"</h3>
        <p>"Make the key. keytool asks for a password for the keystore, which stays on the device, too:"</p>
        <Command text=command(|made| made.keytool_key) id="keytool-key-recipe" of="the command that makes the key"/>
        <p>"Write the certificate request:"</p>
        <Command text=command(|made| made.keytool_request) id="keytool-request-recipe" of="the command that writes the request"/>
        <p class="hint">"For a host name, add at the end: -ext san=dns:rig.example.com."</p>
        <p>"Once you have collected the certificate as P7B, save it under the name in this command, and import it:"</p>
        <Command text=command(|made| made.keytool_import) id="keytool-import-recipe" of="the command that imports the certificate"/>
        <p class="hint">
            "keytool does not know the root certificate yet and asks whether to trust it: compare the fingerprint with the one on "
            <Link href="/trust">"Trust"</Link> " first."
        </p>
    }
}

/// A command, and the way to copy it.
#[component]
fn Command(text: Memo<String>, id: &'static str, of: &'static str) -> impl IntoView {
    view! {
        <pre class="command code" id=id tabindex="0">{text}</pre>
        <p class="actions"><CopyButton text of/></p>
    }
}
