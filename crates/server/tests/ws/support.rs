//! A server in this process, and clients that speak to it over real sockets.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use hub::{ChannelSettings, HistorySize, Settings};
use rustls::RootCertStore;
use serde_json::{Value, json};
use server::auth::{KeyRing, SigningKey, Verifier};
use server::config::{Durability, LimitOptions, LogFormat, LogLevel, ServeConfig};
use server::outbound::{Limits, Outbound, Reach};
use server::{AllowedOrigins, Caller, Front, Listener, Node, NodeOptions, Shutdown, Stop, serve};
use tokio::runtime::Handle;
use tungstenite::client::ClientRequestBuilder;
use tungstenite::protocol::CloseFrame;
use tungstenite::{Error, Message, WebSocket};

/// The connection hash of every server here.
pub(crate) const HASH: &str = "tixBsYsDDCx6P717WgX9j1TwkPA";
/// What every server here signs its tokens with.
pub(crate) const KEY: SigningKey = SigningKey::from_random([42; 32]);
/// How long a test waits for what must come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// A running server. Dropping it tells it to stop.
pub(crate) struct Server {
    pub(crate) port: u16,
    stop: Stop,
    stopped: mpsc::Receiver<()>,
}

impl Server {
    /// Two shards, so that most pairs of clients live on different ones.
    pub(crate) fn start(channels: Vec<ChannelSettings>) -> Self {
        Self::with_options(channels, NodeOptions { shards: 2, ..NodeOptions::default() })
    }

    pub(crate) fn with_options(channels: Vec<ChannelSettings>, options: NodeOptions) -> Self {
        Self::serving(config(), Settings::new(HASH.to_owned(), channels), options)
    }

    pub(crate) fn serving(config: ServeConfig, settings: Settings, options: NodeOptions) -> Self {
        let (stop, shutdown) = Shutdown::new(config.drain_window);
        let (tell_port, port) = mpsc::channel();
        let (tell_stopped, stopped) = mpsc::channel();
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime can be built");
            runtime.block_on(async {
                let listener = Listener::bind(&config).expect("a port is free");
                let caller = Some(Arc::new(caller(&config)));
                let node = Node::start_with(Arc::new(settings), &options, caller)
                    .expect("shards can start");
                let expiry = config.token_expiry();
                let own = Arc::new(KeyRing::from(KEY));
                let verifier = Verifier::new(own, config.foreign_issuers());
                let verifier = verifier.expect("the keys are right");
                let client = Outbound::new(Reach::Anywhere).expect("a client can be made");
                let _keeping = verifier.keep_keys(&client).await;
                tell_port.send(listener.port()).expect("the test waits for the port");
                let front = Front {
                    node: Arc::new(node),
                    verifier: Arc::new(verifier),
                    origins: Arc::new(AllowedOrigins::new(config.allow_origin)),
                    expiry,
                    admin: None,
                    accounts: None,
                };
                serve(listener, front, shutdown).await;
            });
            // The test may not care.
            tell_stopped.send(()).ok();
        });
        let port = port.recv_timeout(PATIENCE).expect("the server starts");
        Self { port: port.expect("a listener has a port"), stop, stopped }
    }

    /// Tells the server to stop, and again to stop at once, without waiting.
    pub(crate) fn stop(&self) {
        self.stop.tell();
    }

    /// Waits until the server has stopped.
    pub(crate) fn wait(&self) {
        self.stopped.recv_timeout(PATIENCE).expect("the server stops");
    }

    pub(crate) fn tcp(&self) -> TcpStream {
        tcp(self.port)
    }

    /// What a metric says; its labels are part of the name.
    pub(crate) fn metric(&self, name: &str) -> u64 {
        let (_, page) = get(self.port, "/metrics", "");
        let line = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("{name} is missing in {page}")).parse().expect("a number")
    }

    /// How often a limit was reached.
    pub(crate) fn reached(&self, limit: &str) -> u64 {
        self.metric(&format!("xano_limit_reached_total{{limit=\"{limit}\"}}"))
    }

    /// Waits until a metric says `expected`.
    pub(crate) fn await_metric(&self, name: &str, expected: u64) {
        let start = Instant::now();
        while self.metric(name) != expected {
            assert!(start.elapsed() < PATIENCE, "{name} is {}", self.metric(name));
        }
    }

    pub(crate) fn connect(&self) -> Client {
        Client::connect(self.port, HASH)
    }

    /// A client that is in `channel` and has read the answer.
    pub(crate) fn member(&self, channel: &str) -> Client {
        let mut client = self.connect();
        client.join(channel, false, false);
        client
    }
}

