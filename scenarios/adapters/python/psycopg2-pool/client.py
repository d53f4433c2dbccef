"""psycopg2's ThreadedConnectionPool: an operation takes a connection from it and puts it back.

https://www.psycopg.org/docs/pool.html, and for cancel and notifications https://www.psycopg.org/docs/connection.html
"""

import os
import select
import threading
from contextlib import closing, contextmanager

import psycopg2
import psycopg2.extensions
from psycopg2.pool import ThreadedConnectionPool

import adapter
import libpq

CONNECT = {}


class Client:
    def __init__(self):
        self.pool = None
        self.creating = threading.Lock()

    def perform(self, op, key, deadline):
        with self.connection() as conn, deadline.calls(conn.cancel):
            match op:
                case "write":
                    with conn.cursor() as cursor:
                        cursor.execute("INSERT INTO pgsquall_ledger (id) VALUES (%s)", (key,))
                case "read":
                    with conn.cursor() as cursor:
                        cursor.execute("SELECT 1 FROM pgsquall_ledger WHERE id = %s", (key,))
                        return cursor.fetchone() is not None
                case "transaction":
                    with conn, conn.cursor() as cursor:
                        cursor.execute("SELECT 1")
                        cursor.execute("INSERT INTO pgsquall_ledger (id) VALUES (%s)", (key,))

    @contextmanager
    def connection(self):
        pool = self.create_pool()
        conn = pool.getconn()
        try:
            conn.autocommit = True
            yield conn
        finally:
            pool.putconn(conn)

    def create_pool(self):
        """Created on first use: without a server there is no pool, and the operation gets the error."""
        with self.creating:
            if self.pool is None:
                size = adapter.WORKERS, adapter.WORKERS
                self.pool = ThreadedConnectionPool(*size, os.environ["DATABASE_URL"], **CONNECT)
        return self.pool

    def close(self):
        if self.pool:
            self.pool.closeall()


def listen(listening, heard):
    with closing(psycopg2.connect(os.environ["DATABASE_URL"], **CONNECT)) as conn:
        conn.autocommit = True
        with conn.cursor() as cursor:
            cursor.execute("LISTEN pgsquall_news")
        listening()
        while True:
            select.select([conn], [], [])
            conn.poll()
            while conn.notifies:
                heard(conn.notifies.pop(0).payload)


if __name__ == "__main__":
    if adapter.tuned():
        CONNECT |= libpq.RECOVERY
    capabilities = ["transaction", "listen", "deadline", "multi_host", "tls"]
    adapter.hello("psycopg2-pool", psycopg2.__version__.split()[0], capabilities)
    client = Client()
    adapter.serve(adapter.WORKERS * [client.perform], (psycopg2.Error,), lambda error: error.pgcode, listen)
    client.close()
