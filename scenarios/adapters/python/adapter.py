"""The kit of the Python adapters: the protocol between pgsquall and a client, independent of any library.

It needs Python 3.11, for asyncio.timeout.

To test another library, copy this file and a folder beside it (psycopg for threads, asyncpg-pool for
asyncio). An adapter is a process that speaks JSON lines on stdin and stdout, one object per line, flushed at
once:
  1. It finds its database in DATABASE_URL, or in libpq's variables: PGHOST, PGPORT, PGUSER, PGDATABASE,
     PGPASSWORD or PGPASSFILE, PGSSLMODE, PGSSLROOTCERT, PGSSLCERT, PGSSLKEY, PGTARGETSESSIONATTRS.
  2. Before it connects to anything it prints {"hello": {"name": ..., "version": ..., "concurrency": 4,
     "capabilities": [...], "timeout_ms": 30000}}. concurrency: the number of operations at once, which is
     its pool's size; if more are sent, the excess waits in the pool.
     capabilities, as far as they apply: "transaction"; "listen"; "deadline"; "multi_host" (the library itself
     tries several hosts, and can ask for one that takes writes); "tls". timeout_ms, optional: the longest
     that its own settings let one operation take.
  3. A request is {"id": 7, "op": "write", "key": 7}; op is write, read or transaction. Several may be in
     flight. With "deadline_ms": 500 the application cancels the call this long after the request.
  4. It answers each request exactly once, in any order: {"id": 7, "ok": true}, for a read with "found": true or
     false, or {"id": 7, "error": {"message": ...}}, if known with "sqlstate", with "retryable" (true or
     false, if the library has an opinion), and without a SQLSTATE with "kind": refused (so nothing happened),
     reset, closed, timeout (the library's own timer), deadline (the application's), server or other.
  5. It answers {"id": 0, "op": "listen"} once it listens on the channel pgsquall_news, passes on notifications
     as {"notification": {"payload": "17"}}, one line each at any time, and sends {"gap": true} when it listens
     again after the subscription was lost: notifications sent in the meantime are lost.
  6. stdout is for these lines only, logs go to stderr; when stdin ends, it closes the pool and exits within 2 s.

Functions that a client passes to the kit:
  perform(op, key[, deadline])  does one operation; a read returns whether the row exists. With
                                threads it gets a Deadline; with asyncio it is cancelled at the deadline
  errors                        the exceptions of a failed operation, a tuple; any other is a bug and ends
                                the process
  sqlstate(error)               the five characters, or None
  listen(listening, heard)      LISTENs, calls listening(), then heard(payload) for each notification, until
                                it fails; it is called again soon after
"""

import asyncio
import itertools
import json
import os
import queue
import sys
import threading
import time
from contextlib import contextmanager

WORKERS = 4
CALLERS = 2 * WORKERS  # threads that use a pool: those without a connection wait in it
LISTEN_AGAIN = 1  # seconds after a subscription was lost
CLOSING = 1.5  # seconds for closing in order
KINDS = {  # by texts in names and messages of errors; the first match counts
    "refused": ("refused",),
    "reset": ("connectionreset", "reset by peer", "brokenpipe", "broken pipe"),
    "timeout": ("timeout", "timed out"),
    "closed": ("closed",),
}


def tuned():
    """Whether the last argument selects the settings that the documentation offers for recovery."""
    if sys.argv[-1] not in ("default", "tuned"):
        sys.exit("usage: client.py default|tuned")
    return sys.argv[-1] == "tuned"


def hello(name, version, capabilities, timeout_ms=None):
    facts = {"name": name, "version": version, "concurrency": WORKERS, "capabilities": capabilities}
    say({"hello": facts if timeout_ms is None else facts | {"timeout_ms": timeout_ms}})


def say(line, lock=threading.Lock()):
    with lock:
        print(json.dumps(line), flush=True)


def succeeded(request, found):
    say({"id": request["id"], "ok": True} | ({} if found is None else {"found": found}))


def failed(request, error, sqlstate, expired):
    report = {"message": message(error)}
    if expired:
        report["kind"] = "deadline"
    elif code := sqlstate(error):
        report["sqlstate"] = code
    else:
        report["kind"] = kind(error)
    say({"id": request["id"], "error": report})


def message(error):
    """The error and its causes, as in a traceback."""
    said = str(error).strip() or type(error).__name__
    return f"{said} (from: {message(error.__cause__)})" if error.__cause__ else said


