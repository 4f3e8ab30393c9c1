"""The questions of the Time Series Benchmark Suite's cpu-only case, and how answers are compared.

Windows are aligned to their bucket, so that SQL, InfluxQL and MetricsQL must give the same rows.
"""

import random

START = 1451606400  # 2016-01-01T00:00:00Z
FIELDS = ("usage_user usage_system usage_idle usage_nice usage_iowait usage_irq usage_softirq usage_steal "
          "usage_guest usage_guest_nice").split()


def questions(hosts, points, variants=5, seed=7):
    """name -> list of variants: kind, fields, hosts, (from, to) in seconds."""
    end = START + points * 10
    chance = random.Random(seed)

    def window(hours, align):
        span = int(hours * 3600)
        last = max(0, (end - START - span) // align)
        start = START + chance.randint(0, last) * align
        return start, min(start + span, end)

    def pick(count):
        return sorted(f"host_{i}" for i in chance.sample(range(hosts), min(count, hosts)))

    found = {}
    for fields, count, hours in ((1, 1, 1), (1, 1, 12), (1, 8, 1), (5, 1, 1), (5, 1, 12), (5, 8, 1)):
        found[f"single-groupby-{fields}-{count}-{hours}"] = [
            dict(kind="minute", fields=FIELDS[:fields], hosts=pick(count), window=window(hours, 60))
            for _ in range(variants)]
    for count in (1, 8):
        found[f"cpu-max-all-{count}"] = [
            dict(kind="hour", fields=FIELDS, hosts=pick(count), window=window(8, 3600)) for _ in range(variants)]
    for label, fields in (("1", 1), ("5", 5), ("all", 10)):
        found[f"double-groupby-{label}"] = [
            dict(kind="hosthour", fields=FIELDS[:fields], window=window(12, 3600)) for _ in range(variants)]
    found["high-cpu-1"] = [dict(kind="high", hosts=pick(1), window=window(12, 60)) for _ in range(variants)]
    found["high-cpu-all"] = [dict(kind="high", hosts=None, window=window(12, 60)) for _ in range(variants)]
    found["groupby-orderby-limit"] = [
        dict(kind="limit", fields=FIELDS[:1], window=(START, window(1, 60)[1] // 60 * 60)) for _ in range(variants)]
    found["lastpoint"] = [dict(kind="last", window=(START, end))]
    return found


def sql(question, minute, hour, at, last):
    """The question in SQL; the dialect gives bucket expressions, a time literal and the last-point statement."""
    kind, (start, end) = question["kind"], question["window"]
    where = f"time >= {at(start)} AND time < {at(end)}"
    if question.get("hosts"):
        where += " AND hostname IN (" + ", ".join(f"'{host}'" for host in question["hosts"]) + ")"
    fields = question.get("fields", FIELDS)
    if kind in ("minute", "hour"):
        bucket = minute if kind == "minute" else hour
        return (f"SELECT {bucket} AS t, {', '.join(f'max({x})' for x in fields)} FROM cpu WHERE {where} "
                "GROUP BY t ORDER BY t")
    if kind == "hosthour":
        return (f"SELECT {hour} AS t, hostname, {', '.join(f'avg({x})' for x in fields)} FROM cpu WHERE {where} "
                "GROUP BY t, hostname ORDER BY t, hostname")
    if kind == "high":
        return f"SELECT time, hostname, {', '.join(FIELDS)} FROM cpu WHERE usage_user > 90 AND {where}"
    if kind == "limit":
        return (f"SELECT {minute} AS t, max(usage_user) FROM cpu WHERE time < {at(end)} "
                "GROUP BY t ORDER BY t DESC LIMIT 5")
    return last


def canonical(rows):
    """Rows as sorted tuples: nanoseconds become seconds, numbers are rounded to 6 significant digits."""
    out = []
    for row in rows:
        cells = []
        for value in row:
            if value is None or isinstance(value, (bool, str)):
                cells.append(value)
            elif value > 1e17:
                cells.append(int(value) // 1_000_000_000)
            elif abs(value) < 1e8:
                cells.append(float(f"{float(value):.6g}"))
            else:
                cells.append(int(value))
        out.append(tuple(cells))
    return sorted(out, key=str)


def same(left, right):
    """Whether two canonical answers agree; numbers may differ by 1e-5 of their size."""
    if len(left) != len(right):
        return False
    for a, b in zip(left, right):
        if len(a) != len(b):
            return False
        for u, v in zip(a, b):
            numbers = isinstance(u, (int, float)) and isinstance(v, (int, float))
            if u != v and not (numbers and abs(u - v) <= 1e-5 * max(abs(u), abs(v), 1)):
                return False
    return True
