"""Exports a namespace with `martlet export`, reads the folder with Spark and compares aggregates with Martlet's own answers."""

import csv
import io
import os
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
MARTLET = os.environ.get("MARTLET", os.path.join(ROOT, ".build", "debug", "martlet"))


def martlet(*arguments):
    return subprocess.run([MARTLET, *arguments], check=True, capture_output=True, text=True).stdout


def main():
    os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    from pyspark.sql import SparkSession, functions as f

    with tempfile.TemporaryDirectory(prefix="martlet-spark-") as directory:
        data, lake = os.path.join(directory, "data"), os.path.join(directory, "lake")

        def ask(sql):
            return list(csv.reader(io.StringIO(martlet("query", "--data", data, "--format", "csv", sql))))[1:]

        ask("CREATE TABLE readings (host TAG, site TAG, load DOUBLE, hits BIGINT, total UBIGINT, up BOOLEAN, state TEXT)")
        ask("INSERT INTO readings (time, host, site, load, hits, total, up, state) SELECT t, 'h' || CAST(i % 7 AS TEXT), "
            "CASE WHEN i % 7 < 3 THEN 'north' END, CASE WHEN i % 11 > 0 THEN sin(i) END, i * i - 5000, i, i % 3 = 0, "
            "CASE WHEN i % 5 > 0 THEN 'state ' || CAST(i % 4 AS TEXT) END "
            "FROM (SELECT TIMESTAMP '2026-02-27 20:00' + i * INTERVAL '37 seconds' AS t, i FROM range(0, 20000, 1) AS g(i))")
        martlet("export", "--data", data, "--to", lake)

        spark = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false") \
            .config("spark.sql.session.timeZone", "UTC").config("spark.log.level", "ERROR").getOrCreate()
        frame = spark.read.parquet(lake)
        for column in ("namespace", "table", "date"):
            assert column in frame.columns, f"no partition column {column} in {frame.columns}"
        frame = frame.where("table = 'readings'")
        found = frame.groupBy("host").agg(
            f.count("*"), f.sum("hits"), f.max("total"), f.sum(f.col("up").cast("int")), f.count("state"),
            f.count_distinct("state"), f.count("site"), f.min("time"), f.max("time"), f.sum("load")).orderBy("host").collect()
        expected = ask("SELECT host, count(*), sum(hits), max(total), sum(up), count(state), count_distinct(state), "
                       "count(site), min(time), max(time), sum(load) FROM readings GROUP BY host ORDER BY host")
        assert len(found) == len(expected) == 7, (len(found), len(expected))
        for row, wanted in zip(found, expected):
            values = [str(value) for value in row[:8]]
            assert values == wanted[:8], (values, wanted)
            for place in (8, 9):
                assert str(row[place]) == wanted[place].replace("T", " ").rstrip("Z"), (row[place], wanted[place])
            assert abs(row[10] - float(wanted[10])) <= 1e-9 * max(1, abs(row[10])), (row[10], wanted[10])
        days = [(str(row[0]), row[1]) for row in frame.groupBy("date").count().orderBy("date").collect()]
        wanted = [(row[0][:10], int(row[1])) for row in ask(
            "SELECT time_bucket('1 day', time) AS day, count(*) FROM readings GROUP BY day ORDER BY day")]
        assert days == wanted, (days, wanted)
        print(f"Spark {spark.version} reads {len(days)} partitions and agrees on {sum(count for _, count in days)} rows")
        spark.stop()


if __name__ == "__main__":
    sys.exit(main())
