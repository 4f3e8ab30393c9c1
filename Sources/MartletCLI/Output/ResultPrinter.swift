import Martlet
import MartletModel

/// How results are printed.
struct PrintOptions: Sendable {
    var format = ResultFormat.table
    /// Draw a chart instead of printing rows.
    var plots = false
    /// The most rows that a table shows; `nil` for all.
    var rowLimit: Int?
    /// The table's name in line protocol.
    var measurement = "result"
    /// Columns of the terminal, or `nil` for no limit.
    var width: Int?
    /// Rows of a chart.
    var chartHeight = 20
    var usesColor = false
    var usesUnicode = true
}

/// Prints one statement's result as it arrives.
enum ResultPrinter {
    /// Rows that a chart reads at most.
    static let chartRows = 1_000_000

    /// Prints the result; returns its row count.
    static func print(
        _ result: any StatementResult, _ options: PrintOptions, to write: (UnsafeRawBufferPointer) -> Void
    ) async throws(MartletError) -> Int {
        if options.plots && !result.schema.isEmpty {
            return try await plot(result, options, to: write)
        }
        var formatter: any ResultFormatter
        switch options.format {
        case .table:
            formatter = TableFormatter(
                width: options.width, rowLimit: options.rowLimit, style: options.usesUnicode ? .box : .ascii)
        case .line: formatter = LineProtocolFormatter(measurement: options.measurement)
        case .csv, .json, .ndjson: formatter = options.format.makeFormatter()
        }
        var output = MutableBuffer(capacity: 1 << 16)
        var rows = 0
        guard !result.schema.isEmpty else {
            while try await result.next() != nil {}
            return 0
        }
        try formatter.begin(result.schema, into: &output)
        while let batch = try await result.next() {
            rows += batch.rowCount
            try formatter.append(batch, into: &output)
            write(output.bytes)
            output.byteCount = 0
        }
        try formatter.finish(into: &output)
        write(output.bytes)
        if let line = formatter as? LineProtocolFormatter, line.omittedValues + line.omittedRows > 0 {
            Terminal.writeError(
                "line protocol cannot say \(line.omittedValues) NaN or infinite values and \(line.omittedRows) rows "
                    + "without a value; they were left out\n")
        }
        return rows
    }

    private static func plot(
        _ result: any StatementResult, _ options: PrintOptions, to write: (UnsafeRawBufferPointer) -> Void
    ) async throws(MartletError) -> Int {
        var batches: [RecordBatch] = []
        var rows = 0
        while let batch = try await result.next() {
            rows += batch.rowCount
            guard rows <= chartRows else {
                result.cancel()
                throw MartletError(
                    .resourceExhausted, "a chart of more than \(chartRows) rows is not drawn",
                    hint: "group the rows with time_bucket")
            }
            batches.append(batch)
        }
        let data = try ChartData(schema: result.schema, batches: batches)
        let chart = TerminalChart(
            width: options.width ?? 80, height: options.chartHeight, usesColor: options.usesColor,
            usesUnicode: options.usesUnicode)
        var text = chart.draw(data)
        text.withUTF8 { write(UnsafeRawBufferPointer($0)) }
        return rows
    }
}
