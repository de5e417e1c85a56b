//! The events of an answer, for `js/`.

use wasm_bindgen::prelude::*;

use crate::EventParser;

/// What has come of one answer.
#[wasm_bindgen(js_name = EventStream)]
#[derive(Debug, Default)]
pub struct WebEventStream(EventParser);

#[wasm_bindgen(js_class = EventStream)]
impl WebEventStream {
    /// Nothing has come yet.
    #[wasm_bindgen(constructor)]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next piece of text; data, id and type of each event that it completes, or nothing
    /// when one is too large.
    pub fn push(&mut self, piece: &str) -> Option<Vec<JsValue>> {
        let mut parts = Vec::new();
        let read = self.0.push(piece, |event| {
            for part in [event.data, event.id, event.kind] {
                parts.push(part.into());
            }
        });
        read.ok().map(|()| parts)
    }
}
