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

/// A link that the registration authority gives: to the web, or to an address of mail. One with another scheme, such as `javascript:`, is shown
/// as text.
#[component]
pub fn OutwardLink(
    /// The link's URL.
    href: String,
    /// The link's text.
    text: String,
) -> impl IntoView {
    if is_outward(&href) {
        view! { <a href=href rel="noopener">{text}</a> }.into_any()
    } else {
        view! { <span>{text} " (" {href} ")"</span> }.into_any()
    }
}

/// Returns true if a URL leads to the web, or to an address of mail.
pub fn is_outward(url: &str) -> bool {
    let scheme = web_sys::Url::new(url).map(|url| url.protocol()).unwrap_or_default();
    matches!(&*scheme, "https:" | "http:" | "mailto:")
}

/// Returns a function that goes to the page at a path, below the site's.
pub fn use_go() -> impl Fn(&str) + Clone {
    let navigate = use_navigate();
    move |path| navigate(path, Default::default())
}
