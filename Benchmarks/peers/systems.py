"""The systems under comparison: how each is started, filled, flushed, asked and stopped."""

import atexit
import datetime
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.parse

import machine
from questions import FIELDS, START, sql

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
WORK = os.path.join(ROOT, ".build", "peers")
LAST_BY_ARG_MAX = ("SELECT hostname, " + ", ".join(f"arg_max({field}, time)" for field in FIELDS)
                   + " FROM cpu GROUP BY hostname")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class System:
    name = "?"

    def __init__(self, workload):
        self.workload = workload
        self.directory = os.path.join(WORK, "data", self.name)
        self.process = None

    def wipe(self):
        shutil.rmtree(self.directory, ignore_errors=True)
        os.makedirs(self.directory)

    def spawn(self, command, **options):
        self.log = open(os.path.join(WORK, self.name + ".log"), "ab")
        self.process = subprocess.Popen(command, stderr=self.log, cwd=self.directory, **options)
        atexit.register(lambda process=self.process: process.poll() is None and process.kill())

    @property
    def pid(self):
        return self.process.pid

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def disk(self):
        return machine.bytes_on_disk(self.directory)


class Server(System):
    """Takes line protocol over TCP or HTTP and answers over HTTP."""

    def start_server(self, command):
        started = time.perf_counter()
        self.spawn(command, stdout=self.devnull(), stdin=subprocess.DEVNULL)
        while True:
            try:
                self.connection = None
                if self.request("GET", self.health)[0] < 300:
                    return time.perf_counter() - started
            except (OSError, http.client.HTTPException):
                pass
            if self.process.poll() is not None:
                raise RuntimeError(f"{self.name} ended at its start: see {self.log.name}")
            if time.perf_counter() - started > 60:
                raise RuntimeError(f"{self.name} did not answer within 60 s")
            time.sleep(0.005)

    @staticmethod
    def devnull():
        return subprocess.DEVNULL

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.kill()

    def request(self, method, path, body=None):
        if self.connection is None:
            self.connection = http.client.HTTPConnection("127.0.0.1", self.http_port, timeout=300)
        try:
            self.connection.request(method, path, body, {"Content-Type": "text/plain"} if body else {})
            response = self.connection.getresponse()
            return response.status, response.read()
        except Exception:
            self.connection.close()
            self.connection = None
            raise

    def timed(self, path, body=None, method="GET"):
        started = time.perf_counter()
        status, answer = self.request(method, path, body)
        seconds = time.perf_counter() - started
        if status >= 300:
            raise RuntimeError(f"{self.name} answered {status}: {answer[:300]!r}")
        return seconds, answer

    def fill(self, connections=1):
        """Sends the data set; returns wall seconds until the last acknowledgement."""
        parts = self.workload.parts(connections)
        failures = []

        def send(part):
            try:
                self.send(part)
            except Exception as error:
                failures.append(error)

        threads = [threading.Thread(target=send, args=(part,)) for part in parts]
        started = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if failures:
            raise failures[0]
        return time.perf_counter() - started

    def send(self, part):
        """One TCP stream; done when the server has closed its side."""
        with socket.create_connection(("127.0.0.1", self.line_port)) as connection:
            connection.sendall(part)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65536):
                pass


class Martlet(Server):
    name, health, durability = "martlet", "/ready", "fdatasync before each acknowledgement"

    def start(self):
        self.http_port, self.line_port, self.wire_port = free_port(), free_port(), free_port()
        program = os.environ.get("MARTLET", os.path.join(ROOT, ".build", "release", "martlet"))
        return self.start_server([
            program, "serve", "--data", self.directory, "--http-port", str(self.http_port),
            "--line-port", str(self.line_port), "--wire-port", str(self.wire_port)])

    def statement(self, text):
        seconds, body = self.timed("/api/v1/query?format=json", text.encode(), "POST")
        return seconds, body

    def flush(self):
        self.statement("COMPACT")
        machine.settle(self.pid, 20)

    def count(self):
        return json.loads(self.statement("SELECT count(usage_user) AS n FROM cpu")[1])[0]["n"]

    def ask(self, question, want_rows=False):
        text = sql(question, "time_bucket(INTERVAL '1 minute', time)", "time_bucket(INTERVAL '1 hour', time)",
                   lambda second: f"make_timestamp({second}000000)", LAST_BY_ARG_MAX)
        seconds, body = self.statement(text)
        if not want_rows:
            return seconds, None
        return seconds, [[self.plain(value) for value in row.values()] for row in json.loads(body)]

    @staticmethod
    def plain(value):
        if isinstance(value, str) and len(value) >= 20 and value[10] == "T":
            return int(datetime.datetime.fromisoformat(value[:19] + "+00:00").timestamp())
        return value


