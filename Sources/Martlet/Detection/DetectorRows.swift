import MartletModel

/// The series or groups of a table that detectors tell apart, each with a number that stays as long as this lives.
final class DetectorGroups {
    /// The tags that tell them apart.
    let keys: [String]
    /// Of each group, the tags that it has.
    private(set) var tags: [[(key: String, value: String)]] = []
    private var numbers: [[UInt8]: Int] = [:]

    init(keys: [String]) { self.keys = keys }

    var count: Int { tags.count }

    /// The number of the group with these tags.
    func number(of tags: [(key: String, value: String)]) -> Int {
        var key: [UInt8] = []
        for name in keys {
            let value = tags.first { $0.key == name }?.value
            Self.append(value.map { Array($0.utf8) }, to: &key)
        }
        return number(key) { tags }
    }

    /// The number of the group with these values of `keys`; nil where it lacks one.
    func number(of values: [UnsafeRawBufferPointer?]) -> Int {
        var key: [UInt8] = []
        for value in values { Self.append(value, to: &key) }
        return number(key) {
            zip(keys, values).compactMap { name, value in value.map { (name, String(decoding: $0, as: UTF8.self)) } }
        }
    }

    private func number(_ key: [UInt8], _ made: () -> [(key: String, value: String)]) -> Int {
        if let number = numbers[key] { return number }
        numbers[key] = tags.count
        tags.append(made())
        return tags.count - 1
    }

    private static func append(_ value: (some Sequence<UInt8>)?, to key: inout [UInt8]) {
        guard let value else { return key.append(0) }
        key.append(1)
        for byte in value {
            // Nul ends a value and is escaped within one, so that no two lists have one key.
            if byte <= 1 { key.append(1) }
            key.append(byte)
        }
        key.append(0)
    }
}

/// Rows of a range of time, group after group, each group's in order of time.
struct DetectorRows {
    /// What stands for NULL among values: a NaN of its own, so that a stored NaN is told from it.
    static let null = Double(nan: 0x4e55_4c4c, signaling: false)

    private(set) var rowCount = 0
    private let expressions: [String]
    private var times: [Int64] = []
    /// Row after row, as many as there are expressions.
    private var values: [Double] = []
    private var owners: [Int32] = []

    init(_ expressions: [String]) { self.expressions = expressions }

    mutating func append(_ group: Int, _ time: Int64, _ row: [Double]) {
        owners.append(Int32(group))
        times.append(time)
        values += row
    }

    /// Brings the rows into their order. O(rows log rows) where they are not, O(rows) where they come group by group.
    mutating func finish() {
        rowCount = times.count
        var isOrdered = true
        for row in 1..<max(1, rowCount)
        where owners[row] < owners[row - 1] || (owners[row] == owners[row - 1] && times[row] < times[row - 1]) {
            isOrdered = false
            break
        }
        if !isOrdered {
            let order = times.indices.sorted { left, right in
                if owners[left] != owners[right] { return owners[left] < owners[right] }
                return (times[left], left) < (times[right], right)
            }
            let width = expressions.count
            var (newTimes, newValues, newOwners) = ([Int64](), [Double](), [Int32]())
            newTimes.reserveCapacity(rowCount)
            newValues.reserveCapacity(values.count)
            newOwners.reserveCapacity(rowCount)
            for row in order {
                newTimes.append(times[row])
                newOwners.append(owners[row])
                newValues += values[row * width..<(row + 1) * width]
            }
            (times, values, owners) = (newTimes, newValues, newOwners)
        }
    }

    /// Calls `body` for the rows that have a value of any of `columns`, places among the expressions: group after group, in
    /// order of time.
    func forEachRow(
        _ columns: [Int], _ body: (_ group: Int, _ time: Int64, UnsafePointer<Double>) throws(MartletError) -> Void
    ) throws(MartletError) {
        guard let first = columns.first else { return }
        let width = expressions.count
        // Neighbours lie side by side as they are.
        let isDirect = columns.indices.allSatisfy { columns[$0] == first + $0 }
        var scratch = [Double](repeating: 0, count: columns.count)
        var failure: MartletError?
        values.withUnsafeBufferPointer { values in
            scratch.withUnsafeMutableBufferPointer { scratch in
                guard let base = values.baseAddress, let buffer = scratch.baseAddress else { return }
                for row in 0..<rowCount {
                    let place = base + row * width
                    var isEmpty = true
                    for index in columns.indices {
                        let value = place[columns[index]]
                        buffer[index] = value
                        if value.bitPattern != Self.null.bitPattern { isEmpty = false }
                    }
                    if isEmpty { continue }
                    do throws(MartletError) {
                        try body(Int(owners[row]), times[row], isDirect ? place + first : UnsafePointer(buffer))
                    } catch {
                        failure = error
                        return
                    }
                }
            }
        }
        if let failure { throw failure }
    }

    /// The places of these values among those that were read; nil where one was not.
    func places(of values: [String]) -> [Int]? {
        var places: [Int] = []
        for value in values {
            guard let place = expressions.firstIndex(of: value) else { return nil }
            places.append(place)
        }
        return places
    }
}