def kind(error):
    """By the operating system's error among the causes, or else by the library's texts."""
    if cause := error.__cause__ or error.__context__:
        found = kind(cause)
        if found != "other" or isinstance(cause, OSError):
            return found
    said = f"{type(error).__name__}: {error}".lower()
    return next((word for word, texts in KINDS.items() if any(text in said for text in texts)), "other")


def announcer(request):
    """Reports that it listens: the first time as the answer, later as a gap."""
    lines = itertools.chain([{"id": request["id"], "ok": True}], itertools.repeat({"gap": True}))
    return lambda: say(next(lines))


def heard(payload):
    say({"notification": {"payload": payload}})


def log(text):
    print(text, file=sys.stderr, flush=True)


def end_soon():
    """Exits even if the library still waits for something."""
    timer = threading.Timer(CLOSING, os._exit, [0])
    timer.daemon = True
    timer.start()


# Threads: one operation at a time in each.


class Deadline:
    """The application's time limit of one call; without one it never passes."""

    def __init__(self, request):
        limit = request.get("deadline_ms")
        self.at = None if limit is None else time.monotonic() + limit / 1000

    def left(self):
        """Seconds; None without a deadline."""
        return None if self.at is None else max(0.0, self.at - time.monotonic())

    def passed(self):
        return self.left() == 0

    @contextmanager
    def calls(self, cancel):
        """Calls the library's `cancel` from a timer if the deadline passes within the block."""
        if self.at is None:
            yield
            return
        if self.passed():
            raise TimeoutError("the deadline passed before there was a connection")
        timer = threading.Timer(self.left(), attempt, [cancel])
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            timer.join()  # a cancellation in progress must not hit the connection's next user


def attempt(cancel):
    try:
        cancel()
    except Exception as error:  # of any library: its call then continues, which is measured
        log(f"not cancelled: {error}")


def serve(performs, errors, sqlstate, listen=None):
    """Until stdin ends. Each of `performs` is called in a thread of its own."""
    # A bug of an adapter must not look like a hung operation: end the process with a traceback.
    threading.excepthook = lambda bug: (sys.excepthook(*bug[:3]), os._exit(1))
    requests = queue.SimpleQueue()
    workers = []
    for perform in performs:
        workers.append(threading.Thread(target=work, args=(requests, perform, errors, sqlstate), daemon=True))
        workers[-1].start()
    for line in sys.stdin:
        request = json.loads(line)
        if request["op"] == "listen":
            threading.Thread(target=keep_listening, args=(request, listen, errors), daemon=True).start()
        else:
            requests.put((request, Deadline(request)))
    end_soon()
    for _ in workers:
        requests.put(None)
    for worker in workers:
        worker.join()


def work(requests, perform, errors, sqlstate):
    while asked := requests.get():
        request, deadline = asked
        try:
            succeeded(request, perform(request["op"], request["key"], deadline))
        except (TimeoutError, *errors) as error:
            failed(request, error, sqlstate, deadline.passed())


def keep_listening(request, listen, errors):
    listening = announcer(request)
    while True:
        try:
            listen(listening, heard)
        except errors as error:
            log(f"not listening: {error}")
        time.sleep(LISTEN_AGAIN)


# asyncio: a task for each operation.


async def serve_async(perform, errors, sqlstate, listen=None):
    """Until stdin ends. A bug in a task ends all tasks and the process, with a traceback."""
    lines = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    listener = None
    async with asyncio.TaskGroup() as tasks:
        async for line in lines:
            request = json.loads(line)
            if request["op"] == "listen":
                listener = tasks.create_task(keep_listening_async(request, listen, errors))
            else:
                tasks.create_task(work_async(request, perform, errors, sqlstate, loop.time()))
        end_soon()
        if listener:
            listener.cancel()


async def work_async(request, perform, errors, sqlstate, asked):
    limit = request.get("deadline_ms")
    deadline = asyncio.timeout_at(None if limit is None else asked + limit / 1000)
    try:
        async with deadline:
            found = await perform(request["op"], request["key"])
    except (TimeoutError, *errors) as error:
        failed(request, error, sqlstate, deadline.expired())
    else:
        succeeded(request, found)


async def keep_listening_async(request, listen, errors):
    listening = announcer(request)
    while True:
        try:
            await listen(listening, heard)
        except errors as error:
            log(f"not listening: {error}")
        await asyncio.sleep(LISTEN_AGAIN)
