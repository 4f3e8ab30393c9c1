import MartletModel

/// The unit of the timestamps in a text of line protocol.
package enum TimestampPrecision: String, Sendable, Hashable, CaseIterable {
    case nanoseconds = "ns"
    case microseconds = "us"
    case milliseconds = "ms"
    case seconds = "s"
    case minutes = "m"
    case hours = "h"

    /// Nanoseconds in one unit.
    package var nanoseconds: Int64 {
        switch self {
        case .nanoseconds: 1
        case .microseconds: 1_000
        case .milliseconds: 1_000_000
        case .seconds: 1_000_000_000
        case .minutes: 60_000_000_000
        case .hours: 3_600_000_000_000
        }
    }

    /// The precision of a name as InfluxDB's clients spell it: `n`, `ns`, `u`, `us`, `µs`, `ms`, `s`, `m`, `h`.
    package init?(name: String) {
        switch name {
        case "n": self = .nanoseconds
        case "u", "µ", "µs": self = .microseconds
        default:
            guard let precision = TimestampPrecision(rawValue: name) else { return nil }
            self = precision
        }
    }
}

/// Bounds on what a parser accepts and on the memory that it holds.
package struct LineLimits: Sendable {
    /// Bytes of one line, its newline not counted.
    package var lineLength = 65_536
    /// Bytes of a measurement's, tag's or field's name as written.
    package var nameLength = 1_024
    /// Errors kept per batch; further ones are counted only.
    package var errors = 100
    /// Rows of one batch over all its tables.
    package var batchRows = 65_536
    /// Bytes of one batch's columns, within the factor of two that growth by doubling needs.
    package var batchBytes = 8 << 20
    /// Bytes of the caches that survive batches: known series, tables and fields.
    package var cacheBytes = 48 << 20

    package init() {}
}

/// Why a line was refused, and where.
package struct LineError: Sendable, Hashable {
    /// The line, counted from 1 since the parser was made.
    package let line: Int
    /// The byte within the line at which it went wrong, counted from 1.
    package let column: Int
    /// The kind of failure.
    package let code: MartletError.Code
    /// The reason in words, naming the values concerned.
    package let reason: String

    package init(line: Int, column: Int, code: MartletError.Code, reason: String) {
        self.line = line
        self.column = column
        self.code = code
        self.reason = reason
    }

    /// The same as the error that the rest of Martlet throws.
    package var error: MartletError { MartletError(code, reason, at: .input(line: line, column: column)) }
}

/// The line that each row of a table came from.
package struct RowLines: Sendable {
    let first: Int
    let offsets: Buffer

    /// The number of the line that row `row` stood on, counted from 1.
    package subscript(row: Int) -> Int {
        precondition(row >= 0 && row * 4 < offsets.byteCount, "row \(row) of \(offsets.byteCount / 4)")
        return first + Int(offsets.pointer(to: UInt32.self)[row])
    }
}

/// The rows that a parser collected.
package struct ParsedBatch: Sendable {
    /// Rows by table, in the order in which the tables first occurred.
    package var tables: [TableBatch] = []
    /// For each of `tables`, where its rows came from.
    package var lines: [RowLines] = []
    /// Rows in all tables.
    package var rowCount = 0
    /// Field values in all tables.
    package var valueCount = 0
}

/// How a text that is handed to the parser ends.
package enum TextEnd: Sendable {
    /// More bytes follow: what comes after the last newline is left for the next call.
    case open
    /// The text is whole: its last line needs no newline.
    case complete
    /// The sender went away: what comes after the last newline is refused.
    case cut
}

/// Why the parser stopped before the end of the bytes that it was given.
package enum ParseStop: Sendable {
    /// It did not: every whole line was read.
    case none
    /// It read the comment `# flush`.
    case flush
    /// The batch is full: take it, then go on with the rest.
    case batchFull
}
