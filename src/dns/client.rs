use super::{config::Config, lookup::*, runtime::Runtime};
use std::{net::IpAddr, sync::Arc};
pub(super) struct Client(Runtime);
impl Client {
    pub(super) fn new(r: Runtime, _c: usize) -> Self {
        Self(r)
    }
    pub(super) fn runtime(&self) -> &Runtime {
        &self.0
    }
    pub(super) fn clear_cache(&self) {}
    pub(super) async fn addresses(
        &self,
        _c: &Arc<Config>,
        _n: &str,
        _f: Families,
    ) -> Result<HostAddresses, LookupFailure> {
        todo!()
    }
    pub(super) async fn names(
        &self,
        _c: &Arc<Config>,
        _a: IpAddr,
    ) -> Result<HostNames, LookupFailure> {
        todo!()
    }
}
