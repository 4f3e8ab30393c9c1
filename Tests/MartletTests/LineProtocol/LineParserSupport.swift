import MartletModel

@testable import Martlet

/// What a parser made of a text, in the terms of the reference parser.
struct ParsedText {
    var rows: [ReferenceLineParser.Row] = []
    var errors: [LineError] = []
    var errorCount = 0
    var flushes = 0
    var batches: [ParsedBatch] = []

    var refusals: [ReferenceLineParser.Refusal] {
        errors.map { ReferenceLineParser.Refusal(line: $0.line, column: $0.column) }
    }

    mutating func add(_ batch: ParsedBatch) {
        batches.append(batch)
        for (table, lines) in zip(batch.tables, batch.lines) {
            for row in 0..<table.batch.rowCount { rows.append(Self.row(table, row, line: lines[row])) }
        }
    }

    static func row(_ table: TableBatch, _ row: Int, line: Int) -> ReferenceLineParser.Row {
        var result = ReferenceLineParser.Row(line: line, table: table.table, tags: [:], fields: [:], time: 0)
        for (description, column) in zip(table.batch.schema, table.batch.columns) {
            switch description.role {
            case .time:
                if case .timestamp(let time)? = column.value(at: row) { result.time = time.nanoseconds }
            case .series:
                guard let tags = try? TagSet(canonicalBytes: column.stringBytes(row)) else { continue }
                for tag in tags.tags { result.tags[tag.key] = tag.value }
            default:
                if let value = column.value(at: row) { result.fields[description.name] = value }
            }
        }
        return result
    }
}

/// Parses `text` in pieces of the given sizes (then the rest), as a socket would deliver it.
func parse(
    _ text: [UInt8], pieces: [Int] = [], precision: TimestampPrecision = .nanoseconds, now: Int64 = 0,
    end: TextEnd = .complete, limits: LineLimits = LineLimits(), takeEvery: Int = .max,
    schema: (String) -> TableSchema? = { _ in nil }
) -> ParsedText {
    var parser = LineProtocolParser(precision: precision, limits: limits)
    var result = ParsedText()
    var pending: [UInt8] = []
    var position = 0
    var sizes = pieces.makeIterator()
    while true {
        let size = min(sizes.next() ?? .max, text.count - position)
        pending += text[position..<position + size]
        position += size
        let isLast = position == text.count
        while true {
            let (consumed, stop) = pending.withUnsafeBytes {
                parser.parse($0, end: isLast ? end : .open, now: Timestamp(nanoseconds: now), schema: schema)
            }
            pending.removeFirst(consumed)
            if stop == .flush { result.flushes += 1 }
            if stop == .batchFull || parser.rowCount >= takeEvery { result.add(parser.takeBatch()) }
            if stop == .none { break }
        }
        if isLast { break }
    }
    result.add(parser.takeBatch())
    (result.errors, result.errorCount) = parser.takeErrors()
    result.rows.sort { $0.line < $1.line }
    return result
}

func parse(
    _ text: String, pieces: [Int] = [], precision: TimestampPrecision = .nanoseconds, now: Int64 = 0,
    end: TextEnd = .complete, limits: LineLimits = LineLimits(), takeEvery: Int = .max,
    schema: (String) -> TableSchema? = { _ in nil }
) -> ParsedText {
    parse(
        Array(text.utf8), pieces: pieces, precision: precision, now: now, end: end, limits: limits,
        takeEvery: takeEvery, schema: schema)
}
