import MartletModel

/// INNER, LEFT, FULL and CROSS JOIN: the right side in a hash table, the left side streamed past it.
final class HashJoinOperator: Operator {
    private let left: Operator
    private let right: Operator
    private let plan: JoinPlan
    private let leftKeys: [Evaluator]
    private let rightKeys: [Evaluator]
    private let residual: Evaluator?
    private let lease: MemoryLease

    // The right side.
    private var build: Rows?
    private var buildKeys: [Column] = []
    private var heads: [Int32] = []
    private var chain: [Int32] = []
    private var mask = 0
    private var isRightMatched: [Bool] = []
    private var unmatchedPosition = 0

    // The left batch being probed.
    private var probe: Rows?
    private var probeHashes: [UInt64] = []
    private var matcher: RowMatcher?
    private var row = 0
    /// The next candidate of `row`; -2: look it up.
    private var candidate: Int32 = -2
    private var isLeftMatched: [Bool] = []

    init(_ left: Operator, _ right: Operator, _ plan: JoinPlan) {
        self.left = left
        self.right = right
        self.plan = plan
        let evaluators = left.context.evaluators
        leftKeys = plan.keys.map { Evaluator.make($0.left, context: evaluators) }
        rightKeys = plan.keys.map { Evaluator.make($0.right, context: evaluators) }
        residual = plan.residual.map { Evaluator.make($0, context: evaluators) }
        lease = MemoryLease(left.context.query.memory, purpose: "JOIN")
        super.init(columns: left.columns + right.columns, context: left.context)
    }

    override func produce() throws(MartletError) -> Rows? {
        if build == nil { try prepare() }
        guard let build else { return nil }
        while true {
            try context.query.check()
            if probe == nil {
                guard let rows = try left.next() else { return unmatchedRight(build) }
                try start(rows)
            }
            guard let probe else { return nil }
            if row < probe.count {
                if let rows = try pairs(probe, build) { return rows }
                continue
            }
            self.probe = nil
            if plan.kind == .left || plan.kind == .full, let rows = unmatchedLeft(probe, build) { return rows }
        }
    }

    private func prepare() throws(MartletError) {
        var parts: [Rows] = []
        var bytes = 0
        while let rows = try right.next() {
            parts.append(rows)
            bytes += rows.memoryFootprint + rows.count * 24
            try lease.set(bytes)
        }
        try lease.grow(by: bytes)
        let all =
            parts.isEmpty
            ? Rows(count: 0, columns: right.types.map { .nulls($0, count: 0) })
            : try Rows.concatenated(parts, types: right.types)
        for key in rightKeys { buildKeys.append(try key.evaluate(all)) }
        if !rightKeys.isEmpty {
            let hashes = ColumnKernels.hashRows(buildKeys, rowCount: all.count)
            var size = 16
            while size < all.count * 2 { size *= 2 }
            mask = size - 1
            heads = [Int32](repeating: -1, count: size)
            chain = [Int32](repeating: -1, count: all.count)
            // From the back, so that a chain runs in the order of the rows.
            for index in stride(from: all.count - 1, through: 0, by: -1) {
                let slot = Int(truncatingIfNeeded: hashes[index]) & mask
                chain[index] = heads[slot]
                heads[slot] = Int32(index)
            }
        }
        if plan.kind == .full { isRightMatched = [Bool](repeating: false, count: all.count) }
        build = all
    }

    private func start(_ rows: Rows) throws(MartletError) {
        probe = rows
        row = 0
        candidate = -2
        if plan.kind == .left || plan.kind == .full { isLeftMatched = [Bool](repeating: false, count: rows.count) }
        if leftKeys.isEmpty { return }
        var keys: [Column] = []
        for key in leftKeys { keys.append(try key.evaluate(rows)) }
        probeHashes = ColumnKernels.hashRows(keys, rowCount: rows.count)
        matcher = RowMatcher(keys, buildKeys, nullsEqual: false)
    }

