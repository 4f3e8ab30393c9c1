#!/usr/bin/env python3
"""Runs the same random queries over the same random data in Martlet and in DuckDB and compares the answers row by row.

    tools/differential/run.sh [--queries N] [--seed S] [--scale X] [--only K] [--keep-going]

Everything follows from the seed, which is printed; query K of a seed is always the same. Numbers may differ by 1e-9 of
their size, because sums depend on the order of their terms. The first half of the queries runs over the data as it was
written, the second half after compaction. Exits with 1 when an answer differs.
"""

import argparse
import datetime
import json
import math
import os
import random
import subprocess
import sys
import tempfile

import duckdb

from generate import EPOCH, HOSTS, SQL_TYPES, TABLES, Data, Queries, literal

UNIX = datetime.datetime(1970, 1, 1)
TOLERANCE = 1e-9


class Martlet:
    def __init__(self, program, directory):
        self.process = subprocess.Popen([program, directory], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def run(self, sql):
        self.process.stdin.write(sql.replace("\n", " ") + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"Martlet's runner ended with code {self.process.wait()} at: {sql}")
        answer = json.loads(line)
        if "error" in answer:
            raise ValueError(answer["error"])
        floats = [index for index, (_, type) in enumerate(answer["columns"]) if type == "DOUBLE"]
        for row in answer["rows"]:
            for index in floats:
                if row[index] is not None:
                    row[index] = float(row[index])
        return [tuple(row) for row in answer["rows"]]

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def plain(value):
    """A DuckDB value in the form of Martlet's."""
    if isinstance(value, datetime.datetime):
        if value.tzinfo is not None:
            value = value.astimezone(datetime.timezone.utc).replace(tzinfo=None)
        return (value - UNIX) // datetime.timedelta(microseconds=1) * 1000
    if isinstance(value, datetime.date):
        return (datetime.datetime(value.year, value.month, value.day) - UNIX) // datetime.timedelta(microseconds=1) * 1000
    return value


def load(martlet, duck, data, rng):
    for name, columns in TABLES.items():
        fields = ", ".join(f"{column} {SQL_TYPES[kind]}{' TAG' if tag else ''}" for column, kind, tag in columns)
        martlet.run(f"CREATE TABLE {name} (time TIMESTAMP, {fields})")
        duck.execute(f"CREATE TABLE {name} (time TIMESTAMP, {fields.replace(' TAG', '')})")
    for name, batch in data.batches:
        columns = TABLES[name]
        for start in range(0, len(batch), 40):
            values = []
            for (time, tags), fields in batch[start:start + 40]:
                tags = iter(tags)
                row = [literal(time, "T")] + [
                    literal(next(tags) if tag else fields[column], kind) for column, kind, tag in columns]
                values.append("(" + ", ".join(row) + ")")
            martlet.run(f"INSERT INTO {name} VALUES {', '.join(values)}")
    # A deletion by time and tag, in both.
    start = EPOCH + datetime.timedelta(minutes=rng.randrange(0, 3000))
    end = start + datetime.timedelta(minutes=200)
    host = rng.choice(HOSTS)
    martlet.run(f"DELETE FROM m WHERE time >= {literal(start, 'T')} AND time < {literal(end, 'T')} AND host = '{host}'")
    for key in [key for key in data.rows["m"] if start <= key[0] < end and key[1][0] == host]:
        del data.rows["m"][key]
    for name in TABLES:
        rows = list(data.tuples(name))
        places = ", ".join("?" for _ in rows[0])
        duck.executemany(f"INSERT INTO {name} VALUES ({places})", rows)


def close(a, b):
    if isinstance(a, float) or isinstance(b, float):
        if a is None or b is None or isinstance(a, str) or isinstance(b, str):
            return a == b
        if math.isnan(a) or math.isnan(b):
            return math.isnan(a) and math.isnan(b)
        return a == b or math.isclose(a, b, rel_tol=TOLERANCE, abs_tol=1e-7)
    return a == b


def sort_key(row, digits=17):
    """An order of rows; with few digits one that rounding does not disturb much."""
    key = []
    for value in row:
        if value is None:
            key.append((0, 0))
        elif isinstance(value, bool):
            key.append((1, int(value)))
        elif isinstance(value, (int, float)):
            number = float(value)
            key.append((3, 0) if math.isnan(number) else (2, float(f"{number:.{digits}g}") + 0.0))
        else:
            key.append((4, value))
    return key


def same_rows(ours, theirs, ordered):
    if len(ours) != len(theirs):
        return False
    for digits in (17,) if ordered else (17, 6):
        if not ordered:
            ours = sorted(ours, key=lambda row: sort_key(row, digits))
            theirs = sorted(theirs, key=lambda row: sort_key(row, digits))
        if all(all(close(a, b) for a, b in zip(x, y)) for x, y in zip(ours, theirs)):
            return True
    if ordered:
        return False
    # Numbers on either side of a rounding border sort apart: match one by one.
    rest = list(theirs)
    for row in ours:
        for index, other in enumerate(rest):
            if all(close(a, b) for a, b in zip(row, other)):
                del rest[index]
                break
        else:
            return False
    return True


def difference(ours, theirs, ordered):
    if not ordered:
        ours, theirs = sorted(ours, key=sort_key), sorted(theirs, key=sort_key)
    lines = [f"    {len(ours)} rows in Martlet, {len(theirs)} in DuckDB"]
    for index in range(max(len(ours), len(theirs))):
        a = ours[index] if index < len(ours) else None
        b = theirs[index] if index < len(theirs) else None
        if a is None or b is None or not all(close(x, y) for x, y in zip(a, b)):
            lines += [f"    row {index}", f"      Martlet {a}", f"      DuckDB  {b}"]
        if len(lines) > 9:
            break
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", required=True)
    parser.add_argument("--queries", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=20240601)
    parser.add_argument("--scale", type=float, default=1.0, help="1 is about 1,000 rows")
    parser.add_argument("--only", type=int, help="run this query alone and print both answers")
    parser.add_argument("--keep-going", action="store_true", help="do not stop after 20 differences")
    options = parser.parse_args()
    print(f"differential test: DuckDB {duckdb.__version__}, seed {options.seed}, {options.queries} queries", flush=True)

    data = Data(random.Random(options.seed), options.scale)
    duck = duckdb.connect()
    duck.execute("SET TimeZone = 'UTC'")
    # Martlet answers NULL where DuckDB 2 raises an error by default.
    duck.execute("SET error_on_division_by_zero = false")
    differences = refused = empty = 0
    with tempfile.TemporaryDirectory() as directory:
        martlet = Martlet(options.program, os.path.join(directory, "data"))
        load(martlet, duck, data, random.Random(options.seed + 1))
        for number in range(options.queries):
            if number == options.queries // 2:
                martlet.run("COMPACT")
            if options.only is not None and number != options.only:
                continue
            # Each query has a generator of its own, so that one can be run alone.
            query, theirs_text, ordered = Queries(random.Random(options.seed * 1_000_003 + number)).next()
            ours = theirs = ours_error = theirs_error = None
            try:
                ours = martlet.run(query)
            except ValueError as error:
                ours_error = str(error)
            try:
                theirs = [tuple(plain(value) for value in row) for row in duck.execute(theirs_text).fetchall()]
            except duckdb.Error as error:
                theirs_error = str(error).split("\n")[0]
            if options.only is not None:
                print(query, theirs_text if theirs_text != query else "", sep="\n")
            if ours_error and theirs_error:
                refused += 1
                if options.only is not None:
                    print(ours_error, theirs_error, sep="\n")
                continue
            if ours_error or theirs_error:
                detail = f"    Martlet: {ours_error or 'answers'}\n    DuckDB: {theirs_error or 'answers'}"
            elif same_rows(ours, theirs, ordered):
                empty += not ours
                continue
            else:
                detail = difference(ours, theirs, ordered)
            differences += 1
            print(f"query {number} of seed {options.seed} differs:\n  {query}\n{detail}", flush=True)
            if differences >= 20 and not options.keep_going:
                print("stopping after 20 differences")
                break
        martlet.close()
    print(f"{options.queries} queries: {differences} differ, {refused} refused by both, {empty} without rows")
    if options.only is None and refused + empty > options.queries // 4:
        print("too many queries say nothing: the generator has gone wrong")
        return 1
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
