import MartletModel

extension ColumnKernels {
    /// Three-valued `left AND right`: false wins over NULL.
    package static func and(_ left: Column, _ right: Column, rowCount: Int) -> Column {
        connect(left, right, rowCount, isAnd: true)
    }

    /// Three-valued `left OR right`: true wins over NULL.
    package static func or(_ left: Column, _ right: Column, rowCount: Int) -> Column {
        connect(left, right, rowCount, isAnd: false)
    }

    private static func connect(_ left: Column, _ right: Column, _ rowCount: Int, isAnd: Bool) -> Column {
        precondition(left.type == .bool && right.type == .bool, "AND and OR connect booleans")
        let x = BitWords.bits(of: left, rowCount: rowCount)
        let y = BitWords.bits(of: right, rowCount: rowCount)
        let values =
            isAnd
            ? BitWords.map2(x, y, rowCount: rowCount) { $0 & $1 }
            : BitWords.map2(x, y, rowCount: rowCount) { $0 | $1 }
        let validX = Validity(left, rowCount: rowCount)
        let validY = Validity(right, rowCount: rowCount)
        if validX.nullCount == 0, validY.nullCount == 0 {
            return Column(type: .bool, count: rowCount, values: values)
        }
        let ones = BitWords.filled(true, rowCount: rowCount)
        let vx = validX.bits ?? ones
        let vy = validY.bits ?? ones
        // Rows where one side alone decides: a valid false of AND, a valid true of OR.
        let decidedX = BitWords.map2(vx, x, rowCount: rowCount) { isAnd ? $0 & ~$1 : $0 & $1 }
        let decidedY = BitWords.map2(vy, y, rowCount: rowCount) { isAnd ? $0 & ~$1 : $0 & $1 }
        let decided = BitWords.map2(decidedX, decidedY, rowCount: rowCount) { $0 | $1 }
        let both = BitWords.map2(vx, vy, rowCount: rowCount) { $0 & $1 }
        let valid = Validity(
            counting: BitWords.map2(both, decided, rowCount: rowCount) { $0 | $1 }, rowCount: rowCount)
        // A null's slot may hold either bit, so the decided rows' values are set again.
        let exact = BitWords.map2(values, decided, rowCount: rowCount) { isAnd ? $0 & ~$1 : $0 | $1 }
        return Column(
            type: .bool, count: rowCount, nullCount: valid.nullCount, validity: valid.bits, values: exact)
    }

    /// `NOT column`.
    package static func not(_ column: Column) -> Column {
        precondition(column.type == .bool, "NOT takes a boolean")
        return Column(
            type: .bool, count: column.count, nullCount: column.nullCount, validity: column.validity,
            values: BitWords.map1(column.values, rowCount: column.count) { ~$0 })
    }

    /// `column IS NULL`.
    package static func isNull(_ column: Column) -> Column {
        let values =
            column.validity.map { BitWords.map1($0, rowCount: column.count) { ~$0 } }
            ?? BitWords.filled(false, rowCount: column.count)
        return Column(type: .bool, count: column.count, values: values)
    }

    /// `column IS NOT NULL`.
    package static func isNotNull(_ column: Column) -> Column { not(isNull(column)) }

    /// `left IS DISTINCT FROM right`: never NULL; two NULLs are not distinct.
    package static func isDistinct(_ left: Column, _ right: Column, rowCount: Int) throws(MartletError) -> Column {
        let differ = try compare(.notEqual, left, right, rowCount: rowCount)
        if differ.nullCount == 0 { return differ }
        let ones = BitWords.filled(true, rowCount: rowCount)
        let vx = Validity(left, rowCount: rowCount).bits ?? ones
        let vy = Validity(right, rowCount: rowCount).bits ?? ones
        let oneNull = BitWords.map2(vx, vy, rowCount: rowCount) { $0 ^ $1 }
        let known = BitWords.map2(differ.values, differ.validity!, rowCount: rowCount) { $0 & $1 }
        return Column(
            type: .bool, count: rowCount, values: BitWords.map2(known, oneNull, rowCount: rowCount) { $0 | $1 })
    }

