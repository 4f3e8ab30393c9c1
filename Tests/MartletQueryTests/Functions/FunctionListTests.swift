import Foundation
import MartletModel
import Testing

@testable import MartletQuery

@Suite struct FunctionListTests {
    private static let page: String? = {
        var directory = URL(fileURLWithPath: #filePath)
        for _ in 0..<4 { directory.deleteLastPathComponent() }
        return try? String(contentsOf: directory.appendingPathComponent("docs/sql-functions.md"), encoding: .utf8)
    }()

    @Test func `docs/sql-functions.md names every built-in function`() throws {
        let page = try #require(Self.page)
        let separators = CharacterSet(charactersIn: " `()[],|/\n\"'.:;")
        let words = Set(page.components(separatedBy: separators))
        // The other spellings of LIKE are PostgreSQL's internal operators; the page names the operator itself.
        let unlisted: Set<String> = ["~~", "~~*", "!~~", "!~~*", "like_escape", "ilike_escape", "=~", "^@"]
        for name in FunctionRegistry.builtIn.names where !unlisted.contains(name) {
            let escaped = name.replacing("|", with: "\\|")
            #expect(words.contains(name) || page.contains(escaped), "\(name) is not in docs/sql-functions.md")
        }
    }

    @Test func `every built-in function refuses nonsense with an error that shows its form`() {
        for name in FunctionRegistry.builtIn.names {
            // No function takes nine intervals but those that take anything.
            let nonsense = [ColumnType?](repeating: .interval, count: 9)
            if let function = FunctionRegistry.builtIn.scalar(name) {
                do { _ = try function.resultType(of: nonsense) } catch {
                    #expect(error.code == .semantic && error.hint?.hasPrefix("the form is") == true, "\(name)")
                }
            }
            if let function = FunctionRegistry.builtIn.aggregate(name) {
                #expect(
                    errorCode { () throws(MartletError) in try function.resultType(of: nonsense) } == .semantic,
                    "\(name)")
            }
        }
    }

    @Test func `every scalar function keeps its promises on no rows and on nothing but NULL`() throws {
        let context = EvaluationContext(now: Timestamp(nanoseconds: 0))
        for name in FunctionRegistry.builtIn.names {
            guard let function = FunctionRegistry.builtIn.scalar(name) else { continue }
            for count in 0...6 {
                for type: ColumnType? in [nil, .int64, .float64, .string, .timestamp, .bool] {
                    guard let promised = try? function.resultType(of: Array(repeating: type, count: count)) else {
                        continue
                    }
                    for rows in [0, 3] {
                        let columns = (0..<count).map { _ in Column.nulls(type ?? .int64, count: rows) }
                        let result = try function.evaluate(
                            columns, constant: Array(repeating: true, count: count), rowCount: rows, context: context)
                        #expect(
                            result.type == promised && result.count == rows,
                            "\(name) of \(count) \(type?.name ?? "NULL")")
                    }
                }
            }
        }
    }
}
