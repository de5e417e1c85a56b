//! Where developers look.

use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = console)]
    pub(super) fn warn(prefix: &str, text: &str);

    #[wasm_bindgen(js_namespace = console)]
    pub(super) fn error(prefix: &str, text: &str, detail: &JsValue);
}
