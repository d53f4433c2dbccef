"""Load for a web service: four threads, each with a request every 50 ms.

    load.py PORT           until killed
    load.py PORT once      one request; exits with 0 if it was served
"""

import sys
import threading
import time
import urllib.error
import urllib.request

URL = f"http://127.0.0.1:{sys.argv[1]}/"


def visit():
    try:
        urllib.request.urlopen(URL, timeout=5).close()
        return True
    except OSError:  # urllib's own errors are some of these
        return False


def visit_for_ever():
    while True:
        visit()
        time.sleep(0.05)


if __name__ == "__main__":
    if sys.argv[2:] == ["once"]:
        sys.exit(not visit())
    for _ in range(4):
        threading.Thread(target=visit_for_ever).start()
