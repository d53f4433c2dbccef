//! The supervisor in virtual time, over clients with scripted lives.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use parking_lot::Mutex;

use super::*;
use crate::client::{InProcess, Notice};
use crate::model::history::{History, OpKind};
use crate::model::seed::Seed;
use crate::plan::Plan;
use crate::scenario::Scenario;

/// The result of one launch.
#[derive(Clone, Debug)]
enum Life {
    /// The client ends this way, this many seconds after its launch.
    Of(u64, Ended),
    /// The client exits this many seconds after its launch.
    Secs(u64),
    ForEver,
    /// The launch fails.
    Failed,
    /// The launch fails after this many seconds.
    FailedAfter(u64),
    /// The hello never arrives.
    Pending,
}

/// A factory whose launches have these results, one after the other; a further launch panics.
#[derive(Clone, Default)]
struct ScriptedLives(Arc<LivesState>);

#[derive(Default)]
struct LivesState {
    next: Mutex<VecDeque<Life>>,
    /// The time from the first launch to each launch.
    launches: Mutex<Vec<Duration>>,
    began: Mutex<Option<Instant>>,
    /// The number of launches in progress and of living clients.
    there: AtomicUsize,
    closed: AtomicBool,
    /// The calls of `pause`: the number of launches until then, and the argument.
    paused: Mutex<Vec<(usize, bool)>>,
    in_process: AtomicBool,
}

fn locked<T>(of: &Mutex<T>) -> parking_lot::MutexGuard<'_, T> {
    of.lock()
}

/// Counted in `there` until dropped.
struct LiveGuard(Arc<LivesState>);

impl LiveGuard {
    fn new(shared: &Arc<LivesState>) -> LiveGuard {
        shared.there.fetch_add(1, Ordering::Relaxed);
        LiveGuard(Arc::clone(shared))
    }
}

impl Drop for LiveGuard {
    fn drop(&mut self) {
        self.0.there.fetch_sub(1, Ordering::Relaxed);
    }
}

#[async_trait]
impl ClientFactory for ScriptedLives {
    fn name(&self) -> String {
        "lives".into()
    }

    fn placements(&self) -> Placements {
        Placements { in_process: true, process: true }
    }

    async fn launch(&self, _address: &Address, context: LaunchContext) -> Result<Arc<dyn DynClient>, ClientError> {
        let there = LiveGuard::new(&self.0);
        self.0.in_process.fetch_or(context.in_process, Ordering::Relaxed);
        let began = *locked(&self.0.began).get_or_insert_with(Instant::now);
        locked(&self.0.launches).push(began.elapsed());
        let life = locked(&self.0.next).pop_front().expect("a life for each launch");
        let no = || Err(ClientError::SetUp("connection refused".into()));
        let end = match life {
            Life::Secs(secs) => Some((secs, exited())),
            Life::Of(secs, how) => Some((secs, how)),
            Life::ForEver => None,
            Life::Failed => return no(),
            Life::FailedAfter(secs) => {
                sleep(Duration::from_secs(secs)).await;
                return no();
            }
            Life::Pending => std::future::pending().await,
        };
        let end = end.map(|(secs, how)| (Duration::from_secs(secs), how));
        Ok(Arc::new(ScriptedClient { since: Instant::now(), end, there }))
    }
}

fn exited() -> Ended {
    Ended::Exited { status: "exit status 1".into(), stderr: "server closed the connection".into() }
}

struct ScriptedClient {
    since: Instant,
    end: Option<(Duration, Ended)>,
    there: LiveGuard,
}

#[async_trait]
impl DynClient for ScriptedClient {
    fn facts(&self) -> ClientFacts {
        let (name, version, capabilities) = Default::default();
        ClientFacts { name, version, concurrency: 1, capabilities, timeout: None }
    }

    async fn perform(&self, _call: Call) -> Result<Option<bool>, OpError> {
        Ok(None)
    }

    async fn listen(&self, news: Notifications) -> Result<(), OpError> {
        news.received(locked(&self.there.0.launches).len().to_string());
        match &self.end {
            Some((lives, _)) => sleep(lives.saturating_sub(self.since.elapsed())).await,
            None => std::future::pending().await,
        }
        Ok(())
    }

    fn ended(&self) -> Option<Ended> {
        let (lives, how) = self.end.as_ref()?;
        (self.since.elapsed() >= *lives).then(|| how.clone())
    }

    fn pause(&self, idle: bool) {
        let launches = locked(&self.there.0.launches).len();
        locked(&self.there.0.paused).push((launches, idle));
    }

    async fn close(&self) {
        self.there.0.closed.store(true, Ordering::Relaxed);
    }
}

/// A supervised client with scripted lives, and its recorder.
struct SupervisedBench {
    lives: ScriptedLives,
    recorder: Recorder,
    client: Arc<dyn DynClient>,
}

