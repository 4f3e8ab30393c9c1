import MartletModel

/// A division of time into buckets of one width, taken from an expression like `time_bucket('1 hour', time)`.
struct BucketGrid {
    /// Nanoseconds of a bucket.
    let width: Int64
    /// The distance of bucket starts from multiples of the width, `0 ..< width`.
    let phase: Int64

    /// The number of the bucket that holds `time`.
    @inline(__always)
    func bucket(of time: Int64) -> Int64 {
        var quotient = time / width
        var rest = time - quotient * width
        if rest < 0 {
            quotient -= 1
            rest += width
        }
        return rest < phase ? quotient - 1 : quotient
    }

    /// The start of a bucket; a start before the first representable moment is that moment.
    func start(of bucket: Int64) -> Int64 {
        let (product, overflow) = bucket.multipliedReportingOverflow(by: width)
        if overflow { return bucket < 0 ? .min : .max }
        let (sum, overflowed) = product.addingReportingOverflow(phase)
        return overflowed ? .max : sum
    }

    /// The last moment of a bucket.
    func end(of bucket: Int64) -> Int64 {
        let (next, overflow) = start(of: bucket).addingReportingOverflow(width - 1)
        return overflow ? .max : next
    }

    /// The grid of `expression` over the column `time`, if it has one: `time_bucket` of a fixed width and `date_trunc`
    /// to a unit of fixed length, without a time zone. The phase comes from evaluating the expression itself once.
    init?(_ expression: BoundExpression, time: Int, context: EvaluatorContext) {
        guard case .call(let function, let arguments, .timestamp, _) = expression, arguments.count >= 2,
            case .column(time, .timestamp, _) = arguments[1]
        else { return nil }
        switch (function.name, arguments[0]) {
        case ("time_bucket", .constant(let value?, _)):
            guard let width = Self.width(value), arguments.count <= 3 else { return nil }
            if arguments.count == 3 {
                // An origin or an offset; a zone's name makes buckets of varying length.
                guard case .constant(let third?, _) = arguments[2] else { return nil }
                switch third {
                case .timestamp: break
                case .interval(let interval) where interval.months == 0: break
                default: return nil
                }
            }
            self.width = width
        case ("date_trunc", .constant(.string(let unit)?, _)):
            guard arguments.count == 2, let width = Self.units[unit.lowercased()] else { return nil }
            self.width = width
        default: return nil
        }
        let probe = Column(.timestamp, unsafeElements: [Int64(0)])
        let rebased = expression.replacingColumns { _, type, offset in .column(0, type, offset: offset) }
        guard let column = try? Evaluator.make(rebased, context: context).evaluate(Rows(count: 1, columns: [probe])),
            case .timestamp(let start)? = column.value(at: 0)
        else { return nil }
        let rest = start.nanoseconds % width
        phase = rest < 0 ? rest + width : rest
    }

    private static func width(_ value: FieldValue) -> Int64? {
        var interval: Interval
        switch value {
        case .interval(let given): interval = given
        case .string(let text):
            guard let column = try? Column(.string, [.string(text)]),
                let cast = try? ColumnKernels.cast(column, to: .interval),
                case .interval(let given)? = cast.value(at: 0)
            else { return nil }
            interval = given
        default: return nil
        }
        guard interval.months == 0 else { return nil }
        let (days, overflow) = Int64(interval.days).multipliedReportingOverflow(by: 86_400_000_000_000)
        let (sum, overflowed) = days.addingReportingOverflow(interval.nanoseconds)
        return overflow || overflowed || sum <= 0 ? nil : sum
    }

    private static let units: [String: Int64] = [
        "microsecond": 1_000, "microseconds": 1_000, "millisecond": 1_000_000, "milliseconds": 1_000_000,
        "second": 1_000_000_000, "minute": 60_000_000_000, "hour": 3_600_000_000_000, "day": 86_400_000_000_000,
        "week": 604_800_000_000_000,
    ]
}
