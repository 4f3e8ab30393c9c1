import MartletModel

/// What a rollup keeps of one field's values in one bucket of one series: enough for count, sum, mean, extremes, first
/// and last to be exact over any union of buckets, for quantiles within 1 %, for the most frequent text, and for the growth of
/// a counter that is reset.
///
/// A class, since it is large and lies in tables that are sorted and passed on; one bucket holds it, and nobody else.
final class FieldRollup {
    /// A value and when it was.
    struct Moment: Sendable {
        var time: Int64
        var value: FieldValue
    }

    let type: ColumnType
    /// Values that are not null.
    var count = 0
    /// The sum of floats.
    var floatSum = 0.0
    /// The sum of integers: 64 bits overflow within minutes where counters or times are summed.
    var wideSum: Int128 = 0
    /// The least and the greatest value; for floats without NaN, `nil` where there are only NaNs. Not of strings.
    var least: FieldValue?
    var greatest: FieldValue?
    var first: Moment?
    var last: Moment?
    /// The values' quantiles; of numbers, `nil` where they are not known.
    var sketch: QuantileSketch?
    /// How often which value is there; of texts and truth values, `nil` where that is not known.
    var frequent: FrequentValues?
    /// How much a counter grew from the first value to the last, resets counted by `CounterStep`; of numbers, `nil` where
    /// it is not known.
    var growth: Double?
    /// How often a value was less than the one before; at least 1 where it was and the number is not known any more.
    var falls = 0

    init(_ type: ColumnType) {
        self.type = type
        if type.isNumeric {
            sketch = QuantileSketch()
            growth = 0
        } else if type == .string || type == .bool {
            frequent = FrequentValues()
        }
    }

    /// Adds a field's values in `rows` of a batch, which are of one series, in ascending order of time.
    func add(_ column: Column, _ rows: Range<Int>, times: UnsafePointer<Int64>) {
        let present = Present(column: column, rows: rows)
        guard let firstRow = present.first, let lastRow = present.last, let value = column.value(at: firstRow),
            let newest = column.value(at: lastRow)
        else { return }
        let isLater = last.map { times[firstRow] > $0.time } ?? true
        let step = isLater ? Self.step(from: last?.value, to: value) : nil
        count += present.count
        take(first: Moment(time: times[firstRow], value: value), last: Moment(time: times[lastRow], value: newest))
        if isLater { follow(step) } else { growth = nil }
        switch type {
        case .float64: addFloats(column.values.pointer(to: Double.self), present)
        case .int64: addIntegers(column.values.pointer(to: Int64.self), present) { .int64($0) }
        case .uint64: addIntegers(column.values.pointer(to: UInt64.self), present) { .uint64($0) }
        case .bool:
            present.forEach { row in
                if let value = column.value(at: row) {
                    extend(value, value)
                    frequent?.add(value)
                }
            }
        case .string:
            present.forEach { row in
                if let value = column.value(at: row) { frequent?.add(value) }
            }
        default: break
        }
        sketch?.settle()
        withExtendedLifetime(column) {}
    }

    /// From one value to the next: how much a counter grew, and whether it fell.
    private static func step(from before: FieldValue?, to value: FieldValue) -> (growth: Double, falls: Bool)? {
        guard let before = before?.number, let value = value.number else { return nil }
        return (CounterStep.growth(from: before, to: value), value < before)
    }

    private func follow(_ step: (growth: Double, falls: Bool)?) {
        guard let step, let known = growth else { return }
        growth = known + step.growth
        falls += step.falls ? 1 : 0
    }

    /// The rows of a range in which a column has a value.
    private struct Present {
        let column: Column
        let rows: Range<Int>
        private(set) var count = 0
        private(set) var first: Int?
        private(set) var last: Int?

        init(column: Column, rows: Range<Int>) {
            self.column = column
            self.rows = rows
            for row in rows where column.isValid(row) {
                if first == nil { first = row }
                last = row
                count += 1
            }
        }

        @inline(__always)
        func forEach(_ body: (Int) -> Void) {
            if count == rows.count {
                for row in rows { body(row) }
            } else {
                for row in rows where column.isValid(row) { body(row) }
            }
        }
    }

    private func addFloats(_ values: UnsafePointer<Double>, _ present: Present) {
        var (least, greatest, sum) = (Double.infinity, -Double.infinity, 0.0)
        var hasNumber = false
        var steps = Steps()
        present.forEach { row in
            let value = values[row]
            sum += value
            steps.add(value)
            sketch?.add(value)
            if value.isNaN { return }
            hasNumber = true
            least = min(least, value)
            greatest = max(greatest, value)
        }
        floatSum += sum
        add(steps)
        if hasNumber { extend(.float64(least), .float64(greatest)) }
    }

