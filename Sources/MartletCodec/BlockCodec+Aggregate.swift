import MartletModel

/// Which figures an aggregate over a block is asked for.
package struct AggregateFigures: OptionSet, Sendable {
    package let rawValue: UInt8
    package init(rawValue: UInt8) { self.rawValue = rawValue }

    /// The sum of the values.
    package static let sum = AggregateFigures(rawValue: 1)
    /// The smallest and the largest value.
    package static let extremes = AggregateFigures(rawValue: 2)
}

extension BlockCodec {
    /// Count, sum and extremes of the given rows of a block (`nil`: all), without materialising them where the encoding
    /// allows it. The figures that were not asked for may be `nil`.
    ///
    /// The sum of floats is that of the decoded doubles: it is formed from the packed integers only where every partial
    /// sum is an integer below 2^53, for then all orders of addition give the same double.
    package static func aggregate(
        _ bytes: UnsafeRawBufferPointer, rows: Range<Int>? = nil, of figures: AggregateFigures = [.sum, .extremes]
    ) throws(MartletError) -> ColumnStatistics {
        var reader = ByteReader(bytes)
        let header = try BlockHeader(&reader)
        let rows = rows ?? 0..<header.count
        guard rows.lowerBound >= 0 && rows.upperBound <= header.count else {
            throw MartletError(.outOfRange, "rows \(rows) of a block of \(header.count)")
        }
        if figures == .sum && !header.hasNulls && !rows.isEmpty {
            if let sum = try packedSum(reader.rest, header, rows) {
                return ColumnStatistics(count: rows.count, sum: sum)
            }
        }
        let column = try decode(&reader, header, rows: rows)
        return .of(column, rows: 0..<rows.count)
    }

    /// The sum of a block without nulls from its packed integers, or `nil` where that is not exact or not possible.
    private static func packedSum(
        _ bytes: UnsafeRawBufferPointer, _ header: BlockHeader, _ rows: Range<Int>
    ) throws(MartletError) -> FieldValue? {
        switch header.type {
        case .int64:
            guard case .packed(let decoder) = try IntegerDecoder(bytes, count: header.count) else { return nil }
            return try decoder.sum(rows, below: Int64.max).map { .int64($0) }
        case .float64:
            guard case .decimal(let decimals) = try FloatDecoder(bytes, count: header.count), decimals.power == 1,
                decimals.exceptions == 0, case .packed(let decoder) = decimals.integers
            else { return nil }
            return try decoder.sum(rows, below: 1 << 53).map { .float64(Double($0)) }
        default: return nil
        }
    }
}

extension PackedIntegers.Decoder {
    /// The exact sum of the values of `range`, or `nil` where some partial sum might reach `bound` in magnitude.
    func sum(_ range: Range<Int>, below bound: Int64) throws(MartletError) -> Int64? {
        var total: Int128 = 0
        var reach: Double = 0
        let work = Work()
        let limit = Double(bound) * 0.999
        for index
            in (range.lowerBound / PackedIntegers.vectorLength)...((range.upperBound - 1) / PackedIntegers.vectorLength)
        {
            let start = index * PackedIntegers.vectorLength
            let length = min(PackedIntegers.vectorLength, count - start)
            let from = max(range.lowerBound, start)
            let to = min(range.upperBound, start + length)
            let vector = vectors[index]
            if to - from == length && isNarrow(vector, length) {
                // What the residuals add to the base stays below 2^31 steps of `divisor`.
                reach += 1024 * (abs(Double(low)) + Double(divisor) * (Double(vector.base) + 2_147_483_648))
                guard reach < limit else { return nil }
                unpack(vector, work, into: work.narrow.pointer)
                let residuals: Int128
                if mode == .reference {
                    residuals = Int128(Kernels.sum(work.narrow.pointer))
                } else {
                    residuals = Int128(Kernels.sumOfDelta(work.narrow.pointer, step: Int32(truncatingIfNeeded: step)))
                }
                total +=
                    Int128(length) * (Int128(low) + Int128(divisor) * Int128(vector.base)) + Int128(divisor) * residuals
            } else {
                try decode(from..<to, to: .integers(work.integers.pointer))
                for place in 0..<(to - from) {
                    let value = work.integers.pointer[place]
                    reach += abs(Double(value))
                    total += Int128(value)
                }
                guard reach < limit else { return nil }
            }
        }
        return Int64(exactly: total)
    }
}
