//! Look-ups that no thread waits for: an event loop starts them and watches one descriptor for all.

use std::{
    collections::HashMap,
    fmt,
    fs::File,
    io::{self, Read, Write},
    os::fd::{AsRawFd, RawFd},
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, Waker},
};

use tokio::task::AbortHandle;

use crate::{
    dns::{AddrInfo, EaiError, Resolver},
    reactor,
};

type Answer = Result<Vec<AddrInfo>, EaiError>;

/// `None`: the runtime has dropped the look-up, as an application's does when it is shut down. Somebody else has to be asked.
type Ended = Option<Answer>;

/// A look-up that the runtime has taken over. It ends, one way or another.
struct Promise {
    queue: Weak<Queue>,
    id: u64,
    ended: Ended,
}

impl Drop for Promise {
    fn drop(&mut self) {
        if let Some(queue) = self.queue.upgrade() {
            queue.finish(self.id, self.ended.take());
        }
    }
}

struct Queue {
    /// An eventfd(2), readable while there are answers.
    event: File,
    state: Mutex<State>,
    next: AtomicU64,
}

#[derive(Default)]
struct State {
    /// `None`: about to start.
    running: HashMap<u64, Option<AbortHandle>>,
    finished: Vec<(u64, Ended)>,
}

/// How a look-up began.
enum Started {
    /// It had its answer at once.
    Answered(Answer),
    Running(u64),
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue").finish_non_exhaustive()
    }
}

impl Queue {
    fn new() -> io::Result<Self> {
        Ok(Self {
            event: reactor::eventfd(0)?.into(),
            state: Mutex::default(),
            next: AtomicU64::new(0),
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn start(
        self: &Arc<Self>,
        resolver: &Resolver,
        mut answer: Pin<Box<dyn Future<Output = Answer> + Send>>,
    ) -> io::Result<Started> {
        // Hosts files and caches answer at the first poll. Whoever polls next brings a waker of its own.
        if let Poll::Ready(answer) = answer
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()))
        {
            return Ok(Started::Answered(answer));
        }
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let promise = Promise {
            queue: Arc::downgrade(self),
            id,
            ended: None,
        };
        self.lock().running.insert(id, None);
        // Without the lock, which the promise takes: a runtime that was shut down drops it at once.
        let spawned = resolver.spawn(async move {
            // All of it, and not a field.
            let mut promise = promise;
            promise.ended = Some(answer.await);
        });
        let mut state = self.lock();
        match spawned {
            Ok(handle) => {
                // It may have ended already.
                if let Some(running) = state.running.get_mut(&id) {
                    *running = Some(handle);
                }
                Ok(Started::Running(id))
            }
            Err(error) => {
                state.running.remove(&id);
                state.finished.retain(|(finished, _)| *finished != id);
                Err(error)
            }
        }
    }

    fn finish(&self, id: u64, ended: Ended) {
        let mut state = self.lock();
        if state.running.remove(&id).is_some() {
            state.finished.push((id, ended));
            // It fails only where it is readable already.
            let _ = (&self.event).write(&1_u64.to_ne_bytes());
        }
    }

    /// The answers that came since the last call.
    fn take(&self) -> Vec<(u64, Ended)> {
        let mut state = self.lock();
        // It fails only where there is nothing to take.
        let _ = (&self.event).read(&mut [0; 8]);
        std::mem::take(&mut state.finished)
    }

    fn cancel(&self, id: u64) {
        let mut state = self.lock();
        state.finished.retain(|(finished, _)| *finished != id);
        let running = state.running.remove(&id).flatten();
        // Without the lock: the look-up may be dropped here and now.
        drop(state);
        if let Some(handle) = running {
            handle.abort();
        }
    }

    fn descriptor(&self) -> RawFd {
        self.event.as_raw_fd()
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        for handle in state.running.values().flatten() {
            handle.abort();
        }
    }
}

#[rustpython_vm::pymodule(sub, name = "_reactor")]
pub(crate) mod classes {
    use std::sync::Arc;

    use rustpython_vm::{
        Py, PyObjectRef, PyPayload, PyResult, VirtualMachine, pyclass, types::Constructor,
    };

    use super::{Answer, Ended, Queue, Started};
    use crate::{
        dns::Path,
        errors,
        socket_module::{
            addrinfo::{GetAddrInfoArgs, answer_tuples},
            name_errors, resolvers,
        },
    };

    /// LookupQueue() -> a set of look-ups under way, for an event loop
    ///
    /// Its descriptor becomes readable when one of them has ended. No thread waits for them.
    #[pyattr]
    #[pyclass(name, module = "_reactor")]
    #[derive(Debug, PyPayload)]
    struct LookupQueue {
        queue: Arc<Queue>,
    }

    impl Constructor for LookupQueue {
        type Args = ();

        fn py_new(
            _class: &Py<rustpython_vm::builtins::PyType>,
            (): (),
            vm: &VirtualMachine,
        ) -> PyResult<Self> {
            let queue = Queue::new().map_err(|error| errors::from_io(vm, &error))?;
            Ok(Self {
                queue: Arc::new(queue),
            })
        }
    }

    #[pyclass(with(Constructor))]
    impl LookupQueue {
        /// fileno() -> the descriptor to watch
        #[pymethod]
        fn fileno(zelf: &Py<Self>) -> i32 {
            zelf.queue.descriptor()
        }

        /// start(host, port, family=0, type=0, proto=0, flags=0) -> what getaddrinfo() returns, if that needs no
        /// waiting; else the number of the look-up; None if only a thread can wait for it
        #[pymethod]
        fn start(
            zelf: &Py<Self>,
            args: GetAddrInfoArgs,
            vm: &VirtualMachine,
        ) -> PyResult<PyObjectRef> {
            let question = args.question(vm)?;
            let resolver = resolvers::of(vm);
            let (host, service) = (question.host.as_deref(), question.service.as_deref());
            if resolver.explain(host, service, question.hints).path == Path::Libc {
                return Ok(vm.ctx.none());
            }
            question.audit(vm)?;
            let asked = resolver.clone();
            let answer = Box::pin(async move {
                asked
                    .resolve(question.host, question.service, question.hints, None)
                    .await
            });
            match zelf.queue.start(&resolver, answer) {
                Ok(Started::Answered(answer)) => answered(vm, answer),
                Ok(Started::Running(id)) => Ok(vm.ctx.new_int(id).into()),
                Err(error) => Err(errors::from_io(vm, &error)),
            }
        }

        /// finished() -> [(number, result or exception), ...] of the look-ups that have ended since the last call; the result is
        /// None if a thread has to wait for it after all
        #[pymethod]
        fn finished(zelf: &Py<Self>, vm: &VirtualMachine) -> Vec<PyObjectRef> {
            let tuple = |(id, ended): (u64, Ended)| {
                let result = match ended {
                    Some(answer) => answered(vm, answer).unwrap_or_else(Into::into),
                    None => vm.ctx.none(),
                };
                vm.ctx
                    .new_tuple(vec![vm.ctx.new_int(id).into(), result])
                    .into()
            };
            zelf.queue.take().into_iter().map(tuple).collect()
        }

        /// cancel(number): forget a look-up
        #[pymethod]
        fn cancel(zelf: &Py<Self>, id: u64) {
            zelf.queue.cancel(id);
        }
    }

    fn answered(vm: &VirtualMachine, answer: Answer) -> PyResult<PyObjectRef> {
        let list = answer.map_err(|error| name_errors::gaierror(vm, &error))?;
        Ok(vm.ctx.new_list(answer_tuples(vm, list, None)?).into())
    }
}
