import MartletModel

/// Distance of the last rows, taken as one subsequence, to the most similar subsequence before it: the left matrix
/// profile, row by row (Yeh et al., Matrix Profile I, ICDM 2016; Lu et al., Matrix Profile XXIV, KDD 2022).
///
/// Products of the newest subsequence with all earlier ones follow from those of the one before it in one multiplication
/// and one subtraction each (Zhu et al., Matrix Profile II, ICDM 2016), so a row costs time in proportion to `history`.
/// Rounding errors of that recurrence end where the history is moved on, once in an eighth of it: then the products
/// are worked out anew, of values around their mean.
///
/// With `normalize`, subsequences are compared after level and scale are taken away: by shape. Two that are constant are
/// then alike, and a constant one is sqrt(window) away from every other.
struct MatrixProfile: UnivariateModel {
    static let method = "matrix_profile"
    static let summary = "distance of the last rows to the most similar stretch of the past; finds odd shapes"
    static let parameters: [DetectorParameter] = [
        .integer("window", 12, 4...1024, "rows of a subsequence"),
        .integer("history", 2048, 64...100_000, "rows of the past that are compared with"),
        .integer("normalize", 0, 0...1, "whether level and scale are taken away before comparing"),
        .integer("plain", 0, 0...1, "whether anomalous stretches are compared with like all others"),
    ]

    private let window: Int
    private let history: Int
    private let isNormalized: Bool
    private let isPlain: Bool
    /// Rows that are dropped together.
    private let stride: Int
    /// What was taken away from every value.
    private var origin = 0.0
    private var values: ContiguousArray<Double> = []
    /// Of each subsequence, by its first row: mean, and 1 / (deviation sqrt(window)), 0 for a constant one; without
    /// `normalize` its square sum in place of the mean.
    private var means: ContiguousArray<Double> = []
    private var scales: ContiguousArray<Double> = []
    /// The product of each subsequence with the newest.
    private var products: ContiguousArray<Double> = []
    private var last = (distance: 0.0, nearest: 0)
    /// The distances so far.
    private var distances = ScoreHistory()
    private var event = SurpriseRun()

    /// Subsequences before any is scored: with little to compare with each is far from all others.
    private let silence: Int

    init(_ parameters: DetectorParameters) {
        self.init(parameters, silence: max(3 * parameters.integer("window"), parameters.integer("history") / 4))
    }

    init(_ parameters: DetectorParameters, silence: Int) {
        self.silence = silence
        window = parameters.integer("window")
        history = max(parameters.integer("history"), 4 * window)
        isNormalized = parameters.integer("normalize") == 1
        isPlain = parameters.integer("plain") == 1
        stride = max(history / 8, 1)
        clear()
    }

    /// Forgets every row, and has room for all that there will be.
    private mutating func clear() {
        values = []
        means = []
        scales = []
        products = []
        values.reserveCapacity(history + stride)
        means.reserveCapacity(history + stride)
        scales.reserveCapacity(history + stride)
        products.reserveCapacity(history + stride)
    }

    mutating func observe(_ time: Int64, _ value: Double) -> Double {
        if values.count == history + stride { moveOn() }
        if values.isEmpty { origin = value }
        values.append(value - origin)
        guard values.count >= window else { return .nan }
        describeNewest()
        multiplyNewest()
        guard products.count >= silence, find() else { return .nan }
        if !isPlain { judgeNewest() }
        return last.distance
    }

    /// Sets an anomalous stretch aside, or it would be the twin of the next one like it and hide it.
    private mutating func judgeNewest() {
        let significance = distances.significance(of: last.distance)
        let isSurprise = distances.isSurprise(significance)
        distances.add(last.distance, significance: significance)
        if !event.learns(from: isSurprise, within: history / 4) { setAside(products.count - 1) }
    }

    /// Makes a subsequence the nearest of none.
    private mutating func setAside(_ place: Int) {
        if isNormalized { scales[place] = .nan } else { means[place] = .infinity }
    }

    private func isSetAside(_ place: Int) -> Bool { isNormalized ? scales[place].isNaN : means[place] == .infinity }

    private mutating func describeNewest() {
        let start = values.count - window
        var sum = 0.0
        for place in start..<values.count { sum += values[place] }
        let mean = sum / Double(window)
        var squares = 0.0
        for place in start..<values.count { squares += (values[place] - mean) * (values[place] - mean) }
        guard isNormalized else {
            means.append(squares + mean * mean * Double(window))
            scales.append(1)
            return
        }
        means.append(mean)
        // Below a hundred-millionth of the values themselves differences are rounding.
        let isConstant = squares <= 1e-16 * Double(window) * (mean * mean + origin * origin) || squares < 1e-290
        scales.append(isConstant ? 0 : 1 / squares.squareRoot())
    }

