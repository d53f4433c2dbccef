//! Adapter processes, most of them faulty: the error names the mistake and its remedy, and no process is left behind.

use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::task::JoinSet;

use super::Adapter;
use crate::client::{Call, ClientError, ClientFactory, DynClient, LaunchContext, Notice, Notifications};
use crate::credentials::address::Address;
use crate::model::history::{Ended, ErrorKind, OpError, OpKind};

const HELLO: &str = r#"echo '{"hello":{"name":"bad","version":"1","concurrency":4}}'"#;

/// Time limit for anything that takes milliseconds on an idle machine; reached only if a test fails.
const PATIENCE: Duration = Duration::from_secs(60);

/// A shell script as an adapter, and the folder of its run.
struct AdapterBench {
    folder: TempDir,
    adapter: Adapter,
}

impl AdapterBench {
    fn new(script: &str) -> AdapterBench {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("adapter of a test.sh");
        fs::write(&path, script).unwrap();
        let adapter = Adapter::new(&format!("sh '{}'", path.display()), &["good"]).unwrap();
        AdapterBench { folder, adapter }
    }

    async fn launch(&self) -> Result<Arc<dyn DynClient>, ClientError> {
        let gateway: std::net::SocketAddr = "127.0.0.1:10432".parse().unwrap();
        let address = Address::plain(gateway, "squall", "secret", "squall");
        let folder: Arc<Path> = self.folder.path().into();
        let context = LaunchContext { run: folder.clone(), output: folder, space: None, in_process: true };
        tokio::time::timeout(PATIENCE, self.adapter.launch(&address, context)).await.unwrap()
    }

    async fn launch_error(&self) -> String {
        let error = match self.launch().await {
            Ok(_) => panic!("it was launched"),
            Err(error) => error.to_string(),
        };
        self.wait_until_gone().await;
        error
    }

    /// Processes of this run, found by their environment, like leftovers. A zombie has no environment and is not found.
    fn processes(&self) -> Vec<String> {
        let mark = format!("PGSQUALL_RUN={}", self.folder.path().display());
        let marked = |folder: &Path| {
            fs::read(folder.join("environ"))
                .is_ok_and(|environ| environ.split(|&byte| byte == 0).any(|variable| variable == mark.as_bytes()))
        };
        let folders = fs::read_dir("/proc").unwrap().filter_map(|entry| Some(entry.ok()?.path()));
        folders.filter(|folder| marked(folder)).map(|folder| folder.display().to_string()).collect()
    }

