//! What requests need of Rust: reads what JavaScript gives, delegates, and gives back.

use js_sys::{Array, Function, Object};
use wasm_bindgen::prelude::*;

use super::{coded_error, read};
use crate::rest::{self, EventParser, Parameter, Shape};

/// The address of a request. `parameters` is a list of names and values.
#[wasm_bindgen(js_name = requestAddress)]
pub fn request_address(base: &str, endpoint: &str, parameters: &Array) -> Result<String, JsValue> {
    let query = rest::encode(pairs(parameters));
    let query = query.map_err(|_| coded_error(UNREADABLE, "params_unreadable"))?;
    Ok(rest::address(base, endpoint, &query))
}

/// The events of one answer.
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

    /// Takes the next piece of text; data, id and type of each event that it completes.
    pub fn push(&mut self, piece: &str) -> Result<Vec<JsValue>, JsValue> {
        let mut parts = Vec::new();
        let read = self.0.push(piece, |event| {
            for part in [event.data, event.id, event.kind] {
                parts.push(part.into());
            }
        });
        read.map_err(|_| coded_error(EVENT_TOO_LARGE, "event_too_large"))?;
        Ok(parts)
    }
}

impl Parameter for JsValue {
    fn shape(&self) -> Option<Shape<Self>> {
        let mut value = self.clone();
        // Dates, and whatever else knows how it reads.
        if let Some(to_json) = read::field(self, "toJSON").dyn_ref::<Function>() {
            value = to_json.call0(self).ok()?;
        }
        if value.is_null() || value.is_undefined() {
            return Some(Shape::Absent);
        }
        if !value.is_object() {
            return Some(Shape::Text(text(&value)));
        }
        let parts = pairs(&Object::entries(value.unchecked_ref()));
        Some(Shape::Group { is_list: Array::is_array(&value), parts })
    }
}

fn pairs(list: &Array) -> Vec<(String, JsValue)> {
    let mut pairs = Vec::new();
    for pair in list.iter() {
        let pair: &Array = pair.unchecked_ref();
        pairs.push((text(&pair.get(0)), pair.get(1)));
    }
    pairs
}

#[wasm_bindgen]
extern "C" {
    /// `String(value)`.
    #[wasm_bindgen(js_name = String)]
    fn text(value: &JsValue) -> String;
}

const UNREADABLE: &str = "The parameters of this request cannot be read: they are nested more than 100 levels deep, contain themselves, or have a toJSON that throws.";
const EVENT_TOO_LARGE: &str = "The stream holds an event of more than 16 MiB.";
