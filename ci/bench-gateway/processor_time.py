"""Who had the processors during a sample: the proxy, and those that have no part in the benchmark."""

import contextlib
import glob
import os
import pathlib
import time

TICK = os.sysconf("SC_CLK_TCK")


def processes():
    """Process id to (parent, seconds of all its threads and of the children it has waited for)."""
    table = {}
    for path in glob.glob("/proc/[0-9]*/stat"):
        # A process may end between the listing and the reading.
        with contextlib.suppress(OSError):
            fields = pathlib.Path(path).read_text().rpartition(")")[2].split()
            table[int(path.split("/")[2])] = (int(fields[1]), sum(map(int, fields[11:15])) / TICK)
    return table


def tree(root, table):
    """The process and its descendants: the backends of a server, the workers of nginx."""
    found = [root] if root in table else []
    for pid in found:
        found += [child for child, (parent, _) in table.items() if parent == pid]
    return found


class Reading:
    """Processor seconds up to one moment.

    All participants descend from this process. Those of an ended process are not lost: its parent has them as soon as
    it has waited for it, so the difference of two sums is what was used in between. Time that a hypervisor gave to
    other machines counts as foreign. The machine's total in /proc/stat is not what the participants are taken from: it
    is sampled by ticks, they are measured exactly, and under short wake-ups the two differ by up to a quarter.
    """

    def __init__(self, proxy):
        self.moment, table = time.monotonic(), processes()
        ours = sum(table[pid][1] for pid in tree(os.getpid(), table))
        columns = [int(word) / TICK for word in pathlib.Path("/proc/stat").read_text().split("\n")[0].split()[1:9]]
        steal = columns[7]
        self.foreign = sum(seconds for _, seconds in table.values()) - ours + steal
        self.proxy = sum(table[pid][1] for pid in tree(proxy, table)) if proxy else 0.0

    def foreign_share_since(self, earlier):
        """Of all cores."""
        return (self.foreign - earlier.foreign) / ((self.moment - earlier.moment) * os.cpu_count())
