"""What the operating system says of a process and of the machine."""

import os
import statistics
import time

TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid):
    """CPU seconds of a process, user and system, all threads."""
    fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def memory_mb(pid):
    """Resident memory now and at its highest, in MiB."""
    found = {}
    for line in open(f"/proc/{pid}/status"):
        if line.startswith(("VmHWM", "VmRSS")):
            found[line.split(":")[0]] = int(line.split()[1]) // 1024
    return found["VmRSS"], found["VmHWM"]


def written_bytes(pid):
    """Bytes the process caused to be written to storage."""
    for line in open(f"/proc/{pid}/io"):
        if line.startswith("write_bytes"):
            return int(line.split()[1])
    return 0


def bytes_on_disk(path):
    """Bytes of all files below a directory: the smaller of length and allocation, since some preallocate."""
    total = 0
    for folder, _, names in os.walk(path):
        for name in names:
            try:
                status = os.stat(os.path.join(folder, name))
            except FileNotFoundError:
                continue
            total += min(status.st_size, status.st_blocks * 512)
    return total


def drop_page_cache():
    """Empties the page cache where that is allowed; says whether it was."""
    os.sync()
    try:
        with open("/proc/sys/vm/drop_caches", "w") as control:
            control.write("3\n")
        return True
    except OSError:
        return False


def settle(pid, limit=90):
    """Waits until a process has been idle for two seconds."""
    end, quiet, last = time.time() + limit, 0, cpu_seconds(pid)
    while time.time() < end and quiet < 4:
        time.sleep(0.5)
        now = cpu_seconds(pid)
        quiet = quiet + 1 if now - last <= 0.03 else 0
        last = now


def median(values):
    return statistics.median(values) if values else None


def describe():
    """The machine in a line."""
    model = next((l.split(":")[1].strip() for l in open("/proc/cpuinfo") if l.startswith("model name")), "unknown CPU")
    memory = int(open("/proc/meminfo").readline().split()[1]) / (1 << 20)
    return f"{os.cpu_count()} cores of {model}, {memory:.0f} GiB, Linux {os.uname().release}"
