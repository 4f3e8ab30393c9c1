import Foundation

/// Statements of this and earlier sessions, oldest first.
struct History {
    /// Statements kept.
    static let limit = 2000

    private(set) var entries: [String] = []
    private let path: String?

    /// - Parameter path: the file, one statement a line with `\n` and `\\` escaped; `nil` for none.
    init(path: String?) {
        self.path = path
        guard let path, let text = try? String(contentsOfFile: path, encoding: .utf8) else { return }
        entries = text.split(separator: "\n").suffix(Self.limit).map { Self.unescaped(String($0)) }
    }

    /// The file in the user's home: `MARTLET_HISTORY` names another, and an empty value none.
    static var defaultPath: String? {
        let environment = ProcessInfo.processInfo.environment
        if let path = environment["MARTLET_HISTORY"] { return path.isEmpty ? nil : path }
        return environment["HOME"].map { $0 + "/.martlet_history" }
    }

    /// Adds a statement, unless it is the same as the last one.
    mutating func add(_ entry: String) {
        guard !entry.isEmpty, entries.last != entry else { return }
        entries.append(entry)
        if entries.count > Self.limit { entries.removeFirst() }
    }

    /// Writes the file, readable by its owner only: statements may hold what others should not see.
    ///
    /// - Throws: when the file cannot be written.
    func save() throws {
        guard let path else { return }
        let text = entries.map { Self.escaped($0) + "\n" }.joined()
        try Data(text.utf8).write(to: URL(fileURLWithPath: path), options: .atomic)
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
    }

    /// The newest entry before `index` that holds `text`.
    func search(_ text: String, before index: Int) -> Int? {
        guard !text.isEmpty else { return nil }
        return entries.indices.prefix(index).last { entries[$0].localizedCaseInsensitiveContains(text) }
    }

    static func escaped(_ text: String) -> String {
        text.replacingOccurrences(of: "\\", with: "\\\\").replacingOccurrences(of: "\n", with: "\\n")
    }

    static func unescaped(_ text: String) -> String {
        var result = ""
        var isEscaped = false
        for character in text {
            if isEscaped {
                result.append(character == "n" ? "\n" : character)
                isEscaped = false
            } else if character == "\\" {
                isEscaped = true
            } else {
                result.append(character)
            }
        }
        return result
    }
}
