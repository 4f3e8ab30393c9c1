import MartletModel

/// ORDER BY, all of the input or its first rows only.
final class SortOperator: Operator {
    private let input: Operator
    private let keys: [SortKey]
    private let evaluators: [Evaluator]
    private let directions: [SortDirection]
    /// The number of rows that are wanted; `nil`: all.
    private let limit: Int?
    private var sorted: Rows?
    private var position = 0
    private let lease: MemoryLease

    init(_ input: Operator, _ keys: [SortKey], limit: Int?) {
        self.input = input
        self.keys = keys
        self.limit = limit
        evaluators = keys.map { Evaluator.make($0.expression, context: input.context.evaluators) }
        directions = keys.map { SortDirection(descending: $0.isDescending, nullsFirst: $0.nullsFirst) }
        lease = MemoryLease(input.context.query.memory, purpose: "ORDER BY")
        super.init(columns: input.columns, context: input.context)
    }

    override func produce() throws(MartletError) -> Rows? {
        if sorted == nil { sorted = try run() }
        guard let sorted, position < sorted.count else { return nil }
        let end = min(sorted.count, position + maximumBatchRows)
        defer { position = end }
        return sorted.slice(position..<end)
    }

    private func run() throws(MartletError) -> Rows {
        var parts: [Rows] = []
        var count = 0
        var bytes = 0
        // With a limit, the kept rows are cut back to the best whenever they have grown to a few times the limit.
        let cut = limit.map { max($0 * 2, maximumBatchRows * 2) } ?? .max
        while let rows = try input.next() {
            parts.append(rows)
            count += rows.count
            bytes += rows.memoryFootprint
            try lease.set(bytes)
            if count > cut {
                let best = try order(parts)
                parts = [best]
                count = best.count
                bytes = best.memoryFootprint
                try lease.set(bytes)
            }
        }
        try context.query.check()
        if parts.isEmpty { return .none }
        try lease.grow(by: bytes + count * 16)
        return try order(parts)
    }

    private func order(_ parts: [Rows]) throws(MartletError) -> Rows {
        let all = try Rows.concatenated(parts, types: types)
        var columns: [Column] = []
        for evaluator in evaluators { columns.append(try evaluator.evaluate(all)) }
        var rows = ColumnKernels.sortedRows(columns, directions, rowCount: all.count)
        if let limit, rows.count > limit { rows.removeSubrange(limit...) }
        return all.taking(rows)
    }

    override var inputs: [Operator] { [input] }
    override var title: String { limit == nil ? "Sort" : "Top" }
    override var details: [String] {
        let names = input.columns.map(\.name)
        let by = "by " + keys.map { ExpressionText.of($0, columns: names) }.joined(separator: ", ")
        return [limit.map { "the first \($0) " + by } ?? by]
    }
}

/// DISTINCT and DISTINCT ON: the first row of each.
final class DistinctOperator: Operator {
    private let input: Operator
    private let on: [Int]?
    private var table: GroupTable
    private let lease: MemoryLease
    private var numbers: [UInt32] = []

    init(_ input: Operator, on: [Int]?) {
        self.input = input
        self.on = on
        let places = on ?? Array(input.columns.indices)
        table = GroupTable(types: places.map { input.columns[$0].type })
        lease = MemoryLease(input.context.query.memory, purpose: "DISTINCT")
        super.init(columns: input.columns, context: input.context)
    }

    override func produce() throws(MartletError) -> Rows? {
        while let rows = try input.next() {
            let keys = on.map { places in places.map { rows.columns[$0] } } ?? rows.columns
            if numbers.count < rows.count { numbers = [UInt32](repeating: 0, count: max(rows.count, maximumBatchRows)) }
            var known = UInt32(table.count)
            numbers.withUnsafeMutableBufferPointer { numbers in
                if let base = numbers.baseAddress { table.assign(keys, rowCount: rows.count, groups: base) }
            }
            try lease.set(table.memoryFootprint)
            var selection: [Int32] = []
            for row in 0..<rows.count where numbers[row] >= known {
                known = numbers[row] + 1
                selection.append(Int32(row))
            }
            if !selection.isEmpty { return rows.filtered(selection) }
        }
        return nil
    }

    override var inputs: [Operator] { [input] }
    override var title: String { "Distinct" }
    override var details: [String] {
        on.map { places in ["on " + places.map { columns[$0].name }.joined(separator: ", ")] } ?? []
    }
}

/// EXCEPT and INTERSECT, with ALL or without.
final class SetOperator: Operator {
    private let left: Operator
    private let right: Operator
    private let keepsCommon: Bool
    private let isAll: Bool
    private var table: GroupTable
    /// How often each row occurs on the right and is not used up yet.
    private var remaining: [Int] = []
    /// Rows that were given, for the forms without ALL.
    private var given: [Bool] = []
    private var isPrepared = false
    private let lease: MemoryLease

    init(_ left: Operator, _ right: Operator, keepsCommon: Bool, isAll: Bool, columns: [ColumnDescription]) {
        self.left = left
        self.right = right
        self.keepsCommon = keepsCommon
        self.isAll = isAll
        table = GroupTable(types: columns.map(\.type))
        lease = MemoryLease(left.context.query.memory, purpose: keepsCommon ? "INTERSECT" : "EXCEPT")
        super.init(columns: columns, context: left.context)
    }

    private func numbers(_ rows: Rows) throws(MartletError) -> [UInt32] {
        var numbers = [UInt32](repeating: 0, count: rows.count)
        numbers.withUnsafeMutableBufferPointer { numbers in
            if let base = numbers.baseAddress { table.assign(rows.columns, rowCount: rows.count, groups: base) }
        }
        while remaining.count < table.count {
            remaining.append(0)
            given.append(false)
        }
        try lease.set(table.memoryFootprint + remaining.count * 9)
        return numbers
    }

    override func produce() throws(MartletError) -> Rows? {
        if !isPrepared {
            isPrepared = true
            while let rows = try right.next() { for number in try numbers(rows) { remaining[Int(number)] += 1 } }
        }
        while let rows = try left.next() {
            var selection: [Int32] = []
            for (row, number) in try numbers(rows).enumerated() {
                let isCommon = remaining[Int(number)] > 0
                if isAll {
                    if isCommon { remaining[Int(number)] -= 1 }
                    if isCommon == keepsCommon { selection.append(Int32(row)) }
                } else if isCommon == keepsCommon && !given[Int(number)] {
                    given[Int(number)] = true
                    selection.append(Int32(row))
                }
            }
            if !selection.isEmpty { return rows.filtered(selection) }
        }
        return nil
    }

    override var inputs: [Operator] { [left, right] }
    override var title: String { (keepsCommon ? "Intersect" : "Except") + (isAll ? " all" : "") }
}
