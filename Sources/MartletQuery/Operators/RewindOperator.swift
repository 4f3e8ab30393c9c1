import MartletModel

/// The first rows by time, ascending or descending, found by reading ever larger stretches from that end of time until
/// there are enough.
///
/// Exact because the plan below orders by time (or by a bucket of time) first: once the rows at or past a moment are
/// enough, no row on its other side can come before them.
final class RewindOperator: Operator {
    private let plan: Plan
    private let planner: PhysicalPlanner
    private let wanted: Int
    private let target: RewindTarget
    private var result: [Rows]?
    private var position = 0
    private var last: Operator?
    private var rounds = 0

    init(_ plan: Plan, wanted: Int, target: RewindTarget, planner: PhysicalPlanner, context: StatementContext) {
        self.plan = plan
        self.planner = planner
        self.wanted = wanted
        self.target = target
        super.init(columns: plan.columns, context: context)
    }

    override func produce() throws(MartletError) -> Rows? {
        if result == nil { result = try run() }
        guard let result, position < result.count else { return nil }
        defer { position += 1 }
        return result[position]
    }

    private func run() throws(MartletError) -> [Rows] {
        // Stored rows bound the time that is worth reading, and their density says where to start.
        var stored = TimeRange.empty
        var storedRows = 0
        for segment in try context.snapshot().segments where segment.rows > 0 {
            stored = stored.union(segment.time)
            storedRows += segment.rows
        }
        let range = target.range.intersection(stored)
        if range.isEmpty { return [] }
        let span = Double(stored.upperBound) - Double(stored.lowerBound) + 1
        var width =
            target.width.map { Double($0) * Double(wanted + 1) } ?? span / Double(max(storedRows, 1)) * Double(wanted)
            * 4
        width = max(width, 1_000)
        while true {
            let part = stretch(range, width)
            let (rows, count) = try read(part)
            if count >= wanted || part == range { return rows }
            width *= 16
        }
    }

    /// The part of `range` that is `width` long at the wanted end, cut where buckets begin.
    private func stretch(_ range: TimeRange, _ width: Double) -> TimeRange {
        if width >= Double(range.upperBound) - Double(range.lowerBound) { return range }
        var part = range
        if target.isDescending {
            part.lowerBound = max(range.lowerBound, range.upperBound &- Int64(width))
            if let grid = target.grid {
                part.lowerBound = max(range.lowerBound, grid.start(of: grid.bucket(of: part.lowerBound)))
            }
        } else {
            part.upperBound = min(range.upperBound, range.lowerBound &+ Int64(width))
            if let grid = target.grid {
                part.upperBound = min(range.upperBound, grid.end(of: grid.bucket(of: part.upperBound)))
            }
        }
        return part
    }

    private func read(_ range: TimeRange) throws(MartletError) -> ([Rows], Int) {
        rounds += 1
        let root = try planner.top(plan.narrowed(to: range), wanted)
        last = root
        var rows: [Rows] = []
        var count = 0
        while let batch = try root.next() {
            rows.append(batch)
            count += batch.count
        }
        return (rows, count)
    }

    override var inputs: [Operator] { last.map { [$0] } ?? [] }
    override var title: String { target.isDescending ? "Newest rows" : "Oldest rows" }
    override var details: [String] {
        ["\(wanted) rows" + (rounds > 0 ? ", found in \(rounds) \(rounds == 1 ? "reading" : "readings")" : "")]
    }
}

/// What a rewind reads.
struct RewindTarget {
    var range: TimeRange
    var isDescending: Bool
    /// The buckets that the order goes by, if it does not go by time itself.
    var grid: BucketGrid?
    var width: Int64? { grid?.width }
}

extension Plan {
    /// The plan with its one scan bounded to `range` as well.
    func narrowed(to range: TimeRange) -> Plan {
        switch self {
        case .scan(var scan):
            scan.time = scan.time.intersection(range)
            return .scan(scan)
        case .filter(let input, let condition): return .filter(input.narrowed(to: range), condition)
        case .project(let input, let expressions, let columns):
            return .project(input.narrowed(to: range), expressions, columns)
        case .aggregate(let input, let aggregate): return .aggregate(input.narrowed(to: range), aggregate)
        case .sort(let input, let keys): return .sort(input.narrowed(to: range), keys)
        default: return self
        }
    }

    /// What to rewind over when the plan's column `column` orders the rows; `nil` when that column is no time of a scan.
    func rewindTarget(_ column: Int, isDescending: Bool, context: EvaluatorContext) -> RewindTarget? {
        switch self {
        case .scan(let scan):
            guard scan.columns[column] == .time, !scan.isLatest else { return nil }
            return RewindTarget(range: scan.time, isDescending: isDescending)
        case .filter(let input, _):
            return input.rewindTarget(column, isDescending: isDescending, context: context)
        case .project(let input, let expressions, _):
            guard case .column(let inner, _, _) = expressions[column] else { return nil }
            return input.rewindTarget(inner, isDescending: isDescending, context: context)
        case .aggregate(.scan(let scan), let aggregate):
            guard column < aggregate.keys.count, !scan.isLatest, let time = scan.columns.firstIndex(of: .time),
                let grid = BucketGrid(aggregate.keys[column], time: time, context: context)
            else { return nil }
            return RewindTarget(range: scan.time, isDescending: isDescending, grid: grid)
        default: return nil
        }
    }
}
