"""A daemon of its own and connections that write numbered rows to it, for tests that end it without a warning.

Uses .build/debug/martlet, or the program that MARTLET names.
"""

import atexit
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MARTLET = os.environ.get("MARTLET", os.path.join(ROOT, ".build", "debug", "martlet"))
ROWS_PER_FLUSH = 200


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def peak_memory(process):
    """The most bytes that a process has held in memory."""
    with open(f"/proc/{process}/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmHWM"))


class Daemon:
    query_timeout = 60

    def __init__(self, data, durability=None, options=()):
        self.line, self.wire, self.http = free_port(), free_port(), free_port()
        command = [MARTLET, "serve", "--data", data, "--line-port", str(self.line),
                   "--wire-port", str(self.wire), "--http-port", str(self.http), *options]
        if durability:
            command += ["--durability", durability]
        started = time.monotonic()
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        atexit.register(lambda process=self.process: process.poll() is None and process.kill())
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.http}/ready", timeout=5).read()
                break
            except OSError:
                if self.process.poll() is not None:
                    sys.exit("the daemon ended: " + self.process.stderr.read().decode())
                if time.monotonic() - started > 30:
                    sys.exit("the daemon was not ready within 30 seconds")
                time.sleep(0.01)
        self.ready_after = time.monotonic() - started

    def query(self, sql):
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.http}/api/v1/query?format=csv", data=sql.encode(),
            headers={"Content-Type": "text/plain", "Accept": "text/csv"})
        try:
            lines = urllib.request.urlopen(request, timeout=self.query_timeout).read().decode().splitlines()
        except urllib.error.HTTPError as error:
            sys.exit(f"{sql}: {error.read().decode()}")
        return [line.split(",") for line in lines[1:]]

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        self.process.terminate()
        if self.process.wait(timeout=30) != 0:
            sys.exit(f"the daemon ended with {self.process.returncode}: " + self.process.stderr.read().decode())


class Sender(threading.Thread):
    """Sends rows numbered from 0, with a pause between flushes, and notes how many of them the daemon has acknowledged: `acknowledgements` holds, for each
    time that some were, the number of the first of them and when that was.
    """

    def __init__(self, port, name, pause=0.0):
        super().__init__(daemon=True)
        self.pause = pause
        self.connection = socket.create_connection(("127.0.0.1", port))
        self.name, self.acknowledged, self.sent = name, 0, 0
        self.acknowledgements = []

    def run(self):
        replies = self.connection.makefile("r")
        try:
            while True:
                first = self.sent
                lines = [f"sent,sender={self.name} n={n}i {1_700_000_000_000_000_000 + n}"
                         for n in range(first, first + ROWS_PER_FLUSH)]
                self.sent += ROWS_PER_FLUSH
                self.connection.sendall(("\n".join(lines) + "\n# flush\n").encode())
                reply = replies.readline()
                if not reply:
                    return
                if not reply.startswith("OK "):
                    sys.exit("unexpected reply: " + reply)
                self.acknowledgements.append((self.acknowledged, time.monotonic()))
                self.acknowledged = self.sent
                time.sleep(self.pause)
        except OSError:
            return


def rows_found(daemon, sender):
    """The number of the sender's rows that are there, and whether they are the first ones that it sent, each once."""
    if not any(row[0] == "sent" for row in daemon.query("SHOW TABLES")):
        return 0, True
    answer = daemon.query(f"SELECT count(*), min(n), max(n), sum(n) FROM sent WHERE sender = '{sender.name}'")
    if int(answer[0][0]) == 0:
        return 0, True
    rows, low, high, total = map(int, answer[0])
    # Numbers from 0 up to their count, with the sum of just these.
    return rows, low == 0 and high + 1 == rows and total == rows * (rows - 1) // 2 and rows <= sender.sent