    /// `column IN (list)` for constants: true when found, NULL when not found and the list or the value has a NULL.
    /// `list` is a column of the list's values, of a type that compares with the column's.
    package static func isIn(_ column: Column, _ list: Column, rowCount: Int) throws(MartletError) -> Column {
        guard let type = comparisonType(column.type, list.type) else {
            throw MartletError(
                .semantic, "\(column.type.name) cannot be looked for in a list of \(list.type.name)")
        }
        // BIGINT with UBIGINT would lose the upper half, so such lists are compared value by value below.
        let exact = column.type == list.type
        let needle = exact ? column : (column.type == type ? column : try cast(column, to: type, isTry: true))
        let values = exact ? list : (list.type == type ? list : try cast(list, to: type, isTry: true))
        let validity = Validity(needle, rowCount: rowCount)
        let found: Column
        switch type {
        case .string:
            var set = ByteStringIndex()
            for row in 0..<values.count where values.isValid(row) { _ = set.intern(values.stringBytes(row)) }
            let flags = textMembership(needle, validity, rowCount, set)
            found = flags
        case .timestamp, .int64, .uint64, .float64:
            var sorted: [UInt64] = []
            for row in 0..<values.count where values.isValid(row) { sorted.append(memberKey(values, row)) }
            sorted.sort()
            let wanted = sorted
            let step = needle.repeats(over: rowCount) ? 0 : 1
            found = wanted.withUnsafeBufferPointer { wanted in
                if wanted.count <= 8 {
                    return buildBool(validity, rowCount) { row in
                        let key = memberKey(needle, row &* step)
                        var hit = false
                        for candidate in wanted { hit = hit || candidate == key }
                        return hit
                    }
                }
                return buildBool(validity, rowCount) { contains(wanted, memberKey(needle, $0 &* step)) }
            }
        case .bool, .interval:
            var any = Column(type: .bool, count: rowCount, values: BitWords.filled(false, rowCount: rowCount))
            for row in 0..<values.count where values.isValid(row) {
                let one = slice(values, row..<(row + 1))
                any = or(any, try compare(.equal, needle, one, rowCount: rowCount), rowCount: rowCount)
            }
            found = any
        }
        var result = found
        let original = Validity(column, rowCount: rowCount)
        if original.nullCount != validity.nullCount, let convertible = validity.bits {
            // A value outside the common type's range (a BIGINT below 0 among UBIGINTs) is in no list: false, not NULL.
            result = Column(
                type: .bool, count: rowCount, nullCount: original.nullCount, validity: original.bits,
                values: BitWords.map2(found.values, convertible, rowCount: rowCount) { $0 & $1 })
        }
        guard list.nullCount > 0 else { return result }
        return result.masked(by: result.values)
    }

    private static func textMembership(
        _ needle: Column, _ validity: Validity, _ rowCount: Int, _ set: borrowing ByteStringIndex
    ) -> Column {
        // `mapTextToBool` cannot borrow a noncopyable set, so the two cases stand here.
        if let dictionary = needle.dictionary, dictionary.count <= rowCount {
            var verdicts: [Bool] = []
            verdicts.reserveCapacity(dictionary.count)
            for entry in 0..<dictionary.count { verdicts.append(set.find(dictionary.entry(entry)) != nil) }
            let codes = Lane<UInt32>(needle, rowCount: rowCount)
            return buildBool(validity, rowCount) { validity.isValid($0) && verdicts[Int(codes[$0])] }
        }
        let step = needle.repeats(over: rowCount) ? 0 : 1
        var bits = BitmapBuilder(capacity: rowCount)
        for row in 0..<rowCount {
            bits.append(validity.isValid(row) && set.find(needle.stringBytes(row * step)) != nil)
        }
        return Column(
            type: .bool, count: rowCount, nullCount: validity.nullCount, validity: validity.bits,
            values: bits.finish())
    }

    @inline(__always)
    private static func memberKey(_ column: Column, _ row: Int) -> UInt64 {
        column.type == .float64
            ? HashMixing.canonicalBits(column.values.pointer(to: Double.self)[row])
            : column.values.pointer(to: UInt64.self)[row]
    }

    private static func contains(_ sorted: UnsafeBufferPointer<UInt64>, _ key: UInt64) -> Bool {
        var low = 0
        var high = sorted.count
        while low < high {
            let middle = (low + high) >> 1
            if sorted[middle] < key { low = middle + 1 } else { high = middle }
        }
        return low < sorted.count && sorted[low] == key
    }
}
