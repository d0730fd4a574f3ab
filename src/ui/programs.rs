//! The page comes as two programs, so that the main job does not wait for the code of everything else: `app` has the pages of
//! Register, Submitted and Collect, and Home; `more` has all others. Both work on the same document, which `public/start.js` starts
//! the right one in; from one to the other the browser loads the document anew.

use leptos::prelude::*;
use leptos_router::components::A;
use leptos_router::hooks::use_navigate;

use super::context::{Context, base_path};

/// The first parts of the paths of `app`'s pages. `public/start.js` has the same list.
const MAIN_JOB: [&str; 4] = ["", "register", "requests", "collect"];

/// A program of the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// The main job: Home, Register, Submitted, Collect.
    App,
    /// Every other page.
    More,
}

impl Program {
    /// The program that has the page at `path`, which begins with a slash; there may be a query after it.
    pub fn of(path: &str) -> Self {
        let first = path.trim_start_matches('/').split(['/', '?', '#']).next().unwrap_or_default();
        if MAIN_JOB.contains(&first) { Self::App } else { Self::More }
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
    view! { <A href exact attr:rel=rel>{children()}</A> }
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
