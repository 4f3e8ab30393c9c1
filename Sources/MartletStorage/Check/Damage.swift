import MartletModel

/// Bytes of a data directory that can't be used.
package struct Damage: Sendable, Hashable, CustomStringConvertible {
    /// The namespace, where the bytes belong to one.
    package var namespace: String?
    /// The file.
    package var path: String
    /// Where the bytes begin.
    package var offset: Int64
    /// How many there are.
    package var byteCount: Int64
    /// The table whose rows they held, where that is known.
    package var table: String?
    /// The field whose values they held, where it is one field's.
    package var field: String?
    /// The range of time of the rows that they held, where that is known.
    package var time: TimeRange?
    /// What is wrong with them.
    package var reason: String

    package init(
        namespace: String?, path: String, offset: Int64, byteCount: Int64, table: String? = nil, field: String? = nil,
        time: TimeRange? = nil, reason: String
    ) {
        self.namespace = namespace
        self.path = path
        self.offset = offset
        self.byteCount = byteCount
        self.table = table
        self.field = field
        self.time = time
        self.reason = reason
    }

    /// The damage in one line.
    package var description: String {
        var text = "\(path) at byte \(offset), \(byteCount) bytes"
        if let table { text += ", table '\(table)'" }
        if let field { text += ", field '\(field)'" }
        if let time, !time.isEmpty {
            text +=
                ", rows from \(Timestamp(nanoseconds: time.lowerBound)) to \(Timestamp(nanoseconds: time.upperBound))"
        }
        return text + ": " + reason
    }
}

/// What a check of a data directory looked at and found.
package struct CheckReport: Sendable, Hashable {
    /// Everything that is damaged; empty when all is well.
    package var damage: [Damage] = []
    /// What is worth knowing and no damage: an unfinished commit at a log's end, files of an unfinished merge.
    package var notes: [String] = []
    package var namespaces = 0
    package var segments = 0
    package var layers = 0
    package var blocks = 0
    package var rows = 0
    package var bytes: Int64 = 0

    package init() {}

    /// Whether nothing is damaged.
    package var isSound: Bool { damage.isEmpty }
}
