import Foundation
import MartletModel

/// Files of rows: a line each, numbers separated by commas.
enum Rows {
    static func read(_ path: String) throws -> [[Double]] {
        try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n").map { line in
            try line.split(separator: ",").map { field in
                guard let value = Double(field) else {
                    throw MartletError(.invalidArgument, "'\(field)' in \(path) is no number")
                }
                return value
            }
        }
    }
}
