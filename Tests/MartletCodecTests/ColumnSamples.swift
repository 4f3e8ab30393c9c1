import MartletModel
import MartletTestSupport

@testable import MartletCodec

/// A named way to make values.
typealias Shape<Value> = (name: String, make: @Sendable (Int, inout SeededGenerator) -> [Value])

/// Columns of every type and shape that an encoder tells apart, from a seed.
enum ColumnSamples {
    /// Lengths around the borders of a vector and of a block.
    static let lengths = [0, 1, 2, 7, 31, 1023, 1024, 1025, 2048, 8192]

    static let integerShapes: [Shape<Int64>] = [
        ("constant", { n, g in Array(repeating: Int64(truncatingIfNeeded: g.next()), count: n) }),
        ("zero", { n, _ in Array(repeating: 0, count: n) }),
        ("noise", { n, g in (0..<n).map { _ in Int64(truncatingIfNeeded: g.next()) } }),
        ("small", { n, g in (0..<n).map { _ in Int64.random(in: 0..<100, using: &g) } }),
        ("negative", { n, g in (0..<n).map { _ in Int64.random(in: -1_000_000 ... -999_000, using: &g) } }),
        ("extremes", { n, g in (0..<n).map { _ in [Int64.min, .max, 0, -1, 1].randomElement(using: &g)! } }),
        ("regular", { n, _ in (0..<n).map { 1_700_000_000_000_000_000 + Int64($0) * 10_000_000_000 } }),
        ("falling", { n, _ in (0..<n).map { -7 * Int64($0) } }),
        (
            "series", { n, _ in (0..<n).map { 1_700_000_000_000_000_000 + Int64($0 % 300) * 10_000_000_000 } }
        ),
        (
            "scrape",
            { n, g in
                var grid: Int64 = 1_700_000_000_000
                return (0..<n).map { _ in
                    grid += 10_000 * (Int.random(in: 0..<200, using: &g) == 0 ? 3 : 1)
                    return (grid + Int64.random(in: -3...3, using: &g)) * 1_000_000
                }
            }
        ),
        (
            "scrapes of many series",
            { n, g in
                let phases = (0..<64).map { _ in Int64.random(in: 0..<10_000, using: &g) }
                return (0..<n).map {
                    let point = Int64($0 % 700)
                    return 1_700_000_000_000 + phases[$0 / 700 % 64] + point * 10_000
                        + ([0, 0, 0, 0, 1, -2] as [Int64]).randomElement(using: &g)!
                }
            }
        ),
        (
            "walk",
            { n, g in
                var value: Int64 = 50
                return (0..<n).map { _ in
                    value += Int64.random(in: -2...2, using: &g)
                    return value
                }
            }
        ),
        (
            "wide walk with jumps",
            { n, g in
                var value: Int64 = 1 << 40
                return (0..<n).map { _ in
                    value &+= Int64.random(in: -70_000...70_000, using: &g)
                    if Int.random(in: 0..<100, using: &g) == 0 { value = Int64(truncatingIfNeeded: g.next()) }
                    return value
                }
            }
        ),
        (
            "counter",
            { n, g in
                var value: Int64 = 0
                return (0..<n).map { _ in
                    value += Int64.random(in: 0...5000, using: &g)
                    if Int.random(in: 0..<500, using: &g) == 0 { value = 0 }
                    return value
                }
            }
        ),
        (
            "accelerating", { n, g in (0..<n).map { Int64($0) * Int64($0) * 3 + Int64.random(in: 0...1, using: &g) } }
        ),
        (
            "runs",
            { n, g in
                var value: Int64 = 0
                return (0..<n).map { _ in
                    if Int.random(in: 0..<40, using: &g) == 0 { value = Int64.random(in: 0..<9, using: &g) << 33 }
                    return value
                }
            }
        ),
        (
            "few far apart",
            { n, g in
                let pool = (0..<9).map { _ in Int64(truncatingIfNeeded: g.next()) }
                return (0..<n).map { _ in pool.randomElement(using: &g)! }
            }
        ),
        ("mostly zero", { n, g in (0..<n).map { _ in Int.random(in: 0..<50, using: &g) == 0 ? 5 : 0 } }),
        ("one outlier", { n, g in (0..<n).map { $0 == n / 2 ? .min : Int64.random(in: 0..<16, using: &g) } }),
        ("pages", { n, g in (0..<n).map { _ in 4096 * Int64.random(in: 0..<100_000, using: &g) - 4096 } }),
    ]

