import CMartletKernels
import MartletModel

extension EntropyIntegers {
    /// The parsed head of an entropy-coded stream.
    struct Decoder {
        let plan: ResidualPlan
        let tables: SymbolTables
        private let table: [UInt32]
        private let divisor: UInt64
        private let low: Int64
        private let pageBits: Int
        private let count: Int
        private let magnitudes: MagnitudeTable
        /// Symbols below this are their own magnitudes, if most symbols are; else 0.
        private let plain: Int
        /// The bits of the largest magnitude.
        private let longest: Int
        private let positions: [Int64]
        private let residuals: [Int64]
        private let pages: [UnsafeRawBufferPointer]

        init(_ reader: inout ByteReader, count: Int) throws(MartletError) {
            self.count = count
            let head = try reader.byte()
            guard let mode = ResidualPlan.Mode(rawValue: head & 0x0f), head & 0xe0 == 0 else {
                throw corrupt("unknown prediction \(head)")
            }
            let shape = try reader.byte()
            let precision = Int(shape & 7)
            pageBits = Int(shape >> 3)
            guard precision <= BucketCode.highestPrecision && (10...16).contains(pageBits) else {
                throw corrupt("an entropy-coded stream of precision \(precision) in pages of 2^\(pageBits)")
            }
            divisor = try reader.varint()
            low = try reader.signedVarint()
            var plan = ResidualPlan(
                mode: mode, step: try reader.signedVarint(), isOneSided: head & oneSidedFlag != 0)
            if mode == .linear {
                let order = Int(try reader.byte())
                guard (1...ResidualPlan.longestFilter).contains(order) else { throw corrupt("a filter of \(order)") }
                for _ in 0..<order { plan.weights.append(try reader.signedVarint()) }
            }
            self.plan = plan
            let alphabet = try Alphabet(&reader, precision: precision)
            magnitudes = MagnitudeTable(alphabet)
            longest = magnitudes.longestMagnitude
            tables = try SymbolTables(&reader, symbolCount: alphabet.codes.count)
            table = tables.decodingTable()
            plain = tables.share(ofSymbolsBelow: magnitudes.plain) > 0.9 ? magnitudes.plain : 0
            let exceptions = try reader.count(upTo: count, "the number of exceptions")
            if exceptions > 0 {
                let depth = IntegerStream.deepest
                positions = try IntegerStream.array(try reader.stream(), count: exceptions, depth: depth)
                residuals = try IntegerStream.array(try reader.stream(), count: exceptions, depth: depth)
                guard positions.allSatisfy({ $0 >= 0 && $0 < Int64(count) }) else {
                    throw corrupt("an exception beyond the stream")
                }
            } else {
                positions = []
                residuals = []
            }
            var pages: [UnsafeRawBufferPointer] = []
            for _ in 0..<EntropyIntegers.pages(count, pageBits: pageBits) { pages.append(try reader.section()) }
            self.pages = pages
        }

        /// Writes the values of `range`; decodes the pages that overlap it.
        func decode(_ range: Range<Int>, to target: PackedIntegers.Decoder.Target) throws(MartletError) {
            guard !range.isEmpty else { return }
            for page in (range.lowerBound >> pageBits)...((range.upperBound - 1) >> pageBits) {
                let start = page << pageBits
                let length = min(1 << pageBits, count - start)
                let from = max(range.lowerBound, start)
                let to = min(range.upperBound, start + length)
                let place = from - range.lowerBound
                if to - from == length {
                    switch target {
                    case .integers(let output): try decode(page, start, length, to: .integers(output + place))
                    case .doubles(let output, let power):
                        try decode(page, start, length, to: .doubles(output + place, power: power))
                    }
                    continue
                }
                // Values before the range are decoded too: predictions need them. Those after it are not.
                let scratch = Scratch<Int64>(count: length)
                let source = UnsafeMutableRawPointer(scratch.pointer)
                switch target {
                case .integers(let output):
                    try decode(page, start, length, upTo: to - start, to: .integers(scratch.pointer))
                    (output + place).update(from: scratch.pointer + (from - start), count: to - from)
                case .doubles(let output, let power):
                    let doubles = source.assumingMemoryBound(to: Double.self)
                    try decode(page, start, length, upTo: to - start, to: .doubles(doubles, power: power))
                    (output + place).update(from: doubles + (from - start), count: to - from)
                }
            }
        }

