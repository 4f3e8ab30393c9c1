import MartletModel

/// Aligned columns in a frame, for people. Keeps the first `rowLimit` rows until `finish`, because widths depend on
/// them all; counts the others.
package struct TableFormatter: ResultFormatter {
    /// The lines of the frame.
    package enum Style: Sendable {
        /// Box-drawing characters.
        case box
        /// `+`, `-` and `|`, for terminals without Unicode.
        case ascii
    }

    /// Columns of the terminal, or `nil` for no limit. Long texts are cut first; columns that still do not fit are
    /// left out from the right and named below.
    package var width: Int?
    /// The most rows shown; `nil` for all.
    package var rowLimit: Int?
    /// The lines of the frame.
    package var style: Style
    /// The text for a null.
    package var nullText: String

    private var schema: [ColumnDescription] = []
    private var rows: [[FieldValue?]] = []
    private var rowCount = 0

    package init(width: Int? = nil, rowLimit: Int? = nil, style: Style = .box, nullText: String = "NULL") {
        self.width = width
        self.rowLimit = rowLimit
        self.style = style
        self.nullText = nullText
    }

    package mutating func begin(_ schema: [ColumnDescription], into output: inout MutableBuffer) {
        self.schema = schema
        rows = []
        rowCount = 0
    }

    package mutating func append(_ batch: RecordBatch, into output: inout MutableBuffer) {
        let kept = min(batch.rowCount, (rowLimit ?? .max) - rows.count)
        for row in 0..<kept { rows.append(batch.row(row)) }
        rowCount += batch.rowCount
    }

    package mutating func finish(into output: inout MutableBuffer) {
        defer { rows = [] }
        guard !schema.isEmpty else { return }
        var cells = schema.indices.map { column(at: $0) }
        var widths = cells.map { column in column.reduce(1) { max($0, DisplayWidth.of($1)) } }
        let shown = fit(&widths)
        for index in 0..<shown {
            for row in cells[index].indices {
                cells[index][row] = DisplayWidth.truncate(cells[index][row], to: widths[index])
            }
        }
        rule(widths[..<shown], .top, into: &output)
        for row in 0...rows.count {
            for index in 0..<shown {
                output.append(text: style == .box ? "│ " : "| ")
                let text = cells[index][row]
                let padding = String(repeating: " ", count: widths[index] - DisplayWidth.of(text))
                let rightAligned = schema[index].type.isNumeric
                output.append(text: rightAligned ? padding + text : text + padding)
                output.append(ascii: " ")
            }
            output.append(text: style == .box ? "│\n" : "|\n")
            if row == 0 { rule(widths[..<shown], .middle, into: &output) }
        }
        rule(widths[..<shown], .bottom, into: &output)
        footer(hidden: schema[shown...].map(\.name), into: &output)
    }

    /// The header and the shown rows of one column as text.
    private func column(at index: Int) -> [String] {
        var fractionDigits = 0
        if schema[index].type == .timestamp {
            for case .timestamp(let time)? in rows.map({ $0[index] }) {
                fractionDigits = max(fractionDigits, MutableBuffer.fractionDigits(of: time))
            }
        }
        var scratch = MutableBuffer(capacity: 64)
        var cells = [DisplayWidth.printable(schema[index].name)]
        cells.reserveCapacity(rows.count + 1)
        for row in rows {
            scratch.byteCount = 0
            switch row[index] {
            case nil: scratch.append(text: nullText)
            case .float64(let number)?: scratch.append(decimal: number)
            case .int64(let number)?: scratch.append(decimal: number)
            case .uint64(let number)?: scratch.append(decimal: number)
            case .bool(let flag)?: scratch.append(literal: flag ? "true" : "false")
            case .string(let text)?: scratch.append(text: DisplayWidth.printable(text))
            case .timestamp(let time)?: scratch.append(time, style: .table(fractionDigits: fractionDigits))
            case .interval(let interval)?: scratch.append(interval)
            }
            cells.append(scratch.text)
        }
        return cells
    }

    /// Narrows text columns until the table fits `width`; returns how many columns are shown.
    private func fit(_ widths: inout [Int]) -> Int {
        guard let width else { return widths.count }
        let narrowest = 8
        func total(_ count: Int) -> Int { widths[..<count].reduce(1) { $0 + $1 + 3 } }
        while total(widths.count) > width {
            let candidates = widths.indices.filter { schema[$0].type == .string && widths[$0] > narrowest }
            guard let widest = candidates.max(by: { widths[$0] < widths[$1] }) else { break }
            let second = candidates.filter { $0 != widest }.map { widths[$0] }.max() ?? narrowest
            let excess = total(widths.count) - width
            widths[widest] = max(narrowest, min(widths[widest] - 1, max(second, widths[widest] - excess)))
        }
        var shown = widths.count
        while shown > 1 && total(shown) > width { shown -= 1 }
        if shown == 1 { widths[0] = min(widths[0], max(1, width - 4)) }
        return shown
    }

    private enum Rule { case top, middle, bottom }

    private func rule(_ widths: ArraySlice<Int>, _ rule: Rule, into output: inout MutableBuffer) {
        let (left, cross, right): (String, String, String) =
            switch (style, rule) {
            case (.ascii, _): ("+", "+", "+")
            case (.box, .top): ("┌", "┬", "┐")
            case (.box, .middle): ("├", "┼", "┤")
            case (.box, .bottom): ("└", "┴", "┘")
            }
        let line = style == .box ? "─" : "-"
        output.append(text: left)
        output.append(text: widths.map { String(repeating: line, count: $0 + 2) }.joined(separator: cross))
        output.append(text: right)
        output.append(ascii: "\n")
    }

    private func footer(hidden: [String], into output: inout MutableBuffer) {
        let noun = rowCount == 1 ? "row" : "rows"
        let shownRows =
            rows.count == rowCount ? "(\(rowCount) \(noun))" : "(first \(rows.count) of \(rowCount) \(noun))"
        output.append(text: shownRows)
        if !hidden.isEmpty {
            let names = hidden.map(DisplayWidth.printable).joined(separator: ", ")
            output.append(text: " (columns that do not fit: \(names))")
        }
        output.append(ascii: "\n")
    }
}
