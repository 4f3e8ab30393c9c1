import CMartletKernels
import MartletModel

/// Asymmetric numeral systems (rANS, Duda 2013; interleaved as by Giesen 2014): symbols to 16-bit words and back.
///
/// The symbols of a page are cut into `lanes` equal stretches, one a lane; row `j` of the coder takes the j-th symbol of
/// each stretch. Stretches keep a symbol's neighbours in its own lane, where they serve as its context, and the lanes
/// keep the processor busy. A state is in 2^16 ..< 2^32; it takes the next word of the shared stream when it falls
/// below. Lane after lane in a row, row after row. The states of all lanes end at 2^16, which a decoder checks.
///
/// Layout: the states, four bytes each; the number of words; the words.
///
/// Invariants of the unsafe code: symbol memory holds `paddedCount` bytes; the words are copied so that 128 readable
/// bytes follow them, as the kernel in C may read that far before it notices the end; symbols index tables of
/// `symbolCount` entries because they come out of the decoding table.
enum RangeCoder {
    static let lowest: UInt32 = 1 << 16

    static func lanes(for count: Int) -> Int { count >= 4096 ? 32 : 4 }

    static func paddedCount(_ count: Int) -> Int {
        let lanes = lanes(for: count)
        return (count + lanes - 1) / lanes * lanes
    }

    // MARK: Encoding

    static func encode(
        _ symbols: UnsafePointer<UInt8>, count: Int, tables: SymbolTables, into output: inout MutableBuffer
    ) {
        let lanes = lanes(for: count)
        let rows = paddedCount(count) / lanes
        let ordered = Scratch<UInt8>(count: rows * lanes)
        let contexts = Scratch<UInt8>(count: rows * lanes)
        arrange(symbols, count, lanes, rows, tables, ordered.pointer, contexts.pointer)

        let words = Scratch<UInt16>(count: rows * lanes)
        var written = rows * lanes
        let states = Scratch<UInt32>(count: lanes)
        states.pointer.update(repeating: lowest, count: lanes)
        let bits = UInt32(tables.bits)
        let symbolCount = tables.symbolCount
        let entries = zip(tables.frequencies, tables.starts).map { UInt64($0) | UInt64($1) << 32 }
        entries.withUnsafeBufferPointer { entries in
            var position = rows * lanes
            while position > 0 {
                for lane in stride(from: lanes &- 1, through: 0, by: -1) {
                    position &-= 1
                    let entry = entries[
                        Int(contexts.pointer[position]) &* symbolCount &+ Int(ordered.pointer[position])]
                    let frequency = UInt32(truncatingIfNeeded: entry)
                    var state = states.pointer[lane]
                    if state >= frequency &<< (32 &- bits) {
                        written &-= 1
                        words.pointer[written] = UInt16(truncatingIfNeeded: state)
                        state &>>= 16
                    }
                    let quotient = state / frequency
                    states.pointer[lane] =
                        quotient &<< bits &+ (state &- quotient &* frequency)
                        &+ UInt32(truncatingIfNeeded: entry &>> 32)
                }
            }
        }
        for lane in 0..<lanes { output.append(states.pointer[lane].littleEndian) }
        let count = rows * lanes - written
        output.append(varint: UInt64(count))
        output.append(UnsafeRawBufferPointer(start: words.pointer + written, count: count * 2))
    }

    /// Puts symbols into the order of rows and finds their contexts. Slots beyond the last symbol get what is cheapest.
    private static func arrange(
        _ symbols: UnsafePointer<UInt8>, _ count: Int, _ lanes: Int, _ rows: Int, _ tables: SymbolTables,
        _ ordered: UnsafeMutablePointer<UInt8>, _ contexts: UnsafeMutablePointer<UInt8>
    ) {
        let likeliest = (0..<tables.contexts).map { context in
            UInt8(
                (0..<tables.symbolCount).max {
                    tables.cost(of: $0, context: context) > tables.cost(of: $1, context: context)
                }!)
        }
        let (t0, t1, t2) = (tables.thresholds[0], tables.thresholds[1], tables.thresholds[2])
        for lane in 0..<lanes {
            var before: Int32 = 0
            var sum: Int32 = 0
            for row in 0..<rows {
                let context = (sum > t0 ? 1 : 0) + (sum > t1 ? 1 : 0) + (sum > t2 ? 1 : 0)
                let index = lane * rows + row
                let symbol = index < count ? symbols[index] : likeliest[context]
                ordered[row * lanes + lane] = symbol
                contexts[row * lanes + lane] = UInt8(context)
                sum = Int32(symbol) + before
                before = Int32(symbol)
            }
        }
    }

