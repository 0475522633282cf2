//! Replies that still hold, at most so many of them; the least recently used goes first.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::{Duration, Instant},
};

use hickory_resolver::proto::rr::RecordType;

use super::answer::Reply;

/// A name without a dot at its end, and the type asked for. Spellings are kept apart, because an answer repeats the spelling
/// of the question in the server's way.
pub(super) type Question = (Arc<str>, RecordType);

pub(super) struct Cache {
    entries: HashMap<Question, Entry>,
    /// The questions in the order of their last use.
    uses: BTreeMap<u64, Question>,
    next_use: u64,
    most: usize,
}

struct Entry {
    reply: Arc<Reply>,
    expires: Instant,
    used: u64,
}

impl Cache {
    pub(super) fn new(most: usize) -> Self {
        Self {
            entries: HashMap::new(),
            uses: BTreeMap::new(),
            next_use: 0,
            most,
        }
    }

    pub(super) fn get(&mut self, question: &Question, now: Instant) -> Option<Arc<Reply>> {
        let entry = self.entries.get_mut(question)?;
        if entry.expires <= now {
            let used = entry.used;
            self.uses.remove(&used);
            self.entries.remove(question);
            return None;
        }
        if let Some(question) = self.uses.remove(&entry.used) {
            entry.used = self.next_use;
            self.uses.insert(self.next_use, question);
            self.next_use += 1;
        }
        Some(entry.reply.clone())
    }

    pub(super) fn put(&mut self, question: Question, reply: Arc<Reply>, now: Instant) {
        let life = Duration::from_secs(reply.ttl.into());
        let Some(expires) = now.checked_add(life) else {
            return;
        };
        if life.is_zero() || self.most == 0 {
            return;
        }
        if let Some(before) = self.entries.remove(&question) {
            self.uses.remove(&before.used);
        }
        while self.entries.len() >= self.most {
            let Some((_, oldest)) = self.uses.pop_first() else {
                break;
            };
            self.entries.remove(&oldest);
        }
        let used = self.next_use;
        self.next_use += 1;
        self.uses.insert(used, question.clone());
        let entry = Entry {
            reply,
            expires,
            used,
        };
        self.entries.insert(question, entry);
    }
}
