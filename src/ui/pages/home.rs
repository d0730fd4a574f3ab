//! Home: what this is, the steps, and the requests that this browser holds. `index.html` begins in the same way.

use crate::ui::links::Link;
use leptos::prelude::*;

use crate::ui::components::PageHeading;
use crate::ui::request_list::RequestList;

/// The first page.
#[component]
pub fn Home() -> impl IntoView {
    view! {
        <PageHeading text="Your certificate, made in your browser"/>
        <p class="lead">
            "Keyside gets you the client certificate that the market's applications ask for. "
            "It works in every current browser, and your private key never leaves this computer."
        </p>
        <p class="actions">
            <Link href="/register" attr:class="button">"Register"</Link>
            <Link href="/collect" attr:class="button secondary">"Collect"</Link>
        </p>
        <RequestList/>
        <section aria-labelledby="steps">
            <h2 id="steps">"How it works"</h2>
            <ol class="steps">
                <li>
                    <strong>"Be authorised. "</strong>
                    "Your User Access Administrator (UAA) authorises you, and you receive a New User Notification e-mail with your Common Name."
                </li>
                <li>
                    <strong>"Register. "</strong>
                    "Enter the Common Name, your e-mail address and a passphrase that you choose. You get a transaction ID."
                </li>
                <li>
                    <strong>"Wait for approval. "</strong>
                    "This can take up to two business days. You may close the browser."
                </li>
                <li>
                    <strong>"Collect. "</strong>
                    "Come back with the same browser on the same computer, enter the transaction ID and the passphrase, and download one file with your key, your certificate and its chain."
                </li>
            </ol>
        </section>
    }
}
