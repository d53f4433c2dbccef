//! Opens the HTML report in a real browser, where a script measures it at two widths, light and dark.
//!
//! The page with the script shows the report in a frame, because the report itself allows no script.
#![cfg(feature = "report")]

mod sample;

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use serde::Deserialize;

/// Time limit for one page, which takes some seconds on an idle machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// The result of the script `measure.js`.
#[derive(Debug, Deserialize)]
struct Measured {
    dark: bool,
    width: u32,
    /// Pixels by which the page is wider than its window.
    beyond: i64,
    /// Resources loaded besides the page itself.
    resources: Vec<String>,
    /// Links that lead nowhere, or out of the page.
    links: Vec<String>,
    /// Pictures without a name, a role or a description.
    pictures: Vec<String>,
    headings: Vec<u8>,
    /// Text that is hard to read, with its contrast.
    contrasts: Vec<String>,
    texts: u32,
    /// Scrolling parts without focus or name.
    regions: Vec<String>,
    scrolling: u32,
    /// Defects of landmarks, tables and focus.
    structure: Vec<String>,
}

fn browser() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let found =
        std::env::split_paths(&path).flat_map(|folder| names.map(|name| folder.join(name))).find(|file| file.is_file());
    if found.is_none() {
        println!("skipped: chromium is not installed");
    }
    found
}

/// A browser in its own process group. Dropping it kills the group.
struct Browser(Child);

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = killpg(Pid::from_raw(self.0.id() as i32), Signal::SIGKILL);
        let _ = self.0.wait();
    }
}

/// Opens a page; returns its DOM and the browser's log.
fn open(program: &Path, place: &Path, page: &Path, options: &[&str]) -> (String, String) {
    let [out, err] = ["out", "err"].map(|name| place.join(name));
    let mut command = Command::new(program);
    command
        .args(["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-crash-reporter"])
        .args(["--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage"])
        .args(["--allow-file-access-from-files", "--enable-logging=stderr", "--virtual-time-budget=5000"])
        .args(["--window-size=1400,1200", "--dump-dom"])
        .arg(format!("--user-data-dir={}", place.join("profile").display()))
        .args(options)
        .arg(format!("file://{}", page.display()))
        .stdin(Stdio::null())
        .stdout(File::create(&out).unwrap())
        .stderr(File::create(&err).unwrap())
        .process_group(0);
    let mut browser = Browser(command.spawn().unwrap());
    let begun = Instant::now();
    while browser.0.try_wait().unwrap().is_none() {
        let output = || fs::read_to_string(&err).unwrap_or_default();
        assert!(begun.elapsed() < PATIENCE, "the browser has not ended after {PATIENCE:?}: {}", output());
        std::thread::sleep(Duration::from_millis(20));
    }
    (fs::read_to_string(out).unwrap(), fs::read_to_string(err).unwrap())
}

fn measure(program: &Path, place: &Path, width: u32, dark: bool) -> Measured {
    let script = include_str!("measure.js");
    let frame = format!(
        "<!doctype html><meta charset=utf-8><body><iframe src=report.html style='width:{width}px;height:1000px;border:0'></iframe>\
         <pre id=found></pre><script>{script}</script></body>"
    );
    let page = place.join("frame.html");
    fs::write(&page, frame).unwrap();
    let scheme =
        if dark { "--blink-settings=preferredColorScheme=0" } else { "--blink-settings=preferredColorScheme=1" };
    let (dom, output) = open(program, place, &page, &[scheme]);
    let complaints: Vec<_> = output.lines().filter(|line| line.contains("CONSOLE")).collect();
    assert!(complaints.is_empty(), "the browser's console: {complaints:#?}");
    let found = dom.split_once("<pre id=\"found\">").and_then(|(_, rest)| rest.split_once("</pre>"));
    let found = found.unwrap_or_else(|| panic!("the script wrote no result: {dom}\n{output}")).0;
    let found = found.replace("&lt;", "<").replace("&gt;", ">").replace("&nbsp;", "\u{a0}").replace("&amp;", "&");
    serde_json::from_str(&found).unwrap_or_else(|error| panic!("{error}: {found}"))
}

#[test]
fn page_is_sound_at_two_widths_in_light_and_dark() {
    let Some(program) = browser() else { return };
    let place = tempfile::tempdir().unwrap();
    fs::write(place.path().join("report.html"), sample::page()).unwrap();
    for (width, dark) in [(1280, false), (1280, true), (400, false), (400, true)] {
        let found = measure(&program, place.path(), width, dark);
        let at = format!("at {width} px, {}", if dark { "dark" } else { "light" });
        assert_eq!((found.width, found.dark), (width, dark), "{at}: the browser did not apply the size or the scheme");
        assert!(found.beyond <= 0, "{at}: the page is {} px wider than its window", found.beyond);
        let faults = [
            ("loads", &found.resources),
            ("has links that lead nowhere", &found.links),
            ("has pictures without a name", &found.pictures),
            ("has text that is hard to read", &found.contrasts),
            ("has parts that scroll and cannot be reached", &found.regions),
            ("is not built right", &found.structure),
        ];
        for (what, faults) in faults {
            assert!(faults.is_empty(), "{at}: the page {what}: {faults:#?}");
        }
        assert!(found.texts > 500, "{at}: only {} texts were measured", found.texts);
        // At the smaller width pictures scroll, too; at the larger one only wide tables do.
        assert!(width > 400 || found.scrolling > 3, "{at}: {} parts scroll", found.scrolling);
        assert_eq!(found.headings.iter().filter(|level| **level == 1).count(), 1, "{at}");
        for pair in found.headings.windows(2) {
            assert!(pair[1] <= pair[0] + 1, "{at}: headings go from {} to {}", pair[0], pair[1]);
        }
    }
}
