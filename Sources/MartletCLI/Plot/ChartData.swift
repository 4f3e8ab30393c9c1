import Martlet
import MartletModel

/// What a result looks like as a chart.
struct ChartData: Sendable {
    /// One line of a chart; breaks where a value is missing.
    struct Series: Sendable {
        var name: String
        /// Points in the result's order; `y` is `nil` where the line breaks.
        var points: [(x: Double, y: Double?)]
    }

    /// What the horizontal axis shows.
    enum Axis: Sendable, Equatable {
        /// Nanoseconds after this moment.
        case time(origin: Int64)
        /// Numbers of a column.
        case number(name: String)
        /// The number of the row, from 1.
        case rows
        /// Bars with these labels; point `x` is the label's index.
        case labels([String])
    }

    var axis: Axis
    var series: [Series]
    /// What was left out, to be said below the chart.
    var notes: [String] = []

    /// Series beyond this are left out: more lines than that tell nobody anything.
    static let maximumSeries = 8
    /// Bars beyond this are left out.
    static let maximumBars = 60

    /// Reads a result: the first timestamp column (else the first numeric one beside another, else the first text with
    /// one row each) is the horizontal axis, text columns split the rows into series, numeric columns are drawn.
    ///
    /// - Throws: `.invalidArgument` when there is nothing to draw, with what a result needs.
    init(schema: [ColumnDescription], batches: [RecordBatch]) throws(MartletError) {
        let numeric = schema.indices.filter { schema[$0].type.isNumeric || schema[$0].type == .bool }
        let texts = schema.indices.filter { schema[$0].type == .string }
        let hasRows = batches.contains { $0.rowCount > 0 }
        guard hasRows, !numeric.isEmpty else {
            throw MartletError(
                .invalidArgument,
                hasRows ? "the result has no numeric column to draw" : "the result has no rows to draw",
                hint: "a chart needs a time, number or text column for its axis and a numeric column")
        }
        if let time = schema.firstIndex(where: { $0.type == .timestamp }) {
            let origin = Self.earliest(batches, time)
            axis = .time(origin: origin)
            series = Self.lines(schema, batches, values: numeric, texts: texts) { batch, row in
                let column = batch.columns[time]
                return column.isValid(row) ? Double(column.values.pointer(to: Int64.self)[row] &- origin) : nil
            }
        } else if let label = texts.first {
            (axis, series, notes) = Self.bars(schema, batches, values: numeric, label: label, others: texts.dropFirst())
            return
        } else if numeric.count > 1 {
            let first = numeric[0]
            axis = .number(name: schema[first].name)
            series = Self.lines(schema, batches, values: Array(numeric.dropFirst()), texts: []) { batch, row in
                Self.number(batch.columns[first], row)
            }
        } else {
            axis = .rows
            var count = 0.0
            series = Self.lines(schema, batches, values: numeric, texts: []) { _, _ in
                count += 1
                return count
            }
        }
        if series.count > Self.maximumSeries {
            notes.append("\(series.count - Self.maximumSeries) more series are not drawn")
            series = Array(series.prefix(Self.maximumSeries))
        }
        guard series.contains(where: { $0.points.contains { $0.y != nil } }) else {
            throw MartletError(.invalidArgument, "all values of the result are null: there is nothing to draw")
        }
    }

    private static func earliest(_ batches: [RecordBatch], _ time: Int) -> Int64 {
        var earliest = Int64.max
        for batch in batches {
            let column = batch.columns[time]
            for row in 0..<batch.rowCount where column.isValid(row) {
                earliest = min(earliest, column.values.pointer(to: Int64.self)[row])
            }
        }
        return earliest == .max ? 0 : earliest
    }

    private static func lines(
        _ schema: [ColumnDescription], _ batches: [RecordBatch], values: [Int], texts: [Int],
        x: (RecordBatch, Int) -> Double?
    ) -> [Series] {
        var order: [String: Int] = [:]
        var series: [Series] = []
        for batch in batches {
            for row in 0..<batch.rowCount {
                guard let x = x(batch, row) else { continue }
                let group = texts.map { text(batch.columns[$0], row) }.joined(separator: ", ")
                for value in values {
                    let name = seriesName(group: group, value: schema[value].name, isOnly: values.count == 1)
                    let index = order[name] ?? series.count
                    if index == series.count {
                        order[name] = index
                        series.append(Series(name: name, points: []))
                    }
                    series[index].points.append((x, number(batch.columns[value], row)))
                }
            }
        }
        // A line runs along its axis, in whatever order the rows came.
        for index in series.indices { series[index].points.sort { $0.x < $1.x } }
        return series.filter { $0.points.contains { $0.y != nil } }
    }

    private static func seriesName(group: String, value: String, isOnly: Bool) -> String {
        if group.isEmpty { return value }
        return isOnly ? group : "\(group): \(value)"
    }

    private static func bars(
        _ schema: [ColumnDescription], _ batches: [RecordBatch], values: [Int], label: Int, others: ArraySlice<Int>
    ) -> (Axis, [Series], [String]) {
        var labels: [String] = []
        var series = values.map { Series(name: schema[$0].name, points: []) }
        var left = 0
        for batch in batches {
            for row in 0..<batch.rowCount {
                guard labels.count < maximumBars else {
                    left += 1
                    continue
                }
                let x = Double(labels.count)
                labels.append(([label] + others).map { text(batch.columns[$0], row) }.joined(separator: ", "))
                for (index, value) in values.enumerated() {
                    series[index].points.append((x, number(batch.columns[value], row)))
                }
            }
        }
        return (.labels(labels), series, left > 0 ? ["\(left) more rows are not drawn"] : [])
    }

    private static func text(_ column: Column, _ row: Int) -> String {
        guard column.isValid(row) else { return "NULL" }
        return DisplayWidth.printable(String(decoding: column.stringBytes(row), as: UTF8.self))
    }

    /// The value of a numeric column, or `nil` for nulls and what has no place on an axis.
    private static func number(_ column: Column, _ row: Int) -> Double? {
        guard column.isValid(row) else { return nil }
        let value: Double
        switch column.type {
        case .float64: value = column.values.pointer(to: Double.self)[row]
        case .int64: value = Double(column.values.pointer(to: Int64.self)[row])
        case .uint64: value = Double(column.values.pointer(to: UInt64.self)[row])
        case .bool: value = Bitmap.isSet(column.values.baseAddress, row) ? 1 : 0
        default: return nil
        }
        return value.isFinite ? value : nil
    }
}
