/// Set operations on containers. Results are in their smallest form, `nil` when empty.
extension BitmapContainer {
    func intersection(_ other: BitmapContainer) -> BitmapContainer? {
        switch (self, other) {
        case (.array(let left), .array(let right)):
            return BitmapContainer(
                ascending: Self.merge(left, right, keepLeft: false, keepBoth: true, keepRight: false))
        case (.array(let lows), _): return BitmapContainer(ascending: lows.filter(other.contains))
        case (_, .array(let lows)): return BitmapContainer(ascending: lows.filter(contains))
        default: return Self.combine(self, other) { $0 & $1 }
        }
    }

    func union(_ other: BitmapContainer) -> BitmapContainer? {
        if case .array(let left) = self, case .array(let right) = other, left.count + right.count <= Self.arrayLimit {
            return BitmapContainer(ascending: Self.merge(left, right, keepLeft: true, keepBoth: true, keepRight: true))
        }
        return Self.combine(self, other) { $0 | $1 }
    }

    func subtracting(_ other: BitmapContainer) -> BitmapContainer? {
        switch (self, other) {
        case (.array(let left), .array(let right)):
            return BitmapContainer(
                ascending: Self.merge(left, right, keepLeft: true, keepBoth: false, keepRight: false))
        case (.array(let lows), _): return BitmapContainer(ascending: lows.filter { !other.contains($0) })
        default: return Self.combine(self, other) { $0 & ~$1 }
        }
    }

    /// Whether both hold the same values, in whatever form.
    func holdsSame(as other: BitmapContainer) -> Bool {
        switch (self, other) {
        case (.array(let left), .array(let right)): left == right
        case (.runs(let left), .runs(let right)): left == right
        default: count == other.count && words == other.words
        }
    }

    @inline(__always) private static func combine(
        _ left: BitmapContainer, _ right: BitmapContainer, _ operation: (UInt64, UInt64) -> UInt64
    ) -> BitmapContainer? {
        var result = left.words
        let others = right.words
        result.withUnsafeMutableBufferPointer { result in
            others.withUnsafeBufferPointer { others in
                for index in 0..<wordCount { result[index] = operation(result[index], others[index]) }
            }
        }
        return BitmapContainer(words: result)
    }

    private static func merge(
        _ left: [UInt16], _ right: [UInt16], keepLeft: Bool, keepBoth: Bool, keepRight: Bool
    ) -> [UInt16] {
        var result: [UInt16] = []
        result.reserveCapacity(keepRight ? left.count + right.count : left.count)
        var i = 0
        var j = 0
        while i < left.count && j < right.count {
            if left[i] < right[j] {
                if keepLeft { result.append(left[i]) }
                i += 1
            } else if left[i] > right[j] {
                if keepRight { result.append(right[j]) }
                j += 1
            } else {
                if keepBoth { result.append(left[i]) }
                i += 1
                j += 1
            }
        }
        if keepLeft { result.append(contentsOf: left[i...]) }
        if keepRight { result.append(contentsOf: right[j...]) }
        return result
    }
}
