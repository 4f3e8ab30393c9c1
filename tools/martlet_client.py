#!/usr/bin/env python3
"""A client of Martlet's wire protocol in one file, with nothing but Python's standard library (3.8 or newer).

Written from format-spec/wire-protocol.md alone; it is the proof that the page suffices.

    python3 martlet_client.py query "SELECT * FROM cpu LIMIT 5"
    python3 martlet_client.py append cpu --tag host=a --field usage=0.5 --field count=3i
    python3 martlet_client.py ping

As a module:

    from martlet_client import Client, Table
    with Client("127.0.0.1", 9010) as client:
        client.append([Table("cpu", time=[t0, t1], tags={"host": ["a", "b"]}, fields={"usage": [0.5, None]})])
        for batch in client.query("SELECT * FROM cpu"):
            print(batch.names, list(batch.rows()))
"""

import argparse
import csv
import datetime
import json
import socket
import struct
import sys
import time as clock

VERSION = 1
DEFAULT_PORT = 9010
MAGIC = b"MRTLWIRE"

(HELLO, WELCOME, AUTHENTICATE, AUTHENTICATED, PING, PONG, APPEND, APPENDED, QUERY, SCHEMA, ROWS, END, CREDIT, CANCEL,
 ERROR) = range(1, 16)
TIMESTAMP, FLOAT64, INT64, UINT64, BOOL, STRING, INTERVAL = range(1, 8)
TIME_ROLE, TAG_ROLE, FIELD_ROLE, SERIES_ROLE, VALUE_ROLE = range(1, 6)
TYPE_NAMES = {TIMESTAMP: "TIMESTAMP", FLOAT64: "DOUBLE", INT64: "BIGINT", UINT64: "UBIGINT", BOOL: "BOOLEAN",
              STRING: "VARCHAR", INTERVAL: "INTERVAL"}
FIXED = {TIMESTAMP: "q", FLOAT64: "d", INT64: "q", UINT64: "Q"}
CODES = ("", "invalid argument", "malformed line", "type conflict", "out of range", "invalid UTF-8", "syntax", "semantic",
         "not found", "already exists", "corrupt", "unsupported version", "I/O", "storage full", "locked", "read-only",
         "resource exhausted", "timeout", "cancelled", "closed", "protocol violation", "unauthorized", "unsupported",
         "internal")


class MartletError(Exception):
    """What the server answered, or what went wrong on the way."""

    def __init__(self, code, message, hint=None, place=None):
        where = ""
        if place and place[0] in ("input", "statement"):
            where = "line %d, column %d: " % place[1:3]
        super().__init__(where + message + (" (%s)" % hint if hint else ""))
        self.code, self.message, self.hint, self.place = code, message, hint, place


def _violation(message):
    return MartletError(20, message)


def _crc_table():
    table = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
        table.append(crc)
    return table


_TABLE = _crc_table()