    static let floatShapes: [Shape<Double>] = [
        ("constant", { n, _ in Array(repeating: 21.5, count: n) }),
        ("constant not a number", { n, _ in Array(repeating: Double(bitPattern: 0x7ff8_dead_beef_0001), count: n) }),
        ("negative zero", { n, _ in Array(repeating: -0.0, count: n) }),
        ("bits", { n, g in (0..<n).map { _ in Double(bitPattern: g.next()) } }),
        (
            "specials",
            { n, g in
                let pool: [Double] = [
                    0, -0.0, .infinity, -.infinity, .nan, .signalingNaN, Double(bitPattern: 0xfff8_0000_0000_1234),
                    .leastNonzeroMagnitude, .greatestFiniteMagnitude, 1, -1, 0.1, 9007199254740992,
                ]
                return (0..<n).map { _ in pool.randomElement(using: &g)! }
            }
        ),
        ("full", { n, g in (0..<n).map { _ in Double.random(in: 0..<100, using: &g) } }),
        (
            "full walk",
            { n, g in
                var value = 50.0
                return (0..<n).map { _ in
                    value += Double.random(in: -1...1, using: &g)
                    return value
                }
            }
        ),
        (
            "single precision",
            { n, g in (0..<n).map { _ in Double(Float.random(in: -20..<40, using: &g)) } }
        ),
        ("two decimals", { n, g in (0..<n).map { _ in Double(Int.random(in: 0..<10_000, using: &g)) / 100 } }),
        (
            "decimal walk",
            { n, g in
                var value = 2_150
                return (0..<n).map { _ in
                    value += Int.random(in: -9...9, using: &g)
                    return Double(value) / 1000
                }
            }
        ),
        (
            "decimals with exceptions",
            { n, g in
                (0..<n).map { _ in
                    switch Int.random(in: 0..<300, using: &g) {
                    case 0: return -0.0
                    case 1: return .nan
                    case 2: return Double.random(in: 0..<1, using: &g)
                    default: return Double(Int.random(in: -500..<500, using: &g)) / 10
                    }
                }
            }
        ),
        ("integers", { n, g in (0..<n).map { _ in Double(Int.random(in: 0...100, using: &g)) } }),
        (
            "integer walk",
            { n, g in
                var value = 50
                return (0..<n).map { _ in
                    value = min(100, max(0, value + Int.random(in: -2...2, using: &g)))
                    return Double(value)
                }
            }
        ),
        (
            "large integers",
            { n, g in
                (0..<n).map { _ in Double(Int.random(in: 9_007_199_254_740_000...9_007_199_254_741_999, using: &g)) }
            }
        ),
        (
            "few values",
            { n, g in
                let pool = (0..<20).map { _ in Double.random(in: 0..<1, using: &g) }
                return (0..<n).map { _ in pool.randomElement(using: &g)! }
            }
        ),
        (
            "runs",
            { n, g in
                var value = 0.3
                return (0..<n).map { _ in
                    if Int.random(in: 0..<60, using: &g) == 0 { value = Double.random(in: 0..<1, using: &g) }
                    return value
                }
            }
        ),
        ("sparse", { n, g in (0..<n).map { _ in Int.random(in: 0..<40, using: &g) == 0 ? 3 : 0 } }),
        (
            "idle and busy",
            { n, g in
                (0..<n).map { $0 / 150 % 2 == 0 ? 0 : Double(Int.random(in: 900_000..<1_000_000, using: &g)) / 1000 }
            }
        ),
        (
            "hum",
            { n, g in
                // A rotation by a fixed angle gives a sine without a library call that may differ between machines.
                var (x, y) = (20.0, 0.0)
                return (0..<n).map { _ in
                    (x, y) = (x * 0.8 - y * 0.6, x * 0.6 + y * 0.8)
                    return (x * 1000 + Double.random(in: -20...20, using: &g)).rounded() / 1000
                }
            }
        ),
        (
            "smooth",
            { n, g in
                var speed = 0
                var place = 52_000_000
                return (0..<n).map { _ in
                    speed += Int.random(in: -2...2, using: &g)
                    place += speed
                    return Double(place) / 1_000_000
                }
            }
        ),
    ]

    static let stringShapes: [Shape<String>] = [
        ("empty", { n, _ in Array(repeating: "", count: n) }),
        ("same", { n, _ in Array(repeating: "us-east-1", count: n) }),
        ("states", { n, g in (0..<n).map { _ in ["ok", "warn", "critical", ""].randomElement(using: &g)! } }),
        ("sorted", { n, _ in (0..<n).map { "region/rack-\($0 / 40 + 100)/unit-\($0 % 40 + 100)" } }),
        ("hosts", { n, _ in (0..<n).map { "host_\($0)" } }),
        (
            "log lines",
            { n, g in
                (0..<n).map {
                    "\($0) request \(Int.random(in: 0..<1_000_000, using: &g)) took Grüße \(g.next() % 997) ms"
                }
            }
        ),
        (
            "noise",
            { n, g in
                (0..<n).map { _ in
                    String((0..<Int.random(in: 0..<20, using: &g)).map { _ in "a" as Character }) + "\(g.next())"
                }
            }
        ),
    ]

