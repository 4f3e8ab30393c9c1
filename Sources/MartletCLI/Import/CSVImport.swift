import Martlet
import MartletModel

/// Imports CSV with a header line.
struct CSVImport {
    /// Records that are looked at before types are settled.
    static let sampleRecords = 10_000
    /// Rows of one batch.
    static let batchRows = 16_384
    /// Values of one batch, so that wide tables make batches of a like size.
    static let batchValues = 200_000

    /// Where a batch's rows came from; the text is written from its values.
    private struct Rows: ImportPipeline.Origin {
        var batch: TableBatch
        var lines: [Int]
        var header: [String]

        func line(batch _: Int, row: Int) -> (number: Int, text: [UInt8]) {
            var output = MutableBuffer(capacity: 128)
            // Values in the header's order; columns that were not imported stay empty.
            let columns = header.map { self.batch.batch[$0] }
            let schema = header.map { name in
                self.batch.batch.index(of: name).map { self.batch.batch.schema[$0] } ?? ColumnDescription(name, .string)
            }
            let cells = columns.map { $0?.value(at: row) }
            guard
                let built = try? zip(schema, cells).map({ (description, cell) throws(MartletError) -> Column in
                    try Column(description.type, [cell ?? nil])
                })
            else { return (lines[row], []) }
            var formatter = CSVFormatter(hasHeader: false)
            formatter.append(RecordBatch(schema: schema, columns: built, rowCount: 1), into: &output)
            return (lines[row], Array(output.bytes))
        }
    }

    var table: String
    var separator = UInt8(ascii: ",")
    var request = CSVLayout.Request()
    var stored: [String: CSVLayout.Target] = [:]
    var clock: any Clock = SystemClock()

    /// Reads `source` to its end.
    ///
    /// - Throws: what reading or appending ends with, and `.invalidArgument` for a header that does not fit.
    func run(
        _ source: any ByteSource, into pipeline: ImportPipeline, rejects: RejectFile, figures: ImportFigures,
        layoutIsKnown: (CSVLayout) -> Void
    ) async throws(MartletError) {
        var scanner = CSVScanner(separator: separator)
        var header: [String]?
        var sample: [CSVScanner.Record] = []
        var builder: CSVBatchBuilder?
        var layout: CSVLayout?
        let chunk = MutableRawChunk(byteCount: 1 << 18)
        var isAtEnd = false
        while !isAtEnd {
            let count = try source.read(into: chunk.bytes)
            isAtEnd = count == 0
            var records: [CSVScanner.Record] = []
            if isAtEnd {
                let isWhole = scanner.finish { records.append($0) }
                guard isWhole else {
                    throw MartletError(
                        .malformedLine, "a quote that opens here is never closed",
                        at: .input(line: scanner.recordLine, column: 1))
                }
            } else {
                scanner.feed(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(chunk.bytes)[..<count])) {
                    records.append($0)
                }
                if scanner.isOverlong {
                    throw MartletError(
                        .malformedLine,
                        "the record that begins here is longer than \(CSVScanner.maximumRecordBytes) bytes: its quotes "
                            + "may not be closed", at: .input(line: scanner.recordLine, column: 1))
                }
            }
            if header == nil, !records.isEmpty {
                let first = records.removeFirst()
                header = (0..<first.count).map { first.text($0) }
            }
            if builder == nil {
                sample += records
                records = []
                guard let header, sample.count >= Self.sampleRecords || isAtEnd else { continue }
                let made = try CSVLayout(header: header, sample: sample, request: request, stored: stored)
                layoutIsKnown(made)
                layout = made
                builder = CSVBatchBuilder(layout: made, table: table)
                records = sample
                sample = []
            }
            for record in records {
                try add(record, to: &builder, rejects: rejects, figures: figures)
                try await submit(&builder, layout, to: pipeline, force: false)
            }
        }
        guard header != nil else { throw MartletError(.invalidArgument, "the file is empty: CSV needs a header line") }
        try await submit(&builder, layout, to: pipeline, force: true)
        try await pipeline.finish()
    }

    private func add(
        _ record: CSVScanner.Record, to builder: inout CSVBatchBuilder?, rejects: RejectFile, figures: ImportFigures
    ) throws(MartletError) {
        do throws(MartletError) {
            try builder?.append(record, now: clock.now())
        } catch {
            figures.add(rejected: 1)
            try rejects.add(line: record.line, reason: reason(error), text: text(record))
        }
    }

    private func reason(_ error: MartletError) -> String {
        guard case .input(_, let column)? = error.location else { return error.description }
        return "field \(column): \(error.message)" + (error.hint.map { " (\($0))" } ?? "")
    }

    /// The record as CSV again.
    private func text(_ record: CSVScanner.Record) -> [UInt8] {
        var text: [UInt8] = []
        for index in 0..<record.count {
            if index > 0 { text.append(separator) }
            let field = record.field(index)
            let needsQuotes = field.contains { $0 == separator || $0 == 0x22 || $0 == 0x0a || $0 == 0x0d }
            if needsQuotes { text.append(0x22) }
            for byte in field { text += byte == 0x22 ? [byte, byte] : [byte] }
            if needsQuotes { text.append(0x22) }
        }
        return text
    }

    private func submit(
        _ builder: inout CSVBatchBuilder?, _ layout: CSVLayout?, to pipeline: ImportPipeline, force: Bool
    ) async throws(MartletError) {
        guard let layout, let rows = builder?.rowCount, rows > 0 else { return }
        let isFull = rows >= Self.batchRows || rows * layout.names.count >= Self.batchValues
        guard force || isFull, let (batch, lines) = try builder?.take() else { return }
        let values = zip(batch.batch.schema, batch.batch.columns)
            .reduce(0) { $0 + ($1.0.role == .field ? $1.1.count - $1.1.nullCount : 0) }
        try await pipeline.submit(
            [batch], values: values, from: Rows(batch: batch, lines: lines, header: layout.names))
    }
}

/// Memory that is read into.
final class MutableRawChunk {
    let bytes: UnsafeMutableRawBufferPointer
    init(byteCount: Int) { bytes = .allocate(byteCount: byteCount, alignment: 16) }
    deinit { bytes.deallocate() }
}
