import MartletModel
import Testing

@testable import Martlet

/// A small result with every type, nulls and awkward texts.
private func sample() throws -> (schema: [ColumnDescription], batch: RecordBatch) {
    let schema = [
        ColumnDescription("time", .timestamp, .time), ColumnDescription("host", .string, .tag),
        ColumnDescription("usage", .float64, .field), ColumnDescription("count", .int64, .field),
        ColumnDescription("total", .uint64, .field), ColumnDescription("up", .bool, .field),
        ColumnDescription("note", .string, .field), ColumnDescription("span", .interval),
    ]
    let columns = [
        try Column(
            .timestamp,
            [.timestamp(Timestamp(nanoseconds: 0)), .timestamp(Timestamp(nanoseconds: 1_714_564_800_500_000_000))]
        ),
        Column(indices: [1, 0], dictionary: StringDictionary(["b c", "a,x"])),
        try Column(.float64, [.float64(1.5), .float64(.nan)]),
        try Column(.int64, [.int64(.min), nil]),
        try Column(.uint64, [.uint64(.max), .uint64(0)]),
        try Column(.bool, [.bool(true), .bool(false)]),
        try Column(.string, [.string(""), .string("say \"hi\"\n\u{1b}[31m日本")]),
        try Column(
            .interval,
            [.interval(Interval(months: 14, days: 1, nanoseconds: 3_723_500_000_000)), .interval(Interval())]),
    ]
    return (schema, RecordBatch(schema: schema, columns: columns, rowCount: 2))
}

private func render(_ formatter: any ResultFormatter) throws -> String {
    let (schema, batch) = try sample()
    return try ResultFormat.text(of: [batch], schema: schema, with: formatter)
}

