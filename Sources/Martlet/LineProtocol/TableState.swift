import MartletModel

/// A field that the next line of a table is expected to carry, in its place.
struct ExpectedField {
    /// The key as written with the `=` after it, followed by readable bytes.
    let key: UnsafeRawPointer
    /// Bytes of the key and the `=`.
    let length: Int
    /// Where the column's values lie, while its type is 64 bits wide.
    var values: UnsafeMutableRawPointer
    var column: Int32
    /// What the column can take without further ado.
    var kind: Kind

    enum Kind: UInt8 {
        case int64
        case float64
        case other
    }
}

/// One table's rows as they are collected, and what is known of the table from earlier batches.
///
/// Invariants of the unsafe code here:
/// - `columns` has room for `columnCapacity` elements, of which the first `columnCount` are initialised; `expected`
///   likewise; both belong to the table and are freed with it;
/// - row `rowCount` may be written in every column whose `rowCapacity` is above it, and in `times`, `series` and
///   `lines` while `rowCount < capacity`; a row counts once `commit` was called;
/// - `expected[i].values` is the base address of the buffer of its column: `refreshExpected` is called whenever a
///   column's buffer or type may have changed;
/// - expected columns are final up to `max(filled, wholeRows)`, others up to `filled`. A line that carries exactly
///   the expected fields moves only `wholeRows`.
struct TableState: ~Copyable {
    let name: String
    /// Unique within the parser; the owner of the table's entries.
    let number: UInt32
    private(set) var rowCount = 0
    private(set) var capacity = 0
    /// The batch that the table takes part in.
    var batch: UInt32 = 0
    private(set) var schema: TableSchema?

    private var times = MutableBuffer(capacity: 0)
    private var series = MutableBuffer(capacity: 0)
    private var lines = MutableBuffer(capacity: 0)
    private var dictionaryOffsets = MutableBuffer(capacity: 0)
    private var dictionaryBytes = MutableBuffer(capacity: 0)
    private var seriesCount = 0

    private(set) var columns: UnsafeMutablePointer<FieldColumn>
    private(set) var columnCount = 0
    private var columnCapacity = 16
    private(set) var expected: UnsafeMutablePointer<ExpectedField>
    private(set) var expectedCount = 0
    private var expectedCapacity = 16
    private var wholeRows = 0
    /// Rows without exactly the expected fields since the expectation last changed.
    private(set) var unexpectedRows = 0
    /// Rows that the last batch had, so that the next one does not grow step by step.
    private var lastRowCount = 0

    init(name: String, number: UInt32) {
        self.name = name
        self.number = number
        columns = .allocate(capacity: columnCapacity)
        expected = .allocate(capacity: expectedCapacity)
    }

    deinit {
        columns.deinitialize(count: columnCount)
        columns.deallocate()
        expected.deallocate()
    }

    /// Bytes allocated. O(columns).
    var byteCount: Int {
        var total = times.capacity + series.capacity + lines.capacity + dictionaryBytes.capacity
        for index in 0..<columnCount { total += columns[index].byteCount + 256 }
        return total + 1_024
    }

    // MARK: Batches

    /// Starts a batch with the schema as it stands now.
    mutating func begin(batch: UInt32, schema: TableSchema?) {
        self.batch = batch
        self.schema = schema
        for index in 0..<columnCount { columns[index].begin(stored: schema?.fieldType(columns[index].name)) }
        refreshExpected()
    }

    /// Bytes that one more doubling would allocate.
    var growthBytes: Int { nextCapacity * (20 + 8 * columnCount) }

    private var nextCapacity: Int {
        capacity == 0 ? max(64, min(65_536, (lastRowCount + 63) & ~63)) : capacity * 2
    }

    /// Makes room for more rows.
    mutating func grow() {
        let rows = nextCapacity
        times.byteCount = rowCount * 8
        times.reserve((rows - rowCount) * 8)
        series.byteCount = rowCount * 4
        series.reserve((rows - rowCount) * 4)
        lines.byteCount = rowCount * 4
        lines.reserve((rows - rowCount) * 4)
        capacity = rows
        for index in 0..<columnCount {
            settle(index)
            if columns[index].filled > 0 || columns[index].isExpected { columns[index].reserve(rows: rows) }
        }
        refreshExpected()
    }

    /// Makes `filled` of an expected column say what `wholeRows` implies.
    private func settle(_ index: Int) {
        if columns[index].isExpected && columns[index].filled < wholeRows { columns[index].filled = wholeRows }
    }

    /// Rows of column `index` that are final.
    @inline(__always) func filled(_ index: Int) -> Int {
        columns[index].isExpected ? max(columns[index].filled, wholeRows) : columns[index].filled
    }

    // MARK: Columns

    /// Adds a column for a field that was not seen before.
    mutating func addColumn(key: EntryPointer, name: String) -> Int {
        if columnCount == columnCapacity {
            let larger = UnsafeMutablePointer<FieldColumn>.allocate(capacity: columnCapacity * 2)
            larger.moveInitialize(from: columns, count: columnCount)
            columns.deallocate()
            columns = larger
            columnCapacity *= 2
        }
        (columns + columnCount).initialize(to: FieldColumn(key: key, name: name))
        columns[columnCount].begin(stored: schema?.fieldType(name))
        columnCount += 1
        return columnCount - 1
    }

