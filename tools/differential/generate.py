"""Seeded random data and queries for the differential test. Every query comes as a pair of texts: Martlet's, DuckDB's."""

import datetime
import random

EPOCH = datetime.datetime(2024, 2, 27, 22, 0, 0)
HOSTS = ["alpha", "beta", "gamma", "delta", "web-01"]
REGIONS = ["eu", "us", None]
WORDS = ["ok", "Warn", "error 42", "", "a_b%c", "Zürich", "x", "timeout after 30s", "ERROR 7"]

# (name, type, is tag): the time column comes first in both engines.
METRICS = [("host", "S", True), ("region", "S", True), ("f", "F", False), ("g", "F", False), ("i", "I", False),
           ("u", "U", False), ("b", "B", False), ("s", "S", False)]
EVENTS = [("host", "S", True), ("code", "I", False), ("level", "S", False), ("w", "F", False)]
NUMBERS = [("host", "S", True), ("x", "F", False), ("y", "F", False)]
TABLES = {"m": METRICS, "e": EVENTS, "n": NUMBERS}
SQL_TYPES = {"S": "VARCHAR", "F": "DOUBLE", "I": "BIGINT", "U": "UBIGINT", "B": "BOOLEAN", "T": "TIMESTAMP"}


def literal(value, kind):
    if value is None:
        return "NULL"
    if kind == "S":
        return "'" + value.replace("'", "''") + "'"
    if kind == "F":
        return f"'{value}'::DOUBLE"
    if kind == "B":
        return "true" if value else "false"
    if kind == "T":
        return f"TIMESTAMP '{value.isoformat(sep=' ')}'"
    return f"{value}::{SQL_TYPES[kind]}"


class Data:
    """Rows by table and primary key (series, time): what both engines must hold in the end."""

    def __init__(self, rng, scale):
        self.rng = rng
        self.rows = {name: {} for name in TABLES}
        self.batches = []
        for step in range(6):
            for name, share in (("m", 100), ("e", 30), ("n", 25)):
                batch = [self.row(name) for _ in range(max(1, int(share * scale)))]
                if step and rng.random() < 0.7:
                    # Late rows and rewritten ones: the last write wins, field by field.
                    for key in rng.sample(sorted(self.rows[name], key=repr), min(8, len(self.rows[name]))):
                        batch.append(self.row(name, key))
                for key, fields in batch:
                    merged = self.rows[name].setdefault(key, {})
                    merged.update({field: value for field, value in fields.items() if value is not None})
                self.batches.append((name, batch))

    def row(self, name, key=None):
        rng = self.rng
        columns = TABLES[name]
        if key is None:
            minutes = rng.choice([rng.randrange(0, 4000), rng.randrange(0, 300) * 5])
            time = EPOCH + datetime.timedelta(minutes=minutes, microseconds=rng.choice([0, 0, 0, 500000, 123456]))
            tags = tuple(rng.choice(REGIONS if column == "region" else HOSTS) for column, _, tag in columns if tag)
            key = (time, tags)
        fields = {}
        for column, kind, tag in columns:
            if not tag:
                fields[column] = None if rng.random() < 0.15 else self.value(name, column, kind)
        if all(value is None for value in fields.values()):
            last = columns[-1]
            fields[last[0]] = self.value(name, last[0], last[1])
        return key, fields

    def value(self, name, column, kind):
        rng = self.rng
        if kind == "F":
            if name == "n" and rng.random() < 0.3:
                return rng.choice(["nan", "inf", "-inf", "-0.0", "0.0", "1e300", "-1e-300"])
            return rng.choice([rng.randrange(-400, 400) / 4, rng.randrange(-20, 20) / 2, rng.random() * 100])
        if kind == "I":
            return rng.choice([rng.randrange(-5, 6), rng.randrange(-1000, 1000), rng.randrange(-10**12, 10**12)])
        if kind == "U":
            return rng.choice([rng.randrange(0, 10), rng.randrange(0, 10**9)])
        if kind == "B":
            return rng.random() < 0.5
        return rng.choice(WORDS)

    def tuples(self, name):
        columns = TABLES[name]
        for (time, tags), fields in self.rows[name].items():
            tags = iter(tags)
            yield [time] + [next(tags) if tag else fields.get(column) for column, _, tag in columns]


