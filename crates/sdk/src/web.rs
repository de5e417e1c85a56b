//! The client in a browser: converts, delegates, and carries out what comes back. Decides nothing.
//!
//! JavaScript runs only while nothing here is borrowed: what is to be sent or called waits in the
//! client, and is taken out one by one. A call from within a listener only adds to it.

mod console;
pub mod events;
mod frame;
mod inbox;
#[cfg(all(target_family = "wasm", not(target_feature = "atomics")))]
mod memory;
mod page;
mod read;

mod socket;
mod timer;

use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::Rc;

use js_sys::Function;
use protocol::Action;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::spawn_local;

use self::frame::Asked;
use self::page::Page;
use self::socket::Socket;
use self::timer::Timer;
use crate::{
    ChannelId, ChannelOptions, Client, ConnectionId, Continuity, Event, Listener, Moment, Output,
};

/// One application's realtime connection, as `js/` sees it.
#[wasm_bindgen(js_name = Client)]
#[derive(Debug)]
pub struct WebClient(Rc<Core>);

/// One channel object, as `js/` sees it. It costs the client nothing until it is used.
#[wasm_bindgen(js_name = Channel)]
#[derive(Debug)]
pub struct WebChannel {
    core: Rc<Core>,
    name: String,
    options: ChannelOptions,
    id: Cell<Option<ChannelId>>,
}

#[wasm_bindgen(js_class = Client)]
impl WebClient {
    /// `connect` gives a socket for a token: one that connects already, or a new one.
    #[wasm_bindgen(constructor)]
    pub fn new(connect: Function, token: Option<String>) -> Self {
        let core = Core::new(connect);
        core.client.borrow_mut().set_token(token);
        Self(Rc::new(core))
    }

    /// A channel object; nothing connects before it is used. Idle for less than a millisecond is for ever.
    pub fn channel(
        &self,
        name: String,
        history: bool,
        presence: bool,
        queue_offline_actions: bool,
        idle_timeout: f64,
    ) -> WebChannel {
        let idle_timeout =
            Some(idle_timeout as u64).filter(|millis| *millis > 0).unwrap_or(u64::MAX);
        let options = ChannelOptions { history, presence, queue_offline_actions, idle_timeout };
        WebChannel { core: self.0.clone(), name, options, id: Cell::new(None) }
    }

    /// Sets who the next connection is for.
    #[wasm_bindgen(js_name = setToken)]
    pub fn set_token(&self, token: Option<String>) {
        self.0.client.borrow_mut().set_token(token);
    }

    /// Sets whom to ask, with a number, for the token of each connection, from the next one on.
    #[wasm_bindgen(js_name = setProvider)]
    pub fn set_provider(&self, provider: JsValue) {
        let provider = provider.dyn_into::<Function>().ok();
        self.0.client.borrow_mut().ask_for_token(provider.is_some());
        self.0.provider.replace(provider);
    }

    /// The answer to that, under that number.
    #[wasm_bindgen(js_name = giveToken)]
    pub fn give_token(&self, number: u32, failed: bool, token: Option<String>) {
        let connection = ConnectionId(number);
        if failed {
            let random = js_sys::Math::random();
            self.0.call(|client, now| client.handle_no_token(connection, now, random));
        } else {
            self.0.call(|client, now| client.handle_token(connection, token, now));
        }
    }

    /// How the connection is.
    #[wasm_bindgen(getter)]
    pub fn status(&self) -> JsValue {
        self.0.client.borrow().status().into()
    }

    /// Ends the use of all channel objects.
    pub fn destroy(&self) {
        self.0.call(|client, _| client.close_all());
    }

    /// Replaces the connection at once.
    pub fn reconnect(&self) {
        self.0.call(|client, now| client.reconnect(now));
    }
}

#[wasm_bindgen(js_class = Channel)]
impl WebChannel {
    /// Adds a listener.
    pub fn on(
        &self,
        action: Option<String>,
        on_action: Option<Function>,
        on_error: Option<Function>,
    ) {
        let id = self.used();
        let listener = Listener { action, on_action, on_error };
        self.core.call(|client, _| client.listen(id, listener));
    }

