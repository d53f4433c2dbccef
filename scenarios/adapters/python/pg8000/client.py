"""pg8000 without a pool: each thread has one connection, and opens another after an error of the network.

https://github.com/tlocke/pg8000#native-api-docs. It has no pool, and no flag that says if a connection lives.
"""

import contextlib
import os
import ssl
import time

import pg8000
from pg8000.native import Connection, DatabaseError, Error, InterfaceError

import adapter

POLLING = 0.2  # seconds: notifications are read only with the reply to a statement
CONNECT = {}
TUNED = {
    "timeout": 5,  # seconds for the connect, and after it for each wait for the server
    "startup_params": {"statement_timeout": "5s"},  # the server too ends a statement that the client has given up
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
        except (InterfaceError, OSError):  # errors from the server are DatabaseError
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
            with contextlib.suppress(InterfaceError, OSError):  # the server may be gone
                self.conn.close()
        self.conn = None


def connect():
    host, port = os.environ["PGHOST"], int(os.environ["PGPORT"])
    user, database = os.environ["PGUSER"], os.environ["PGDATABASE"]
    return Connection(
        user, host=host, port=port, database=database, password=PASSWORD, ssl_context=ssl_context(), **CONNECT
    )


def ssl_context():
    """libpq's meaning of sslmode; read again for each connect, because certificates are renewed."""
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
    """Read once: pg8000 takes a password, and has no support for password files."""
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
