//! Closing: every waiter is woken, the number stays taken while a call is in flight, and nobody touches it afterwards.

use std::{
    io::Write,
    net::{TcpListener, UdpSocket},
    os::unix::net::UnixDatagram,
    sync::Barrier,
};

use socket2::{Domain, Socket, Type};

use super::*;

fn is_ebadf<T>(result: io::Result<T>) -> bool {
    result.is_err_and(|error| error.raw_os_error() == Some(libc::EBADF))
}

/// Blocks a thread on each of 1,000 sources and closes them, half of them before the thread is certain to wait.
fn close_wakes(make: impl Fn() -> OwnedFd, direction: Direction) {
    for round in 0..1_000 {
        let source = Arc::new(Source::new(make()));
        let waiting = Arc::clone(&source);
        let waiter = thread::spawn(move || {
            block_on(
                waiting.ready_since(direction, waiting.tick(direction)),
                None,
            )
        });
        if round % 2 == 0 {
            until_waiting(&source, 1);
        }
        // A source that is ready at once, such as an unconnected one, ends its wait with that.
        source.close().expect("close");
        assert!(is_ebadf(
            waiter.join().expect("waiter").expect("no deadline")
        ));
    }
}

#[test]
fn wakes_receivers_of_a_stream() {
    let (_ours, theirs) = UnixStream::pair().expect("pair");
    let peers = std::sync::Mutex::new(vec![theirs]);
    finish(move || {
        close_wakes(
            || {
                let (ours, theirs) = UnixStream::pair().expect("pair");
                // The peer of the round before goes: its source is closed.
                *peers.lock().expect("not poisoned") = vec![theirs];
                ours.into()
            },
            Direction::Read,
        );
    });
}

#[test]
fn wakes_receivers_of_datagrams() {
    finish(|| {
        close_wakes(
            || UdpSocket::bind("127.0.0.1:0").expect("bind").into(),
            Direction::Read,
        )
    });
    finish(|| {
        close_wakes(
            || UnixDatagram::unbound().expect("socket").into(),
            Direction::Read,
        )
    });
}

#[test]
fn wakes_acceptors() {
    finish(|| {
        close_wakes(
            || TcpListener::bind("127.0.0.1:0").expect("bind").into(),
            Direction::Read,
        )
    });
}

#[test]
fn wakes_connectors() {
    finish(|| {
        // A listener whose queue is full drops what comes next, so that connecting stays under way.
        let listener = Socket::new(Domain::IPV4, Type::STREAM, None).expect("socket");
        let any: std::net::SocketAddr = "127.0.0.1:0".parse().expect("an address");
        listener.bind(&any.into()).expect("bind");
        listener.listen(0).expect("listen");
        let address = listener.local_addr().expect("bound");
        let connect = |address: &socket2::SockAddr| {
            let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("socket");
            socket.set_nonblocking(true).expect("non-blocking");
            let _ = socket.connect(address);
            socket
        };
        let _queue: Vec<_> = (0..8).map(|_| connect(&address)).collect();
        let last = connect(&address);
        let mut entry = libc::pollfd {
            fd: last.as_raw_fd(),
            events: libc::POLLOUT,
            revents: 0,
        };
        // SAFETY: one valid entry.
        let ready = unsafe { libc::poll(&mut entry, 1, 50) };
        assert_eq!(ready, 0, "the queue is not full");
        close_wakes(|| connect(&address).into(), Direction::Write);
    });
}

#[test]
fn wakes_senders() {
    finish(|| {
        for _ in 0..1_000 {
            let (source, _peer) = pair();
            while source
                .with_fd(|fd| send(fd, &[0; 65536]))
                .expect("open")
                .is_ok()
            {}
            let waiting = Arc::clone(&source);
            let sender = thread::spawn(move || transmit(&waiting, 0));
            until_waiting(&source, 1);
            source.close().expect("close");
            assert!(is_ebadf(sender.join().expect("sender")));
        }
    });
}

#[test]
fn wakes_all_of_many_waiters() {
    finish(|| {
        for _ in 0..100 {
            let (source, _peer) = pair();
            let waiters: Vec<_> = (0..8)
                .map(|_| {
                    let source = Arc::clone(&source);
                    thread::spawn(move || receive(&source, None))
                })
                .collect();
            until_waiting(&source, 8);
            source.close().expect("close");
            assert!(
                waiters
                    .into_iter()
                    .all(|waiter| is_ebadf(waiter.join().expect("waiter")))
            );
        }
    });
}

#[test]
fn once_only() {
    let (source, _peer) = pair();
    source.close().expect("close");
    source.close().expect("again");
    assert!(source.is_closed() && source.fd().is_none() && source.with_fd(|_| ()).is_none());
    assert!(source.detach().is_none());
    assert!(is_ebadf(
        block_on(source.readable(), None).expect("no deadline")
    ));
}

