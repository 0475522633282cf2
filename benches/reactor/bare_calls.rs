//! The system calls of some cases of `benches/compare/`, bare: no interpreter can be faster than these.

use std::{
    net::{TcpListener, TcpStream, UdpSocket},
    time::{Duration, Instant},
};

use criterion::{Criterion, criterion_group, criterion_main};

const MESSAGE: [u8; 64] = [b'x'; 64];

/// How many connections wait for `accept` at a time.
const BACKLOG: u64 = 100;

fn ready(criterion: &mut Criterion) {
    let (left, right) = bare::pair().expect("a pair of sockets can be made");
    let mut buffer = [0; 64];
    criterion.bench_function("ready.send_recv", |bencher| {
        bencher.iter(|| {
            bare::send(&left, &MESSAGE)?;
            bare::receive(&right, &mut buffer, 0)
        });
    });
    let sock = UdpSocket::bind("127.0.0.1:0").expect("a UDP socket can be bound");
    let address = sock.local_addr().expect("it has an address");
    criterion.bench_function("ready.sendto_recvfrom", |bencher| {
        bencher.iter(|| {
            sock.send_to(&MESSAGE, address)?;
            sock.recv_from(&mut buffer)
        });
    });
}

fn connections(criterion: &mut Criterion) {
    criterion.bench_function("connections.create_close", |bencher| {
        bencher.iter(|| bare::tcp_socket().map(drop));
    });
    let listener = TcpListener::bind("127.0.0.1:0").expect("a listener can be made");
    let address = listener.local_addr().expect("it has an address");
    criterion.bench_function("connections.accept", |bencher| {
        bencher.iter_custom(|count| {
            let mut total = Duration::ZERO;
            let mut left = count;
            while left > 0 {
                let now = left.min(BACKLOG);
                left -= now;
                let connect = || TcpStream::connect(address).expect("the listener is there");
                let _clients: Vec<TcpStream> = (0..now).map(|_| connect()).collect();
                let mut accepted = Vec::with_capacity(BACKLOG as usize);
                let begin = Instant::now();
                for _ in 0..now {
                    accepted.push(listener.accept());
                }
                total += begin.elapsed();
            }
            total
        });
    });
    criterion.bench_function("connections.churn", |bencher| {
        bencher.iter(|| {
            let client = TcpStream::connect(address)?;
            let server = listener.accept()?;
            drop(client);
            drop(server);
            std::io::Result::Ok(())
        });
    });
}

fn configured() -> Criterion {
    Criterion::default()
        .sample_size(50)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
}

criterion_group! { name = benches; config = configured(); targets = ready, connections }
criterion_main!(benches);