    /// The next pairs of the probed batch that join; `nil` when a stretch of it gave none.
    private func pairs(_ probe: Rows, _ build: Rows) throws(MartletError) -> Rows? {
        var lefts: [Int32] = []
        var rights: [Int32] = []
        while row < probe.count && lefts.count < maximumBatchRows {
            if candidate == -2 {
                candidate =
                    leftKeys.isEmpty
                    ? (build.count > 0 ? 0 : -1) : heads[Int(truncatingIfNeeded: probeHashes[row]) & mask]
            }
            while candidate >= 0 && lefts.count < maximumBatchRows {
                let index = candidate
                candidate = leftKeys.isEmpty ? (Int(index) + 1 < build.count ? index + 1 : -1) : chain[Int(index)]
                if matcher?.equal(row, Int(index)) ?? true {
                    lefts.append(Int32(row))
                    rights.append(index)
                }
            }
            if candidate < 0 {
                row += 1
                candidate = -2
            }
        }
        if lefts.isEmpty { return nil }
        var rows = Rows(count: lefts.count, columns: probe.taking(lefts).columns + build.taking(rights).columns)
        if let residual {
            let selection = try residual.select(rows)
            rows = rows.filtered(selection)
            if selection.count < lefts.count {
                lefts = selection.map { lefts[Int($0)] }
                rights = selection.map { rights[Int($0)] }
            }
        }
        if !isLeftMatched.isEmpty { for index in lefts { isLeftMatched[Int(index)] = true } }
        if !isRightMatched.isEmpty { for index in rights { isRightMatched[Int(index)] = true } }
        return rows.count > 0 ? rows : nil
    }

    private func unmatchedLeft(_ probe: Rows, _ build: Rows) -> Rows? {
        let rest = (0..<probe.count).filter { !isLeftMatched[$0] }.map { Int32($0) }
        if rest.isEmpty { return nil }
        let nulls = right.types.map { Column.nulls($0, count: rest.count) }
        return Rows(count: rest.count, columns: probe.filtered(rest).columns + nulls)
    }

    private func unmatchedRight(_ build: Rows) -> Rows? {
        guard plan.kind == .full else { return nil }
        var rest: [Int32] = []
        while unmatchedPosition < build.count && rest.count < maximumBatchRows {
            if !isRightMatched[unmatchedPosition] { rest.append(Int32(unmatchedPosition)) }
            unmatchedPosition += 1
        }
        if rest.isEmpty { return nil }
        let nulls = left.types.map { Column.nulls($0, count: rest.count) }
        return Rows(count: rest.count, columns: nulls + build.taking(rest).columns)
    }

    override var inputs: [Operator] { [left, right] }
    override var title: String { "Join (\(plan.kind.rawValue))" }
    override var details: [String] {
        let names = (left.columns.map(\.name), right.columns.map(\.name))
        var lines = plan.keys.map {
            "\(ExpressionText.of($0.left, columns: names.0)) = \(ExpressionText.of($0.right, columns: names.1))"
        }
        if let residual = plan.residual { lines.append(ExpressionText.of(residual, columns: names.0 + names.1)) }
        return lines
    }
}

/// ASOF JOIN: each left row with the one right row of equal keys that is nearest in time on the asked-for side.
final class AsOfJoinOperator: Operator {
    private let left: Operator
    private let right: Operator
    private let plan: JoinPlan
    private let asOf: JoinPlan.AsOf
    private let leftKeys: [Evaluator]
    private let rightKeys: [Evaluator]
    private let leftTime: Evaluator
    private let rightTime: Evaluator
    private let lease: MemoryLease

    private var build: Rows?
    private var groups: GroupTable
    /// Rows of `build` from `starts[g]` to `starts[g + 1]` have the keys of group `g`, in order of time.
    private var starts: [Int] = []
    private var times: Column?

    init(_ left: Operator, _ right: Operator, _ plan: JoinPlan, _ asOf: JoinPlan.AsOf) {
        self.left = left
        self.right = right
        self.plan = plan
        self.asOf = asOf
        let evaluators = left.context.evaluators
        leftKeys = plan.keys.map { Evaluator.make($0.left, context: evaluators) }
        rightKeys = plan.keys.map { Evaluator.make($0.right, context: evaluators) }
        leftTime = Evaluator.make(asOf.left, context: evaluators)
        rightTime = Evaluator.make(asOf.right, context: evaluators)
        groups = GroupTable(types: [.bool] + plan.keys.map(\.left.columnType))
        lease = MemoryLease(left.context.query.memory, purpose: "ASOF JOIN")
        super.init(columns: left.columns + right.columns, context: left.context)
    }