    async fn wait_until_gone(&self) {
        let began = Instant::now();
        while !self.processes().is_empty() {
            assert!(began.elapsed() < PATIENCE, "still there: {:?}", self.processes());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

async fn perform(client: &Arc<dyn DynClient>, id: u64, kind: OpKind) -> Result<Option<bool>, OpError> {
    tokio::time::timeout(PATIENCE, client.perform(Call { id, kind, key: id as i64, deadline: None }))
        .await
        .expect("the operation is hung")
}

async fn wait_for_end(client: &Arc<dyn DynClient>) -> Ended {
    let began = Instant::now();
    loop {
        if let Some(how) = client.ended() {
            return how;
        }
        assert!(began.elapsed() < PATIENCE, "it goes on");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Sends a read to an adapter that breaks the protocol; returns the reported violation.
async fn violation(after_hello: &str) -> String {
    violation_of(&format!("{HELLO}\n{after_hello}")).await
}

async fn violation_of(script: &str) -> String {
    let bench = AdapterBench::new(script);
    let client = bench.launch().await.unwrap();
    let _ = perform(&client, 1, OpKind::Read).await;
    let Ended::Violated { reason } = wait_for_end(&client).await else { panic!("{:?}", client.ended()) };
    let later = perform(&client, 2, OpKind::Write).await.unwrap_err();
    assert_eq!(later.kind, ErrorKind::Other);
    assert!(later.message.contains(&reason), "{later}");
    bench.wait_until_gone().await;
    reason
}

#[test]
fn unrunnable_command_line_is_refused() {
    let launch_error = |command: &str| Adapter::new(command, &["good", "no-retry"]).unwrap_err().to_string();
    assert!(launch_error("python3 'x.py").contains("a quote is never closed"));
    assert!(launch_error("  ").contains("empty"));
    let error = launch_error("no-such-program-of-pgsquall --fast");
    assert!(error.contains("(good, no-retry)") && error.contains("is not in PATH"), "{error}");
    assert!(launch_error("./no/such/file").contains("there is no file ./no/such/file"));
    assert!(launch_error("/").contains("not an executable file"));
    assert!(launch_error("Cargo.toml").contains("write ./Cargo.toml"));
    assert_eq!(Adapter::new("sh -c 'a b'", &[]).unwrap().name(), "sh -c 'a b'");
}

#[tokio::test]
async fn answers_may_come_in_any_order() {
    let bench = AdapterBench::new(
        r#"echo '{"hello":{"name":"sh","version":"5","concurrency":3,"capabilities":["transaction"],"timeout_ms":1500}}'
        read a; read b; read c
        echo "$DATABASE_URL $PGPORT $a $b $c" >&2
        echo '{"id":3,"ok":true}'
        echo '{"id":1,"error":{"message":"gone","sqlstate":"57P01","retryable":true}}'
        echo '{"id":2,"ok":true,"found":false}'
        while read line; do echo '{"id":4,"ok":true,"found":true}'; done"#,
    );
    let client = bench.launch().await.unwrap();
    let facts = client.facts();
    assert_eq!((facts.name.as_str(), facts.concurrency, facts.timeout), ("sh", 3, Some(Duration::from_millis(1500))));
    let (first, second, third) = tokio::join!(
        perform(&client, 1, OpKind::Write),
        perform(&client, 2, OpKind::Read),
        perform(&client, 3, OpKind::Transaction)
    );
    assert_eq!(first, Err(OpError::new(ErrorKind::Server, "gone").with_sqlstate("57P01").with_retryable(true)));
    assert_eq!((second, third), (Ok(Some(false)), Ok(None)));
    assert_eq!(perform(&client, 4, OpKind::Read).await, Ok(Some(true)));
    let stderr = fs::read_to_string(bench.folder.path().join("client.stderr")).unwrap();
    assert!(stderr.contains("127.0.0.1:10432") && stderr.contains(" 10432 "), "{stderr}");
    assert!(stderr.contains(r#"{"id":2,"op":"read","key":2}"#) && stderr.contains(r#""op":"transaction""#), "{stderr}");

    assert!(!bench.processes().is_empty());
    client.close().await;
    bench.wait_until_gone().await;
    assert_eq!(client.ended(), None);
    let later = perform(&client, 5, OpKind::Write).await.unwrap_err();
    assert_eq!((later.kind, later.message.as_str()), (ErrorKind::Closed, "the client was closed"));
}

#[tokio::test]
async fn notifications_and_gaps_are_passed_on() {
    let bench = AdapterBench::new(&format!(
        r#"{HELLO}; read a; echo "$a" >&2
        echo '{{"id":0,"ok":true}}'; echo '{{"notification":{{"payload":"17"}}}}'; echo '{{"gap":true}}'
        read b; echo '{{"notification":{{"payload":"18"}}}}'; echo '{{"id":1,"ok":true}}'; cat"#
    ));
    let client = bench.launch().await.unwrap();
    let notices = Arc::new(Mutex::new(Vec::new()));
    let (listening, received) = (client.clone(), notices.clone());
    let news = Notifications::new(move |notice| received.lock().unwrap().push(notice));
    let subscription = tokio::spawn(async move { listening.listen(news).await });
    let began = Instant::now();
    while notices.lock().unwrap().len() < 2 {
        assert!(began.elapsed() < PATIENCE, "no notice arrived");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(perform(&client, 1, OpKind::Write).await, Ok(None));
    let payload = |text: &str| Notice::Received(text.into());
    assert_eq!(*notices.lock().unwrap(), [payload("17"), Notice::Gap, payload("18")]);
    assert!(!subscription.is_finished(), "it lasts as long as the process");
    assert_eq!(
        fs::read_to_string(bench.folder.path().join("client.stderr")).unwrap(),
        "{\"id\":0,\"op\":\"listen\"}\n"
    );
    client.close().await;
    assert_eq!(tokio::time::timeout(PATIENCE, subscription).await.unwrap().unwrap(), Ok(()));
}

#[tokio::test]
async fn failed_subscription_returns_its_error() {
    let bench = AdapterBench::new(&format!(
        r#"{HELLO}; read a; echo '{{"id":0,"error":{{"message":"no LISTEN through a pool","sqlstate":"0A000"}}}}'; cat"#
    ));
    let client = bench.launch().await.unwrap();
    let answer = tokio::time::timeout(PATIENCE, client.listen(Notifications::new(|_| {}))).await.unwrap();
    let expected = OpError::new(ErrorKind::Server, "no LISTEN through a pool").with_sqlstate("0A000");
    assert_eq!(answer, Err(expected));
    client.close().await;
}

#[tokio::test]
async fn notification_without_listen_is_a_violation() {
    let reason = violation(r#"read a; echo '{"notification":{"payload":"17"}}'; cat"#).await;
    assert!(reason.contains("has a notification or a gap, but no request to listen was sent"), "{reason}");
}

#[tokio::test]
async fn hello_that_is_not_json() {
    let error = AdapterBench::new("echo booting >&2; echo 'Listening on port 80'; sleep 1000").launch_error().await;
    assert!(error.contains("stdout line 1 is not JSON") && error.contains("`Listening on port 80`"), "{error}");
    assert!(error.contains("print logs to stderr") && error.contains("booting"), "{error}");
}

#[tokio::test]
async fn exit_before_the_hello() {
    let error = AdapterBench::new("echo 'ModuleNotFoundError: psycopg' >&2; exit 3").launch_error().await;
    assert!(error.contains("(exit status 3)") && error.contains("ModuleNotFoundError"), "{error}");
    let error = AdapterBench::new("kill -SEGV $$; sleep 1000").launch_error().await;
    assert!(error.contains("killed by signal 11 (SIGSEGV)"), "{error}");
    // Output of an earlier process is not quoted, and of a long stderr only the end.
    let bench = AdapterBench::new("head -c 100000 /dev/zero | tr '\\0' x >&2; echo the end >&2; exit 1");
    fs::write(bench.folder.path().join("client.stderr"), "earlier words\n").unwrap();
    let error = bench.launch_error().await;
    assert!(error.contains("the end") && !error.contains("earlier") && error.len() < 1500, "{error}");
}

#[tokio::test]
async fn hello_missing_or_unfinished() {
    let mut bench = AdapterBench::new("sleep 1000 & echo waiting >&2; sleep 1000");
    bench.adapter = bench.adapter.with_hello_within(Duration::from_millis(500));
    let error = bench.launch_error().await;
    assert!(error.contains("sent no hello within 500 ms"), "{error}");
    let mut bench = AdapterBench::new("printf '{\"hello\":'; sleep 1000");
    bench.adapter = bench.adapter.with_hello_within(Duration::from_millis(500));
    let error = bench.launch_error().await;
    assert!(error.contains("stdout line 1 has no end: `{\"hello\":…`"), "{error}");
    let error = AdapterBench::new("exec >&-; sleep 1000").launch_error().await;
    assert!(error.contains("closed its stdout"), "{error}");
}

#[tokio::test]
async fn duplicate_answer_is_a_violation() {
    let reason = violation(r#"read a; echo '{"id":1,"ok":true,"found":true}'; echo '{"id":1,"ok":true}'; sleep 1000"#);
    let reason = reason.await;
    assert!(reason.contains("stdout line 3 answers operation 1 a second time: `{\"id\":1,\"ok\":true}`"), "{reason}");
    assert!(reason.contains("exactly once"), "{reason}");
}

#[tokio::test]
async fn answer_with_unknown_id_is_a_violation() {
    let reason = violation(r#"read a; echo '{"id":99,"ok":true}'; sleep 1000 & wait"#).await;
    assert!(
        reason.contains("answers operation 99, which was never requested") && reason.contains("repeat"),
        "{reason}"
    );
}

#[tokio::test]
async fn answer_that_is_not_json_is_a_violation() {
    let reason = violation("read a; echo 'reconnecting...'; cat").await;
    assert!(reason.contains("stdout line 2 is not JSON") && reason.contains("`reconnecting...`"), "{reason}");
    assert!(reason.contains("print logs to stderr"), "{reason}");
}

#[tokio::test]
async fn read_answer_without_found_is_a_violation() {
    let reason = violation(r#"read a; echo '{"id":1,"ok":true}'; cat"#).await;
    assert!(reason.contains("answers a read without \"found\""), "{reason}");
}

#[tokio::test]
async fn line_of_100_megabytes_is_cut_off() {
    let reason = violation("read a; head -c 100000000 /dev/zero | tr '\\0' x; echo wrote it all >&2; sleep 1000").await;
    assert!(reason.contains("stdout line 2 is longer than 1048576 bytes: `xxx") && reason.len() < 600, "{reason}");
}

#[tokio::test]
async fn closed_stdin_or_stdout_is_a_violation() {
    let reason = violation("exec >&-; cat >&2; sleep 1000").await;
    assert!(reason.contains("closed its stdout"), "{reason}");
    // Closed before the hello, so that the request cannot enter the pipe first.
    let reason = violation_of(&format!("exec <&-; {HELLO}; sleep 1000")).await;
    assert!(reason.contains("closed its stdin"), "{reason}");
}

#[tokio::test]
async fn exit_during_an_operation() {
    let bench = AdapterBench::new(&format!(
        "{HELLO}; sleep 1000 & read a; read b; echo '{{\"id\":1,\"ok\":true}}'; echo panicked >&2; exit 7"
    ));
    let client = bench.launch().await.unwrap();
    let (first, second) = tokio::join!(perform(&client, 1, OpKind::Write), perform(&client, 2, OpKind::Write));
    assert_eq!(first, Ok(None), "it was answered before the exit");
    assert_eq!(second, Err(OpError::new(ErrorKind::Closed, "the client process exited")));
    assert_eq!(perform(&client, 3, OpKind::Write).await, second);
    let expected = Ended::Exited { status: "exit status 7".into(), stderr: "panicked".into() };
    assert_eq!(wait_for_end(&client).await, expected);
    bench.wait_until_gone().await;
    client.close().await;
    assert_eq!(client.ended(), Some(expected));
}

#[tokio::test]
async fn adapter_that_does_not_read_blocks_no_caller() {
    let bench = AdapterBench::new(&format!("{HELLO}; exec sleep 1000"));
    let client = bench.launch().await.unwrap();
    // More requests than a pipe of 64 KiB and the queue hold.
    let mut requests = JoinSet::new();
    for id in 1..=4000 {
        let client = client.clone();
        requests.spawn(async move { perform(&client, id, OpKind::Write).await });
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(requests.try_join_next().is_none());
    tokio::time::timeout(PATIENCE, client.close()).await.unwrap();
    bench.wait_until_gone().await;
    let answers = requests.join_all().await;
    assert_eq!(answers.len(), 4000);
    assert!(answers.iter().all(|answer| answer.as_ref().is_err_and(|error| error.kind == ErrorKind::Closed)));
    assert_eq!(client.ended(), None);
}

#[tokio::test]
async fn stubborn_adapter_is_killed_with_its_children() {
    let bench = AdapterBench::new(&format!("{HELLO}; trap '' TERM; sleep 1000 & cat; while :; do sleep 1; done"));
    let client = bench.launch().await.unwrap();
    tokio::time::timeout(PATIENCE, client.close()).await.unwrap();
    bench.wait_until_gone().await;
    assert_eq!(client.ended(), None);
}

#[tokio::test]
async fn children_of_an_exited_adapter_are_killed() {
    let bench = AdapterBench::new(&format!("{HELLO}; sleep 1000 & cat; echo 'not JSON, but who minds now'"));
    let client = bench.launch().await.unwrap();
    tokio::time::timeout(PATIENCE, client.close()).await.unwrap();
    bench.wait_until_gone().await;
    assert_eq!(client.ended(), None);
}

#[tokio::test]
async fn drop_kills_the_adapter() {
    let bench = AdapterBench::new(&format!("{HELLO}; trap '' TERM; sleep 1000 & while :; do sleep 1; done"));
    drop(bench.launch().await.unwrap());
    bench.wait_until_gone().await;
}

#[test]
fn runtime_shutdown_kills_the_adapter() {
    let bench = AdapterBench::new(&format!("{HELLO}; sleep 1000"));
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let first = runtime();
    let client = first.block_on(bench.launch()).unwrap();
    drop(first);
    runtime().block_on(bench.wait_until_gone());
    drop(client);
}