class Expressions:
    """Random typed expressions over a scope: a list of (text, type). Both engines get the same text."""

    def __init__(self, rng, scope):
        self.rng = rng
        self.scope = scope

    def column(self, kind):
        names = [name for name, type in self.scope if type == kind]
        return self.rng.choice(names) if names else None

    def leaf(self, kind):
        rng = self.rng
        name = self.column(kind)
        if name and rng.random() < 0.75:
            return name
        if rng.random() < 0.05:
            return f"CAST(NULL AS {SQL_TYPES[kind]})"
        if kind == "I":
            return literal(rng.choice([0, 1, 2, 3, 7, -1, -4, 10, 100]), "I")
        if kind == "U":
            return literal(rng.choice([0, 1, 3, 10, 1000]), "U")
        if kind == "F":
            return literal(rng.choice([0.0, 0.5, 1.0, -2.25, 3.0, 10.0, 99.75]), "F")
        if kind == "B":
            return rng.choice(["true", "false"])
        if kind == "S":
            return literal(rng.choice(WORDS + HOSTS + ["e", "o"]), "S")
        return literal(EPOCH + datetime.timedelta(minutes=rng.randrange(0, 4000)), "T")

    def make(self, kind, depth):
        if depth <= 0 or self.rng.random() < 0.2:
            return self.leaf(kind)
        if self.rng.random() < 0.15:
            return self.conditional(kind, depth)
        return getattr(self, {"I": "integer", "F": "float", "B": "boolean", "S": "text", "T": "time", "U": "unsigned"}[kind])(
            depth - 1)

    def conditional(self, kind, depth):
        rng = self.rng
        make = lambda type=kind: self.make(type, depth - 1)
        return rng.choice([
            lambda: f"CASE WHEN {make('B')} THEN {make()} WHEN {make('B')} THEN {make()} ELSE {make()} END",
            lambda: f"CASE WHEN {make('B')} THEN {make()} END",
            lambda: f"coalesce({make()}, {make()})",
            lambda: f"nullif({make()}, {make()})",
            lambda: f"ifnull({make()}, {self.leaf(kind)})",
            lambda: f"greatest({make()}, {make()})" if kind != "B" else f"({make()})",
            lambda: f"least({make()}, {make()}, {make()})" if kind != "B" else f"({make()})",
        ])()

    def unsigned(self, depth):
        return self.rng.choice([lambda: f"({self.leaf('U')} + {self.leaf('U')})", lambda: f"({self.leaf('U')} % 7::UBIGINT)"])()

    def small(self, depth):
        """An integer that multiplies without leaving the range."""
        return f"({self.make('I', depth)} % {self.rng.choice([3, 10, 97, 1000])}::BIGINT)"

    def integer(self, depth):
        rng = self.rng
        make = lambda type="I": self.make(type, depth)
        return rng.choice([
            lambda: f"({make()} + {self.small(depth)})", lambda: f"({make()} - {self.small(depth)})",
            lambda: f"({self.small(depth)} * {self.small(depth)})",
            lambda: f"({make()} // {rng.choice([make(), '3::BIGINT'])})", lambda: f"({make()} % {make()})",
            lambda: f"abs({make()})", lambda: f"(-{make()})", lambda: f"length({make('S')})",
            lambda: f"strpos({make('S')}, {self.leaf('S')})", lambda: f"{rng.choice(PARTS)}({make('T')})",
            lambda: f"date_diff('{rng.choice(DIFFS)}', {make('T')}, {make('T')})",
            lambda: f"TRY_CAST(round({self.make('F', depth)}) % 1000::DOUBLE AS BIGINT)",
            lambda: f"CAST({make('B')} AS BIGINT)", lambda: f"epoch_ms({make('T')})",
            lambda: f"({make()} & {make()})", lambda: f"({make()} | {make()})", lambda: f"xor({make()}, {make()})",
            lambda: f"CAST({self.leaf('U')} AS BIGINT)", lambda: f"CAST(CAST({make()} AS VARCHAR) AS BIGINT)",
            lambda: f"TRY_CAST({make('S')} AS BIGINT)", lambda: f"sign({make()})::BIGINT",
            lambda: f"extract({rng.choice(PARTS)} FROM {make('T')})", lambda: f"date_part('{rng.choice(PARTS)}', {make('T')})",
            lambda: f"gcd({self.small(depth)}, {self.small(depth)})", lambda: f"(~ ({make()}))",
        ])()

    def float(self, depth):
        rng = self.rng
        make = lambda type="F": self.make(type, depth)
        return rng.choice([
            lambda: f"({make()} + {make()})", lambda: f"({make()} - {make()})", lambda: f"({make()} * {make()})",
            lambda: f"({make()} / {make()})", lambda: f"({make('I')} / {make('I')})", lambda: f"(-{make()})",
            lambda: f"abs({make()})", lambda: f"sqrt(abs({make()}))", lambda: f"floor({make()})",
            lambda: f"ceil({make()})", lambda: f"round({make()}, {rng.choice([0, 1, 2, -1])})", lambda: f"trunc({make()})",
            lambda: f"CAST({make('I')} AS DOUBLE)", lambda: f"({make()} % {self.leaf('F')})",
            lambda: f"sin({self.leaf('F')})", lambda: f"atan2({self.leaf('F')}, {self.leaf('F')})",
            lambda: f"exp({self.leaf('F')} / 50::DOUBLE)", lambda: f"ln(abs({make()}) + 1::DOUBLE)",
            lambda: f"pow({self.leaf('F')}, 2::DOUBLE)", lambda: f"({make('I')} + {make()})",
            lambda: f"epoch({make('T')})", lambda: f"TRY_CAST({make('S')} AS DOUBLE)", lambda: f"cbrt({self.leaf('F')})",
        ])()

    def text(self, depth):
        rng = self.rng
        make = lambda type="S": self.make(type, depth)
        number = lambda: rng.choice([-3, -1, 0, 1, 2, 4])
        return rng.choice([
            lambda: f"upper({make()})", lambda: f"lower({make()})", lambda: f"({make()} || {make()})",
            lambda: f"substr({make()}, {number()}, {number()})", lambda: f"substr({make()}, {number()})",
            lambda: f"concat({make()}, {make('I')}, {make()})", lambda: f"replace({make()}, {self.leaf('S')}, {make()})",
            lambda: f"trim({make()})", lambda: f"left({make()}, {number()})", lambda: f"right({make()}, {number()})",
            lambda: f"lpad({make()}, {rng.choice([0, 3, 8])}, 'xy')", lambda: f"rpad({make()}, {rng.choice([1, 6])}, '-')",
            lambda: f"split_part({make()}, {rng.choice(DELIMITERS)}, {rng.choice([1, 2, -1])})", lambda: f"reverse({make()})",
            lambda: f"CAST({make('I')} AS VARCHAR)", lambda: f"CAST({make('B')} AS VARCHAR)",
            lambda: f"CAST({make('T')} AS VARCHAR)", lambda: f"CAST(abs({self.leaf('F')}) AS VARCHAR)",
            lambda: f"strftime({make('T')}, '%Y-%m-%dT%H:%M:%S %j %a %b %p %I')",
            lambda: f"regexp_replace({make()}, '{rng.choice(PATTERNS)}', '<\\0>'{rng.choice(['', ', chr(103)'])})".replace(
                "chr(103)", "'g'"),
            lambda: f"regexp_extract({make()}, '{rng.choice(PATTERNS)}')", lambda: f"repeat({make()}, {rng.choice([0, 1, 2])})",
            lambda: f"concat_ws('/', {make()}, {make()})", lambda: f"dayname({make('T')})", lambda: f"ltrim({make()}, 'eax')",
            lambda: f"rtrim({make()}, '0s ')", lambda: f"translate({make()}, 'aeo', 'x1')",
        ])()

    def time(self, depth):
        rng = self.rng
        make = lambda: self.make("T", depth)
        return rng.choice([
            lambda: f"time_bucket({rng.choice(WIDTHS)}, {make()})", lambda: f"date_trunc('{rng.choice(TRUNCATIONS)}', {make()})",
            lambda: f"({make()} + {rng.choice(SPANS)})", lambda: f"({make()} - {rng.choice(SPANS)})",
            lambda: f"time_bucket({rng.choice(WIDTHS)}, {make()}, INTERVAL '90 minutes')",
            lambda: f"CAST(CAST({make()} AS VARCHAR) AS TIMESTAMP)",
        ])()

    def boolean(self, depth):
        rng = self.rng
        kind = rng.choice(["I", "F", "S", "T", "B", "U"])
        make = lambda type=kind: self.make(type, depth)
        compare = lambda: rng.choice(["=", "<>", "<", "<=", ">", ">="])
        return rng.choice([
            lambda: f"({make()} {compare()} {make()})", lambda: f"({make()} {compare()} {self.leaf(kind)})",
            lambda: f"({make('B')} AND {make('B')})", lambda: f"({make('B')} OR {make('B')})", lambda: f"(NOT {make('B')})",
            lambda: f"({make()} IS NULL)", lambda: f"({make()} IS NOT NULL)",
            lambda: f"({make()} IN ({self.leaf(kind)}, {self.leaf(kind)}, {self.leaf(kind)}))",
            lambda: f"({make()} NOT IN ({self.leaf(kind)}, {self.leaf(kind)}))",
            lambda: f"({make()} BETWEEN {self.leaf(kind)} AND {self.leaf(kind)})",
            lambda: f"({make('S')} LIKE '{rng.choice(LIKES)}')", lambda: f"({make('S')} NOT LIKE '{rng.choice(LIKES)}')",
            lambda: f"({make('S')} ILIKE '{rng.choice(LIKES)}')", lambda: f"regexp_matches({make('S')}, '{rng.choice(PATTERNS)}')",
            lambda: f"({make()} IS DISTINCT FROM {make()})", lambda: f"({make()} IS NOT DISTINCT FROM {self.leaf(kind)})",
            lambda: f"starts_with({make('S')}, {self.leaf('S')})", lambda: f"contains({make('S')}, {self.leaf('S')})",
            lambda: f"({make('I')} {compare()} {make('F')})", lambda: f"({make('U')} {compare()} {make('I')})",
            lambda: f"({make('B')} IS TRUE)", lambda: f"({make('B')} IS NOT FALSE)",
        ])()