    private func addIntegers<Value: FixedWidthInteger>(
        _ values: UnsafePointer<Value>, _ present: Present, _ boxed: (Value) -> FieldValue
    ) {
        var (least, greatest, sum) = (Value.max, Value.min, Int128(0))
        var steps = Steps()
        present.forEach { row in
            let value = values[row]
            sum += Int128(value)
            steps.add(Double(value))
            sketch?.add(Double(value))
            least = min(least, value)
            greatest = max(greatest, value)
        }
        wideSum += sum
        add(steps)
        extend(boxed(least), boxed(greatest))
    }

    /// The steps between values that follow each other.
    private struct Steps {
        private(set) var growth = 0.0
        private(set) var falls = 0
        private var before: Double?

        @inline(__always)
        mutating func add(_ value: Double) {
            if let before {
                growth += CounterStep.growth(from: before, to: value)
                falls += value < before ? 1 : 0
            }
            before = value
        }
    }

    private func add(_ steps: Steps) {
        growth = growth.map { $0 + steps.growth }
        falls += steps.falls
    }

    private func extend(_ low: FieldValue, _ high: FieldValue) {
        if least.map({ low.isBelow($0) }) ?? true { least = low }
        if greatest.map({ $0.isBelow(high) }) ?? true { greatest = high }
    }

    private func take(first earliest: Moment, last latest: Moment) {
        if first.map({ earliest.time < $0.time }) ?? true { first = earliest }
        if last.map({ latest.time >= $0.time }) ?? true { last = latest }
    }

    /// Adds what another rollup of the field keeps.
    func merge(_ other: FieldRollup) {
        mergeGrowth(other)
        if sketch != nil, let others = other.sketch { sketch?.merge(others) } else { sketch = nil }
        if frequent != nil, let others = other.frequent { frequent?.merge(others) } else { frequent = nil }
        count += other.count
        floatSum += other.floatSum
        wideSum += other.wideSum
        if let low = other.least, let high = other.greatest { extend(low, high) }
        if let earliest = other.first, let latest = other.last { take(first: earliest, last: latest) }
    }

    /// Adds the growth within another rollup and up to it. Where the two overlap in time the order of their values is not
    /// known any more: the growth of the longer one stays, which late rows within a bucket do not change.
    private func mergeGrowth(_ other: FieldRollup) {
        guard let own = growth, let others = other.growth else {
            growth = nil
            return
        }
        guard let first, let last, let otherFirst = other.first, let otherLast = other.last else {
            growth = own + others
            return
        }
        if otherFirst.time > last.time || otherLast.time < first.time {
            let isLater = otherFirst.time > last.time
            growth = own + others
            falls += other.falls
            follow(
                isLater
                    ? Self.step(from: last.value, to: otherFirst.value)
                    : Self.step(from: otherLast.value, to: first.value))
        } else {
            if other.count > count { growth = others }
            falls = max(falls, other.falls)
        }
    }

    /// The rollup as scans deliver statistics.
    var summary: FieldSummary {
        var summary = FieldSummary(
            count: count, sum: nil, min: least, max: greatest, first: first?.value, last: last?.value)
        summary.firstTime = first?.time
        summary.lastTime = last?.time
        summary.sketch = sketch
        summary.frequent = frequent
        summary.growth = growth
        switch type {
        case .float64: summary.sum = .float64(floatSum)
        case .int64, .uint64: summary.wideSum = wideSum
        default: break
        }
        return summary
    }
}

/// What a rollup keeps of one series in one bucket of time.
struct RollupBucket {
    /// Rows that it stands for.
    var rowCount = 0
    /// The times of its first and last row.
    var time = TimeRange.empty
    /// One for each field of the table that has values in the bucket, by the field's place in the table.
    var fields: [FieldRollup?]

    init(fieldCount: Int) { fields = Array(repeating: nil, count: fieldCount) }

    /// Takes over what another bucket holds, which must not be used after it.
    mutating func merge(_ other: consuming RollupBucket) {
        rowCount += other.rowCount
        time = time.union(other.time)
        for (index, field) in other.fields.enumerated() {
            guard let field else { continue }
            if let own = fields[index] { own.merge(field) } else { fields[index] = field }
        }
    }
}

extension FieldValue {
    /// Whether a value is less than another one of the same type; for numbers and truth values.
    fileprivate func isBelow(_ other: FieldValue) -> Bool {
        switch (self, other) {
        case (.float64(let a), .float64(let b)): a < b
        case (.int64(let a), .int64(let b)): a < b
        case (.uint64(let a), .uint64(let b)): a < b
        case (.bool(let a), .bool(let b)): !a && b
        default: false
        }
    }
}
