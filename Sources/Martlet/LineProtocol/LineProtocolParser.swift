import MartletModel

/// Parses InfluxDB line protocol in place into batches of columns.
///
/// One parser serves one connection or request: it counts lines from its first byte on, and what it knows of tables,
/// fields and series survives the batches, within `LineLimits.cacheBytes`. A line is kept whole or not at all.
///
/// Three guesses make the usual line cheap, each checked by comparing bytes: its measurement and tags are those that
/// followed the previous line's series the last time round; its fields are those of the table's last line, in the
/// same order; their types are those that the columns have.
package struct LineProtocolParser: ~Copyable {
    /// May be changed between batches.
    package var limits: LineLimits
    /// The unit of timestamps in the text.
    package var precision: TimestampPrecision
    /// The line that the next byte belongs to, counted from 1.
    package internal(set) var lineNumber: Int
    /// Errors since they were last taken, at most `LineLimits.errors`.
    package internal(set) var errors: [LineError] = []
    /// Lines refused since the errors were last taken.
    package internal(set) var errorCount = 0
    /// Rows in the batch that is being collected.
    package internal(set) var rowCount = 0
    /// Field values in it.
    package internal(set) var valueCount = 0

    // What the parts of the parser share; see LineParsing, KeyParsing and ValueParsing.
    var arena = Arena()
    var rawSeries = ByteTable()
    var canonicalSeries = ByteTable()
    var tableNames = ByteTable()
    var fieldNames = ByteTable()
    var tables: [UnsafeMutablePointer<TableState>] = []
    var touched: [UnsafeMutablePointer<TableState>] = []
    let seed: UInt64
    var previous: EntryPointer?
    var nextTableNumber: UInt32 = 1
    var batch: UInt32 = 1
    var batchLine: Int
    /// Bytes that the batch holds, by an upper estimate.
    var heldBytes = 0
    /// Rows at which the batch is full: 0 when it holds too many bytes, -1 when the caches do.
    var rowLimit: Int
    /// Whether the rest of a line that is too long is being passed over.
    var isSkipping = false
    /// Bytes from the next one on in which a string may not go on over a newline; see `refuse`.
    var strictBytes = 0

    // The line being read.
    var lineStart: UnsafeRawPointer
    var textEnd: UnsafeRawPointer
    var strictEnd: UnsafeRawPointer
    var newlinesInLine = 0
    var failure: (at: UnsafeRawPointer, code: MartletError.Code, reason: String)?
    var isIncomplete = false
    /// The columns of the line, where its fields are not the expected ones.
    var lineFields: [Int32] = []
    /// Whether all of `lineFields` were expected, some others being left out.
    var hasOnlyExpected = false
    var tagScratch = TagScratch()
    private var scratch = MutableBuffer(capacity: 0)
    private let memory: MemoryBudget?
    /// Bytes of the caches that are reserved in `memory`.
    private var reserved = 0

    /// A parser for one text, whose timestamps are in units of `precision` and whose lines count from `firstLine`.
    ///
    /// - Parameter memory: where what survives batches is reserved; it is forgotten where that does not fit.
    package init(
        precision: TimestampPrecision = .nanoseconds, limits: LineLimits = LineLimits(), firstLine: Int = 1,
        memory: MemoryBudget? = nil
    ) {
        self.memory = memory
        self.precision = precision
        lineNumber = firstLine
        batchLine = firstLine
        self.limits = limits
        rowLimit = limits.batchRows
        seed = UInt64.random(in: .min ... .max)
        lineStart = Buffer.empty.baseAddress
        textEnd = lineStart
        strictEnd = lineStart
    }

    deinit {
        memory?.release(reserved)
        for table in tables { Self.free(table) }
    }

    private static func free(_ table: UnsafeMutablePointer<TableState>) {
        table.deinitialize(count: 1)
        table.deallocate()
    }

    /// Reads lines into the current batch.
    ///
    /// - Parameters:
    ///   - bytes: The text from where the last call stopped. It is not kept.
    ///   - end: Whether the text is known to end there.
    ///   - now: The time of lines without a timestamp.
    ///   - schema: The stored schema of a table; asked once per batch and table.
    /// - Returns: How many bytes were read, and why it stopped. Bytes that were not read must come again, at the
    ///   start of the next call. With `.none` and an end that is not `.open`, all bytes were read.
    package mutating func parse(
        _ bytes: UnsafeRawBufferPointer, end: TextEnd, now: Timestamp, schema: (String) -> TableSchema?
    ) -> (consumed: Int, stop: ParseStop) {
        var consumed = 0
        if isSkipping { consumed = skip(bytes, end) }
        guard let base = bytes.baseAddress, consumed < bytes.count else { return (consumed, .none) }

        // Lines that end at least a padding before the end of the bytes are read where they lie.
        let safe = bytes.count - TextScan.padding
        if safe > consumed,
            let last = TextScan.lastNewline(in: UnsafeRawBufferPointer(rebasing: bytes[consumed..<safe]))
        {
            let length = last + 1
            let (read, stop) = parseRegion(
                base + consumed, length, held: bytes.count - consumed, isEnd: false, now: now, schema: schema)
            consumed += read
            if stop != .none { return (consumed, stop) }
        }

        // The others are copied to where they may be read past their end.
        let rest = UnsafeRawBufferPointer(rebasing: bytes[consumed...])
        var whole = TextScan.lastNewline(in: rest).map { $0 + 1 } ?? 0
        if end == .complete { whole = rest.count }
        if whole > 0 {
            scratch.byteCount = 0
            scratch.reserve(whole + 1 + TextScan.padding)
            scratch.append(UnsafeRawBufferPointer(rebasing: rest[..<whole]))
            var length = whole
            if TextScan.byte(scratch.base + (whole - 1)) != TextScan.newline {
                scratch.append(TextScan.newline)
                length += 1
            }
            (scratch.base + length).initializeMemory(as: UInt8.self, repeating: 0, count: TextScan.padding)
            let (read, stop) = parseRegion(
                UnsafeRawPointer(scratch.base), length, held: rest.count, isEnd: end != .open, now: now, schema: schema)
            consumed += min(read, whole)
            if stop != .none { return (consumed, stop) }
        }
        return (consumed + refuseRemainder(bytes.count - consumed, end), .none)
    }

    /// Passes over bytes up to the newline that ends a line that was too long.
    private mutating func skip(_ bytes: UnsafeRawBufferPointer, _ end: TextEnd) -> Int {
        if let newline = bytes.firstIndex(of: TextScan.newline) {
            isSkipping = false
            lineNumber += 1
            return newline + 1
        }
        if end != .open { isSkipping = false }
        return bytes.count
    }

    /// What becomes of `count` bytes after the last newline.
    private mutating func refuseRemainder(_ count: Int, _ end: TextEnd) -> Int {
        guard count > 0 else { return 0 }
        if end == .cut {
            record(line: lineNumber, column: count + 1, .malformedLine) {
                "the text ends within this line, which is not kept"
            }
            lineNumber += 1
            return count
        }
        guard count > limits.lineLength + 1 else { return 0 }
        recordTooLong(line: lineNumber)
        isSkipping = true
        return count
    }

    // MARK: Results

    /// Takes the rows collected so far; a new batch begins.
    package mutating func takeBatch() -> ParsedBatch {
        var taken = ParsedBatch()
        taken.rowCount = rowCount
        taken.valueCount = valueCount
        for table in touched {
            if table.pointee.rowCount == 0 {
                table.pointee.reset()
                continue
            }
            let (rows, lines) = table.pointee.take()
            taken.tables.append(rows)
            taken.lines.append(RowLines(first: batchLine, offsets: lines))
        }
        touched.removeAll(keepingCapacity: true)
        (rowCount, valueCount, heldBytes, batchLine) = (0, 0, 0, lineNumber)
        rowLimit = limits.batchRows
        batch &+= 1
        if batch == 0 || cacheBytes > limits.cacheBytes { forget() }
        reserveCaches()
        return taken
    }

    private mutating func reserveCaches() {
        guard let memory else { return }
        let added = cacheBytes - reserved
        if added <= 0 || memory.tryReserve(added) {
            if added < 0 { memory.release(-added) }
            reserved += added
        } else {
            forget()
            memory.release(reserved)
            reserved = 0
        }
    }

    /// Takes the errors: those that were kept, and how many lines were refused in all.
    package mutating func takeErrors() -> (errors: [LineError], count: Int) {
        defer {
            errors.removeAll(keepingCapacity: true)
            errorCount = 0
        }
        return (errors, errorCount)
    }

    /// Bytes held by what survives batches, but for the buffers of tables.
    var cacheBytes: Int {
        arena.byteCount + rawSeries.byteCount + canonicalSeries.byteCount + tableNames.byteCount + fieldNames.byteCount
            + tables.count * 4_096
    }

    /// Forgets tables, fields and series. Only between batches.
    private mutating func forget() {
        for table in tables { Self.free(table) }
        tables.removeAll()
        rawSeries.removeAll()
        canonicalSeries.removeAll()
        tableNames.removeAll()
        fieldNames.removeAll()
        arena.removeAll()
        previous = nil
        (batch, nextTableNumber) = (1, 1)
    }

    // MARK: Errors

    /// Counts a refused line and keeps its error if there is room.
    mutating func record(line: Int, column: Int, _ code: MartletError.Code, _ reason: () -> String) {
        errorCount += 1
        if errors.count < limits.errors {
            errors.append(LineError(line: line, column: column, code: code, reason: reason()))
        }
    }

    mutating func recordTooLong(line: Int) {
        let limit = limits.lineLength
        record(line: line, column: limit + 1, .outOfRange) { "the line is longer than \(limit) bytes" }
    }

    /// Remembers why the line being read is refused. Text for the reason is made only where it will be kept.
    @inline(never) mutating func fail(
        _ pointer: UnsafeRawPointer, _ code: MartletError.Code, _ reason: @autoclosure () -> String
    ) {
        failure = (pointer, code, errors.count < limits.errors ? reason() : "")
    }
}
