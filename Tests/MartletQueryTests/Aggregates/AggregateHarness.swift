import MartletModel
import MartletTestSupport

@testable import MartletQuery

/// Runs one built-in aggregate over columns.
struct AggregateHarness {
    var name: String
    var constants: [FieldValue?] = []
    var times: [Int64]?

    init(_ name: String, constants: [FieldValue?] = [], times: [Int64]? = nil) {
        self.name = name
        self.constants = constants
        self.times = times
    }

    private func accumulator(_ columns: [Column]) throws(MartletError) -> any AggregateAccumulator {
        guard let function = FunctionRegistry.builtIn.aggregate(name) else {
            throw MartletError(.notFound, "no aggregate \(name)")
        }
        let types = columns.map { Optional($0.type) } + constants.map { $0?.type }
        return try function.makeAccumulator(
            argumentTypes: types, constants: columns.map { _ in nil } + constants)
    }

    private func arguments(_ columns: [Column], _ count: Int) throws(MartletError) -> [Column] {
        var result = columns
        for constant in constants {
            result.append(try ColumnKernels.constant(constant, type: constant?.type ?? .float64, count: count))
        }
        return result
    }

    /// The results per group; all rows are of group 0 unless said otherwise.
    func run(_ columns: [Column], groups: [UInt32]? = nil, selection: [Int32]? = nil, count: Int? = nil)
        throws(MartletError) -> [FieldValue?]
    {
        let rowCount = count ?? columns[0].count
        let groups = groups ?? [UInt32](repeating: 0, count: rowCount)
        let groupCount = Int(groups.max() ?? 0) + 1
        let state = try accumulator(columns)
        state.grow(toGroups: groupCount)
        try add(state, columns, groups, selection)
        return try state.finish(groupCount: groupCount).list
    }

    /// The same by two accumulators that each take part of the rows and are merged with swapped group numbers.
    func runMerged(_ columns: [Column], groups: [UInt32], cut: Int) throws(MartletError) -> [FieldValue?] {
        let groupCount = Int(groups.max() ?? 0) + 1
        let first = try accumulator(columns)
        let second = try accumulator(columns)
        first.grow(toGroups: groupCount)
        second.grow(toGroups: groupCount)
        try add(first, columns, groups, (0..<Int32(cut)).map { $0 })
        let last = UInt32(groupCount - 1)
        try add(second, columns, groups.map { last - $0 }, (Int32(cut)..<Int32(groups.count)).map { $0 })
        try first.merge(second, mapping: (0...last).map { last - $0 })
        return try first.finish(groupCount: groupCount).list
    }

    private func add(
        _ state: any AggregateAccumulator, _ columns: [Column], _ groups: [UInt32], _ selection: [Int32]?
    ) throws(MartletError) {
        let arguments = try arguments(columns, groups.count)
        let times = times ?? (0..<Int64(groups.count)).map { $0 * 1_000_000_000 }
        let groupBuffer = Buffer(groups)
        let timeBuffer = Buffer(times)
        let selectionBuffer = selection.map { Buffer($0) }
        try withExtendedLifetime((groupBuffer, timeBuffer, selectionBuffer)) { () throws(MartletError) in
            try state.add(
                arguments, times: timeBuffer.pointer(to: Int64.self), groups: groupBuffer.pointer(to: UInt32.self),
                selection: selectionBuffer?.elements(of: Int32.self), rowCount: groups.count)
        }
    }

    /// The only group's float.
    func float(_ columns: [Column]) throws(MartletError) -> Double? {
        guard case .float64(let value)? = try run(columns)[0] else { return nil }
        return value
    }
}

/// Equality with a tolerance for floats.
func close(_ a: [FieldValue?], _ b: [FieldValue?]) -> Bool {
    a.count == b.count && zip(a, b).allSatisfy { close($0, $1) }
}

func close(_ a: FieldValue?, _ b: FieldValue?) -> Bool {
    guard case .float64(let x)? = a, case .float64(let y)? = b else { return a == b }
    return x == y || (x.isNaN && y.isNaN) || abs(x - y) <= 1e-9 * max(1, abs(x), abs(y))
}
