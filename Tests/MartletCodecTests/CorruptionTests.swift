import MartletModel
import MartletTestSupport
import Testing

@testable import MartletCodec

@Suite("Damaged blocks are refused")
struct CorruptionTests {
    /// Decodes bytes that may be anything; an error is fine, a crash or an oversized column is not.
    private func survive(_ bytes: [UInt8], rows: Range<Int>? = nil) -> Bool {
        do {
            let column = try ColumnSamples.decoded(bytes, rows: rows)
            if column.type == .string {
                var total = 0
                for row in 0..<column.count where column.isValid(row) { total += column.stringBytes(row).count }
                return column.count <= BlockCodec.maximumRowCount && total >= 0
            }
            return column.count <= BlockCodec.maximumRowCount
        } catch {
            return error is MartletError
        }
    }

    private func samples(_ effort: Effort) throws -> [[UInt8]] {
        var samples: [[UInt8]] = []
        let length = 1500
        let none = Array(repeating: false, count: length)
        for (_, make) in ColumnSamples.integerShapes {
            var generator = SeededGenerator(seed: 21)
            let column = ColumnSamples.column(.int64, values: make(length, &generator), nulls: none)
            samples.append(try ColumnSamples.encoded(column, effort))
        }
        for (_, make) in ColumnSamples.floatShapes {
            var generator = SeededGenerator(seed: 21)
            samples.append(
                try ColumnSamples.encoded(Column(.float64, unsafeElements: make(length, &generator)), effort))
        }
        for (_, make) in ColumnSamples.nullShapes {
            var generator = SeededGenerator(seed: 21)
            let nulls = make(300, &generator)
            for column in try ColumnSamples.oneOfEachType(300, nulls, &generator) {
                samples.append(try ColumnSamples.encoded(column, effort))
            }
        }
        return samples
    }

    @Test("a block cut short is refused or decodes to something, and never crashes", arguments: Effort.allCases)
    func truncation(effort: Effort) throws {
        for bytes in try samples(effort) {
            for length in Set([0, 1, 2, 3, 5, 8, 13, 21, 34, bytes.count / 2, bytes.count - 1])
            where length < bytes.count {
                #expect(survive(Array(bytes[0..<max(0, length)])))
            }
        }
    }

    @Test("mutated blocks never crash the decoder", arguments: Effort.allCases)
    func mutation(effort: Effort) throws {
        let seed: UInt64 = 22
        var generator = SeededGenerator(seed: seed)
        for (index, bytes) in try samples(effort).enumerated() {
            for _ in 0..<25 {
                var mutated = bytes
                for _ in 0..<Int.random(in: 1...4, using: &generator) {
                    // The head decides most; half of the hits go there.
                    let reach = Bool.random(using: &generator) ? mutated.count : min(mutated.count, 40)
                    let place = Int.random(in: 0..<reach, using: &generator)
                    switch Int.random(in: 0..<4, using: &generator) {
                    case 0: mutated[place] = UInt8.random(in: 0...255, using: &generator)
                    case 1: mutated[place] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
                    case 2: mutated[place] = [0, 1, 0x7f, 0x80, 0xff].randomElement(using: &generator)!
                    default: mutated.remove(at: place)
                    }
                    if mutated.isEmpty { break }
                }
                #expect(survive(mutated), "sample \(index), seed \(seed)")
                #expect(survive(mutated, rows: 100..<120), "sample \(index), seed \(seed)")
            }
        }
    }

    @Test("random bytes never crash the decoder")
    func noise() {
        let seed: UInt64 = 23
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<3000 {
            var bytes = (0..<Int.random(in: 0..<80, using: &generator)).map { _ in
                UInt8.random(in: 0...255, using: &generator)
            }
            if bytes.count > 2 { bytes[0] = 0x10 | UInt8.random(in: 1...6, using: &generator) }
            #expect(survive(bytes), "seed \(seed)")
        }
    }

    @Test("a block of another version names its version")
    func version() {
        #expect {
            try ColumnSamples.decoded([0x21, 0, 0])
        } throws: {
            ($0 as? MartletError)?.code == .unsupportedVersion
        }
    }

    @Test("text that claims to expand without bound is refused before memory is taken")
    func expansion() {
        // A plain string block of one row whose text claims two thousand million bytes in four.
        let bytes: [UInt8] = [0x16, 2, 0, 7, 0, 0x80, 0xa8, 0xd6, 0xb9, 0x07, 2, 1, 2, 3, 4]
        #expect(throws: MartletError.self) { try ColumnSamples.decoded(bytes) }
    }
}
