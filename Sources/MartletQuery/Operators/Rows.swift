import MartletModel

/// Rows between operators: columns without their descriptions, at most `maximumScanRows` of them unless an operator
/// says otherwise.
struct Rows: Sendable {
    var count: Int
    var columns: [Column]

    /// No rows of no columns.
    static let none = Rows(count: 0, columns: [])
    /// One row of no columns: what expressions without a FROM are evaluated over.
    static let unit = Rows(count: 1, columns: [])

    /// The rows listed in `selection`.
    func filtered(_ selection: [Int32]) -> Rows {
        if selection.count == count { return self }
        return selection.withUnsafeBufferPointer { selection in
            Rows(count: selection.count, columns: columns.map { ColumnKernels.filter($0, selection) })
        }
    }

    /// Like `filtered`, in any order, with -1 for a row of nulls.
    func taking(_ indices: [Int32]) -> Rows {
        indices.withUnsafeBufferPointer { indices in
            Rows(count: indices.count, columns: columns.map { ColumnKernels.take($0, indices) })
        }
    }

    /// The rows of a range.
    func slice(_ range: Range<Int>) -> Rows {
        if range == 0..<count { return self }
        return Rows(count: range.count, columns: columns.map { ColumnKernels.slice($0, range) })
    }

    /// Bytes held by the columns.
    var memoryFootprint: Int { columns.reduce(0) { $0 + $1.memoryFootprint } }

    /// Several batches as one.
    static func concatenated(_ parts: [Rows], types: [ColumnType]) throws(MartletError) -> Rows {
        if parts.count == 1 { return parts[0] }
        var columns: [Column] = []
        columns.reserveCapacity(types.count)
        for (index, type) in types.enumerated() {
            columns.append(try ColumnKernels.concat(parts.map { $0.columns[index] }, type: type))
        }
        return Rows(count: parts.reduce(0) { $0 + $1.count }, columns: columns)
    }
}