def crc32c(data):
    """CRC-32C of bytes. Pure Python: about 10 MB/s, the price of having no dependency."""
    crc = 0xFFFFFFFF
    table = _TABLE
    for byte in data:
        crc = table[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


# Frames


def encode_frame(frame_type, request_id, body):
    header = struct.pack("<IBBHIII", len(body), frame_type, 0, 0, request_id, len(body), crc32c(body))
    return header + struct.pack("<I", crc32c(header)) + body + bytes(-len(body) % 8)


def decode_header(header):
    """(body length, frame type, request id, body checksum) of 24 bytes."""
    length, frame_type, compression, reserved, request_id, expanded, body_crc, crc = struct.unpack("<IBBHIIII", header)
    if crc32c(header[:20]) != crc:
        raise _violation("a frame header's checksum differs")
    if compression or reserved or expanded != length:
        raise _violation("the server compressed a frame, which this client did not offer")
    return length, frame_type, request_id, body_crc


def _string(text):
    data = text.encode("utf-8")
    return struct.pack("<I", len(data)) + data


class _Reader:
    def __init__(self, data):
        self.data, self.offset = data, 0

    def take(self, count):
        end = self.offset + count
        if end > len(self.data):
            raise _violation("a frame is cut off")
        piece = self.data[self.offset:end]
        self.offset = end
        return piece

    def unpack(self, form):
        return struct.unpack("<" + form, self.take(struct.calcsize("<" + form)))

    def string(self):
        return str(self.take(self.unpack("I")[0]), "utf-8")

    def align(self):
        self.take(-self.offset % 8)


def _read_error(reader):
    code, kind, flags, first, second, third = reader.unpack("HBBqqq")
    message, hint, text, text2 = reader.string(), reader.string(), reader.string(), reader.string()
    place = {1: ("input", first, second), 2: ("statement", second, third, first), 3: ("file", text, first),
             4: ("column", text, text2 if flags & 2 else None)}.get(kind)
    return MartletError(code, message, hint if flags & 1 else None, place)


# Batches


class Batch:
    """Columns of a result: `names`, `types`, `roles`, and `columns` as lists with None for null."""

    def __init__(self, names, types, roles, columns, row_count):
        self.names, self.types, self.roles, self.columns, self.row_count = names, types, roles, columns, row_count

    def rows(self):
        """The rows as tuples."""
        return zip(*self.columns) if self.columns else iter(())

    def records(self):
        """The rows as dictionaries."""
        for row in self.rows():
            yield dict(zip(self.names, row))


def _bits(data, count):
    return [bool(data[i >> 3] >> (i & 7) & 1) for i in range(count)]


def _texts(offsets, data, count):
    return [str(data[offsets[i]:offsets[i + 1]], "utf-8") for i in range(count)]


def decode_batch(reader):
    rows, count, _ = reader.unpack("IHH")
    descriptors = [reader.unpack("BBBBHHIIII") for _ in range(count)]
    names = [str(reader.take(d[4]), "utf-8") for d in descriptors]
    reader.align()
    columns = []
    for kind, role, layout, _, _, _, nulls, entries, length, dictionary_length in descriptors:
        validity = None
        if nulls:
            validity = _bits(reader.take((rows + 7) // 8), rows)
            reader.align()
        values = reader.take(length)
        reader.align()
        if kind in FIXED:
            column = list(struct.unpack("<%d%s" % (rows, FIXED[kind]), values))
        elif kind == BOOL:
            column = _bits(values, rows)
        elif kind == INTERVAL:
            column = list(struct.iter_unpack("<iiq", values))
        elif kind == STRING and layout == 0:
            offsets = struct.unpack("<%di" % (rows + 1), reader.take(4 * (rows + 1)))
            reader.align()
            column = _texts(offsets, values, rows)
        elif kind == STRING:
            indices = struct.unpack("<%dI" % rows, values)
            offsets = struct.unpack("<%di" % (entries + 1), reader.take(4 * (entries + 1)))
            reader.align()
            data = reader.take(dictionary_length)
            reader.align()
            if role == SERIES_ROLE:
                texts = [bytes(data[offsets[i]:offsets[i + 1]]) for i in range(entries)]
            else:
                texts = _texts(offsets, data, entries)
            column = [texts[i] for i in indices] if texts else [None] * rows
        else:
            raise _violation("unknown column type %d" % kind)
        if validity:
            column = [value if valid else None for value, valid in zip(column, validity)]
        columns.append(column)
    return Batch(names, [d[0] for d in descriptors], [d[1] for d in descriptors], columns, rows)


def _padded(data):
    return data + bytes(-len(data) % 8)


def _pack_bits(flags):
    data = bytearray((len(flags) + 7) // 8)
    for index, flag in enumerate(flags):
        if flag:
            data[index >> 3] |= 1 << (index & 7)
    return bytes(data)


def _offsets(pieces):
    offsets, total = [0], 0
    for piece in pieces:
        total += len(piece)
        offsets.append(total)
    return struct.pack("<%di" % len(offsets), *offsets)


def encode_batch(columns):
    """The block of [(name, type, role, values)]; texts of tags go through a dictionary."""
    rows = len(columns[0][3]) if columns else 0
    descriptors, names, buffers = b"", b"", b""
    for name, kind, role, values in columns:
        if len(values) != rows:
            raise ValueError("column %r has %d of %d rows" % (name, len(values), rows))
        nulls = sum(1 for value in values if value is None)
        layout = entries = dictionary_length = 0
        sections = [_pack_bits([value is not None for value in values])] if nulls else []
        if kind in FIXED:
            data = struct.pack("<%d%s" % (rows, FIXED[kind]), *[0 if value is None else value for value in values])
            sections.append(data)
        elif kind == BOOL:
            data = _pack_bits(values)
            sections.append(data)
        elif role == TAG_ROLE:
            texts = list(dict.fromkeys(value for value in values if value is not None))
            index = {text: number for number, text in enumerate(texts)}
            data = struct.pack("<%dI" % rows, *[index.get(value, 0) for value in values])
            encoded = [text.encode("utf-8") for text in texts]
            layout, entries, dictionary_length = 1, len(texts), sum(map(len, encoded))
            sections += [data, _offsets(encoded), b"".join(encoded)]
        else:
            encoded = [b"" if value is None else value.encode("utf-8") for value in values]
            data = b"".join(encoded)
            sections += [data, _offsets(encoded)]
        text = name.encode("utf-8")
        descriptors += struct.pack("<BBBBHHIIII", kind, role, layout, 0, len(text), 0, nulls, entries, len(data),
                                   dictionary_length)
        names += text
        buffers += b"".join(map(_padded, sections))
    return _padded(struct.pack("<IHH", rows, len(columns), 0) + descriptors + names) + buffers


def field_type(values):
    """The column type of Python values; integers beyond int64 are uint64."""
    kinds = {type(value) for value in values if value is not None}
    if kinds <= {bool} and kinds:
        return BOOL
    if kinds == {str}:
        return STRING
    if kinds == {int}:
        return UINT64 if any(value is not None and value > 0x7FFFFFFFFFFFFFFF for value in values) else INT64
    if kinds <= {int, float}:
        return FLOAT64
    raise TypeError("a field's values must be of one type, not %s" % sorted(kind.__name__ for kind in kinds))


class Table:
    """Rows for one table. `time`: nanoseconds since the epoch; `tags`, `fields`: names to lists, None where absent."""

    def __init__(self, name, time, tags=None, fields=None):
        self.name, self.time, self.tags, self.fields = name, list(time), dict(tags or {}), dict(fields or {})

    def block(self):
        columns = [("time", TIMESTAMP, TIME_ROLE, self.time)]
        columns += [(name, STRING, TAG_ROLE, list(values)) for name, values in self.tags.items()]
        columns += [(name, field_type(values), FIELD_ROLE, list(values)) for name, values in self.fields.items()]
        return encode_batch(columns)


class Receipt:
    """What became of an append."""

    def __init__(self, accepted, rejected, commit, durable, rejections):
        self.accepted, self.rejected, self.commit, self.durable = accepted, rejected, commit, durable
        self.rejections = rejections

    def __repr__(self):
        return "Receipt(accepted=%d, rejected=%d, commit=%d, durable=%s)" % (
            self.accepted, self.rejected, self.commit, self.durable)


class Client:
    """A connection. One request at a time; open several clients for more."""

    def __init__(self, host="127.0.0.1", port=DEFAULT_PORT, timeout=60, max_body=64 << 20):
        self._socket = socket.create_connection((host, port), timeout=timeout)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._stream = self._socket.makefile("rb", buffering=1 << 16)
        self._max_body = max_body
        self._next_id = 1
        greeting = MAGIC + struct.pack("<HHIII", VERSION, VERSION, 0, max_body, 0) + _string("martlet-python 1")
        self._send(HELLO, 0, greeting)
        _, body = self._expect(0, WELCOME)
        reader = _Reader(body)
        if bytes(reader.take(8)) != MAGIC:
            raise _violation("the server's greeting is not Martlet's")
        self.version, _, self.features, self.server_max_body, self.max_requests = reader.unpack("HHIII")
        self.server = reader.string()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self._stream.close()
        self._socket.close()

    def _send(self, frame_type, request_id, body=b""):
        self._socket.sendall(encode_frame(frame_type, request_id, body))

    def _read(self, count):
        data = self._stream.read(count)
        if len(data) < count:
            raise MartletError(19, "the server closed the connection")
        return data

    def _receive(self):
        length, frame_type, request_id, body_crc = decode_header(self._read(24))
        if length > self._max_body:
            raise _violation("a frame of %d bytes exceeds the limit" % length)
        body = self._read(length)
        self._read(-length % 8)
        if crc32c(body) != body_crc:
            raise _violation("a frame body's checksum differs")
        return frame_type, request_id, memoryview(body)

    def _expect(self, request_id, *types):
        while True:
            frame_type, answered, body = self._receive()
            if frame_type == ERROR and answered in (request_id, 0):
                raise _read_error(_Reader(body))
            if frame_type == PING:
                self._send(PONG, answered, bytes(body))
            elif answered == request_id and frame_type in types:
                return frame_type, body
            # Anything else belongs to a query that was given up.

    def _id(self):
        self._next_id = self._next_id % 0xFFFFFFFF + 1
        return self._next_id

    def ping(self):
        """Seconds that the server took to answer."""
        request_id, start = self._id(), clock.perf_counter()
        self._send(PING, request_id, b"python")
        _, body = self._expect(request_id, PONG)
        if bytes(body) != b"python":
            raise _violation("the pong does not echo the ping")
        return clock.perf_counter() - start

    def append(self, tables, namespace="default", durable=False):
        """Appends `Table`s in one commit; returns a Receipt once the server has acknowledged."""
        body = struct.pack("<BBHI", 1 if durable else 0, 0, 0, len(tables)) + _string(namespace)
        for table in tables:
            body = _padded(body + _string(table.name)) + table.block()
        request_id = self._id()
        self._send(APPEND, request_id, body)
        reader = _Reader(self._expect(request_id, APPENDED)[1])
        accepted, rejected, commit, flag, _, _, listed = reader.unpack("QQQBBHI")
        rejections = []
        for _ in range(listed):
            table, row = reader.unpack("II")
            rejections.append((table, row, _read_error(reader)))
        return Receipt(accepted, rejected, commit, flag != 0, rejections)

    def query(self, sql, namespace="default", timeout_ms=0, max_rows=0, memory=0, credit=4):
        """Yields Batches; the first, of no rows, tells names and types. Closing the generator cancels the query."""
        request_id = self._id()
        self._send(QUERY, request_id,
                   struct.pack("<QQQI", timeout_ms, memory, max_rows, credit) + _string(namespace) + _string(sql))
        ended = False
        try:
            frame_type, body = self._expect(request_id, SCHEMA)
            yield decode_batch(_Reader(body))
            while True:
                frame_type, body = self._expect(request_id, ROWS, END)
                if frame_type == END:
                    ended = True
                    return
                yield decode_batch(_Reader(body))
                self._send(CREDIT, request_id, struct.pack("<I", 1))
        except MartletError:
            ended = True
            raise
        finally:
            if not ended:
                self._send(CANCEL, request_id)
                try:
                    self._expect(request_id, END)
                except MartletError as error:
                    if error.code != 18:
                        raise

    def execute(self, sql, **options):
        """(names, rows) of a whole result."""
        names, rows = [], []
        for batch in self.query(sql, **options):
            names = batch.names
            rows.extend(batch.rows())
        return names, rows


# Command line


def _text(value, kind):
    if kind == TIMESTAMP and value is not None:
        seconds, nanoseconds = divmod(value, 1000000000)
        moment = datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=seconds)
        return moment.isoformat() + (".%09d" % nanoseconds if nanoseconds else "") + "Z"
    if kind == INTERVAL and value is not None:
        return "%d months %d days %d ns" % value
    return value


def _print_result(batches, form):
    header = next(batches)
    if not header.names:
        for _ in batches:
            raise _violation("rows without columns")
        return
    writer = csv.writer(sys.stdout, lineterminator="\n", delimiter="," if form == "csv" else "\t")
    if form != "json":
        writer.writerow(header.names)
    for batch in batches:
        for row in batch.rows():
            cells = [_text(value, kind) for value, kind in zip(row, batch.types)]
            if form == "json":
                print(json.dumps(dict(zip(batch.names, cells)), ensure_ascii=False))
            else:
                writer.writerow(["" if cell is None else str(cell).lower() if isinstance(cell, bool) else cell
                                 for cell in cells])


def _field_value(text):
    """A field as line protocol writes it: 1.5, 3i, 4u, true, "text"."""
    if text in ("true", "false"):
        return text == "true"
    if text.startswith('"') and text.endswith('"') and len(text) > 1:
        return text[1:-1]
    if text[-1:] in ("i", "u"):
        return int(text[:-1])
    return float(text)


def main(arguments=None):
    parser = argparse.ArgumentParser(description="Talks to a Martlet daemon over the wire protocol.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=DEFAULT_PORT)
    parser.add_argument("--namespace", default="default")
    commands = parser.add_subparsers(dest="command", required=True)
    query = commands.add_parser("query", help="run a statement and print its rows")
    query.add_argument("sql")
    query.add_argument("--format", choices=("tsv", "csv", "json"), default="tsv")
    append = commands.add_parser("append", help="append one row")
    append.add_argument("table")
    append.add_argument("--tag", action="append", default=[], metavar="NAME=VALUE")
    append.add_argument("--field", action="append", required=True, metavar="NAME=VALUE", help="1.5, 3i, true or \"text\"")
    append.add_argument("--time", type=int, help="nanoseconds since the epoch; the current time if left out")
    append.add_argument("--durable", action="store_true", help="refuse if the server acknowledges earlier")
    commands.add_parser("ping", help="measure the way there and back")
    options = parser.parse_args(arguments)
    try:
        with Client(options.host, options.port) as client:
            if options.command == "ping":
                print("%s answered in %.2f ms" % (client.server, client.ping() * 1000))
            elif options.command == "query":
                _print_result(client.query(options.sql, namespace=options.namespace), options.format)
            else:
                tags = {name: [value] for name, _, value in (tag.partition("=") for tag in options.tag)}
                fields = {name: [_field_value(value)] for name, _, value in
                          (field.partition("=") for field in options.field)}
                moment = clock.time_ns() if options.time is None else options.time
                receipt = client.append([Table(options.table, [moment], tags, fields)], options.namespace,
                                        options.durable)
                print(receipt)
                for _, row, error in receipt.rejections:
                    print("row %d: %s" % (row, error), file=sys.stderr)
                return 1 if receipt.rejected else 0
    except MartletError as error:
        print("%s: %s" % (CODES[error.code] if error.code < len(CODES) else error.code, error), file=sys.stderr)
        return 1
    except OSError as error:
        print("cannot connect to %s:%d: %s" % (options.host, options.port, error), file=sys.stderr)
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
