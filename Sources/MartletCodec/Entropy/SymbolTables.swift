import MartletModel

/// The frequencies of up to 256 symbols in one or four contexts, scaled to a power of two, as the range coder uses
/// them.
///
/// The context of a symbol is how many of the `thresholds` the sum of the lane's two symbols before it exceeds. Symbols
/// stand for magnitudes, so that quiet stretches and busy ones get tables of their own.
struct SymbolTables {
    static let unreachable: Int32 = 512

    let symbolCount: Int
    /// One or four.
    let contexts: Int
    /// The logarithm of what the frequencies of a context add up to.
    let bits: Int
    /// Ascending; all `unreachable` when there is one context.
    let thresholds: [Int32]
    /// Context after context.
    private(set) var frequencies: [UInt32]
    private(set) var starts: [UInt32] = []

    /// Tables for counted symbols; `counts` holds `symbolCount` numbers a context.
    init(counts: [UInt32], symbolCount: Int, thresholds: [Int32]?, bits: Int) {
        precondition(symbolCount >= 2 && symbolCount <= 256)
        self.symbolCount = symbolCount
        self.bits = bits
        self.thresholds = thresholds ?? [Self.unreachable, Self.unreachable, Self.unreachable]
        contexts = thresholds == nil ? 1 : 4
        frequencies = []
        for context in 0..<contexts {
            let first = context * symbolCount
            frequencies += Self.scale(Array(counts[first..<(first + symbolCount)]), to: 1 << UInt32(bits))
        }
        accumulate()
    }

    private mutating func accumulate() {
        starts = []
        starts.reserveCapacity(frequencies.count)
        for context in 0..<contexts {
            var sum: UInt32 = 0
            for symbol in 0..<symbolCount {
                starts.append(sum)
                sum += frequencies[context * symbolCount + symbol]
            }
        }
    }

    /// Scales counts so that they add up to `total`, every counted symbol has at least one and none has all.
    private static func scale(_ counts: [UInt32], to total: UInt32) -> [UInt32] {
        let sum = counts.reduce(UInt64(0)) { $0 + UInt64($1) }
        guard sum > 0 else {
            var even = [UInt32](repeating: 0, count: counts.count)
            even[0] = total / 2
            even[1] = total - total / 2
            return even
        }
        var scaled = counts.map { count -> UInt32 in
            count == 0 ? 0 : max(1, UInt32((UInt64(count) * UInt64(total) + sum / 2) / sum))
        }
        if scaled.filter({ $0 > 0 }).count == 1 {
            let only = scaled.firstIndex { $0 > 0 }!
            scaled[only] = total - 1
            scaled[only == 0 ? 1 : 0] = 1
            return scaled
        }
        var difference = Int64(total) - scaled.reduce(Int64(0)) { $0 + Int64($1) }
        while difference != 0 {
            // Change the symbol whose code length that changes least: the gain or loss is count / frequency.
            var chosen = -1
            var best = 0.0
            for symbol in 0..<counts.count where counts[symbol] > 0 && (difference > 0 || scaled[symbol] > 1) {
                let weight = Double(counts[symbol]) / Double(scaled[symbol])
                if chosen < 0 || (difference > 0 ? weight > best : weight < best) {
                    chosen = symbol
                    best = weight
                }
            }
            let amount = max(1, min(abs(difference), Int64(scaled[chosen]) / 64))
            scaled[chosen] = UInt32(Int64(scaled[chosen]) + (difference > 0 ? amount : -amount))
            difference += difference > 0 ? -amount : amount
        }
        return scaled
    }

    /// The bits that a symbol costs.
    func cost(of symbol: Int, context: Int) -> Double {
        let frequency = frequencies[context * symbolCount + symbol]
        return frequency == 0 ? 64 : Double(bits) - log2(of: frequency)
    }

    private func log2(of value: UInt32) -> Double { Logarithms.table[Int(value)] }

    /// How much of the frequencies of all contexts belongs to the symbols below one.
    func share(ofSymbolsBelow bound: Int) -> Double {
        var sum: UInt64 = 0
        for context in 0..<contexts {
            for symbol in 0..<bound { sum += UInt64(frequencies[context * symbolCount + symbol]) }
        }
        return Double(sum) / Double(contexts << bits)
    }

