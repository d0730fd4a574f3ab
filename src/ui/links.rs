//! Links from page to page.

use leptos::prelude::*;
use leptos_router::components::A;
use leptos_router::hooks::use_navigate;

use super::context::base_path;

/// A link to another page.
#[component]
pub fn Link(
    /// The page's path, below the site's.
    #[prop(into)]
    href: String,
    /// The link's text.
    children: Children,
) -> impl IntoView {
    view! { <A href=format!("{}{href}", base_path())>{children()}</A> }
}

/// Returns a function that goes to the page at a path, below the site's.
pub fn use_go() -> impl Fn(&str) + Clone {
    let navigate = use_navigate();
    move |path| navigate(path, Default::default())
}
