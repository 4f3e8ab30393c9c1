/// What went wrong, where, and what to do about it. The only error type that Martlet's modules throw.
public struct MartletError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The kind of failure: what a program switches on. Raw values are part of the wire protocol.
    public enum Code: UInt16, Sendable, Hashable, CaseIterable {
        /// A value that the caller passed is not acceptable.
        case invalidArgument = 1
        /// A line of line protocol is malformed.
        case malformedLine = 2
        /// A value's type is not the column's.
        case typeConflict = 3
        /// A timestamp, number, name, line or statement is outside its limits.
        case outOfRange = 4
        /// Bytes are not UTF-8.
        case invalidUTF8 = 5
        /// SQL text that is not a statement.
        case syntax = 6
        /// SQL that is well-formed but means nothing: unknown table, column or function, wrong types.
        case semantic = 7
        /// A named table, column, namespace, series or file does not exist.
        case notFound = 8
        /// What is to be made exists already.
        case alreadyExists = 9
        /// Stored bytes fail their checksum or their format.
        case corrupt = 10
        /// A file or a peer is of a format or version that this build does not know.
        case unsupportedVersion = 11
        /// The operating system refused an operation on a file.
        case io = 12
        /// No space is left on the device, or a quota is used up.
        case storageFull = 13
        /// Another process holds what is needed.
        case locked = 14
        /// The database, file system or connection is read-only.
        case readOnly = 15
        /// A memory, row or series budget is used up.
        case resourceExhausted = 16
        /// A time limit passed.
        case timeout = 17
        /// The caller or a peer cancelled.
        case cancelled = 18
        /// The database, server or connection is closed.
        case closed = 19
        /// A peer broke the wire protocol.
        case protocolViolation = 20
        /// The peer is not allowed to do this.
        case unauthorized = 21
        /// The feature is known and not offered.
        case unsupported = 22
        /// A defect of Martlet itself.
        case `internal` = 23
    }

    /// Where it went wrong.
    public enum Location: Sendable, Hashable {
        /// A line and column of input, counted from 1; columns count bytes.
        case input(line: Int, column: Int)
        /// A place in SQL text: offset in UTF-8 bytes from 0, line and column from 1.
        case statement(offset: Int, line: Int, column: Int)
        /// A byte offset in a file.
        case file(path: String, offset: Int64?)
        /// A table and, where one is meant, a column of it.
        case column(table: String, column: String?)
    }

    /// The kind of failure.
    public let code: Code
    /// One sentence that says what went wrong, naming the values concerned.
    public let message: String
    /// Where, if there is a place.
    public let location: Location?
    /// What to do about it, if that is known.
    public let hint: String?

    /// An error of a kind, in words, at a place.
    public init(_ code: Code, _ message: String, at location: Location? = nil, hint: String? = nil) {
        self.code = code
        self.message = message
        self.location = location
        self.hint = hint
    }

    /// The error in one line: place, message, hint.
    public var description: String {
        var text = ""
        switch location {
        case .input(let line, let column): text += "line \(line), column \(column): "
        case .statement(_, let line, let column): text += "line \(line), column \(column): "
        case .file(let path, let offset): text += path + (offset.map { " at byte \($0)" } ?? "") + ": "
        case .column(let table, let column): text += table + (column.map { ".\($0)" } ?? "") + ": "
        case nil: break
        }
        text += message
        if let hint { text += " (\(hint))" }
        return text
    }
}