/// Whether readers are written to through io_uring: what this system has of both.
pub(crate) const IO_URING: &[bool] =
    if cfg!(all(target_os = "linux", any(target_arch = "aarch64", target_arch = "x86_64"))) {
        &[false, true]
    } else {
        &[false]
    };

/// Listens on a free port of this machine, without TLS.
pub(crate) fn config() -> ServeConfig {
    ServeConfig {
        listen: "127.0.0.1:0".to_owned(),
        data_dir: "unused".into(),
        demo: false,
        tls_cert: None,
        tls_key: None,
        allow_origin: Vec::new(),
        token_key: Vec::new(),
        token_jwks: Vec::new(),
        token_audience: Vec::new(),
        token_issuer: Vec::new(),
        token_claims: None,
        close_expired: false,
        no_signup: false,
        auth_attempts: 10,
        auth_token_lifetime: Duration::from_secs(60),
        trust_proxy: Vec::new(),
        allow_private_triggers: false,
        trigger_timeout: PATIENCE,
        trigger_max_body: 1 << 20,
        threads: None,
        io_uring: false,
        drain_window: Duration::ZERO,
        limits: LimitOptions { metrics_public: true, ..LimitOptions::default() },
        log: LogLevel::Error,
        durability: Durability::Disk,
        log_format: LogFormat::Text,
    }
}

/// Who asks triggers, over plain HTTP.
fn caller(config: &ServeConfig) -> Caller {
    let reach = if config.allow_private_triggers { Reach::Anywhere } else { Reach::Public };
    let outbound = Outbound::with_roots(reach, RootCertStore::empty()).expect("TLS is there");
    let (timeout, max_body) = (config.trigger_timeout, config.trigger_max_body as usize);
    Caller::new(outbound, Limits { timeout, max_body }, Handle::current())
}

/// A channel for everybody, with presence and the longest history there is.
pub(crate) fn open(pattern: &str) -> ChannelSettings {
    ChannelSettings {
        pattern: pattern.to_owned(),
        wildcard: pattern.ends_with('*'),
        enabled: true,
        anonymous_clients: true,
        presence: true,
        history: history(1_000),
        client_public_messaging: true,
        ..ChannelSettings::default()
    }
}

pub(crate) fn history(size: u32) -> HistorySize {
    HistorySize::try_from(size).expect("there is a history of this size")
}

pub(crate) fn tcp(port: u16) -> TcpStream {
    let tcp = TcpStream::connect(("127.0.0.1", port)).expect("the server accepts");
    tcp.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
    tcp.set_nodelay(true).expect("a socket can be made prompt");
    tcp
}

/// A client that behaves.
pub(crate) struct Client<S = TcpStream> {
    pub(crate) socket: WebSocket<S>,
}

impl Client {
    pub(crate) fn connect(port: u16, hash: &str) -> Self {
        Self::over(tcp(port), &format!("ws://127.0.0.1:{port}/rt/{hash}"))
    }

    /// Brings a token, and wants to get it back.
    pub(crate) fn with_token(port: u16, hash: &str, token: &str) -> Self {
        let url = format!("ws://127.0.0.1:{port}/rt/{hash}");
        let request = ClientRequestBuilder::new(url.parse().expect("the address is right"));
        Self::open(tcp(port), request.with_sub_protocol(token))
    }
}

impl<S: Read + Write> Client<S> {
    pub(crate) fn over(stream: S, url: &str) -> Self {
        Self::open(stream, ClientRequestBuilder::new(url.parse().expect("the address is right")))
    }

    fn open(stream: S, request: ClientRequestBuilder) -> Self {
        match tungstenite::client(request, stream) {
            Ok((socket, _)) => Self { socket },
            Err(error) => panic!("the handshake fails: {error}"),
        }
    }

