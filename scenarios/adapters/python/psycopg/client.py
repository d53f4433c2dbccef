"""psycopg 3 without a pool: each thread has one connection and opens another when that one is closed.

https://www.psycopg.org/psycopg3/docs/api/connections.html
"""

import math
import os

import psycopg

import adapter
import libpq

CONNECT = {"autocommit": True}


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
            if deadline.left() is not None:  # the only limit of a connect: whole seconds, at least two
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
        CONNECT |= libpq.RECOVERY
    adapter.hello("psycopg", psycopg.__version__, ["transaction", "listen", "deadline", "multi_host", "tls"])
    workers = [Worker() for _ in range(adapter.WORKERS)]
    adapter.serve([each.perform for each in workers], (psycopg.Error,), lambda error: error.sqlstate, listen)
    for worker in workers:
        worker.close()
