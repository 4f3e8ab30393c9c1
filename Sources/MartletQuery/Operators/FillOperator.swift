import MartletModel

/// How FILL treats one column.
enum FillMode: Equatable {
    /// A key of GROUP BY other than the bucket: it says which series of buckets a row belongs to.
    case key
    case null
    case previous
    case linear
    case value(FieldValue)
}

/// FILL: rows for the time buckets that have none.
struct FillPlan {
    /// The column of the bucket.
    var bucket: Int
    /// The bucket of a time, over the aggregation's input.
    var bucketing: BoundExpression
    /// One per column; the bucket's own is `.key`.
    var modes: [FillMode]
}

/// Completes each series of buckets to the whole grid and fills the gaps.
///
/// The grid runs from the bucket of the WHERE clause's lower bound to that of its upper bound; where there is no
/// bound, from the first or to the last bucket that any series has.
final class FillOperator: Operator {
    private let input: Operator
    private let plan: FillPlan
    private let range: TimeRange
    private let lease: MemoryLease
    private var result: Rows?
    private var position = 0

    init(_ input: Operator, _ plan: FillPlan, range: TimeRange) {
        self.input = input
        self.plan = plan
        self.range = range
        lease = MemoryLease(input.context.query.memory, purpose: "FILL")
        super.init(columns: input.columns, context: input.context)
    }

    override func produce() throws(MartletError) -> Rows? {
        if result == nil { result = try run() }
        guard let result, position < result.count else { return nil }
        let end = min(result.count, position + maximumBatchRows)
        defer { position = end }
        return result.slice(position..<end)
    }

    private func run() throws(MartletError) -> Rows {
        var parts: [Rows] = []
        while let rows = try input.next() {
            parts.append(rows)
            try lease.grow(by: rows.memoryFootprint)
        }
        var rows =
            parts.isEmpty
            ? Rows(count: 0, columns: types.map { .nulls($0, count: 0) })
            : try Rows.concatenated(parts, types: types)
        let keys = plan.modes.indices.filter { plan.modes[$0] == .key && $0 != plan.bucket }
        let order = ColumnKernels.sortedRows(
            (keys + [plan.bucket]).map { rows.columns[$0] }, (keys + [plan.bucket]).map { _ in SortDirection() },
            rowCount: rows.count)
        rows = rows.taking(order)
        let grid = try grid(rows)
        let layout = try layout(rows, keys: keys, grid: grid)
        return try filled(rows, layout, grid)
    }

    // MARK: The grid

    private func grid(_ rows: Rows) throws(MartletError) -> [Int64] {
        guard var buckets = try TimeBucket(plan.bucketing) else {
            throw MartletError(.internal, "FILL over a bucket that has no width")
        }
        let present = rows.columns[plan.bucket]
        var low: Int64?
        var high: Int64?
        withExtendedLifetime(present) {
            let values = present.values.pointer(to: Int64.self)
            for row in 0..<rows.count where present.isValid(row) {
                low = min(low ?? .max, values[row])
                high = max(high ?? .min, values[row])
            }
        }
        if range.lowerBound != .min { low = try buckets.start(of: range.lowerBound) }
        if range.upperBound != .max { high = try buckets.start(of: range.upperBound) }
        guard var bucket = low, let high else { return [] }
        var grid: [Int64] = []
        while bucket <= high {
            grid.append(bucket)
            if grid.count & 0xffff == 0 {
                try lease.grow(by: 0x10000 * 8)
                try context.query.check()
            }
            let next = try buckets.next(after: bucket)
            if next <= bucket { break }
            bucket = next
        }
        return grid
    }

    /// For every row of the result: its source row or -1, a row with its keys or -1, and where each series begins.
    private struct Layout {
        var source: [Int32] = []
        var keys: [Int32] = []
        var starts: [Int] = []
    }

    private func layout(_ rows: Rows, keys: [Int], grid: [Int64]) throws(MartletError) -> Layout {
        var layout = Layout()
        let keyColumns = keys.map { rows.columns[$0] }
        let matcher = RowMatcher(keyColumns, keyColumns, nullsEqual: true)
        let bucketColumn = rows.columns[plan.bucket]
        if rows.count == 0 && keys.isEmpty && range.lowerBound != .min && range.upperBound != .max {
            layout.starts = [0]
            layout.source = [Int32](repeating: -1, count: grid.count)
            layout.keys = layout.source
            return layout
        }
        var row = 0
        while row < rows.count {
            let first = row
            layout.starts.append(layout.source.count)
            try lease.grow(by: grid.count * (8 + 9 * rows.columns.count))
            try context.query.check()
            withExtendedLifetime(bucketColumn) {
                let buckets = bucketColumn.values.pointer(to: Int64.self)
                for bucket in grid {
                    let isPresent =
                        row < rows.count && buckets[row] == bucket && (row == first || matcher.equal(first, row))
                    layout.source.append(isPresent ? Int32(row) : -1)
                    layout.keys.append(Int32(first))
                    if isPresent { row += 1 }
                }
            }
            // Rows off the grid do not exist: the grid covers every bucket of the input or of the WHERE clause.
            while row < rows.count && (row == first || matcher.equal(first, row)) { row += 1 }
        }
        return layout
    }

    // MARK: Filling

