//! My Certificates: what this browser holds, pending and issued.

use crate::ui::links::Link;
use leptos::prelude::*;

use crate::ui::components::PageHeading;
use crate::ui::request_list::RequestList;

/// The page.
#[component]
pub fn MyCertificates() -> impl IntoView {
    view! {
        <PageHeading text="My Certificates"/>
        <p class="lead">
            "What this browser holds. Open the details to back up, change the passphrase, save a reminder, or remove."
        </p>
        <RequestList/>
        <p><Link href="/renew">"Renew a certificate that you have in a .p12 file"</Link></p>
    }
}
