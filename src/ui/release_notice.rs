//! The notice that the site has a newer release than this page. The page never loads its document again by itself, so it has to look.

use js_sys::Date;
use leptos::ev;
use leptos::prelude::*;
use leptos::task::spawn_local;
use leptos_router::hooks::use_location;

use crate::browser::release;

/// How long to wait before looking again, in milliseconds.
const INTERVAL: f64 = 60_000.0;

/// Looks for a newer release when another page is shown, and when the user comes back to the page.
#[component]
pub fn ReleaseNotice() -> impl IntoView {
    let is_superseded = RwSignal::new(false);
    let looked_at = StoredValue::new(Date::now());
    let look = move || {
        if is_superseded.get_untracked() || Date::now() - looked_at.get_value() < INTERVAL {
            return;
        }
        looked_at.set_value(Date::now());
        spawn_local(async move {
            if release::is_superseded().await {
                is_superseded.set(true);
            }
        });
    };
    let path = use_location().pathname;
    Effect::new(move || {
        path.track();
        look();
    });
    let on_return = window_event_listener(ev::visibilitychange, move |_| look());
    on_cleanup(move || on_return.remove());
    let notice = move || {
        is_superseded.get().then(|| {
            view! {
                <div class="message wait">
                    <p><strong>"This site has been updated."</strong></p>
                    <p>"Finish what you are doing, then reload the page. What is saved in this browser is still there."</p>
                    <button type="button" class="secondary" on:click=|_| drop(window().location().reload())>"Reload"</button>
                </div>
            }
        })
    };
    view! { <div role="status">{notice}</div> }
}
