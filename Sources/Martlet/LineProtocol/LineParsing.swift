import MartletModel

/// The loop over lines and fields.
///
/// Invariants of the unsafe code here: the region that is read ends with a newline and is followed by
/// `TextScan.padding` readable bytes, so the pointer of a line never passes the region's end without meeting a
/// newline; pointers into the text are not kept beyond the call.
extension LineProtocolParser {
    /// Reads the lines of a region whose last byte is a newline.
    ///
    /// - Parameters:
    ///   - held: Bytes that the caller holds from the region's start on, at least `length`.
    ///   - isEnd: Whether nothing follows the region that could close a string left open in it.
    mutating func parseRegion(
        _ start: UnsafeRawPointer, _ length: Int, held: Int, isEnd: Bool, now: Timestamp,
        schema: (String) -> TableSchema?
    ) -> (consumed: Int, stop: ParseStop) {
        textEnd = start + length
        strictEnd = start + strictBytes
        var pointer = start
        var stop = ParseStop.none
        while pointer < textEnd {
            switch parseLines(&pointer, now: now, schema: schema) {
            case .end: break
            case .stop(let reason): stop = reason
            case .refused: pointer = refuse()
            case .incomplete:
                // The string may be closed by what follows, unless nothing does or the line is too long already.
                isIncomplete = false
                let isTooLong = start + held - pointer > limits.lineLength + 1
                if isEnd || isTooLong {
                    fail(
                        TextScan.newline(from: lineStart), .malformedLine,
                        "the text ends within a quoted string that began on this line")
                    pointer = refuse()
                } else {
                    strictBytes = max(0, strictEnd - pointer)
                    return (pointer - start, .none)
                }
            }
            if stop != .none { break }
        }
        strictBytes = max(0, strictEnd - pointer)
        return (pointer - start, stop)
    }

    /// Reports the failure of the line at `lineStart` and says where to go on: at the next newline. Where the line had
    /// gone on over newlines within a string, the lines that it swallowed are read again, each for itself and, so
    /// that no byte is read more than twice, without strings that go on over a newline.
    private mutating func refuse() -> UnsafeRawPointer {
        let end = TextScan.newline(from: lineStart) + 1
        if let failure {
            if failure.at >= end {
                strictEnd = max(strictEnd, failure.at)
                record(line: lineNumber, column: end - lineStart, .malformedLine) {
                    "a quoted string goes on over the end of this line, and what follows it is malformed: "
                        + failure.reason
                }
            } else {
                record(line: lineNumber, column: failure.at - lineStart + 1, failure.code) { failure.reason }
            }
        }
        failure = nil
        lineNumber += 1
        return end
    }

    private enum LinesEnd {
        case end
        case stop(ParseStop)
        case refused
        case incomplete
    }

