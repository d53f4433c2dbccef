"""asyncpg's pool: an operation acquires a connection and releases it.

https://magicstack.github.io/asyncpg/current/api/index.html#connection-pools
"""

import asyncio
import os

import asyncpg

import adapter

# TimeoutError and the operating system's errors are both OSError.
ERRORS = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)
CONNECT = {}
ACQUIRE = {}
TUNED_CONNECT = {
    "timeout": 5,  # seconds for a connect, of 60 unless given
    "command_timeout": 4,  # seconds for each statement, counted by the client
    "target_session_attrs": "read-write",  # after a failover: never a standby
    "server_settings": {"statement_timeout": "5s"},  # the server too ends a statement that the client has given up
}
TUNED_ACQUIRE = {"timeout": 5}  # seconds; releasing has as long
# acquire, BEGIN, SELECT, INSERT, COMMIT, release; in seconds.
LONGEST = 5 + 4 * 4 + 5


class Client:
    def __init__(self):
        self.pool = None
        self.creating = asyncio.Lock()

    async def perform(self, op, key):
        pool = await self.create_pool()
        async with pool.acquire(**ACQUIRE) as conn:
            match op:
                case "write":
                    await conn.execute("INSERT INTO pgsquall_ledger (id) VALUES ($1)", key)
                case "read":
                    return await conn.fetchval("SELECT 1 FROM pgsquall_ledger WHERE id = $1", key) is not None
                case "transaction":
                    async with conn.transaction():
                        await conn.execute("SELECT 1")
                        await conn.execute("INSERT INTO pgsquall_ledger (id) VALUES ($1)", key)

    async def create_pool(self):
        """Created on first use: without a server there is no pool, and the operation gets the error."""
        async with self.creating:
            if self.pool is None:
                size = {"min_size": adapter.WORKERS, "max_size": adapter.WORKERS}
                self.pool = await asyncpg.create_pool(os.environ["DATABASE_URL"], **size, **CONNECT)
        return self.pool

    async def close(self):
        if self.pool:
            await self.pool.close()


async def listen(listening, heard):
    conn = await asyncpg.connect(os.environ["DATABASE_URL"], **CONNECT)
    try:
        terminated = asyncio.Event()
        conn.add_termination_listener(lambda _conn: terminated.set())
        await conn.add_listener("pgsquall_news", lambda _conn, _pid, _channel, payload: heard(payload))
        listening()
        await terminated.wait()
    finally:
        conn.terminate()


async def main():
    timeout_ms = None
    if adapter.tuned():
        CONNECT.update(TUNED_CONNECT)
        ACQUIRE.update(TUNED_ACQUIRE)
        timeout_ms = 1000 * LONGEST
    capabilities = ["transaction", "listen", "deadline", "multi_host", "tls"]
    adapter.hello("asyncpg-pool", asyncpg.__version__, capabilities, timeout_ms)
    client = Client()
    await adapter.serve_async(client.perform, ERRORS, lambda error: getattr(error, "sqlstate", None), listen)
    await client.close()


if __name__ == "__main__":
    asyncio.run(main())
