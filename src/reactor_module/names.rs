//! What Python may ask of the resolver, and tell it.

#[rustpython_vm::pymodule(sub, name = "_reactor")]
pub(crate) mod functions {
    use rustpython_vm::{PyResult, VirtualMachine};

    use crate::socket_module::{addrinfo::GetAddrInfoArgs, resolvers};

    /// explain_resolve(host, port=None, family=0, type=0, proto=0, flags=0) -> (path, reason)
    ///
    /// Which way getaddrinfo() with these arguments would take, and why; nobody is asked.
    #[pyfunction]
    fn explain_resolve(args: GetAddrInfoArgs, vm: &VirtualMachine) -> PyResult<(String, String)> {
        let question = args.question(vm)?;
        let (host, service) = (question.host.as_deref(), question.service.as_deref());
        let route = resolvers::of(vm).explain(host, service, question.hints);
        Ok((route.path.as_str().into(), route.reason.into_owned()))
    }

    /// dns_cache_clear()
    ///
    /// Forget what name servers have answered; the next look-ups ask again.
    #[pyfunction]
    fn dns_cache_clear(vm: &VirtualMachine) {
        resolvers::of(vm).clear_cache();
    }
}
