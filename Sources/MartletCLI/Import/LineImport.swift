import Martlet
import MartletModel

/// Imports line protocol.
struct LineImport {
    /// Bytes of text that are parsed at once.
    static let blockBytes = 2 << 20

    /// A block of text with the lines of the rows that were parsed out of it.
    private struct Block: ImportPipeline.Origin {
        var text: LineText
        var lines: [RowLines]

        func line(batch: Int, row: Int) -> (number: Int, text: [UInt8]) {
            let number = lines[batch][row]
            return (number, text[number])
        }
    }

    /// A block of text by its lines.
    private struct LineText: Sendable {
        private let text: Buffer
        private let firstLine: Int
        /// Where the block's lines begin, and where the line after the last would.
        private let starts: [Int]

        init(_ text: Buffer, firstLine: Int) {
            self.text = text
            self.firstLine = firstLine
            var starts = [0]
            for (index, byte) in text.bytes.enumerated() where byte == UInt8(ascii: "\n") { starts.append(index + 1) }
            starts.append(text.byteCount + 1)
            self.starts = starts
            withExtendedLifetime(text) {}
        }

        /// The bytes of a line without its end; none for a line that is not of the block.
        subscript(line: Int) -> [UInt8] {
            let index = line - firstLine
            guard index >= 0, index + 1 < starts.count else { return [] }
            defer { withExtendedLifetime(text) {} }
            return Array(text.bytes[starts[index]..<max(starts[index], starts[index + 1] - 1)])
        }
    }

    var precision = TimestampPrecision.nanoseconds
    var clock: any Clock = SystemClock()
    /// The tables as the target has them; the parser holds each line against them. The types of fields that are new
    /// are those of the first line that has them, for the whole of the text.
    var stored: [String: TableSchema] = [:]

    /// Reads `source` to its end.
    ///
    /// - Throws: what reading or appending ends with. Refused lines are no error; they are in `rejects`.
    func run(
        _ source: any ByteSource, into pipeline: ImportPipeline, rejects: RejectFile, figures: ImportFigures
    ) async throws(MartletError) {
        var limits = LineLimits()
        limits.errors = 100_000
        limits.batchBytes = 3 << 20
        var parser = LineProtocolParser(precision: precision, limits: limits)
        var schemas = stored
        var pending = MutableBuffer(capacity: Self.blockBytes)
        var isAtEnd = false
        while !isAtEnd {
            isAtEnd = try Self.fill(&pending, from: source)
            let block = Buffer(copying: pending.bytes)
            let text = LineText(block, firstLine: parser.lineNumber)
            var consumed = 0
            while true {
                let rest = UnsafeRawBufferPointer(rebasing: block.bytes[consumed...])
                let (read, stop) = parser.parse(
                    rest, end: isAtEnd ? .complete : .open, now: clock.now(), schema: { schemas[$0] })
                consumed += read
                let (errors, count) = parser.takeErrors()
                figures.add(rejected: count)
                for error in errors {
                    try rejects.add(
                        line: error.line, reason: "column \(error.column): \(error.reason)",
                        text: text[error.line])
                }
                try rejects.add(unlisted: count - errors.count)
                if stop == .none { break }
                try await submit(&parser, text, &schemas, to: pipeline)
            }
            try await submit(&parser, text, &schemas, to: pipeline)
            pending.byteCount = 0
            pending.append(UnsafeRawBufferPointer(rebasing: block.bytes[consumed...]))
        }
        try await pipeline.finish()
    }

    private func submit(
        _ parser: inout LineProtocolParser, _ text: LineText, _ schemas: inout [String: TableSchema],
        to pipeline: ImportPipeline
    ) async throws(MartletError) {
        let batch = parser.takeBatch()
        guard batch.rowCount > 0 else { return }
        for table in batch.tables { Self.learn(table, &schemas) }
        let origin = Block(text: text, lines: batch.lines)
        try await pipeline.submit(batch.tables, values: batch.valueCount, from: origin)
    }

    /// Adds the fields of a batch that its table did not have.
    private static func learn(_ batch: TableBatch, _ schemas: inout [String: TableSchema]) {
        var schema = schemas[batch.table] ?? TableSchema(name: batch.table)
        let known = Set(schema.fields.map(\.name))
        let new = batch.batch.schema.filter { $0.role == .field && !known.contains($0.name) }
        if new.isEmpty && schemas[batch.table] != nil { return }
        schema.fields += new
        schemas[batch.table] = schema
    }

    /// The tables of a target.
    static func schemas(
        of target: any StatementTarget, namespace: String
    ) async throws(MartletError) -> [String: TableSchema] {
        let rows = try await target.rows(
            "SELECT table_name, column_name, data_type, column_role FROM information_schema.columns",
            namespace: namespace)
        var schemas: [String: TableSchema] = [:]
        for row in rows {
            guard row.count == 4, case .string(let table)? = row[0], case .string(let column)? = row[1],
                case .string(let typeName)? = row[2], case .string(let role)? = row[3]
            else { throw MartletError(.internal, "information_schema.columns is not of the form that import reads") }
            var schema = schemas[table] ?? TableSchema(name: table)
            if role == "tag" { schema.tags.append(column) }
            if role == "field", let type = ColumnType.allCases.first(where: { $0.name == typeName }) {
                schema.fields.append(ColumnDescription(column, type, .field))
            }
            schemas[table] = schema
        }
        return schemas
    }

    /// Reads until the block is full; says whether the source has ended. A line that is longer than a block makes the
    /// block grow.
    private static func fill(_ pending: inout MutableBuffer, from source: any ByteSource) throws(MartletError) -> Bool {
        let wanted = pending.byteCount + blockBytes
        pending.reserve(blockBytes)
        while pending.byteCount < wanted {
            let room = UnsafeMutableRawBufferPointer(
                start: pending.base + pending.byteCount, count: wanted - pending.byteCount)
            let count = try source.read(into: room)
            if count == 0 { return true }
            pending.byteCount += count
        }
        return false
    }
}