    static let boolShapes: [Shape<Bool>] = [
        ("never", { n, _ in Array(repeating: false, count: n) }),
        ("always", { n, _ in Array(repeating: true, count: n) }),
        ("fair", { n, g in (0..<n).map { _ in Bool.random(using: &g) } }),
        ("rare", { n, g in (0..<n).map { _ in Int.random(in: 0..<100, using: &g) == 0 } }),
        ("biased", { n, g in (0..<n).map { _ in Int.random(in: 0..<10, using: &g) < 3 } }),
        ("sticky", { n, _ in (0..<n).map { $0 / 200 % 2 == 0 } }),
    ]

    /// Which rows are null.
    static let nullShapes: [Shape<Bool>] = [
        ("none", { n, _ in Array(repeating: false, count: n) }),
        ("all", { n, _ in Array(repeating: true, count: n) }),
        ("some", { n, g in (0..<n).map { _ in Int.random(in: 0..<5, using: &g) == 0 } }),
        ("stretches", { n, _ in (0..<n).map { $0 / 300 % 3 == 1 } }),
    ]

    static func column(_ type: ColumnType, values: [Int64], nulls: [Bool]) -> Column {
        column(type, values.count, nulls) { index in
            switch type {
            case .uint64: .uint64(UInt64(bitPattern: values[index]))
            case .timestamp: .timestamp(Timestamp(nanoseconds: values[index]))
            default: .int64(values[index])
            }
        }
    }

    static func column(_ type: ColumnType, _ count: Int, _ nulls: [Bool], _ value: (Int) -> FieldValue) -> Column {
        var builder = ColumnBuilder(type, capacity: count)
        for index in 0..<count {
            // The values are made for the type, so that appending cannot fail.
            try! builder.append(nulls[index] ? nil : value(index))
        }
        return builder.finish()
    }

    /// A dictionary-encoded column of the same strings.
    static func dictionaryEncoded(_ column: Column) -> Column {
        var places: [String: UInt32] = [:]
        var entries: [String] = []
        var indices: [UInt32] = []
        for row in 0..<column.count {
            guard case .string(let text)? = column.value(at: row) else {
                indices.append(0)
                continue
            }
            if places[text] == nil {
                places[text] = UInt32(entries.count)
                entries.append(text)
            }
            indices.append(places[text]!)
        }
        return Column(
            type: .string, count: column.count, nullCount: column.nullCount, validity: column.validity,
            values: Buffer(indices), dictionary: StringDictionary(entries))
    }

    /// Where two columns first differ in type, count, nulls or values, bit for bit; `nil` when they do not.
    static func difference(_ a: Column, _ b: Column) -> String? {
        if a.type != b.type || a.count != b.count || a.nullCount != b.nullCount {
            return "\(a.type) x \(a.count), \(a.nullCount) nulls; \(b.type) x \(b.count), \(b.nullCount) nulls"
        }
        for row in 0..<a.count {
            if a.isValid(row) != b.isValid(row) { return "row \(row): validity differs" }
            guard a.isValid(row) else { continue }
            let equal: Bool
            switch a.type {
            case .timestamp, .float64, .int64, .uint64:
                equal = a.values.pointer(to: UInt64.self)[row] == b.values.pointer(to: UInt64.self)[row]
            case .bool: equal = Bitmap.isSet(a.values.baseAddress, row) == Bitmap.isSet(b.values.baseAddress, row)
            default: equal = a.stringBytes(row).elementsEqual(b.stringBytes(row))
            }
            if !equal {
                return
                    "row \(row): \(String(describing: a.value(at: row))) became \(String(describing: b.value(at: row)))"
            }
        }
        return nil
    }

    /// The rows of a range as a column of its own.
    static func slice(_ column: Column, _ rows: Range<Int>) -> Column {
        var builder = ColumnBuilder(column.type)
        for row in rows {
            if column.isValid(row) {
                if column.type == .float64 {
                    try! builder.append(.float64(column.values.pointer(to: Double.self)[row]))
                } else {
                    try! builder.append(column.value(at: row))
                }
            } else {
                builder.appendNull()
            }
        }
        return builder.finish()
    }

    static func encoded(_ column: Column, _ effort: Effort) throws -> [UInt8] {
        var output = MutableBuffer(capacity: 64)
        try BlockCodec.encode(column, effort: effort, into: &output)
        return Array(output.bytes)
    }

    static func decoded(_ bytes: [UInt8], rows: Range<Int>? = nil) throws -> Column {
        // A copy without slack, so that the address sanitizer sees a read past the end.
        let exact = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 1)
        defer { exact.deallocate() }
        exact.copyBytes(from: bytes)
        if let rows { return try BlockCodec.decode(UnsafeRawBufferPointer(exact), rows: rows) }
        return try BlockCodec.decode(UnsafeRawBufferPointer(exact))
    }
}
