import CMartletKernels
import MartletModel
import MartletTestSupport
import Testing

@testable import MartletCodec

/// The kernels in C against their portable twins. On processors without AVX2 both sides are the portable ones.
@Suite("Kernels equal their portable twins")
struct KernelTests {
    private let seed: UInt64 = 41

    private func vector(_ generator: inout SeededGenerator, bits: Int) -> [UInt32] {
        (0..<1024).map { _ in UInt32(truncatingIfNeeded: generator.next() & BitPacking.mask(bits)) }
    }

    @Test("packing and unpacking every width, interleaved and sequential")
    func packing() {
        var generator = SeededGenerator(seed: seed)
        for width in 0...64 {
            let numbers = (0..<1024).map { _ in generator.next() & BitPacking.mask(width) }
            var packed = [UInt8](repeating: 0, count: 128 * width + 8)
            packed.withUnsafeMutableBytes { BitPacking.packVector(numbers, width: width, into: $0.baseAddress!) }
            if width <= 32 {
                var portable = [UInt32](repeating: 1, count: 1024)
                var chosen = [UInt32](repeating: 2, count: 1024)
                packed.withUnsafeBytes { BitPacking.unpackVector32($0.baseAddress!, width: width, into: &portable) }
                packed.withUnsafeBytes { Kernels.unpack32($0.baseAddress!, width: width, into: &chosen) }
                #expect(portable.map { UInt64($0) } == numbers, "width \(width), seed \(seed)")
                #expect(chosen == portable, "width \(width), seed \(seed)")
            } else {
                var wide = [UInt64](repeating: 1, count: 1024)
                packed.withUnsafeBytes { BitPacking.unpackVector64($0.baseAddress!, width: width, into: &wide) }
                #expect(wide == numbers, "width \(width), seed \(seed)")
            }
            let short = Array(numbers[0..<77])
            var sequence = [UInt8](repeating: 0, count: (77 * width + 7) / 8)
            sequence.withUnsafeMutableBytes {
                if let base = $0.baseAddress { BitPacking.packSequence(short, count: 77, width: width, into: base) }
            }
            var back = [UInt64](repeating: 1, count: 77)
            sequence.withUnsafeBytes {
                BitPacking.unpackSequence(
                    $0.baseAddress ?? Buffer.empty.baseAddress, count: 77, width: width, into: &back)
            }
            #expect(back == short, "width \(width), seed \(seed)")
        }
    }

    @Test("references and differences as integers and as doubles, and their sums")
    func restoring() {
        var generator = SeededGenerator(seed: seed)
        for divisor: UInt64 in [1, 10, 4096, 10_000_000_000] {
            let residuals = vector(&generator, bits: 19)
            let base = UInt64(bitPattern: -1_234_567)
            let step: Int32 = -77
            var a = [Int64](repeating: 1, count: 1024)
            var b = [Int64](repeating: 2, count: 1024)
            Kernels.reference(residuals, base: base, divisor: divisor, into: &a)
            PortableKernels.reference(residuals, base: base, divisor: divisor, into: &b)
            #expect(a == b, "divisor \(divisor), seed \(seed)")
            Kernels.delta(residuals, step: step, base: base, divisor: divisor, into: &a)
            PortableKernels.delta(residuals, step: step, base: base, divisor: divisor, into: &b)
            #expect(a == b, "divisor \(divisor), seed \(seed)")
            #expect(Kernels.sum(residuals) == PortableKernels.sum(residuals))
            var first = residuals
            first[0] = 0
            #expect(Kernels.sumOfDelta(first, step: step) == PortableKernels.sumOfDelta(first, step: step))
        }
        for power in [1.0, 100, 1e6] {
            let residuals = vector(&generator, bits: 19)
            var a = [Double](repeating: 1, count: 1024)
            var b = [Double](repeating: 2, count: 1024)
            Kernels.reference(residuals, base: -5000, divisor: 3, power: power, into: &a)
            PortableKernels.reference(residuals, base: -5000, divisor: 3, power: power, into: &b)
            #expect(a.map(\.bitPattern) == b.map(\.bitPattern), "power \(power), seed \(seed)")
            Kernels.delta(residuals, step: 5, base: -5000, divisor: 3, power: power, into: &a)
            PortableKernels.delta(residuals, step: 5, base: -5000, divisor: 3, power: power, into: &b)
            #expect(a.map(\.bitPattern) == b.map(\.bitPattern), "power \(power), seed \(seed)")
        }
    }

