//! The faults in force: which of them a call meets.

use std::{
    borrow::Cow,
    sync::{Mutex, PoisonError},
};

use serde::Serialize;
use sesame_core::{Error, Result};

use crate::{
    fault::{FaultKind, FaultRule},
    random::Random,
};

/// The faults that one call meets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) latency_ms: u64,
    pub(crate) date_shift: i64,
    /// Strikes at the edge, before anything is checked.
    pub(crate) edge: Option<FaultKind>,
    /// Strikes where the gateway looks at limits, after signature and token.
    pub(crate) refusal: Option<FaultKind>,
    /// Strikes the answer on its way back.
    pub(crate) answer: Option<FaultKind>,
}

/// The rules in force.
#[derive(Debug)]
pub(crate) struct Faults {
    table: Mutex<FaultTable>,
}

#[derive(Debug)]
struct FaultTable {
    rules: Vec<NumberedRule>,
    next: u64,
    numbers: Random,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct NumberedRule {
    pub(crate) id: u64,
    #[serde(flatten)]
    pub(crate) rule: FaultRule,
    pub(crate) struck: u64,
}

/// Maximum number of rules at a time.
const MAX_RULES: usize = 1_000;

impl Faults {
    pub(crate) fn new(seed: u64, rules: &[FaultRule]) -> Result<Self> {
        let table = FaultTable { rules: Vec::new(), next: 1, numbers: Random::for_purpose(seed, "faults") };
        let faults = Self { table: Mutex::new(table) };
        for rule in rules {
            faults.add(rule.clone())?;
        }
        Ok(faults)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, FaultTable> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn add(&self, rule: FaultRule) -> Result<u64> {
        rule.check()?;
        let mut inner = self.lock();
        if inner.rules.len() >= MAX_RULES {
            return Err(Error::usage(format!("there are {MAX_RULES} faults already")));
        }
        let id = inner.next;
        inner.next += 1;
        inner.rules.push(NumberedRule { id, rule, struck: 0 });
        Ok(id)
    }

    /// Takes one rule out, or all of them.
    pub(crate) fn clear(&self, id: Option<u64>) -> usize {
        let mut inner = self.lock();
        let before = inner.rules.len();
        inner.rules.retain(|rule| id.is_some_and(|id| id != rule.id));
        before - inner.rules.len()
    }

    pub(crate) fn list(&self) -> Vec<NumberedRule> {
        self.lock().rules.clone()
    }

    /// Decides what a call meets and uses up the counts of the rules that strike.
    pub(crate) fn plan(&self, platform: &str, names: &[&str]) -> Option<Plan> {
        let mut inner = self.lock();
        let FaultTable { rules, numbers, .. } = &mut *inner;
        let mut plan = Plan::default();
        let mut struck = false;
        for numbered in rules.iter_mut() {
            let rule = &numbered.rule;
            if !rule.fits(platform, names) || rule.count.is_some_and(|count| numbered.struck >= count) {
                continue;
            }
            let slot = match rule.kind {
                FaultKind::Latency { .. } | FaultKind::WrongDate { .. } => None,
                FaultKind::DropBefore | FaultKind::Hang | FaultKind::Html | FaultKind::Status { .. } => {
                    Some(&mut plan.edge)
                }
                FaultKind::DropAfter
                | FaultKind::HangAfter
                | FaultKind::Empty
                | FaultKind::Truncated
                | FaultKind::Huge { .. } => Some(&mut plan.answer),
                FaultKind::Busy
                | FaultKind::CallLimit { .. }
                | FaultKind::BusinessFailure
                | FaultKind::IllegalToken
                | FaultKind::Error { .. } => Some(&mut plan.refusal),
            };
            // One fault of a sort a call; later rules keep their counts for later calls.
            if slot.as_ref().is_some_and(|slot| slot.is_some()) {
                continue;
            }
            if rule.probability.is_some_and(|share| numbers.share() >= share) {
                continue;
            }
            numbered.struck += 1;
            struck = true;
            match (&rule.kind, slot) {
                (FaultKind::Latency { ms }, _) => plan.latency_ms = plan.latency_ms.saturating_add(*ms),
                (FaultKind::WrongDate { seconds }, _) => plan.date_shift = *seconds,
                (kind, Some(slot)) => *slot = Some(kind.clone()),
                (_, None) => {}
            }
        }
        struck.then_some(plan)
    }
}

/// The page that edges send when they feel like it.
pub(crate) const EDGE_PAGE: &str = "<!DOCTYPE html><html><head><title>Sorry</title></head><body>\
<h1>Sorry, the page you visited is not available</h1><p>punish-component</p></body></html>";

/// The page of an edge with an error status.
pub(crate) fn status_page(status: u16) -> Cow<'static, str> {
    match status {
        502 => "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n</body>\r\n</html>\r\n".into(),
        other => format!("<html><head><title>{other}</title></head><body><h1>{other}</h1></body></html>").into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_used_up_and_shares_follow_the_seed() {
        let faults = Faults::new(1, &["busy@/a/*,count=2".parse().unwrap()]).unwrap();
        assert!(faults.plan("lazada", &["/b"]).is_none());
        for _ in 0..2 {
            assert_eq!(faults.plan("lazada", &["/a/x"]).unwrap().refusal, Some(FaultKind::Busy));
        }
        assert!(faults.plan("lazada", &["/a/x"]).is_none());

        let struck = |seed| {
            let faults = Faults::new(seed, &["html,probability=0.25".parse().unwrap()]).unwrap();
            (0..1_000).map(|_| faults.plan("lazada", &["/x"]).is_some()).collect::<Vec<_>>()
        };
        assert_eq!(struck(7), struck(7));
        assert_ne!(struck(7), struck(8));
        let count = struck(7).iter().filter(|struck| **struck).count();
        assert!((180..320).contains(&count), "{count}");
    }
}