PARTS = ["year", "quarter", "month", "week", "day", "hour", "minute", "second", "dayofweek", "dayofyear", "isodow"]
DIFFS = ["year", "month", "day", "hour", "minute", "second", "week", "quarter"]
DELIMITERS = ["' '", "'-'", "'a'", "'%'", "'er'"]
PATTERNS = ["[0-9]+", "^[A-Z]", "o", "(a|e)+", "r{2}", "\\s", "[^a-z]", "s$", "(?i)error", "e.*?r", "\\w+"]
LIKES = ["%o%", "a%", "_l%", "%s", "", "%", "%a_b%", "error __", "Z_rich", "%\\%%", "ok"]
WIDTHS = ["INTERVAL '5 minutes'", "INTERVAL '1 hour'", "INTERVAL '1 day'", "INTERVAL '7 days'", "INTERVAL '1 month'",
          "INTERVAL '90 seconds'", "INTERVAL '3 months'"]
TRUNCATIONS = ["second", "minute", "hour", "day", "week", "month", "quarter", "year"]
SPANS = ["INTERVAL '1 hour'", "INTERVAL '1 day'", "INTERVAL '1 month'", "INTERVAL '-90 seconds'", "INTERVAL '1 month 2 days 3 hours'"]


class Queries:
    """Random queries: (Martlet's text, DuckDB's text, whether the order counts)."""

    def __init__(self, rng):
        self.rng = rng

    def scope(self, table, alias):
        return [(f"{alias}.time", "T")] + [(f"{alias}.{name}", kind) for name, kind, _ in TABLES[table]]

    def table(self):
        return self.rng.choice(["m", "m", "m", "e", "n"])

    def pick(self, kinds="IFBSTU"):
        return self.rng.choice(kinds)

    def next(self):
        kind = self.rng.choices(
            [self.projection, self.grouping, self.timed, self.join, self.window, self.set, self.top, self.asof, self.nested],
            [5, 6, 4, 2, 4, 2, 3, 1, 2])[0]
        result = kind()
        return result if len(result) == 3 else (result[0], result[0], result[1])

    def where(self, expressions, depth=2):
        if self.rng.random() < 0.35:
            return ""
        return " WHERE " + expressions.make("B", depth)

    def projection(self):
        table = self.table()
        expressions = Expressions(self.rng, self.scope(table, "q"))
        items = [expressions.make(self.pick(), 3) for _ in range(self.rng.randrange(1, 5))]
        columns = ", ".join(f"{item} AS c{index}" for index, item in enumerate(items))
        distinct = "DISTINCT " if self.rng.random() < 0.15 else ""
        return f"SELECT {distinct}{columns} FROM {table} q{self.where(expressions)}", False

    def aggregate(self, expressions, depth):
        """An aggregate that both engines spell alike and whose value does not depend on the order of the rows."""
        rng = self.rng
        make = lambda kind: expressions.make(kind, depth)
        condition = f" FILTER (WHERE {make('B')})" if rng.random() < 0.15 else ""
        return rng.choice([
            lambda: "count(*)" + condition, lambda: f"count({make(self.pick())})" + condition,
            lambda: f"count(DISTINCT {make(self.pick())})", lambda: f"sum({make('I')} % 100000::BIGINT)" + condition,
            lambda: f"sum({expressions.leaf('F')})" + condition, lambda: f"avg({make('I')} % 100000::BIGINT)" + condition,
            lambda: f"avg({expressions.leaf('F')})" + condition, lambda: f"min({make(self.pick())})" + condition,
            lambda: f"max({make(self.pick())})" + condition, lambda: f"stddev({expressions.leaf('F')})",
            lambda: f"var_pop({expressions.leaf('F')})", lambda: f"median({make('F')})",
            lambda: f"quantile_cont({expressions.leaf('F')}, {rng.choice([0, 0.1, 0.25, 0.9, 1])})",
            lambda: f"quantile_disc({make('I')}, {rng.choice([0, 0.1, 0.5, 0.9, 1])})",
            lambda: f"bool_and({make('B')})", lambda: f"bool_or({make('B')})", lambda: f"sum(DISTINCT {make('I')} % 50::BIGINT)",
            lambda: f"percentile_cont({rng.choice([0.05, 0.5, 0.75])}) WITHIN GROUP (ORDER BY {make('I')})",
            lambda: f"string_agg({make('S')}, ',' ORDER BY {expressions.scope[0][0]}, {expressions.scope[1][0]}, "
            + (f"{expressions.scope[2][0]})" if len(expressions.scope) > 2 else "1)"),
            lambda: f"covar_pop({expressions.leaf('F')}, CAST({expressions.leaf('I')} % 100::BIGINT AS DOUBLE))",
        ])()

    def grouping(self):
        rng = self.rng
        table = self.table()
        expressions = Expressions(rng, self.scope(table, "q"))
        keys = [expressions.make(self.pick("SSTTIB"), 1) for _ in range(rng.randrange(0, 3))]
        if rng.random() < 0.5:
            keys = [rng.choice(["q.host", f"time_bucket({rng.choice(WIDTHS)}, q.time)"]) for _ in range(rng.randrange(1, 3))]
        items = keys + [self.aggregate(expressions, 1) for _ in range(rng.randrange(1, 4))]
        columns = ", ".join(f"{item} AS c{index}" for index, item in enumerate(items))
        group = f" GROUP BY {', '.join(str(index + 1) for index in range(len(keys)))}" if keys else ""
        having = f" HAVING count(*) > {rng.choice([1, 3])}" if keys and rng.random() < 0.2 else ""
        return f"SELECT {columns} FROM {table} q{self.where(expressions)}{group}{having}", False

    def timed(self):
        """What storage can answer from statistics: plain aggregates of fields by series and bucket, in a time range."""
        rng = self.rng
        table = self.table()
        fields = [(name, kind) for name, kind, tag in TABLES[table] if not tag]
        tags = [name for name, _, tag in TABLES[table] if tag]
        keys = tags if rng.random() < 0.6 else rng.sample(tags, rng.randrange(0, len(tags) + 1))
        if rng.random() < 0.6:
            keys = keys + [f"time_bucket({rng.choice(WIDTHS)}, time)"]
        ours, theirs = list(keys), list(keys)
        is_series = set(tags) <= set(keys)
        for _ in range(rng.randrange(1, 4)):
            field, kind = rng.choice(fields)
            name = rng.choice(["count", "min", "max"] + (["sum", "avg"] if kind in "IFU" else []) + (["first", "last"] * 2 if is_series else []))
            if kind == "F" and table == "n" and name in ("sum", "avg"):
                name = "count"
            ours.append(f"{name}({field})")
            theirs.append(
                f"arg_min({field}, time)" if name == "first" else f"arg_max({field}, time)" if name == "last" else f"{name}({field})")
        if rng.random() < 0.4:
            ours.append("count(*)")
            theirs.append("count(*)")
        start = EPOCH + datetime.timedelta(minutes=rng.randrange(0, 3000))
        end = start + datetime.timedelta(minutes=rng.choice([5, 60, 600, 3000]))
        conditions = [f"time {rng.choice(['>', '>='])} {literal(start, 'T')}", f"time {rng.choice(['<', '<='])} {literal(end, 'T')}",
                      f"host {rng.choice(['=', '<>'])} '{rng.choice(HOSTS)}'", f"host IN ('{rng.choice(HOSTS)}', '{rng.choice(HOSTS)}')",
                      f"host LIKE '%{rng.choice('aeb')}'"]
        if "region" in tags:
            conditions += ["region = 'eu'", "region <> 'eu'", "region IS NULL"]
        if fields[0][1] == "F":
            conditions.append(f"{fields[0][0]} > {rng.choice([-20, 0, 30])}::DOUBLE")
        chosen = rng.sample(conditions, rng.randrange(0, 3))
        tail = (" WHERE " + " AND ".join(chosen) if chosen else "") + (
            f" GROUP BY {', '.join(str(index + 1) for index in range(len(keys)))}" if keys else "")
        return f"SELECT {', '.join(ours)} FROM {table}{tail}", f"SELECT {', '.join(theirs)} FROM {table}{tail}", False

    def join(self):
        rng = self.rng
        expressions = Expressions(rng, self.scope("m", "a") + self.scope("e", "b"))
        items = [expressions.make(self.pick(), 2) for _ in range(rng.randrange(1, 4))]
        condition = "a.host = b.host"
        if rng.random() < 0.5:
            condition += " AND time_bucket(INTERVAL '1 hour', a.time) = time_bucket(INTERVAL '1 hour', b.time)"
        if rng.random() < 0.3:
            condition += " AND a.i > b.code"
        side = rng.choice(["JOIN", "LEFT JOIN"])
        if rng.random() < 0.6:
            items = ["count(*)", "sum(a.i % 1000::BIGINT)", "min(b.level)", f"max({expressions.make('I', 1)})"]
        columns = ", ".join(f"{item} AS c{index}" for index, item in enumerate(items))
        return f"SELECT {columns} FROM m a {side} e b ON {condition}{self.where(expressions, 1)}", False

    def asof(self):
        rng = self.rng
        side = rng.choice(["ASOF JOIN", "ASOF LEFT JOIN"])
        comparison = rng.choice([">=", ">"])
        return (f"SELECT a.time, a.host, a.region, b.x, b.time AS t FROM m a {side} "
                f"(SELECT * FROM n WHERE x IS NOT NULL) b ON a.host = b.host AND a.time {comparison} b.time"), False

    def window(self):
        rng = self.rng
        table = self.table()
        expressions = Expressions(rng, self.scope(table, "q"))
        tags = ", ".join(f"q.{name}" for name, _, tag in TABLES[table] if tag)
        direction = rng.choice(["", " DESC"])
        order = rng.choice([f"ORDER BY q.time{direction}, {tags}", f"ORDER BY {tags}, q.time{direction}"])
        partition = rng.choice(["", "PARTITION BY q.host ", f"PARTITION BY {expressions.make('B', 1)} "])
        rows = rng.choice(["", " ROWS BETWEEN 3 PRECEDING AND CURRENT ROW", " ROWS BETWEEN 2 PRECEDING AND 2 FOLLOWING",
                           " ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING", " ROWS BETWEEN 1 FOLLOWING AND 40 FOLLOWING"])
        total = f"OVER ({partition}{order}{rows})"
        ranged = (f"OVER ({partition}ORDER BY q.time{direction} RANGE BETWEEN {rng.choice(SPANS[:2])} PRECEDING AND "
                  f"{rng.choice(['CURRENT ROW', SPANS[0] + ' FOLLOWING'])})")
        peers = f"OVER ({partition}ORDER BY {expressions.make(self.pick('SBI'), 1)}{direction})"
        plain = f"OVER ({partition}{order})"
        choices = [
            lambda: f"row_number() {plain}", lambda: f"rank() {peers}", lambda: f"dense_rank() {peers}",
            lambda: f"percent_rank() {peers}", lambda: f"cume_dist() {peers}", lambda: f"ntile({rng.choice([1, 3, 7])}) {plain}",
            lambda: f"lag({expressions.make(self.pick(), 1)}) {plain}", lambda: f"lead({expressions.make('I', 1)}, 2, 0::BIGINT) {plain}",
            lambda: f"first_value({expressions.make(self.pick(), 1)}) {total}", lambda: f"last_value({expressions.make('S', 1)}) {total}",
            lambda: f"nth_value({expressions.make('I', 1)}, 2) {total}", lambda: f"sum({expressions.make('I', 1)} % 1000::BIGINT) {total}",
            lambda: f"avg({expressions.leaf('I')} % 1000::BIGINT) {total}", lambda: f"min({expressions.make('F', 1)}) {total}",
            lambda: f"max({expressions.make('T', 1)}) {total}", lambda: f"count({expressions.make('S', 1)}) {total}",
            lambda: f"count(*) {ranged}", lambda: f"sum({expressions.leaf('I')} % 1000::BIGINT) {ranged}", lambda: f"max({expressions.leaf('F')}) {ranged}",
            lambda: f"sum({expressions.leaf('I')} % 1000::BIGINT) {peers}", lambda: f"median({expressions.leaf('I')}) {total}",
        ]
        items = ["q.time", tags] + [rng.choice(choices)() for _ in range(rng.randrange(1, 3))]
        return f"SELECT {', '.join(items)} FROM {table} q", False

    def set(self):
        rng = self.rng
        kinds = [self.pick() for _ in range(rng.randrange(1, 3))]
        parts = []
        for _ in range(rng.randrange(2, 4)):
            table = self.table()
            expressions = Expressions(rng, self.scope(table, "q"))
            items = ", ".join(f"{expressions.make(kind, 1)} AS c{index}" for index, kind in enumerate(kinds))
            parts.append(f"SELECT {items} FROM {table} q{self.where(expressions, 1)}")
        return " UNION ALL ".join(parts), False

    def top(self):
        """ORDER BY with a total order, LIMIT and OFFSET; here the order counts."""
        rng = self.rng
        table = self.table()
        expressions = Expressions(rng, self.scope(table, "q"))
        tags = [f"q.{name}" for name, _, tag in TABLES[table] if tag]
        lead = [f"{expressions.make(self.pick(), 1)}{rng.choice(['', ' ASC', ' DESC'])}{rng.choice(['', ' NULLS FIRST', ' NULLS LAST'])}"
                for _ in range(rng.randrange(0, 3))]
        lead = [key for key in lead if "q." in key]  # DuckDB refuses to order by constants.
        order = lead + rng.choice([[f"q.time{rng.choice(['', ' DESC'])}"] + tags, tags + ["q.time"]])
        limit = rng.choice(["", f" LIMIT {rng.choice([1, 5, 20])}", f" LIMIT 7 OFFSET {rng.choice([0, 3, 50, 5000])}", " OFFSET 10"])
        items = ["q.time"] + tags + [expressions.make(self.pick(), 1)]
        return f"SELECT {', '.join(items)} FROM {table} q{self.where(expressions)} ORDER BY {', '.join(order)}{limit}", True

    def nested(self):
        rng = self.rng
        table = self.table()
        inner = Expressions(rng, self.scope(table, "q"))
        kinds = [self.pick("IFS") for _ in range(2)]
        subquery = (f"SELECT q.host AS h, {inner.make(kinds[0], 2)} AS a, {inner.make(kinds[1], 2)} AS b FROM {table} q{self.where(inner, 1)}")
        outer = Expressions(rng, [("r.h", "S"), ("r.a", kinds[0]), ("r.b", kinds[1])])
        if rng.random() < 0.5:
            source = f"WITH r AS ({subquery}) SELECT @ FROM r"
        else:
            source = f"SELECT @ FROM ({subquery}) r"
        if rng.random() < 0.5:
            kind = rng.choice(["I", "S"])
            columns = f"r.h, count(*), min({outer.make(kind, 1)}), max({outer.make('S', 1)})"
            return source.replace("@", columns) + f"{self.where(outer, 1)} GROUP BY 1", False
        columns = f"{outer.make('F', 1)}, {outer.make('S', 1)}, {outer.make('B', 1)}"
        return source.replace("@", columns) + self.where(outer, 1), False
