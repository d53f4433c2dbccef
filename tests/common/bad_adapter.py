"""An adapter with one defect: a built-in client as a process, whose lines are tampered with on their way.

    python3 bad_adapter.py DEFECT PROGRAM CLIENT

Each defect is a mistake that authors of adapters make. What it does not touch passes as it is, so that only the cases
which are about it can fail.
"""

import json
import os
import queue
import subprocess
import sys
import threading
import time

LARGE = 1 << 32  # keys that are no number of 32 bits


class Adapter:
    """Passes everything on."""

    def __init__(self, program, client):
        self.child = subprocess.Popen(
            [program, "adapter", client], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.lock = threading.Lock()
        self.asked = {}

    def run(self):
        threading.Thread(target=self.read_answers, daemon=True).start()
        for line in sys.stdin:
            request = json.loads(line)
            self.asked[request["id"]] = (request, time.monotonic())
            self.request(request)
        self.end()

    def end(self):
        self.child.stdin.close()
        self.child.wait()

    def read_answers(self):
        for line in self.child.stdout:
            message = json.loads(line)
            if "hello" in message:
                self.hello(message)
            elif "id" in message and message["id"] in self.asked:
                self.answer(message)
            else:
                self.notice(message)

    def forward(self, request):
        self.child.stdin.write(json.dumps(request) + "\n")
        self.child.stdin.flush()

    def say(self, message):
        self.print(json.dumps(message))

    def print(self, line):
        with self.lock:
            sys.stdout.write(line + "\n")
            sys.stdout.flush()

    def took(self, message):
        return time.monotonic() - self.asked[message["id"]][1]

    # What a defect does otherwise.
    request = forward
    hello = answer = notice = say


class MisspeltCapability(Adapter):
    def hello(self, message):
        message["hello"]["capabilities"].append("cancel")
        self.say(message)


class NoTransactions(Adapter):
    def hello(self, message):
        message["hello"]["capabilities"].remove("transaction")
        self.say(message)


class NoHello(Adapter):
    def hello(self, message):
        self.print("Listening on port 80")


class AcknowledgesWithoutWriting(Adapter):
    def request(self, request):
        if request["op"] == "write" and request["key"] >= LARGE:
            self.say({"id": request["id"], "ok": True})
        else:
            self.forward(request)


class FindsEverything(Adapter):
    def answer(self, message):
        if "found" in message:
            message["found"] = True
        self.say(message)


class LogsToStdout(Adapter):
    def request(self, request):
        if request["op"] == "read" and request["key"] > 1:
            self.print("DEBUG reading %d" % request["key"])
        self.forward(request)


class WritesInsteadOfTransactions(Adapter):
    def request(self, request):
        if request["op"] == "transaction":
            request["op"] = "write"
        self.forward(request)


class DropsSqlstate(Adapter):
    def answer(self, message):
        message.get("error", {}).pop("sqlstate", None)
        self.say(message)


class OneByOne(Adapter):
    def __init__(self, program, client):
        super().__init__(program, client)
        self.waiting = queue.Queue()
        self.free = threading.Semaphore(1)
        threading.Thread(target=self.serve, daemon=True).start()

    def request(self, request):
        if request["op"] == "listen":
            self.forward(request)
        else:
            self.waiting.put(request)

    def serve(self):
        while True:
            request = self.waiting.get()
            self.free.acquire()
            self.forward(request)

    def answer(self, message):
        self.say(message)
        if message["id"] != 0:
            self.free.release()


class RefusesToWait(Adapter):
    """Has no room for more than it has said that it carries."""

    def __init__(self, program, client):
        super().__init__(program, client)
        self.free = threading.Semaphore(4)

    def request(self, request):
        if request["op"] == "listen" or self.free.acquire(blocking=False):
            self.forward(request)
        else:
            self.say({"id": request["id"], "error": {"message": "too many operations", "kind": "other"}})

    def answer(self, message):
        if message["id"] != 0:
            self.free.release()
        self.say(message)


class OwnAnswer(Adapter):
    """Answers by itself if the client takes too long."""

    after = 1.0

    def __init__(self, program, client):
        super().__init__(program, client)
        self.answered = set()

    def request(self, request):
        self.forward(request)
        if request["op"] != "listen":
            threading.Timer(self.after, self.once, [self.own(request)]).start()

    def once(self, message):
        with self.lock:
            is_second = message["id"] in self.answered
            self.answered.add(message["id"])
        if not is_second:
            self.say(message)

    def answer(self, message):
        self.say(message) if message["id"] == 0 else self.once(message)


class OwnTimeout(OwnAnswer):
    after = 0.25

    def own(self, request):
        return {"id": request["id"], "error": {"message": "took too long", "kind": "timeout"}}


class AcknowledgesInSilence(OwnAnswer):
    def own(self, request):
        return {"id": request["id"], "ok": True, "found": True}


class AnswersTwice(Adapter):
    """What took long is answered once more."""

    def answer(self, message):
        self.say(message)
        if self.took(message) > 1:
            self.say(message)


class InventsIds(Adapter):
    def answer(self, message):
        if self.took(message) > 1:
            message["id"] += 1000
        self.say(message)


class IgnoresDeadlines(Adapter):
    def request(self, request):
        request.pop("deadline_ms", None)
        self.forward(request)


class CallsDeadlinesTimeouts(Adapter):
    def answer(self, message):
        if message.get("error", {}).get("kind") == "deadline":
            message["error"]["kind"] = "timeout"
        self.say(message)


def is_terminated(message):
    return message.get("error", {}).get("sqlstate") == "57P01"


def is_reset(message):
    return message.get("error", {}).get("kind") in ("reset", "closed", "other")


class NeverAnswersAfterTermination(Adapter):
    def answer(self, message):
        if not is_terminated(message):
            self.say(message)


class ExitsAtTermination(Adapter):
    def answer(self, message):
        if is_terminated(message):
            print("Traceback: terminated", file=sys.stderr, flush=True)
            os._exit(3)
        self.say(message)


class NeverAnswersAfterReset(Adapter):
    def answer(self, message):
        if not is_reset(message):
            self.say(message)


class SwallowsGaps(Adapter):
    def notice(self, message):
        if "gap" not in message:
            self.say(message)


class HearsTwice(Adapter):
    def notice(self, message):
        self.say(message)
        if "notification" in message:
            self.say(message)


class HearsNothing(Adapter):
    def notice(self, message):
        if "notification" not in message:
            self.say(message)


class StaysAtTheEnd(Adapter):
    def end(self):
        time.sleep(1000)


class FailsAtTheEnd(Adapter):
    def end(self):
        super().end()
        sys.exit("Traceback: the pool is closed already")


def defect(word):
    name = "".join(part.capitalize() for part in word.split("-"))
    return globals()[name]


if __name__ == "__main__":
    defect(sys.argv[1])(*sys.argv[2:]).run()
