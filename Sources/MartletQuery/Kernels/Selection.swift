import MartletModel

extension ColumnKernels {
    /// The type that holds the values of all branches of a CASE, COALESCE, UNION or list; `nil` entries are untyped
    /// NULLs. `nil` when there is none. BIGINT with UBIGINT gives BIGINT, any number with DOUBLE gives DOUBLE.
    package static func commonType(_ types: [ColumnType?]) -> ColumnType? {
        var result: ColumnType?
        for case let type? in types {
            guard let known = result else {
                result = type
                continue
            }
            if known == type { continue }
            guard known.isNumeric, type.isNumeric else { return nil }
            result = known == .float64 || type == .float64 ? .float64 : .int64
        }
        return result ?? .int64
    }

    /// CASE: the value of the first branch whose condition is true, else `otherwise` (`nil`: NULL). Every value must be
    /// of `type`. O(rows x branches).
    package static func select(
        _ branches: [(condition: Column, value: Column)], otherwise: Column?, type: ColumnType, rowCount: Int
    ) throws(MartletError) -> Column {
        var choice = [Int32](repeating: otherwise == nil ? -1 : Int32(branches.count), count: rowCount)
        var open = [Bool](repeating: true, count: rowCount)
        for (number, branch) in branches.enumerated() {
            let step = branch.condition.repeats(over: rowCount) ? 0 : 1
            let bits = branch.condition.values.baseAddress
            for row in 0..<rowCount where open[row] {
                if branch.condition.isValid(row * step), Bitmap.isSet(bits, row * step) {
                    open[row] = false
                    choice[row] = Int32(truncatingIfNeeded: number)
                }
            }
        }
        return try choose(
            branches.map(\.value) + (otherwise.map { [$0] } ?? []), choice, type: type, rowCount: rowCount)
    }

    /// The first value that is not NULL. Every column must be of `type`.
    package static func coalesce(_ columns: [Column], type: ColumnType, rowCount: Int) throws(MartletError) -> Column {
        if let first = columns.first, first.nullCount == 0 { return broadcast(first, to: rowCount) }
        var choice = [Int32](repeating: -1, count: rowCount)
        for (number, column) in columns.enumerated() {
            let step = column.repeats(over: rowCount) ? 0 : 1
            for row in 0..<rowCount where choice[row] < 0 && column.isValid(row * step) {
                choice[row] = Int32(truncatingIfNeeded: number)
            }
        }
        return try choose(columns, choice, type: type, rowCount: rowCount)
    }

    /// Row `row` of column `choice[row]`; -1 gives NULL.
    package static func choose(
        _ columns: [Column], _ choice: [Int32], type: ColumnType, rowCount: Int
    ) throws(MartletError) -> Column {
        let meaningful = columns.map { $0.type == type ? $0 : .nulls(type, count: $0.count) }
        guard !meaningful.isEmpty else { return .nulls(type, count: rowCount) }
        var starts: [Int32] = []
        var total: Int32 = 0
        for column in meaningful {
            starts.append(total)
            total += Int32(column.count)
        }
        let indices = (0..<rowCount).map { row -> Int32 in
            let number = Int(choice[row])
            if number < 0 { return -1 }
            return starts[number] + (meaningful[number].repeats(over: rowCount) ? 0 : Int32(row))
        }
        return take(try concat(meaningful, type: type), indices)
    }

    /// Puts columns that were computed on part of the rows together: row `parts[p].rows[i]` of the result is row `i`
    /// of `parts[p].column`; rows that no part names are NULL. For CASE branches that must not run on other rows.
    package static func scatter(
        _ parts: [(column: Column, rows: [Int32])], type: ColumnType, rowCount: Int
    ) throws(MartletError) -> Column {
        var indices = [Int32](repeating: -1, count: rowCount)
        var start: Int32 = 0
        for part in parts {
            precondition(part.column.count == part.rows.count, "a part needs one value a row")
            for (offset, row) in part.rows.enumerated() { indices[Int(row)] = start + Int32(offset) }
            start += Int32(part.rows.count)
        }
        guard !parts.isEmpty else { return .nulls(type, count: rowCount) }
        return take(try concat(parts.map(\.column), type: type), indices)
    }
}
