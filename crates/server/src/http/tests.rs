//! What slow and silent peers get, with a clock that jumps to the next thing that is due.

use std::sync::Arc;

use axum::body::Bytes;
use axum::routing::post;
use hub::Settings;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::*;
use crate::auth::{ForeignIssuers, KeyRing, SigningKey};
use crate::node::NodeOptions;

/// A connection to a server that counts what it is sent, and gives the text back.
struct Peer {
    stream: DuplexStream,
    served: JoinHandle<hyper::Result<()>>,
    stop: watch::Sender<()>,
    node: Arc<Node>,
}

impl Peer {
    /// The connection holds as many bytes each way as `room` says.
    fn connect(room: usize) -> Self {
        let options = NodeOptions { shards: 1, ..NodeOptions::default() };
        let node = Arc::new(
            Node::start(Arc::new(Settings::default()), &options).expect("a shard can start"),
        );
        let router = Router::new()
            .route("/", post(|body: Bytes| async move { body }))
            .route("/slow", get(|| async { sleep(Duration::from_secs(20)).await }))
            .layer(middleware::from_fn_with_state(Arc::clone(&node), in_time));
        let own = Arc::new(KeyRing::from(SigningKey::from_random([42; 32])));
        let verifier =
            Verifier::new(own, ForeignIssuers::default()).expect("there are no other keys");
        let front = Front {
            node: Arc::clone(&node),
            verifier: Arc::new(verifier),
            origins: Arc::default(),
            expiry: TokenExpiry::Ignore,
            admin: None,
            accounts: None,
        };
        let (stream, other) = duplex(room);
        let (stop, stopped) = watch::channel(());
        let reception = Reception {
            router,
            front: Arc::new(front),
            handshakes: Arc::new(Semaphore::new(1)),
            handshake_timeout: HANDSHAKE_TIMEOUT,
            tls: None,
            trusted: Arc::default(),
            runtime: Handle::current(),
            stopped,
        };
        let other = Timed::new(other, WRITE_TIMEOUT);
        let served =
            tokio::spawn(serve_http(other, (IpAddr::from([127, 0, 0, 1]), None), reception));
        Self { stream, served, stop, node }
    }

    async fn send(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).await.expect("the server reads");
    }

    /// All that comes until the server closes.
    async fn read(&mut self) -> String {
        let mut text = String::new();
        self.stream.read_to_string(&mut text).await.expect("answers are text");
        text
    }
}

#[tokio::test(start_paused = true)]
async fn who_says_nothing_is_let_go() {
    let mut peer = Peer::connect(4_096);
    let start = Instant::now();
    assert_eq!(peer.read().await, "");
    assert_eq!(start.elapsed().as_secs(), HANDSHAKE_TIMEOUT.as_secs());
}

#[tokio::test(start_paused = true)]
async fn half_a_head_is_not_waited_for() {
    let mut peer = Peer::connect(4_096);
    let start = Instant::now();
    peer.send("POST / HTTP/1.1\r\nHost: x\r\n").await;
    peer.read().await;
    assert_eq!(start.elapsed().as_secs(), HANDSHAKE_TIMEOUT.as_secs());
}

#[tokio::test(start_paused = true)]
async fn a_kept_connection_without_a_next_request_is_let_go() {
    let mut peer = Peer::connect(4_096);
    let start = Instant::now();
    peer.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi").await;
    let text = peer.read().await;
    assert!(text.starts_with("HTTP/1.1 200 ") && text.ends_with("hi"), "{text}");
    assert_eq!(start.elapsed().as_secs(), HANDSHAKE_TIMEOUT.as_secs());
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_come_whole_is_answered_and_the_connection_closed() {
    let mut peer = Peer::connect(4_096);
    let start = Instant::now();
    peer.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nhi").await;
    let text = peer.read().await;
    assert!(text.starts_with("HTTP/1.1 408 ") && text.contains("connection: close"), "{text}");
    assert_eq!(start.elapsed().as_secs(), REQUEST_TIMEOUT.as_secs());
}

#[tokio::test(start_paused = true)]
async fn a_body_that_trickles_is_no_way_round() {
    let mut peer = Peer::connect(4_096);
    let start = Instant::now();
    peer.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n").await;
    for _ in 0..REQUEST_TIMEOUT.as_secs() - 1 {
        peer.send("x").await;
        sleep(Duration::from_secs(1)).await;
    }
    let text = peer.read().await;
    assert!(text.starts_with("HTTP/1.1 408 "), "{text}");
    assert_eq!(start.elapsed().as_secs(), REQUEST_TIMEOUT.as_secs());
}

#[tokio::test(start_paused = true)]
async fn who_does_not_read_its_answer_is_let_go() {
    let mut peer = Peer::connect(64);
    let start = Instant::now();
    peer.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi").await;
    let error = (&mut peer.served).await.expect("it does not panic").expect_err("it breaks");
    assert!(format!("{error:?}").contains("TimedOut"), "{error:?}");
    assert_eq!(start.elapsed().as_secs(), WRITE_TIMEOUT.as_secs());
}

#[tokio::test(start_paused = true)]
async fn who_reads_its_answer_byte_by_byte_is_let_go_too() {
    let mut peer = Peer::connect(64);
    let start = Instant::now();
    peer.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi").await;
    let mut byte = [0];
    while !peer.served.is_finished() {
        peer.stream.read_exact(&mut byte).await.expect("there is always one more");
        sleep(Duration::from_secs(5)).await;
    }
    assert!((60..=65).contains(&start.elapsed().as_secs()), "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn who_reads_in_time_may_go_on_for_as_long_as_it_likes() {
    let mut peer = Peer::connect(64);
    for _ in 0..30 {
        peer.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi").await;
        let mut text = String::new();
        while !text.ends_with("hi") {
            let byte = peer.stream.read_u8().await.expect("the answer comes");
            text.push(char::from(byte));
        }
        sleep(Duration::from_secs(8)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_under_way_when_the_server_stops_is_answered() {
    let mut peer = Peer::connect(4_096);
    peer.send("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n").await;
    // The clock only moves when nothing else is to be done.
    sleep(Duration::from_secs(1)).await;
    peer.stop.send_replace(());
    let start = Instant::now();
    let text = peer.read().await;
    assert!(text.starts_with("HTTP/1.1 200 "), "{text}");
    assert_eq!(start.elapsed().as_secs(), 19);
}

#[tokio::test(start_paused = true)]
async fn a_draining_server_keeps_no_connections() {
    let mut peer = Peer::connect(4_096);
    peer.node.drain(Duration::ZERO);
    let start = Instant::now();
    peer.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi").await;
    let text = peer.read().await;
    assert!(text.contains("connection: close") && text.ends_with("hi"), "{text}");
    assert_eq!(start.elapsed().as_secs(), 0);
}

/// How long a request's head may take here.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
