#!/usr/bin/env python3
"""Measures what retention does: bytes before and after, the duration of a run, memory, and what ingest and queries feel.

    Benchmarks/tiers/measure.py [--memory 256MiB] [--out FILE.json] CASE...

MARTLET names the program, .build/release/martlet otherwise. A case is DAYSxSECONDSxHOSTS: `90x1x1` is ninety days of a row
a second of one host. Rows have two noisy floats, a counter that is an integer, and a text, and end now. The default policy is carried out by RUN RETENTION while another connection appends
a row and asks a question in turn; their latencies are compared with those right before the run.
"""

import argparse
import json
import os
import sys
import tempfile
import threading
import time
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
os.environ.setdefault("MARTLET", os.path.join(ROOT, ".build", "release", "martlet"))
sys.path.insert(0, os.path.join(ROOT, "tools", "tests"))
from daemon_under_test import Daemon, peak_memory  # noqa: E402

QUESTION = ("SELECT host, count(*), sum(counter), max(counter), last(counter), avg(load), "
            "approx_quantile(load, 0.99) FROM m GROUP BY host ORDER BY host")
# Over rows these two hold every value, so they are asked of a day.
OF_A_DAY = ("SELECT host, mode(state), increase(counter) FROM m WHERE time >= date_trunc('day', now()) - INTERVAL '30 days' "
            "AND time < date_trunc('day', now()) - INTERVAL '29 days' GROUP BY host ORDER BY host")


class MeasuredDaemon(Daemon):
    """A daemon whose statements may take long, and whose memory is looked at."""

    query_timeout = 7200

    def write(self, line):
        request = urllib.request.Request(f"http://127.0.0.1:{self.http}/write", data=line.encode())
        urllib.request.urlopen(request, timeout=60).read()

    def peak(self, reset=False):
        """Peak memory in bytes since the last reset."""
        if reset:
            with open(f"/proc/{self.process.pid}/clear_refs", "w") as file:
                file.write("5")
        return peak_memory(self.process.pid)


def directory_bytes(path):
    return sum(os.path.getsize(os.path.join(root, name)) for root, _, names in os.walk(path) for name in names)


class Prober(threading.Thread):
    """Appends a row and asks a question in turn, and notes how long each takes."""

    def __init__(self, daemon):
        super().__init__(daemon=True)
        self.daemon_, self.ends = daemon, threading.Event()
        self.writes, self.reads = [], []

    def run(self):
        while not self.ends.is_set():
            started = time.monotonic()
            self.daemon_.write("probe v=1")
            self.writes.append(time.monotonic() - started)
            started = time.monotonic()
            self.daemon_.query("SELECT max(load) FROM m WHERE host = 'h0' AND time > now() - INTERVAL '1 hour'")
            self.reads.append(time.monotonic() - started)
            time.sleep(0.01)

    def figures(self):
        self.ends.set()
        self.join(60)

        def p(values, share):
            return sorted(values)[min(len(values) - 1, int(len(values) * share))] * 1000 if values else None
        return {"appends": len(self.writes), "append_ms_median": p(self.writes, 0.5), "append_ms_p99": p(self.writes, 0.99),
                "query_ms_median": p(self.reads, 0.5), "query_ms_p99": p(self.reads, 0.99)}


def noise(seed):
    """SQL for a number from 0 to 1 that has nothing to do with its neighbours'."""
    x = f"abs(sin(epoch(g) * 12.9898 + {seed}) * 43758.5453)"
    return f"({x} - floor({x}))"


def fill(daemon, days, step, hosts):
    for host in range(hosts):
        for day in range(days):
            start = f"date_trunc('minute', now()) - INTERVAL '{days - day} days'"
            daemon.query(
                f"INSERT INTO m(time, host, load, temperature, counter, state) SELECT g, 'h{host}', "
                f"round(50 + 20 * sin(epoch(g) / 3600) + 5 * {noise(host)}, 2), round(20 + {noise(host + 0.3)}, 2), "
                f"CAST(epoch(g) / 7 AS BIGINT), CASE WHEN {noise(host + 0.6)} < 0.9 THEN 'run' ELSE 'idle' END "
                f"FROM generate_series({start}, {start} + INTERVAL '1 day' - INTERVAL '{step} seconds', "
                f"INTERVAL '{step} seconds') AS t(g)")


