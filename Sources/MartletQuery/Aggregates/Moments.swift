import MartletModel

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Running mean and central moments of one group.
///
/// Updates and merges after Welford (1962), Chan, Golub & LeVeque (1983) and Pébay, "Formulas for Robust, One-Pass
/// Parallel Computation of Covariances and Arbitrary-Order Statistical Moments" (Sandia 2008).
struct Moments {
    var count = 0.0
    var mean = 0.0
    var m2 = 0.0
    var m3 = 0.0
    var m4 = 0.0

    @inline(__always)
    mutating func add(_ value: Double) {
        let before = count
        count += 1
        let delta = value - mean
        let step = delta / count
        let step2 = step * step
        let term = delta * step * before
        mean += step
        m4 += term * step2 * (count * count - 3 * count + 3) + 6 * step2 * m2 - 4 * step * m3
        m3 += term * step * (count - 2) - 3 * step * m2
        m2 += term
    }

    /// Like `add` without the third and fourth moment.
    @inline(__always)
    mutating func addSecondOrder(_ value: Double) {
        count += 1
        let delta = value - mean
        mean += delta / count
        m2 += delta * (value - mean)
    }

    mutating func merge(_ other: Moments) {
        if other.count == 0 { return }
        if count == 0 {
            self = other
            return
        }
        let total = count + other.count
        let delta = other.mean - mean
        let delta2 = delta * delta
        let product = count * other.count
        m4 +=
            other.m4 + delta2 * delta2 * product * (count * count - product + other.count * other.count)
            / (total * total * total)
            + 6 * delta2 * (count * count * other.m2 + other.count * other.count * m2) / (total * total)
            + 4 * delta * (count * other.m3 - other.count * m3) / total
        m3 +=
            other.m3 + delta2 * delta * product * (count - other.count) / (total * total)
            + 3 * delta * (count * other.m2 - other.count * m2) / total
        m2 += other.m2 + delta2 * product / total
        mean += delta * other.count / total
        count = total
    }
}

/// Which statistic of the moments is asked for.
enum MomentResult {
    case variancePopulation, varianceSample, deviationPopulation, deviationSample, skewness, kurtosis,
        kurtosisPopulation

    /// The statistic; `nil` where it is not defined, as in DuckDB.
    func value(_ moments: Moments) -> Double? {
        let n = moments.count
        switch self {
        case .variancePopulation: return n < 1 ? nil : n == 1 ? 0 : moments.m2 / n
        case .varianceSample: return n < 2 ? nil : moments.m2 / (n - 1)
        case .deviationPopulation: return n < 1 ? nil : n == 1 ? 0 : (moments.m2 / n).squareRoot()
        case .deviationSample: return n < 2 ? nil : (moments.m2 / (n - 1)).squareRoot()
        case .skewness:
            if n < 3 { return nil }
            if moments.m2 == 0 { return .nan }
            let population = n.squareRoot() * moments.m3 / pow(moments.m2, 1.5)
            return (n * (n - 1)).squareRoot() / (n - 2) * population
        case .kurtosis:
            if n < 4 { return nil }
            if moments.m2 == 0 { return .nan }
            let excess = n * moments.m4 / (moments.m2 * moments.m2) - 3
            return (n - 1) / ((n - 2) * (n - 3)) * ((n + 1) * excess + 6)
        case .kurtosisPopulation:
            if n < 2 { return nil }
            return moments.m2 == 0 ? .nan : n * moments.m4 / (moments.m2 * moments.m2) - 3
        }
    }

    var isSecondOrder: Bool {
        switch self {
        case .variancePopulation, .varianceSample, .deviationPopulation, .deviationSample: true
        case .skewness, .kurtosis, .kurtosisPopulation: false
        }
    }
}

/// Variance, standard deviation, skewness and kurtosis.
final class MomentAccumulator: AggregateAccumulator {
    private var states: [Moments] = []
    private let result: MomentResult

    init(_ result: MomentResult) { self.result = result }

    func grow(toGroups count: Int) { states.grow(to: count, Moments()) }

    func add(
        _ arguments: [Column], times: UnsafePointer<Int64>?, groups: UnsafePointer<UInt32>,
        selection: UnsafeBufferPointer<Int32>?, rowCount: Int
    ) throws(MartletError) {
        let column = try floatColumn(arguments[0])
        let rows = GroupedRows(groups: groups, selection: selection, rowCount: rowCount)
        let values = Lane<Double>(column, rowCount: rowCount)
        let validity = Validity(column, rowCount: rowCount)
        try withExtendedLifetime(column) { () throws(MartletError) in
            if result.isSecondOrder {
                try rows.forEach(validity) { (group, row) throws(MartletError) in
                    states[group].addSecondOrder(values[row])
                }
            } else {
                try rows.forEach(validity) { (group, row) throws(MartletError) in states[group].add(values[row]) }
            }
        }
    }

