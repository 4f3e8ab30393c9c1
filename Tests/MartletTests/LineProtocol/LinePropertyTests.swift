import MartletModel
import MartletTestSupport
import Testing

@testable import Martlet

@Suite("Line protocol against the reference parser")
struct LinePropertyTests {
    private static let names = [
        "cpu", "mem", "a", "b", "usage_user", "usage_system", "long_field_name_of_27_bytes", "é", "x\\,y", "x\\ y",
        "q\\=r", "back\\\\slash", "\\z", "日本", "\"quoted\"", "#n", "v1", "v2", "v3",
    ]
    private static let values = [
        "1i", "-5i", "12345678i", "123456789012i", "0i", "1", "1.5", "-2.25", "1e10", "1E-5", "1.7976931348623157e308",
        "3.14159265358979323846", "0.1", "123456.789", "4.9e-324", "-0", "+7", "1.", ".5", "t", "False", "TRUE", "0u",
        "18446744073709551615u", "\"text\"", "\"\"", "\"with \\\"quotes\\\" and \\\\\"", "\"a,b c=d\"",
        "\"two\nlines\"",
        "\"ünï\"", "99999999999999999999", "1e400", "x", "1.2.3", "\"open",
    ]

    private static func line(_ random: inout SeededGenerator) -> String {
        var line = names[Int.random(in: 0..<3, using: &random)]
        if Int.random(in: 0..<20, using: &random) == 0 { line = names.randomElement(using: &random)! }
        for _ in 0..<Int.random(in: 0..<4, using: &random) {
            line += ",\(names.randomElement(using: &random)!)=\(names.randomElement(using: &random)!)"
        }
        line += " "
        for index in 0..<Int.random(in: 1..<6, using: &random) {
            let isOrdinary = Int.random(in: 0..<8, using: &random) != 0
            let name = isOrdinary ? "f\(index)" : names.randomElement(using: &random)!
            let value = isOrdinary ? values[(index * 5) % 16] : values.randomElement(using: &random)!
            line += (index == 0 ? "" : ",") + name + "=" + value
        }
        switch Int.random(in: 0..<6, using: &random) {
        case 0: break
        case 1: line += " -5"
        case 2: line += "  9223372036854775807 "
        default: line += " \(Int64.random(in: -1_000...2_000_000_000_000_000_000, using: &random))"
        }
        return line + (Int.random(in: 0..<10, using: &random) == 0 ? "\r\n" : "\n")
    }

    private static func compare(_ text: [UInt8], _ random: inout SeededGenerator, _ seed: UInt64) {
        let reference = ReferenceLineParser(text, now: 5, unit: 1_000)
        let whole = parse(text, precision: .microseconds, now: 5)
        let context: Comment = "seed \(seed): \(String(decoding: text.prefix(2_000), as: UTF8.self).debugDescription)"
        #expect(whole.rows == reference.rows, context)
        #expect(whole.refusals == Array(reference.refusals.prefix(100)), context)
        #expect(whole.errorCount == reference.refusals.count, context)
        let pieces = (0..<text.count).map { _ in Int.random(in: 1...90, using: &random) }
        let pieced = parse(text, pieces: pieces, precision: .microseconds, now: 5)
        #expect(pieced.rows == reference.rows, context)
        #expect(pieced.refusals == whole.refusals, context)
    }

    @Test("random texts give the same rows and refusals", arguments: 0..<40)
    func randomTexts(_ round: Int) {
        let seed = UInt64(round) &+ 1_000
        var random = SeededGenerator(seed: seed)
        let text = (0..<60).map { _ in Self.line(&random) }.joined()
        Self.compare(Array(text.utf8), &random, seed)
    }

    @Test("mutated texts give the same rows and refusals", arguments: 0..<40)
    func mutatedTexts(_ round: Int) {
        let seed = UInt64(round) &+ 2_000
        var random = SeededGenerator(seed: seed)
        let alphabet = Array("\n\n,= \\\"\"#tf01.-eiu\r\t".utf8) + [0x00, 0xC3, 0xA9, 0xFF, 0x80]
        for _ in 0..<12 {
            var text = Array((0..<8).map { _ in Self.line(&random) }.joined().utf8)
            for _ in 0..<Int.random(in: 1...6, using: &random) {
                let at = Int.random(in: 0..<text.count, using: &random)
                switch Int.random(in: 0..<4, using: &random) {
                case 0: text[at] = alphabet.randomElement(using: &random)!
                case 1: text.insert(alphabet.randomElement(using: &random)!, at: at)
                case 2: text.removeSubrange(at..<min(text.count, at + Int.random(in: 1...9, using: &random)))
                default: text.insert(contentsOf: text[at..<min(text.count, at + 20)], at: 0)
                }
                if text.isEmpty { text = [10] }
            }
            Self.compare(text, &random, seed)
        }
    }

    @Test("the corpus gives the same rows and refusals")
    func corpus() throws {
        for text in LineCorpus.texts {
            var random = SeededGenerator(seed: 7)
            Self.compare(Array(text.utf8), &random, 7)
        }
    }

    @Test("decimal numbers are rounded correctly", arguments: 0..<20)
    func decimals(_ round: Int) throws {
        let seed = UInt64(round) &+ 3_000
        var random = SeededGenerator(seed: seed)
        var texts: [String] = []
        for _ in 0..<500 {
            switch Int.random(in: 0..<4, using: &random) {
            case 0: texts.append("\(Double(bitPattern: UInt64.random(in: 0..<(0x7FF << 52), using: &random)))")
            case 1: texts.append("\(Double.random(in: -1_000...1_000, using: &random))")
            case 2:
                let digits =
                    UInt64.random(in: .min ... .max, using: &random) >> UInt64.random(in: 0..<64, using: &random)
                texts.append("\(digits)e\(Int.random(in: -45...40, using: &random))")
            default:
                let (whole, fraction) = (
                    UInt32.random(in: .min ... .max, using: &random), UInt64.random(in: 0..<1 << 50, using: &random)
                )
                texts.append("\(whole).\(fraction)")
            }
        }
        let parsed = parse(texts.map { "t v=\($0) 1\n" }.joined())
        #expect(parsed.rows.count == texts.count, "seed \(seed)")
        for (row, text) in zip(parsed.rows, texts) {
            guard case .float64(let number)? = row.fields["v"] else { continue }
            #expect(number.bitPattern == Double(text)!.bitPattern, "seed \(seed): \(text)")
        }
    }
}
