//! What there is where there is no page.

use crate::ui::links::Link;
use leptos::prelude::*;

use crate::ui::components::PageHeading;

/// An unknown address.
#[component]
pub fn NotFound() -> impl IntoView {
    view! {
        <PageHeading text="There is no such page"/>
        <p>"The address may be mistyped. " <Link href="/">"Go to Home"</Link> "."</p>
    }
}