class VictoriaMetrics(Server):
    name, health, durability = "victoriametrics", "/health", "acknowledges from memory, no log"

    def start(self):
        self.http_port, self.line_port = free_port(), free_port()
        return self.start_server([
            os.path.join(WORK, "bin", "victoria-metrics", "usr", "bin", "victoria-metrics"),
            f"-storageDataPath={self.directory}", f"-httpListenAddr=127.0.0.1:{self.http_port}",
            f"-influxListenAddr=127.0.0.1:{self.line_port}", "-retentionPeriod=100y", "-loggerLevel=WARN",
            "-search.maxQueryDuration=120s", "-search.maxSeries=1000000"])

    def flush(self):
        self.request("GET", "/internal/force_flush")
        self.request("GET", "/internal/force_merge")
        machine.settle(self.pid)

    def count(self):
        self.request("GET", "/internal/force_flush")
        end = START + self.workload.points * 10 + 60
        query = urllib.parse.urlencode(
            {"query": "sum(count_over_time(cpu_usage_user[60h]))", "time": end, "nocache": 1})
        result = json.loads(self.timed("/api/v1/query?" + query)[1])["data"]["result"]
        return int(float(result[0]["value"][1])) if result else 0

    def ask(self, question, want_rows=False):
        kind, (first, last) = question["kind"], question["window"]
        fields = question.get("fields", FIELDS)
        names = f'__name__=~"cpu_({"|".join(fields)})"' if len(fields) > 1 else f'__name__="cpu_{fields[0]}"'
        hosts = f'hostname=~"{"|".join(question["hosts"])}"' if question.get("hosts") else ""
        selector = names + ("," + hosts if hosts else "")
        step = {"minute": 60, "limit": 60, "hour": 3600, "hosthour": 3600, "high": 10}.get(kind)
        if kind == "limit":
            first = last - 300
        start, end = first + (step or 0) - 0.001, last - 0.001
        if kind in ("minute", "limit", "hour"):
            query = f"max(max_over_time({{{selector}}}[{step}s])) by (__name__)"
        elif kind == "hosthour":
            query = f"avg(avg_over_time({{{selector}}}[{step}s])) by (__name__, hostname)"
        elif kind == "high":
            query = (f'{{__name__=~"cpu_usage_.*"{"," + hosts if hosts else ""}}} and on(hostname) '
                     f"(cpu_usage_user{{{hosts}}} > 90)")
            start, end = first, last - 10
        if kind == "last":
            path = "/api/v1/query?" + urllib.parse.urlencode(
                {"query": 'last_over_time({__name__=~"cpu_usage_.*"}[48h])', "time": last, "nocache": 1})
        else:
            path = "/api/v1/query_range?" + urllib.parse.urlencode(
                {"query": query, "start": f"{start:.3f}", "end": f"{end:.3f}", "step": f"{step}s", "nocache": 1})
        seconds, body = self.timed(path)
        return seconds, self.rows(kind, fields, step, body) if want_rows else None

    @staticmethod
    def rows(kind, fields, step, body):
        rows = {}
        for series in json.loads(body)["data"]["result"]:
            labels = series["metric"]
            for at, value in series["values"] if "values" in series else [series["value"]]:
                key = {"high": (int(at), labels.get("hostname")), "last": (labels.get("hostname"),),
                       "hosthour": (int(round(at + 0.001)) - (step or 0), labels.get("hostname"))}.get(
                           kind, (int(round(at + 0.001)) - (step or 0),))
                rows.setdefault(key, {})[labels["__name__"][4:]] = float(value)
        return [list(key) + [found.get(field) for field in fields] for key, found in rows.items()]


