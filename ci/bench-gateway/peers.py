"""What is started for the benchmark, and ended again: the server, and the ways to it."""

import contextlib
import glob
import os
import pathlib
import re
import shlex
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from processor_time import processes, tree
from session import HOST, Session

OURS = "pgsquall"
# A second way that is the same as `direct`: what the two differ by is noise.
CONTROL = "direct again"
# Rows of 100 characters: 303 MB of COPY text, in as many CopyData messages.
COPY_ROWS, COPY_WIDTH = 3_000_000, 100

# Peers run with their defaults, but for timeouts (none may end a sample) and logs (there are none).
HAPROXY = """
defaults
    mode tcp
    timeout connect 10s
    timeout client 1h
    timeout server 1h
listen postgres
    bind {listen}
    server postgres {upstream}
"""
NGINX = """
{module}
daemon off;
pid {directory}/nginx.pid;
error_log stderr crit;
worker_processes auto;
events {{}}
stream {{
    access_log off;
    server {{
        listen {listen};
        proxy_pass {upstream};
        proxy_timeout 1h;
    }}
}}
"""


def free_port():
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1]


class Process:
    def __init__(self, command, log, **options):
        self.log = log
        with open(log, "wb") as output:
            self.child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, **options)
        self.pid = self.child.pid

    def wait_until_it_answers(self, port):
        """Until a session can be opened through it; at most 10 s."""
        deadline = time.monotonic() + 10
        while True:
            try:
                return Session(port, 10).close()
            except OSError as error:
                if self.child.poll() is not None or time.monotonic() > deadline:
                    output = pathlib.Path(self.log).read_text(errors="replace").strip().splitlines()[-3:]
                    raise RuntimeError(" / ".join([*output, str(error)])) from error
                time.sleep(0.02)

    def end(self, kind=signal.SIGTERM):
        family = tree(self.pid, processes())
        if self.child.poll() is None:
            self.child.send_signal(kind)
        try:
            self.child.wait(10)
        except subprocess.TimeoutExpired:
            for pid in family:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self.child.wait(10)


class Server:
    """A throwaway cluster on a memory file system."""

    def __init__(self, bin_directory, directory):
        self.bin, self.port = bin_directory, free_port()
        data = f"{directory}/data"
        # initdb and postgres refuse to run as root.
        self.account = {}
        if os.getuid() == 0:
            self.account = {"user": "postgres", "group": "postgres", "extra_groups": []}
            shutil.chown(directory, "postgres", "postgres")
        self.run("initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync")
        settings = {
            "port": self.port,
            "listen_addresses": HOST,
            "unix_socket_directories": "",
            "shared_buffers": "128MB",
            "fsync": "off",
            "max_connections": 200,
            # Its workers would be part of some samples and not of others.
            "autovacuum": "off",
        }
        command = [f"{self.bin}/postgres", "-D", data, *(f"--{name}={value}" for name, value in settings.items())]
        self.process = Process(command, f"{directory}/postgres.log", cwd=directory, **self.account)

    def fill(self):
        self.process.wait_until_it_answers(self.port)
        self.run("pgbench", *self.at(self.port), "-i", "-q", "-s", "10", "postgres")
        # Frozen at once: no sample has to set hint bits.
        rows = f"COPY wide FROM PROGRAM $$yes {'x' * COPY_WIDTH} | head -n {COPY_ROWS}$$ (FREEZE)"
        steps = ["BEGIN", "CREATE TABLE wide (content text)", rows, "COMMIT", "VACUUM", "CHECKPOINT"]
        steps = [word for step in steps for word in ("-c", step)]
        self.run("psql", *self.at(self.port), "-d", "postgres", "-qX", "-v", "ON_ERROR_STOP=1", *steps)

    def at(self, port):
        return ["-h", HOST, "-p", str(port), "-U", "postgres"]

    def run(self, program, *arguments, patience=120):
        """Its output. `patience` in seconds: what it may take."""
        command, account = [f"{self.bin}/{program}", *arguments], self.account if program == "initdb" else {}
        done = subprocess.run(
            command, cwd="/", stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=patience, **account
        )
        if done.returncode != 0:
            raise RuntimeError(f"{program}: {done.stderr.strip()[-500:]}")
        return done.stdout


class Peer:
    """A way to the server: a proxy in between, or (without a command) none."""

    def __init__(self, name, command, server_port, directory):
        self.name, self.port, self.pid, self.api, self.process = name, server_port, None, None, None
        if command is None:
            return
        self.port, self.api = free_port(), free_port()
        places = {"listen": f"{HOST}:{self.port}", "upstream": f"{HOST}:{server_port}", "api": f"{HOST}:{self.api}"}
        own = tempfile.mkdtemp(prefix=f"{name}-", dir=directory)
        self.process = Process(command(places, own), f"{own}/log", cwd=own)
        self.pid = self.process.pid
        try:
            self.process.wait_until_it_answers(self.port)
        except BaseException:
            self.end()
            raise

    def end(self):
        if self.process:
            self.process.end()

    def resident_megabytes(self):
        """VmRSS of its processes, added up: pages that nginx's master and workers share count for each."""
        statuses = [pathlib.Path(f"/proc/{pid}/status").read_text() for pid in tree(self.pid, processes())]
        return sum(int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) for status in statuses) * 1024 / 1e6


def haproxy(places, directory):
    pathlib.Path(f"{directory}/haproxy.cfg").write_text(HAPROXY.format(**places))
    return ["haproxy", "-db", "-f", f"{directory}/haproxy.cfg"]


def nginx(places, directory):
    # Debian has the stream module in a file of its own; other builds have it built in.
    modules = glob.glob("/usr/lib/nginx/modules/ngx_stream_module.so")
    module = f"load_module {modules[0]};" if modules else ""
    pathlib.Path(f"{directory}/nginx.conf").write_text(NGINX.format(module=module, directory=directory, **places))
    return ["nginx", "-e", "stderr", "-c", f"{directory}/nginx.conf"]


def given(line):
    return lambda places, _: [word.format(**places) for word in shlex.split(line)]


def choose(wanted, extra, pgsquall):
    """Peer to a function from its places to its command line, and why others that are wanted cannot be run."""
    binary = os.path.abspath(pgsquall)
    ours = f"{shlex.quote(binary)} proxy --listen {{listen}} --upstream {{upstream}} --api {{api}}"
    known = {"direct": None, "haproxy": haproxy, "nginx": nginx, OURS: given(ours)}
    missing = {name: "not installed" for name in ("haproxy", "nginx") if not shutil.which(name)}
    if not os.access(binary, os.X_OK):
        missing[OURS] = f"no program at {pgsquall} (cargo build --release, or --pgsquall PATH)"
    for name, line in extra.items():
        known[name] = given(line)
        missing.pop(name, None)
    wanted = list(dict.fromkeys(["direct", *wanted, *extra]))
    if unknown := [name for name in wanted if name not in known]:
        raise SystemExit(f"no such peer: {', '.join(unknown)}; there are {', '.join(known)}")
    chosen = {name: known[name] for name in wanted if name not in missing}
    return chosen, {name: why for name, why in missing.items() if name in wanted}
