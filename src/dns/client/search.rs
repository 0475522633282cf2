//! Which names are tried for a host, and which failure counts in the end: the rules of `res_search(3)` and of `search` and
//! `ndots` in resolv.conf(5).

use crate::dns::{
    config::ResolvConf,
    lookup::{HostAddresses, LookupFailure},
};

/// What came of one attempt at one name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Attempt {
    Found(HostAddresses),
    /// The answer to the whole look-up.
    Final(LookupFailure),
    NoName,
    NoData,
    /// Every server said SERVFAIL or the like; another name may fare better.
    ServerFailure,
    /// No server gave an answer, and none would for another name.
    NoAnswer,
    /// Nobody listens where the servers should be.
    Unreachable,
}

/// The state of one look-up. Call [`Search::next`] for a name and [`Search::note`] with what came of it, in turns.
pub(super) struct Search<'a> {
    name: &'a str,
    domains: std::slice::Iter<'a, String>,
    stage: Stage,
    dots: u32,
    ndots: u32,
    tried_as_is: bool,
    root_searched: bool,
    /// The failure of the name as it is, tried first.
    first: Option<LookupFailure>,
    no_data: bool,
    server_failure: bool,
    last: LookupFailure,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Start,
    First,
    Domains,
    Last,
    Over,
}

impl<'a> Search<'a> {
    pub(super) fn new(name: &'a str, resolv: &'a ResolvConf) -> Self {
        let dots = name.bytes().filter(|byte| *byte == b'.').count();
        Self {
            name,
            domains: resolv.search.iter(),
            stage: Stage::Start,
            dots: u32::try_from(dots).unwrap_or(u32::MAX),
            ndots: resolv.ndots,
            tried_as_is: false,
            root_searched: false,
            first: None,
            no_data: false,
            server_failure: false,
            last: LookupFailure::NotFound,
        }
    }

    fn absolute(&self) -> bool {
        self.name.ends_with('.')
    }

    /// The next name to ask for, without a dot at its end; or what the look-up came to.
    pub(super) fn next(&mut self) -> Result<String, LookupFailure> {
        if self.stage == Stage::Start {
            self.stage = Stage::First;
            if self.dots >= self.ndots || self.absolute() {
                self.tried_as_is = true;
                return Ok(self.as_is());
            }
        }
        if self.stage == Stage::First {
            if self.absolute() {
                return Err(self.last);
            }
            self.stage = Stage::Domains;
        }
        if self.stage == Stage::Domains {
            if let Some(domain) = self.domains.next() {
                let domain = domain.strip_prefix('.').unwrap_or(domain);
                self.root_searched |= domain.is_empty();
                let domain = domain.strip_suffix('.').unwrap_or(domain);
                return match domain {
                    "" => Ok(self.as_is()),
                    _ => Ok(format!("{}.{domain}", self.name)),
                };
            }
            self.stage = Stage::Last;
            if !self.tried_as_is && !self.root_searched {
                return Ok(self.as_is());
            }
        }
        Err(self.outcome())
    }

    fn as_is(&self) -> String {
        self.name.strip_suffix('.').unwrap_or(self.name).to_owned()
    }

    /// Takes what came of the name handed out last; `Some` ends the look-up.
    pub(super) fn note(
        &mut self,
        attempt: Attempt,
    ) -> Option<Result<HostAddresses, LookupFailure>> {
        let (failure, go_on) = match &attempt {
            Attempt::Found(_) | Attempt::Final(_) => (LookupFailure::NotFound, false),
            Attempt::NoName => (LookupFailure::NotFound, true),
            Attempt::NoData => (LookupFailure::NoData, true),
            Attempt::ServerFailure => (LookupFailure::TryAgain, true),
            Attempt::NoAnswer | Attempt::Unreachable => (LookupFailure::TryAgain, false),
        };
        match attempt {
            Attempt::Found(addresses) => return Some(Ok(addresses)),
            Attempt::Final(failure) => return Some(Err(failure)),
            Attempt::Unreachable if self.stage == Stage::Domains => {
                return Some(Err(LookupFailure::TryAgain));
            }
            _ => {}
        }
        self.last = failure;
        match self.stage {
            Stage::First => self.first = Some(failure),
            Stage::Domains => {
                self.no_data |= failure == LookupFailure::NoData;
                self.server_failure |= attempt == Attempt::ServerFailure;
                if !go_on {
                    self.domains = [].iter();
                }
            }
            Stage::Last => self.stage = Stage::Over,
            Stage::Start | Stage::Over => {}
        }
        None
    }

    fn outcome(&self) -> LookupFailure {
        match self.first {
            Some(first) => first,
            None if self.no_data => LookupFailure::NoData,
            None if self.server_failure => LookupFailure::TryAgain,
            None => self.last,
        }
    }
}
