//! The write path over real sockets whose other ends this test holds.

mod batches;

use std::io::Read;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use hub::SessionId;
use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection};

use super::*;
use crate::transport::{AcceptedStream, Stream};

mod sending;

const CLASS: AudienceClass = AudienceClass { authenticated: false, presence: true };
const BLUE: ChannelKey = ChannelKey(0);
const RED: ChannelKey = ChannelKey(1);

/// How readers are written to.
#[derive(Clone, Copy, Debug)]
enum Way {
    OneByOne,
    #[cfg(all(target_os = "linux", any(target_arch = "aarch64", target_arch = "x86_64")))]
    Ring,
}

/// All that this system has.
const WAYS: &[Way] = &[
    Way::OneByOne,
    #[cfg(all(target_os = "linux", any(target_arch = "aarch64", target_arch = "x86_64")))]
    Way::Ring,
];

impl Way {
    fn ring(self) -> Option<Ring> {
        match self {
            Self::OneByOne => None,
            #[cfg(all(target_os = "linux", any(target_arch = "aarch64", target_arch = "x86_64")))]
            Self::Ring => {
                Some(Ring::new().expect("these tests need the kernel's leave for io_uring"))
            }
        }
    }
}

/// Connections with their peers' ends, by index.
struct Shard {
    address: SocketAddr,
    listener: TcpListener,
    fanout: Fanout,
    all: Slab<Connection>,
    peers: Vec<TcpStream>,
}

impl Shard {
    fn new(way: Way) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("the listener has an address");
        let fanout = Fanout::new(1 << 20, Arc::default()).through(way.ring());
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
        self.read_as(index, channel, false);
    }

    fn read_as(&mut self, index: u32, channel: ChannelKey, batch: bool) {
        let reading = Reading { class: CLASS, batch };
        self.fanout.attach(&mut self.all, index, channel, reading);
    }

    /// Says something to who is in a channel, which is for all who watch.
    fn say(&mut self, channel: ChannelKey, texts: &[&str]) {
        texts.iter().for_each(|text| self.fanout.announce_presence(channel, text.as_bytes()));
    }

    fn run(&mut self) -> Vec<Effect> {
        let mut effects = Vec::new();
        self.fanout.run(&mut self.all, 64, &mut effects);
        effects
    }

    fn log_len(&self, channel: ChannelKey) -> usize {
        self.fanout.channels[channel.0 as usize][CLASS.index()].log.len()
    }

    fn unvisited(&self, channel: ChannelKey) -> u32 {
        self.fanout.channels[channel.0 as usize][CLASS.index()].unvisited
    }

    /// Cuts the line so that the next write fails.
    fn break_line(&mut self, index: u32) {
        let stream = &mut self.all[index as usize].stream;
        stream.shutdown();
    }
}

