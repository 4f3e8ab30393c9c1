import MartletModel

/// Which rows of a scan cannot lie within the bounds asked for, by the statistics of the row groups they are in.
///
/// It is asked after duplicates were resolved, never before: a newer row that is out of bounds hides the older ones of
/// its time also where it is not delivered. Where the fields of one row come from several row groups, a bound rules the
/// row out only if every one of those groups does; one bound must do so alone, because each group may hold the field of
/// another bound.
struct BoundPruning {
    /// For each row group of the plan the bounds that none of its rows meets, as bits.
    private let excluded: [UInt64]

    /// - Parameters:
    ///   - bounds: at most 64 count; a scan need not prune by all.
    ///   - groups: the plan's.
    /// - Returns: `nil` where nothing can be spared.
    init?(_ bounds: [(field: FieldDefinition, bound: FieldBound)], groups: [RowGroup]) {
        if bounds.isEmpty { return nil }
        var isUseful = false
        excluded = groups.map { group in
            var mask: UInt64 = 0
            for (index, (field, bound)) in bounds.prefix(64).enumerated() {
                if Self.excludes(group, field, bound) { mask |= 1 << UInt64(index) }
            }
            if mask != 0 { isUseful = true }
            return mask
        }
        if !isUseful { return nil }
    }

    /// Whether no row of a piece lies within the bounds.
    func excludes(_ piece: Piece) -> Bool {
        piece.older.reduce(excluded[Int(piece.group)]) { $0 & excluded[Int($1.group)] } != 0
    }

    /// Whether no row made of these extents lies within the bounds, whichever of them its values come from.
    func excludes(_ extents: some Collection<Extent>) -> Bool {
        extents.reduce(UInt64.max) { $0 & excluded[Int($1.group)] } != 0
    }

    /// Whether a bound rules out all values of a group. A field that is null throughout meets no bound. Blocks without
    /// a least and a greatest value (those with a NaN) and blocks of a former type are never ruled out.
    private static func excludes(_ group: RowGroup, _ field: FieldDefinition, _ bound: FieldBound) -> Bool {
        guard let block = group.block(of: field.id) else { return true }
        guard block.type == field.type, let least = block.summary.min, let greatest = block.summary.max else {
            return false
        }
        if let lower = bound.lowerBound, isLess(greatest, lower) { return true }
        if let upper = bound.upperBound, isLess(upper, least) { return true }
        return false
    }

    /// Whether a number is certainly less than another one of its type.
    private static func isLess(_ left: FieldValue, _ right: FieldValue) -> Bool {
        switch (left, right) {
        case (.float64(let left), .float64(let right)): left < right
        case (.int64(let left), .int64(let right)): left < right
        case (.uint64(let left), .uint64(let right)): left < right
        default: false
        }
    }
}
