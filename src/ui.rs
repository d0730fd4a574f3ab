//! The user interface: routes, pages, components, and the words for every state and error.
//!
//! Pages call the use cases in [`keyside_core::service`]; the adapters reach them through [`context::Context`].

pub mod authorization_code;
pub mod back_up;
pub mod components;
pub mod context;
pub mod device_fields;
pub mod file_field;
pub mod form;
pub mod format;
pub mod key_making;
pub mod links;
pub mod manage;
pub mod messages;
pub mod other_pages;
pub mod pages;
pub mod release_notice;
pub mod request_list;
pub mod restore;

use core::time::Duration;

use context::Context;
use js_sys::{Function, Promise};
use leptos::prelude::*;
use leptos::task::spawn_local;
use leptos_router::components::{Route, Router, Routes};
use leptos_router::hooks::use_location;
use leptos_router::path;
use release_notice::ReleaseNotice;
use wasm_bindgen::{JsCast, JsValue};

use crate::browser::registration_authority::HttpRegistrationAuthority;

/// Loads the code that the page at `path`, below the site's and without a slash at its beginning, needs beside the main program's.
pub async fn load(path: &str) {
    if !is_main_job(path) {
        // If it cannot be loaded, the page says so.
        let _ = other_pages::load().await;
    }
}

/// Loads the code of all pages, so that none waits for it. If it cannot be loaded now, it is when one is shown.
pub fn fetch_ahead() {
    spawn_local(async {
        let _ = other_pages::load().await;
    });
}

/// Shows the page in the document's `main`. `mark_current` gets each path that is shown; `configuration` is the registration authority's
/// answer, a `Response` of fetch.
pub fn mount(mark_current: Function, configuration: Promise) {
    console_error_panic_hook::set_once();
    let context = Context::new(HttpRegistrationAuthority::of_this_page());
    if let Some(main) = document().get_element_by_id("main") {
        let app = move || {
            context.read_configuration(configuration);
            view! { <App context mark_current/> }
        };
        leptos::mount::mount_to(main.unchecked_into(), app).forget();
    }
}

/// Returns true if the page at `path` is one of Home, Register, Submitted and Collect, which the main program has.
fn is_main_job(path: &str) -> bool {
    let first = path.split(['/', '?', '#']).next().unwrap_or_default();
    matches!(first, "" | "register" | "submitted" | "collect")
}

/// The page: one program and one router. The main job's pages are in the main program, all others in a part that is loaded when one of them
/// is first shown.
#[component]
fn App(
    /// The adapters that the pages work with.
    context: Context,
    /// Gets each path that is shown.
    mark_current: Function,
) -> impl IntoView {
    use other_pages::OtherPage;

    provide_context(context);
    show_site_name(context);
    let (is_loading, set_is_loading) = signal(false);
    view! {
        <Router base=context::base_path() set_is_routing=set_is_loading>
            <CurrentLink mark_current/>
            <LoadingNotice is_loading/>
            <ReleaseNotice/>
            <Routes fallback=pages::not_found::NotFound>
                <Route path=path!("/") view=pages::home::Home/>
                <Route path=path!("/register") view=pages::register::ChooseType/>
                <Route path=path!("/register/:type") view=pages::register::CertificateRequest/>
                <Route path=path!("/submitted/:enrollment_id") view=pages::submitted::Submitted/>
                <Route path=path!("/collect") view=pages::collect::Collect/>
                <Route path=path!("/requests/:enrollment_id") view=OtherPage::Request/>
                <Route path=path!("/renew") view=OtherPage::RenewFromFile/>
                <Route path=path!("/renew/:enrollment_id") view=OtherPage::Renew/>
                <Route path=path!("/certificates") view=OtherPage::MyCertificates/>
                <Route path=path!("/lost") view=OtherPage::Lost/>
                <Route path=path!("/install") view=OtherPage::Install/>
                <Route path=path!("/devices") view=OtherPage::Devices/>
                <Route path=path!("/trust") view=OtherPage::Trust/>
                <Route path=path!("/inspect") view=OtherPage::Inspector/>
                <Route path=path!("/help") view=OtherPage::Help/>
                <Route path=path!("/about") view=OtherPage::About/>
            </Routes>
        </Router>
    }
}

/// Has the navigation, which `index.html` holds, show where the user is.
#[component]
fn CurrentLink(mark_current: Function) -> impl IntoView {
    let path = use_location().pathname;
    let mark_current = StoredValue::new_local(mark_current);
    Effect::new(move || {
        let path = path.get();
        if let Err(error) = mark_current.with_value(|mark| mark.call1(&JsValue::NULL, &path.into())) {
            leptos::logging::error!("{error:?}");
        }
    });
}

/// Says that the next page is being loaded, when that takes a while.
#[component]
fn LoadingNotice(is_loading: ReadSignal<bool>) -> impl IntoView {
    /// In milliseconds.
    const A_WHILE: u64 = 500;
    let is_shown = RwSignal::new(false);
    Effect::new(move |timer: Option<Option<TimeoutHandle>>| {
        timer.flatten().inspect(TimeoutHandle::clear);
        is_shown.set(false);
        is_loading
            .get()
            .then(|| set_timeout_with_handle(move || is_shown.set(true), Duration::from_millis(A_WHILE)).ok())
            .flatten()
    });
    view! { <p role="status" class="loading-notice">{move || is_shown.get().then_some("Loading the page…")}</p> }
}

/// Puts the configured name and badge into the header, which `index.html` holds.
fn show_site_name(context: Context) {
    Effect::new(move || {
        let Some(configuration) = context.configuration() else { return };
        let set = |id: &str, text: &str| {
            if let Some(element) = document().get_element_by_id(id) {
                element.set_text_content(Some(text));
                element.toggle_attribute_with_force("hidden", text.is_empty()).map(drop).unwrap_or_default();
            }
        };
        set("site-name", &configuration.site_name);
        set("badge", configuration.badge.as_deref().unwrap_or_default());
    });
}
