"""SQLAlchemy's AsyncEngine and its pool, on asyncpg.

https://docs.sqlalchemy.org/en/20/orm/extensions/asyncio.html
"""

import asyncio

import asyncpg
import sqlalchemy
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import create_async_engine

import adapter

# Errors of asyncpg while connecting are not wrapped.
ERRORS = (
    SQLAlchemyError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
)
ENGINE = {"pool_size": adapter.WORKERS, "max_overflow": 0}
TUNED = {
    "pool_pre_ping": True,  # queries the server each time a connection is borrowed
    "pool_recycle": 300,  # seconds, so that no connection stays for ever on a server that was replaced
    "pool_timeout": 10,  # seconds to wait for a connection
    "connect_args": {
        "timeout": 5,  # seconds for a connect, of 60 unless given
        "command_timeout": 5,  # seconds for each statement, counted by the client
        "target_session_attrs": "read-write",  # after a failover: never a standby
        "server_settings": {"statement_timeout": "5s"},  # the server too ends a statement that the client has given up
    },
}
INSERT = text("INSERT INTO pgsquall_ledger (id) VALUES (:key)")
SELECT = text("SELECT 1 FROM pgsquall_ledger WHERE id = :key")


async def perform(engine, op, key):
    match op:
        case "write":
            async with autocommit(engine).connect() as conn:
                await conn.execute(INSERT, {"key": key})
        case "read":
            async with autocommit(engine).connect() as conn:
                return (await conn.execute(SELECT, {"key": key})).first() is not None
        case "transaction":
            async with engine.begin() as conn:
                await conn.execute(text("SELECT 1"))
                await conn.execute(INSERT, {"key": key})


def autocommit(engine):
    """The same engine and pool, with autocommit."""
    return engine.execution_options(isolation_level="AUTOCOMMIT")


def sqlstate(error):
    return getattr(getattr(error, "orig", error), "sqlstate", None)


async def main():
    if adapter.tuned():
        ENGINE.update(TUNED)
    # Without a host asyncpg reads libpq's variables, also several hosts. Connects on first use.
    engine = create_async_engine("postgresql+asyncpg://", **ENGINE)
    # SQLAlchemy has no LISTEN; the driver has.
    capabilities = ["transaction", "deadline", "multi_host", "tls"]
    adapter.hello("sqlalchemy-async", sqlalchemy.__version__, capabilities)
    await adapter.serve_async(lambda op, key: perform(engine, op, key), ERRORS, sqlstate)
    await engine.dispose()


if __name__ == "__main__":
    asyncio.run(main())
