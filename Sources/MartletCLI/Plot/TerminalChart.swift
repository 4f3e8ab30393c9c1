import Martlet
import MartletModel

/// Draws a chart with the characters of a terminal.
struct TerminalChart {
    /// Columns of the terminal.
    var width: Int
    /// Rows of the whole chart, axis and legend included.
    var height: Int
    /// Whether series are told apart by ANSI colours.
    var usesColor: Bool
    /// Whether braille and box-drawing characters may be used.
    var usesUnicode = true

    private static let colors = [36, 33, 32, 35, 31, 34, 96, 93]
    private static let marks: [Character] = ["*", "o", "+", "x", "#", "@", "%", "&"]

    func draw(_ data: ChartData) -> String {
        if case .labels(let labels) = data.axis { return bars(labels, data) }
        return lines(data)
    }

    // MARK: Lines

    /// Braille dots where one series or colours make them readable, else one mark per series and cell.
    private func lines(_ data: ChartData) -> String {
        let legend = legendLines(data)
        let rows = max(4, height - 3 - legend.count)
        let values = data.series.flatMap { $0.points.compactMap(\.y) }
        let (bottom, top) = verticalRange(values)
        let ticks = Ticks.numbers(from: bottom, to: top, count: max(2, rows / 3))
        let labels = Ticks.labels(ticks)
        let margin = labels.map(DisplayWidth.of).max() ?? 0
        let columns = max(10, width - margin - 2)
        let xs = data.series.flatMap { $0.points.map(\.x) }
        let (left, right) = (xs.min() ?? 0, xs.max() ?? 1)
        var canvas = BrailleCanvas(columns: columns, rows: rows)
        for (index, series) in data.series.enumerated() {
            var last: (x: Int, y: Int)?
            for point in series.points {
                guard let y = point.y else {
                    last = nil
                    continue
                }
                let dot = (
                    x: position(point.x, left, right, canvas.dotColumns),
                    y: canvas.dotRows - 1 - position(y, bottom, top, canvas.dotRows)
                )
                canvas.line(from: last ?? dot, to: dot, owner: index)
                last = dot
            }
        }
        var text = ""
        for row in 0..<rows {
            var label = ""
            for (tick, name) in zip(ticks, labels) where tickRow(tick, bottom, top, rows) == row { label = name }
            text += String(repeating: " ", count: margin - DisplayWidth.of(label)) + label
            text += label.isEmpty ? (usesUnicode ? " │" : " |") : (usesUnicode ? " ┤" : " +")
            text += render(canvas, row, seriesCount: data.series.count) + "\n"
        }
        text += horizontalAxis(data.axis, left, right, margin: margin, columns: columns)
        for line in legend { text += line + "\n" }
        return text
    }

    private func verticalRange(_ values: [Double]) -> (lower: Double, upper: Double) {
        let (lower, upper) = (values.min() ?? 0, values.max() ?? 1)
        guard lower == upper else { return (lower, upper) }
        let room = lower == 0 ? 1 : lower.magnitude * 0.1
        return (lower - room, upper + room)
    }

    private func tickRow(_ tick: Double, _ bottom: Double, _ top: Double, _ rows: Int) -> Int {
        (rows * 4 - 1 - position(tick, bottom, top, rows * 4)) / 4
    }

    /// Where a value lies among `count` dots.
    private func position(_ value: Double, _ lower: Double, _ upper: Double, _ count: Int) -> Int {
        guard upper > lower else { return count / 2 }
        let share = (value - lower) / (upper - lower)
        return max(0, min(count - 1, Int((share * Double(count - 1)).rounded())))
    }

    private func render(_ canvas: BrailleCanvas, _ row: Int, seriesCount: Int) -> String {
        var text = ""
        var color = -1
        for column in 0..<canvas.columns {
            guard let cell = canvas.cell(column, row) else {
                text += " "
                continue
            }
            if usesColor && cell.owner != color {
                color = cell.owner
                text += "\u{1b}[\(Self.colors[color % Self.colors.count])m"
            }
            let usesMarks = !usesUnicode || (!usesColor && seriesCount > 1)
            text.append(usesMarks ? Self.marks[cell.owner % Self.marks.count] : cell.pattern)
        }
        if color >= 0 { text += "\u{1b}[0m" }
        // Blanks at the end only get in the way of copying and comparing.
        while text.last == " " { text.removeLast() }
        return text
    }

