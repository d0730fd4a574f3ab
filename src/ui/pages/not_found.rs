//! What there is where there is no page.

use leptos::prelude::*;
use leptos_router::components::A;

use crate::ui::components::PageHeading;

/// An unknown address.
#[component]
pub fn NotFound() -> impl IntoView {
    view! {
        <PageHeading text="There is no such page"/>
        <p>"The address may be mistyped. " <A href="/">"Go to Home"</A> "."</p>
    }
}
