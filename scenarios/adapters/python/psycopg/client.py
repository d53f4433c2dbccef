"""psycopg 3 by itself: each thread has one connection and opens another when that one is closed.

https://www.psycopg.org/psycopg3/docs/api/connections.html
"""

import math
import os

import psycopg

import adapter

CONNECT = {"autocommit": True}
TUNED = {
    "connect_timeout": 5,  # seconds, over the whole handshake and for each host
    "keepalives_idle": 2,  # seconds of silence before the first probe
    "keepalives_interval": 1,  # seconds
    "keepalives_count": 3,
    "tcp_user_timeout": 5000,  # ms that sent bytes may stay unacknowledged
    "target_session_attrs": "read-write",  # after a failover: never a standby
    "options": "-c statement_timeout=5s",  # the server's own timer: it needs a server that can still be heard
}


class Worker:
    def __init__(self):
        self.conn = None

    def perform(self, op, key, deadline):
        conn = self.connect(deadline)
        with deadline.calls(conn.cancel_safe):
            match op:
                case "write":
                    conn.execute("INSERT INTO pgsquall_ledger (id) VALUES (%s)", (key,))
                case "read":
                    cursor = conn.execute("SELECT 1 FROM pgsquall_ledger WHERE id = %s", (key,))
                    return cursor.fetchone() is not None
                case "transaction":
                    with conn.transaction():
                        conn.execute("SELECT 1")
                        conn.execute("INSERT INTO pgsquall_ledger (id) VALUES (%s)", (key,))

    def connect(self, deadline):
        if self.conn is None or self.conn.closed:
            limit = {}
            if deadline.left() is not None:  # all that there is for a connect: whole seconds, at least two
                limit["connect_timeout"] = max(2, math.ceil(deadline.left()))
            self.conn = psycopg.connect(os.environ["DATABASE_URL"], **CONNECT | limit)
        return self.conn

    def close(self):
        if self.conn:
            self.conn.close()


def listen(listening, heard):
    with psycopg.connect(os.environ["DATABASE_URL"], **CONNECT) as conn:
        conn.execute("LISTEN pgsquall_news")
        listening()
        for notification in conn.notifies():
            heard(notification.payload)


if __name__ == "__main__":
    if adapter.tuned():
        CONNECT |= TUNED
    adapter.hello("psycopg", psycopg.__version__, ["transaction", "listen", "deadline", "multi_host", "tls"])
    workers = [Worker() for _ in range(adapter.WORKERS)]
    adapter.serve([each.perform for each in workers], (psycopg.Error,), lambda error: error.sqlstate, listen)
    for worker in workers:
        worker.close()
