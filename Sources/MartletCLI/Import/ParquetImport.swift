import Martlet
import MartletModel
import MartletParquet
import MartletQuery

/// Imports a Parquet file, batch by batch.
///
/// A file of Martlet's says which columns are time, tags and fields. Of another program's file, the time is the column
/// that `timeColumn` names, else one called time, timestamp or the like, else the first of a timestamp type; `tags`
/// name the tags, and all other columns become fields.
struct ParquetImport {
    var table: String
    var tags: Set<String> = []
    var skipped: Set<String> = []
    var timeColumn: String?
    /// Nanoseconds of one step of a time column of whole numbers.
    var timeUnit: Int64?
    /// Tags that the folders' names give.
    var folderTags: [(key: String, value: String)] = []
    /// Types of the fields of a table that exists already.
    var stored: [String: CSVLayout.Target] = [:]

    private static let timeNames = ["time", "timestamp", "_time", "ts", "datetime", "date_time", "date", "day"]

    /// Where a batch's rows came from; a refused one is written as line protocol.
    private struct Rows: ImportPipeline.Origin {
        var batch: TableBatch
        var numbers: [Int]
        var path: String
        var source: String? { path }

        func line(batch _: Int, row: Int) -> (number: Int, text: [UInt8]) {
            var formatter = LineProtocolFormatter(measurement: batch.table)
            var output = MutableBuffer(capacity: 256)
            do throws(MartletError) {
                try formatter.begin(batch.batch.schema, into: &output)
                try formatter.append(batch.batch.rows(row..<row + 1), into: &output)
            } catch {
                return (numbers[row], Array("# line protocol cannot carry the row: \(error.message)".utf8))
            }
            return (numbers[row], Array(output.bytes))
        }
    }

    /// Reads the file to its end.
    ///
    /// - Throws: `.invalidArgument` for columns that make no table; what reading or appending ends with.
    func run(
        _ path: String, fileSystem: any FileSystem = POSIXFileSystem(), into pipeline: ImportPipeline,
        rejects: RejectFile, figures: ImportFigures, progress: (Double) -> Void
    ) async throws(MartletError) {
        let file = try fileSystem.open(path, .read)
        var options = ParquetReaderOptions()
        options.batchBytes = 8 << 20
        if !skipped.isEmpty {
            options.columns = try ParquetReader.columnNames(of: file, path: path).filter { !skipped.contains($0) }
        }
        let described = try ParquetReader(file, path: path, options: options)
        let time = try timeColumn(of: described.schema, path)
        // Rows without a time are refused one by one, here, not the file with them.
        options.roles = [described.schema[time].name: .value]
        let reader = try ParquetReader(file, path: path, options: options)
        let schema = try roles(described.schema, time: time, path)
        var row = 0
        while let batch = try reader.next() {
            let numbers = Array(row + 1...row + batch.rowCount)
            row += batch.rowCount
            try await submit(batch, numbers, schema, time, path, pipeline, rejects, figures)
            progress(Double(row) / Double(max(1, reader.rowCount)))
        }
    }

    private func submit(
        _ batch: RecordBatch, _ numbers: [Int], _ schema: [ColumnDescription], _ time: Int, _ path: String,
        _ pipeline: ImportPipeline, _ rejects: RejectFile, _ figures: ImportFigures
    ) async throws(MartletError) {
        var numbers = numbers
        var columns = batch.columns
        columns[time] = try moments(columns[time])
        if columns[time].nullCount > 0 {
            let kept = (0..<batch.rowCount).filter { columns[time].isValid($0) }.map { Int32($0) }
            for index in 0..<batch.rowCount where !columns[time].isValid(index) {
                try rejects.add(
                    line: numbers[index], reason: "\(path): the row has no time",
                    text: Array("# \(batch.row(index))".replacing("\n", with: " ").utf8))
            }
            figures.add(rejected: batch.rowCount - kept.count)
            columns = columns.map { ColumnKernels.filter($0, kept) }
            numbers = kept.map { numbers[Int($0)] }
        }
        guard !numbers.isEmpty else { return }
        for (index, column) in schema.enumerated() {
            // Whole numbers of a file go into a field of decimals, as they do from Swift.
            if case .field(.float64)? = stored[column.name], column.type == .int64 || column.type == .uint64 {
                columns[index] = try ColumnKernels.cast(columns[index], to: .float64)
            }
        }
        var described = schema.enumerated().map { index, column in
            ColumnDescription(column.name, columns[index].type, column.role)
        }
        for tag in folderTags where !described.contains(where: { $0.name == tag.key }) {
            described.append(ColumnDescription(tag.key, .string, .tag))
            columns.append(
                Column(indices: [UInt32](repeating: 0, count: numbers.count), dictionary: StringDictionary([tag.value]))
            )
        }
        let values = zip(described, columns).reduce(0) {
            $0 + ($1.0.role == .field ? $1.1.count - $1.1.nullCount : 0)
        }
        let rows = TableBatch(
            table: table, batch: RecordBatch(schema: described, columns: columns, rowCount: numbers.count))
        try await pipeline.submit([rows], values: values, from: Rows(batch: rows, numbers: numbers, path: path))
    }

