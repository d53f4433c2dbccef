"""The latency toxic, by the Toxiproxy API of a proxy: what it adds to a round trip, and what it leaves of a COPY."""

import contextlib
import http.client
import json
import time

from session import HOST, Session
from statistics import median

TRIPS = 200
DELAY = 50
PROXY = "/proxies/postgres"


def call(peer, method, path, body=None):
    connection = http.client.HTTPConnection(HOST, peer.api, timeout=5)
    with contextlib.closing(connection):
        connection.request(method, path, body and json.dumps(body), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read().decode(errors="replace").strip()
    if answer.status >= 300:
        raise RuntimeError(f"{method} {path}: {answer.status} {text[:200]}")


def unavailable(peer):
    """Why its API cannot be used; nothing if it can."""
    try:
        call(peer, "GET", PROXY)
    except (OSError, http.client.HTTPException, RuntimeError) as error:
        return str(error) or type(error).__name__


@contextlib.contextmanager
def toxic(peer, milliseconds):
    attributes = {"latency": milliseconds, "jitter": 0}
    call(peer, "POST", f"{PROXY}/toxics",
         {"name": "l", "type": "latency", "stream": "downstream", "attributes": attributes})  # fmt: skip
    try:
        yield
    finally:
        call(peer, "DELETE", f"{PROXY}/toxics/l")


def stream(peer, sql, seconds):
    """MB/s between the first byte and the last, cut off after so many seconds.

    From the first byte: the delay itself, once per COPY, is no loss of throughput.
    """
    with contextlib.closing(Session(peer.port)) as session:
        count, elapsed = session.ask(sql, time.perf_counter() + seconds)
    return count / max(elapsed, 1e-9) / 1e6


def measure(peer, sql, rounds, seconds):
    with contextlib.closing(Session(peer.port)) as session:
        session.trips(TRIPS)
        # At the pace that the toxic imposes: after 50 ms of sleep every process on the way wakes up slowly, on the way
        # without the toxic too, and that is not what the toxic adds.
        without = session.trips(TRIPS, DELAY / 1000)
        with toxic(peer, DELAY):
            delayed = session.trips(TRIPS)
        # In pairs: what a toxic of 0 ms costs is less than a plain round trip drifts.
        differences = []
        for _ in range(rounds):
            plain = median(session.trips(TRIPS))
            with toxic(peer, 0):
                differences.append(median(session.trips(TRIPS)) - plain)
    added = sorted(trip - median(without) for trip in delayed)
    speeds = []
    for _ in range(rounds):
        plain = stream(peer, sql, seconds)
        with toxic(peer, DELAY):
            speeds.append((plain, stream(peer, sql, seconds)))
    return {
        "added_p50": median(added),
        "added_p99": added[len(added) * 99 // 100 - 1],
        "added_by_0_ms_p50": median(differences),
        "copy": median(slow for _, slow in speeds),
        "copy_ratio": median(slow / plain for plain, slow in speeds),
        "samples": {"without": without, "delayed": delayed, "differences": differences, "copy": speeds},
    }
