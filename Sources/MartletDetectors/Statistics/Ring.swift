import MartletModel

/// The last values of a series, the oldest replaced by the newest.
struct Ring {
    private(set) var values: ContiguousArray<Double>
    private(set) var count = 0
    /// Where the next value goes.
    private var next = 0

    init(_ capacity: Int) { values = ContiguousArray(repeating: 0, count: capacity) }

    var capacity: Int { values.count }
    var isFull: Bool { count == values.count }

    /// The value `age` places back: 0 is the newest. `age` must be below `count`.
    @inline(__always)
    subscript(age: Int) -> Double {
        let place = next - 1 - age
        return values[place < 0 ? place + values.count : place]
    }

    /// Adds a value and gives the one that it replaced.
    @inline(__always)
    @discardableResult
    mutating func push(_ value: Double) -> Double? {
        let replaced = isFull ? values[next] : nil
        values[next] = value
        next = next + 1 == values.count ? 0 : next + 1
        if count < values.count { count += 1 }
        return replaced
    }

    mutating func transfer(_ archive: inout StateArchive) throws(MartletError) {
        try archive.transfer(&values)
        try archive.transfer(&count, in: 0...values.count)
        try archive.transfer(&next, in: 0...values.count - 1)
    }

    var bytes: Int { values.count * 8 + 32 }
}
