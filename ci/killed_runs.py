"""Runs on the kernel plane, some of them killed with SIGKILL, and what is left of them: see killed-runs.sh.

--shared: other runs may be under way on this machine, so that only what is surely of these is looked at. The network is
looked at as a whole all the same: such a caller gives this program one of its own.
"""

import argparse
import collections
import concurrent.futures
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid

SCENARIO = pathlib.Path(__file__).parent.parent / "tests/common/short-blackhole.toml"

# In the environment of every process that comes of these runs.
TOKEN = f"PGSQUALL_KILLED_RUNS={uuid.uuid4()}"
# A run takes three seconds, and one in a container some more. It is killed within the first of them.
RUN_WITHIN = 90
KILLED_WITHIN = 3.5
# What the kernel still has to clear away when the last process is gone.
GONE_WITHIN = 60
IMAGE = "pgsquall/postgres:17"


def output(*words):
    return subprocess.run(words, capture_output=True, text=True, timeout=60).stdout


def read(path):
    try:
        return pathlib.Path(path).read_bytes()
    except OSError:
        return b""


def links(folder):
    for path in pathlib.Path(folder).glob("*"):
        try:
            yield os.readlink(path)
        except OSError:
            pass


def pids():
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def processes(word):
    """Processes that have this in their environment, zombies aside."""
    return [pid for pid in pids() if word.encode() in read(f"/proc/{pid}/environ")]


def spaces():
    """Network namespaces that a process is in, or holds."""
    found = set()
    for pid in pids():
        found.update(link for link in links(f"/proc/{pid}/ns") if link.startswith("net:"))
        found.update(link for link in links(f"/proc/{pid}/fd") if link.startswith("net:"))
    return found


def interfaces():
    # Not from /sys, which shows the network of the process that mounted it.
    names = [line.split(":")[0].strip() for line in read("/proc/self/net/dev").decode().splitlines()]
    return {name for name in names if name.startswith("squall")}


def network():
    """Of the machine's network what a run could change, by name."""
    rules = shutil.which("nft") and os.geteuid() == 0
    settings = {str(path): read(path) for path in pathlib.Path("/proc/sys/net/netfilter").glob("nf_conntrack_*")}
    settings.pop("/proc/sys/net/netfilter/nf_conntrack_count", None)
    routes = output("ip", "route", "show", "table", "all").splitlines()
    return {
        "rules": output("nft", "--stateless", "list", "ruleset") if rules else "",
        "routes": sorted(line for line in routes if "squall" in line or "198.1" in line),
        "connection tracking": settings,
    }


def folders():
    name = f"pgsquall-{os.geteuid()}-*"
    roots = {"/dev/shm", tempfile.gettempdir()}
    return {str(path) for root in roots for path in pathlib.Path(root).glob(name)}


def of_docker(what):
    listed = ["ps", "-aq"] if what == "containers" else ["network", "ls", "-q"]
    return output("docker", *listed, "--filter", "label=pgsquall.run").split()


