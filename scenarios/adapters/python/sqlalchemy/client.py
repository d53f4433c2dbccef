"""SQLAlchemy's Engine and its QueuePool, on psycopg 3.

https://docs.sqlalchemy.org/en/20/core/pooling.html#dealing-with-disconnects
"""

import sqlalchemy
from sqlalchemy import create_engine, text
from sqlalchemy.exc import SQLAlchemyError

import adapter
import libpq

ENGINE = {"pool_size": adapter.WORKERS, "max_overflow": 0}
TUNED = {
    "pool_pre_ping": True,  # queries the server each time a connection is borrowed
    "pool_recycle": 300,  # seconds, so that no connection stays for ever on a server that was replaced
    "pool_timeout": 10,  # seconds to wait for a connection
    "connect_args": libpq.RECOVERY,
}
INSERT = text("INSERT INTO pgsquall_ledger (id) VALUES (:key)")
SELECT = text("SELECT 1 FROM pgsquall_ledger WHERE id = :key")


def perform(engine, op, key):
    match op:
        case "write":
            with autocommit(engine).connect() as conn:
                conn.execute(INSERT, {"key": key})
        case "read":
            with autocommit(engine).connect() as conn:
                return conn.execute(SELECT, {"key": key}).first() is not None
        case "transaction":
            with engine.begin() as conn:
                conn.execute(text("SELECT 1"))
                conn.execute(INSERT, {"key": key})


def autocommit(engine):
    """The same engine and pool, with autocommit."""
    return engine.execution_options(isolation_level="AUTOCOMMIT")


if __name__ == "__main__":
    if adapter.tuned():
        ENGINE |= TUNED
    # Without a host libpq reads its own variables, also several hosts. Connects on first use.
    engine = create_engine("postgresql+psycopg://", **ENGINE)
    # SQLAlchemy can neither cancel a statement nor LISTEN; the driver can.
    adapter.hello("sqlalchemy", sqlalchemy.__version__, ["transaction", "multi_host", "tls"])
    performs = adapter.CALLERS * [lambda op, key, _deadline: perform(engine, op, key)]
    adapter.serve(performs, (SQLAlchemyError,), lambda error: getattr(error.__cause__, "sqlstate", None))
    engine.dispose()
