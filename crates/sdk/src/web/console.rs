//! Where developers look.

use wasm_bindgen::prelude::*;

/// Reports what a listener threw the way the browser reports what an event handler throws.
pub(super) fn report(error: &JsValue) {
    if report_error(error).is_err() {
        console_error(error);
    }
}

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = console)]
    pub(super) fn warn(prefix: &str, text: &str);

    #[wasm_bindgen(js_namespace = console)]
    pub(super) fn error(prefix: &str, text: &str, detail: &JsValue);

    #[wasm_bindgen(js_namespace = console, js_name = error)]
    fn console_error(error: &JsValue);

    /// Missing in Node.js.
    #[wasm_bindgen(catch, js_name = reportError)]
    fn report_error(error: &JsValue) -> Result<(), JsValue>;
}
