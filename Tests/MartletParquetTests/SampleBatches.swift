import MartletModel
import MartletTestSupport

/// Seeded batches of every type, in shapes that lead to different encodings, pages and bounds.
struct SampleBatches {
    var random: SeededGenerator
    /// The share of nulls in columns that may have them.
    var nullShare = 0.1
    /// Whether timestamps are whole microseconds.
    var wholeMicroseconds = true
    private var nextTime: Int64 = 1_700_000_000_000_000_000
    private var pressure = 1013.25

    init(seed: UInt64) { random = SeededGenerator(seed: seed) }

    static let schema: [ColumnDescription] = [
        ColumnDescription("time", .timestamp, .time),
        ColumnDescription("host", .string, .tag),
        ColumnDescription("region", .string, .tag),
        ColumnDescription("temperature", .float64, .field),
        ColumnDescription("gauge", .float64, .field),
        ColumnDescription("pressure", .float64, .field),
        ColumnDescription("count", .int64, .field),
        ColumnDescription("wild", .int64, .field),
        ColumnDescription("big", .uint64, .field),
        ColumnDescription("up", .bool, .field),
        ColumnDescription("flag", .bool, .field),
        ColumnDescription("message", .string, .field),
        ColumnDescription("path", .string, .field),
        ColumnDescription("seen", .timestamp, .field),
        ColumnDescription("never", .float64, .field),
    ]

    static let regions = StringDictionary(["eu-north", "eu-süd", "us-east", "", "日本"])

    mutating func batch(rows: Int) throws(MartletError) -> RecordBatch {
        var columns: [Column] = []
        for description in Self.schema { columns.append(try column(description, rows: rows)) }
        return RecordBatch(schema: Self.schema, columns: columns, rowCount: rows)
    }

    private mutating func column(_ description: ColumnDescription, rows: Int) throws(MartletError) -> Column {
        if description.name == "never" { return .nulls(.float64, count: rows) }
        if description.name == "region" && nullShare == 0 {
            return Column(
                indices: (0..<rows).map { _ in UInt32.random(in: 0..<5, using: &random) }, dictionary: Self.regions)
        }
        var builder = ColumnBuilder(description.type, capacity: rows)
        for row in 0..<rows {
            if description.role != .time && Double.random(in: 0..<1, using: &random) < nullShare {
                builder.appendNull()
            } else {
                try builder.append(value(description.name, row: row))
            }
        }
        return builder.finish()
    }

    private mutating func value(_ name: String, row: Int) -> FieldValue {
        let unit: Int64 = wholeMicroseconds ? 1000 : 1
        switch name {
        case "time":
            nextTime += Int64.random(in: 0...2_000_000, using: &random) / unit * unit
            return .timestamp(Timestamp(nanoseconds: nextTime))
        case "host": return .string("host-\(Int.random(in: 0..<40, using: &random))")
        case "region": return .string(["eu-north", "eu-süd", "us-east", "", "日本"].randomElement(using: &random)!)
        case "temperature": return .float64((Double.random(in: -400...400, using: &random)).rounded() / 10)
        case "gauge":
            return .float64(
                [Double.nan, .infinity, -.infinity, 0.0, -0.0, .leastNonzeroMagnitude, .greatestFiniteMagnitude]
                    .randomElement(using: &random)! * (Bool.random(using: &random) ? 1 : 0.37)
                    + Double(random.next() >> 40))
        case "pressure":
            // A walk in full precision: what BYTE_STREAM_SPLIT is for.
            pressure += Double.random(in: -0.01...0.01, using: &random)
            return .float64(pressure)
        case "count": return .int64(Int64(row) * 3 + Int64.random(in: 0...2, using: &random))
        case "wild": return .int64(Int64(bitPattern: random.next()))
        case "big": return .uint64(random.next())
        case "up": return .bool(row / 500 % 2 == 0)
        case "flag": return .bool(Bool.random(using: &random))
        case "message":
            let length = Int.random(in: 0...90, using: &random)
            return .string(
                String((0..<length).map { _ in "abcdefghij klmno\"\\\u{7f}é漢🐦\n".randomElement(using: &random)! }))
        case "path": return .string("/var/log/service/\(row / 10)/part-\(row)")
        default:
            let time = Int64.random(in: -4_000_000_000_000_000_000...4_000_000_000_000_000_000, using: &random)
            return .timestamp(Timestamp(nanoseconds: time / unit * unit))
        }
    }
}

/// The rows of batches as text, one JSON array a line, the same for equal rows: what the exchange with other readers
/// compares. Doubles are their bits in hexadecimal, or `nan`; timestamps are nanoseconds.
enum RowDump {
    static func append(_ batch: RecordBatch, to text: inout String) {
        for row in 0..<batch.rowCount {
            text += "["
            for (index, column) in batch.columns.enumerated() {
                if index > 0 { text += "," }
                append(column.value(at: row), to: &text)
            }
            text += "]\n"
        }
    }

    static func append(_ value: FieldValue?, to text: inout String) {
        switch value {
        case nil: text += "null"
        case .float64(let number):
            if number.isNaN {
                text += "\"nan\""
            } else {
                let digits = String(number.bitPattern, radix: 16)
                text += "\"" + String(repeating: "0", count: 16 - digits.count) + digits + "\""
            }
        case .int64(let number): text += "\(number)"
        case .uint64(let number): text += "\(number)"
        case .bool(let flag): text += flag ? "true" : "false"
        case .timestamp(let time): text += "\(time.nanoseconds)"
        case .string(let string):
            text += "\""
            for scalar in string.unicodeScalars {
                switch scalar {
                case "\"": text += "\\\""
                case "\\": text += "\\\\"
                case _ where scalar.value < 0x20:
                    let digits = String(scalar.value, radix: 16)
                    text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
                default: text.unicodeScalars.append(scalar)
                }
            }
            text += "\""
        case .interval(let interval): text += "[\(interval.months),\(interval.days),\(interval.nanoseconds)]"
        }
    }
}
