"""What is measured of a peer, and the rounds in which it is."""

import contextlib
import dataclasses
import re
import subprocess
import sys
import time
from collections.abc import Callable

import latency
from peers import CONTROL, COPY_ROWS, COPY_WIDTH, Peer
from processor_time import Reading
from session import Session

PARTS = ("select", "copy", "churn", "rss", "latency")
CLIENTS = (1, 8, 32)
IDLE_CONNECTIONS = 100
RESIDENT = f"RSS, {IDLE_CONNECTIONS} idle connections"
COPY = "COPY wide TO STDOUT"
# A sample is repeated when others had more than this share of all cores during it, and so often at most.
FOREIGN_LIMIT = 0.05
REPEATS = 3
# Seconds that a sample may take beyond its set duration.
GRACE = 30
FAILURES = (RuntimeError, OSError, subprocess.TimeoutExpired)


def say(text):
    print(text, file=sys.stderr, flush=True)


def in_words(clients):
    return f"{clients} client" + "s" * (clients > 1)


@dataclasses.dataclass
class Measure:
    """A rate, and what the proxy's processor time is divided by."""

    part: str
    name: str
    unit: str
    cpu_name: str
    cpu_unit: str
    cpu_factor: float
    # From a peer to the rate, and to the amount (transactions, gigabytes) that was carried.
    take: Callable


def all_measures(server, seconds):
    def pgbench(*arguments):
        def take(peer):
            command = [*server.at(peer.port), "-S", "-n", "-j", "2", "-T", str(seconds), *arguments, "postgres"]
            output = server.run("pgbench", *command, patience=seconds + GRACE)
            rate = re.search(r"tps = ([\d.]+) \((?:without|including)", output)
            number = re.search(r"transactions actually processed: (\d+)", output)
            return float(rate[1]), int(number[1])

        return take

    def copy_out(peer):
        """Whole COPYs in one session."""
        with contextlib.closing(Session(peer.port, seconds + GRACE)) as session:
            count, began = 0, time.perf_counter()
            while time.perf_counter() - began < seconds:
                size = session.ask(COPY)[0]
                if size < COPY_ROWS * COPY_WIDTH:
                    raise RuntimeError(f"COPY ended after {size} bytes")
                count += size
            return count / (time.perf_counter() - began) / 1e6, count / 1e9

    for clients in CLIENTS:
        name, cpu_name = f"select-only, {in_words(clients)}", f"CPU per transaction, {in_words(clients)}"
        take = pgbench("-M", "prepared", "-c", str(clients))
        yield Measure("select", name, "tps", cpu_name, "µs", 1e6, take)
    yield Measure("copy", "COPY OUT", "MB/s", "CPU per GB", "s", 1, copy_out)
    yield Measure("churn", "connection churn", "/s", "CPU per connection", "µs", 1e6, pgbench("-C", "-c", "4"))


def expected_minutes(options, peers):
    """Without a repeat, and with all of them."""
    kinds = [measure.part for measure in all_measures(None, options.seconds)]
    samples = sum(kind in options.only for kind in kinds) * (peers + 1) * options.rounds
    least = samples * (options.seconds + 0.4)
    rest = 15 + 0.6 * (peers - 1) * options.rounds * ("rss" in options.only)
    rest += (15 + 2 * options.rounds * (options.seconds + 0.2)) * ("latency" in options.only)
    return (least + rest) / 60, (least * (1 + REPEATS) + rest) / 60


class Bench:
    def __init__(self, options, server, directory, commands, missing):
        self.options, self.server, self.directory = options, server, directory
        self.commands, self.missing = commands, missing
        self.peers, self.rows, self.samples, self.failures, self.latency = [], [], [], [], {}
        self.thrown_away, self.kept_disturbed = 0, 0

    def start_peers(self, stack):
        for name, command in self.commands.items():
            try:
                peer = Peer(name, command, self.server.port, self.directory)
            except FAILURES as error:
                self.missing[name] = f"did not come up: {error}"
                continue
            stack.callback(peer.end)
            self.peers.append(peer)
        self.peers.insert(1, Peer(CONTROL, None, self.server.port, self.directory))

    def keep(self, number, peer, name, value, **more):
        self.samples.append({"round": number, "peer": peer.name, "measure": name, "value": value, **more})

    def sample(self, number, peer, measure):
        """One sample, taken again if the machine was not ours; the least disturbed one is kept."""
        tries = []
        while len(tries) <= REPEATS:
            before = Reading(peer.pid)
            rate, amount = measure.take(peer)
            after = Reading(peer.pid)
            foreign = after.foreign_share_since(before)
            tries.append((foreign, rate, (after.proxy - before.proxy) * measure.cpu_factor / amount))
            if foreign <= FOREIGN_LIMIT:
                break
        foreign, rate, cpu = min(tries)
        self.thrown_away += len(tries) - 1
        self.kept_disturbed += foreign > FOREIGN_LIMIT
        self.keep(number, peer, measure.name, rate, foreign=foreign, tries=len(tries))
        if peer.pid:
            self.keep(number, peer, measure.cpu_name, cpu)

    def resident(self, number, peer):
        """In a process of its own that carried nothing before: what is held then does not depend on the order."""
        fresh = Peer(peer.name, self.commands[peer.name], self.server.port, self.directory)
        with contextlib.ExitStack() as stack:
            stack.callback(fresh.end)
            for _ in range(IDLE_CONNECTIONS):
                stack.callback(Session(fresh.port).close)
            time.sleep(0.2)
            self.keep(number, peer, RESIDENT, fresh.resident_megabytes())

    def attempt(self, peer, what, act, *arguments):
        """A peer that fails does not take the others' numbers away. `direct` must not fail."""
        try:
            act(*arguments)
        except FAILURES as error:
            if peer.pid is None:
                raise
            self.failures.append(" ".join(f"{peer.name}: {what}: {error}".split()))
            say(self.failures[-1])

    def run(self):
        only, rounds = self.options.only, self.options.rounds
        wanted = [one for one in all_measures(self.server, self.options.seconds) if one.part in only]
        for one in wanted:
            self.rows += [(one.name, one.unit), (one.cpu_name, one.cpu_unit)]
        if "rss" in only:
            self.rows.append((RESIDENT, "MB"))
        for number in range(rounds if self.rows else 0):
            say(f"round {number + 1} of {rounds}")
            turn = number % len(self.peers)
            order = self.peers[turn:] + self.peers[:turn]
            for one in wanted:
                for peer in order:
                    self.attempt(peer, one.name, self.sample, number, peer, one)
            for peer in order:
                if "rss" in only and peer.pid:
                    self.attempt(peer, RESIDENT, self.resident, number, peer)
        for peer in self.peers:
            if "latency" in only and peer.pid and (why_not := latency.unavailable(peer)):
                # HAProxy and nginx have no such API, and are not expected to.
                if peer.name not in ("haproxy", "nginx"):
                    self.missing[f"latency toxic of {peer.name}"] = f"no Toxiproxy API: {why_not}"
            elif "latency" in only and peer.pid:
                say(f"latency toxic of {peer.name}")
                self.attempt(peer, "latency toxic", self.latency_through, peer)

    def latency_through(self, peer):
        before = Reading(peer.pid)
        found = latency.measure(peer, COPY, self.options.rounds, self.options.seconds)
        self.latency[peer.name] = found | {"foreign": Reading(peer.pid).foreign_share_since(before)}
