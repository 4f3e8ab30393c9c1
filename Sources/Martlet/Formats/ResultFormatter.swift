import MartletModel

/// Turns a query's result into bytes, batch by batch: what the query tool prints and what HTTP answers.
///
/// Call `begin` once, `append` for each batch in order, `finish` once. Output goes to the end of `output`; a caller
/// that streams sends and empties it between the calls.
package protocol ResultFormatter {
    /// Starts the result; `schema` describes every batch that follows.
    mutating func begin(_ schema: [ColumnDescription], into output: inout MutableBuffer) throws(MartletError)
    /// Writes the rows of a batch.
    mutating func append(_ batch: RecordBatch, into output: inout MutableBuffer) throws(MartletError)
    /// Ends the result.
    mutating func finish(into output: inout MutableBuffer) throws(MartletError)
}

/// The formats of results, by the names that the query tool and HTTP use.
package enum ResultFormat: String, Sendable, CaseIterable {
    /// Aligned columns in a frame, for people.
    case table
    /// RFC 4180 with a header line; a null is an empty field, an empty text is `""`.
    case csv
    /// One JSON array of objects.
    case json
    /// One JSON object a line.
    case ndjson
    /// InfluxDB line protocol: columns of role tag become tags, the time column the timestamp, the rest fields.
    case line

    /// The media type of the bytes.
    package var contentType: String {
        switch self {
        case .table, .line: "text/plain; charset=utf-8"
        case .csv: "text/csv; charset=utf-8"
        case .json: "application/json"
        case .ndjson: "application/x-ndjson"
        }
    }

    /// A formatter with default settings. `measurement` names the table of `.line`.
    package func makeFormatter(measurement: String = "result") -> any ResultFormatter {
        switch self {
        case .table: TableFormatter()
        case .csv: CSVFormatter()
        case .json: JSONFormatter(shape: .records)
        case .ndjson: JSONFormatter(shape: .lines)
        case .line: LineProtocolFormatter(measurement: measurement)
        }
    }

    /// A whole result as text; for tests and small results.
    package static func text(
        of batches: [RecordBatch], schema: [ColumnDescription], with formatter: any ResultFormatter
    ) throws(MartletError) -> String {
        var formatter = formatter
        var output = MutableBuffer(capacity: 1024)
        try formatter.begin(schema, into: &output)
        for batch in batches { try formatter.append(batch, into: &output) }
        try formatter.finish(into: &output)
        return output.text
    }
}
