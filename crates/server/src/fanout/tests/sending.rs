//! Many readers of one channel at once: whole, stopped, broken and behind TLS.

use super::*;

/// Reads what comes for a peer until so many bytes have come.
fn read_all(peer: &TcpStream, count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    let mut peer = peer.try_clone().expect("a socket can be shared");
    peer.set_nonblocking(false).expect("the socket can be made to block");
    peer.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout can be set");
    peer.read_exact(&mut bytes).expect("everything comes");
    bytes
}

/// What a channel with these frames in it is on the wire.
fn on_the_wire(frames: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    frames.iter().for_each(|text| frame::write_text(&mut bytes, text));
    bytes
}

#[test]
fn among_many_readers_the_broken_one_is_given_up_and_the_one_that_stopped_misses_nothing() {
    for way in WAYS {
        let mut shard = Shard::new(*way);
        shard.fanout.max_lag = usize::MAX;
        // More than go out in one system call, and more than one slice.
        let readers: Vec<_> = (0..150).map(|_| shard.connect()).collect();
        readers.iter().for_each(|index| shard.join(*index, BLUE));
        // Being in another channel where nothing happens makes no difference.
        readers.iter().step_by(2).for_each(|index| shard.join(*index, RED));
        let (broken, stopped) = (readers[70], readers[100]);
        shard.break_line(broken);

        let mut frames = Vec::new();
        let mut got = vec![Vec::new(); readers.len()];
        let mut given_up = 0;
        let mut more = 3;
        while more > 0 {
            // One of these is taken in part by the socket that nobody reads.
            more -= usize::from(shard.all[stopped as usize].blocked);
            frames.push(vec![b'a' + frames.len() as u8 % 26; 50_000]);
            shard.fanout.announce_presence(BLUE, &frames[frames.len() - 1]);
            while shard.fanout.has_work() {
                let effects = shard.run();
                shard.check_counts();
                assert!(effects.iter().all(|effect| *effect == Effect::Gone(broken)), "{way:?}");
                given_up += effects.len();
            }
            for index in readers.iter().filter(|index| ![broken, stopped].contains(index)) {
                shard.drain(*index, &mut got[*index as usize]);
                while shard.all[*index as usize].blocked {
                    shard.resume(*index);
                    shard.drain(*index, &mut got[*index as usize]);
                }
            }
        }
        assert_eq!(given_up, frames.len(), "it is still there, so it is tried each time");
        shard.fanout.detach(&mut shard.all, broken, BLUE);
        let expected = on_the_wire(&frames);
        for index in readers.iter().filter(|index| ![broken, stopped].contains(index)) {
            let got = &mut got[*index as usize];
            let rest = read_all(&shard.peers[*index as usize], expected.len() - got.len());
            got.extend(rest);
            assert!(*got == expected, "reader {index}, {way:?}");
        }
        assert!(shard.log_len(BLUE) >= 100_000, "what the one that stopped has not got is kept");
        let last = &mut got[stopped as usize];
        while last.len() < expected.len() {
            shard.drain(stopped, last);
            if shard.all[stopped as usize].blocked {
                shard.resume(stopped);
            }
        }
        assert!(*last == expected, "the one that stopped, {way:?}");
        assert_eq!(shard.log_len(BLUE), 0, "nobody has anything left to read");
        shard.check_counts();
    }
}

#[test]
fn readers_behind_tls_get_the_same_as_the_others() {
    for way in WAYS {
        let mut shard = Shard::new(*way);
        let plain = shard.connect();
        let mut peer = TcpStream::connect(shard.address).expect("the listener accepts");
        let (mut stream, _) = shard.listener.accept().expect("a peer is waiting");
        let (client, tls) = secure(&mut peer, &mut stream);
        stream.set_nonblocking(true).expect("the socket can be made non-blocking");
        let stream = Stream::new(AcceptedStream::Tls(stream, Box::new(tls)));
        let connection = Connection::new(SessionId::from_random([0; 16]), stream, 0);
        let secure = shard.all.insert(connection) as u32;
        [plain, secure].iter().for_each(|index| shard.join(*index, BLUE));
        shard.fanout.announce_presence(BLUE, b"blue");
        assert_eq!(shard.run(), []);
        shard.check_counts();
        assert_eq!(read_all(&shard.peers[plain as usize], 6), b"\x81\x04blue");
        peer.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout can be set");
        let mut got = [0; 6];
        rustls::StreamOwned::new(client, peer).read_exact(&mut got).expect("the frame comes");
        assert_eq!(&got, b"\x81\x04blue", "{way:?}");
    }
}

#[cfg(all(target_os = "linux", any(target_arch = "aarch64", target_arch = "x86_64")))]
mod refused {
    use std::collections::BTreeMap;
    use std::env::consts::ARCH;
    use std::{io, thread};

    use seccompiler::{SeccompAction, SeccompFilter, apply_filter};

    use super::*;

    /// From now on this thread gets nothing from a system call but this error.
    fn refuse(call: i64, error: i32) {
        let (rules, allow) = (BTreeMap::from([(call, Vec::new())]), SeccompAction::Allow);
        let arch = ARCH.try_into().expect("seccomp knows this processor");
        let filter = SeccompFilter::new(rules, allow, SeccompAction::Errno(error as u32), arch);
        let filter = filter.and_then(TryInto::try_into).expect("this is a filter");
        let filter: seccompiler::BpfProgram = filter;
        apply_filter(&filter).expect("a thread may refuse itself something");
    }

    #[test]
    fn a_kernel_that_refuses_the_ring_at_the_start_is_told_with_its_reason_and_the_way_out() {
        for (call, error, texts) in [
            (libc::SYS_io_uring_setup, libc::EPERM, ["forbidden", "kernel.io_uring_disabled"]),
            (libc::SYS_io_uring_enter, libc::EPERM, ["forbidden", "seccomp"]),
            (libc::SYS_io_uring_setup, libc::ENOSYS, ["does not have", "Linux 5.18"]),
            (libc::SYS_io_uring_setup, libc::EINVAL, ["does not have", "Linux 5.18"]),
            (libc::SYS_io_uring_setup, libc::ENOMEM, ["cannot set io_uring up now", "try again"]),
        ] {
            let refused = thread::spawn(move || {
                refuse(call, error);
                Ring::new().expect_err("the kernel refuses it")
            });
            let refused = refused.join().expect("there is an error");
            let message = refused.to_string();
            for text in texts.into_iter().chain(["without --io-uring"]) {
                assert!(message.contains(text), "{text} in {message}");
            }
            let source = std::error::Error::source(&refused).expect("it has a reason");
            assert_eq!(source.to_string(), io::Error::from_raw_os_error(error).to_string());
        }
    }

    #[test]
    fn when_the_kernel_refuses_the_ring_later_readers_are_written_to_one_by_one() {
        let refused = thread::spawn(|| {
            let mut shard = Shard::new(Way::Ring);
            let readers: Vec<_> = (0..10).map(|_| shard.connect()).collect();
            readers.iter().for_each(|index| shard.join(*index, BLUE));
            for text in [&b"ring"[..], b"write", b"more"] {
                shard.fanout.announce_presence(BLUE, text);
                assert_eq!(shard.run(), []);
                shard.check_counts();
                if text == b"ring" {
                    refuse(libc::SYS_io_uring_enter, libc::EPERM);
                }
            }
            assert!(format!("{:?}", shard.fanout).contains("is_refused: true"));
            for peer in &shard.peers {
                assert_eq!(read_all(peer, 19), b"\x81\x04ring\x81\x05write\x81\x04more");
            }
        });
        refused.join().expect("everybody gets everything");
    }
}
