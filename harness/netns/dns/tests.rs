//! DNS as seen by processes in the client's namespace, through the host's own resolver library.

use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;
use tokio::process::Command;
use tokio::time::timeout;

use super::names_available;
use crate::netns::{ClientNetns, DnsAnswer, Kernel, NAME};

/// Time limit of one look-up: libc gives up after ten seconds (five, twice), later on a busy machine.
const PATIENCE: Duration = Duration::from_secs(40);

const FIRST: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 10);
const SECOND: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 11);

/// Creates a network whose name has two addresses; `None`, with a message, if it cannot be created.
async fn network() -> Option<(Kernel, TempDir)> {
    if let Err(reason) = names_available().await {
        println!("skipped: {reason}");
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut kernel = Kernel::create(ClientNetns::Own).await.unwrap();
    kernel.give_name(vec![FIRST.into(), SECOND.into()], folder.path()).unwrap();
    Some((kernel, folder))
}

/// Returns the output of a program in the client's namespace.
async fn run(kernel: &Kernel, program: &str, words: &[&str]) -> String {
    run_in(kernel, None, program, words).await
}

async fn run_in(kernel: &Kernel, folder: Option<&Path>, program: &str, words: &[&str]) -> String {
    let mut command = Command::new(program);
    command.args(words).stdin(Stdio::null()).kill_on_drop(true);
    kernel.home().unwrap().enter_as_user(&mut command, folder).unwrap();
    let output = timeout(PATIENCE, command.output()).await.expect("no end").unwrap();
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).trim().to_owned()
}

/// Returns the result of getaddrinfo for a name: its addresses in order, or the name of the error.
async fn resolve(kernel: &Kernel, name: &str) -> String {
    const SCRIPT: &str = "\
import socket, sys
try:
    print(*(found[4][0] for found in socket.getaddrinfo(sys.argv[1], 5432, type=socket.SOCK_STREAM)))
except socket.gaierror as error:
    print(next(name for name in dir(socket) if name.startswith('EAI_') and getattr(socket, name) == error.errno))
";
    run(kernel, "python3", &["-c", SCRIPT, name]).await
}

/// Whether a program is installed.
async fn is_installed(program: &str) -> bool {
    let is_there = Command::new(program).arg("--version").output().await.is_ok_and(|output| output.status.success());
    if !is_there {
        println!("skipped: there is no {program}");
    }
    is_there
}

#[tokio::test]
async fn a_process_finds_the_name_and_no_other() {
    let Some((kernel, _folder)) = network().await else { return };
    if !is_installed("python3").await {
        return;
    }
    let names = kernel.names().unwrap();
    assert_eq!(resolve(&kernel, NAME).await, "198.18.0.10 198.18.0.11");
    assert_eq!(names.answered(DnsAnswer::Address), 1);
    assert_eq!(resolve(&kernel, "example.com").await, "EAI_NONAME");
    assert_eq!(resolve(&kernel, "localhost").await.split(' ').next_back(), Some("127.0.0.1"), "files come first");
    names.set_addresses(vec![SECOND.into()]);
    assert_eq!(resolve(&kernel, NAME).await, "198.18.0.11");
    let cases =
        [(DnsAnswer::NoName, "EAI_NONAME"), (DnsAnswer::Failure, "EAI_AGAIN"), (DnsAnswer::OldAddress, "198.18.0.11")];
    for (dns_answer, expected) in cases {
        names.answer_with(dns_answer);
        assert_eq!(resolve(&kernel, NAME).await, expected);
        assert!(names.answered(dns_answer) > 0, "{dns_answer:?}");
    }
}

#[tokio::test]
async fn silent_name_server_takes_the_default_libc_timeout() {
    let Some((kernel, _folder)) = network().await else { return };
    if !is_installed("python3").await {
        return;
    }
    let names = kernel.names().unwrap();
    names.answer_with(DnsAnswer::Nothing);
    let began = Instant::now();
    assert_eq!(resolve(&kernel, NAME).await, "EAI_AGAIN");
    assert!(began.elapsed() >= Duration::from_secs(9), "{:?}", began.elapsed());
    // A query for A and one for AAAA, each sent twice.
    assert!(names.answered(DnsAnswer::Nothing) >= 4, "{}", names.answered(DnsAnswer::Nothing));
}

#[tokio::test]
async fn resolver_files_of_the_host_stay_unchanged() {
    let state = |path: &str| {
        let found = fs::metadata(path).unwrap();
        (found.dev(), found.ino(), found.mtime(), fs::read(path).unwrap())
    };
    let all = || ["/etc/resolv.conf", "/etc/nsswitch.conf"].map(state);
    let Some((kernel, folder)) = network().await else { return };
    let before = all();
    let seen = run(&kernel, "cat", &["/etc/resolv.conf"]).await;
    assert_eq!(seen, "nameserver 198.18.0.14");
    let seen = run(&kernel, "cat", &["/etc/nsswitch.conf"]).await;
    assert!(seen.contains("hosts: files dns") && seen.contains("passwd:"), "{seen}");
    assert_eq!(all(), before);
    let machines = fs::read_to_string("/proc/self/mounts").unwrap();
    assert!(!machines.contains("/etc/resolv.conf "), "nothing is mounted over it here:\n{machines}");
    // Removing the folder removes the mounted files; they must not be busy.
    drop(kernel);
    folder.close().unwrap();
}

#[tokio::test]
async fn process_starts_in_the_callers_folder() {
    let Some((kernel, _folder)) = network().await else { return };
    let here = std::env::current_dir().unwrap();
    assert_eq!(run(&kernel, "pwd", &[]).await, here.display().to_string());
    let other = Path::new("/usr/bin");
    assert_eq!(run_in(&kernel, Some(other), "pwd", &[]).await, "/usr/bin", "or in the one that it is given");
    // SAFETY: no argument, no memory.
    let (user, said) = (unsafe { libc::geteuid() }, run(&kernel, "id", &["-u"]).await);
    assert_eq!(said, user.to_string(), "it is who we are");
}

#[tokio::test]
async fn questions_over_tcp_are_answered_too() {
    let Some((kernel, _folder)) = network().await else { return };
    let ask = async || -> io::Result<Vec<u8>> {
        let socket = kernel.client_socket()?;
        socket.set_nonblocking(true)?;
        let place = (IpAddr::from([198, 18, 0, 14]), 53).into();
        let mut stream = TcpSocket::from_std_stream(socket.into()).connect(place).await?;
        let name: Vec<u8> =
            NAME.split('.').flat_map(|label| [&[label.len() as u8], label.as_bytes()].concat()).collect();
        let question = [&[0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0], name.as_slice(), &[0, 0, 1, 0, 1]].concat();
        // Twice on one connection.
        for _ in 0..2 {
            stream.write_u16(question.len() as u16).await?;
            stream.write_all(&question).await?;
        }
        let length = stream.read_u16().await?;
        stream.read_exact(&mut vec![0; length.into()]).await?;
        let length = stream.read_u16().await?;
        let mut answer = vec![0; length.into()];
        stream.read_exact(&mut answer).await?;
        Ok(answer)
    };
    let answer = timeout(PATIENCE, ask()).await.expect("no answer").unwrap();
    assert_eq!((answer[..2].to_vec(), answer[7]), (vec![0, 7], 2), "two answers to question 7");
    assert!(answer.ends_with(&SECOND.octets()));
    assert_eq!(kernel.names().unwrap().answered(DnsAnswer::Address), 2);
}
