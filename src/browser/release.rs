//! The release that this page is of: the files that its document names.

use std::cell::RefCell;
use std::collections::BTreeSet;

use gloo_net::http::Request;
use keyside_core::ports::WorkerError;
use wasm_bindgen::JsCast;
use web_sys::{HtmlLinkElement, RequestCache};

use super::registration_authority;

/// The links in the document's head to the programs, the workers' included. `index.html` and the build write them.
const PROGRAMS: &str = "head > link[rel=program], head > link[rel=worker]";

thread_local! {
    /// The workers' scripts that had the integrity that they must have.
    static CHECKED: RefCell<BTreeSet<String>> = const { RefCell::new(BTreeSet::new()) };
}

/// The URL of the script that starts the workers' program `title`, checked for the integrity that the document demands (Subresource Integrity).
/// `Worker` itself cannot check it. A checked script comes from the browser's cache, since its name changes with its contents.
///
/// # Errors
/// [`WorkerError::Stale`] when the script cannot be had because the site has a newer release; [`WorkerError::Stopped`] when it cannot be
/// had for another reason, or is not the one of this release.
pub(super) async fn worker_script(title: &str) -> Result<String, WorkerError> {
    let link = links().into_iter().find(|link| link.rel() == "worker" && link.title() == title);
    let link = link.ok_or_else(|| WorkerError::Stopped(format!("the document does not name the program {title}")))?;
    let (script, integrity) = (link.href(), link.integrity());
    // A build for development has none.
    if !integrity.is_empty() && !CHECKED.with_borrow(|checked| checked.contains(&script)) {
        let answer = Request::get(&script).integrity(&integrity).send().await;
        match answer {
            Ok(answer) if answer.ok() => drop(CHECKED.with_borrow_mut(|checked| checked.insert(script.clone()))),
            _ if is_superseded().await => return Err(WorkerError::Stale),
            Ok(answer) => {
                return Err(WorkerError::Stopped(format!("its script was answered with {}", answer.status())));
            }
            Err(error) => return Err(WorkerError::Stopped(error.to_string())),
        }
    }
    Ok(script)
}

/// Returns true if the site has another release than this page's, and false if the site cannot be reached.
pub async fn is_superseded() -> bool {
    let Some(document) = web_sys::window().and_then(|window| window.document()) else { return false };
    let Ok(Some(base)) = document.base_uri() else { return false };
    let Ok(answer) = Request::get(&base).cache(RequestCache::NoStore).send().await else { return false };
    match registration_authority::text_of(&answer).await {
        Ok(html) if answer.ok() && html.contains("name=\"keyside-gateway\"") => {
            links().iter().filter_map(|link| link.get_attribute("href")).any(|file| !html.contains(&file))
        }
        _ => false,
    }
}

fn links() -> Vec<HtmlLinkElement> {
    let document = web_sys::window().and_then(|window| window.document());
    let found = document.and_then(|document| document.query_selector_all(PROGRAMS).ok());
    let nodes = found.into_iter().flat_map(|list| (0..list.length()).filter_map(move |index| list.get(index)));
    nodes.filter_map(|node| node.dyn_into().ok()).collect()
}
