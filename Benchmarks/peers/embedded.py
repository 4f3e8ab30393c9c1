"""Hosts DuckDB or SQLite in a process of its own, so that its CPU time and memory can be measured as a server's are.

    embedded.py duckdb|sqlite DIRECTORY

Reads one JSON command a line and answers one JSON value a line.
"""

import datetime
import json
import os
import sys
import time

import pyarrow
import pyarrow.csv

from questions import FIELDS

TAGS = "hostname region datacenter rack os arch team service service_version service_environment".split()


def read_batches(path, rows):
    """The CSV data set as Arrow batches in memory, read before any clock starts."""
    types = {tag: pyarrow.string() for tag in TAGS} | {"time": pyarrow.int64()}
    table = pyarrow.csv.read_csv(path, convert_options=pyarrow.csv.ConvertOptions(column_types=types))
    return [table.slice(start, rows).combine_chunks() for start in range(0, table.num_rows, rows)]


class DuckDB:
    def __init__(self, directory):
        import duckdb
        self.connection = duckdb.connect(directory + "/x.duckdb")
        self.connection.execute("SET threads=2")
        columns = ", ".join([f"{tag} VARCHAR" for tag in TAGS] + [f"{field} BIGINT" for field in FIELDS])
        self.connection.execute(f"CREATE TABLE IF NOT EXISTS cpu(time TIMESTAMP, {columns})")

    def insert(self, batch):
        self.connection.register("b", batch)
        self.connection.execute("INSERT INTO cpu SELECT make_timestamp_ns(time)::TIMESTAMP, * EXCLUDE(time) FROM b")

    def query(self, text):
        return self.connection.execute(text).to_arrow_table()

    def rows(self, table):
        return [list(row.values()) for row in table.to_pylist()]

    def merge(self):
        self.connection.execute("CHECKPOINT")

    def close(self):
        self.connection.close()


class SQLite:
    def __init__(self, directory):
        import sqlite3
        self.connection = sqlite3.connect(directory + "/x.db", isolation_level=None)
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "cache_size=-262144", "mmap_size=4294967296"):
            self.connection.execute("PRAGMA " + pragma).fetchall()
        columns = ", ".join([f"{tag} TEXT" for tag in TAGS] + [f"{field} INTEGER" for field in FIELDS])
        self.connection.execute(f"CREATE TABLE IF NOT EXISTS cpu(time INTEGER, {columns}, "
                                "PRIMARY KEY(hostname, time)) WITHOUT ROWID")

    def insert(self, batch):
        rows = zip(*[batch.column(name).to_pylist() for name in ["time"] + TAGS + FIELDS])
        self.connection.execute("BEGIN")
        self.connection.executemany("INSERT OR REPLACE INTO cpu VALUES(" + ",".join("?" * 21) + ")", rows)
        self.connection.execute("COMMIT")

    def query(self, text):
        return self.connection.execute(text).fetchall()

    def rows(self, rows):
        return [list(row) for row in rows]

    def merge(self):
        self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def close(self):
        self.connection.close()


def plain(value):
    """A value as JSON has it; times as nanoseconds."""
    if isinstance(value, datetime.datetime):
        if value.tzinfo is None:
            value = value.replace(tzinfo=datetime.timezone.utc)
        return int(round(value.timestamp() * 1000)) * 1_000_000
    return value


def answer(engine, state, command):
    kind = command["do"]
    if kind == "hold":
        state["batches"] = read_batches(command["path"], command["rows"])
        return {"batches": len(state["batches"])}
    if kind == "insert":
        start, rows = time.perf_counter(), 0
        for batch in state["batches"]:
            engine.insert(batch)
            rows += batch.num_rows
        return {"wall": time.perf_counter() - start, "rows": rows}
    if kind == "merge":
        engine.merge()
        return {}
    if kind == "query":
        start = time.perf_counter()
        result = engine.query(command["sql"])
        seconds = time.perf_counter() - start
        rows = [[plain(value) for value in row] for row in engine.rows(result)] if command.get("rows") else None
        return {"seconds": seconds, "rows": rows}
    raise ValueError(f"unknown command {kind}")


def main():
    kind, directory = sys.argv[1:3]
    out = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # engines may print
    engine = {"duckdb": DuckDB, "sqlite": SQLite}[kind](directory)
    out.write(json.dumps({"ready": True}) + "\n")
    state = {}
    for line in sys.stdin:
        command = json.loads(line)
        if command["do"] == "close":
            engine.close()
            out.write("{}\n")
            out.flush()
            os._exit(0)
        try:
            reply = answer(engine, state, command)
        except Exception as error:  # told to the driver, which stops
            reply = {"error": repr(error)[:600]}
        out.write(json.dumps(reply) + "\n")


main()
