//! A stateful device that forgets idle connections: the filter's own connection table, with other timeouts.
//!
//! A forgotten flow stays forgotten. After heal the timeout of the device is the usual one again, but the device
//! still treats packets of lost connections as a stateful firewall treats those whose beginning it has not seen. So
//! heal restores the timeout, and the rules stay for the rest of the run.
//!
//! How the timeout is changed for flows that are idle already: see `netns/conntrack`. An expired flow counts as
//! evidence if the client still has its socket open; a flow that only keepalive probes kept alive counts as well.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::{Mutex, MutexGuard};
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::task::AbortOnDropHandle;

use super::super::{Injection, NemesisError, decisive, supporting};
use super::kernel;
use crate::environment::Environment;
use crate::model::history::Evidence;
use crate::netns::{Filter, Flow, FlowTable, PacketCapture, PacketRule, ProbeDetector, Way};

/// Interval between looks at the table: a tenth of the shortest idle timeout (1 s).
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// The device's answer to packets of unknown connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// None: they are dropped.
    Silent,
    /// An RST to the sender.
    Reset,
}

/// Idle connections forgotten until heal.
pub(crate) struct ForgettingIdle {
    after: Duration,
    style: Style,
    probes: Option<Probes>,
    watch: Option<Watch>,
    filter: Option<Filter>,
}

impl ForgettingIdle {
    pub fn new(after: Duration, style: Style) -> ForgettingIdle {
        ForgettingIdle { after, style, probes: None, watch: None, filter: None }
    }

    fn look(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        if let (Some(watch), Some(probes)) = (&mut self.watch, &self.probes) {
            watch.look(&probes.follower(), self.after, || {
                kernel(environment)?.open_sockets().map_err(NemesisError::from)
            })?;
        }
        Ok(())
    }
}

#[async_trait]
impl Injection for ForgettingIdle {
    async fn arm(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        // Before the client connects: a probe is recognised only by comparison with earlier packets of its
        // connection.
        self.probes = Some(Probes::watch(kernel(environment)?.capture()?));
        Ok(())
    }

    async fn inject(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        let kernel = kernel(environment)?;
        self.filter = Some(kernel.install(&rules(self.style)).await?);
        kernel.forget_after(Some(self.after))?;
        if let Some(probes) = &self.probes {
            probes.follower().probes = [0, 0];
        }
        self.watch = Some(Watch::begin(kernel.flows()?)?);
        Ok(())
    }

    async fn go_on(&mut self, environment: &Environment) {
        let mut looks = interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            looks.tick().await;
            // The next look makes up for one that fails; heal reports if the last one fails.
            let _ = self.look(environment);
        }
    }

    async fn heal(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        let looked = self.look(environment);
        kernel(environment)?.forget_after(None)?;
        if let Some(watch) = &mut self.watch {
            watch.is_over = true;
        }
        looked
    }

    async fn evidence(&mut self, environment: &Environment) -> Result<Vec<Evidence>, NemesisError> {
        self.look(environment)?;
        let (Some(filter), Some(watch), Some(probes)) = (&self.filter, &self.watch, &mut self.probes) else {
            return Ok(Vec::new());
        };
        if let Some(failed) = probes.failed() {
            return Err(failed.into());
        }
        let mut found = vec![
            decisive("flows expired", watch.expired.len()),
            // Without its probes the flow would have expired, so the fault affected it, and keepalive worked.
            decisive("flows kept alive by probes", watch.kept.difference(&watch.expired).count()),
        ];
        for (what, count) in kernel(environment)?.count(filter).await? {
            found.push(supporting(what, count as usize));
        }
        let [client, server] = probes.follower().probes;
        found.push(supporting("keepalives seen from the client", client as usize));
        found.push(supporting("keepalives seen from the server", server as usize));
        Ok(found)
    }
}

/// Returns the rules for packets of unknown connections.
///
/// *Source*: measured; `nemesis/tests/idle` repeats the measurement.
fn rules(style: Style) -> Vec<PacketRule> {
    let rule = |way, matches: &str, counted, verdict| PacketRule { way, matches: matches.into(), counted, verdict };
    let lost = "meta l4proto tcp ct state invalid";
    let ways = [Way::Up, Way::Down].into_iter();
    match style {
        Style::Silent => ways.map(|way| rule(way, lost, Some("packets dropped"), "drop")).collect(),
        // An RST is dropped, because TCP never answers one with another.
        Style::Reset => ways
            .flat_map(|way| {
                let answered = "tcp flags & rst == 0 ct state invalid";
                [rule(way, answered, Some("RSTs sent"), "reject with tcp reset"), rule(way, lost, None, "drop")]
            })
            .collect(),
    }
}

/// The flows in the table while the fault is in force.
struct Watch {
    table: FlowTable,
    since: Instant,
    known: BTreeSet<Flow>,
    expired: BTreeSet<Flow>,
    kept: BTreeSet<Flow>,
    is_over: bool,
}

impl Watch {
    fn begin(mut table: FlowTable) -> io::Result<Watch> {
        let known = table.established()?.into_iter().collect();
        let (expired, kept) = Default::default();
        Ok(Watch { table, since: Instant::now(), known, expired, kept, is_over: false })
    }

    /// Records flows that have left the table, and flows that only probes kept in it; does nothing after heal.
    /// `open_sockets`: returns the client's open sockets.
    fn look(
        &mut self,
        follower: &ProbeDetector,
        after: Duration,
        open_sockets: impl FnOnce() -> Result<BTreeSet<std::net::SocketAddr>, NemesisError>,
    ) -> Result<(), NemesisError> {
        if self.is_over {
            return Ok(());
        }
        let (now, there) = (Instant::now(), self.table.established()?);
        let there: BTreeSet<_> = there.into_iter().collect();
        self.kept.extend(there.iter().filter(|flow| follower.is_kept_by_probes(flow, after, self.since, now)));
        let gone: Vec<_> = self.known.difference(&there).copied().collect();
        if !gone.is_empty() {
            // A connection that the client has closed leaves the table too, but is no evidence.
            let open_sockets = open_sockets()?;
            self.expired.extend(gone.into_iter().filter(|flow| open_sockets.contains(&flow.end())));
        }
        self.known = there;
        Ok(())
    }
}

/// The packet capture at the client's interface, and its detector of probes; ends when dropped.
struct Probes {
    follower: Arc<Mutex<ProbeDetector>>,
    failed: Arc<Mutex<Option<io::Error>>>,
    _task: AbortOnDropHandle<()>,
}

impl Probes {
    fn watch(capture: PacketCapture) -> Probes {
        let (follower, failed) = (Arc::<Mutex<ProbeDetector>>::default(), Arc::<Mutex<_>>::default());
        let (seen, error) = (Arc::clone(&follower), Arc::clone(&failed));
        let task = async move {
            loop {
                match capture.next().await {
                    Ok(segment) => locked(&seen).observe(&segment, Instant::now()),
                    Err(failed) => break *locked(&error) = Some(failed),
                }
            }
        };
        Probes { follower, failed, _task: AbortOnDropHandle::new(tokio::spawn(task)) }
    }

    fn follower(&self) -> MutexGuard<'_, ProbeDetector> {
        locked(&self.follower)
    }

    /// Returns the error that ended the capture, if any; once.
    fn failed(&self) -> Option<io::Error> {
        locked(&self.failed).take()
    }
}

fn locked<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock()
}
