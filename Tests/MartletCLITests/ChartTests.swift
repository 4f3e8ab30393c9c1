import Martlet
import MartletModel
import Testing

@testable import MartletCLI

private let hour: Int64 = 3_600_000_000_000
private let may: Int64 = 1_714_521_600_000_000_000

private func batch(_ columns: [(String, ColumnType, [FieldValue?])]) throws -> (
    schema: [ColumnDescription], batch: RecordBatch
) {
    let schema = columns.map { ColumnDescription($0.0, $0.1) }
    let built = try columns.map { try Column($0.1, $0.2) }
    return (schema, RecordBatch(schema: schema, columns: built, rowCount: columns[0].2.count))
}

private func draw(
    _ columns: [(String, ColumnType, [FieldValue?])], width: Int = 72, height: Int = 14, color: Bool = false,
    unicode: Bool = true
) throws -> String {
    let (schema, batch) = try batch(columns)
    let data = try ChartData(schema: schema, batches: [batch])
    return TerminalChart(width: width, height: height, usesColor: color, usesUnicode: unicode).draw(data)
}

private func times(_ count: Int, every step: Int64 = hour) -> [FieldValue?] {
    (0..<Int64(count)).map { .timestamp(Timestamp(nanoseconds: may + $0 * step)) }
}

private func wave(_ count: Int, period: Double, phase: Double = 0) -> [FieldValue?] {
    // A triangle wave: the same on every machine's mathematics library.
    (0..<count).map { index in
        let turn = (Double(index) / period + phase).truncatingRemainder(dividingBy: 1)
        return .float64(turn < 0.5 ? 80 * turn : 80 * (1 - turn))
    }
}

@Suite struct ChartTests {
    @Test func oneSeriesOverTimeIsDrawnInBraille() throws {
        try expectSnapshot(
            "chart-one-series", draw([("time", .timestamp, times(48)), ("v", .float64, wave(48, period: 24))]))
    }

    @Test func severalSeriesWithoutColorHaveMarksAndALegend() throws {
        let hosts = (0..<96).map { FieldValue.string($0 % 2 == 0 ? "alpha" : "beta") }
        let both = (0..<96).map { (index: Int) -> FieldValue? in
            .float64(index % 2 == 0 ? Double(index) / 4 : 24 - Double(index) / 4)
        }
        let moments = (0..<96).map { FieldValue.timestamp(Timestamp(nanoseconds: may + Int64($0 / 2) * hour)) }
        try expectSnapshot(
            "chart-two-series", draw([("time", .timestamp, moments), ("host", .string, hosts), ("v", .float64, both)]))
    }

    @Test func colorsTellSeriesApart() throws {
        let text = try draw(
            [
                ("time", .timestamp, times(10)), ("a", .int64, (0..<10).map { .int64($0) }),
                ("b", .int64, (0..<10).map { .int64(9 - $0) }),
            ], color: true)
        #expect(text.contains("\u{1b}[36m━\u{1b}[0m a"))
        #expect(text.contains("\u{1b}[33m━\u{1b}[0m b"))
    }

    @Test func terminalsWithoutUnicodeGetASCII() throws {
        let text = try draw(
            [("time", .timestamp, times(48)), ("v", .float64, wave(48, period: 24))], unicode: false)
        #expect(text.utf8.allSatisfy { $0 < 0x80 })
        try expectSnapshot("chart-ascii", text)
    }

    @Test func missingValuesBreakTheLine() throws {
        var values = wave(48, period: 24)
        for index in 12..<30 { values[index] = nil }
        try expectSnapshot("chart-gap", draw([("time", .timestamp, times(48)), ("v", .float64, values)]))
    }

    @Test func aTextColumnAndNumbersBecomeBars() throws {
        try expectSnapshot(
            "chart-bars",
            draw([
                ("host", .string, ["alpha", "beta", "日本", "gone"].map { .string($0) }),
                ("load", .float64, [.float64(12.5), .float64(99), .float64(-20), nil]),
            ]))
    }

    @Test func numbersAgainstNumbersUseTheFirstColumnAsAxis() throws {
        try expectSnapshot(
            "chart-xy",
            draw([("month", .int64, (1...12).map { .int64($0) }), ("sun", .float64, wave(12, period: 12))]))
    }

    @Test func aConstantSeriesIsALineInTheMiddle() throws {
        let text = try draw([("time", .timestamp, times(5)), ("v", .int64, Array(repeating: .int64(7), count: 5))])
        #expect(text.contains("7.0"))
    }

    @Test func noLineIsWiderThanTheTerminal() throws {
        for width in [20, 33, 72, 200] {
            let text = try draw(
                [("time", .timestamp, times(48)), ("v", .float64, wave(48, period: 24))], width: width)
            for line in text.split(separator: "\n").filter({ !$0.contains(" to ") }) {
                #expect(DisplayWidth.of(String(line)) <= max(width, 30), "width \(width): \(line)")
            }
        }
    }

    @Test func whatCannotBeDrawnIsRefusedWithAReason() throws {
        for columns: [(String, ColumnType, [FieldValue?])] in [
            [("host", .string, [.string("a")])], [("v", .int64, [])],
            [("time", .timestamp, times(2)), ("v", .float64, [nil, .float64(.nan)])],
        ] {
            #expect(throws: MartletError.self) { try draw(columns) }
        }
    }

    @Test(
        arguments: [
            (0.0, 40.0, 4, [0, 10, 20, 30, 40]), (-0.3, 0.7, 3, [0, 0.5]), (3.0, 97.0, 5, [20, 40, 60, 80]),
            (0.0, 24.0, 2, [0, 20]),
        ] as [(Double, Double, Int, [Double])])
    func ticksAreRound(lower: Double, upper: Double, count: Int, expected: [Double]) {
        let ticks = Ticks.numbers(from: lower, to: upper, count: count)
        #expect(zip(ticks, expected).allSatisfy { abs($0 - $1) < 1e-9 } && ticks.count == expected.count, "\(ticks)")
    }

    @Test(
        arguments: [
            (1_000_000_000, "00:00:00.000"), (60_000_000_000, "00:00:00"), (7200_000_000_000, "05-01"),
            (86_400_000_000_000, "05-01"),
            (10 * 86_400_000_000_000, "05-01"), (300 * 86_400_000_000_000, "2024-05"),
            (5000 * 86_400_000_000_000, "2026"),
        ] as [(Int64, String)])
    func timeLabelsFitTheirDistance(span: Int64, first: String) {
        let ticks = Ticks.times(from: may, to: may + span, count: 6)
        #expect(ticks.first?.label == first)
        #expect((2...7).contains(ticks.count), "\(ticks)")
    }
}
