import MartletModel

/// Entropy-coded integers: predicted, turned into magnitudes, and those into bucket codes that a range coder writes and
/// raw low bits.
///
/// Layout (format-spec/blocks.md): mode and flags; precision; page size; scale; step; weights; the alphabet of codes;
/// symbol tables; exceptions; then for each page a section with its origin, its range-coded symbols and its raw bits.
enum EntropyIntegers {
    static let oneSidedFlag: UInt8 = 0x10
    /// Zero bytes after the raw bits of a page, so that a decoder may load eight bytes at any of them.
    static let rawPadding = 8

    /// The logarithm of the values of a page: a range of rows decodes the pages it touches. Where the coder's states, 128
    /// bytes a page, would weigh, pages are long: such values are quick to decode.
    static func pageBits(_ effort: Effort, bytesPerValue: Double) -> Int {
        effort == .cold || bytesPerValue < 0.1 ? 16 : 14
    }

    static func pages(_ count: Int, pageBits: Int) -> Int { (count + (1 << pageBits) - 1) >> pageBits }

    // MARK: Encoding

    /// Appends the encoding, or returns `false` when the values do not suit it or it would surely be longer than `limit`.
    static func encode(
        _ values: UnsafePointer<Int64>, count: Int, effort: Effort, limit: Int, into output: inout MutableBuffer
    ) throws(MartletError) -> Bool {
        guard count >= 128 else { return false }
        let scaled = Scratch<UInt64>(count: count)
        let scale = PackedIntegers.Scale.measure(values, count: count, into: scaled.pointer)
        let magnitudes = Scratch<UInt64>(count: count)
        guard let (plan, estimate) = choose(scaled.pointer, count, effort, magnitudes.pointer),
            estimate * 0.92 < Double(limit)
        else { return false }

        let pageBits = pageBits(effort, bytesPerValue: estimate / Double(count))
        let pageLength = 1 << pageBits
        var origins: [UInt64] = []
        var exceptions: [(position: Int, residual: Int64)] = []
        for page in 0..<pages(count, pageBits: pageBits) {
            let start = page * pageLength
            // What lies a step before the first value predicts it best.
            let origin = plan.mode == .reference ? 0 : scaled.pointer[start] &- UInt64(bitPattern: plan.step)
            let fits = plan.magnitudes(
                of: scaled.pointer + start, count: min(pageLength, count - start), origin: origin,
                into: magnitudes.pointer + start, at: start, exceptions: &exceptions, limit: count / 64)
            guard fits else { return false }
            origins.append(origin)
        }
        guard let alphabet = Alphabet(magnitudes.pointer, count) else { return false }
        let symbols = Scratch<UInt8>(count: count)
        alphabet.symbols(magnitudes.pointer, count, into: symbols.pointer)
        let tables = ContextModel.tables(
            symbols.pointer, count, pageLength: pageLength, symbolCount: alphabet.codes.count, effort: effort)

        output.append(plan.mode.rawValue | (plan.isOneSided ? oneSidedFlag : 0))
        output.append(UInt8(alphabet.code.precision) | UInt8(pageBits) << 3)
        output.append(varint: scale.divisor)
        output.append(signedVarint: scale.low)
        output.append(signedVarint: plan.step)
        if plan.mode == .linear {
            output.append(UInt8(plan.weights.count))
            for weight in plan.weights { output.append(signedVarint: weight) }
        }
        alphabet.write(into: &output)
        tables.write(into: &output)
        try write(exceptions, into: &output)
        for (page, origin) in origins.enumerated() {
            let start = page * pageLength
            let length = min(pageLength, count - start)
            var section = MutableBuffer(capacity: length)
            if plan.mode != .reference { section.append(varint: origin) }
            RangeCoder.encode(symbols.pointer + start, count: length, tables: tables, into: &section)
            alphabet.writeRaw(magnitudes.pointer + start, symbols.pointer + start, length, into: &section)
            output.append(section: section)
        }
        return true
    }

    private static func write(
        _ exceptions: [(position: Int, residual: Int64)], into output: inout MutableBuffer
    ) throws(MartletError) {
        output.append(varint: UInt64(exceptions.count))
        guard !exceptions.isEmpty else { return }
        let lists = [exceptions.map { Int64($0.position) }, exceptions.map(\.residual)]
        for list in lists {
            let numbers = Scratch<Int64>(count: list.count)
            for (index, number) in list.enumerated() { numbers.pointer[index] = number }
            var section = MutableBuffer(capacity: 64)
            try IntegerStream.encode(
                numbers.pointer, count: list.count, effort: .hot, trying: [], into: &section)
            output.append(stream: section)
        }
    }

    /// The plan of the least estimated length, from four stretches of the values, and that length in bytes.
    private static func choose(
        _ values: UnsafePointer<UInt64>, _ count: Int, _ effort: Effort, _ scratch: UnsafeMutablePointer<UInt64>
    ) -> (plan: ResidualPlan, bytes: Double)? {
        let stretch = min(effort == .cold ? 4096 : 2048, count)
        let stretches = min(4, count / stretch)
        var best: (plan: ResidualPlan, cost: Double)?
        for plan in ResidualPlan.candidates(values, count, effort: effort) {
            var exceptions: [(position: Int, residual: Int64)] = []
            var fits = true
            for part in 0..<stretches {
                let start = stretches == 1 ? 0 : part * (count - stretch) / (stretches - 1)
                let origin = start > 0 ? values[start - 1] : values[0]
                fits =
                    fits
                    && plan.magnitudes(
                        of: values + start, count: stretch, origin: origin, into: scratch + part * stretch,
                        exceptions: &exceptions, limit: stretch / 32)
            }
            guard fits else { continue }
            var cost = Alphabet.estimate(scratch, stretches * stretch) + Double(exceptions.count * 40)
            // Second differences and weights cost decoding time; they have to earn it.
            switch plan.mode {
            case .reference, .delta: break
            case .deltaOfDelta: cost *= 1.02
            case .linear: cost *= 1.03
            }
            if cost < best?.cost ?? .infinity { best = (plan, cost) }
        }
        return best.map { ($0.plan, $0.cost / 8 * Double(count) / Double(stretches * stretch)) }
    }
}