    @Test("division and decimals, exceptions included")
    func decimals() {
        var generator = SeededGenerator(seed: seed)
        var values = (0..<1003).map { _ in Double(Int.random(in: -900_000...900_000, using: &generator)) / 1000 }
        for (place, odd) in [-0.0, .nan, .infinity, -.infinity, 1e300, 0.1234567, .leastNonzeroMagnitude].enumerated() {
            values[place * 143 + 1] = odd
        }
        var a = [Int64](repeating: 1, count: 1003)
        var b = [Int64](repeating: 2, count: 1003)
        var oddA = [UInt32](repeating: 0, count: 54)
        var oddB = [UInt32](repeating: 0, count: 54)
        let foundA = Kernels.decimal(values, 1003, power: 1000, into: &a, exceptions: &oddA, limit: 50)
        let foundB = PortableKernels.decimal(values, 1003, power: 1000, into: &b, exceptions: &oddB, limit: 50)
        #expect(foundA == 7 && foundB == 7)
        #expect(a == b && oddA == oddB)
        var x = [Double](repeating: 0, count: 1003)
        var y = x
        Kernels.divide(a, 1003, power: 1000, into: &x)
        PortableKernels.divide(a, 1003, power: 1000, into: &y)
        #expect(x.map(\.bitPattern) == y.map(\.bitPattern))
    }

    @Test("bit lengths")
    func bitLengths() {
        var generator = SeededGenerator(seed: seed)
        let numbers =
            (0..<1001).map { _ in generator.next() >> UInt64.random(in: 0...63, using: &generator) } + [0, 1, .max]
        var a = [UInt32](repeating: 0, count: 65)
        var b = a
        Kernels.bitLengths(numbers, numbers.count, into: &a)
        PortableKernels.bitLengths(numbers, numbers.count, into: &b)
        #expect(a == b)
    }

    @Test("the range decoder with one and with four contexts")
    func rangeDecoder() throws {
        var generator = SeededGenerator(seed: seed)
        for thresholds in [nil, [3, 7, 20]] as [[Int32]?] {
            let count = 5003
            let symbols = (0..<count).map { _ in
                UInt8(min(9, Int.random(in: 0..<4, using: &generator) * Int.random(in: 0..<4, using: &generator)))
            }
            let contexts = thresholds == nil ? 1 : 4
            let counts = [UInt32](repeating: 10, count: contexts * 10)
            let tables = SymbolTables(counts: counts, symbolCount: 10, thresholds: thresholds, bits: 11)
            var output = MutableBuffer(capacity: 0)
            RangeCoder.encode(symbols, count: count, tables: tables, into: &output)
            let bytes = output.finish()
            var reader = ByteReader(bytes.bytes)
            var chosen = [UInt8](repeating: 99, count: RangeCoder.paddedCount(count))
            let table = tables.decodingTable()
            try RangeCoder.decode(&reader, count: count, tables: tables, table: table, into: &chosen)
            #expect(Array(chosen[0..<count]) == symbols, "seed \(seed)")
            #expect(reader.remaining == 0)

            var states = (0..<32).map { bytes.bytes.loadUnaligned(fromByteOffset: $0 * 4, as: UInt32.self) }
            reader = ByteReader(UnsafeRawBufferPointer(rebasing: bytes.bytes[128...]))
            let wordCount = Int(try reader.varint())
            let words = (0..<wordCount).map { reader.rest.loadUnaligned(fromByteOffset: $0 * 2, as: UInt16.self) }
            var portable = [UInt8](repeating: 98, count: RangeCoder.paddedCount(count))
            let used = RangeCoder.decode(
                words + [UInt16](repeating: 0, count: 64), wordCount, &states, 32, portable.count / 32, tables, table,
                into: &portable)
            #expect(used == wordCount && portable == chosen, "seed \(seed)")
        }
    }

    @Test("the expansion of symbols to magnitudes")
    func expansion() throws {
        var generator = SeededGenerator(seed: seed)
        for bits in [3, 9, 17, 24, 40] {
            let magnitudes = (0..<1024).map { _ in
                generator.next() >> UInt64(64 - Int.random(in: 0...bits, using: &generator)) & BitPacking.mask(bits)
            }
            let alphabet = try #require(Alphabet(magnitudes, 1024))
            var symbols = [UInt8](repeating: 0, count: 1040)
            alphabet.symbols(magnitudes, 1024, into: &symbols)
            var output = MutableBuffer(capacity: 0)
            alphabet.writeRaw(magnitudes, symbols, 1024, into: &output)
            let raw = output.finish()
            let table = MagnitudeTable(alphabet)
            var wide = [UInt64](repeating: 0, count: 1024)
            var a = EntropyIntegers.RawBits(raw.bytes)
            Kernels.expand(symbols, 1024, table, raw: &a, into: &wide)
            #expect(wide == magnitudes, "\(bits) bits, seed \(seed)")
            var portable = [UInt64](repeating: 0, count: 1024)
            var b = EntropyIntegers.RawBits(raw.bytes)
            PortableKernels.expand(symbols, 1024, table, raw: &b, into: &portable)
            #expect(portable == magnitudes && a.offset == b.offset, "\(bits) bits, seed \(seed)")
            guard bits <= 31 else { continue }
            for plain in [0, table.plain] {
                for shift in [0, 1] {
                    var narrow = [UInt32](repeating: 0, count: 1024)
                    var c = EntropyIntegers.RawBits(raw.bytes)
                    Kernels.expand(symbols, table, plain: plain, shift: shift, raw: &c, into: &narrow)
                    #expect(narrow.map { UInt64($0) } == magnitudes.map { $0 << UInt64(shift) }, "\(bits) bits")
                }
            }
        }
    }
}
