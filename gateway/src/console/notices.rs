//! What goes wrong, for people.

use maud::{Markup, html};

use super::{ROOT, Site, Viewer, bare_page, page};

/// A page that says what is wrong and what to do. It has the navigation for whoever has signed in.
pub fn notice(site: &Site, viewer: Option<&Viewer>, title: &str, text: &str) -> Markup {
    let content = html! {
        div.message.error { p { (text) } }
        p { a href=(ROOT) { "Back to the console" } }
    };
    match viewer {
        Some(viewer) => page(site, viewer, None, title, content),
        None => bare_page(site, title, content),
    }
}