    pub(crate) fn send(&mut self, text: impl Into<String>) {
        self.socket.send(Message::text(text.into())).expect("the server reads");
    }

    pub(crate) fn say(&mut self, channel: &str, payload: &str) {
        self.send(message(channel, payload));
    }

    /// Joins, and reads the answer.
    pub(crate) fn join(&mut self, channel: &str, history: bool, presence: bool) -> Value {
        self.send(join(channel, history, presence));
        self.read("join")
    }

    /// The next frame whatever it is; pings and pongs are passed over.
    pub(crate) fn read_text(&mut self) -> String {
        loop {
            match self.socket.read() {
                Ok(Message::Text(text)) => return text.as_str().to_owned(),
                Ok(Message::Ping(_) | Message::Pong(_)) => {}
                Ok(other) => panic!("a text frame was expected, this came: {other}"),
                Err(Error::Io(error)) if is_timeout(&error) => {
                    panic!("nothing came within {PATIENCE:?}")
                }
                Err(error) => panic!("the connection broke: {error}"),
            }
        }
    }

    pub(crate) fn read_any(&mut self) -> Value {
        let text = self.read_text();
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in {text}"))
    }

    /// Who is in `channel` according to the answer to one more join, in the order they came.
    pub(crate) fn roster(&mut self, channel: &str) -> Vec<String> {
        self.join(channel, false, true);
        let full = self.read("presence_full");
        let members = full["payload"]["presence"].as_array().expect("a roster is a list");
        let id = |member: &Value| member["socketId"].as_str().expect("members have ids").to_owned();
        members.iter().map(id).collect()
    }

    /// The next frame, which must have this action.
    pub(crate) fn read(&mut self, action: &str) -> Value {
        let frame = self.read_any();
        assert_eq!(frame["action"], action, "{frame}");
        frame
    }

    /// The next frame, which must be an error with this code and text.
    pub(crate) fn read_error(&mut self, code: &str, message: &str) -> Value {
        let frame = self.read("error");
        assert_eq!(frame["payload"]["code"], code, "{frame}");
        assert_eq!(frame["payload"]["message"], message, "{frame}");
        frame
    }

    /// Reads up to the close frame, answers it, and waits for the end; its code.
    pub(crate) fn read_close(&mut self) -> u16 {
        let code = match self.socket.read() {
            Ok(Message::Close(Some(CloseFrame { code, .. }))) => u16::from(code),
            other => panic!("a close frame was expected, this came: {other:?}"),
        };
        loop {
            match self.socket.read() {
                Err(Error::ConnectionClosed) => return code,
                Ok(_) => {}
                Err(error) => panic!("the connection was not closed in order: {error}"),
            }
        }
    }

    /// Nothing waits for this client but the answer to the question whether something does.
    pub(crate) fn expect_nothing(&mut self) {
        self.send(r#"{"action":"ping"}"#);
        self.read("pong");
    }
}

/// A client of bytes: what it sends need not be right.
pub(crate) struct Raw {
    pub(crate) tcp: TcpStream,
}

impl Raw {
    pub(crate) fn connect(port: u16) -> Self {
        Self::connect_and_send(port, &[])
    }

    /// Sends `bytes` right behind the handshake, in the same write.
    pub(crate) fn connect_and_send(port: u16, bytes: &[u8]) -> Self {
        let mut tcp = tcp(port);
        let request = [handshake(HASH, "").as_bytes(), bytes].concat();
        tcp.write_all(&request).expect("the server reads");
        let head = read_head(&mut tcp);
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        Self { tcp }
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.tcp.write_all(bytes).expect("the server reads");
    }

    /// The next frame: its first byte and its content.
    pub(crate) fn read(&mut self) -> (u8, Vec<u8>) {
        let [first, length] = self.read_bytes();
        let length = match length {
            126 => usize::from(u16::from_be_bytes(self.read_bytes())),
            127 => usize::try_from(u64::from_be_bytes(self.read_bytes())).expect("it fits"),
            length => usize::from(length),
        };
        let mut content = vec![0; length];
        self.tcp.read_exact(&mut content).expect("the frame comes whole");
        (first, content)
    }