    /// Makes sure that row `rowCount` of column `index` can be written with `type`, which must be the column's own
    /// unless nothing of it is final.
    mutating func prepare(_ index: Int, type: ColumnType) {
        if columns[index].type != type { columns[index].retype(type) }
        guard columns[index].rowCapacity <= rowCount else { return }
        settle(index)
        columns[index].reserve(rows: capacity)
        refreshExpected(index)
    }

    // MARK: Expected fields

    /// Expects the fields of the line just committed, in their order, from the next line.
    mutating func expect(_ line: [Int32]) {
        for index in 0..<expectedCount {
            let column = Int(expected[index].column)
            settle(column)
            columns[column].isExpected = false
        }
        if line.count > expectedCapacity {
            expected.deallocate()
            expectedCapacity = line.count * 2
            expected = .allocate(capacity: expectedCapacity)
        }
        expectedCount = 0
        wholeRows = 0
        unexpectedRows = 0
        for column in line where !columns[Int(column)].isExpected {
            let key = columns[Int(column)].key
            columns[Int(column)].isExpected = true
            (expected + expectedCount).initialize(
                to: ExpectedField(
                    key: key.pointee.bytes, length: key.pointee.length, values: columns[Int(column)].values.base,
                    column: column, kind: .other))
            expectedCount += 1
            columns[Int(column)].reserve(rows: capacity)
        }
        refreshExpected()
    }

    private mutating func refreshExpected() {
        for index in 0..<expectedCount { refresh(index) }
    }

    private mutating func refreshExpected(_ column: Int) {
        guard columns[column].isExpected else { return }
        for index in 0..<expectedCount where expected[index].column == Int32(column) { refresh(index) }
    }

    private func refresh(_ index: Int) {
        let column = Int(expected[index].column)
        expected[index].values = columns[column].values.base
        if columns[column].rowCapacity < capacity || capacity == 0 {
            expected[index].kind = .other
        } else {
            switch columns[column].type {
            case .int64: expected[index].kind = .int64
            case .float64: expected[index].kind = .float64
            default: expected[index].kind = .other
            }
        }
    }

    // MARK: Rows

    /// Makes the row final whose fields are exactly the expected ones.
    @inline(__always) mutating func commitExpected(time: Int64, series index: UInt32, line: UInt32) {
        if wholeRows != rowCount { fillExpected() }
        wholeRows = rowCount &+ 1
        commit(time: time, series: index, line: line)
    }

    private func fillExpected() {
        for index in 0..<expectedCount {
            let column = Int(expected[index].column)
            settle(column)
            columns[column].clear(columns[column].filled, rowCount)
            columns[column].filled = rowCount
        }
    }

    /// Makes the row final that has values in `fields`.
    mutating func commit(fields: [Int32], time: Int64, series index: UInt32, line: UInt32) {
        for field in fields {
            let column = Int(field)
            settle(column)
            if columns[column].filled < rowCount { columns[column].clear(columns[column].filled, rowCount) }
            columns[column].filled = rowCount + 1
        }
        unexpectedRows += 1
        commit(time: time, series: index, line: line)
    }

    @inline(__always) private mutating func commit(time: Int64, series index: UInt32, line: UInt32) {
        times.base.storeBytes(of: time, toByteOffset: rowCount &* 8, as: Int64.self)
        series.base.storeBytes(of: index, toByteOffset: rowCount &* 4, as: UInt32.self)
        lines.base.storeBytes(of: line, toByteOffset: rowCount &* 4, as: UInt32.self)
        rowCount &+= 1
    }

    /// Adds a series to the batch's dictionary.
    mutating func addSeries(_ canonical: UnsafeRawBufferPointer) -> UInt32 {
        if seriesCount == 0 { dictionaryOffsets.append(Int32(0)) }
        dictionaryBytes.append(canonical)
        dictionaryOffsets.append(Int32(dictionaryBytes.byteCount))
        seriesCount += 1
        return UInt32(seriesCount - 1)
    }

    /// The rows of the batch, and the offsets of their lines; the table starts again from nothing.
    mutating func take() -> (batch: TableBatch, lines: Buffer) {
        let rows = rowCount
        var schema = [
            ColumnDescription(TableSchema.timeColumn, .timestamp, .time), ColumnDescription("series", .string, .series),
        ]
        let seriesBytes = dictionaryBytes.byteCount
        let dictionary = StringDictionary(
            offsets: takeBuffer(&dictionaryOffsets, (seriesCount + 1) * 4),
            bytes: takeBuffer(&dictionaryBytes, seriesBytes), count: seriesCount)
        var taken = [
            Column(type: .timestamp, count: rows, values: takeBuffer(&times, rows * 8)),
            Column(type: .string, count: rows, values: takeBuffer(&series, rows * 4), dictionary: dictionary),
        ]
        for index in 0..<columnCount {
            settle(index)
            guard columns[index].filled > 0 else {
                columns[index].reset()
                continue
            }
            columns[index].clear(columns[index].filled, rows)
            schema.append(ColumnDescription(columns[index].name, columns[index].type!, .field))
            taken.append(columns[index].take(rows: rows))
        }
        let lineOffsets = takeBuffer(&lines, rows * 4)
        (lastRowCount, rowCount, capacity, seriesCount, wholeRows) = (rows, 0, 0, 0, 0)
        return (
            TableBatch(table: name, batch: RecordBatch(schema: schema, columns: taken, rowCount: rows)), lineOffsets
        )
    }

    /// Forgets what refused lines left of a batch without rows.
    mutating func reset() {
        for index in 0..<columnCount { columns[index].reset() }
        (rowCount, capacity, wholeRows) = (0, 0, 0)
    }
}