    /// The column of times as timestamps.
    private func moments(_ column: Column) throws(MartletError) -> Column {
        guard column.type != .timestamp else { return column }
        let unit = timeUnit ?? 1
        var builder = ColumnBuilder(.timestamp, capacity: column.count)
        for row in 0..<column.count {
            guard case .int64(let number)? = column.value(at: row) else {
                builder.appendNull()
                continue
            }
            let (product, overflow) = number.multipliedReportingOverflow(by: unit)
            try builder.append(overflow ? nil : .timestamp(Timestamp(nanoseconds: product)))
        }
        return builder.finish()
    }

    private func timeColumn(of schema: [ColumnDescription], _ path: String) throws(MartletError) -> Int {
        func invalid(_ message: String, _ hint: String) -> MartletError {
            MartletError(.invalidArgument, message, at: .file(path: path, offset: nil), hint: hint)
        }
        let names = "the columns are " + schema.map { "\($0.name) \($0.type.name)" }.joined(separator: ", ")
        if let timeColumn {
            guard let index = schema.firstIndex(where: { $0.name == timeColumn }) else {
                throw invalid("there is no column '\(timeColumn)'", names)
            }
            let type = schema[index].type
            guard type == .timestamp || (type == .int64 && timeUnit != nil) else {
                throw invalid(
                    "column '\(timeColumn)' is \(type.name) and no time", "--time-unit says what whole numbers count")
            }
            return index
        }
        if let index = schema.firstIndex(where: { $0.role == .time }) { return index }
        for name in Self.timeNames {
            if let index = schema.firstIndex(where: { $0.name.lowercased() == name && $0.type == .timestamp }) {
                return index
            }
        }
        if let index = schema.firstIndex(where: { $0.type == .timestamp }) { return index }
        throw invalid("no column is a time", "--time-column names it; " + names)
    }

    private func roles(
        _ schema: [ColumnDescription], time: Int, _ path: String
    ) throws(MartletError) -> [ColumnDescription] {
        func invalid(_ message: String, _ hint: String? = nil) -> MartletError {
            MartletError(.invalidArgument, message, at: .file(path: path, offset: nil), hint: hint)
        }
        var result: [ColumnDescription] = []
        for (index, column) in schema.enumerated() {
            if index == time {
                result.append(ColumnDescription(TableSchema.timeColumn, .timestamp, .time))
                continue
            }
            var isTag = tags.contains(column.name) || column.role == .tag
            if case .tag? = stored[column.name], column.type == .string { isTag = true }
            if tags.contains(column.name) && column.type != .string {
                throw invalid("column '\(column.name)' is \(column.type.name), and tags are text")
            }
            guard column.type.isFieldType, column.name != TableSchema.timeColumn, !column.name.isEmpty else {
                throw invalid(
                    "column '\(column.name)' of type \(column.type.name) can't be a field",
                    "--skip leaves it out; --time-column says which one is the time")
            }
            result.append(ColumnDescription(column.name, column.type, isTag ? .tag : .field))
        }
        guard result.contains(where: { $0.role == .field }) else {
            throw invalid("no column is left to be a field", "a row needs one besides its time and tags")
        }
        return result
    }
}
