"""SQLAlchemy's Engine and its QueuePool, on psycopg 3.

https://docs.sqlalchemy.org/en/20/core/pooling.html#dealing-with-disconnects
"""

import sqlalchemy
from sqlalchemy import create_engine, text
from sqlalchemy.exc import SQLAlchemyError

import adapter

ENGINE = {"pool_size": adapter.WORKERS, "max_overflow": 0}
TUNED = {
    "pool_pre_ping": True,  # asks the server each time that a connection is taken
    "pool_recycle": 300,  # seconds: nobody sits on a server for ever that has been replaced
    "pool_timeout": 10,  # seconds to wait for a connection
    "connect_args": {
        "connect_timeout": 5,  # seconds, over the whole handshake and for each host
        "keepalives_idle": 2,  # seconds of silence before the first probe
        "keepalives_interval": 1,  # seconds
        "keepalives_count": 3,
        "tcp_user_timeout": 5000,  # ms that sent bytes may stay unacknowledged
        "target_session_attrs": "read-write",  # after a failover: never a standby
        "options": "-c statement_timeout=5s",  # the server's own timer: it needs a server that can be heard
    },
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
    """The same engine and pool; statements take effect one by one."""
    return engine.execution_options(isolation_level="AUTOCOMMIT")


if __name__ == "__main__":
    if adapter.tuned():
        ENGINE |= TUNED
    # It offers no way to cancel a statement, and no LISTEN, other than the driver's own.
    adapter.hello("sqlalchemy", sqlalchemy.__version__, ["transaction", "multi_host", "tls"])
    # Without a host libpq finds all that it needs in its own variables, several hosts too.
    engine = create_engine("postgresql+psycopg://", **ENGINE)
    performs = adapter.WORKERS * [lambda op, key, _deadline: perform(engine, op, key)]
    adapter.serve(performs, (SQLAlchemyError,), lambda error: getattr(error.__cause__, "sqlstate", None))
    engine.dispose()
