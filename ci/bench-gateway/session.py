"""A Postgres connection: as little of one as the measures need."""

import socket
import struct
import time

HOST = "127.0.0.1"
READY = b"Z\0\0\0\5I"
VERSION_3 = 196608


class Session:
    def __init__(self, port, patience=30):
        """`patience` in seconds: how long a read may wait."""
        self.socket = socket.create_connection((HOST, port), timeout=5)
        # A timeout of Python's costs a poll per read; the kernel's own does not.
        self.socket.settimeout(None)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("@ll", patience, 0))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = bytearray(1 << 18)
        startup = struct.pack("!i", VERSION_3) + b"user\0postgres\0database\0postgres\0\0"
        try:
            self.socket.sendall(struct.pack("!i", len(startup) + 4) + startup)
            self.answer()
        except BaseException:
            self.close()
            raise

    def answer(self, until=None):
        """Reads to ReadyForQuery: bytes, and seconds from the first of them to the last.

        Looks at nothing in between: the client should cost little of what is measured. Stops early at the moment
        `until` of the performance counter; the session is of no use then.
        """
        count, tail, began = 0, b"", None
        while tail != READY:
            size = self.socket.recv_into(self.buffer)
            if size == 0:
                raise ConnectionError("closed by the other side")
            if began is None:
                began = time.perf_counter()
                if self.buffer[:1] == b"E":
                    raise ConnectionError(bytes(self.buffer[5:size]).replace(b"\0", b" ").decode(errors="replace"))
            count += size
            tail = (tail + self.buffer[max(size - len(READY), 0) : size])[-len(READY) :]
            if until and time.perf_counter() > until:
                break
        return count, time.perf_counter() - began

    def ask(self, sql, until=None):
        self.socket.sendall(b"Q" + struct.pack("!i", len(sql) + 5) + sql.encode() + b"\0")
        return self.answer(until)

    def trips(self, number, pause=0):
        """Milliseconds of each of so many round trips of `SELECT 1`, so many seconds after the one before it."""
        times = []
        for _ in range(number):
            time.sleep(pause)
            began = time.perf_counter_ns()
            self.ask("SELECT 1")
            times.append((time.perf_counter_ns() - began) / 1e6)
        return times

    def close(self):
        self.socket.close()
