//! The supervisor in virtual time, over clients whose lives are written down.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use super::*;
use crate::client::{InProcess, Notice};
use crate::model::history::{History, OpKind};
use crate::model::seed::Seed;
use crate::plan::Plan;
use crate::scenario::Scenario;

/// What comes of one launch.
#[derive(Clone, Debug)]
enum Life {
    /// It ends so, so long after it was launched.
    Of(u64, Ended),
    /// It exits so long after it was launched.
    Secs(u64),
    ForEver,
    /// There is none.
    Failed,
    /// It takes this long until there is none.
    FailedAfter(u64),
    /// Its hello never comes.
    Pending,
}

/// Launches these lives, one after the other, and then nothing more.
#[derive(Clone, Default)]
struct Lives(Arc<Shared>);

#[derive(Default)]
struct Shared {
    next: Mutex<VecDeque<Life>>,
    /// When each launch began, since the first one.
    launches: Mutex<Vec<Duration>>,
    began: Mutex<Option<Instant>>,
    /// Launches and clients that are there.
    there: AtomicUsize,
    closed: AtomicBool,
    /// Of which launch it was told to pause, or to go on.
    paused: Mutex<Vec<(usize, bool)>>,
    in_process: AtomicBool,
}

fn locked<T>(of: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Counts for as long as it lives.
struct There(Arc<Shared>);

impl There {
    fn new(shared: &Arc<Shared>) -> There {
        shared.there.fetch_add(1, Ordering::Relaxed);
        There(Arc::clone(shared))
    }
}

impl Drop for There {
    fn drop(&mut self) {
        self.0.there.fetch_sub(1, Ordering::Relaxed);
    }
}

#[async_trait]
impl ClientFactory for Lives {
    fn name(&self) -> String {
        "lives".into()
    }

    fn abodes(&self) -> Placements {
        Placements { in_process: true, process: true }
    }

    async fn launch(&self, _address: &Address, home: LaunchContext) -> Result<Arc<dyn DynClient>, ClientError> {
        let there = There::new(&self.0);
        self.0.in_process.fetch_or(home.in_process, Ordering::Relaxed);
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
        Ok(Arc::new(Living { since: Instant::now(), end, there }))
    }
}

fn exited() -> Ended {
    Ended::Exited { status: "exit status 1".into(), stderr: "server closed the connection".into() }
}

struct Living {
    since: Instant,
    end: Option<(Duration, Ended)>,
    there: There,
}

#[async_trait]
impl DynClient for Living {
    fn facts(&self) -> ClientFacts {
        let (name, version, capabilities) = Default::default();
        ClientFacts { name, version, concurrency: 1, capabilities, timeout: None }
    }

    async fn perform(&self, _call: Call) -> Result<Option<bool>, OpError> {
        Ok(None)
    }

    async fn listen(&self, news: Notifications) -> Result<(), OpError> {
        news.heard(locked(&self.there.0.launches).len().to_string());
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

/// A supervised client with these lives, and what is recorded of it.
struct Bench {
    lives: Lives,
    recorder: Recorder,
    client: Arc<dyn DynClient>,
}

impl Bench {
    async fn launch(lives: impl IntoIterator<Item = Life>) -> Bench {
        let (lives, recorder) = begun(lives);
        let client = launched(&lives, &recorder).await.unwrap();
        Bench { lives, recorder, client }
    }

    /// When launches began, in whole seconds since the first: what it is looked for adds less than that.
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

fn begun(lives: impl IntoIterator<Item = Life>) -> (Lives, Recorder) {
    let header = Plan::new(&Scenario::built_in("stall").unwrap(), "lives", Seed(1), 0, 1).header;
    let made = Lives::default();
    locked(&made.0.next).extend(lives);
    (made, Recorder::begin(header, None, None))
}

async fn launched(lives: &Lives, recorder: &Recorder) -> Result<Arc<dyn DynClient>, ClientError> {
    let gateway: std::net::SocketAddr = "127.0.0.1:10432".parse().unwrap();
    let address = Address::plain(gateway, "squall", "secret", "squall");
    let folder: Arc<Path> = Path::new("/nowhere").into();
    let home = LaunchContext { run: folder.clone(), output: folder, space: None, in_process: true };
    Supervised::new(Arc::new(lives.clone()), recorder.clone()).launch(&address, home).await
}

async fn after(secs: u64) {
    // A moment more: what happens on the second has happened.
    sleep(Duration::from_millis(1000 * secs + 100)).await;
}

#[tokio::test(start_paused = true)]
async fn pauses_grow_up_to_a_limit_while_no_process_stays() {
    let bench = Bench::launch([Life::Secs(3), Life::Failed, Life::Failed, Life::Secs(5), Life::Failed]).await;
    locked(&bench.lives.0.next).extend([Life::Failed, Life::ForEver]);
    after(60).await;
    // 3 +1, then pauses of 2 and 4; a life of 5 s is short, so that 8 follows, and then no more than 10.
    assert_eq!(bench.launches(), [0, 4, 6, 10, 23, 33, 43]);
    assert_eq!(bench.perform().await, Ok(None));
    assert_eq!(bench.client.ended(), None);
}

#[tokio::test(start_paused = true)]
async fn a_long_life_makes_the_next_pause_short() {
    let bench = Bench::launch([Life::Secs(1), Life::Secs(1), Life::Secs(10), Life::Secs(9), Life::ForEver]).await;
    after(60).await;
    assert_eq!(bench.launches(), [0, 2, 5, 16, 27], "after 10 s of life a pause of 1 s, after 9 s the next longer one");
}

#[tokio::test(start_paused = true)]
async fn what_becomes_of_it_is_recorded_in_order() {
    let bench = Bench::launch([Life::Secs(3), Life::FailedAfter(20), Life::ForEver]).await;
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
    assert!(!bench.lives.0.in_process.load(Ordering::Relaxed), "whatever can be a process is one");
}

#[tokio::test(start_paused = true)]
async fn operations_are_refused_at_once_while_no_process_is_there() {
    let bench = Bench::launch([Life::Secs(3), Life::Pending]).await;
    assert_eq!(bench.perform().await, Ok(None));
    for secs in [3, 1, 100] {
        // At the exit, in the pause, and in the launch that follows it.
        sleep(Duration::from_secs(secs)).await;
        let began = Instant::now();
        let error = bench.perform().await.unwrap_err();
        assert_eq!((error.kind, began.elapsed()), (ErrorKind::Closed, Duration::ZERO));
        assert!(error.message.contains("is being restarted"), "{error}");
        assert_eq!(bench.client.ended(), None, "it is supervised");
    }
}

#[tokio::test(start_paused = true)]
async fn a_broken_protocol_is_not_restarted() {
    let violated = Ended::Violated { reason: "answered twice".into() };
    let bench = Bench::launch([Life::Secs(1), Life::Of(1, violated.clone())]).await;
    after(60).await;
    assert_eq!((bench.launches(), bench.client.ended()), (vec![0, 2], Some(violated)));
    bench.client.close().await;
    assert!(bench.lives.0.closed.load(Ordering::Relaxed));
}

#[tokio::test(start_paused = true)]
async fn one_that_cannot_be_launched_at_all_is_not_restarted() {
    let (lives, recorder) = begun([Life::Failed]);
    assert!(launched(&lives, &recorder).await.is_err());
    after(60).await;
    assert_eq!(locked(&lives.0.launches).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn closing_ends_the_process_and_every_launch() {
    let bench = Bench::launch([Life::Secs(3)]).await;
    bench.client.close().await;
    assert!(bench.lives.0.closed.load(Ordering::Relaxed));
    after(60).await;
    assert_eq!((bench.launches(), bench.steps()), (vec![0], vec![]), "an exit is what was asked for");

    // In the pause, and while it is being launched.
    for (secs, launches) in [(3, vec![0]), (10, vec![0, 4])] {
        let bench = Bench::launch([Life::Secs(3), Life::Pending]).await;
        after(secs).await;
        assert_eq!(bench.there(), launches.len() - 1);
        bench.client.close().await;
        assert_eq!(bench.there(), 0, "what was under way has been dropped");
        after(60).await;
        assert_eq!(bench.launches(), launches);
    }
}

#[tokio::test(start_paused = true)]
async fn dropping_it_leaves_nothing() {
    for (secs, there) in [(1, 1), (3, 0), (10, 1)] {
        let bench = Bench::launch([Life::Secs(3), Life::Pending]).await;
        after(secs).await;
        let Bench { lives, client, .. } = bench;
        assert_eq!(lives.0.there.load(Ordering::Relaxed), there);
        drop(client);
        after(60).await;
        assert_eq!(lives.0.there.load(Ordering::Relaxed), 0);
        assert!(locked(&lives.0.launches).len() <= 2);
    }
}

#[tokio::test(start_paused = true)]
async fn each_process_is_asked_to_listen_and_gaps_are_told() {
    let bench = Bench::launch([Life::Secs(3), Life::Failed, Life::Secs(3), Life::ForEver]).await;
    let heard = Arc::new(Mutex::new(Vec::new()));
    let (client, told) = (Arc::clone(&bench.client), Arc::clone(&heard));
    let news = Notifications::new(move |notice| locked(&told).push(notice));
    let listening = tokio::spawn(async move { client.listen(news).await });
    after(30).await;
    let payload = |text: &str| Notice::Heard(text.into());
    assert_eq!(*locked(&heard), [payload("1"), Notice::Gap, payload("3"), Notice::Gap, payload("4")]);
    assert!(!listening.is_finished());
    listening.abort();

    // Who closes while no process is there ends the subscription.
    let bench = Bench::launch([Life::Secs(3), Life::Pending]).await;
    let client = Arc::clone(&bench.client);
    let listening = tokio::spawn(async move { client.listen(Notifications::new(|_| {})).await });
    after(10).await;
    assert!(!listening.is_finished());
    bench.client.close().await;
    assert_eq!(listening.await.unwrap(), Ok(()));
}

#[tokio::test(start_paused = true)]
async fn a_process_that_comes_up_in_a_pause_is_idle_too() {
    let bench = Bench::launch([Life::Secs(3), Life::Secs(3), Life::ForEver]).await;
    after(3).await;
    bench.client.pause(true);
    after(2).await;
    bench.client.pause(false);
    after(30).await;
    assert_eq!(*locked(&bench.lives.0.paused), [(2, true), (2, false), (3, false)]);
}

#[test]
fn a_client_that_is_no_process_cannot_be_supervised() {
    let here = InProcess {
        name: "here".into(),
        connect: |_: Address| async { Err::<Nobody, _>(OpError::new(ErrorKind::Other, "")) },
    };
    let refused = Supervised::abodes(&here).unwrap_err();
    assert!(refused.contains("not be supervised"), "{refused}");
    assert_eq!(Supervised::abodes(&Lives::default()), Ok(Placements { in_process: false, process: true }));
}

struct Nobody;

impl crate::client::Client for Nobody {
    async fn write(&self, _key: i64) -> Result<(), OpError> {
        Ok(())
    }

    async fn read(&self, _key: i64) -> Result<bool, OpError> {
        Ok(true)
    }
}