        private func decode(
            _ page: Int, _ start: Int, _ length: Int, upTo stop: Int? = nil, to target: PackedIntegers.Decoder.Target
        ) throws(MartletError) {
            var reader = ByteReader(pages[page])
            let origin = plan.mode == .reference ? 0 : try reader.varint()
            let symbols = Scratch<UInt8>(count: RangeCoder.paddedCount(length) + 64)
            try RangeCoder.decode(&reader, count: length, tables: tables, table: table, into: symbols.pointer)
            var raw = RawBits(reader.rest)
            if magnitudes.hasRawBits && raw.isMissing { throw corrupt("a page without its raw bits") }
            var state = origin
            var history = ResidualPlan.History()
            let chunk = BitPacking.vectorLength
            let wide = Scratch<UInt64>(count: chunk)
            let narrow = Scratch<UInt32>(count: chunk)
            var exception = positions.firstIndex { $0 >= Int64(start) } ?? positions.count
            let end = stop ?? length
            var done = 0
            while done < end {
                let taken = min(chunk, length - done)
                let isPatched = exception < positions.count && positions[exception] < Int64(start + done + taken)
                if taken == chunk && isNarrow && !isPatched {
                    expand(symbols.pointer + done, &raw, into: narrow.pointer)
                    state = emit(narrow.pointer, state, to: target, at: done)
                } else {
                    Kernels.expand(symbols.pointer + done, taken, magnitudes, raw: &raw, into: wide.pointer)
                    while exception < positions.count && positions[exception] < Int64(start + done + taken) {
                        guard positions[exception] >= Int64(start + done) else {
                            throw corrupt("exceptions out of order")
                        }
                        let residual = residuals[exception]
                        wide.pointer[Int(positions[exception]) - start - done] =
                            plan.isOneSided ? UInt64(bitPattern: residual) : ZigZag.encode(residual)
                        exception += 1
                    }
                    emit(wide.pointer, taken, &state, &history, to: target, at: done)
                }
                done += taken
            }
            if magnitudes.hasRawBits && stop == nil && !raw.isAtEnd {
                throw corrupt("a page does not end with its raw bits")
            }
        }

        /// Whether magnitudes and their sums over a vector fit the kernels of 32 bits.
        private var isNarrow: Bool {
            switch plan.mode {
            case .reference: plan.isOneSided && longest <= 31
            case .delta: longest <= (plan.isOneSided ? 19 : 20) && abs(plan.step) < 1 << 20
            case .deltaOfDelta, .linear: false
            }
        }

        private func expand(
            _ symbols: UnsafePointer<UInt8>, _ raw: inout RawBits, into output: UnsafeMutablePointer<UInt32>
        ) {
            // The kernels for differences take zig-zag codes, and twice a number is that of a number that is not negative.
            let shift = plan.isOneSided && plan.mode == .delta ? 1 : 0
            Kernels.expand(symbols, magnitudes, plain: plain, shift: shift, raw: &raw, into: output)
        }

        /// Writes a vector from its magnitudes; returns the last value as the origin of the next.
        private func emit(
            _ magnitudes: UnsafePointer<UInt32>, _ origin: UInt64, to target: PackedIntegers.Decoder.Target,
            at place: Int
        ) -> UInt64 {
            let step = UInt64(bitPattern: plan.step)
            // The kernels leave the step out of the first value of a vector.
            let base = UInt64(bitPattern: low) &+ divisor &* (origin &+ step)
            let steps = Int32(truncatingIfNeeded: plan.step)
            switch (target, plan.mode) {
            case (.integers(let output), .reference):
                Kernels.reference(magnitudes, base: base, divisor: divisor, into: output + place)
                return 0
            case (.doubles(let output, let power), .reference):
                Kernels.reference(
                    magnitudes, base: Double(Int64(bitPattern: base)), divisor: Double(divisor), power: power,
                    into: output + place)
                return 0
            case (.integers(let output), _):
                Kernels.delta(magnitudes, step: steps, base: base, divisor: divisor, into: output + place)
            case (.doubles(let output, let power), _):
                Kernels.delta(
                    magnitudes, step: steps, base: Double(Int64(bitPattern: base)), divisor: Double(divisor),
                    power: power, into: output + place)
            }
            return origin &+ step &* 1024 &+ UInt64(bitPattern: Kernels.total(magnitudes))
        }

        private func emit(
            _ magnitudes: UnsafePointer<UInt64>, _ count: Int, _ state: inout UInt64,
            _ history: inout ResidualPlan.History, to target: PackedIntegers.Decoder.Target, at place: Int
        ) {
            let integers: UnsafeMutablePointer<Int64>
            switch target {
            case .integers(let output): integers = output + place
            case .doubles(let output, _):
                integers = UnsafeMutableRawPointer(output + place).assumingMemoryBound(to: Int64.self)
            }
            plan.restore(
                magnitudes, count, origin: &state, history: &history, low: low, divisor: divisor, into: integers)
            if case .doubles(let output, let power) = target {
                Kernels.divide(integers, count, power: power, into: output + place)
            }
        }
    }

    /// A cursor over the raw bits of a page.
    struct RawBits {
        let base: UnsafePointer<UInt8>
        /// The last byte at which eight may be loaded.
        let last: UInt64
        let isMissing: Bool
        var offset: UInt64 = 0

        init(_ bytes: UnsafeRawBufferPointer) {
            isMissing = bytes.count < 8
            // A page whose symbols carry no raw bits may end here, and the kernels load a window of eight bytes all the
            // same: then from bytes that are always there.
            let source = isMissing ? Buffer.empty.baseAddress : bytes.baseAddress ?? Buffer.empty.baseAddress
            base = source.assumingMemoryBound(to: UInt8.self)
            last = UInt64(max(bytes.count, 8) - 8)
        }

        var isAtEnd: Bool { (offset + 7) >> 3 == last }
    }
}