#[test]
fn a_broken_socket_in_two_busy_channels_is_given_up_once_for_each_and_harms_nobody() {
    for (way, own_bytes) in WAYS.iter().flat_map(|way| [false, true].map(|own| (*way, own))) {
        let mut shard = Shard::new(way);
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
fn a_message_reaches_all_of_a_small_channel_in_one_turn_however_many_channels_there_are() {
    WAYS.iter().copied().for_each(take_turns);
}

fn take_turns(way: Way) {
    let mut shard = Shard::new(way);
    for channel in 0..30 {
        let size = if channel == 20 { 100 } else { 10 };
        let readers: Vec<_> = (0..size).map(|_| shard.connect()).collect();
        readers.iter().for_each(|index| shard.join(*index, ChannelKey(channel)));
        shard.say(ChannelKey(channel), &["hello"]);
    }
    let mut turns = 0;
    while shard.fanout.has_work() {
        let before = shard.fanout.written;
        assert_eq!(shard.run(), []);
        let written = (shard.fanout.written - before) / 7;
        assert!((1..64 + 64).contains(&written), "{written} readers are more than a slice");
        for unvisited in (0..30).map(|channel| shard.unvisited(ChannelKey(channel))) {
            assert!([0, 10, 36, 100].contains(&unvisited), "{unvisited} have to wait for the rest");
        }
        turns += 1;
    }
    assert_eq!(
        turns, 5,
        "two of seven channels, six and a slice of the large one, seven, the rest"
    );
}

#[test]
fn a_log_that_grows_faster_than_its_many_readers_are_visited_is_cut_all_the_same() {
    WAYS.iter().copied().for_each(cut_a_log_that_grows);
}

fn cut_a_log_that_grows(way: Way) {
    let mut shard = Shard::new(way);
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

/// Numbers that look random and are the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

impl Shard {
    /// What a connection's lag counts is what waits at its seats, and who is behind will be visited.
    fn check_counts(&self) {
        assert!(self.fanout.in_hand.is_empty(), "nothing is in flight between two turns");
        for readers in self.fanout.channels.iter().flatten() {
            assert_eq!(readers.in_hand, 0);
            let is_needed = readers.unvisited > 0;
            assert!(is_needed || readers.batch.is_none(), "batches are kept for others to visit");
        }
        for (index, connection) in &self.all {
            let mut lag = 0;
            for seat in &connection.seats {
                let readers = self.fanout.readers(seat);
                let reader = &readers.readers[seat.place as usize];
                assert_eq!(reader.connection as usize, index);
                assert!(u64::from(reader.waiting) <= readers.log.head() - reader.cursor);
                assert!(
                    readers.queued
                        || u64::from(reader.waiting) == readers.log.head() - reader.cursor,
                    "a reader that is behind is visited, or counted as waiting"
                );
                lag += reader.waiting as usize;
            }
            assert_eq!(connection.lag, lag);
        }
    }

    /// Takes what has come for a peer.
    fn drain(&mut self, index: u32, into: &mut Vec<u8>) {
        let peer = &mut self.peers[index as usize];
        peer.set_nonblocking(true).expect("the socket can be made non-blocking");
        let mut bytes = vec![0; 1 << 20];
        while let Ok(count @ 1..) = peer.read(&mut bytes) {
            into.extend_from_slice(&bytes[..count]);
        }
    }

    /// The socket of a connection has room again.
    fn resume(&mut self, index: u32) {
        let connection = &mut self.all[index as usize];
        connection.blocked = false;
        let mut effects = Vec::new();
        self.fanout.write(connection, index, &mut effects);
        assert_eq!(effects, []);
    }
}

/// The messages in what a peer has read.
fn messages(mut bytes: &[u8]) -> Vec<String> {
    let mut messages = Vec::new();
    while !bytes.is_empty() {
        let (message, rest) = bytes.split_at(frame::server_frame_len(bytes));
        let text = message[frame::server_header_len(message)..].to_vec();
        messages.push(String::from_utf8(text).expect("messages are text"));
        bytes = rest;
    }
    messages
}

/// The frames in a message: several in an array, or one that is no array. None has a comma here.
fn frames(message: &str) -> Vec<&str> {
    match message.strip_prefix('[').and_then(|message| message.strip_suffix(']')) {
        Some(frames) => {
            assert!(message.len() <= hub::batch::MAX_BATCH, "{}", message.len());
            let frames: Vec<_> = frames.split(',').collect();
            assert!(frames.len() > 1, "one alone is no array");
            frames
        }
        None => vec![message],
    }
}

#[test]
fn whoever_reads_when_gets_every_frame_of_its_channels_once_and_in_order() {
    WAYS.iter().copied().for_each(play_at_random);
}

fn play_at_random(way: Way) {
    const CHANNELS: u64 = 40;
    let mut shard = Shard::new(way);
    shard.fanout.max_lag = usize::MAX;
    let mut dice = Dice(0x5EED);
    let connections: Vec<_> = (0..4).map(|_| shard.connect()).collect();
    let mut got = vec![Vec::new(); connections.len()];
    let mut expected = vec![vec![Vec::new(); CHANNELS as usize]; connections.len()];
    let mut member = vec![vec![false; CHANNELS as usize]; connections.len()];
    let mut said = 0_u32;
    for _ in 0..4_000 {
        let (who, channel) = (dice.below(4) as usize, dice.below(CHANNELS) as usize);
        let (index, key) = (connections[who], ChannelKey(channel as u32));
        match dice.below(8) {
            // Who is in it reads it in another way from now on, maybe; two of them as arrays at first.
            0 => {
                let batch = (who % 2 == 1) ^ member[who][channel] ^ (dice.below(4) == 0);
                shard.read_as(index, key, batch);
                member[who][channel] = true;
            }
            1 if dice.below(4) == 0 && member[who][channel] => {
                // As the shard does: what was sent before is read before.
                shard.fanout.collect(&mut shard.all[index as usize]);
                shard.fanout.list(&mut shard.all[index as usize], index);
                shard.fanout.detach(&mut shard.all, index, key);
                member[who][channel] = false;
            }
            2..=4 => {
                said += 1;
                let mut frame = format!("{channel} {said} ").into_bytes();
                let size = dice.below(60_000) >> (4 * dice.below(4));
                frame.resize(frame.len() + size as usize, b'x');
                shard.fanout.announce_presence(key, &frame);
                for (expected, member) in expected.iter_mut().zip(&member) {
                    if member[channel] {
                        expected[channel].push(said);
                    }
                }
            }
            5 => {
                let connection = &mut shard.all[index as usize];
                shard.fanout.reply(connection, index, b"answer");
            }
            // The last connection hardly ever reads.
            6 if who < 3 || dice.below(50) == 0 => {
                shard.drain(index, &mut got[who]);
                if shard.all[index as usize].blocked {
                    shard.resume(index);
                }
            }
            _ => assert_eq!(shard.run(), []),
        }
        shard.check_counts();
    }
    while shard.fanout.has_work() || shard.all.iter().any(|(_, connection)| connection.blocked) {
        for (who, index) in connections.iter().enumerate() {
            shard.drain(*index, &mut got[who]);
            if shard.all[*index as usize].blocked {
                shard.resume(*index);
            }
        }
        shard.run();
        shard.check_counts();
    }
    for (who, index) in connections.iter().enumerate() {
        shard.drain(*index, &mut got[who]);
        assert_eq!(shard.all[*index as usize].lag, 0);
        let mut channels = vec![Vec::new(); CHANNELS as usize];
        for text in messages(&got[who]).iter().flat_map(|message| frames(message)) {
            if let [channel, said, _] = text.split(' ').collect::<Vec<_>>()[..] {
                let channel: usize = channel.parse().expect("a channel");
                channels[channel].push(said.parse::<u32>().expect("a number"));
            }
        }
        assert_eq!(channels, expected[who], "connection {who}");
    }
    assert!((0..CHANNELS as u32).all(|channel| shard.log_len(ChannelKey(channel)) == 0));
}

#[test]
fn senders_wait_only_for_readers_that_were_not_offered_everything() {
    WAYS.iter().copied().for_each(offer_to_a_stopped_reader);
}

fn offer_to_a_stopped_reader(way: Way) {
    let mut shard = Shard::new(way);
    shard.fanout.max_lag = usize::MAX;
    let readers: Vec<_> = (0..100).map(|_| shard.connect()).collect();
    readers.iter().for_each(|index| shard.join(*index, BLUE));
    let frame = vec![b'x'; 100 << 10];
    let mut read = Vec::new();
    let mut rounds = |shard: &mut Shard, count| {
        for _ in 0..count {
            shard.run();
            // All but one read everything.
            for index in &readers[1..] {
                shard.drain(*index, &mut read);
                read.clear();
                if shard.all[*index as usize].blocked {
                    shard.resume(*index);
                }
            }
        }
    };
    for _ in 0..3 {
        assert_eq!(shard.fanout.take_behind(), []);
        assert!(shard.fanout.has_caught_up(BLUE) || shard.log_len(BLUE) > 128 << 10);
        shard.fanout.announce_presence(BLUE, &frame);
    }
    assert_eq!(shard.fanout.take_behind(), [BLUE], "300 KB have still to be offered");
    assert!(!shard.fanout.has_caught_up(BLUE) && shard.fanout.has_caught_up(RED));
    rounds(&mut shard, 2);
    assert!(shard.fanout.has_caught_up(BLUE), "64 and then 36 were offered all");
    // One who reads nothing at all is offered everything, and its socket refuses it.
    while !shard.all[readers[0] as usize].blocked {
        shard.fanout.announce_presence(BLUE, &frame);
        rounds(&mut shard, 2);
    }
    for _ in 0..20 {
        shard.fanout.announce_presence(BLUE, &frame);
        rounds(&mut shard, 2);
        assert_eq!(shard.fanout.take_behind(), [], "nobody waits for it");
    }
    assert!(shard.all[readers[0] as usize].lag >= 20 * frame.len());
    assert!(shard.log_len(BLUE) >= 20 * frame.len());
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
    for way in WAYS {
        // As frames, and as messages of three: what is on the wire begins like this.
        fill_and_drain_tls(*way, 1, (b"\x81\x7E\x03\xE8x", 1_004));
        fill_and_drain_tls(*way, 3, (b"\x81\x7E\x0B\xBC[x", 3_008));
    }
}

/// Sends as much as the socket takes, so many frames at a time, which are one message each time: how
/// that starts, and its length.
fn fill_and_drain_tls(way: Way, together: usize, (start, length): (&[u8], usize)) {
    let mut shard = Shard::new(way);
    let mut peer = TcpStream::connect(shard.address).expect("the listener accepts");
    let (mut stream, _) = shard.listener.accept().expect("a peer is waiting");
    let (client, tls) = secure(&mut peer, &mut stream);
    stream.set_nonblocking(true).expect("the socket can be made non-blocking");
    let stream = Stream::new(AcceptedStream::Tls(stream, Box::new(tls)));
    let index =
        shard.all.insert(Connection::new(SessionId::from_random([0; 16]), stream, 0)) as u32;
    shard.read_as(index, BLUE, together > 1);

    // Frames far smaller than what TLS takes at once: the last one is taken whole by TLS, and in
    // part by the socket.
    let mut sent = 0;
    while !shard.all[index as usize].stream.holds_back() {
        assert!(sent < 100_000, "the socket is never full");
        (0..together).for_each(|_| shard.fanout.announce_presence(BLUE, &[b'x'; 1_000]));
        shard.run();
        sent += 1;
    }
    assert!(shard.all[index as usize].blocked, "else nothing happens when there is room again");
    peer.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout can be set");
    let reader = std::thread::spawn(move || {
        let mut bytes = vec![0; sent * length];
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
    assert!(bytes.chunks(length).all(|message| message.starts_with(start)));
}
