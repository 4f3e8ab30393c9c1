import Foundation
import MartletModel
import MartletTestSupport
import Testing

@testable import MartletCLI

/// The records of `text`, fed in pieces of `step` bytes; `nil` when a quote stays open.
private func scan(_ text: String, step: Int = .max) -> [[String]]? {
    var scanner = CSVScanner()
    var records: [[String]] = []
    let bytes = Buffer(Array(text.utf8))
    let isWhole = withExtendedLifetime(bytes) {
        var start = 0
        while start < bytes.byteCount {
            let end = start + min(step, bytes.byteCount - start)
            scanner.feed(UnsafeRawBufferPointer(rebasing: bytes.bytes[start..<end])) { record in
                records.append((0..<record.count).map { record.text($0) })
            }
            start = end
        }
        return scanner.finish { record in records.append((0..<record.count).map { record.text($0) }) }
    }
    return isWhole ? records : nil
}

@Suite struct CSVScannerTests {
    @Test(
        arguments: [
            ("a,b\n1,2\n", [["a", "b"], ["1", "2"]]), ("a,b\r\n1,2", [["a", "b"], ["1", "2"]]),
            ("\"x,\ny\",\"say \"\"hi\"\"\"\n", [["x,\ny", "say \"hi\""]]), ("a,,\n", [["a", "", ""]]),
            ("\u{feff}a\n1\n", [["a"], ["1"]]), ("\n\na\n\n", [["a"]]), ("\"\"\n", [[""]]),
            ("a\"b,c\n", [["a\"b", "c"]]),
            ("", []),
        ] as [(String, [[String]])])
    func recordsAreTakenApartHoweverTheBytesArrive(text: String, expected: [[String]]) {
        for step in [1, 2, 3, .max] { #expect(scan(text, step: step) == expected, "in steps of \(step)") }
    }

    @Test func anOpenQuoteIsNoticed() { #expect(scan("a,\"b\n1,2\n") == nil) }

    @Test func anyRecordsComeBackFromTheirText() {
        for seed in UInt64(0)..<300 {
            var random = SeededGenerator(seed: seed)
            let records = (0..<Int.random(in: 1...5, using: &random)).map { _ in
                (0..<3).map { _ in
                    String(
                        (0..<Int.random(in: 1...6, using: &random)).map { _ in
                            "a,\"\n\r ü".randomElement(using: &random)!
                        })
                }
            }
            let text = records.map { record in
                record.map { "\"" + $0.replacingOccurrences(of: "\"", with: "\"\"") + "\"" }.joined(separator: ",")
            }.joined(separator: "\n")
            #expect(scan(text, step: Int.random(in: 1...7, using: &random)) == records, "seed \(seed)")
        }
    }

    @Test func randomBytesNeverCrashTheScanner() {
        for seed in UInt64(0)..<500 {
            var random = SeededGenerator(seed: seed)
            let bytes: [UInt8] = (0..<200).map { _ in
                [UInt8(0x22), 0x2c, 0x0a, 0x0d, 0x41, 0xef, 0xbb].randomElement(using: &random)!
            }
            _ = scan(String(decoding: bytes, as: UTF8.self), step: 7)
        }
    }
}

private func layout(
    _ text: String, _ change: (inout CSVLayout.Request) -> Void = { _ in }, stored: [String: CSVLayout.Target] = [:]
) throws -> CSVLayout {
    var scanner = CSVScanner()
    var records: [CSVScanner.Record] = []
    let bytes = Buffer(Array(text.utf8))
    withExtendedLifetime(bytes) { scanner.feed(bytes.bytes) { records.append($0) } }
    _ = scanner.finish { records.append($0) }
    let header = records.removeFirst()
    var request = CSVLayout.Request()
    change(&request)
    return try CSVLayout(
        header: (0..<header.count).map { header.text($0) }, sample: records, request: request, stored: stored)
}

@Suite struct CSVLayoutTests {
    @Test func typesAreInferredFromTheValues() throws {
        let made = try layout(
            "time,i,u,f,b,s,e\n2024-01-01,1,18446744073709551615,1.5,true,x,\n2024-01-02,-2,1,2,no,NA,\n")
        #expect(
            made.targets == [
                .time, .field(.int64), .field(.uint64), .field(.float64), .field(.bool), .field(.string),
                .field(.string),
            ])
    }

    @Test func missingValuesDoNotChangeAType() throws {
        #expect(try layout("time,v\n1,\n2,NaN\n3,7\n4,null\n").targets == [.time, .field(.int64)])
    }

    @Test(arguments: [
        ("v,Timestamp\n1,2024-01-01\n", 1), ("v,date\n1,2012/01/01\n", 1), ("v,when\n1,2024-01-01T00:00:00Z\n", 1),
        ("_time,time\n1,2\n", 1),
    ])
    func theTimeColumnIsFound(text: String, column: Int) throws {
        #expect(try layout(text).timeColumn == column)
    }

    @Test(arguments: [
        ("1714564800", Int64(1_000_000_000)), ("1714564800.5", 1_000_000_000), ("1714564800000", 1_000_000),
        ("1714564800000000", 1000), ("1714564800000000000", 1),
    ])
    func theUnitOfANumericTimeIsGuessedFromItsSize(text: String, unit: Int64) throws {
        #expect(try layout("time,v\n\(text),1\n").timeForm == .number(unit: unit))
    }

    @Test func optionsAndAnExistingTableWinOverWhatTheFileLooksLike() throws {
        let made = try layout(
            "time,host,v,w,x\n1,a,1,2,3\n",
            {
                $0.tags = ["host"]
                $0.types = ["v": .float64]
                $0.skipped = ["x"]
            }, stored: ["w": .field(.string)])
        #expect(made.targets == [.time, .tag, .field(.float64), .field(.string), .skipped])
    }

    @Test func optionsThatNameNoColumnAreRefused() {
        #expect(throws: MartletError.self) { try layout("time,v\n1,2\n") { $0.tags = ["hots"] } }
        #expect(throws: MartletError.self) { try layout("time,v,v\n1,2,3\n") }
        #expect(throws: MartletError.self) { try layout("time,host\n1,a\n") { $0.tags = ["host"] } }
    }

    @Test(
        arguments: [
            ("9223372036854775807", Int64.max), ("-9223372036854775808", .min), ("9223372036854775808", nil), ("+5", 5),
            ("", nil), ("-", nil), ("1.0", nil), ("0x10", nil),
        ] as [(String, Int64?)])
    func integersAreReadExactly(text: String, expected: Int64?) {
        #expect(CSVValue.integer(Array(text.utf8)[...]) == expected)
    }
}