    /// Ends what `on` began with the same action and listener.
    pub fn off(&self, action: Option<String>, on_action: Option<Function>) {
        let listener = Listener { action, on_action, on_error: None };
        if let Some(id) = self.id.get() {
            self.core.client.borrow_mut().unlisten(id, &listener);
        }
    }

    /// Calls `receipt` once: when the channel is joined, or when its use ends.
    pub fn wait(&self, joined: bool, receipt: Function) {
        let moment = if joined { Moment::Joined } else { Moment::Ended };
        let id = self.used();
        self.core.call(|client, _| client.wait(id, moment, receipt));
    }

    /// Sends a payload under an `id` that nobody can guess; without one it asks for the channel's kept
    /// publications, or the part of them that the payload describes. The payload is taken as it is
    /// now; later changes to it do not count. `receipt` is called with the answer, or an error.
    pub fn send(
        &self,
        payload: JsValue,
        options: &JsValue,
        receipt: JsValue,
        id: Option<String>,
    ) -> Result<(), JsValue> {
        let action = if id.is_some() { Action::Message } else { Action::History };
        let id = id.filter(|_| self.core.client.borrow().names_messages());
        let request = frame::request(action, &self.name, Asked { options, payload, id, receipt })?;
        self.core.check_line();
        let id = self.used();
        self.core.call(|client, now| client.send(id, request, now));
        Ok(())
    }

    /// What is known of the publications since the channel was last joined.
    #[wasm_bindgen(getter)]
    pub fn continuity(&self) -> JsValue {
        let client = self.core.client.borrow();
        let id = self.id.get();
        id.map_or(Continuity::Unknown, |id| client.continuity(id)).name().into()
    }

    /// What the server told about each member.
    pub fn presence(&self) -> Vec<JsValue> {
        let client = self.core.client.borrow();
        let Some(id) = self.id.get() else { return Vec::new() };
        client.presence(id).iter().map(|member| member.info.clone()).collect()
    }

    /// Ends the use of the channel. Using it again starts it again.
    pub fn destroy(&self) {
        if let Some(id) = self.id.take() {
            self.core.call(|client, _| client.close_channel(id));
        }
    }

    /// Takes the channel into use, if it is not. What comes of that happens together with what it is
    /// used for, in the next `call`: a listener must hear of a connection that fails at once.
    fn used(&self) -> ChannelId {
        let now = timer::now();
        let used = self.id.get().filter(|id| self.core.client.borrow_mut().use_channel(*id, now));
        if let Some(id) = used {
            return id;
        }
        let id = self.core.client.borrow_mut().open_channel(&self.name, self.options, now);
        self.id.set(Some(id));
        id
    }
}

/// The client with everything it holds of the browser.
struct Core {
    client: RefCell<Client<JsValue, Function>>,
    /// Gives a socket for a token.
    connect: Function,
    /// Whom to ask for the token.
    provider: RefCell<Option<Function>>,
    socket: RefCell<Option<Socket>>,
    timer: RefCell<Option<Timer>>,
    page: RefCell<Option<Page>>,
    /// Listeners are being called further down the stack, or will be in a moment.
    delivering: Cell<bool>,
}

impl Core {
    fn new(connect: Function) -> Self {
        Self {
            client: RefCell::default(),
            connect,
            provider: RefCell::default(),
            socket: RefCell::default(),
            timer: RefCell::default(),
            page: RefCell::default(),
            delivering: Cell::new(false),
        }
    }

    /// A call of the application: what it causes for the network happens before it returns, what
    /// it causes for listeners afterwards.
    fn call(self: &Rc<Self>, input: impl FnOnce(&mut Client<JsValue, Function>, u64)) {
        input(&mut self.client.borrow_mut(), timer::now());
        self.after_call();
    }

