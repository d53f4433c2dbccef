"""A small web service over a pool: GET / counts a visit in the database. It knows nothing of chaos.

    service.py PORT pool       a pool that tests its connections, as psycopg_pool documents
    service.py PORT stuck      one connection from the start, which is never replaced
    service.py PORT storm      one connection that is replaced in a loop without any pause
    service.py PORT leaves     a transaction that is begun again where it broke off, and never ended
"""

import os
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import psycopg
from psycopg_pool import ConnectionPool

URL = os.environ["DATABASE_URL"]
VISIT = "INSERT INTO visits DEFAULT VALUES"


class Pool:
    def __init__(self):
        self.pool = ConnectionPool(URL, min_size=4, max_size=4, timeout=2, check=ConnectionPool.check_connection)
        self.pool.wait()

    def visit(self):
        with self.pool.connection() as conn:
            conn.execute(VISIT)


class Stuck:
    def __init__(self):
        self.lock = threading.Lock()
        self.conn = psycopg.connect(URL, autocommit=True)

    def visit(self):
        with self.lock:
            self.conn.execute(VISIT)


class Storm(Stuck):
    def visit(self):
        with self.lock:
            try:
                self.conn.execute(VISIT)
            except psycopg.OperationalError:
                self.conn.close()
                while self.conn.closed:
                    try:
                        self.conn = psycopg.connect(URL, autocommit=True)
                    except psycopg.OperationalError:
                        pass


class Leaves(Stuck):
    """Its spare connection is in a transaction from the first error on."""

    def visit(self):
        with self.lock:
            try:
                self.conn.execute(VISIT)
            except psycopg.OperationalError:
                self.conn = psycopg.connect(URL, autocommit=True)
                self.left = psycopg.connect(URL)
                self.left.execute("SELECT 1")


SERVICES = {"pool": Pool, "stuck": Stuck, "storm": Storm, "leaves": Leaves}


class Visit(BaseHTTPRequestHandler):
    def do_GET(self):
        try:
            service.visit()
            self.send_response(200)
        except Exception:
            self.send_response(503)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    with psycopg.connect(URL, autocommit=True) as conn:
        conn.execute("CREATE TABLE IF NOT EXISTS visits (id bigserial PRIMARY KEY, at timestamptz DEFAULT now())")
    service = SERVICES[sys.argv[2]]()
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Visit).serve_forever()
