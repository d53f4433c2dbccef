"""psycopg 3's pool, asyncio: an operation takes a connection from it and gives it back.

https://www.psycopg.org/psycopg3/docs/advanced/pool.html
"""

import asyncio
import os

import psycopg
import psycopg_pool
from psycopg_pool import AsyncConnectionPool

import adapter

CONNECT = {"autocommit": True}
POOL = {"min_size": adapter.WORKERS}
TUNED_CONNECT = {
    "connect_timeout": 5,  # seconds, over the whole handshake and for each host
    "keepalives_idle": 2,  # seconds of silence before the first probe
    "keepalives_interval": 1,  # seconds
    "keepalives_count": 3,
    "tcp_user_timeout": 5000,  # ms that sent bytes may stay unacknowledged
    "target_session_attrs": "read-write",  # after a failover: never a standby
    "options": "-c statement_timeout=5s",  # the server's own timer: it needs a server that can still be heard
}
TUNED_POOL = {
    "timeout": 10,  # seconds to wait for a connection
    "reconnect_timeout": 10,  # seconds of growing pauses; then the pool gives up until it is asked again
    "max_lifetime": 300,  # seconds: nobody sits on a server for ever that has been replaced
}
if hasattr(AsyncConnectionPool, "check_connection"):  # since 3.2
    TUNED_POOL["check"] = AsyncConnectionPool.check_connection  # asks the server at each borrow


async def perform(pool, op, key):
    async with pool.connection() as conn:
        match op:
            case "write":
                await conn.execute("INSERT INTO pgsquall_ledger (id) VALUES (%s)", (key,))
            case "read":
                cursor = await conn.execute("SELECT 1 FROM pgsquall_ledger WHERE id = %s", (key,))
                return await cursor.fetchone() is not None
            case "transaction":
                async with conn.transaction():
                    await conn.execute("SELECT 1")
                    await conn.execute("INSERT INTO pgsquall_ledger (id) VALUES (%s)", (key,))


async def listen(listening, heard):
    async with await psycopg.AsyncConnection.connect(os.environ["DATABASE_URL"], **CONNECT) as conn:
        await conn.execute("LISTEN pgsquall_news")
        listening()
        async for notification in conn.notifies():
            heard(notification.payload)


async def main():
    if adapter.tuned():
        CONNECT.update(TUNED_CONNECT)
        POOL.update(TUNED_POOL)
    capabilities = ["transaction", "listen", "deadline", "multi_host", "tls"]
    adapter.hello("psycopg-pool-async", psycopg_pool.__version__, capabilities)
    async with AsyncConnectionPool(os.environ["DATABASE_URL"], kwargs=CONNECT, open=False, **POOL) as pool:
        await adapter.serve_async(
            lambda op, key: perform(pool, op, key), (psycopg.Error,), lambda error: error.sqlstate, listen
        )


if __name__ == "__main__":
    asyncio.run(main())