    private func filled(_ rows: Rows, _ layout: Layout, _ grid: [Int64]) throws(MartletError) -> Rows {
        let count = layout.source.count
        var columns: [Column] = []
        for (index, mode) in plan.modes.enumerated() {
            let column = rows.columns[index]
            if index == plan.bucket {
                columns.append(Column(.timestamp, unsafeElements: (0..<count).map { grid[$0 % grid.count] }))
                continue
            }
            switch mode {
            case .key: columns.append(ColumnKernels.take(column, layout.keys))
            case .null: columns.append(ColumnKernels.take(column, layout.source))
            case .previous: columns.append(ColumnKernels.take(column, carried(column, layout, grid.count)))
            case .value(let value):
                let filler = try ColumnKernels.constant(value, type: column.type, count: count)
                columns.append(
                    try ColumnKernels.coalesce(
                        [ColumnKernels.take(column, layout.source), filler], type: column.type, rowCount: count))
            case .linear:
                let known = try ColumnKernels.cast(ColumnKernels.take(column, layout.source), to: .float64)
                let values = interpolated(known, grid)
                columns.append(column.type == .float64 ? values : try ColumnKernels.cast(values, to: column.type))
            }
        }
        return Rows(count: count, columns: columns)
    }

    /// Per row the last source row of its series, so far, that has a value.
    private func carried(_ column: Column, _ layout: Layout, _ width: Int) -> [Int32] {
        var last: Int32 = -1
        return layout.source.enumerated().map { place, row in
            if place % width == 0 { last = -1 }
            if row >= 0 && column.isValid(Int(row)) { last = row }
            return last
        }
    }

    /// Straight lines between the values of each series; nothing before its first and after its last.
    private func interpolated(_ column: Column, _ grid: [Int64]) -> Column {
        var values = MutableBuffer(capacity: column.count * 8)
        var validity = BitmapBuilder(capacity: column.count)
        withExtendedLifetime(column) {
            let known = column.values.pointer(to: Double.self)
            for start in stride(from: 0, to: column.count, by: max(grid.count, 1)) {
                var before = -1
                var after = 0
                for place in 0..<grid.count {
                    let row = start + place
                    if column.isValid(row) {
                        before = place
                        values.append(known[row])
                        validity.append(true)
                        continue
                    }
                    after = max(after, place)
                    while after < grid.count && !column.isValid(start + after) { after += 1 }
                    if before < 0 || after >= grid.count {
                        values.append(0.0)
                        validity.append(false)
                        continue
                    }
                    let share = Double(grid[place] - grid[before]) / Double(grid[after] - grid[before])
                    let low = known[start + before]
                    values.append(low + (known[start + after] - low) * share)
                    validity.append(true)
                }
            }
        }
        let nulls = validity.clearCount
        return Column(
            type: .float64, count: column.count, nullCount: nulls, validity: validity.finish(), values: values.finish())
    }

    override var inputs: [Operator] { [input] }
    override var title: String { "Fill" }
    override var details: [String] {
        let modes = columns.indices.compactMap { index -> String? in
            switch plan.modes[index] {
            case .key: nil
            case .null: "\(columns[index].name) with NULL"
            case .previous: "\(columns[index].name) with the previous value"
            case .linear: "\(columns[index].name) linearly"
            case .value(let value): "\(columns[index].name) with \(ExpressionText.constant(value))"
            }
        }
        return [modes.joined(separator: ", ")]
    }
}

extension TimeBucket {
    /// The buckets of a bound `time_bucket` or `date_trunc` whose arguments besides the time are constant; `nil` for
    /// any other expression.
    init?(_ expression: BoundExpression) throws(MartletError) {
        guard case .call(let function, let arguments, .timestamp, _) = expression, arguments.count >= 2,
            case .constant(let first?, _) = arguments[0]
        else { return nil }
        if function.name == "date_trunc", case .string(let unit) = first, arguments.count == 2 {
            guard let width = Self.units[unit.lowercased()] else { return nil }
            try self.init(width: width)
            return
        }
        guard function.name == "time_bucket" else { return nil }
        var width = first
        if case .string = first {
            guard let cast = try ColumnKernels.cast(Column(.string, [first]), to: .interval).value(at: 0) else {
                return nil
            }
            width = cast
        }
        guard case .interval(let interval) = width else { return nil }
        var origin: Int64?
        var offset = Interval()
        var zone: String?
        for argument in arguments.dropFirst(2) {
            switch argument {
            case .constant(.timestamp(let time)?, _): origin = time.nanoseconds
            case .constant(.interval(let given)?, _): offset = given
            case .constant(.string(let name)?, _): zone = name
            default: return nil
            }
        }
        try self.init(width: interval, origin: origin, offset: offset, zone: zone)
    }

    private static let units: [String: Interval] = [
        "microsecond": Interval(nanoseconds: 1_000), "microseconds": Interval(nanoseconds: 1_000),
        "millisecond": Interval(nanoseconds: 1_000_000), "milliseconds": Interval(nanoseconds: 1_000_000),
        "second": Interval(nanoseconds: 1_000_000_000), "minute": Interval(nanoseconds: 60_000_000_000),
        "hour": Interval(nanoseconds: 3_600_000_000_000), "day": Interval(days: 1), "week": Interval(days: 7),
        "month": Interval(months: 1), "quarter": Interval(months: 3), "year": Interval(months: 12),
    ]
}