    private mutating func multiplyNewest() {
        let newest = values.count - window
        products.append(0)
        if newest == 0 {
            products[0] = product(0, 0)
            return
        }
        let (count, width) = (newest, window)
        values.withUnsafeBufferPointer { values in
            products.withUnsafeMutableBufferPointer { products in
                let (first, added) = (values[newest - 1], values[newest + width - 1])
                var place = count
                while place > 0 {
                    products[place] =
                        products[place - 1] - first * values[place - 1] + added * values[place + width - 1]
                    place -= 1
                }
            }
        }
        products[0] = product(0, newest)
    }

    private func product(_ left: Int, _ right: Int) -> Double {
        var sum = 0.0
        for offset in 0..<window { sum += values[left + offset] * values[right + offset] }
        return sum
    }

    /// Finds the nearest of the subsequences that share no row with the newest; false if there is none.
    private mutating func find() -> Bool {
        let newest = products.count - 1
        let count = newest - window
        let width = Double(window)
        var (best, place) = (-Double.infinity, 0)
        means.withUnsafeBufferPointer { means in
            scales.withUnsafeBufferPointer { scales in
                products.withUnsafeBufferPointer { products in
                    if isNormalized {
                        // The correlation; its greatest is the least distance.
                        let (mean, scale) = (width * means[newest], scales[newest])
                        for other in 0..<count {
                            let correlation = (products[other] - mean * means[other]) * scales[other] * scale
                            if correlation > best { (best, place) = (correlation, other) }
                        }
                    } else {
                        for other in 0..<count {
                            let nearness = 2 * products[other] - means[other]
                            if nearness > best { (best, place) = (nearness, other) }
                        }
                    }
                }
            }
        }
        guard best > -.infinity else { return false }
        if isNormalized {
            if scales[newest] == 0 {
                let twin = scales[..<count].firstIndex(of: 0)
                last = (twin == nil ? width.squareRoot() : 0, twin ?? place)
                return true
            }
            let distance = (2 * width * max(0, 1 - best)).squareRoot()
            let hasConstant = scales[..<count].contains(0)
            last = (hasConstant ? min(distance, width.squareRoot()) : distance, place)
        } else {
            last = (max(0, means[newest] - best).squareRoot(), place)
        }
        return true
    }

    /// Drops the oldest rows, and works everything out anew around the mean of those that stay.
    private mutating func moveOn() {
        let aside = (stride..<products.count).map { isSetAside($0) }
        values.removeFirst(stride)
        let shift = values.reduce(0, +) / Double(values.count)
        origin += shift
        let kept = values
        clear()
        for value in kept {
            values.append(value - shift)
            if values.count >= window { describeNewest() }
        }
        let newest = values.count - window
        for place in 0...newest { products.append(product(place, newest)) }
        for place in aside.indices where aside[place] { setAside(place) }
    }

    var explanation: Explanation {
        let newest = products.count - 1
        var expected: Double?
        if newest >= 0, last.nearest < products.count {
            let value = values[last.nearest + window - 1]
            if !isNormalized {
                expected = origin + value
            } else if scales[newest] > 0 {
                // What the similar stretch goes on to, at this one's level and scale.
                expected =
                    origin + means[newest] + (value - means[last.nearest]) * scales[last.nearest] / scales[newest]
            }
        }
        return Explanation(
            expected: expected.flatMap { $0.isFinite ? $0 : nil },
            reason: "the last \(window) rows are like no stretch before: the most similar one, "
                + "\(max(0, newest - last.nearest)) rows ago, is \(shortText(last.distance)) away")
    }

    mutating func transfer(_ archive: inout StateArchive) throws(MartletError) {
        try archive.transfer(&origin)
        let count = try archive.transferCount(values.count, maximum: history + stride, bytesEach: 8)
        if archive.isReading { clear() }
        for place in 0..<count {
            var value = archive.isReading ? 0 : values[place]
            try archive.transfer(&value)
            if archive.isReading {
                values.append(value)
                if values.count >= window { describeNewest() }
            }
        }
        guard count >= window else { return }
        if archive.isReading { products = ContiguousArray(repeating: 0, count: count - window + 1) }
        try archive.transfer(&products)
        for place in 0..<products.count {
            var aside = !archive.isReading && isSetAside(place)
            try archive.transfer(&aside)
            if archive.isReading, aside { setAside(place) }
        }
        try distances.transfer(&archive)
        try event.transfer(&archive)
    }

    var heapBytes: Int { 4 * 8 * (history + stride) + 2 * ScoreHistory.binCount }
}