@Suite struct FormatterTests {
    @Test func csvQuotesWhereNeededAndTellsNullFromEmptyText() throws {
        #expect(
            try render(CSVFormatter()) == """
                time,host,usage,count,total,up,note,span
                1970-01-01T00:00:00Z,"a,x",1.5,-9223372036854775808,18446744073709551615,true,"",1 year 2 months 1 day 01:02:03.5
                2024-05-01T12:00:00.500Z,b c,NaN,,0,false,"say ""hi""
                \u{1b}[31m日本",00:00:00

                """)
    }

    @Test func jsonRecordsAreOneArrayOfObjects() throws {
        #expect(
            try render(JSONFormatter(shape: .records)) == #"""
                [{"time":"1970-01-01T00:00:00Z","host":"a,x","usage":1.5,"count":-9223372036854775808,"total":18446744073709551615,"up":true,"note":"","span":"1 year 2 months 1 day 01:02:03.5"},
                {"time":"2024-05-01T12:00:00.500Z","host":"b c","usage":"NaN","count":null,"total":0,"up":false,"note":"say \"hi\"\n\u001b[31m日本","span":"00:00:00"}]

                """#)
    }

    @Test func jsonDocumentNamesColumnsOnce() throws {
        let text = try render(JSONFormatter(shape: .document))
        #expect(text.hasPrefix(#"{"columns":[{"name":"time","type":"TIMESTAMP"},{"name":"host","type":"VARCHAR"},"#))
        #expect(text.contains(#""rows":[["1970-01-01T00:00:00Z","a,x",1.5,"#))
        #expect(text.hasSuffix("\"rowCount\":2}\n"))
    }

    @Test func ndjsonWritesOneObjectALine() throws {
        let lines = try render(JSONFormatter(shape: .lines)).split(separator: "\n")
        #expect(lines.count == 2)
        #expect(lines.allSatisfy { $0.hasPrefix("{\"time\":") && $0.hasSuffix("}") })
    }

    @Test func lineProtocolEscapesTagsAndLeavesOutWhatItCannotSay() throws {
        var formatter = LineProtocolFormatter(measurement: "my cpu")
        var output = MutableBuffer(capacity: 0)
        let (schema, batch) = try sample()
        try formatter.begin(schema, into: &output)
        try formatter.append(batch, into: &output)
        formatter.finish(into: &output)
        #expect(
            output.text == #"""
                my\ cpu,host=a\,x usage=1.5,count=-9223372036854775808i,total=18446744073709551615u,up=true,note="",span="1 year 2 months 1 day 01:02:03.5" 0
                my\ cpu,host=b\ c total=0u,up=false,note="say \"hi\"

                """# + "\u{1b}[31m日本\",span=\"00:00:00\" 1714564800500000000\n")
        #expect(formatter.omittedValues == 1)
    }

    @Test func lineProtocolRefusesATagThatEndsInABackslash() throws {
        let schema = [ColumnDescription("host", .string, .tag), ColumnDescription("v", .int64, .field)]
        let batch = RecordBatch(
            schema: schema, columns: [try Column(.string, [.string("a\\")]), try Column(.int64, [.int64(1)])],
            rowCount: 1)
        #expect(throws: MartletError.self) {
            try ResultFormat.text(of: [batch], schema: schema, with: LineProtocolFormatter(measurement: "m"))
        }
    }

    @Test func tableAlignsByDisplayWidthAndEscapesControls() throws {
        let schema = [ColumnDescription("ort", .string), ColumnDescription("v", .int64)]
        let batch = RecordBatch(
            schema: schema,
            columns: [
                try Column(.string, [.string("日本"), .string("é\u{1b}"), nil]),
                try Column(.int64, [.int64(5), .int64(-12), nil]),
            ], rowCount: 3)
        #expect(
            try ResultFormat.text(of: [batch], schema: schema, with: TableFormatter()) == """
                ┌───────┬──────┐
                │ ort   │    v │
                ├───────┼──────┤
                │ 日本  │    5 │
                │ é\\x1b │  -12 │
                │ NULL  │ NULL │
                └───────┴──────┘
                (3 rows)

                """)
    }

    @Test func tableShowsTheRowLimitAndSaysSo() throws {
        let schema = [ColumnDescription("v", .int64)]
        let batch = RecordBatch(
            schema: schema, columns: [try Column(.int64, (0..<5).map { .int64($0) })], rowCount: 5)
        #expect(
            try ResultFormat.text(of: [batch, batch], schema: schema, with: TableFormatter(rowLimit: 2, style: .ascii))
                == """
                +---+
                | v |
                +---+
                | 0 |
                | 1 |
                +---+
                (first 2 of 10 rows)

                """)
    }

    @Test func tableCutsLongTextsThenLeavesColumnsOut() throws {
        let schema = ["a", "b", "c"].map { ColumnDescription($0, .string) }
        let long = String(repeating: "x", count: 40)
        let batch = RecordBatch(
            schema: schema, columns: try schema.map { _ in try Column(.string, [.string(long)]) }, rowCount: 1)
        let text = try ResultFormat.text(of: [batch], schema: schema, with: TableFormatter(width: 30))
        #expect(text.contains("│ xxxxxxx… │ xxxxxxx… │\n"))
        #expect(text.hasSuffix("(1 row) (columns that do not fit: c)\n"))
        for line in text.split(separator: "\n").dropLast() { #expect(DisplayWidth.of(String(line)) <= 30) }
    }

    @Test func tableGivesAllMomentsOfAColumnTheSameDigits() throws {
        let (schema, batch) = try sample()
        let text = try ResultFormat.text(of: [batch], schema: schema, with: TableFormatter())
        #expect(text.contains("│ 1970-01-01 00:00:00.000 │"))
        #expect(text.contains("│ 2024-05-01 12:00:00.500 │"))
    }

    @Test(
        arguments: [
            (0, "0"), (9, "9"), (10, "10"), (99, "99"), (100, "100"), (UInt64.max, "18446744073709551615"),
            (9_999_999_999_999_999_999, "9999999999999999999"), (10_000_000_000_000_000_000, "10000000000000000000"),
        ] as [(UInt64, String)])
    func decimalTextIsExact(number: UInt64, text: String) {
        var buffer = MutableBuffer(capacity: 0)
        buffer.append(decimal: number)
        #expect(buffer.text == text)
    }

    @Test func theEndsOfTimeAreWrittenExactly() {
        var buffer = MutableBuffer(capacity: 0)
        buffer.append(Timestamp.min, style: .rfc3339)
        buffer.append(ascii: " ")
        buffer.append(Timestamp.max, style: .rfc3339)
        #expect(buffer.text == "1677-09-21T00:12:43.145224192Z 2262-04-11T23:47:16.854775807Z")
    }

    @Test func everyDayOfFourCenturiesComesBackFromItsDate() {
        for day in stride(from: -106_000, to: 106_000, by: 1) {
            let civil = CivilTime(Timestamp(nanoseconds: Int64(day) * 86_400_000_000_000))
            #expect(CivilTime.days(year: civil.year, month: civil.month, day: civil.day) == day)
        }
    }
}
