import Foundation
import Martlet

/// Runs SQL for the differential test: one statement a line on standard input, one line of JSON out for each.
///
/// `{"columns": [["name", "TYPE"], ...], "rows": [[...], ...]}` or `{"error": "..."}`. Floats are written as text (JSON
/// has no NaN), timestamps as nanoseconds since the epoch, intervals as text.
@main
struct DifferentialRunner {
    static func main() throws {
        guard CommandLine.arguments.count == 2 else {
            FileHandle.standardError.write(Data("usage: MartletDifferential DIRECTORY < statements\n".utf8))
            exit(2)
        }
        var options = Database.Options()
        options.durability = .none
        let database = try Database.open(at: CommandLine.arguments[1], options: options)
        let namespace = try database.namespace("default")
        while let line = readLine() {
            FileHandle.standardOutput.write(Data((answer(line, namespace) + "\n").utf8))
        }
    }

    private static func answer(_ sql: String, _ namespace: Namespace) -> String {
        do {
            let result = try namespace.query(sql)
            let columns = result.schema.map { "[\(quoted($0.name)),\(quoted($0.type.name))]" }
            let rows = try result.rows().map { row in "[" + row.map(text).joined(separator: ",") + "]" }
            return "{\"columns\":[\(columns.joined(separator: ","))],\"rows\":[\(rows.joined(separator: ","))]}"
        } catch {
            return "{\"error\":\(quoted("\(error)"))}"
        }
    }

    private static func text(_ value: FieldValue?) -> String {
        switch value {
        case nil: "null"
        case .float64(let number)?: quoted(number.description)
        case .int64(let number)?: "\(number)"
        case .uint64(let number)?: "\(number)"
        case .bool(let flag)?: flag ? "true" : "false"
        case .string(let text)?: quoted(text)
        case .timestamp(let time)?: "\(time.nanoseconds)"
        case .interval(let span)?: quoted("\(span.months) \(span.days) \(span.nanoseconds)")
        }
    }

    private static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case _ where scalar.value < 0x20: result += "\\u" + String(format: "%04x", scalar.value)
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}
