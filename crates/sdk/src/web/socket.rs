//! The browser's WebSocket.
//!
//! Frames are taken before gloo sees them: it would copy each text into the module's memory, from
//! where `JSON.parse` would have it copied back.

use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;

use futures_core::Stream;
use futures_sink::Sink;
use gloo_net::websocket::futures::WebSocket;
use gloo_net::websocket::{State, WebSocketError};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::spawn_local;

use super::inbox::{self, Take};
use super::{Core, timer};
use crate::ConnectionId;

/// The sending end of a socket. The receiving end is a task that lives until the close event:
/// gloo's type takes its handlers away when it is dropped, and where there is no constructor for
/// close events (Node.js) the last one must have come by then.
#[derive(Clone)]
pub(super) struct Socket {
    pub(super) connection: ConnectionId,
    raw: web_sys::WebSocket,
}

impl Socket {
    /// Starts to connect, or takes what has started. Fails where the browser does not even try: a token
    /// that cannot be a sub-protocol, `ws:` on a page that came by `https:`.
    pub(super) fn open(
        core: &Rc<Core>,
        connection: ConnectionId,
        token: Option<String>,
    ) -> Result<Self, JsValue> {
        let raw = core.connect.call1(&JsValue::UNDEFINED, &token.into())?;
        let raw = raw.unchecked_into::<web_sys::WebSocket>();
        let socket = Self { connection, raw };
        let take = inbox::take(core.clone(), socket.clone());
        inbox::attach(&socket.raw, take.as_ref());
        let events = WebSocket::try_from(socket.raw.clone()).map_err(|_| JsValue::UNDEFINED)?;
        spawn_local(receive(core.clone(), socket.clone(), events, take));
        Ok(socket)
    }

    /// Once for each socket: its first frame may come before gloo's report that it is open.
    pub(super) fn report_open(&self, core: &Rc<Core>, now: u64) {
        let connection = self.connection;
        if core.client.borrow().is_connecting(connection)
            && self.raw.ready_state() == web_sys::WebSocket::OPEN
        {
            core.report_now(|client| client.handle_open(connection, now));
        }
    }

    /// Sends a frame.
    pub(super) fn send(&self, text: &str) {
        // Fails before the socket is open only, and the client does not send before.
        let _ = self.raw.send_with_str(text);
    }

    /// Starts to close.
    pub(super) fn close(self, code: u16) {
        // Fails for codes that applications may not use, and the client's are not among them.
        let _ = self.raw.close_with_code(code);
    }

    /// The connection's id, if the end of it has begun.
    pub(super) fn closing(&self) -> Option<ConnectionId> {
        (self.raw.ready_state() > web_sys::WebSocket::OPEN).then_some(self.connection)
    }
}

/// Reports what happens to a socket until it is closed.
async fn receive(core: Rc<Core>, socket: Socket, mut events: WebSocket, take: Take) {
    // Ready means that the attempt is over, not that it succeeded.
    let _ = poll_fn(|context| Pin::new(&mut events).poll_ready(context)).await;
    if matches!(events.state(), State::Open) {
        socket.report_open(&core, timer::now());
    }
    while let Some(event) = poll_fn(|context| Pin::new(&mut events).poll_next(context)).await {
        // What else there is are frames, and errors that a close event follows.
        if let Err(WebSocketError::ConnectionClose(close)) = event {
            let random = js_sys::Math::random();
            core.report(|client, now| {
                client.handle_close(socket.connection, (close.code, &close.reason), now, random);
            });
        }
    }
    socket.raw.set_onmessage(None);
    drop(take);
}
