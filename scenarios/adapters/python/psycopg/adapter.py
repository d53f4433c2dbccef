"""psycopg 3 under pgsquall: plain connections, one per worker thread, and one more that listens.

To test another client, copy this file. An adapter is a process that speaks JSON lines, one object per line, flushed:
  1. It finds its database in DATABASE_URL, or in libpq's variables (PGHOST, PGPORT, ...).
  2. It first prints {"hello": {"name": ..., "version": ..., "concurrency": 4}}: how many operations it can carry at
     once; also "capabilities": ["transaction", "listen"], and "timeout_ms", the longest that it lets one operation take.
  3. It reads {"id": 7, "op": "write", "key": 7} from stdin; op is write, read or transaction. Several may be in flight.
  4. It answers each exactly once, in any order: {"id": 7, "ok": true}, for a read with "found": true or false,
     or {"id": 7, "error": {"message": ...}}, if it knows with "sqlstate", "retryable" (true, false), and "kind":
     refused, reset, closed, timeout, deadline, server or other.
  5. With the capability "listen" it may be asked {"id": 0, "op": "listen"}: it answers once it listens on the channel
     pgsquall_news, hands on what it hears as {"notification": {"payload": "17"}}, one line each at any time, and says
     {"gap": true} when it listens again after the subscription was lost: what was sent meanwhile is gone.
  6. stdout is for these lines only, logs go to stderr; when stdin ends, it exits.
"""

import json
import os
import queue
import random
import sys
import threading
import time

import psycopg

WORKERS = 4
CONNECT_TIMEOUT = 5  # seconds; psycopg's own timer, over the whole handshake
STATEMENT_TIMEOUT = 5  # seconds; the server's timer, for each statement
FIRST_BACKOFF, LONGEST_BACKOFF = 0.1, 2  # seconds

# A transaction is four statements: BEGIN, SELECT, INSERT, COMMIT. A network gone silent is noticed by the TCP settings
# below, within the same time. Nothing bounds a server that is frozen while its kernel still acknowledges every byte.
LONGEST_OPERATION = LONGEST_BACKOFF + CONNECT_TIMEOUT + 4 * STATEMENT_TIMEOUT

PARAMETERS = {
    "connect_timeout": CONNECT_TIMEOUT,
    "keepalives_idle": 2,  # seconds of silence before the first probe
    "keepalives_interval": 1,
    "keepalives_count": 3,
    "tcp_user_timeout": 5000,  # ms that sent bytes may stay unacknowledged
    "target_session_attrs": "read-write",  # after a failover: never a standby
    "options": f"-c statement_timeout={STATEMENT_TIMEOUT}s",
}

READ_ONLY = "25006"  # the server has become a standby: only another connection helps
# Try again: connection exceptions, rollbacks (serialization, deadlock), too many connections, shutdown and start-up.
RETRYABLE = ("08", "40", "53", "57P", READ_ONLY)
KINDS = {"refused": "refused", "reset by peer": "reset", "closed": "closed", "timeout": "timeout", "timed out": "timeout"}


class Worker(threading.Thread):
    """Carries out one operation at a time, on a connection of its own."""

    def __init__(self, requests):
        super().__init__(daemon=True)
        self.requests, self.conn, self.failures = requests, None, 0

    def run(self):
        while request := self.requests.get():
            try:
                say({"id": request["id"], "ok": True, **self.perform(request["op"], request["key"])})
            except psycopg.Error as error:
                self.discard_if_useless(error)
                say({"id": request["id"], "error": describe(error)})
        if self.conn:
            self.conn.close()

    def perform(self, op, key):
        conn = self.connect()
        if op == "read":
            row = conn.execute("SELECT 1 FROM pgsquall_ledger WHERE id = %s", (key,)).fetchone()
            return {"found": row is not None}
        # Never retried: after an error it may have happened, and a second INSERT might be a duplicate.
        if op == "write":
            conn.execute("INSERT INTO pgsquall_ledger (id) VALUES (%s)", (key,))
        else:
            with conn.transaction():
                conn.execute("SELECT 1")
                conn.execute("INSERT INTO pgsquall_ledger (id) VALUES (%s)", (key,))
        return {}

    def connect(self):
        """The connection, made anew if need be: once per operation, after an ever longer pause while that fails."""
        if self.conn is None:
            if self.failures:
                back_off(self.failures - 1)
            self.failures += 1
            self.conn = psycopg.connect(os.environ["DATABASE_URL"], autocommit=True, **PARAMETERS)
            self.failures = 0
        return self.conn

    def discard_if_useless(self, error):
        if self.conn and (self.conn.closed or error.sqlstate == READ_ONLY):
            self.conn.close()
            self.conn = None


class Listener(threading.Thread):
    """Listens for good, on a connection of its own. Only keepalive tells it that the server has gone silent."""

    def __init__(self, request):
        super().__init__(daemon=True)
        self.request = request

    def run(self):
        failures, ever_listened = 0, False
        while True:
            try:
                with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True, **PARAMETERS) as conn:
                    conn.execute("LISTEN pgsquall_news")
                    say({"gap": True} if ever_listened else {"id": self.request["id"], "ok": True})
                    failures, ever_listened = 0, True
                    for notification in conn.notifies():
                        say({"notification": {"payload": notification.payload}})
            except psycopg.Error as error:
                print(f"not listening: {error}", file=sys.stderr, flush=True)
            back_off(failures)
            failures += 1


def back_off(failures):
    backoff = min(FIRST_BACKOFF * 2 ** failures, LONGEST_BACKOFF)
    time.sleep(backoff * random.uniform(0.5, 1))  # jitter: the workers must not come back in step


def describe(error):
    report = {"message": str(error) or type(error).__name__}
    if error.sqlstate:
        return report | {"sqlstate": error.sqlstate, "retryable": error.sqlstate.startswith(RETRYABLE)}
    for words, kind in KINDS.items():
        if words in report["message"]:
            return report | {"kind": kind, "retryable": True}
    return report  # libpq keeps the SQLSTATE of a failed connect to itself: whether another try helps is not known


def say(line, lock=threading.Lock()):
    with lock:
        print(json.dumps(line), flush=True)


def main():
    say({"hello": {"name": "psycopg", "version": psycopg.__version__, "concurrency": WORKERS,
                   "capabilities": ["transaction", "listen"], "timeout_ms": 1000 * LONGEST_OPERATION}})
    # A bug of this file must not look like an operation of psycopg that hangs: end the process, and loudly.
    threading.excepthook = lambda bug: (sys.excepthook(*bug[:3]), os._exit(1))
    requests = queue.SimpleQueue()
    workers = [Worker(requests) for _ in range(WORKERS)]
    for worker in workers:
        worker.start()
    for line in sys.stdin:
        request = json.loads(line)
        if request["op"] == "listen":
            Listener(request).start()
        else:
            requests.put(request)
    for worker in workers:
        requests.put(None)
    for worker in workers:
        worker.join()


if __name__ == "__main__":
    main()