    /// Waits until something has come, and leaves it there.
    pub(crate) fn peek(&self) {
        let count = self.tcp.peek(&mut [0]).expect("something comes");
        assert_eq!(count, 1, "the connection is open");
    }

    pub(crate) fn read_json(&mut self) -> Value {
        let (first, content) = self.read();
        assert_eq!(first, 0x81, "a whole text frame");
        serde_json::from_slice(&content).expect("frames are JSON")
    }

    pub(crate) fn join(&mut self, channel: &str) {
        self.send(&text_frame(&join(channel, false, false)));
        assert_eq!(self.read_json()["action"], "join");
    }

    /// Reads on, over text frames, to the close frame, and answers it; its code.
    pub(crate) fn read_close(&mut self) -> u16 {
        loop {
            let (first, content) = self.read();
            if first == 0x88 {
                // A server that has already gone does not need the answer.
                self.tcp.write_all(&frame(0x88, &content[..2])).ok();
                return u16::from_be_bytes([content[0], content[1]]);
            }
            assert_eq!(first, 0x81, "only text comes before the end");
        }
    }

    fn read_bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.tcp.read_exact(&mut bytes).expect("a frame comes");
        bytes
    }
}

/// A client's frame.
pub(crate) fn frame(first: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match content.len() {
        length @ 0..126 => bytes.push(0x80 | length as u8),
        length @ 126..0x1_0000 => {
            bytes.push(0x80 | 126);
            bytes.extend_from_slice(&(length as u16).to_be_bytes());
        }
        length => {
            bytes.push(0x80 | 127);
            bytes.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    let mask = [0x37, 0xFA, 0x21, 0x3D];
    bytes.extend_from_slice(&mask);
    bytes.extend(content.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}

pub(crate) fn text_frame(text: &str) -> Vec<u8> {
    frame(0x81, text.as_bytes())
}

pub(crate) fn join(channel: &str, history: bool, presence: bool) -> String {
    json!({
        "action": "join",
        "options": { "channel": channel },
        "payload": { "history": history, "presence": presence },
    })
    .to_string()
}

pub(crate) fn message(channel: &str, payload: &str) -> String {
    format!(r#"{{"action":"message","options":{{"channel":"{channel}"}},"payload":{payload}}}"#)
}

/// A request for something other than a message.
pub(crate) fn request(action: &str, channel: &str) -> String {
    json!({ "action": action, "options": { "channel": channel }, "payload": null }).to_string()
}

/// The head of an opening handshake, with `more` header lines.
pub(crate) fn handshake(hash: &str, more: &str) -> String {
    format!(
        "GET /rt/{hash} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{more}\r\n"
    )
}

/// Asks as `METHOD /path`, once; the whole answer.
pub(crate) fn ask(port: u16, what: &str) -> String {
    exchange(port, &format!("{what} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"))
}

/// Sends `request` and reads until the server closes.
pub(crate) fn exchange(port: u16, request: &str) -> String {
    let mut tcp = tcp(port);
    tcp.write_all(request.as_bytes()).expect("the server reads");
    let mut answer = String::new();
    tcp.read_to_string(&mut answer).expect("the answer comes whole");
    answer
}

pub(crate) fn read_head(stream: &mut impl Read) -> String {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).expect("the head comes whole");
        head.push(byte[0]);
    }
    String::from_utf8(head).expect("a head is text")
}

/// A GET request with `more` header lines; the answer's head and body.
pub(crate) fn get(port: u16, path: &str, more: &str) -> (String, String) {
    send(port, &format!("GET {path}"), more, "")
}

/// An HTTP request with `more` header lines and a body; the answer's head and body.
pub(crate) fn send(port: u16, what: &str, more: &str, body: &str) -> (String, String) {
    let length = body.len();
    let answer = exchange(
        port,
        &format!(
            "{what} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
             Content-Length: {length}\r\n{more}\r\n{body}"
        ),
    );
    let (head, body) = answer.split_once("\r\n\r\n").expect("the answer has a head");
    (head.to_owned(), body.to_owned())
}

pub(crate) fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

/// The value under `key` in each entry of a list.
pub(crate) fn pluck(list: &Value, key: &str) -> Vec<Value> {
    let entries = list.as_array().expect("it is a list");
    entries.iter().map(|entry| entry[key].clone()).collect()
}