    // MARK: The format

    /// Appends the tables: a byte with `bits` and the context count, thresholds, and frequencies as a bit length in
    /// four bits and the bits below the highest.
    func write(into output: inout MutableBuffer) {
        output.append(UInt8(bits) | (contexts == 4 ? 0x80 : 0))
        if contexts == 4 {
            for threshold in thresholds { output.append(UInt16(threshold).littleEndian) }
        }
        var writer = BitWriter(capacity: frequencies.count * 2)
        for frequency in frequencies {
            let length = BitPacking.bitLength(UInt64(frequency))
            writer.append(UInt64(length), width: 4)
            if length > 1 {
                writer.append(UInt64(frequency) & BitPacking.mask(length - 1), width: length - 1)
            }
        }
        writer.align()
        output.append(writer.buffer.bytes)
    }

    init(_ reader: inout ByteReader, symbolCount: Int) throws(MartletError) {
        let head = try reader.byte()
        bits = Int(head & 0x7f)
        contexts = head & 0x80 != 0 ? 4 : 1
        guard (8...12).contains(bits) && (2...256).contains(symbolCount) else {
            throw corrupt("symbol tables of \(bits) bits for \(symbolCount) symbols")
        }
        self.symbolCount = symbolCount
        var thresholds = [Self.unreachable, Self.unreachable, Self.unreachable]
        if contexts == 4 {
            for index in 0..<3 {
                let pair = try reader.take(2)
                thresholds[index] = Int32(pair[0]) | Int32(pair[1]) << 8
            }
            guard thresholds[0] < Self.unreachable else { throw corrupt("a context threshold of \(thresholds[0])") }
        }
        self.thresholds = thresholds
        var bitReader = BitReader(reader.rest)
        frequencies = []
        frequencies.reserveCapacity(contexts * symbolCount)
        for _ in 0..<contexts {
            var sum: UInt64 = 0
            for _ in 0..<symbolCount {
                let length = Int(try bitReader.read(4))
                guard length <= bits else { throw corrupt("a frequency of \(length) bits") }
                let frequency = length == 0 ? 0 : 1 << UInt64(length - 1) | (try bitReader.read(length - 1))
                frequencies.append(UInt32(frequency))
                sum += frequency
            }
            guard sum == 1 << UInt64(bits) else { throw corrupt("frequencies that add up to \(sum)") }
        }
        // A frequency of 2^bits would fill the whole sum and does not fit its field.
        guard frequencies.allSatisfy({ $0 < 1 << UInt32(bits) }) else { throw corrupt("a symbol with all frequency") }
        _ = try reader.take(bitReader.byteCount)
        accumulate()
    }

    /// The look-up table of the decoder: for each context 2^bits entries of symbol, frequency and place.
    func decodingTable() -> [UInt32] {
        var table: [UInt32] = []
        table.reserveCapacity(contexts << bits)
        for context in 0..<contexts {
            for symbol in 0..<symbolCount {
                let frequency = frequencies[context * symbolCount + symbol]
                for place in 0..<frequency { table.append(UInt32(symbol) | frequency << 8 | place << 20) }
            }
        }
        return table
    }
}

/// Logarithms to base 2 of small integers, for estimates of code lengths by encoders. Decoders never see them.
enum Logarithms {
    /// `table[n]` is log2(n), 0 for n = 0; up to 65,536.
    static let table: [Double] = {
        var table = [Double](repeating: 0, count: 65_537)
        for value in 2...65_536 {
            // log2(n) = log2(n / 2^k) + k with the series of atanh, exact enough for estimates.
            let length = BitPacking.bitLength(UInt64(value)) - 1
            let fraction = Double(value) / Double(1 << length)
            let ratio = (fraction - 1) / (fraction + 1)
            let square = ratio * ratio
            var term = ratio
            var sum = 0.0
            for power in stride(from: 1.0, through: 21, by: 2) {
                sum += term / power
                term *= square
            }
            table[value] = Double(length) + 2 * sum * 1.4426950408889634
        }
        return table
    }()

    /// n log2(n).
    @inline(__always) static func entropyTerm(_ count: UInt32) -> Double {
        Double(count) * table[Int(min(count, 65_536))]
    }
}
