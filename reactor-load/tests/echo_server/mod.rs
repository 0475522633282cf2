//! What the tests load.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener},
    thread,
};

/// A server for as long as the test runs.
pub fn start() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || {
                let (mut stream, mut bytes) = (stream, [0; 4096]);
                while let Ok(number @ 1..) = stream.read(&mut bytes) {
                    if stream.write_all(&bytes[..number]).is_err() {
                        return;
                    }
                }
            });
        }
    });
    address
}
