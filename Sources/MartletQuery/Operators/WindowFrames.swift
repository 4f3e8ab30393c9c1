import MartletModel

/// The frame of each row: rows `start[i] ..< end[i]` of the sorted order, within the row's partition.
struct WindowFrames {
    private(set) var start: [Int32]
    private(set) var end: [Int32]

    init(_ frame: BoundWindow.Frame, _ window: BoundWindow, _ layout: WindowLayout) throws(MartletError) {
        let count = layout.peerStart.count
        start = [Int32](repeating: 0, count: count)
        end = [Int32](repeating: 0, count: count)
        for index in 0..<layout.partitions.count - 1 {
            let rows = layout.partitions[index]..<layout.partitions[index + 1]
            switch frame.unit {
            case .rows: fillRows(frame, rows)
            case .groups: fillGroups(frame, rows, layout)
            case .range: fillRange(frame, rows, layout, window)
            }
        }
    }

    private static func clamp(_ row: Int, _ rows: Range<Int>) -> Int32 {
        Int32(min(max(row, rows.lowerBound), rows.upperBound))
    }

    private mutating func fillRows(_ frame: BoundWindow.Frame, _ rows: Range<Int>) {
        for row in rows {
            switch frame.start {
            case .rows(let distance): start[row] = Self.clamp(row + distance, rows)
            case .currentRow: start[row] = Int32(row)
            default: start[row] = Int32(rows.lowerBound)
            }
            switch frame.end {
            case .rows(let distance): end[row] = Self.clamp(row + distance + 1, rows)
            case .currentRow: end[row] = Int32(row + 1)
            default: end[row] = Int32(rows.upperBound)
            }
            end[row] = max(start[row], end[row])
        }
    }

    private mutating func fillGroups(_ frame: BoundWindow.Frame, _ rows: Range<Int>, _ layout: WindowLayout) {
        // The starts of the partition's groups of peers.
        var groups: [Int] = []
        var numbers = [Int](repeating: 0, count: rows.count)
        for row in rows {
            if Int(layout.peerStart[row]) == row { groups.append(row) }
            numbers[row - rows.lowerBound] = groups.count - 1
        }
        func first(_ group: Int) -> Int32 {
            if group < 0 { return Int32(rows.lowerBound) }
            return Int32(group < groups.count ? groups[group] : rows.upperBound)
        }
        for row in rows {
            let group = numbers[row - rows.lowerBound]
            switch frame.start {
            case .rows(let distance): start[row] = first(group + distance)
            case .currentRow: start[row] = first(group)
            default: start[row] = Int32(rows.lowerBound)
            }
            switch frame.end {
            case .rows(let distance): end[row] = first(group + distance + 1)
            case .currentRow: end[row] = first(group + 1)
            default: end[row] = Int32(rows.upperBound)
            }
            end[row] = max(start[row], end[row])
        }
    }

    private mutating func fillRange(
        _ frame: BoundWindow.Frame, _ rows: Range<Int>, _ layout: WindowLayout, _ window: BoundWindow
    ) {
        for row in rows {
            switch frame.start {
            case .currentRow: start[row] = layout.peerStart[row]
            default: start[row] = Int32(rows.lowerBound)
            }
            switch frame.end {
            case .currentRow: end[row] = layout.peerEnd[row]
            default: end[row] = Int32(rows.upperBound)
            }
        }
        guard let key = layout.key else { return }
        let isDescending = window.order.first?.isDescending ?? false
        if case .distance(let width, let isPreceding) = frame.start {
            let keys = RangeKeys(key, width, isPreceding: isPreceding, isDescending: isDescending)
            fillDistance(keys, rows, peers: layout.peerStart) { frames, row, place in
                frames.start[row] = place
            } search: { keys, row, place in
                keys.isBefore(place, boundOf: row)
            }
        }
        if case .distance(let width, let isPreceding) = frame.end {
            let keys = RangeKeys(key, width, isPreceding: isPreceding, isDescending: isDescending)
            fillDistance(keys, rows, peers: layout.peerEnd) { frames, row, place in
                frames.end[row] = place
            } search: { keys, row, place in
                !keys.isAfter(place, boundOf: row)
            }
        }
        for row in rows { end[row] = max(start[row], end[row]) }
    }