def measure(case, memory):
    days, step, hosts = map(int, case.split("x"))
    with tempfile.TemporaryDirectory(prefix="martlet-tiers-") as data:
        daemon = MeasuredDaemon(
            data, options=["--memory", memory, "--retention-interval", "0", "--query-timeout", "7200"])
        daemon.query("CREATE TABLE m (host TAG, load DOUBLE, temperature DOUBLE, counter BIGINT, state TEXT)")
        started = time.monotonic()
        fill(daemon, days, step, hosts)
        filled = time.monotonic() - started
        daemon.query("COMPACT")
        rows = int(daemon.query("SELECT count(*) FROM m")[0][0])
        before, answer = directory_bytes(data), daemon.query(QUESTION)
        day = daemon.query(OF_A_DAY)
        idle = Prober(daemon)
        idle.start()
        time.sleep(5)
        quiet = idle.figures()
        daemon.query("CREATE RETENTION POLICY standard")
        daemon.peak(reset=True)
        busy = Prober(daemon)
        busy.start()
        started = time.monotonic()
        daemon.query("RUN RETENTION")
        duration = time.monotonic() - started
        during, peak = busy.figures(), daemon.peak()
        moved = sum(int(row[0]) for row in daemon.query(
            "SELECT sum(rows) FROM _retention_runs WHERE from_width = '0'"))
        daemon.query("COMPACT")
        after, answer_after = directory_bytes(data), daemon.query(QUESTION)
        day_after = daemon.query(OF_A_DAY)
        ledger = {row[0]: row[1:] for row in daemon.query("SHOW STORAGE")}
        daemon.stop()
        same = [a[:5] == b[:5] for a, b in zip(answer, answer_after)]
        same += [a[:2] == b[:2] for a, b in zip(day, day_after)]
        pairs = [(a[place], b[place]) for a, b in zip(answer, answer_after) for place in (5, 6)]
        pairs += [(a[2], b[2]) for a, b in zip(day, day_after)]
        worst = max(abs(float(a) - float(b)) / max(abs(float(a)), 1e-300) for a, b in pairs)
        return {"case": case, "rows": rows, "seconds_to_fill": filled, "bytes_before": before, "bytes_after": after,
                "smaller": before / after, "rows_moved": moved, "run_seconds": duration, "peak_bytes": peak,
                "counts_and_extremes_equal": all(same), "largest_relative_difference": worst, "quiet": quiet,
                "during_the_run": during, "storage": ledger}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--memory", default="256MiB")
    parser.add_argument("--out")
    parser.add_argument("cases", nargs="+")
    options = parser.parse_args()
    results = []
    for case in options.cases:
        result = measure(case, options.memory)
        results.append(result)
        quiet, during = result["quiet"], result["during_the_run"]
        print(f"{case}: {result['rows']:,} rows, {result['bytes_before']:,} bytes, after {result['bytes_after']:,}: "
              f"{result['smaller']:.1f} times smaller; run {result['run_seconds']:.1f} s for {result['rows_moved']:,} rows, "
              f"peak {result['peak_bytes'] / 1e6:.0f} MB; equal {result['counts_and_extremes_equal']}, others within "
              f"{result['largest_relative_difference']:.1e}")
        print(f"  append ms median {quiet['append_ms_median']:.1f} p99 {quiet['append_ms_p99']:.1f}, in the run "
              f"{during['append_ms_median']:.1f} {during['append_ms_p99']:.1f}; query {quiet['query_ms_median']:.1f} "
              f"{quiet['query_ms_p99']:.1f}, in the run {during['query_ms_median']:.1f} {during['query_ms_p99']:.1f}",
              flush=True)
    if options.out:
        with open(options.out, "w") as file:
            json.dump(results, file, indent=1)


if __name__ == "__main__":
    main()
