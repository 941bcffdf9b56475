//! The portfolio's budget as the term knows it.

use std::collections::BTreeMap;

use crate::budget::{Admission, Budget};
use crate::holder::io::Now;

/// The portfolio's 24-hour budget, with what was marked in this term: marks that were read may be older.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(in crate::holder) struct BudgetBook {
    pub(in crate::holder) budget: Option<Budget>,
    /// Written down.
    marked: BTreeMap<String, u32>,
    /// Being written down: free for messages of the same block, which wait for the same writing.
    pending: Vec<(u64, String, u32)>,
}

impl BudgetBook {
    pub(super) fn admit(
        &mut self,
        block: u64,
        recipient: &str,
        counted_in: Option<u32>,
        now: Now,
    ) -> Admission {
        let Some(budget) = &mut self.budget else {
            return Admission::Free;
        };
        let pending = self.pending.iter();
        let pending = pending.filter(|(b, who, _)| *b == block && who == recipient);
        let counted_in = counted_in
            .max(self.marked.get(recipient).copied())
            .max(pending.map(|(.., bucket)| *bucket).max());
        let admission = budget.admit(counted_in, false, now.wall);
        if let Admission::Count { bucket, .. } = admission {
            self.pending.push((block, recipient.to_owned(), bucket));
        }
        admission
    }

    pub(super) fn take_changes(&mut self) -> Vec<(u32, i64)> {
        self.budget
            .as_mut()
            .map(Budget::take_changes)
            .unwrap_or_default()
    }

    /// The marks and counts of a block are written down, or may not be.
    pub(super) fn flushed(&mut self, block: u64, written: bool, counts: Vec<(u32, i64)>) {
        let (done, pending) = std::mem::take(&mut self.pending)
            .into_iter()
            .partition(|(b, ..)| *b == block);
        self.pending = pending;
        let done: Vec<(u64, String, u32)> = done;
        if written {
            let marked = done.into_iter().map(|(_, who, bucket)| (who, bucket));
            self.marked.extend(marked);
        } else if let Some(budget) = &mut self.budget {
            budget.restore_changes(counts);
        }
    }
}
