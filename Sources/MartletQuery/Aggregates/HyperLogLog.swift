import MartletModel

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// The number of distinct hashes seen, approximately: HyperLogLog (Flajolet et al. 2007) with 4,096 registers and the
/// estimator of Ertl, "New cardinality estimation algorithms for HyperLogLog sketches" (2017). Standard error 1.6 %;
/// up to 64 hashes are kept as they are and counted exactly.
struct HyperLogLog {
    private static let precision: UInt64 = 12
    private static let registerCount = 1 << 12
    private var few: [UInt64] = []
    private var registers: [UInt8] = []

    mutating func add(_ hash: UInt64) {
        if registers.isEmpty {
            if few.contains(hash) { return }
            if few.count < 64 {
                few.append(hash)
                return
            }
            registers = [UInt8](repeating: 0, count: Self.registerCount)
            for known in few { addDense(known) }
            few = []
        }
        addDense(hash)
    }

    @inline(__always)
    private mutating func addDense(_ hash: UInt64) {
        let index = Int(hash >> (64 - Self.precision))
        let rest = hash << Self.precision
        let rank = UInt8(min(rest.leadingZeroBitCount, Int(64 - Self.precision)) + 1)
        if rank > registers[index] { registers[index] = rank }
    }

    mutating func merge(_ other: HyperLogLog) {
        for hash in other.few { add(hash) }
        if other.registers.isEmpty { return }
        if registers.isEmpty {
            let mine = few
            few = []
            registers = other.registers
            for hash in mine { addDense(hash) }
            return
        }
        for index in 0..<Self.registerCount { registers[index] = max(registers[index], other.registers[index]) }
    }

    var estimate: Int64 {
        if registers.isEmpty { return Int64(few.count) }
        let bits = Int(64 - Self.precision)
        var histogram = [Double](repeating: 0, count: bits + 2)
        for register in registers { histogram[Int(register)] += 1 }
        let m = Double(Self.registerCount)
        var z = m * Self.tau(1 - histogram[bits + 1] / m)
        for rank in stride(from: bits, through: 1, by: -1) { z = 0.5 * (z + histogram[rank]) }
        z += m * Self.sigma(histogram[0] / m)
        return Int64((m * m / (2 * log(2.0) * z)).rounded())
    }

    private static func sigma(_ start: Double) -> Double {
        if start == 1 { return .infinity }
        var x = start
        var y = 1.0
        var z = x
        while true {
            x *= x
            let before = z
            z += x * y
            y += y
            if z == before { return z }
        }
    }

    private static func tau(_ start: Double) -> Double {
        if start == 0 || start == 1 { return 0 }
        var x = start
        var y = 1.0
        var z = 1 - x
        while true {
            x = x.squareRoot()
            let before = z
            y *= 0.5
            z -= (1 - x) * (1 - x) * y
            if z == before { return z / 3 }
        }
    }

    var memoryFootprint: Int { few.capacity * 8 + registers.capacity + 16 }
}

/// `approx_count_distinct(x)`.
final class ApproximateDistinctAccumulator: AggregateAccumulator {
    private var sketches: [HyperLogLog] = []

    func grow(toGroups count: Int) { sketches.grow(to: count, HyperLogLog()) }

    func add(
        _ arguments: [Column], times: UnsafePointer<Int64>?, groups: UnsafePointer<UInt32>,
        selection: UnsafeBufferPointer<Int32>?, rowCount: Int
    ) throws(MartletError) {
        let hashes = ColumnKernels.hashRows(arguments, rowCount: rowCount)
        let rows = GroupedRows(groups: groups, selection: selection, rowCount: rowCount)
        try rows.forEach(Validity(arguments[0], rowCount: rowCount)) { (group, row) throws(MartletError) in
            sketches[group].add(hashes[row])
        }
    }

    func merge(_ other: any AggregateAccumulator, mapping: [UInt32]) throws(MartletError) {
        let other = try sameKind(other, as: Self.self)
        for (group, target) in mapping.enumerated() { sketches[Int(target)].merge(other.sketches[group]) }
    }

    func finish(groupCount: Int) throws(MartletError) -> Column {
        try words(.int64, groupCount) { (group) throws(MartletError) in UInt64(bitPattern: sketches[group].estimate) }
    }

    var memoryFootprint: Int { sketches.reduce(0) { $0 + $1.memoryFootprint } }
}