class InfluxDB(Server):
    name, health, durability = "influxdb", "/ping", "log synced at each POST"
    batch_lines = 10_000

    def start(self):
        self.http_port = free_port()
        configuration = os.path.join(self.directory, "influxdb.conf")
        with open(configuration, "w") as out:
            out.write(f'''reporting-disabled = true
bind-address = "127.0.0.1:{free_port()}"
[meta]
  dir = "{self.directory}/meta"
[data]
  dir = "{self.directory}/data"
  wal-dir = "{self.directory}/wal"
  query-log-enabled = false
  cache-snapshot-write-cold-duration = "5s"
  compact-full-write-cold-duration = "10s"
  max-series-per-database = 0
  max-values-per-tag = 0
[http]
  bind-address = "127.0.0.1:{self.http_port}"
  log-enabled = false
  max-body-size = 0
[monitor]
  store-enabled = false
''')
        seconds = self.start_server([
            os.path.join(WORK, "bin", "influxdb", "usr", "bin", "influxd"), "-config", configuration])
        self.timed("/query?" + urllib.parse.urlencode({"q": "CREATE DATABASE b"}), method="POST")
        return seconds

    def send(self, part):
        connection = http.client.HTTPConnection("127.0.0.1", self.http_port, timeout=300)
        part = bytes(part)  # a view has no find
        start = 0
        while start < len(part):
            end = start
            for _ in range(self.batch_lines):
                end = part.find(b"\n", end) + 1
                if end == 0 or end >= len(part):
                    end = len(part)
                    break
            connection.request("POST", "/write?db=b&precision=ns", bytes(part[start:end]))
            response = connection.getresponse()
            body = response.read()
            if response.status >= 300:
                raise RuntimeError(f"influxdb answered {response.status}: {body[:300]!r}")
            start = end

    def flush(self):
        time.sleep(14)
        machine.settle(self.pid, 120)

    def statement(self, text):
        return self.timed("/query?" + urllib.parse.urlencode({"db": "b", "q": text, "epoch": "ns"}))

    def count(self):
        result = json.loads(self.statement("SELECT count(usage_user) FROM cpu")[1])["results"][0]
        return result["series"][0]["values"][0][1] if "series" in result else 0

    def ask(self, question, want_rows=False):
        kind, (first, last) = question["kind"], question["window"]
        where = f"time >= {first}s AND time < {last}s"
        if question.get("hosts"):
            where += " AND (" + " OR ".join(f"hostname = '{host}'" for host in question["hosts"]) + ")"
        fields = question.get("fields", FIELDS)
        if kind in ("minute", "hour"):
            text = (f"SELECT {', '.join(f'max({x})' for x in fields)} FROM cpu WHERE {where} "
                    f"GROUP BY time({'1m' if kind == 'minute' else '1h'})")
        elif kind == "hosthour":
            text = f"SELECT {', '.join(f'mean({x})' for x in fields)} FROM cpu WHERE {where} GROUP BY time(1h), hostname"
        elif kind == "high":
            text = f"SELECT * FROM cpu WHERE usage_user > 90.0 AND {where}"
        elif kind == "limit":
            text = (f"SELECT max(usage_user) FROM cpu WHERE time < {last}s "
                    "GROUP BY time(1m) ORDER BY time DESC LIMIT 5")
        else:
            text = 'SELECT * FROM cpu GROUP BY "hostname" ORDER BY time DESC LIMIT 1'
        seconds, body = self.statement(text)
        return seconds, self.rows(kind, body) if want_rows else None

    @staticmethod
    def rows(kind, body):
        rows = []
        for series in json.loads(body)["results"][0].get("series", []):
            at = {name: index for index, name in enumerate(series["columns"])}
            host = series.get("tags", {}).get("hostname")
            for values in series["values"]:
                second = values[0] // 1_000_000_000
                if kind in ("minute", "hour", "limit"):
                    rows.append([second] + values[1:])
                elif kind == "hosthour":
                    rows.append([second, host] + values[1:])
                elif kind == "high":
                    rows.append([second, values[at["hostname"]]] + [values[at[field]] for field in FIELDS])
                else:
                    rows.append([host] + [values[at[field]] for field in FIELDS])
        return rows


class Embedded(System):
    """In a worker process; filled with Arrow batches from memory."""
    batch_rows = 100_000
    minute, hour, last = "", "", ""

    def start(self):
        started = time.perf_counter()
        self.spawn([sys.executable, os.path.join(HERE, "embedded.py"), self.name, self.directory],
                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        self.process.stdout.readline()
        return time.perf_counter() - started

    def command(self, **command):
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()
        reply = json.loads(self.process.stdout.readline())
        if "error" in reply:
            raise RuntimeError(f"{self.name}: {reply['error']}")
        return reply

    def prepare(self):
        """Reads the batches into the worker's memory, so that filling measures the insert alone."""
        self.command(do="hold", path=self.workload.csv(), rows=self.batch_rows)

    def fill(self, connections=1):
        return self.command(do="insert")["wall"]

    def flush(self):
        self.command(do="merge")
        machine.settle(self.pid)

    def count(self):
        return self.command(do="query", sql="SELECT count(*) FROM cpu", rows=True)["rows"][0][0]

    def stop(self):
        self.command(do="close")
        self.process.wait(60)

    def ask(self, question, want_rows=False):
        text = sql(question, self.minute, self.hour, self.at, self.last)
        reply = self.command(do="query", sql=text, rows=want_rows)
        return reply["seconds"], reply["rows"]


class DuckDB(Embedded):
    name, durability = "duckdb", "fsync at each commit"
    minute, hour = "time_bucket(INTERVAL '1 minute', time)", "time_bucket(INTERVAL '1 hour', time)"
    last = LAST_BY_ARG_MAX

    def at(self, second):
        return f"make_timestamp({second}000000)"


class SQLite(Embedded):
    name, durability = "sqlite", "WAL, synchronous=NORMAL: a power cut may lose the last commits"
    minute, hour = "time/60000000000*60000000000", "time/3600000000000*3600000000000"
    last = "SELECT hostname, " + ", ".join(FIELDS) + ", max(time) FROM cpu GROUP BY hostname"

    def at(self, second):
        return f"{second}000000000"


ALL = {system.name: system for system in (Martlet, VictoriaMetrics, InfluxDB, DuckDB, SQLite)}
