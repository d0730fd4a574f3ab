//! The pages beside the main job. The release build splits them off the main program, into a part that is loaded when one of them is first
//! shown (`docs/decisions`); without the feature `split` they are a part of it.

use leptos::prelude::*;
use leptos::wasm_split::SplitLoaderError;
#[cfg(feature = "split")]
use leptos::wasm_split::wasm_split;
use leptos_router::ChooseView;

use super::components::PageHeading;
use super::pages;
use super::programs::Link;

/// A page beside the main job.
#[derive(Clone, Copy, Debug)]
pub enum OtherPage {
    /// `/about`
    About,
    /// `/devices`
    Devices,
    /// `/help`
    Help,
    /// `/inspect`
    Inspector,
    /// `/install`
    Install,
    /// `/lost`
    Lost,
    /// `/certificates`
    MyCertificates,
    /// `/renew/:enrollment_id`
    Renew,
    /// `/renew`
    RenewFromFile,
    /// `/requests/:enrollment_id`
    Request,
    /// `/trust`
    Trust,
}

impl ChooseView for OtherPage {
    async fn choose(self) -> AnyView {
        view_of(self).await.unwrap_or_else(|_| view! { <NotLoaded/> }.into_any())
    }

    async fn preload(&self) {
        let _ = load().await;
    }
}

/// What is shown in place of a page whose code cannot be loaded.
#[component]
fn NotLoaded() -> impl IntoView {
    view! {
        <PageHeading text="This page can't be loaded"/>
        <p>"Your network connection is down, or this site has been updated since you opened it. Reload the page."</p>
        <p class="actions">
            <button type="button" on:click=|_| drop(window().location().reload())>"Reload"</button>
            <Link href="/" attr:class="button secondary">"Go to Home"</Link>
        </p>
    }
}

/// The split point: this function, and all that only it reaches, is the part `other`. Its `load` loads the part.
#[cfg(feature = "split")]
#[wasm_split(other, wasm_split_path = ::leptos::wasm_split, preload(#[doc = "Loads the part."] load), fallible)]
pub(super) fn view_of(page: OtherPage) -> Result<AnyView, SplitLoaderError> {
    Ok(view_in_part(page))
}

#[cfg(not(feature = "split"))]
async fn view_of(page: OtherPage) -> Result<AnyView, SplitLoaderError> {
    Ok(view_in_part(page))
}

#[cfg(not(feature = "split"))]
pub(super) async fn load() -> Result<(), SplitLoaderError> {
    Ok(())
}

fn view_in_part(page: OtherPage) -> AnyView {
    match page {
        OtherPage::About => pages::about::About().into_any(),
        OtherPage::Devices => pages::devices::Devices().into_any(),
        OtherPage::Help => pages::help::Help().into_any(),
        OtherPage::Inspector => pages::inspect::Inspector().into_any(),
        OtherPage::Install => pages::install::Install().into_any(),
        OtherPage::Lost => pages::lost::Lost().into_any(),
        OtherPage::MyCertificates => pages::certificates::MyCertificates().into_any(),
        OtherPage::Renew => pages::renew::Renew().into_any(),
        OtherPage::RenewFromFile => pages::renew::RenewFromFile().into_any(),
        OtherPage::Request => pages::request::Request().into_any(),
        OtherPage::Trust => pages::trust::Trust().into_any(),
    }
}
