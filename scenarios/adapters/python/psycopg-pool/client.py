"""psycopg 3's pool, threads: an operation takes a connection from it and gives it back.

https://www.psycopg.org/psycopg3/docs/advanced/pool.html
"""

import os

import psycopg
import psycopg_pool
from psycopg_pool import ConnectionPool

import adapter
import libpq

CONNECT = {"autocommit": True}
POOL = {"min_size": adapter.WORKERS}
TUNED_POOL = {
    "timeout": 10,  # seconds to wait for a connection
    "reconnect_timeout": 10,  # seconds of growing pauses; then the pool gives up until the next request
    "max_lifetime": 300,  # seconds, so that no connection stays for ever on a server that was replaced
}
if hasattr(ConnectionPool, "check_connection"):  # since 3.2
    TUNED_POOL["check"] = ConnectionPool.check_connection  # queries the server at each borrow


def perform(pool, op, key, deadline):
    with pool.connection(timeout=deadline.left()) as conn, deadline.calls(conn.cancel_safe):
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


def listen(listening, heard):
    with psycopg.connect(os.environ["DATABASE_URL"], **CONNECT) as conn:
        conn.execute("LISTEN pgsquall_news")
        listening()
        for notification in conn.notifies():
            heard(notification.payload)


if __name__ == "__main__":
    if adapter.tuned():
        CONNECT |= libpq.RECOVERY
        POOL |= TUNED_POOL
    capabilities = ["transaction", "listen", "deadline", "multi_host", "tls"]
    adapter.hello("psycopg-pool", psycopg_pool.__version__, capabilities)
    with ConnectionPool(os.environ["DATABASE_URL"], kwargs=CONNECT, open=False, **POOL) as pool:
        performs = adapter.CALLERS * [lambda *asked: perform(pool, *asked)]
        adapter.serve(performs, (psycopg.Error,), lambda error: error.sqlstate, listen)
