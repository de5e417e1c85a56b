//! The write path over real sockets whose other ends this test holds.

use std::io::Read;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use hub::SessionId;
use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection};

use super::*;
use crate::transport::AcceptedStream;

const CLASS: AudienceClass = AudienceClass { authenticated: false, presence: true };
const BLUE: ChannelKey = ChannelKey(0);
const RED: ChannelKey = ChannelKey(1);

/// Connections with their peers' ends, by index.
struct Shard {
    address: SocketAddr,
    listener: TcpListener,
    fanout: Fanout,
    all: Slab<Connection>,
    peers: Vec<TcpStream>,
}

impl Shard {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("the listener has an address");
        let fanout = Fanout::new(1 << 20);
        Self { address, listener, fanout, all: Slab::new(), peers: Vec::new() }
    }

    fn connect(&mut self) -> u32 {
        self.peers.push(TcpStream::connect(self.address).expect("the listener accepts"));
        let (stream, _) = self.listener.accept().expect("a peer is waiting");
        stream.set_nonblocking(true).expect("the socket can be made non-blocking");
        let stream = Stream::new(AcceptedStream::Plain(stream));
        self.all.insert(Connection::new(SessionId::from_random([0; 16]), stream, 0)) as u32
    }

    fn join(&mut self, index: u32, channel: ChannelKey) {
        self.fanout.attach(&mut self.all, index, channel, CLASS);
    }

    fn run(&mut self) -> Vec<Effect> {
        let mut effects = Vec::new();
        self.fanout.run(&mut self.all, 64, &mut effects);
        effects
    }

    fn log_len(&self, channel: ChannelKey) -> usize {
        self.fanout.channels[channel.0 as usize][CLASS.index()].log.len()
    }

    /// Cuts the line so that the next write fails.
    fn break_line(&mut self, index: u32) {
        let stream = &mut self.all[index as usize].stream;
        stream.shutdown();
    }
}

#[test]
fn a_broken_socket_in_two_busy_channels_is_given_up_once_for_each_and_harms_nobody() {
    for own_bytes in [false, true] {
        let mut shard = Shard::new();
        let (broken, whole) = (shard.connect(), shard.connect());
        for (index, channel) in [(broken, BLUE), (broken, RED), (whole, BLUE), (whole, RED)] {
            shard.join(index, channel);
        }
        shard.break_line(broken);
        shard.fanout.announce_presence(BLUE, b"blue");
        shard.fanout.announce_presence(RED, b"red");
        if own_bytes {
            let connection = &mut shard.all[broken as usize];
            connection.outbox.push(|bytes| frame::write_text(bytes, b"own"));
        }
        let effects = shard.run();
        assert!(!effects.is_empty() && effects.iter().all(|e| *e == Effect::Gone(broken)));
        for channel in [BLUE, RED] {
            shard.fanout.detach(&mut shard.all, broken, channel);
            assert_eq!(shard.log_len(channel), 0, "nobody has anything left to read");
        }
        let mut got = [0; 11];
        shard.peers[whole as usize].read_exact(&mut got).expect("both frames come");
        assert_eq!(&got, b"\x81\x04blue\x81\x03red");
    }
}

#[test]
fn a_log_that_grows_faster_than_its_many_readers_are_visited_is_cut_all_the_same() {
    let mut shard = Shard::new();
    let readers: Vec<_> = (0..100).map(|_| shard.connect()).collect();
    readers.iter().for_each(|index| shard.join(*index, BLUE));
    let frame = [b'x'; 16 << 10];
    let mut longest = 0;
    let mut bytes = vec![0; 1 << 20];
    for _ in 0..100 {
        shard.fanout.announce_presence(BLUE, &frame);
        assert_eq!(shard.run(), [], "everybody reads");
        longest = longest.max(shard.log_len(BLUE));
        for peer in &mut shard.peers {
            peer.set_nonblocking(true).expect("the socket can be made non-blocking");
            while peer.read(&mut bytes).is_ok_and(|count| count > 0) {}
        }
    }
    assert!(longest < 8 * frame.len(), "the log held {longest} bytes");
}

/// Both ends of a TLS connection whose handshake is done.
fn secure(peer: &mut TcpStream, stream: &mut TcpStream) -> (ClientConnection, ServerConnection) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()])
        .expect("a certificate can be made");
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("the key is one");
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).expect("the certificate is one");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let server = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .expect("the provider can do TLS")
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .expect("key and certificate fit");
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider can do TLS")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").expect("this is a name");
    let mut client = ClientConnection::new(Arc::new(client), name).expect("the name is right");
    let mut server = ServerConnection::new(Arc::new(server)).expect("the configuration is right");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while client.is_handshaking() {
                client.complete_io(peer).expect("the client's side of the handshake");
            }
        });
        while server.is_handshaking() {
            server.complete_io(stream).expect("the server's side of the handshake");
        }
    });
    (client, server)
}

#[test]
fn what_tls_could_not_write_is_written_when_the_socket_has_room_again() {
    let mut shard = Shard::new();
    let mut peer = TcpStream::connect(shard.address).expect("the listener accepts");
    let (mut stream, _) = shard.listener.accept().expect("a peer is waiting");
    let (client, tls) = secure(&mut peer, &mut stream);
    stream.set_nonblocking(true).expect("the socket can be made non-blocking");
    let stream = Stream::new(AcceptedStream::Tls(stream, Box::new(tls)));
    let index =
        shard.all.insert(Connection::new(SessionId::from_random([0; 16]), stream, 0)) as u32;
    shard.join(index, BLUE);

    // Frames far smaller than what TLS takes at once: the last one is taken whole by TLS, and in
    // part by the socket.
    let mut sent = 0;
    while !shard.all[index as usize].stream.holds_back() {
        assert!(sent < 100_000, "the socket is never full");
        shard.fanout.announce_presence(BLUE, &[b'x'; 1_000]);
        shard.run();
        sent += 1;
    }
    assert!(shard.all[index as usize].blocked, "else nothing happens when there is room again");
    peer.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout can be set");
    let reader = std::thread::spawn(move || {
        let mut bytes = vec![0; sent * 1_004];
        rustls::StreamOwned::new(client, peer).read_exact(&mut bytes).map(|()| bytes)
    });
    let connection = &mut shard.all[index as usize];
    while !connection.stream.resume_writing().expect("the peer reads") {
        std::thread::yield_now();
    }
    connection.blocked = false;
    let mut effects = Vec::new();
    shard.fanout.write(connection, index, &mut effects);
    let bytes = reader.join().expect("the reader ends").expect("everything comes");
    assert!(bytes.chunks(1_004).all(|frame| frame.starts_with(b"\x81\x7E\x03\xE8x")));
}