    /// Reads lines from `pointer` on until the end or until one needs attention; `pointer` is then at its start.
    private mutating func parseLines(
        _ pointer: inout UnsafeRawPointer, now: Timestamp, schema: (String) -> TableSchema?
    ) -> LinesEnd {
        var p = pointer
        let end = textEnd
        let unit = precision.nanoseconds
        let batch = self.batch
        let maximumLine = limits.lineLength
        defer { pointer = p }

        while p < end {
            let start = p
            lineStart = start
            newlinesInLine = 0

            // Measurement and tags: most likely those that followed last time.
            let series: EntryPointer
            if let guess = previous?.pointee.next, end - p > guess.pointee.length,
                TextScan.byte(p + guess.pointee.length) == TextScan.space,
                RawBytes.equal(guess.pointee.bytes, p, guess.pointee.length)
            {
                series = guess
                p += guess.pointee.length
            } else {
                let first = TextScan.byte(p)
                if first == UInt8(ascii: "#") || first <= TextScan.space {
                    if let next = skipBlank(p) {
                        p = next
                        if isFlush(start) { return .stop(.flush) }
                        continue
                    }
                    while TextScan.byte(p) == TextScan.space || TextScan.byte(p) == UInt8(ascii: "\t") { p += 1 }
                }
                guard let found = resolveSeries(&p) else {
                    p = start
                    return .refused
                }
                previous?.pointee.next = found
                series = found
            }

            let table = series.pointee.table.unsafelyUnwrapped
            if table.pointee.batch != batch { enter(table, schema) }
            if table.pointee.rowCount == table.pointee.capacity || rowCount >= rowLimit {
                guard makeRoom(table) else {
                    p = start
                    return .stop(.batchFull)
                }
            }

            // Fields: most likely those of the table's last line, in its order.
            repeat { p += 1 } while TextScan.byte(p) == TextScan.space
            let row = table.pointee.rowCount
            let expected = table.pointee.expected
            let expectedCount = table.pointee.expectedCount
            var matched = 0
            var isExpected = true
            while true {
                if isExpected, matched < expectedCount,
                    TextScan.starts(p, with: expected[matched].key, expected[matched].length)
                {
                    let field = expected + matched
                    let value = p + field.pointee.length
                    if field.pointee.kind == .int64, let next = shortInteger(value, field.pointee.values, row) {
                        p = next
                    } else if field.pointee.kind == .float64, let next = shortDecimal(value, field.pointee.values, row)
                    {
                        p = next
                    } else if let next = parseValue(value, column: Int(field.pointee.column), of: table) {
                        p = next
                    } else {
                        p = start
                        return isIncomplete ? .incomplete : .refused
                    }
                    matched &+= 1
                } else {
                    if isExpected {
                        isExpected = false
                        beginUnexpected(table, matched)
                    }
                    guard let next = parseField(p, table, &matched) else {
                        p = start
                        return isIncomplete ? .incomplete : .refused
                    }
                    p = next
                }
                if TextScan.byte(p) != TextScan.comma { break }
                p += 1
            }

            // The timestamp, if there is one.
            var time = now.nanoseconds
            if !lineEnds(p) {
                guard let next = parseTime(p, unit, &time) else {
                    p = start
                    return .refused
                }
                p = next
            }
            if TextScan.byte(p) == TextScan.carriageReturn { p += 1 }
            if p - start > maximumLine {
                fail(
                    newlinesInLine == 0 ? start + maximumLine : p, .outOfRange,
                    "the line is longer than \(maximumLine) bytes")
                p = start
                return .refused
            }
            p += 1

            // The line is good: keep it.
            let canonical = series.pointee.series.unsafelyUnwrapped
            if canonical.pointee.batch != batch {
                canonical.pointee.index = table.pointee.addSeries(
                    UnsafeRawBufferPointer(start: canonical.pointee.bytes, count: canonical.pointee.length))
                canonical.pointee.batch = batch
            }
            let line = UInt32(truncatingIfNeeded: lineNumber &- batchLine)
            if isExpected && matched == expectedCount {
                table.pointee.commitExpected(time: time, series: canonical.pointee.index, line: line)
                valueCount &+= matched
            } else {
                commitUnexpected(table, matched, isExpected, time, canonical.pointee.index, line)
            }
            rowCount &+= 1
            lineNumber &+= 1 &+ newlinesInLine
            previous = series
        }
        return .end
    }

    // MARK: Lines that carry no data

    /// The start of the next line where this one is blank or a comment.
    private mutating func skipBlank(_ start: UnsafeRawPointer) -> UnsafeRawPointer? {
        var p = start
        while TextScan.byte(p) == TextScan.space || TextScan.byte(p) == UInt8(ascii: "\t") { p += 1 }
        if TextScan.byte(p) == UInt8(ascii: "#") {
            p = TextScan.newline(from: p)
        } else if lineEnds(p) {
            if TextScan.byte(p) == TextScan.carriageReturn { p += 1 }
        } else {
            return nil
        }
        lineNumber += 1
        return p + 1
    }

    /// Whether the line is the comment that asks for a commit and an answer: `# flush`, in any case.
    private func isFlush(_ start: UnsafeRawPointer) -> Bool {
        guard TextScan.byte(start) == UInt8(ascii: "#") else { return false }
        var p = start + 1
        while TextScan.byte(p) == TextScan.space { p += 1 }
        for letter in [UInt8(ascii: "f"), UInt8(ascii: "l"), UInt8(ascii: "u"), UInt8(ascii: "s"), UInt8(ascii: "h")] {
            guard TextScan.byte(p) | 0x20 == letter else { return false }
            p += 1
        }
        while TextScan.byte(p) == TextScan.space { p += 1 }
        return lineEnds(p)
    }

    @inline(__always) private func lineEnds(_ pointer: UnsafeRawPointer) -> Bool {
        let byte = TextScan.byte(pointer)
        return byte == TextScan.newline
            || (byte == TextScan.carriageReturn && TextScan.byte(pointer + 1) == TextScan.newline)
    }

    // MARK: Timestamps