impl SupervisedBench {
    async fn launch(lives: impl IntoIterator<Item = Life>) -> SupervisedBench {
        let (lives, recorder) = scripted(lives);
        let client = supervise(&lives, &recorder).await.unwrap();
        SupervisedBench { lives, recorder, client }
    }

    /// The times of launches in whole seconds since the first; the poll interval adds less than a second.
    fn launches(&self) -> Vec<u64> {
        locked(&self.lives.0.launches).iter().map(Duration::as_secs).collect()
    }

    fn there(&self) -> usize {
        self.lives.0.there.load(Ordering::Relaxed)
    }

    fn steps(&self) -> Vec<SupervisionStep> {
        self.recorder.look(|history: &History| {
            let step = |event: &Event| match event {
                Event::Supervision { step, .. } => Some(step.clone()),
                _ => None,
            };
            history.events.iter().filter_map(step).collect()
        })
    }

    async fn perform(&self) -> Result<Option<bool>, OpError> {
        self.client.perform(Call { id: 1, kind: OpKind::Write, key: 1, deadline: None }).await
    }
}

fn scripted(lives: impl IntoIterator<Item = Life>) -> (ScriptedLives, Recorder) {
    let header = Plan::new(&Scenario::built_in("stall").unwrap(), "lives", Seed(1), 0, 1).header;
    let made = ScriptedLives::default();
    locked(&made.0.next).extend(lives);
    (made, Recorder::begin(header, None, None))
}

async fn supervise(lives: &ScriptedLives, recorder: &Recorder) -> Result<Arc<dyn DynClient>, ClientError> {
    let gateway: std::net::SocketAddr = "127.0.0.1:10432".parse().unwrap();
    let address = Address::plain(gateway, "squall", "secret", "squall");
    let folder: Arc<Path> = Path::new("/nowhere").into();
    let context = LaunchContext { run: folder.clone(), output: folder, space: None, in_process: true };
    Supervised::new(Arc::new(lives.clone()), recorder.clone()).launch(&address, context).await
}

async fn after(secs: u64) {
    // A moment longer, so that an event on the second has happened.
    sleep(Duration::from_millis(1000 * secs + 100)).await;
}

#[tokio::test(start_paused = true)]
async fn pauses_grow_to_a_limit_while_processes_exit() {
    let bench = SupervisedBench::launch([Life::Secs(3), Life::Failed, Life::Failed, Life::Secs(5), Life::Failed]).await;
    locked(&bench.lives.0.next).extend([Life::Failed, Life::ForEver]);
    after(60).await;
    // 3 s + 1 s, then pauses of 2 s and 4 s; an uptime of 5 s is short, so 8 s follow, and then at most 10 s.
    assert_eq!(bench.launches(), [0, 4, 6, 10, 23, 33, 43]);
    assert_eq!(bench.perform().await, Ok(None));
    assert_eq!(bench.client.ended(), None);
}

#[tokio::test(start_paused = true)]
async fn long_uptime_resets_the_pause() {
    let bench =
        SupervisedBench::launch([Life::Secs(1), Life::Secs(1), Life::Secs(10), Life::Secs(9), Life::ForEver]).await;
    after(60).await;
    assert_eq!(
        bench.launches(),
        [0, 2, 5, 16, 27],
        "after an uptime of 10 s a pause of 1 s, after 9 s the next longer one"
    );
}

#[tokio::test(start_paused = true)]
async fn exits_and_launches_are_recorded_in_order() {
    let bench = SupervisedBench::launch([Life::Secs(3), Life::FailedAfter(20), Life::ForEver]).await;
    after(60).await;
    let steps = bench.steps();
    let [exit, SupervisionStep::Failed { reason }, SupervisionStep::Restarted { took }] = &steps[..] else {
        panic!("{steps:?}");
    };
    let SupervisionStep::Exited { status, stderr, lived } = exit else { panic!("{steps:?}") };
    assert_eq!((status.as_str(), stderr.as_str()), ("exit status 1", "server closed the connection"));
    assert!(*lived >= Duration::from_secs(3) && *lived < Duration::from_secs(4), "{lived:?}");
    assert!(reason.contains("connection refused") && took.is_zero(), "{steps:?}");
    assert_eq!(bench.launches(), [0, 4, 26]);
    assert!(!bench.lives.0.in_process.load(Ordering::Relaxed), "a supervised client is a process");
}

#[tokio::test(start_paused = true)]
async fn operations_fail_at_once_without_a_process() {
    let bench = SupervisedBench::launch([Life::Secs(3), Life::Pending]).await;
    assert_eq!(bench.perform().await, Ok(None));
    for secs in [3, 1, 100] {
        // At the exit, in the pause, and during the launch after it.
        sleep(Duration::from_secs(secs)).await;
        let began = Instant::now();
        let error = bench.perform().await.unwrap_err();
        assert_eq!((error.kind, began.elapsed()), (ErrorKind::Closed, Duration::ZERO));
        assert!(error.message.contains("is being restarted"), "{error}");
        assert_eq!(bench.client.ended(), None, "it is supervised");
    }
}

