import Foundation
import MartletModel
import MartletTestSupport
import Testing

@testable import MartletCodec

/// Blocks that earlier builds wrote. `Golden/index.txt` names each with the encoding it is of and the sample it holds.
/// `MARTLET_WRITE_GOLDEN=DIRECTORY swift test --filter GoldenTests` writes the set anew: a change of format.
@Suite("Golden blocks")
struct GoldenTests {
    private struct Sample {
        let kind: String
        let shape: String
        let length: Int
        let column: Column
    }

    private static func sample(_ kind: String, _ shape: String, _ length: Int) throws -> Sample {
        var generator = SeededGenerator(seed: 61)
        let none = Array(repeating: false, count: length)
        let column: Column
        switch kind {
        case "int64":
            let make = try #require(ColumnSamples.integerShapes.first { $0.name == shape }).make
            column = ColumnSamples.column(.int64, values: make(length, &generator), nulls: none)
        case "float64":
            let make = try #require(ColumnSamples.floatShapes.first { $0.name == shape }).make
            column = Column(.float64, unsafeElements: make(length, &generator))
        case "bool":
            let values = try #require(ColumnSamples.boolShapes.first { $0.name == shape }).make(length, &generator)
            column = ColumnSamples.column(.bool, length, none) { .bool(values[$0]) }
        case "string", "dictionary":
            let values = try #require(ColumnSamples.stringShapes.first { $0.name == shape }).make(length, &generator)
            let plain = ColumnSamples.column(.string, length, none) { .string(values[$0]) }
            column = kind == "string" ? plain : ColumnSamples.dictionaryEncoded(plain)
        default:
            let nulls = try #require(ColumnSamples.nullShapes.first { $0.name == shape }).make(length, &generator)
            column = ColumnSamples.column(.uint64, values: Array(0..<Int64(length)), nulls: nulls)
        }
        return Sample(kind: kind, shape: shape, length: length, column: column)
    }

    private static var directory: URL {
        get throws { try #require(Bundle.module.url(forResource: "Golden", withExtension: nil)) }
    }

    @Test("every golden block decodes to its sample")
    func decode() throws {
        let index = try String(contentsOf: Self.directory.appending(path: "index.txt"), encoding: .utf8)
        var checked = 0
        for line in index.split(separator: "\n") {
            let parts = line.split(separator: "|").map(String.init)
            let sample = try Self.sample(parts[1], parts[2], try #require(Int(parts[3])))
            let bytes = [UInt8](try Data(contentsOf: Self.directory.appending(path: parts[0])))
            let back = try ColumnSamples.decoded(bytes)
            if let difference = ColumnSamples.difference(sample.column, back) {
                Issue.record("\(parts[0]): \(difference)")
            }
            #expect(try bytes.withUnsafeBytes { try BlockCodec.describe($0) } == parts[4], "\(parts[0])")
            checked += 1
        }
        #expect(checked >= 30)
    }

    @Test("write the golden set", .enabled(if: ProcessInfo.processInfo.environment["MARTLET_WRITE_GOLDEN"] != nil))
    func write() throws {
        let target = URL(fileURLWithPath: ProcessInfo.processInfo.environment["MARTLET_WRITE_GOLDEN"] ?? "")
        var samples: [Sample] = []
        for length in [1100, 5000, 24] {
            samples += try ColumnSamples.integerShapes.map { try Self.sample("int64", $0.name, length) }
            samples += try ColumnSamples.floatShapes.map { try Self.sample("float64", $0.name, length) }
            samples += try ColumnSamples.boolShapes.map { try Self.sample("bool", $0.name, length) }
            samples += try ColumnSamples.stringShapes.map { try Self.sample("string", $0.name, length / 10) }
            samples += try ColumnSamples.stringShapes.map { try Self.sample("dictionary", $0.name, length / 10) }
            samples += try ColumnSamples.nullShapes.map { try Self.sample("nulls", $0.name, length) }
        }
        var seen: Set<String> = []
        var index = ""
        for sample in samples {
            for effort in Effort.allCases {
                let bytes = try ColumnSamples.encoded(sample.column, effort)
                let description = try bytes.withUnsafeBytes { try BlockCodec.describe($0) }
                guard bytes.count < 12_000,
                    seen.insert(sample.kind + description + "\(sample.shape.hasPrefix("s"))").inserted
                else { continue }
                let name = "\(sample.kind)-\(seen.count).block"
                try Data(bytes).write(to: target.appending(path: name))
                index += "\(name)|\(sample.kind)|\(sample.shape)|\(sample.length)|\(description)\n"
            }
        }
        try index.write(to: target.appending(path: "index.txt"), atomically: true, encoding: .utf8)
    }
}
