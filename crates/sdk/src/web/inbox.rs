//! The frames of one socket.

use std::rc::Rc;

use js_sys::{Array, Function};
use protocol::Action;
use wasm_bindgen::prelude::*;

use super::socket::Socket;
use super::{Core, read, timer};
use crate::Frame;

/// What `js/inbox.js` calls for each frame: with the frame as it was parsed, which listeners get so, or
/// `undefined` for what is no frame; with what it is about, where that is not the same as before; with
/// its number or not a number; and with the time on the browser's two clocks.
pub(super) type Take = Closure<dyn FnMut(JsValue, JsValue, f64, f64, f64)>;

/// Hands the core what it is called with, as long as it lives.
pub(super) fn take(core: Rc<Core>, socket: Socket) -> Take {
    let mut about = About::default();
    Closure::new(move |body: JsValue, news: JsValue, seq: f64, steady, wall| {
        let (connection, now) = (socket.connection, timer::at(steady, wall));
        socket.report_open(&core, now);
        if body.is_undefined() {
            return core.report_now(|client| client.handle_malformed(connection, now));
        }
        if let Ok(news) = news.dyn_into::<Array>() {
            about = About::new(&news);
        }
        let news = read::news(about.known, &body);
        let seq = (!seq.is_nan()).then_some(seq as u64);
        let (action, channel) = (about.action.as_str(), about.channel.as_deref());
        let frame = Frame { action, channel, seq, news, body };
        core.report_now(|client| client.handle_frame(connection, frame, now));
    })
}

/// What frames are about: told apart from them, because it is the same for most that follow.
#[derive(Default)]
struct About {
    action: String,
    known: Option<Action>,
    channel: Option<String>,
}

impl About {
    fn new(told: &Array) -> Self {
        let action = told.get(0).as_string().unwrap_or_default();
        Self { known: Action::parse(&action), action, channel: told.get(1).as_string() }
    }
}

#[wasm_bindgen(module = "/js/inbox.js")]
extern "C" {
    /// Hands a socket's frames over, until the socket's `onmessage` is another.
    pub(super) fn attach(socket: &web_sys::WebSocket, take: &JsValue);

    /// Calls a listener, and reports what it throws.
    pub(super) fn call(listener: &Function, argument: &JsValue);
}