class Runs:
    def __init__(self, options, place):
        self.options, self.place = options, place
        self.binary = str(pathlib.Path(options.binary).resolve())
        self.random = random.Random(options.seed)
        # Of runs that were killed.
        self.folders = set()
        found = subprocess.run(["python3", "-c", "import psycopg"], capture_output=True).returncode == 0
        self.adapter = "psycopg:tuned" if found else f"{self.binary} adapter reference"
        image = ["docker", "image", "inspect", IMAGE]
        self.has_docker = not options.shared and shutil.which("docker") and subprocess.run(image, capture_output=True).returncode == 0
        shutil.copy(SCENARIO, place / "short.toml")

    def kinds(self):
        """Client and server of each run; who is not root has no client in the harness's own process."""
        local = [("adapter", self.adapter, "local")]
        if os.geteuid() == 0:
            local.append(("in-process", "reference", "local"))
        docker = [(f"{name}, docker", client, f"docker:{IMAGE}") for name, client, _ in local] if self.has_docker else []
        for index in range(self.options.runs):
            killed = index % self.options.every == self.options.every - 1
            # Of those that are killed each third is on a container; of the others each twentieth.
            turn = index // self.options.every if killed else index
            choice = docker if docker and turn % (3 if killed else 20) == 2 else local
            yield (*choice[turn % len(choice)], self.random.uniform(0, KILLED_WITHIN) if killed else None)

    def run(self, number, kind):
        name, client, server, killed_after = kind
        words = [self.binary, "run", "short.toml", "--network", "kernel", "--client", client, "--server", server]
        log = open(self.place / f"{number}.log", "w+")
        key, value = TOKEN.split("=")
        process = subprocess.Popen(
            [*words, "--out", f"out-{number}"],
            cwd=self.place, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env={**os.environ, key: value},
        )
        try:
            ended = process.wait(RUN_WITHIN if killed_after is None else killed_after)
        except subprocess.TimeoutExpired:
            held = links(f"/proc/{process.pid}/fd")
            self.folders |= {os.path.dirname(link) for link in held if link.endswith("/lock")}
            process.send_signal(signal.SIGKILL)
            process.wait()
            ended = "killed" if killed_after is not None else "hung, and killed"
        log.seek(0)
        return name, ended, log.read()


def left(runs, before):
    """Describes what is left of these runs."""
    shared = runs.options.shared
    marked = processes(TOKEN) if shared else {*processes(TOKEN), *processes("PGSQUALL_RUN=")}
    found = [f"process {pid}: {read(f'/proc/{pid}/cmdline').replace(bytes(1), b' ').decode()}" for pid in marked]
    found += [f"interface {name}" for name in interfaces()]
    found += [f"folder {path}" for path in folders() & runs.folders]
    now = network()
    found += [f"the machine's {what} changed:\n{before[what]}\n{now[what]}" for what in now if now[what] != before[what]]
    if not shared:
        # Numbers are given out again, so that among those of others they say nothing.
        found += [f"namespace {name}" for name in spaces() - before["spaces"]]
        found += [f"folder {path}" for path in folders() - before["folders"]]
    if runs.has_docker:
        found += [f"of Docker's {what}: {name}" for what in ["containers", "networks"] for name in of_docker(what)]
    return found


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--binary", required=True)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--every", type=int, default=10, help="which of them are killed")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--at-once", type=int, default=4)
    parser.add_argument("--shared", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="killed-runs-") as folder:
        place = pathlib.Path(folder)
        runs = Runs(options, place)
        before = {**network(), "spaces": spaces(), "folders": folders()}
        began = time.monotonic()
        counts, wrong = collections.Counter(), []
        with concurrent.futures.ThreadPoolExecutor(options.at_once) as pool:
            for name, ended, said in pool.map(runs.run, range(options.runs), runs.kinds()):
                ending = {0: "passed"}.get(ended, f"exit code {ended}" if isinstance(ended, int) else ended)
                counts[name, ending] += 1
                if ending not in ("passed", "killed"):
                    wrong.append(f"{name}: {ending}\n{said}")
        # The next run is the one that cleans up; while it did, the one before may still have been dying.
        for number in range(options.runs, options.runs + 2):
            name, ended, said = runs.run(number, (*next(runs.kinds())[:3], None))
            if ended != 0:
                wrong.append(f"the run afterwards: {ended}\n{said}")
        took, began = time.monotonic() - began, time.monotonic()
        last = []
        while (rest := left(runs, before)) and time.monotonic() - began < GONE_WITHIN:
            last = rest
            time.sleep(0.1)
    for (name, ending), count in sorted(counts.items()):
        print(f"{count:4} {name:20} {ending}")
    print(f"{options.runs} runs in {took:.0f} s, seed {options.seed}; {len(wrong)} that did not pass; {len(rest)} left over")
    if not rest:
        print(f"all was gone {time.monotonic() - began:.1f} s after the last run; the last to go: {last or 'nothing'}")
    for text in [*wrong, *rest]:
        print(f"\n{text}")
    sys.exit(1 if rest or wrong else 0)


if __name__ == "__main__":
    main()
