"""Measures the gateway, for ci/bench-gateway.sh. Only the standard library.

A round takes every measure once through every peer, one sample after the other; the order rotates from round to round.
What is compared are samples of the same round: the numbers of a shared machine drift, their ratios hardly do.
"""

import argparse
import contextlib
import glob
import json
import os
import pathlib
import platform
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from measures import PARTS, Bench, expected_minutes, say
from peers import OURS, Server, choose
from report import Report


def words(text):
    return [word for word in text.split(",") if word]


def positive(text):
    if (number := int(text)) < 1:
        raise ValueError
    return number


def parse_arguments():
    target = pathlib.Path(__file__).resolve().parents[2] / "target/release/pgsquall"
    parser = argparse.ArgumentParser(
        prog="ci/bench-gateway.sh",
        description="Measures the gateway beside HAProxy, nginx and a direct connection, on a Postgres of its own.",
    )
    add = parser.add_argument
    add("--rounds", type=positive, default=6, help="default 6")
    add("--seconds", type=positive, default=4, help="of each sample; default 4")
    add("--only", type=words, default=list(PARTS), metavar="PARTS", help=f"of {','.join(PARTS)}; default all")
    add("--peers", type=words, default=["direct", "haproxy", "nginx", OURS],
        help="default direct,haproxy,nginx,pgsquall; direct is always there")  # fmt: skip
    add("--peer", action="append", default=[], metavar="NAME=COMMAND",
        help="one more, or another command for one; {listen}, {upstream} and {api} become addresses")  # fmt: skip
    add("--pgsquall", default=str(target), metavar="PATH", help="default target/release/pgsquall")
    add("--json", metavar="FILE", help="write all samples there")
    add("--check", action="store_true", help="exit 1 unless every target is measured and met, and nothing failed")
    options = parser.parse_args()
    if unknown := [part for part in options.only if part not in PARTS]:
        parser.error(f"no such part: {', '.join(unknown)}; there are {', '.join(PARTS)}")
    if malformed := [peer for peer in options.peer if "=" not in peer]:
        parser.error(f"--peer wants NAME=COMMAND, not {malformed[0]}")
    options.peer = dict(peer.split("=", 1) for peer in options.peer)
    return options


def installed_server():
    """Directory of the newest one where Debian has them, or of the one on the path."""
    candidates = [path for path in glob.glob("/usr/lib/postgresql/*/bin") if os.path.exists(f"{path}/pgbench")]
    if candidates:
        return max(candidates, key=lambda path: int(re.sub(r"\D", "", path)))
    if not (found := shutil.which("postgres")):
        sys.exit("missing: a Postgres server with pgbench (Debian: postgresql)")
    return os.path.dirname(os.path.realpath(found))


def memory_directory():
    """On disk, the first reads and the checkpoints would be part of some samples."""
    if os.path.isdir("/dev/shm") and shutil.disk_usage("/dev/shm").free > 2**30:
        return "/dev/shm"
    say("no memory file system with 1 GiB to spare: the server is on disk")
    return None


def setup(bench):
    def first_line(*command):
        done = subprocess.run(command, capture_output=True, text=True, timeout=10)
        return (done.stdout + done.stderr).strip().splitlines()[0]

    versions = [first_line(f"{bench.server.bin}/postgres", "--version")]
    versions += [first_line(name, "-v") for name in ("haproxy", "nginx") if name in bench.commands]
    return [f"{platform.system()} {platform.release()}, {os.cpu_count()} cores", *versions]


def main():
    options = parse_arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    signal.signal(signal.SIGINT, lambda *_: sys.exit(130))
    commands, missing = choose(options.peers, options.peer, options.pgsquall)
    server_directory = installed_server()
    least, most = expected_minutes(options, len(commands))
    say(f"expected: {least:.1f} minutes; {most:.1f} if every sample has to be repeated")
    began = time.monotonic()
    with contextlib.ExitStack() as stack:
        directory = tempfile.mkdtemp(prefix="pgsquall-bench-", dir=memory_directory())
        stack.callback(shutil.rmtree, directory, ignore_errors=True)
        server = Server(server_directory, directory)
        stack.callback(server.process.end, signal.SIGINT)
        server.fill()
        bench = Bench(options, server, directory, commands, missing)
        bench.start_peers(stack)
        machine = setup(bench)
        bench.run()

    print("; ".join(machine) + ".")
    print("Peers have their defaults (HAProxy: a thread per core; nginx: a worker per core, buffers of 16 KiB).\n")
    report = Report(bench)
    report.print_tables()
    for name, why in bench.missing.items():
        print(f"not measured: {name}: {why}")
    for failure in bench.failures:
        print(f"failed: {failure}")
    verdicts = list(report.verdicts())
    for target, value, met in verdicts:
        print(f"- {target}: " + ("not measured" if met is None else f"{'met' if met else 'MISSED'}, {value:.2f}"))
    say(f"took {(time.monotonic() - began) / 60:.1f} minutes")
    if options.json:
        kept = ("samples", "latency", "thrown_away", "kept_disturbed", "missing", "failures")
        content = {"machine": machine, "seconds": options.seconds, **{name: getattr(bench, name) for name in kept}}
        pathlib.Path(options.json).write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")
    if options.check and (bench.failures or not all(met for _, _, met in verdicts)):
        sys.exit(1)


main()
