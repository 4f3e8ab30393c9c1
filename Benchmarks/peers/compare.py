"""Runs Martlet and its peers in turn on the same data, checks that they answer alike, and writes one table.

    compare.py [--hosts 100] [--points 10000] [--systems martlet,victoriametrics,...] [--repetitions 3] [--out DIR]

Called by `run`, which installs what is needed. Every figure is taken in this one run; medians of several.
"""

import argparse
import json
import os
import subprocess
import time

import machine
import systems
from questions import canonical, questions, same

ROOT = systems.ROOT


class Workload:
    """One data set: line protocol in memory, CSV on disk for the embedded engines."""

    def __init__(self, hosts, points):
        self.hosts, self.points = hosts, points
        self.rows, self.values = hosts * points, hosts * points * 10
        self.base = os.path.join(systems.WORK, f"cpu-{hosts}x{points}")
        self.lines = self.generate("lines")
        self.content = open(self.lines, "rb").read()

    def generate(self, form):
        path = f"{self.base}.{form}"
        if not os.path.exists(path):
            program = os.environ.get("MARTLET_BENCH", os.path.join(ROOT, ".build", "release", "MartletBench"))
            subprocess.run([program, "generate", "--hosts", str(self.hosts), "--points", str(self.points),
                            "--form", form, "--out", path + ".part"], check=True)
            os.rename(path + ".part", path)
        return path

    def csv(self):
        return self.generate("csv")

    def parts(self, connections):
        """The lines in as many contiguous parts, cut at ends of lines."""
        view, cuts = memoryview(self.content), [0]
        for index in range(1, connections):
            cuts.append(self.content.index(b"\n", len(self.content) * index // connections) + 1)
        cuts.append(len(self.content))
        return [view[first:last] for first, last in zip(cuts, cuts[1:])]


def measure_ingest(kind, workload, connections):
    system = kind(workload)
    system.wipe()
    system.start()
    if hasattr(system, "prepare"):
        system.prepare()
    before = machine.cpu_seconds(system.pid)
    written = machine.written_bytes(system.pid)
    wall = system.fill(connections)
    acknowledged = machine.cpu_seconds(system.pid) - before
    peak = machine.memory_mb(system.pid)[1]
    system.flush()
    everything = machine.cpu_seconds(system.pid) - before
    found = system.count()
    result = dict(
        wall=wall, cpu_acknowledged=acknowledged, cpu_merged=everything, peak_mb=peak,
        values_per_second=workload.values / wall, values_per_cpu=workload.values / max(acknowledged, 0.01),
        values_per_cpu_merged=workload.values / max(everything, 0.01), bytes_per_value=system.disk() / workload.values,
        written_per_value=(machine.written_bytes(system.pid) - written) / workload.values)
    system.stop()
    if found != workload.rows:
        raise RuntimeError(f"{system.name} holds {found} rows of {workload.rows}")
    return result


def measure_queries(kind, workload, repetitions, cold):
    system = kind(workload)
    system.wipe()
    system.start()
    if hasattr(system, "prepare"):
        system.prepare()
    system.fill()
    system.flush()
    found, answers = {}, {}
    for name, variants in questions(workload.hosts, workload.points).items():
        answers[name] = [canonical(system.ask(variant, True)[1]) for variant in variants]
        times, before, end = [], machine.cpu_seconds(system.pid), time.time() + 5
        for _ in range(repetitions * 7):
            times += [system.ask(variant)[0] for variant in variants]
            if time.time() > end:
                break
        found[name] = dict(
            warm_ms=machine.median(times) * 1e3, best_ms=min(times) * 1e3,
            cpu_ms=(machine.cpu_seconds(system.pid) - before) / len(times) * 1e3, rows=len(answers[name][0]))
    memory = machine.memory_mb(system.pid)[1]
    system.stop()
    if cold:
        for name, variants in questions(workload.hosts, workload.points).items():
            machine.drop_page_cache()
            system.start()
            found[name]["cold_ms"] = system.ask(variants[0])[0] * 1e3
            system.stop()
    return found, answers, memory


def medians(runs):
    return {key: machine.median([run[key] for run in runs]) for key in runs[0]}


def write_tables(out, workload, ingest, queries, agreement):
    lines = [f"Machine: {machine.describe()}. Data: {workload.hosts} hosts x {workload.points} points x 10 fields = "
             f"{workload.values / 1e6:.0f} M values, {len(workload.content) / 1e6:.0f} MB of line protocol.", "",
             "| system | connections | M values/s | M values per CPU-s | ... with flush and merge | bytes/value "
             "| bytes written/value | peak MB | durability |", "|---|---|---|---|---|---|---|---|---|"]
    for (name, connections), x in ingest.items():
        lines.append(
            f"| {name} | {connections} | {x['values_per_second'] / 1e6:.2f} | {x['values_per_cpu'] / 1e6:.2f} | "
            f"{x['values_per_cpu_merged'] / 1e6:.2f} | {x['bytes_per_value']:.3f} | {x['written_per_value']:.3f} | "
            f"{x['peak_mb']:.0f} | {systems.ALL[name].durability} |")
    for label, key in (("warm, median ms", "warm_ms"), ("CPU ms", "cpu_ms"), ("cold, ms", "cold_ms")):
        names = list(queries)
        lines += ["", f"| {label} | " + " | ".join(names) + " | martlet against the fastest peer |",
                  "|---|" + "---|" * (len(names) + 1)]
        for question in questions(workload.hosts, workload.points):
            cells = {name: queries[name][question].get(key) for name in names}
            peers = [value for name, value in cells.items() if name != "martlet" and value]
            ratio = f"{min(peers) / cells['martlet']:.2f}x" if peers and cells.get("martlet") else ""
            marks = {name: "" if agreement[name][question] else " (differs)" for name in names}
            lines.append(f"| {question} | " + " | ".join(
                "" if value is None else f"{value:.2f}{marks[name]}" for name, value in cells.items()) + f" | {ratio} |")
    with open(os.path.join(out, "peers.md"), "w") as target:
        target.write("\n".join(lines) + "\n")
    with open(os.path.join(out, "peers.json"), "w") as target:
        json.dump(dict(
            machine=machine.describe(), hosts=workload.hosts, points=workload.points,
            ingest=[dict(system=name, connections=connections, **x) for (name, connections), x in ingest.items()],
            queries=queries, agreement=agreement), target, indent=1)
    print("\n".join(lines))


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--hosts", type=int, default=100)
    options.add_argument("--points", type=int, default=10_000)
    options.add_argument("--systems", default=",".join(systems.ALL))
    options.add_argument("--repetitions", type=int, default=3)
    options.add_argument("--connections", default="1,4")
    options.add_argument("--no-cold", action="store_true")
    options.add_argument("--out", default=os.path.join(ROOT, "Benchmarks", "results"))
    chosen = options.parse_args()
    os.makedirs(os.path.join(systems.WORK, "data"), exist_ok=True)
    os.makedirs(chosen.out, exist_ok=True)
    workload = Workload(chosen.hosts, chosen.points)
    kinds = [systems.ALL[name] for name in chosen.systems.split(",")]

    plans = [(kind, connections) for kind in kinds for connections in map(int, chosen.connections.split(","))
             if connections == 1 or issubclass(kind, systems.Server)]
    runs = {(kind.name, connections): [] for kind, connections in plans}
    for _ in range(chosen.repetitions):  # in turn, so that a drift of the machine's speed meets all
        for kind, connections in plans:
            runs[kind.name, connections].append(measure_ingest(kind, workload, connections))
            print(kind.name, connections, {k: round(v, 3) for k, v in runs[kind.name, connections][-1].items()})
    ingest = {key: medians(found) for key, found in runs.items()}

    queries, answers = {}, {}
    for kind in kinds:
        queries[kind.name], answers[kind.name], _ = measure_queries(
            kind, workload, chosen.repetitions, not chosen.no_cold)
        print(kind.name, {name: round(x["warm_ms"], 3) for name, x in queries[kind.name].items()})
    reference = answers.get("duckdb") or next(iter(answers.values()))
    agreement = {name: {question: all(same(a, b) for a, b in zip(found, reference[question]))
                        for question, found in given.items()} for name, given in answers.items()}
    write_tables(chosen.out, workload, ingest, queries, agreement)


if __name__ == "__main__":
    main()
