//! The user interface: routes, pages, components, and the words for every state and error.
//!
//! Pages call the use cases in [`keyside_core::service`]; the adapters reach them through [`context::Context`].

pub mod backup;
pub mod components;
pub mod context;
pub mod device_fields;
pub mod file_field;
pub mod form;
pub mod format;
pub mod key_making;
pub mod manage;
pub mod messages;
pub mod pages;
pub mod programs;
pub mod requests;

use components::focus_main;
use context::Context;
use leptos::prelude::*;
use leptos_router::components::{Route, Router, Routes};
use leptos_router::path;
use programs::{Link, Program};

use crate::browser::registration_authority::HttpRegistrationAuthority;

/// Shows a program of the page in the document. `by_link` says that a link of this page led here, so that its heading takes the focus.
pub fn mount<View: IntoView + 'static>(program: Program, by_link: bool, pages: impl FnOnce(Context) -> View + 'static) {
    console_error_panic_hook::set_once();
    components::ANOTHER_PAGE_WAS_OPEN.set(by_link);
    leptos::mount::mount_to_body(move || pages(Context::new(program, HttpRegistrationAuthority::of_this_page())));
}

/// The page's program for Home and Collect.
#[component]
pub fn App(
    /// The adapters that the pages work with.
    context: Context,
) -> impl IntoView {
    view! {
        <Frame context>
            <Routes fallback=pages::not_found::NotFound>
                <Route path=path!("/") view=pages::home::Home/>
                <Route path=path!("/collect") view=pages::collect::Collect/>
            </Routes>
        </Frame>
    }
}

/// The page's program for Register and Submitted.
#[component]
pub fn Register(
    /// The adapters that the pages work with.
    context: Context,
) -> impl IntoView {
    view! {
        <Frame context>
            <Routes fallback=pages::not_found::NotFound>
                <Route path=path!("/register") view=pages::register::ChooseType/>
                <Route path=path!("/register/:type") view=pages::register::CertificateRequest/>
                <Route path=path!("/submitted/:enrollment_id") view=pages::submitted::Submitted/>
            </Routes>
        </Frame>
    }
}

/// The page's program for everything else.
#[component]
pub fn More(
    /// The adapters that the pages work with.
    context: Context,
) -> impl IntoView {
    view! {
        <Frame context>
            <Routes fallback=pages::not_found::NotFound>
                <Route path=path!("/requests/:enrollment_id") view=pages::request::Request/>
                <Route path=path!("/renew") view=pages::renew::RenewFromFile/>
                <Route path=path!("/renew/:enrollment_id") view=pages::renew::Renew/>
                <Route path=path!("/certificates") view=pages::certificates::MyCertificates/>
                <Route path=path!("/lost") view=pages::lost::Lost/>
                <Route path=path!("/install") view=pages::install::Install/>
                <Route path=path!("/devices") view=pages::devices::Devices/>
                <Route path=path!("/trust") view=pages::trust::Trust/>
                <Route path=path!("/inspect") view=pages::inspect::Inspector/>
                <Route path=path!("/help") view=pages::help::Help/>
                <Route path=path!("/about") view=pages::about::About/>
            </Routes>
        </Frame>
    }
}

/// What every page is in.
#[component]
fn Frame(context: Context, children: Children) -> impl IntoView {
    provide_context(context);
    context.load_configuration();
    view! {
        <Router base=context::base_path()>
            <Top/>
            <main id="main" tabindex="-1">{children()}</main>
            <Bottom/>
        </Router>
    }
}

/// What stands above every page: the way to its content for those who use the keyboard, the site's name, the badge and the
/// navigation. `index.html` has the same, for the time until the program is there.
#[component]
fn Top() -> impl IntoView {
    let context = Context::here();
    let site_name = move || {
        context.configuration().map(|configuration| configuration.site_name).unwrap_or_else(|| "Keyside".into())
    };
    let badge = move || {
        context
            .configuration()
            .and_then(|configuration| configuration.badge)
            .map(|badge| view! { <span class="badge">{badge}</span> })
    };
    view! {
        <a
            class="skip-link"
            href="#main"
            on:click=|event| {
                event.prevent_default();
                focus_main();
            }
        >
            "Skip to the content"
        </a>
        <header class="page-header">
            <div class="page-header-inner">
                <p class="site-name">
                    <svg class="mark" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
                        <path d="M14.5 2a7.5 7.5 0 0 0-7.2 9.6L2 16.9V22h5.1v-2.6h2.6v-2.6h2.5l.6-.6A7.5 7.5 0 1 0 14.5 2Zm2.4 7.2a2.1 2.1 0 1 1 0-4.2 2.1 2.1 0 0 1 0 4.2Z"/>
                    </svg>
                    <span>{site_name}</span>
                    {badge}
                </p>
                <nav aria-label="Main">
                    <ul>
                        <li><Link href="/" exact=true>"Home"</Link></li>
                        <li><Link href="/register">"Register"</Link></li>
                        <li><Link href="/collect">"Collect"</Link></li>
                        <li><Link href="/certificates">"My Certificates"</Link></li>
                        <li><Link href="/devices">"Devices"</Link></li>
                        <li><Link href="/trust">"Trust"</Link></li>
                        <li><Link href="/inspect">"Inspector"</Link></li>
                        <li><Link href="/help">"Help"</Link></li>
                        <li><Link href="/about">"About"</Link></li>
                    </ul>
                </nav>
            </div>
        </header>
    }
}

/// What stands below every page.
#[component]
fn Bottom() -> impl IntoView {
    view! {
        <footer class="page-footer">
            <p>"Your private key is made in this browser. It leaves it only in the files that you download, encrypted."</p>
        </footer>
    }
}
