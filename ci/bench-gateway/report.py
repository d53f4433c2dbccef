"""What is printed: ratios, medians, and what they say about the targets."""

import collections
from statistics import median

from latency import DELAY, TRIPS
from measures import CLIENTS, FOREIGN_LIMIT, REPEATS, RESIDENT, in_words
from peers import CONTROL, OURS

# (part, measure, sign, bound): against HAProxy in the same round.
AGAINST_HAPROXY = [
    *(("select", f"select-only, {in_words(clients)}", "≥", 1.05) for clients in CLIENTS),
    *(("select", f"CPU per transaction, {in_words(clients)}", "≤", 1.0) for clients in CLIENTS),
    ("copy", "COPY OUT", "≥", 1.0),
    ("copy", "CPU per GB", "≤", 1.0),
    ("churn", "connection churn", "≥", 0.97),
]
RESIDENT_LIMIT = 10
# Key of latency.measure, in words, and what may come on top of the delay, in ms.
ADDED = [("added_p50", "p50", 0.2), ("added_p99", "p99", 1.0)]


class Report:
    def __init__(self, bench):
        self.bench = bench
        self.names = [peer.name for peer in bench.peers]
        self.values = collections.defaultdict(dict)
        for sample in bench.samples:
            self.values[sample["measure"], sample["peer"]][sample["round"]] = sample["value"]

    def ratios(self, measure, ours, theirs):
        """One per round in which both were measured."""
        one, other = self.values[measure, ours], self.values[measure, theirs]
        return [one[number] / other[number] for number in one if other.get(number)]

    def print_tables(self):
        bench = self.bench
        proxies = [name for name in self.names if name not in ("direct", CONTROL)]
        pairs = [(CONTROL, "direct"), *((name, "direct") for name in proxies)]
        if OURS in proxies:
            pairs += [(OURS, name) for name in proxies if name != OURS]
        ratios, medians = [], []
        for measure, unit in bench.rows:
            cells = [self.ratios(measure, *pair) for pair in pairs]
            ratios.append([measure, *(f"{median(c):.2f} ({min(c):.2f}–{max(c):.2f})" if c else "–" for c in cells)])
            cells = [self.values[measure, name].values() for name in self.names]
            medians.append([f"{measure}, {unit}", *(number_in_words(median(c)) if c else "–" for c in cells)])
        if bench.rows:
            print(f"Ratios in the same round: median of {bench.options.rounds} (least–most)\n")
            print_table(["", *(f"{ours} / {theirs}" for ours, theirs in pairs)], ratios)
            print("Medians\n")
            print_table(["", *self.names], medians)
        for name, found in bench.latency.items():
            p50, p99, nothing = found["added_p50"], found["added_p99"], found["added_by_0_ms_p50"] * 1e3
            print(f"Latency toxic of {name}, {TRIPS} round trips of SELECT 1: {DELAY} ms add {p50:.2f} ms (p50)")
            print(f"and {p99:.2f} ms (p99); 0 ms add {nothing:.0f} µs (p50). COPY OUT under {DELAY} ms:")
            print(f"{found['copy']:.0f} MB/s, {found['copy_ratio']:.2f} of what it is without.")
            print(f"Meanwhile, others had {found['foreign']:.0%} of the machine.\n")
        print(f"Samples thrown away because others had over {FOREIGN_LIMIT:.0%} of the machine: {bench.thrown_away}.")
        print(f"Samples kept all the same, after {REPEATS} repeats: {bench.kept_disturbed}.\n")

    def verdicts(self):
        """(target, what was found, whether that meets it) for the parts asked for; None where nothing was measured."""
        only = self.bench.options.only
        targets = [
            (f"{measure} {sign} {bound} × HAProxy", self.ratios(measure, OURS, "haproxy"), sign, bound)
            for part, measure, sign, bound in AGAINST_HAPROXY
            if part in only
        ]
        if "rss" in only:
            values = list(self.values[RESIDENT, OURS].values())
            targets.append((f"{RESIDENT} ≤ {RESIDENT_LIMIT} MB", values, "≤", RESIDENT_LIMIT))
        for key, words, more in ADDED if "latency" in only else []:
            found = self.bench.latency.get(OURS)
            # Too early is as wrong as too late.
            values = [abs(found[key] - DELAY)] if found else []
            targets.append((f"latency toxic, {words} within {more} ms of its {DELAY} ms", values, "≤", more))
        for words, values, sign, bound in targets:
            value = median(values) if values else None
            met = None if value is None else value >= bound if sign == "≥" else value <= bound
            yield words, value, met


def number_in_words(value):
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def print_table(header, rows):
    print("| " + " | ".join(header) + " |\n|---" + "|--:" * (len(header) - 1) + "|")
    for row in rows:
        print("| " + " | ".join(row) + " |")
    print()
