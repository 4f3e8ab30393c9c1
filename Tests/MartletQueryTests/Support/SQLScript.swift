import Foundation
import MartletModel

@testable import MartletQuery

/// A file of SQL tests; SQL/README.md has the format.
struct SQLScript {
    enum Expectation {
        case success
        case failure(String)
        case rows(types: String, isSorted: Bool, [String])
    }
    struct Record {
        var line: Int
        var sql: String
        var expectation: Expectation
    }

    let name: String
    let records: [Record]

    /// Every script of the test bundle.
    static let all: [SQLScript] = {
        guard let folder = Bundle.module.url(forResource: "SQL", withExtension: nil),
            let files = try? FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
        else { return [] }
        return files.filter { $0.pathExtension == "test" }.sorted { $0.path < $1.path }.map { file in
            let text = (try? String(contentsOf: file, encoding: .utf8)) ?? ""
            return SQLScript(name: file.lastPathComponent, text: text)
        }
    }()

    init(name: String, text: String) {
        self.name = name
        var records: [Record] = []
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        var index = 0
        while index < lines.count {
            let head = lines[index]
            if head.isEmpty || head.hasPrefix("#") {
                index += 1
                continue
            }
            let line = index + 1
            index += 1
            var body: [String] = []
            while index < lines.count && !lines[index].isEmpty {
                body.append(lines[index])
                index += 1
            }
            let words = head.split(separator: " ").map(String.init)
            let separator = body.firstIndex(of: "----") ?? body.count
            let sql = body[..<separator].joined(separator: "\n")
            switch (words.first, words.dropFirst().first) {
            case ("statement", "ok"): records.append(Record(line: line, sql: sql, expectation: .success))
            case ("statement", "error"):
                let text = words.dropFirst(2).joined(separator: " ")
                records.append(Record(line: line, sql: sql, expectation: .failure(text)))
            case ("query", let types?):
                records.append(
                    Record(
                        line: line, sql: sql,
                        expectation: .rows(
                            types: types, isSorted: words.contains("rowsort"), Array(body.dropFirst(separator + 1)))))
            default:
                records.append(
                    Record(line: line, sql: sql, expectation: .failure("a record of no known kind: \(head)")))
            }
        }
        self.records = records
    }

    /// What is wrong with the record's outcome; `nil` when nothing is.
    static func complaint(about record: Record, in fixture: QueryFixture) -> String? {
        let result: QueryResult
        let rows: [[FieldValue?]]
        do throws(MartletError) {
            result = try fixture.engine.execute(record.sql)
            rows = try result.rows()
        } catch {
            guard case .failure(let text) = record.expectation else { return "failed: \(error)" }
            return "\(error)".contains(text) ? nil : "failed with another error: \(error)"
        }
        switch record.expectation {
        case .success: return nil
        case .failure(let text): return "succeeded, though it should fail with: \(text)"
        case .rows(let types, let isSorted, var expected):
            let given = String(result.schema.map { letter($0.type) })
            if given != types { return "gave columns \(given) instead of \(types)" }
            var lines = rows.map { $0.map { TestText.of($0).replacing("\n", with: "\\n") }.joined(separator: "|") }
            if isSorted {
                lines.sort()
                expected.sort()
            }
            return lines == expected
                ? nil : "gave\n" + lines.joined(separator: "\n") + "\ninstead of\n" + expected.joined(separator: "\n")
        }
    }

    private static func letter(_ type: ColumnType) -> Character {
        switch type {
        case .int64, .uint64: "I"
        case .float64: "R"
        case .string: "T"
        case .bool: "B"
        case .timestamp: "P"
        case .interval: "V"
        }
    }
}