    /// Moves a pointer along the partition: bounds ascend with the rows, so each row is passed once.
    private mutating func fillDistance(
        _ keys: RangeKeys, _ rows: Range<Int>, peers: [Int32], store: (inout WindowFrames, Int, Int32) -> Void,
        search: (RangeKeys, Int, Int) -> Bool
    ) {
        // NULL keys stand together at one end and are peers of each other only.
        var valid = rows
        while let first = valid.first, !keys.isValid(first) { valid = valid.dropFirst() }
        while let last = valid.last, !keys.isValid(last) { valid = valid.dropLast() }
        var place = valid.lowerBound
        for row in rows {
            if !valid.contains(row) {
                store(&self, row, peers[row])
                continue
            }
            while place < valid.upperBound && search(keys, row, place) { place += 1 }
            store(&self, row, Int32(place))
        }
    }
}

/// The ORDER BY values of a RANGE frame, with the arithmetic of its width. Descending orders are seen negated.
private struct RangeKeys {
    private let column: Column
    private let integers: [Int128]
    private let floats: [Double]
    /// Per row, the bound `value -/+ width`.
    private let integerBounds: [Int128]
    private let floatBounds: [Double]
    private let isFloat: Bool

    init(_ column: Column, _ width: FieldValue, isPreceding: Bool, isDescending: Bool) {
        self.column = column
        isFloat = column.type == .float64
        let sign: Int128 = isPreceding ? -1 : 1
        var integers: [Int128] = []
        var integerBounds: [Int128] = []
        var floats: [Double] = []
        var floatBounds: [Double] = []
        let count = column.count
        withExtendedLifetime(column) {
            switch (column.type, width) {
            case (.float64, .float64(let distance)):
                let values = column.values.pointer(to: Double.self)
                for row in 0..<count {
                    let value = isDescending ? -values[row] : values[row]
                    floats.append(value)
                    floatBounds.append(isPreceding ? value - distance : value + distance)
                }
            case (.timestamp, .interval(let interval)):
                // Backwards in the order is forwards in time when the order descends.
                let isEarlier = isPreceding != isDescending
                let step = isEarlier ? IntervalMath.negate(interval) ?? interval : interval
                let values = column.values.pointer(to: Int64.self)
                for row in 0..<count {
                    let moved = IntervalMath.add(values[row], step) ?? (isEarlier ? .min : .max)
                    integers.append(isDescending ? -Int128(values[row]) : Int128(values[row]))
                    integerBounds.append(isDescending ? -Int128(moved) : Int128(moved))
                }
            case (.uint64, .uint64(let distance)):
                let values = column.values.pointer(to: UInt64.self)
                for row in 0..<count {
                    let value = isDescending ? -Int128(values[row]) : Int128(values[row])
                    integers.append(value)
                    integerBounds.append(value + sign * Int128(distance))
                }
            case (_, .int64(let distance)):
                let values = column.values.pointer(to: Int64.self)
                for row in 0..<count {
                    let value = isDescending ? -Int128(values[row]) : Int128(values[row])
                    integers.append(value)
                    integerBounds.append(value + sign * Int128(distance))
                }
            default: preconditionFailure("a frame's width of \(width.type.name) over \(column.type.name)")
            }
        }
        self.integers = integers
        self.integerBounds = integerBounds
        self.floats = floats
        self.floatBounds = floatBounds
    }

    func isValid(_ row: Int) -> Bool { column.isValid(row) }

    func isBefore(_ place: Int, boundOf row: Int) -> Bool {
        isFloat ? floats[place] < floatBounds[row] : integers[place] < integerBounds[row]
    }

    func isAfter(_ place: Int, boundOf row: Int) -> Bool {
        isFloat ? floats[place] > floatBounds[row] : integers[place] > integerBounds[row]
    }
}
