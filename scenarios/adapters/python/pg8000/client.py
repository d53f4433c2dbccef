"""pg8000 by itself: each thread has one connection, opens another after an error not of the server's.

https://github.com/tlocke/pg8000#native-api-docs. It has no pool, and no flag that says if a connection lives.
"""

import contextlib
import os
import ssl
import time

import pg8000
from pg8000.native import Connection, DatabaseError, Error, InterfaceError

import adapter

POLLING = 0.2  # seconds: notifications are noticed only with the answer to a statement
CONNECT = {}
TUNED = {
    "timeout": 5,  # seconds for the connect, and after it for each wait for the server
    "startup_params": {"statement_timeout": "5s"},  # the server ends what the client has given up, too
}


class Worker:
    def __init__(self):
        self.conn = None

    def perform(self, op, key, _deadline):
        if self.conn is None:
            self.conn = connect()
        try:
            match op:
                case "write":
                    self.conn.run("INSERT INTO pgsquall_ledger (id) VALUES (:key)", key=key)
                case "read":
                    return bool(self.conn.run("SELECT 1 FROM pgsquall_ledger WHERE id = :key", key=key))
                case "transaction":
                    self.transaction(key)
        except (InterfaceError, OSError):  # what the server says is a DatabaseError
            self.close()
            raise

    def transaction(self, key):
        self.conn.run("START TRANSACTION")
        try:
            self.conn.run("SELECT 1")
            self.conn.run("INSERT INTO pgsquall_ledger (id) VALUES (:key)", key=key)
            self.conn.run("COMMIT")
        except DatabaseError:
            self.conn.run("ROLLBACK")
            raise

    def close(self):
        if self.conn:
            with contextlib.suppress(InterfaceError, OSError):  # the server it says good-bye to may be gone
                self.conn.close()
        self.conn = None


def connect():
    host, port = os.environ["PGHOST"], int(os.environ["PGPORT"])
    user, database = os.environ["PGUSER"], os.environ["PGDATABASE"]
    return Connection(
        user, host=host, port=port, database=database, password=PASSWORD, ssl_context=ssl_context(), **CONNECT
    )


def ssl_context():
    """What libpq makes of sslmode; made anew for each connect, since certificates are renewed."""
    mode = os.environ["PGSSLMODE"]
    if mode == "disable":
        return False
    context = ssl.create_default_context(cafile=os.environ.get("PGSSLROOTCERT"))
    context.check_hostname = mode == "verify-full"
    if not mode.startswith("verify"):
        context.verify_mode = ssl.CERT_NONE
    if certificate := os.environ.get("PGSSLCERT"):
        context.load_cert_chain(certificate, os.environ["PGSSLKEY"])
    return context


def password():
    """Once: pg8000 takes a password, and knows nothing of password files."""
    if file := os.environ.get("PGPASSFILE"):
        with open(file, encoding="utf-8") as lines:
            return lines.readline().rstrip("\n").rsplit(":", 1)[1]
    return os.environ.get("PGPASSWORD")


def listen(listening, heard):
    with contextlib.closing(connect()) as conn:
        conn.run("LISTEN pgsquall_news")
        listening()
        while True:
            time.sleep(POLLING)
            conn.run("SELECT 1")
            while conn.notifications:
                _pid, _channel, payload = conn.notifications.popleft()
                heard(payload)


def sqlstate(error):
    said = error.args[0] if error.args else None
    return said.get("C") if isinstance(said, dict) else None


if __name__ == "__main__":
    if adapter.tuned():
        CONNECT |= TUNED
    adapter.hello("pg8000", pg8000.__version__, ["transaction", "listen", "tls"])
    PASSWORD = password()
    workers = [Worker() for _ in range(adapter.WORKERS)]
    adapter.serve([each.perform for each in workers], (Error, OSError), sqlstate, listen)
    for worker in workers:
        worker.close()
