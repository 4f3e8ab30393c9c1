"""Compares Martlet's Parquet files with other programs' reading of them, and the reverse.

    readers.py write THEIRS         other writers' files, with what they hold beside them (.expected)
    readers.py check OURS THEIRS    Martlet's files read by others; Martlet's reading (.rows) of theirs
"""

import datetime
import decimal
import json
import math
import os
import random
import struct
import sys
import zlib

import duckdb
import polars
import pyarrow as pa
import pyarrow.parquet as pq

import thrift

failures = []


def fail(text):
    failures.append(text)
    print("FAILED:", text)


def bits(number):
    return "nan" if math.isnan(number) else struct.pack(">d", number).hex()


NANOSECONDS = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}


def canonical(column):
    """A column of Arrow as the values of Martlet's dumps."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        column = column.cast(kind.value_type)
        kind = column.type
    if pa.types.is_timestamp(kind):
        factor = NANOSECONDS[kind.unit]
        return [None if v is None else v * factor for v in column.cast(pa.int64()).to_pylist()]
    if pa.types.is_date32(kind):
        return [None if v is None else v * 86_400 * 10**9 for v in column.cast(pa.int32()).to_pylist()]
    values = column.to_pylist()
    if pa.types.is_floating(kind):
        return [None if v is None else bits(v) for v in values]
    if pa.types.is_decimal(kind):
        return [None if v is None else bits(float(v)) for v in values]
    if pa.types.is_binary(kind):
        return [None if v is None else v.decode() for v in values]
    return values


def rows_of(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def columns_of(path, count):
    rows = rows_of(path)
    return [list(column) for column in zip(*rows)] if rows else [[] for _ in range(count)]


def compare(what, names, expected, actual):
    for name, left, right in zip(names, expected, actual, strict=True):
        if left == right:
            continue
        if len(left) != len(right):
            fail(f"{what}: column {name} has {len(right)} rows, not {len(left)}")
            continue
        row = next(i for i in range(len(left)) if left[i] != right[i] or type(left[i]) is not type(right[i]))
        fail(f"{what}: column {name}, row {row}: {right[row]!r}, not {left[row]!r}")


# --- Martlet's files, read by others


def check_ours(directory):
    names = sorted(n for n in os.listdir(directory) if n.endswith(".parquet") and n != "large.parquet")
    expected = {}
    for name in names:
        path = os.path.join(directory, name)
        shape = name.removesuffix(".parquet").rsplit("-", 1)[1]
        table = pq.read_table(path, page_checksum_verification=True)
        if shape not in expected:
            expected[shape] = columns_of(os.path.join(directory, shape + ".expected"), table.num_columns)
        columns = expected[shape]
        compare(f"pyarrow, {name}", table.column_names, columns, [canonical(c) for c in table.columns])
        arrow = duckdb.sql(f"SELECT * FROM read_parquet('{path}')").to_arrow_table()
        compare(f"DuckDB, {name}", arrow.column_names, columns, [canonical(c) for c in arrow.columns])
        arrow = polars.read_parquet(path).to_arrow()
        compare(f"polars, {name}", arrow.column_names, columns, [canonical(c) for c in arrow.columns])
        check_structure(path, table, columns)
    check_large(os.path.join(directory, "large.parquet"))
    check_export(os.path.join(directory, "export"))
    print(f"{len(names)} files of Martlet's read by pyarrow, DuckDB and polars")


def order(kind, value):
    """The value as the statistics order it, or None where it has no order."""
    if value is None or value == "nan":
        return None
    if pa.types.is_floating(kind):
        return struct.unpack(">d", bytes.fromhex(value))[0]
    if pa.types.is_string(kind):
        return value.encode()
    return value


def plain(kind, data, unit):
    """A bound of the page index as the same kind of value."""
    if pa.types.is_floating(kind):
        return struct.unpack("<d", data)[0]
    if pa.types.is_string(kind):
        return data
    if pa.types.is_boolean(kind):
        return data != b"\0"
    number = int.from_bytes(data, "little", signed=not pa.types.is_unsigned_integer(kind))
    return number * unit


def check_bounds(what, kind, values, low, high, exact):
    ordered = [o for o in (order(kind, v) for v in values) if o is not None]
    if not ordered:
        if low is not None:
            fail(f"{what}: bounds of nothing")
        return
    if low is None or high is None:
        fail(f"{what}: no bounds")
    elif exact and (low != min(ordered) or high != max(ordered)):
        fail(f"{what}: bounds {low!r}, {high!r}, not {min(ordered)!r}, {max(ordered)!r}")
    elif low > min(ordered) or high < max(ordered):
        fail(f"{what}: bounds {low!r}, {high!r} exclude {min(ordered)!r} or {max(ordered)!r}")


def check_structure(path, table, columns):
    """Statistics as pyarrow reads them; page index, page headers and checksums as an own reader does."""
    name = os.path.basename(path)
    metadata = pq.read_metadata(path)
    with open(path, "rb") as file:
        data = file.read()
    length = int.from_bytes(data[-8:-4], "little")
    footer = thrift.Reader(data, len(data) - 8 - length).struct()
    start = 0
    for group_number in range(metadata.num_row_groups):
        group = metadata.row_group(group_number)
        for number, kind in enumerate(table.schema.types):
            what = f"{name}, row group {group_number}, column {table.column_names[number]}"
            values = columns[number][start : start + group.num_rows]
            unit = 1000 if pa.types.is_timestamp(kind) else 1
            chunk = footer[4][group_number][1][number]
            statistics = chunk[3][12]
            nulls = sum(v is None for v in values)
            if statistics[3] != nulls:
                fail(f"{what}: {statistics[3]} nulls, not {nulls}")
            low, high = (plain(kind, statistics[i], unit) if i in statistics else None for i in (6, 5))
            check_bounds(what, kind, values, low, high, not pa.types.is_string(kind))
            read = group.column(number).statistics
            if read.has_min_max != (low is not None) or read.null_count != nulls:
                fail(f"{what}: pyarrow sees other statistics")
            check_pages(what, data, chunk, kind, values, unit)
        start += group.num_rows


def check_pages(what, data, chunk, kind, values, unit):
    pages = thrift.Reader(data, chunk[4]).struct()[1]
    index = thrift.Reader(data, chunk[6]).struct() if 6 in chunk else None
    starts = [page[3] for page in pages] + [len(values)]
    for number, page in enumerate(pages):
        reader = thrift.Reader(data, page[1])
        header = reader.struct()
        body = data[reader.position : reader.position + header[3]]
        if reader.position + header[3] != page[1] + page[2]:
            fail(f"{what}: page {number} is not as long as the offset index says")
        if zlib.crc32(body) != header[4] & 0xFFFFFFFF:
            fail(f"{what}: page {number} fails its CRC")
        part = values[starts[number] : starts[number + 1]]
        if (header.get(5) or header.get(8))[1] != len(part):
            fail(f"{what}: page {number} has another number of values")
        if index is None:
            continue
        if index[5][number] != sum(v is None for v in part):
            fail(f"{what}: page {number} has another number of nulls")
        if index[1][number] != all(v is None for v in part):
            fail(f"{what}: page {number} is wrongly said to be all nulls, or not")
        if not index[1][number]:
            low, high = plain(kind, index[2][number], unit), plain(kind, index[3][number], unit)
            check_bounds(f"{what}, page {number}", kind, part, low, high, not pa.types.is_string(kind))
    if index is None and not any(
        all(v in (None, "nan") for v in values[a:b]) and any(v == "nan" for v in values[a:b])
        for a, b in zip(starts, starts[1:])
    ):
        fail(f"{what}: no column index")


def check_large(path):
    connection = duckdb.connect()

    def one(query):
        return connection.execute(query).fetchall()[0]

    count, total, low, high = one(
        f"SELECT count(*), sum(value), min(epoch_ns(time)), max(epoch_ns(time)) FROM '{path}'"
    )
    base = 1_700_000_000_000_000_000
    if (count, total, low, high) != (300_000, 7 * 300_000 * 299_999 // 2, base, base + 299_999 * 10**6):
        fail(f"large: DuckDB finds {count, total, low, high}")
    frame = polars.scan_parquet(path).filter(polars.col("host") == "host-42").collect()
    if frame.height != 3000:
        fail(f"large: polars finds {frame.height} rows of host-42")
    filtered = pq.read_table(path, filters=[("value", ">=", 7 * 299_990)])
    if filtered.num_rows != 10:
        fail(f"large: pyarrow's filter finds {filtered.num_rows} rows")
    probe = "SELECT count(*) FROM parquet_bloom_probe('{}', 'host', '{}') WHERE bloom_filter_excludes"
    groups = pq.read_metadata(path).num_row_groups
    present = sum(one(probe.format(path, f"host-{i}"))[0] for i in range(100))
    absent = sum(one(probe.format(path, f"other-{i}"))[0] for i in range(100))
    if present != 0 or absent < 95 * groups:
        fail(f"large: the bloom filter excludes {present} present and {absent} of {100 * groups} absent values")


EXPORTED = 25_920  # rows of each of the two tables, 8,640 a day


def check_export(directory):
    with open(os.path.join(directory, "_manifest.json"), encoding="utf-8") as file:
        manifest = json.load(file)
    if manifest["rows"] != 2 * EXPORTED or manifest["format"] != "martlet-export":
        fail(f"export: the manifest names {manifest['rows']} rows")
    for entry in manifest["files"]:
        path = os.path.join(directory, entry["path"])
        with open(path, "rb") as file:
            data = file.read()
        if len(data) != entry["bytes"] or f"{crc32c(data):08x}" != entry["crc32c"]:
            fail(f"export: {entry['path']} is not as the manifest says")
        times = pq.read_table(path, columns=["time"], partitioning=None)["time"].cast(pa.int64()).to_pylist()
        low, high = (f"{datetime.datetime.fromtimestamp(t / 10**6, datetime.timezone.utc):%Y-%m-%dT%H:%M:%S}" for t in (min(times), max(times)))
        if entry["rows"] != len(times) or not entry["min_time"].startswith(low) or not entry["max_time"].startswith(high):
            fail(f"export: {entry['path']} holds {len(times)} rows from {low} to {high}")
    total = EXPORTED * (EXPORTED - 1) // 2
    expected = sorted((t, f"2024-01-0{d}", 8640) for t in ("cpu", "mem/free") for d in (1, 2, 3))
    query = f"""SELECT "table", date::VARCHAR, count(*), sum(total) FROM
        read_parquet('{directory}/**/*.parquet', hive_partitioning = true) GROUP BY ALL ORDER BY ALL"""
    found = duckdb.connect().execute(query).fetchall()
    if [row[:3] for row in found] != expected or sum(row[3] for row in found) != 2 * total:
        fail(f"export: DuckDB finds {found}")
    table = pq.read_table(directory, partitioning="hive", filters=[("date", "=", "2024-01-02")])
    if table.num_rows != 2 * 8640:
        fail(f"export: pyarrow finds {table.num_rows} rows of a day")
    frame = polars.scan_parquet(f"{directory}/**/*.parquet", hive_partitioning=True)
    if frame.select(polars.col("value").sum()).collect().item() != total / 2:
        fail("export: polars finds another sum")
    if os.environ.get("MARTLET_SPARK"):
        check_spark(directory, expected, total)


def check_spark(directory, expected, total):
    from pyspark.sql import SparkSession, functions

    spark = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    frame = spark.read.parquet(directory)
    rows = frame.groupBy("table", "date").agg(functions.count("*").alias("n")).orderBy("table", "date").collect()
    found = [(row["table"], str(row["date"]), row["n"]) for row in rows]
    if found != expected:
        fail(f"export: Spark finds {found}")
    row = frame.agg(functions.sum("total").alias("t"), functions.sum("value").alias("v"), functions.min("time")).first()
    if int(row["t"]) != 2 * total or row["v"] != total / 2:
        fail(f"export: Spark finds the sums {row}")
    ours = os.path.dirname(directory)
    for name in sorted(n for n in os.listdir(ours) if n.endswith("-nulls.parquet")):
        if "densest" in name:
            continue  # Spark's vectorised reader refuses BYTE_STREAM_SPLIT.
        rows = spark.read.parquet(os.path.join(ours, name)).collect()
        columns = columns_of(os.path.join(ours, "nulls.expected"), 0)
        compare(f"Spark, {name}", frame_names(ours, name), columns, [spark_column(c) for c in zip(*rows)])
    spark.stop()


def frame_names(directory, name):
    return pq.read_schema(os.path.join(directory, name)).names


def spark_column(values):
    def one(value):
        if isinstance(value, float):
            return bits(value)
        if isinstance(value, decimal.Decimal):
            return int(value)
        if isinstance(value, datetime.datetime):
            delta = value.astimezone(datetime.timezone.utc) - datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
            return ((delta.days * 86_400 + delta.seconds) * 10**6 + delta.microseconds) * 1000
        return value

    return [one(value) for value in values]


CRC_TABLE = []
for byte in range(256):
    for _ in range(8):
        byte = (byte >> 1) ^ (0x82F63B78 if byte & 1 else 0)
    CRC_TABLE.append(byte)


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = (crc >> 8) ^ CRC_TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


# --- others' files, read by Martlet


def foreign_table(rows, nulls, seed):
    rng = random.Random(seed)

    def some(make):
        return [None if rng.random() < nulls else make(i) for i in range(rows)]

    def integers(low, high):
        return some(lambda i: rng.choice([low, high, rng.randint(low, high)]))

    epoch = 1_600_000_000
    columns = {}
    for width in (8, 16, 32, 64):
        columns[f"i{width}"] = pa.array(integers(-(1 << width - 1), (1 << width - 1) - 1), f"int{width}")
        columns[f"u{width}"] = pa.array(integers(0, (1 << width) - 1), f"uint{width}")
    columns["step"] = pa.array(some(lambda i: i * 1000), "int64")
    columns["f32"] = pa.array(some(lambda i: rng.choice([0.5, -1.25, math.inf, math.nan, i / 7])), "float32")
    columns["f64"] = pa.array(some(lambda i: rng.choice([math.nan, -0.0, rng.random(), i / 3])), "float64")
    columns["flag"] = pa.array(some(lambda i: rng.random() < 0.5), "bool")
    columns["few"] = pa.array(some(lambda i: rng.choice(["a", "b", "", "süd", "日本"])), "string")
    columns["text"] = pa.array(some(lambda i: "x" * rng.randint(0, 40) + f"é{i}"), "string")
    columns["path"] = pa.array(some(lambda i: f"/srv/data/{i // 7}/{i}"), "string")
    columns["label"] = pa.array(some(lambda i: rng.choice(["one", "two"]))).dictionary_encode()
    for unit in ("s", "ms", "us", "ns"):
        per = 10**9 // NANOSECONDS[unit]
        times = some(lambda i: (epoch + i) * per + rng.randrange(per))
        columns[f"t_{unit}"] = pa.array(times, pa.timestamp(unit, "UTC"))
        columns[f"naive_{unit}"] = pa.array(times, pa.timestamp(unit))
    columns["old"] = pa.array(some(lambda i: -rng.randrange(10**15)), pa.timestamp("us", "UTC"))
    columns["day"] = pa.array(some(lambda i: datetime.date(1970, 1, 1) + datetime.timedelta(rng.randint(-9000, 20000))))
    columns["d9"] = pa.array(some(lambda i: decimal.Decimal(rng.randint(-(10**8), 10**8)).scaleb(-2)), pa.decimal128(9, 2))
    columns["d18"] = pa.array(some(lambda i: decimal.Decimal(rng.randint(-(10**15), 10**15)).scaleb(-4)), pa.decimal128(18, 4))
    columns["raw"] = pa.array(some(lambda i: f"bytes {i % 50}".encode()), "binary")
    return pa.table(columns)


def expect(path, table):
    """Writes what a file holds, as Martlet should dump it."""
    columns = [canonical(column) for column in table.columns]
    with open(path + ".expected", "w", encoding="utf-8") as file:
        for row in zip(*columns):
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


DELTA = {
    "i32": "DELTA_BINARY_PACKED", "u32": "DELTA_BINARY_PACKED", "i64": "DELTA_BINARY_PACKED", "u64": "DELTA_BINARY_PACKED",
    "i8": "DELTA_BINARY_PACKED", "step": "DELTA_BINARY_PACKED", "t_us": "DELTA_BINARY_PACKED", "f32": "BYTE_STREAM_SPLIT",
    "f64": "BYTE_STREAM_SPLIT", "u16": "BYTE_STREAM_SPLIT", "t_ms": "BYTE_STREAM_SPLIT", "few": "DELTA_BYTE_ARRAY", "flag": "RLE",
    "text": "DELTA_LENGTH_BYTE_ARRAY", "path": "DELTA_BYTE_ARRAY", "raw": "DELTA_LENGTH_BYTE_ARRAY",
}


def write_theirs(directory):
    def at(name):
        return os.path.join(directory, name + ".parquet")

    for shape, rows, nulls in (("nulls", 3000, 0.15), ("full", 2000, 0.0), ("empty", 0, 0.0)):
        table = foreign_table(rows, nulls, seed=rows)
        for codec in ("none", "snappy", "zstd", "lz4"):
            for page in ("1.0", "2.0"):
                for style in ("dictionary", "plain", "delta"):
                    path = at(f"pyarrow-{codec}-{page}-{style}-{shape}")
                    options = {"column_encoding": DELTA} if style == "delta" else {}
                    pq.write_table(
                        table, path, compression=codec, data_page_version=page, row_group_size=700,
                        use_dictionary=style == "dictionary", data_page_size=900, write_batch_size=64,
                        dictionary_pagesize_limit=2000, write_page_index=style == "plain", store_decimal_as_integer=True,
                        write_page_checksum=codec == "zstd", **options,
                    )
                    expect(path, table)
        path = at(f"pyarrow-int96-{shape}")
        times = table.select([n for n in table.column_names if n.startswith(("t_", "naive_"))])
        pq.write_table(times, path, use_deprecated_int96_timestamps=True)
        expect(path, times)
        path = at(f"pyarrow-old-{shape}")
        old = table.select(["i32", "u8", "f64", "few", "t_ms", "naive_us", "flag"])
        pq.write_table(old, path, version="1.0")
        expect(path, old)
        required = pa.schema([f.with_nullable(False) for f in old.schema])
        if nulls == 0:
            path = at(f"pyarrow-required-{shape}")
            pq.write_table(old.cast(required), path)
            expect(path, old)
        write_duckdb(at, shape, table)
        frame = polars.from_arrow(table.drop_columns(["raw", "label", "d9", "d18"]))
        for codec in ("uncompressed", "snappy", "zstd", "lz4"):
            path = at(f"polars-{codec}-{shape}")
            frame.write_parquet(path, compression=codec, row_group_size=1000, data_page_size=2000, statistics="full")
            expect(path, frame.to_arrow())
    write_refused(at)


def write_duckdb(at, shape, table):
    connection = duckdb.connect()
    connection.register("source", table)
    connection.execute("CREATE TABLE data AS SELECT * EXCLUDE (raw) FROM source")
    for codec in ("uncompressed", "snappy", "zstd", "lz4_raw"):
        for version in ("V1", "V2"):
            path = at(f"duckdb-{codec}-{version}-{shape}")
            connection.execute(
                f"COPY data TO '{path}' (FORMAT parquet, CODEC '{codec}', ROW_GROUP_SIZE 2048, PARQUET_VERSION {version})"
            )
            expect(path, connection.sql("SELECT * FROM data").to_arrow_table())


def write_refused(at):
    """Files that can't be read, and the word that the message must hold."""
    refused = {
        "nested": (pa.table({"fine": [1], "inner": [{"a": 1}]}), {}, "'inner'"),
        "list": (pa.table({"fine": [1], "items": [[1, 2]]}), {}, "'items'"),
        "gzip": (pa.table({"packed": ["a", "b"]}), {"compression": "gzip"}, "GZIP"),
        "brotli": (pa.table({"packed": ["a", "b"]}), {"compression": "brotli"}, "BROTLI"),
        "time": (pa.table({"clock": pa.array([datetime.time(1, 2)])}), {}, "'clock'"),
        "fixed": (pa.table({"id": pa.array([b"abcd"], pa.binary(4))}), {}, "'id'"),
        "binary": (pa.table({"junk": pa.array([b"\xff\xfe"])}), {}, "'junk'"),
        "far": (pa.table({"when": pa.array([10**17], pa.timestamp("us"))}), {}, "'when'"),
    }
    for name, (table, options, word) in refused.items():
        pq.write_table(table, at("refused-" + name), **options)
        with open(at("refused-" + name) + ".word", "w") as file:
            file.write(word)


def check_theirs(directory):
    read = refused = 0
    for name in sorted(os.listdir(directory)):
        if not name.endswith(".parquet"):
            continue
        path = os.path.join(directory, name)
        if os.path.exists(path + ".word"):
            word = open(path + ".word").read()
            message = open(path + ".error").read() if os.path.exists(path + ".error") else "it was read"
            if word not in message:
                fail(f"{name}: the message lacks {word}: {message}")
            refused += 1
            continue
        if os.path.exists(path + ".error"):
            fail(f"{name}: " + open(path + ".error").read())
            continue
        names = pq.read_schema(path).names
        compare(
            f"Martlet, {name}", names, columns_of(path + ".expected", len(names)), columns_of(path + ".rows", len(names))
        )
        read += 1
    print(f"{read} files of pyarrow, DuckDB and polars read by Martlet, {refused} refused as they should be")


def main():
    if sys.argv[1] == "write":
        write_theirs(sys.argv[2])
        return
    check_ours(sys.argv[2])
    check_theirs(sys.argv[3])
    if failures:
        print(f"{len(failures)} failures")
        sys.exit(1)


main()
