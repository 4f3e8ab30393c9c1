import MartletModel
import MartletTestSupport

@testable import MartletQuery

/// Short ways to write columns in tests.
enum Columns {
    static func ints(_ values: [Int64?]) -> Column { make(.int64, values.map { $0.map { .int64($0) } }) }
    static func uints(_ values: [UInt64?]) -> Column { make(.uint64, values.map { $0.map { .uint64($0) } }) }
    static func floats(_ values: [Double?]) -> Column { make(.float64, values.map { $0.map { .float64($0) } }) }
    static func bools(_ values: [Bool?]) -> Column { make(.bool, values.map { $0.map { .bool($0) } }) }
    static func texts(_ values: [String?]) -> Column { make(.string, values.map { $0.map { .string($0) } }) }
    static func intervals(_ values: [Interval?]) -> Column { make(.interval, values.map { $0.map { .interval($0) } }) }

    /// Timestamps from text.
    static func times(_ values: [String?]) -> Column {
        make(.timestamp, values.map { $0.map { .timestamp(Timestamp(nanoseconds: time($0))) } })
    }

    /// Dictionary-encoded text; every distinct value becomes an entry, after the unused `extra` ones.
    static func dictionary(_ values: [String?], extra: [String] = []) -> Column {
        var entries = extra
        var codes: [UInt32] = []
        var validity = BitmapBuilder(capacity: values.count)
        for value in values {
            validity.append(value != nil)
            guard let value else {
                codes.append(0)
                continue
            }
            if let known = entries.firstIndex(of: value) {
                codes.append(UInt32(known))
            } else {
                codes.append(UInt32(entries.count))
                entries.append(value)
            }
        }
        let nulls = validity.clearCount
        if entries.isEmpty { entries = [""] }
        return Column(
            type: .string, count: values.count, nullCount: nulls, validity: validity.finish(), values: Buffer(codes),
            dictionary: StringDictionary(entries))
    }

    static func make(_ type: ColumnType, _ values: [FieldValue?]) -> Column {
        do { return try Column(type, values) } catch { preconditionFailure("\(error)") }
    }

    static func time(_ text: String) -> Int64 {
        var text = text
        guard let value = text.withUTF8({ TimeText.parse(UnsafeRawBufferPointer($0)) }) else {
            preconditionFailure("\(text) is not a timestamp")
        }
        return value
    }

    static func interval(_ text: String) -> Interval {
        var text = text
        guard let value = text.withUTF8({ TimeText.parseInterval(UnsafeRawBufferPointer($0)) }) else {
            preconditionFailure("\(text) is not an interval")
        }
        return value
    }

    /// A random column with nulls; text comes plain or dictionary-encoded.
    static func random(_ type: ColumnType, count: Int, using generator: inout SeededGenerator) -> Column {
        let nullShare = [0.0, 0.3, 1.0].randomElement(using: &generator)!
        var values: [FieldValue?] = []
        for _ in 0..<count {
            if Double.random(in: 0..<1, using: &generator) < nullShare {
                values.append(nil)
                continue
            }
            switch type {
            case .timestamp:
                values.append(.timestamp(Timestamp(nanoseconds: .random(in: -5...5, using: &generator))))
            case .float64:
                let pool = [0, -0.0, 1.5, -2.5, .nan, .infinity, -.infinity, 1e300]
                values.append(.float64(pool.randomElement(using: &generator)!))
            case .int64:
                values.append(.int64([-3, -1, 0, 1, 2, .min, .max].randomElement(using: &generator)!))
            case .uint64: values.append(.uint64([0, 1, 2, .max].randomElement(using: &generator)!))
            case .bool: values.append(.bool(.random(using: &generator)))
            case .string:
                values.append(.string(["", "a", "ab", "b", "é", "longer text"].randomElement(using: &generator)!))
            case .interval:
                let pool = [Interval(months: 1), Interval(days: 30), Interval(nanoseconds: 5), Interval(days: -1)]
                values.append(.interval(pool.randomElement(using: &generator)!))
            }
        }
        if type == .string, Bool.random(using: &generator) {
            return dictionary(
                values.map { value -> String? in
                    guard case .string(let text)? = value else { return nil }
                    return text
                }, extra: ["unused"])
        }
        return make(type, values)
    }
}

extension Column {
    /// All values, for comparing in tests.
    var list: [FieldValue?] { (0..<count).map(value(at:)) }
    var ints: [Int64?] { list.map { if case .int64(let value)? = $0 { value } else { nil } } }
    var floats: [Double?] { list.map { if case .float64(let value)? = $0 { value } else { nil } } }
    var bools: [Bool?] { list.map { if case .bool(let value)? = $0 { value } else { nil } } }
    var texts: [String?] { list.map { if case .string(let value)? = $0 { value } else { nil } } }
    /// Timestamps and intervals as text.
    var times: [String?] {
        list.map {
            switch $0 {
            case .timestamp(let time)?: TimeText.format(time.nanoseconds)
            case .interval(let interval)?: TimeText.format(interval)
            default: nil
            }
        }
    }
}

/// The code of the error that `body` throws, or `nil`.
func errorCode<T>(_ body: () throws(MartletError) -> T) -> MartletError.Code? {
    do {
        _ = try body()
        return nil
    } catch { return error.code }
}