    /// Apart from `call`, because that is compiled once for each caller.
    fn after_call(self: &Rc<Self>) {
        self.drain();
        if self.client.borrow().has_delivery() && !self.delivering.replace(true) {
            let core = self.clone();
            spawn_local(async move { core.deliver() });
        }
    }

    /// A report of the browser.
    fn report(self: &Rc<Self>, input: impl FnOnce(&mut Client<JsValue, Function>, u64)) {
        let now = timer::now();
        self.report_now(|client| input(client, now));
    }

    /// The same where the time is known.
    fn report_now(self: &Rc<Self>, input: impl FnOnce(&mut Client<JsValue, Function>)) {
        input(&mut self.client.borrow_mut());
        self.after_report();
    }

    fn after_report(self: &Rc<Self>) {
        self.drain();
        if !self.delivering.replace(true) {
            self.deliver();
        }
        let active = self.client.borrow().is_active();
        Page::set(self, active);
    }

    /// Tells the client what the socket knows before it says so.
    fn check_line(&self) {
        let closing = self.socket.borrow().as_ref().and_then(Socket::closing);
        if let Some(connection) = closing {
            self.client.borrow_mut().handle_closing(connection);
        }
    }

    fn drain(self: &Rc<Self>) {
        while self.client.borrow().has_output() {
            self.carry_out();
        }
        let (due, active) = {
            let client = self.client.borrow();
            (client.poll_timeout(), client.is_active())
        };
        Timer::set(self, due);
        if self.page.borrow().is_some() != active {
            // The page's signs are for the first attempt too, but not in the way of its handshake: the next
            // report, of whatever, listens to them or no longer does.
            Timer::set(self, Some(timer::now() + HANDSHAKE));
        }
    }

    /// Apart from `drain`, which passes here only now and then but for every frame.
    #[inline(never)]
    fn carry_out(self: &Rc<Self>) {
        let Some(output) = self.client.borrow_mut().poll_output() else { return };
        match output {
            Output::Open { connection, token } => self.open_socket(connection, token),
            Output::Ask { connection } => {
                let provider = self.provider.borrow().clone();
                // It only makes a promise, and throws nothing.
                let _ = provider
                    .map(|provider| provider.call1(&JsValue::UNDEFINED, &connection.0.into()));
            }
            Output::Send(outgoing) => {
                let socket = self.socket.borrow().clone();
                if let (Some(socket), Ok(text)) = (socket, frame::encode(outgoing)) {
                    socket.send(&text);
                }
            }
            Output::Close { code } => {
                let socket = self.socket.take();
                if let Some(socket) = socket {
                    socket.close(code);
                }
            }
            Output::Warn(text) => console::warn(PREFIX, text),
            Output::Untaken(event) => console::error(PREFIX, UNTAKEN, &frame::to_js(&event)),
        }
    }

    fn open_socket(self: &Rc<Self>, connection: ConnectionId, token: Option<String>) {
        match Socket::open(self, connection, token) {
            Ok(socket) => *self.socket.borrow_mut() = Some(socket),
            Err(error) => {
                console::error(PREFIX, REFUSED, &error);
                self.client.borrow_mut().handle_refused(connection, REFUSED);
            }
        }
    }

    fn deliver(self: &Rc<Self>) {
        loop {
            let Some(delivery) = self.client.borrow_mut().poll_delivery() else { break };
            match &delivery.event {
                Event::Frame(body) => inbox::call(&delivery.listener, body),
                event => inbox::call(&delivery.listener, &frame::to_js(event)),
            }
        }
        self.delivering.set(false);
    }
}

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Core")
    }
}

/// What a first handshake may take before others are looked at, in milliseconds: an attempt that is younger
/// than a second is left alone anyway.
const HANDSHAKE: u64 = 50;
const PREFIX: &str = "xano-realtime:";
const REFUSED: &str = "the browser refuses to open this connection";
const UNTAKEN: &str = "an error came and no listener takes it; pass a second function to channel.on(), or use channel.on(\"error\", …)";