    func merge(_ other: any AggregateAccumulator, mapping: [UInt32]) throws(MartletError) {
        let other = try sameKind(other, as: Self.self)
        for (group, target) in mapping.enumerated() { states[Int(target)].merge(other.states[group]) }
    }

    func finish(groupCount: Int) throws(MartletError) -> Column {
        floats(groupCount) { result.value(states[$0]) }
    }

    var memoryFootprint: Int { states.capacity * MemoryLayout<Moments>.stride }
}

/// Running co-moments of pairs (y, x) of one group, after Pébay (2008).
struct PairMoments {
    var count = 0.0
    var meanX = 0.0
    var meanY = 0.0
    var m2X = 0.0
    var m2Y = 0.0
    var cross = 0.0

    @inline(__always)
    mutating func add(y: Double, x: Double) {
        count += 1
        let deltaX = x - meanX
        let deltaY = y - meanY
        meanX += deltaX / count
        meanY += deltaY / count
        m2X += deltaX * (x - meanX)
        m2Y += deltaY * (y - meanY)
        cross += deltaX * (y - meanY)
    }

    mutating func merge(_ other: PairMoments) {
        if other.count == 0 { return }
        let total = count + other.count
        let deltaX = other.meanX - meanX
        let deltaY = other.meanY - meanY
        let weight = count * other.count / total
        m2X += other.m2X + deltaX * deltaX * weight
        m2Y += other.m2Y + deltaY * deltaY * weight
        cross += other.cross + deltaX * deltaY * weight
        meanX += deltaX * other.count / total
        meanY += deltaY * other.count / total
        count = total
    }
}

/// Which statistic of the pairs is asked for; PostgreSQL's definitions.
enum PairResult: String, CaseIterable {
    case correlation = "corr"
    case covariancePopulation = "covar_pop"
    case covarianceSample = "covar_samp"
    case slope = "regr_slope"
    case intercept = "regr_intercept"
    case determination = "regr_r2"
    case pairs = "regr_count"

    func value(_ state: PairMoments) -> Double? {
        let n = state.count
        switch self {
        case .pairs: return n
        case .covariancePopulation: return n < 1 ? nil : state.cross / n
        case .covarianceSample: return n < 2 ? nil : state.cross / (n - 1)
        case .correlation:
            if n < 1 || state.m2X == 0 || state.m2Y == 0 { return nil }
            return state.cross / (state.m2X.squareRoot() * state.m2Y.squareRoot())
        case .slope: return n < 1 || state.m2X == 0 ? nil : state.cross / state.m2X
        case .intercept:
            return n < 1 || state.m2X == 0 ? nil : state.meanY - state.cross / state.m2X * state.meanX
        case .determination:
            if n < 1 || state.m2X == 0 { return nil }
            return state.m2Y == 0 ? 1 : state.cross * state.cross / (state.m2X * state.m2Y)
        }
    }
}

/// Correlation, covariance and linear regression of `y` on `x`; pairs with a NULL do not take part.
final class PairAccumulator: AggregateAccumulator {
    private var states: [PairMoments] = []
    private let result: PairResult

    init(_ result: PairResult) { self.result = result }

    func grow(toGroups count: Int) { states.grow(to: count, PairMoments()) }

    func add(
        _ arguments: [Column], times: UnsafePointer<Int64>?, groups: UnsafePointer<UInt32>,
        selection: UnsafeBufferPointer<Int32>?, rowCount: Int
    ) throws(MartletError) {
        let y = try floatColumn(arguments[0])
        let x = try floatColumn(arguments[1])
        let rows = GroupedRows(groups: groups, selection: selection, rowCount: rowCount)
        let valuesY = Lane<Double>(y, rowCount: rowCount)
        let valuesX = Lane<Double>(x, rowCount: rowCount)
        try withExtendedLifetime((x, y)) { () throws(MartletError) in
            try rows.forEach(Validity.all([x, y], rowCount: rowCount)) { (group, row) throws(MartletError) in
                states[group].add(y: valuesY[row], x: valuesX[row])
            }
        }
    }

    func merge(_ other: any AggregateAccumulator, mapping: [UInt32]) throws(MartletError) {
        let other = try sameKind(other, as: Self.self)
        for (group, target) in mapping.enumerated() { states[Int(target)].merge(other.states[group]) }
    }

    func finish(groupCount: Int) throws(MartletError) -> Column {
        if result == .pairs {
            return try words(.int64, groupCount) { (group) throws(MartletError) in UInt64(states[group].count) }
        }
        return floats(groupCount) { result.value(states[$0]) }
    }

    var memoryFootprint: Int { states.capacity * MemoryLayout<PairMoments>.stride }
}
