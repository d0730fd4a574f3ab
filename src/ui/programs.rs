//! The page comes as three programs, so that the main job does not wait for the code of everything else: `app` has Home and Collect,
//! `register` Register and Submitted, `more` all other pages. They work on the same document, which `public/start.js` starts the right
//! one in; from one to the other the browser loads the document anew.
//!
//! Register and Submitted are one program, so that a request that was just made is shown whatever has become of the network.

use leptos::prelude::*;
use leptos_router::components::A;
use leptos_router::hooks::use_navigate;

use super::context::{Context, base_path};

/// A program of the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// Home and Collect.
    App,
    /// Register and Submitted.
    Register,
    /// Every other page.
    More,
}

impl Program {
    /// The program that has the page at `path`, which begins with a slash; there may be a query after it.
    pub fn of(path: &str) -> Self {
        let first = path.trim_start_matches('/').split(['/', '?', '#']).next().unwrap_or_default();
        // `public/start.js` has the same table.
        match first {
            "" | "collect" => Self::App,
            "register" | "submitted" => Self::Register,
            _ => Self::More,
        }
    }
}

/// A link to another page, of whichever program.
#[component]
pub fn Link(
    /// The page's path, below the site's.
    #[prop(into)]
    href: String,
    /// Whether the link is the current one on its own page alone, and not on those below it.
    #[prop(optional)]
    exact: bool,
    /// The link's text.
    children: Children,
) -> impl IntoView {
    // The router leaves links of this kind to the browser.
    let rel = (Program::of(&href) != Context::here().program).then_some("external");
    view! { <A href=format!("{}{href}", base_path()) exact attr:rel=rel>{children()}</A> }
}

/// What goes to the page at a path, of whichever program.
pub fn use_go() -> impl Fn(&str) + Clone {
    let navigate = use_navigate();
    let program = Context::here().program;
    move |path| {
        if Program::of(path) == program {
            navigate(path, Default::default());
        } else if let Err(error) = window().location().assign(&format!("{}{path}", base_path())) {
            leptos::logging::error!("{error:?}");
        }
    }
}