#[tokio::test(start_paused = true)]
async fn protocol_violation_is_not_restarted() {
    let violated = Ended::Violated { reason: "answered twice".into() };
    let bench = SupervisedBench::launch([Life::Secs(1), Life::Of(1, violated.clone())]).await;
    after(60).await;
    assert_eq!((bench.launches(), bench.client.ended()), (vec![0, 2], Some(violated)));
    bench.client.close().await;
    assert!(bench.lives.0.closed.load(Ordering::Relaxed));
}

#[tokio::test(start_paused = true)]
async fn failed_first_launch_is_not_retried() {
    let (lives, recorder) = scripted([Life::Failed]);
    assert!(supervise(&lives, &recorder).await.is_err());
    after(60).await;
    assert_eq!(locked(&lives.0.launches).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn close_ends_the_process_and_pending_launches() {
    let bench = SupervisedBench::launch([Life::Secs(3)]).await;
    bench.client.close().await;
    assert!(bench.lives.0.closed.load(Ordering::Relaxed));
    after(60).await;
    assert_eq!((bench.launches(), bench.steps()), (vec![0], vec![]), "an exit after close is not recorded");

    // Close in the pause, and during a launch.
    for (secs, launches) in [(3, vec![0]), (10, vec![0, 4])] {
        let bench = SupervisedBench::launch([Life::Secs(3), Life::Pending]).await;
        after(secs).await;
        assert_eq!(bench.there(), launches.len() - 1);
        bench.client.close().await;
        assert_eq!(bench.there(), 0, "the launch in progress was dropped");
        after(60).await;
        assert_eq!(bench.launches(), launches);
    }
}

#[tokio::test(start_paused = true)]
async fn drop_ends_the_process_and_pending_launches() {
    for (secs, there) in [(1, 1), (3, 0), (10, 1)] {
        let bench = SupervisedBench::launch([Life::Secs(3), Life::Pending]).await;
        after(secs).await;
        let SupervisedBench { lives, client, .. } = bench;
        assert_eq!(lives.0.there.load(Ordering::Relaxed), there);
        drop(client);
        after(60).await;
        assert_eq!(lives.0.there.load(Ordering::Relaxed), 0);
        assert!(locked(&lives.0.launches).len() <= 2);
    }
}

#[tokio::test(start_paused = true)]
async fn every_process_listens_and_gaps_are_reported() {
    let bench = SupervisedBench::launch([Life::Secs(3), Life::Failed, Life::Secs(3), Life::ForEver]).await;
    let notices = Arc::new(Mutex::new(Vec::new()));
    let (client, received) = (Arc::clone(&bench.client), Arc::clone(&notices));
    let news = Notifications::new(move |notice| locked(&received).push(notice));
    let listening = tokio::spawn(async move { client.listen(news).await });
    after(30).await;
    let payload = |text: &str| Notice::Received(text.into());
    assert_eq!(*locked(&notices), [payload("1"), Notice::Gap, payload("3"), Notice::Gap, payload("4")]);
    assert!(!listening.is_finished());
    listening.abort();

    // A close while no process runs ends the subscription.
    let bench = SupervisedBench::launch([Life::Secs(3), Life::Pending]).await;
    let client = Arc::clone(&bench.client);
    let listening = tokio::spawn(async move { client.listen(Notifications::new(|_| {})).await });
    after(10).await;
    assert!(!listening.is_finished());
    bench.client.close().await;
    assert_eq!(listening.await.unwrap(), Ok(()));
}

#[tokio::test(start_paused = true)]
async fn process_launched_during_a_pause_is_idle() {
    let bench = SupervisedBench::launch([Life::Secs(3), Life::Secs(3), Life::ForEver]).await;
    after(3).await;
    bench.client.pause(true);
    after(2).await;
    bench.client.pause(false);
    after(30).await;
    assert_eq!(*locked(&bench.lives.0.paused), [(2, true), (2, false), (3, false)]);
}

#[test]
fn in_process_client_cannot_be_supervised() {
    let here = InProcess {
        name: "here".into(),
        connect: |_: Address| async { Err::<NoClient, _>(OpError::new(ErrorKind::Other, "")) },
    };
    let refused = Supervised::placements(&here).unwrap_err();
    assert!(refused.contains("cannot supervise"), "{refused}");
    assert_eq!(Supervised::placements(&ScriptedLives::default()), Ok(Placements { in_process: false, process: true }));
}

struct NoClient;

impl crate::client::Client for NoClient {
    async fn write(&self, _key: i64) -> Result<(), OpError> {
        Ok(())
    }

    async fn read(&self, _key: i64) -> Result<bool, OpError> {
        Ok(true)
    }
}
