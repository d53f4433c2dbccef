//! Faults that are one rule of the gateway: cut points, toxics, half-open or idle connections. The rule's own counts
//! are the evidence.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::super::{HasGateway, Injection, NemesisError, decisive};
use crate::gateway::{Cut, DropState, Expiry, Rule, RuleKind};
use crate::model::fault::{CutPoint, Point, Scope, Strike, Toxic, ToxicKind};
use crate::model::history::Evidence;

/// A rule in force until heal.
pub(crate) struct RuleFault {
    /// The name of the fault; it selects the rule's random draws.
    name: String,
    what: RuleKind,
    rule: Option<Arc<Rule>>,
}

impl RuleFault {
    /// `name`: the fault in words, which selects its random draws.
    pub fn new(name: String, what: RuleKind) -> RuleFault {
        RuleFault { name, what, rule: None }
    }

    /// A rule for connections that are idle for `after`.
    pub fn idle(name: String, after: Duration, then: Expiry) -> RuleFault {
        RuleFault::new(name, RuleKind::Idle { after, then })
    }
}

#[async_trait]
impl<E: HasGateway + ?Sized> Injection<E> for RuleFault {
    async fn inject(&mut self, environment: &E) -> Result<(), NemesisError> {
        self.rule = Some(environment.gateway().install(&self.name, self.what).await);
        Ok(())
    }

    async fn heal(&mut self, environment: &E) -> Result<(), NemesisError> {
        match (&self.rule, self.what) {
            // A half-open connection is not repaired: it stays so until the client closes it.
            (_, RuleKind::DropState(_)) | (None, _) => {}
            (Some(rule), _) => environment.gateway().remove(rule).await,
        }
        Ok(())
    }

    async fn evidence(&mut self, _environment: &E) -> Result<Vec<Evidence>, NemesisError> {
        let (bytes, strikes) = self.rule.as_ref().map_or((0, 0), |rule| (rule.tally.bytes(), rule.tally.strikes()));
        Ok(found(self.what, bytes as usize, strikes as usize))
    }
}

/// Returns a rule's counts as evidence, named as in the catalogue of faults.
fn found(what: RuleKind, bytes: usize, strikes: usize) -> Vec<Evidence> {
    match what {
        RuleKind::CutPoint(cut) => vec![struck(cut, strikes)],
        RuleKind::Toxic(toxic) => vec![touched(toxic, bytes, strikes)],
        RuleKind::DropState(DropState::ServerSide | DropState::Silently)
        | RuleKind::Idle { then: Expiry::DropState, .. } => {
            vec![decisive("RSTs sent", strikes)]
        }
        RuleKind::Idle { then: Expiry::Cut(Cut::Close), .. } => vec![decisive("connections closed", strikes)],
        RuleKind::Idle { then: Expiry::Cut(Cut::Reset), .. } => vec![decisive("connections reset", strikes)],
    }
}

fn struck(CutPoint { point, strike, .. }: CutPoint, strikes: usize) -> Evidence {
    use Point::{Authentication, CommitReply, DataRow, EncryptionRequest, Startup, StartupForwarded};
    let goes_no_further = matches!(strike, Strike::Hold | Strike::Drop);
    let what = match point {
        // The server's CommandComplete for the COMMIT was withheld, which proves that the commit was executed.
        CommitReply => "executed commits with their reply withheld",
        EncryptionRequest | Startup | StartupForwarded | Authentication if goes_no_further => "handshakes withheld",
        _ if goes_no_further => "messages withheld",
        DataRow => "rows cut in two",
        _ => "cut points hit",
    };
    decisive(what, strikes)
}

fn touched(toxic: Toxic, bytes: usize, strikes: usize) -> Evidence {
    match (toxic.kind, toxic.scope) {
        (ToxicKind::Latency { .. } | ToxicKind::Bandwidth { .. } | ToxicKind::Slicer { .. }, _) => {
            decisive("bytes delayed", bytes)
        }
        (ToxicKind::Stall { .. }, Scope::Established) => decisive("flows withheld", strikes),
        (ToxicKind::Stall { .. }, _) => decisive("bytes withheld", bytes),
        (ToxicKind::Limit { .. }, _) => decisive("connections closed", strikes),
        (ToxicKind::SlowClose { .. }, _) => decisive("ends delayed", strikes),
        (ToxicKind::Reset { .. }, _) => decisive("connections reset", strikes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_that_did_nothing_proves_nothing() {
        let cut = CutPoint { point: Point::DataRow, strike: Strike::Reset, times: None };
        let stall = ToxicKind::Stall { close_after: None };
        let whats = [
            RuleKind::CutPoint(cut),
            RuleKind::Toxic(stall.into()),
            RuleKind::DropState(DropState::ServerSide),
            RuleKind::Idle { after: Duration::from_secs(2), then: Expiry::Cut(Cut::Close) },
        ];
        for what in whats {
            let none = found(what, 0, 0);
            assert!(none.iter().all(|found| found.count == 0) && none.iter().any(|found| found.decisive), "{none:?}");
            let some = found(what, 7, 3);
            assert!(some.iter().any(|found| found.decisive && found.count > 0), "{some:?}");
        }
    }

    #[test]
    fn evidence_is_named_as_in_the_catalogue() {
        let cut = |point, strike| RuleKind::CutPoint(CutPoint { point, strike, times: None });
        let named = |what| found(what, 7, 3)[0].what.clone();
        assert_eq!(named(cut(Point::FirstReply, Strike::Reset)), "cut points hit");
        assert_eq!(named(cut(Point::CommitReply, Strike::Reset)), "executed commits with their reply withheld");
        assert_eq!(named(cut(Point::Authentication, Strike::Drop)), "handshakes withheld");
        assert_eq!(named(cut(Point::Startup, Strike::Reset)), "cut points hit");
        let toxic = |kind: ToxicKind, scope| RuleKind::Toxic(Toxic { scope, ..kind.into() });
        let stall = ToxicKind::Stall { close_after: None };
        assert_eq!(named(toxic(stall, Scope::Every)), "bytes withheld");
        assert_eq!(named(toxic(stall, Scope::Established)), "flows withheld");
        assert_eq!(named(toxic(ToxicKind::Bandwidth { bytes_per_second: 1 }, Scope::Every)), "bytes delayed");
    }
}