    /// Counts symbols by what the two before them in their lane add up to, for the choice of contexts. `buckets` maps
    /// such a sum to one of `bucketCount` classes.
    static func countBySum(
        _ symbols: UnsafePointer<UInt8>, count: Int, pageLength: Int, symbolCount: Int, buckets: [UInt8],
        bucketCount: Int
    ) -> [UInt32] {
        var counts = [UInt32](repeating: 0, count: bucketCount * symbolCount)
        counts.withUnsafeMutableBufferPointer { counts in
            buckets.withUnsafeBufferPointer { buckets in
                for page in stride(from: 0, to: count, by: pageLength) {
                    let length = min(pageLength, count - page)
                    let rows = paddedCount(length) / lanes(for: length)
                    for start in stride(from: page, to: page + length, by: rows) {
                        var before = 0
                        var sum = 0
                        for index in start..<min(start + rows, page + length) {
                            let symbol = Int(symbols[index])
                            counts[Int(buckets[sum]) &* symbolCount &+ symbol] &+= 1
                            sum = symbol &+ before
                            before = symbol
                        }
                    }
                }
            }
        }
        return counts
    }

    // MARK: Decoding

    /// Writes `count` symbols, and up to `paddedCount(count)` bytes, to `output`.
    static func decode(
        _ reader: inout ByteReader, count: Int, tables: SymbolTables, table: [UInt32],
        into output: UnsafeMutablePointer<UInt8>
    ) throws(MartletError) {
        let lanes = lanes(for: count)
        let rows = paddedCount(count) / lanes
        let states = Scratch<UInt32>(count: lanes)
        UnsafeMutableRawPointer(states.pointer).copyMemory(
            from: try reader.take(lanes * 4).baseAddress ?? reader.end, byteCount: lanes * 4)
        for lane in 0..<lanes { states.pointer[lane] = UInt32(littleEndian: states.pointer[lane]) }
        let wordCount = try reader.count(upTo: rows * lanes, "the number of words")
        let source = try reader.take(wordCount * 2)
        let words = Scratch<UInt16>(count: wordCount + 64)
        if let base = source.baseAddress {
            UnsafeMutableRawPointer(words.pointer).copyMemory(from: base, byteCount: source.count)
        }
        (words.pointer + wordCount).update(repeating: 0, count: 64)
        let used: Int
        #if arch(x86_64)
            if lanes == 32 && Kernels.isAccelerated {
                let ordered = Scratch<UInt8>(count: rows * lanes)
                used = martlet_rans_decode(
                    words.pointer, words.pointer + wordCount, states.pointer, table, UInt32(tables.bits),
                    tables.thresholds, rows, ordered.pointer)
                martlet_transpose32(ordered.pointer, rows, output)
            } else {
                used = decode(words.pointer, wordCount, states.pointer, lanes, rows, tables, table, into: output)
            }
        #else
            used = decode(words.pointer, wordCount, states.pointer, lanes, rows, tables, table, into: output)
        #endif
        guard used == wordCount else { throw corrupt("a range-coded page does not end with its words") }
        for lane in 0..<lanes where states.pointer[lane] != lowest {
            throw corrupt("a range-coded page does not end in its first state")
        }
    }

    /// The portable twin of the kernel in C, for any number of lanes. Returns the words used, or -1.
    static func decode(
        _ words: UnsafePointer<UInt16>, _ wordCount: Int, _ states: UnsafeMutablePointer<UInt32>, _ lanes: Int,
        _ rows: Int, _ tables: SymbolTables, _ table: [UInt32], into output: UnsafeMutablePointer<UInt8>
    ) -> Int {
        let bits = UInt32(tables.bits)
        let mask: UInt32 = (1 &<< bits) &- 1
        let (t0, t1, t2) = (tables.thresholds[0], tables.thresholds[1], tables.thresholds[2])
        let before = Scratch<Int32>(count: lanes)
        let contexts = Scratch<UInt32>(count: lanes)
        before.pointer.update(repeating: 0, count: lanes)
        contexts.pointer.update(repeating: 0, count: lanes)
        var next = 0
        table.withUnsafeBufferPointer { table in
            for row in 0..<rows {
                if next > wordCount { return }
                for lane in 0..<lanes {
                    var state = states[lane]
                    let entry = table[Int(state & mask &+ contexts.pointer[lane])]
                    state = (entry &>> 8 & 0xfff) &* (state &>> bits) &+ entry &>> 20
                    if state < lowest {
                        state = state &<< 16 | UInt32(words[next])
                        next &+= 1
                    }
                    states[lane] = state
                    let symbol = Int32(bitPattern: entry & 0xff)
                    output[lane &* rows &+ row] = UInt8(truncatingIfNeeded: symbol)
                    let sum = symbol &+ before.pointer[lane]
                    before.pointer[lane] = symbol
                    contexts.pointer[lane] =
                        ((sum > t0 ? 1 : 0) &+ (sum > t1 ? 1 : 0) &+ (sum > t2 ? 1 : 0)) as UInt32 &<< bits
                }
            }
        }
        return next > wordCount ? -1 : next
    }
}