    private func horizontalAxis(
        _ axis: ChartData.Axis, _ left: Double, _ right: Double, margin: Int, columns: Int
    ) -> String {
        var ticks: [(x: Double, label: String)] = []
        var caption = ""
        switch axis {
        case .time(let origin):
            let (begin, end) = (origin &+ Int64(left), origin &+ Int64(right))
            ticks = Ticks.times(from: begin, to: end, count: max(2, columns / 14))
                .map { (Double($0.time &- origin), $0.label) }
            caption = "\(moment(begin)) to \(moment(end)) UTC"
        case .number(let name):
            let values = Ticks.numbers(from: left, to: right, count: max(2, columns / 12))
            ticks = zip(values, Ticks.labels(values)).filter { $0.0 >= left && $0.0 <= right }.map { ($0, $1) }
            caption = name
        case .rows:
            ticks = [(left, "1"), (right, "\(Int(right))")]
            caption = "row"
        case .labels: break
        }
        var line = Array(repeating: Character(usesUnicode ? "─" : "-"), count: columns)
        var names = Array(repeating: Character(" "), count: columns + 8)
        var free = 0
        for tick in ticks {
            let column = position(tick.x, left, right, columns)
            let start = max(0, column - tick.label.count / 2)
            guard start >= free, start + tick.label.count <= names.count else { continue }
            line[column] = usesUnicode ? "┬" : "+"
            for (offset, character) in tick.label.enumerated() { names[start + offset] = character }
            free = start + tick.label.count + 1
        }
        let indent = String(repeating: " ", count: margin + 1)
        var below = String(names)
        while below.last == " " { below.removeLast() }
        return indent + (usesUnicode ? "└" : "+") + String(line) + "\n" + indent + " " + below + "\n" + indent + " "
            + caption + "\n"
    }

    private func moment(_ nanoseconds: Int64) -> String {
        let time = Timestamp(nanoseconds: nanoseconds)
        var text = MutableBuffer(capacity: 32)
        text.append(time, style: .table(fractionDigits: MutableBuffer.fractionDigits(of: time)))
        return text.text
    }

    /// The names of the series in as few lines as they fit, and the notes.
    private func legendLines(_ data: ChartData) -> [String] {
        var lines: [String] = []
        var line = ""
        var used = 0
        for (index, series) in data.series.enumerated() {
            let name = DisplayWidth.truncate(DisplayWidth.printable(series.name), to: max(8, width - 4))
            let isMarked = !usesUnicode || (!usesColor && data.series.count > 1)
            let mark = isMarked ? String(Self.marks[index % Self.marks.count]) : usesColor ? "━" : "⠶"
            let entryWidth = DisplayWidth.of(name) + 4
            if used > 0 && used + entryWidth > width {
                lines.append(line)
                (line, used) = ("", 0)
            }
            let colored = usesColor ? "\u{1b}[\(Self.colors[index % Self.colors.count])m\(mark)\u{1b}[0m" : mark
            line += (used > 0 ? "  " : "") + "\(colored) \(name)"
            used += entryWidth
        }
        if used > 0 { lines.append(line) }
        return lines + data.notes.map { "(\($0))" }
    }

    // MARK: Bars

    /// One bar a label and series, to the eighth of a cell.
    private func bars(_ labels: [String], _ data: ChartData) -> String {
        let names = labels.map { DisplayWidth.truncate($0, to: max(8, width / 3)) }
        let margin = names.map(DisplayWidth.of).max() ?? 0
        let values = data.series.flatMap { $0.points.compactMap(\.y) }
        let texts = data.series.map { $0.points.map { $0.y.map(valueText) ?? "NULL" } }
        let valueWidth = texts.joined().map(\.count).max() ?? 0
        let lower = min(0, values.min() ?? 0)
        let upper = max(0, values.max() ?? 0)
        let columns = max(10, width - margin - valueWidth - 4)
        let zero = position(0, lower, upper, columns * 8)
        var text = ""
        for (row, name) in names.enumerated() {
            for (index, series) in data.series.enumerated() {
                let shown = index == 0 ? name : ""
                text += String(repeating: " ", count: margin - DisplayWidth.of(shown)) + shown
                text += usesUnicode ? " │" : " |"
                if let value = series.points[row].y {
                    let end = upper > lower ? position(value, lower, upper, columns * 8) : zero
                    let bar = barText(from: min(zero, end), to: max(zero, end), series: index, of: data.series.count)
                    text += usesColor ? "\u{1b}[\(Self.colors[index % Self.colors.count])m\(bar)\u{1b}[0m" : bar
                }
                text += " \(texts[index][row])\n"
            }
        }
        if data.series.count > 1 || !data.notes.isEmpty {
            for line in legendLines(data) { text += line + "\n" }
        }
        return text
    }

    private func barText(from start: Int, to end: Int, series: Int, of count: Int) -> String {
        let blank = String(repeating: " ", count: start / 8)
        let full = end / 8 - start / 8
        if !usesUnicode || (!usesColor && count > 1) {
            return blank + String(repeating: Self.marks[series % Self.marks.count], count: max(1, full))
        }
        let parts: [String] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"]
        let bar = String(repeating: "█", count: full) + parts[end % 8]
        return blank + (bar.isEmpty ? "▏" : bar)
    }

    private func valueText(_ value: Double) -> String {
        if value == value.rounded() && value.magnitude < 1e15 { return Figures.fixed(value, 0) }
        let digits = value.magnitude >= 1000 ? 1 : value.magnitude >= 1 ? 3 : 6
        if value.magnitude < 1e-4 || value.magnitude >= 1e15 { return "\(value)" }
        var text = Figures.fixed(value, digits)
        while text.last == "0" { text.removeLast() }
        return text
    }
}
