//! Futures on tokio, whose polls the background driver serves, and `block_on` on tokio's own threads.

use std::{
    future::{Future, poll_fn},
    io::Write,
    task::Poll,
};

use super::*;

fn on_tokio<F: Future<Output = ()> + Send + 'static>(future: F) {
    finish(|| {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .build()
            .expect("a runtime")
            .block_on(async {
                tokio::spawn(future).await.expect("the task");
            });
    });
}

async fn receive_async(source: &Source) -> io::Result<u8> {
    let mut byte = [0];
    loop {
        let ready = source.readable();
        match source.with_fd(|fd| recv(fd, &mut byte, 0)) {
            None => return Err(io::Error::from_raw_os_error(libc::EBADF)),
            Some(Err(error)) if error.kind() == io::ErrorKind::WouldBlock => ready.await?,
            Some(result) => return result.map(|_| byte[0]),
        }
    }
}

#[test]
fn many_tasks_ping_pong() {
    on_tokio(async {
        let mut tasks = Vec::new();
        for _ in 0..50 {
            let (ours, theirs) = sources();
            tasks.push(tokio::spawn(async move {
                for round in 0..100 {
                    ours.with_fd(|fd| send(fd, &[round]))
                        .expect("open")
                        .expect("sent");
                    assert_eq!(receive_async(&ours).await.expect("received"), round);
                }
            }));
            tasks.push(tokio::spawn(async move {
                for round in 0..100 {
                    assert_eq!(receive_async(&theirs).await.expect("received"), round);
                    theirs
                        .with_fd(|fd| send(fd, &[round]))
                        .expect("open")
                        .expect("sent");
                }
            }));
        }
        for task in tasks {
            task.await.expect("task");
        }
    });
}

#[test]
fn close_ends_an_awaited_wait() {
    on_tokio(async {
        for _ in 0..1_000 {
            let (source, _peer) = pair();
            let waiting = Arc::clone(&source);
            let task = tokio::spawn(async move { receive_async(&waiting).await });
            while source.waiting() == 0 {
                tokio::task::yield_now().await;
            }
            source.close().expect("close");
            assert_eq!(
                task.await
                    .expect("task")
                    .expect_err("closed")
                    .raw_os_error(),
                Some(libc::EBADF)
            );
        }
    });
}

#[test]
fn several_waits_of_one_source_in_one_task() {
    on_tokio(async {
        let (source, mut peer) = pair();
        let (one, two) = (source.readable(), source.readable());
        let waiting = Arc::clone(&source);
        let writer = thread::spawn(move || {
            until_waiting(&waiting, 2);
            peer.write_all(b"x").expect("write");
            peer
        });
        let mut waits = [Some(Box::pin(one)), Some(Box::pin(two))];
        poll_fn(|cx| {
            for wait in &mut waits {
                if wait
                    .as_mut()
                    .is_some_and(|future| future.as_mut().poll(cx).is_ready())
                {
                    *wait = None;
                }
            }
            if waits.iter().all(Option::is_none) {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
        drop(writer.join());
    });
}

#[test]
fn a_cancelled_wait_leaves_nothing() {
    on_tokio(async {
        let (source, _peer) = pair();
        for _ in 0..100 {
            let mut wait = Box::pin(source.readable());
            let polled = poll_fn(|cx| Poll::Ready(wait.as_mut().poll(cx))).await;
            assert!(polled.is_pending());
            assert_eq!(source.waiting(), 1);
        }
        assert_eq!(source.waiting(), 0);
    });
}

#[test]
fn block_on_on_a_worker_thread() {
    on_tokio(async {
        let (source, peer) = sources();
        let task = tokio::spawn(async move { receive(&source, None) });
        let writer = tokio::task::spawn_blocking(move || {
            transmit(&peer, 9).expect("sent");
            peer
        });
        assert_eq!(task.await.expect("task").expect("received"), 9);
        writer.await.expect("writer");
    });
}

#[test]
fn a_wait_moves_from_block_on_to_a_task() {
    on_tokio(async {
        let (source, mut peer) = pair();
        let mut wait = source.readable();
        assert!(block_on(&mut wait, Some(Instant::now())).is_err());
        let task = tokio::spawn(wait);
        while source.waiting() == 0 {
            tokio::task::yield_now().await;
        }
        peer.write_all(b"x").expect("write");
        task.await.expect("task").expect("open");
    });
}

#[test]
fn a_source_waited_for_by_a_thread_and_a_task() {
    on_tokio(async {
        let (source, mut peer) = pair();
        let (waiting, awaiting) = (Arc::clone(&source), Arc::clone(&source));
        let thread =
            tokio::task::spawn_blocking(move || receive(&waiting, None).expect("received"));
        let task = tokio::spawn(async move { receive_async(&awaiting).await.expect("received") });
        while source.waiting() < 2 {
            tokio::task::yield_now().await;
        }
        peer.write_all(b"ab").expect("write");
        let mut got = [thread.await.expect("thread"), task.await.expect("task")];
        got.sort_unstable();
        assert_eq!(&got, b"ab");
    });
}