#[test]
fn the_number_stays_taken_while_a_call_is_in_flight() {
    let (source, mut peer) = pair();
    let number = source.fd().expect("open");
    source
        .with_fd(|fd| {
            source.close().expect("close");
            assert!(source.is_closed());
            // Were the number free, `pair` could get it, and the byte could come from there.
            let _others: Vec<_> = (0..8).map(|_| pair()).collect();
            peer.write_all(b"x").expect("write");
            let mut byte = [0];
            assert_eq!(recv(fd, &mut byte, 0).expect("received"), 1);
            assert_eq!((fd.as_raw_fd(), byte), (number, *b"x"));
        })
        .expect("open at first");
    // Now it has gone: the peer sees the end.
    assert!(peer.write_all(b"y").is_err());
}

#[test]
fn no_byte_reaches_a_socket_that_got_a_closed_ones_number() {
    finish(|| {
        let (hand, handed) = mpsc::channel::<Arc<Source>>();
        let reader = thread::spawn(move || {
            for source in handed {
                match receive(&source, None) {
                    Ok(byte) => panic!("byte {byte} of another socket"),
                    // A call in flight while the peer goes sees the end of the stream.
                    Err(error) => assert!(
                        error.raw_os_error() == Some(libc::EBADF)
                            || error.kind() == io::ErrorKind::UnexpectedEof
                    ),
                }
            }
        });
        let mut reused = 0;
        for number in 0..10_000_u32 {
            let (source, peer) = pair();
            let fd = source.fd();
            hand.send(Arc::clone(&source)).expect("the reader runs");
            if number % 4 == 0 {
                until_waiting(&source, 1);
            }
            source.close().expect("close");
            drop(peer);
            // The next socket has a byte that the reader must never see.
            let (bait, mut bait_peer) = pair();
            reused += u32::from(bait.fd() == fd);
            bait_peer.write_all(&[2]).expect("write");
            assert_eq!(receive(&bait, None).expect("its own byte"), 2);
        }
        drop(hand);
        reader.join().expect("reader");
        assert!(
            reused > 100,
            "numbers were reused {reused} times only: nothing was tested"
        );
    });
}

#[test]
fn detach_hands_the_descriptor_over() {
    finish(|| {
        for _ in 0..1_000 {
            let (source, mut peer) = pair();
            let waiting = Arc::clone(&source);
            let waiter = thread::spawn(move || receive(&waiting, None));
            until_waiting(&source, 1);
            let number = source.fd();
            let descriptor = source.detach().expect("open");
            assert_eq!(Some(descriptor.as_raw_fd()), number);
            assert!(is_ebadf(waiter.join().expect("waiter")));
            drop(source);
            // Still open, and free to be adopted again on a thread whose driver has known it.
            let again = Source::new(descriptor);
            peer.write_all(b"x").expect("write");
            block_on(again.readable(), None)
                .expect("no deadline")
                .expect("ready");
            assert_eq!(receive(&again, None).expect("received"), b'x');
        }
    });
}

#[test]
fn detach_and_close_race_for_one_winner() {
    finish(|| {
        for _ in 0..1_000 {
            let (source, mut peer) = pair();
            let start = Arc::new(Barrier::new(3));
            let racers: Vec<_> = (0..2)
                .map(|_| {
                    let (source, start) = (Arc::clone(&source), Arc::clone(&start));
                    thread::spawn(move || {
                        start.wait();
                        source.detach()
                    })
                })
                .collect();
            start.wait();
            source.close().expect("close");
            let won: Vec<_> = racers
                .into_iter()
                .filter_map(|racer| racer.join().expect("racer"))
                .collect();
            assert!(won.len() < 2);
            if won.is_empty() {
                // Closed, not leaked: the peer sees the end.
                assert!(peer.write_all(b"x").is_err());
            } else {
                peer.write_all(b"x").expect("open");
            }
        }
    });
}

#[test]
fn a_duplicate_does_not_keep_the_registration() {
    finish(|| {
        let (source, mut peer) = pair();
        peer.write_all(b"x").expect("write");
        block_on(source.readable(), None)
            .expect("no deadline")
            .expect("ready");
        let number = source.fd().expect("open");
        let kept = duplicate(&source);
        source.close().expect("close");
        // A second source gets the number, on the same open file description, at the same driver.
        // SAFETY: both numbers are this test's; another test may take `number` meanwhile, and then the kernel gives another.
        let fd = unsafe { libc::fcntl(kept.as_raw_fd(), libc::F_DUPFD_CLOEXEC, number) };
        // SAFETY: new, and nobody else's.
        let again = Source::new(unsafe { OwnedFd::from_raw_fd(fd) });
        assert_eq!(receive(&again, None).expect("received"), b'x');
        let writer = thread::spawn(move || peer.write_all(b"y").map(|()| peer));
        assert_eq!(receive(&again, None).expect("received"), b'y');
        drop(writer.join().expect("writer"));
        drop(kept);
    });
}