    /// Key columns behind a constant one, so that a join without keys has one group.
    private func keys(_ evaluators: [Evaluator], _ rows: Rows) throws(MartletError) -> [Column] {
        var columns = [try ColumnKernels.constant(.bool(true), type: .bool, count: rows.count)]
        for evaluator in evaluators { columns.append(try evaluator.evaluate(rows)) }
        return columns
    }

    private func prepare() throws(MartletError) {
        var parts: [Rows] = []
        var bytes = 0
        while let rows = try right.next() {
            parts.append(rows)
            bytes += rows.memoryFootprint + rows.count * 16
            try lease.set(bytes)
        }
        try lease.grow(by: bytes)
        var all =
            parts.isEmpty
            ? Rows(count: 0, columns: right.types.map { .nulls($0, count: 0) })
            : try Rows.concatenated(parts, types: right.types)
        all = all.filtered(ColumnKernels.selectedRows(ColumnKernels.isNotNull(try rightTime.evaluate(all))))
        var numbers = [UInt32](repeating: 0, count: all.count)
        let keyColumns = try keys(rightKeys, all)
        numbers.withUnsafeMutableBufferPointer { numbers in
            if let base = numbers.baseAddress { groups.assign(keyColumns, rowCount: all.count, groups: base) }
        }
        let groupColumn = Column(type: .int64, count: all.count, values: Buffer(numbers.map { Int64($0) }))
        let timeColumn = try rightTime.evaluate(all)
        let order = ColumnKernels.sortedRows(
            [groupColumn, timeColumn], [SortDirection(), SortDirection()], rowCount: all.count)
        starts = [Int](repeating: 0, count: groups.count + 1)
        for number in numbers { starts[Int(number) + 1] += 1 }
        for group in 0..<groups.count { starts[group + 1] += starts[group] }
        times = ColumnKernels.take(timeColumn, order)
        build = all.taking(order)
    }

    override func produce() throws(MartletError) -> Rows? {
        if build == nil { try prepare() }
        guard let build, let times else { return nil }
        while let rows = try left.next() {
            let keyColumns = try keys(leftKeys, rows)
            let leftTimes = try leftTime.evaluate(rows)
            let ordering = RowOrdering([leftTimes], [times], [SortDirection()])
            var lefts: [Int32] = []
            var rights: [Int32] = []
            let keepsAll = plan.kind == .left
            for row in 0..<rows.count {
                var match: Int32 = -1
                if leftTimes.isValid(row), keyColumns.allSatisfy({ $0.isValid(row) }),
                    let group = groups.find(keyColumns, row: row)
                {
                    match = nearest(row, starts[Int(group)]..<starts[Int(group) + 1], ordering)
                }
                if match >= 0 || keepsAll {
                    lefts.append(Int32(row))
                    rights.append(match)
                }
            }
            if !lefts.isEmpty {
                return Rows(count: lefts.count, columns: rows.filtered(lefts).columns + build.taking(rights).columns)
            }
        }
        return nil
    }

    /// The right row that a left row takes, by halving; -1 for none.
    private func nearest(_ row: Int, _ range: Range<Int>, _ ordering: RowOrdering) -> Int32 {
        // The first right row for which "right is past left" holds; what is before it is on the other side.
        let includesEqual = asOf.comparison == .greaterOrEqual || asOf.comparison == .less
        var low = range.lowerBound
        var high = range.upperBound
        while low < high {
            let middle = (low + high) / 2
            let order = ordering.compare(row, middle)
            if order > 0 || (order == 0 && includesEqual) { low = middle + 1 } else { high = middle }
        }
        switch asOf.comparison {
        case .greaterOrEqual, .greater: return low > range.lowerBound ? Int32(low - 1) : -1
        case .lessOrEqual, .less: return low < range.upperBound ? Int32(low) : -1
        }
    }

    override var inputs: [Operator] { [left, right] }
    override var title: String { "As-of join (\(plan.kind.rawValue))" }
    override var details: [String] {
        let names = (left.columns.map(\.name), right.columns.map(\.name))
        return plan.keys.map {
            "\(ExpressionText.of($0.left, columns: names.0)) = \(ExpressionText.of($0.right, columns: names.1))"
        } + [
            "\(ExpressionText.of(asOf.left, columns: names.0)) \(asOf.comparison.rawValue) "
                + ExpressionText.of(asOf.right, columns: names.1)
        ]
    }
}
