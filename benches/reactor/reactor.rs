//! What the reactor alone costs, beside the system calls that do the same without it.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant},
};

use bare::Epoll;
use criterion::{
    BenchmarkGroup, Criterion, criterion_group, criterion_main, measurement::WallTime,
};
use rustpython_reactor::reactor::{Direction, Source, block_on, poll_or_park, recv};

const MESSAGE: [u8; 64] = [b'x'; 64];

fn group<'a>(criterion: &'a mut Criterion, name: &str) -> BenchmarkGroup<'a, WallTime> {
    let mut group = criterion.benchmark_group(name);
    group
        .sample_size(50)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2));
    group
}

fn pair() -> (OwnedFd, OwnedFd) {
    bare::pair().expect("a pair of sockets can be made")
}

fn send(fd: impl AsFd) {
    bare::send(fd, &MESSAGE).expect("the message can be sent");
}

/// Blocks the thread until there is something to receive, as a blocking call of a socket does. Zero at the end.
fn receive(source: &Source) -> io::Result<usize> {
    let mut buffer = [0; 64];
    loop {
        let seen = source.tick(Direction::Read);
        match source.with_fd(|fd| recv(fd, &mut buffer, 0)) {
            Some(Err(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                block_on(source.ready_since(Direction::Read, seen), None)
                    .map_err(io::Error::other)??;
            }
            Some(result) => return result,
            None => return Ok(0),
        }
    }
}

/// A descriptor becomes known to the thread's epoll set, is waited for without patience, and is forgotten.
fn arm(criterion: &mut Criterion) {
    let mut group = group(criterion, "arm");
    group.bench_function("reactor", |bencher| {
        let (ours, _theirs) = pair();
        let mut ours = Some(ours);
        bencher.iter(|| {
            let source = Source::new(ours.take().expect("given back below"));
            let wait = std::pin::pin!(source.readable());
            let _ = poll_or_park(wait, Some(Instant::now()));
            ours = source.detach();
        });
    });
    group.bench_function("epoll_ctl", |bencher| {
        let (ours, _theirs) = pair();
        let epoll = Epoll::new().expect("an epoll set can be made");
        bencher.iter(|| {
            epoll.add(&ours)?;
            epoll.wait(0)?;
            epoll.remove(&ours)
        });
    });
}

/// A message is sent before the wait for it begins, so that the wait ends at once; then it is received.
fn wait_for_ready(criterion: &mut Criterion) {
    let mut group = group(criterion, "wait for ready");
    group.bench_function("reactor", |bencher| {
        let (ours, theirs) = pair();
        let source = Source::new(ours);
        bencher.iter(|| {
            let wait = source.readable();
            send(&theirs);
            block_on(wait, None)
                .map_err(io::Error::other)?
                .and_then(|()| receive(&source))
        });
    });
    group.bench_function("epoll_wait", |bencher| {
        let (ours, theirs) = pair();
        let epoll = Epoll::new().expect("an epoll set can be made");
        epoll.add(&ours).expect("the set takes the socket");
        let mut buffer = [0; 64];
        bencher.iter(|| {
            send(&theirs);
            epoll.wait(-1)?;
            bare::receive(&ours, &mut buffer, libc::MSG_DONTWAIT)
        });
    });
    group.bench_function("poll", |bencher| {
        let (ours, theirs) = pair();
        let mut buffer = [0; 64];
        bencher.iter(|| {
            send(&theirs);
            bare::wait(&ours)?;
            bare::receive(&ours, &mut buffer, libc::MSG_DONTWAIT)
        });
    });
}

/// There and back between two threads; `answer` runs in the second until it fails or says that it is over.
fn with_second_thread(
    mut answer: impl FnMut() -> io::Result<bool> + Send + 'static,
    measure: impl FnOnce(),
    end: impl FnOnce(),
) {
    let second = thread::spawn(move || while answer().is_ok_and(|goes_on| goes_on) {});
    measure();
    end();
    second.join().expect("the second thread ends");
}

/// Two threads wake each other without any data: there and back.
fn wake(criterion: &mut Criterion) {
    let mut group = group(criterion, "wake and be woken");
    group.bench_function("reactor", |bencher| {
        let ((here, _keep_here), (there, _keep_there)) = (pair(), pair());
        let (here, there) = (Arc::new(Source::new(here)), Arc::new(Source::new(there)));
        let (to_us, of_them) = (Arc::clone(&here), Arc::clone(&there));
        // Read before the other thread may wake it again.
        let mut wait = of_them.readable();
        let answer = move || {
            let woken = block_on(&mut wait, None).map_err(io::Error::other)?;
            wait = of_them.readable();
            to_us.wake_waiters();
            woken.map(|()| true)
        };
        let measure = || {
            bencher.iter(|| {
                let wait = here.readable();
                there.wake_waiters();
                block_on(wait, None)
            });
        };
        with_second_thread(answer, measure, || {
            let _ = there.close();
        });
    });
    group.bench_function("send and recv", |bencher| {
        let (ours, theirs) = pair();
        let answer = move || {
            let mut byte = [0];
            let received = bare::receive(&theirs, &mut byte, 0)?;
            bare::send(&theirs, &byte)?;
            Ok(received > 0)
        };
        let measure = || {
            bencher.iter(|| {
                let mut byte = [0];
                bare::send(&ours, &byte)?;
                bare::receive(&ours, &mut byte, 0)
            });
        };
        with_second_thread(answer, measure, || {
            bare::shut_down(&ours).expect("the pair can be shut down");
        });
    });
}

/// A message there and back, both threads asleep until the other has sent.
fn ping_pong(criterion: &mut Criterion) {
    let mut group = group(criterion, "ping-pong");
    group.bench_function("reactor", |bencher| {
        let (ours, theirs) = pair();
        let (ours, theirs) = (Source::new(ours), Source::new(theirs));
        let send_through = |source: &Source| source.with_fd(|fd| send(fd));
        let answer = move || {
            let goes_on = receive(&theirs)? > 0;
            if goes_on {
                send_through(&theirs);
            }
            Ok(goes_on)
        };
        let measure = || {
            bencher.iter(|| {
                send_through(&ours);
                receive(&ours)
            });
        };
        with_second_thread(answer, measure, || {
            ours.with_fd(|fd| bare::shut_down(fd));
        });
    });
    let mut bare_calls = |name, wait: fn(&OwnedFd) -> io::Result<()>| {
        group.bench_function(name, |bencher| {
            let (ours, theirs) = pair();
            let mut buffer = [0; 64];
            let answer = move || {
                wait(&theirs)?;
                let goes_on = bare::receive(&theirs, &mut buffer, 0)? > 0;
                if goes_on {
                    send(&theirs);
                }
                Ok(goes_on)
            };
            let measure = || {
                bencher.iter(|| {
                    send(&ours);
                    wait(&ours)?;
                    bare::receive(&ours, &mut buffer, 0)
                });
            };
            with_second_thread(answer, measure, || {
                bare::shut_down(&ours).expect("the pair can be shut down");
            });
        });
    };
    bare_calls("recv", |_| Ok(()));
    bare_calls("poll and recv", |fd| bare::wait(fd));
}

/// From the end of a socket in one thread to the return of the call that waited for it in another.
fn end_of_a_wait<S: Send + Sync + 'static>(
    rounds: u64,
    make: impl Fn(OwnedFd) -> S,
    wait: fn(&S),
    end: fn(&S),
) -> Duration {
    let (give, take) = mpsc::channel::<Arc<S>>();
    let (tell, hear) = mpsc::channel();
    let waiter = thread::spawn(move || {
        tell.send((bare::thread_id(), Instant::now()))?;
        for socket in take {
            wait(&socket);
            tell.send((bare::thread_id(), Instant::now()))?;
        }
        Ok::<_, mpsc::SendError<_>>(())
    });
    let (id, _) = hear.recv().expect("the thread tells its number");
    let mut total = Duration::ZERO;
    for _ in 0..rounds {
        let (ours, _theirs) = pair();
        let socket = Arc::new(make(ours));
        give.send(Arc::clone(&socket)).expect("the thread takes it");
        // Two looks at a distance: between two sockets the thread sleeps too, but not for long.
        let mut seen = 0;
        while seen < 2 {
            thread::yield_now();
            seen = if bare::is_asleep(id) { seen + 1 } else { 0 };
        }
        let begin = Instant::now();
        end(&socket);
        let (_, returned) = hear.recv().expect("the wait ends");
        total += returned.saturating_duration_since(begin);
    }
    drop(give);
    let _ = waiter.join();
    total
}

/// A socket is closed while another thread waits in a call on it. Without the reactor nothing but `shutdown` ends that call.
fn close(criterion: &mut Criterion) {
    let mut group = group(criterion, "close with a waiter");
    group.bench_function("reactor", |bencher| {
        bencher.iter_custom(|rounds| {
            end_of_a_wait(
                rounds,
                Source::new,
                |source| {
                    let _ = receive(source);
                },
                |source| {
                    let _ = source.close();
                },
            )
        });
    });
    group.bench_function("shutdown of a blocking recv", |bencher| {
        bencher.iter_custom(|rounds| {
            end_of_a_wait(
                rounds,
                |fd| fd,
                |fd| {
                    let _ = bare::receive(fd, &mut [0], 0);
                },
                |fd| {
                    let _ = bare::shut_down(fd);
                },
            )
        });
    });
}

criterion_group!(benches, arm, wait_for_ready, wake, ping_pong, close);
criterion_main!(benches);
