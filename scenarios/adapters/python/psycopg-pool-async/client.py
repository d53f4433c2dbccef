"""psycopg 3's pool, asyncio: an operation takes a connection from it and gives it back.

https://www.psycopg.org/psycopg3/docs/advanced/pool.html
"""

import asyncio
import os

import psycopg
import psycopg_pool
from psycopg_pool import AsyncConnectionPool

import adapter
import libpq

CONNECT = {"autocommit": True}
POOL = {"min_size": adapter.WORKERS}
TUNED_POOL = {
    "timeout": 10,  # seconds to wait for a connection
    "reconnect_timeout": 10,  # seconds of growing pauses; then the pool gives up until the next request
    "max_lifetime": 300,  # seconds, so that no connection stays for ever on a server that was replaced
}
if hasattr(AsyncConnectionPool, "check_connection"):  # since 3.2
    TUNED_POOL["check"] = AsyncConnectionPool.check_connection  # queries the server at each borrow


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
        CONNECT.update(libpq.RECOVERY)
        POOL.update(TUNED_POOL)
    capabilities = ["transaction", "listen", "deadline", "multi_host", "tls"]
    adapter.hello("psycopg-pool-async", psycopg_pool.__version__, capabilities)
    async with AsyncConnectionPool(os.environ["DATABASE_URL"], kwargs=CONNECT, open=False, **POOL) as pool:
        await adapter.serve_async(
            lambda op, key: perform(pool, op, key), (psycopg.Error,), lambda error: error.sqlstate, listen
        )


if __name__ == "__main__":
    asyncio.run(main())