    /// Reads what follows the fields: spaces, and a timestamp unless the line ends there.
    private mutating func parseTime(
        _ start: UnsafeRawPointer, _ unit: Int64, _ time: inout Int64
    ) -> UnsafeRawPointer? {
        var p = start
        guard TextScan.byte(p) == TextScan.space else {
            fail(p, .malformedLine, "expected a comma, a space or the end of the line after the value")
            return nil
        }
        repeat { p += 1 } while TextScan.byte(p) == TextScan.space
        if lineEnds(p) { return p }
        let isNegative = TextScan.byte(p) == UInt8(ascii: "-")
        let first = isNegative ? p + 1 : p
        let (digits, count) = TextScan.digits(first)
        var after = first + count
        while TextScan.byte(after) == TextScan.space { after += 1 }
        guard count > 0, lineEnds(after) else {
            fail(first + count, .malformedLine, "the timestamp is not a whole number")
            return nil
        }
        guard let magnitude = count <= 19 ? digits : TextScan.longDigits(first, count),
            let scaled = Self.scale(magnitude, isNegative, unit)
        else {
            let name = precision.rawValue
            fail(
                p, .outOfRange,
                "the timestamp is outside of what 64 bits of nanoseconds hold (1677-09-21 to 2262-04-11); "
                    + "timestamps are read as \(name)")
            return nil
        }
        time = scaled
        return after
    }

    @inline(__always) private static func scale(_ magnitude: UInt64, _ isNegative: Bool, _ unit: Int64) -> Int64? {
        guard magnitude <= UInt64(Int64.max) + (isNegative ? 1 : 0) else { return nil }
        let units = Int64(truncatingIfNeeded: isNegative ? 0 &- magnitude : magnitude)
        if unit == 1 { return units }
        let (scaled, isOverflow) = units.multipliedReportingOverflow(by: unit)
        return isOverflow ? nil : scaled
    }

    // MARK: Batches

    /// Takes a table into the current batch.
    @inline(never)
    private mutating func enter(_ table: UnsafeMutablePointer<TableState>, _ schema: (String) -> TableSchema?) {
        table.pointee.begin(batch: batch, schema: schema(table.pointee.name))
        touched.append(table)
    }

    /// Makes room for a row in `table`, or says that the batch is to be taken first.
    @inline(never) private mutating func makeRoom(_ table: UnsafeMutablePointer<TableState>) -> Bool {
        if rowCount >= rowLimit && (rowCount > 0 || rowLimit < 0) { return false }
        guard table.pointee.rowCount == table.pointee.capacity else { return true }
        let growth = table.pointee.growthBytes
        if rowCount > 0 && heldBytes + growth > limits.batchBytes { return false }
        hold(growth)
        table.pointee.grow()
        return true
    }

    /// Counts bytes towards the batch's bound.
    mutating func hold(_ bytes: Int) {
        heldBytes += bytes
        if heldBytes > limits.batchBytes { rowLimit = min(rowLimit, 0) }
    }

    // MARK: Lines whose fields are not the expected ones

    /// Notes the columns of the first `matched` fields, which were as expected.
    @inline(never)
    private mutating func beginUnexpected(_ table: UnsafeMutablePointer<TableState>, _ matched: Int) {
        lineFields.removeAll(keepingCapacity: true)
        for index in 0..<matched { lineFields.append(table.pointee.expected[index].column) }
        hasOnlyExpected = true
    }

    @inline(never)
    private mutating func commitUnexpected(
        _ table: UnsafeMutablePointer<TableState>, _ matched: Int, _ isPrefix: Bool, _ time: Int64, _ series: UInt32,
        _ line: UInt32
    ) {
        if isPrefix { beginUnexpected(table, matched) }
        table.pointee.commit(fields: lineFields, time: time, series: series, line: line)
        valueCount += lineFields.count
        // Lines that lack some fields leave the expectation as it is, unless they are all there is.
        if !hasOnlyExpected || table.pointee.unexpectedRows >= 64 { table.pointee.expect(lineFields) }
    }

    /// Reads a field that is not the next expected one.
    @inline(never)
    private mutating func parseField(
        _ start: UnsafeRawPointer, _ table: UnsafeMutablePointer<TableState>, _ matched: inout Int
    ) -> UnsafeRawPointer? {
        let expected = table.pointee.expected
        for index in matched..<max(matched, min(matched + 8, table.pointee.expectedCount))
        where TextScan.starts(start, with: expected[index].key, expected[index].length) {
            let column = expected[index].column
            matched = index + 1
            lineFields.append(column)
            return parseValue(start + expected[index].length, column: Int(column), of: table)
        }
        hasOnlyExpected = false
        guard let equals = fieldKeyEnd(start) else { return nil }
        guard let column = resolveField(start, equals - start, table) else { return nil }
        lineFields.append(Int32(column))
        return parseValue(equals + 1, column: column, of: table)
    }
}
