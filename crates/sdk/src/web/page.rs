//! Signs that the network or the page came back.

use std::rc::Rc;

use js_sys::Function;
use wasm_bindgen::prelude::*;

use super::Core;

/// Event listeners on the page, or the worker; dropping it removes them.
pub(super) struct Page {
    wake: Closure<dyn FnMut(Event)>,
}

impl Page {
    /// Listens while the client is active. Where there are no such events, as in Node.js, it does
    /// without.
    pub(super) fn set(core: &Rc<Core>, active: bool) {
        if core.page.borrow().is_some() == active {
            return;
        }
        let page = active.then(|| {
            let owner = core.clone();
            let wake = Closure::new(move |event: Event| match event.kind().as_str() {
                "offline" => owner.report(|client, now| client.handle_offline(now)),
                "freeze" => owner.report(|client, now| client.handle_freeze(now)),
                _ if is_hidden() => {}
                _ => owner.report(|client, now| client.handle_wake(now)),
            });
            for event in EVENTS {
                // Where it throws there are no such events.
                let _ = add_event_listener(event, wake.as_ref().unchecked_ref(), true);
            }
            Self { wake }
        });
        // Pages replace `addEventListener`, and theirs may call the client: nothing is borrowed meanwhile.
        drop(core.page.replace(page));
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        for event in EVENTS {
            // Where it throws it was never added.
            let _ = remove_event_listener(event, self.wake.as_ref().unchecked_ref(), true);
        }
    }
}

fn is_hidden() -> bool {
    DOCUMENT.with(|document| document.as_ref().is_some_and(Document::hidden))
}

/// The last two come to the document, and "freeze" does not rise to the window: it is captured on its
/// way down. "pageshow" comes also to a page that returns from the browser's cache of pages.
const EVENTS: [&str; 5] = ["online", "offline", "pageshow", "visibilitychange", "freeze"];

#[wasm_bindgen]
extern "C" {
    type Document;

    type Event;

    #[wasm_bindgen(method, getter, js_name = type)]
    fn kind(this: &Event) -> String;

    #[wasm_bindgen(thread_local_v2, js_name = document)]
    static DOCUMENT: Option<Document>;

    #[wasm_bindgen(method, getter)]
    fn hidden(this: &Document) -> bool;

    #[wasm_bindgen(catch, js_name = addEventListener)]
    fn add_event_listener(event: &str, listener: &Function, capture: bool) -> Result<(), JsValue>;

    #[wasm_bindgen(catch, js_name = removeEventListener)]
    fn remove_event_listener(
        event: &str,
        listener: &Function,
        capture: bool,
    ) -> Result<(), JsValue>;
}
