import MartletModel

/// A bounded set of states that a series has been in, and how far a new one is from the nearest.
///
/// A state further away than `radius` from all others is remembered. When the memory is full the radius grows by half
/// and states closer than it are merged: the doubling algorithm for incremental clustering (Charikar, Chekuri, Feder
/// and Motwani, STOC 1997), so that the set covers everything seen to within a radius that the memory allows.
struct StateMemory {
    let dimensions: Int
    let capacity: Int
    private var states: ContiguousArray<Float>
    private(set) var count = 0
    private var radius: Float = 0

    init(dimensions: Int, capacity: Int) {
        self.dimensions = dimensions
        self.capacity = capacity
        states = ContiguousArray(repeating: 0, count: dimensions * capacity)
    }

    /// Remembers a state that is `distance` away from the nearest remembered one, if that is far.
    mutating func remember(_ state: UnsafePointer<Float>, distance: Float) {
        guard count == 0 || distance > radius else { return }
        if count == capacity { thin() }
        // After thinning the state may be near enough to what is left.
        guard count < capacity else { return }
        states.withUnsafeMutableBufferPointer { buffer in
            for index in 0..<dimensions { buffer[count * dimensions + index] = state[index] }
        }
        count += 1
    }

    /// The distance to the nearest remembered state, infinite when there is none.
    func distance(to state: UnsafePointer<Float>) -> Float {
        var best = Float.infinity
        states.withUnsafeBufferPointer { buffer in
            var place = buffer.baseAddress!
            for _ in 0..<count {
                var sum: Float = 0
                for index in 0..<dimensions {
                    let difference = state[index] - place[index]
                    sum += difference * difference
                }
                if sum < best { best = sum }
                place += dimensions
            }
        }
        return best.squareRoot()
    }

    /// Makes room: raises the radius until some states lie within it of an earlier one, and drops those. O(capacity^2),
    /// and seldom: each time the radius is half as large again.
    private mutating func thin() {
        if radius == 0 { radius = smallestDistance() }
        for _ in 0..<64 where count == capacity {
            radius = max(radius * 1.5, .leastNormalMagnitude)
            var kept = 0
            for candidate in 0..<count {
                var isFar = true
                for other in 0..<kept where isFar { isFar = squaredDistance(candidate, other) > radius * radius }
                if isFar {
                    for index in 0..<dimensions {
                        states[kept * dimensions + index] = states[candidate * dimensions + index]
                    }
                    kept += 1
                }
            }
            count = kept
        }
    }

    private func squaredDistance(_ left: Int, _ right: Int) -> Float {
        var sum: Float = 0
        for index in 0..<dimensions {
            let difference = states[left * dimensions + index] - states[right * dimensions + index]
            sum += difference * difference
        }
        return sum
    }

    private func smallestDistance() -> Float {
        var best = Float.infinity
        for left in 0..<count { for right in 0..<left { best = min(best, squaredDistance(left, right)) } }
        return best.isFinite ? best.squareRoot() : 0
    }

    mutating func transfer(_ archive: inout StateArchive) throws(MartletError) {
        try archive.transfer(&states)
        try archive.transfer(&count, in: 0...capacity)
        try archive.transfer(&radius)
    }

    var bytes: Int { states.count * 4 + 64 }
}
