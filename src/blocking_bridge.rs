use std::{future::Future, time::Instant};
use rustpython_vm::{PyResult, VirtualMachine};
pub fn block_on<F: Future>(_vm: &VirtualMachine, future: F, _deadline: Option<Instant>) -> PyResult<F::Output> {
    struct Unpark(std::thread::Thread);
    impl std::task::Wake for Unpark { fn wake(self: std::sync::Arc<Self>) { self.0.unpark() } }
    let waker = std::sync::Arc::new(Unpark(std::thread::current())).into();
    let mut cx = std::task::Context::from_waker(&waker);
    let mut future = std::pin::pin!(future);
    loop {
        if let std::task::Poll::Ready(v) = future.as_mut().poll(&mut cx) { return Ok(v); }
        std::thread::park();
    }
}
