import MartletModel

/// Collects records of a CSV file into a batch for one table.
struct CSVBatchBuilder {
    private let layout: CSVLayout
    private let table: String
    private var times: [Int64] = []
    fileprivate var tags: [TagColumn] = []
    private var fields: [(index: Int, type: ColumnType, values: [FieldValue?])] = []
    /// The line of the file that each row came from.
    private(set) var lines: [Int] = []

    fileprivate struct TagColumn {
        var index: Int
        var codes: [UInt32] = []
        var isPresent: [Bool] = []
        var numbers: [String: UInt32] = [:]
        var entries: [String] = []
    }

    init(layout: CSVLayout, table: String) {
        self.layout = layout
        self.table = table
        for (index, target) in layout.targets.enumerated() {
            switch target {
            case .tag: tags.append(TagColumn(index: index))
            case .field(let type): fields.append((index, type, []))
            case .time, .skipped: break
            }
        }
    }

    var rowCount: Int { times.count }

    /// Adds a record.
    ///
    /// - Throws: `.malformedLine`, `.typeConflict` or `.invalidUTF8` with the line and the column; nothing is added then.
    mutating func append(_ record: borrowing CSVScanner.Record, now: Timestamp) throws(MartletError) {
        guard record.count == layout.names.count else {
            throw MartletError(
                .malformedLine, "the record has \(record.count) fields, the header \(layout.names.count)",
                at: .input(line: record.line, column: 1))
        }
        var time = now.nanoseconds
        if let column = layout.timeColumn {
            let field = record.field(column)
            guard let moment = CSVValue.time(field, layout.timeForm) else {
                throw refusal(record, column, "is no moment")
            }
            time = moment
        }
        var values: [FieldValue?] = []
        values.reserveCapacity(fields.count)
        for field in fields { values.append(try value(record, field.index, field.type)) }
        if values.allSatisfy({ $0 == nil }) {
            throw MartletError(
                .malformedLine, "no field of the record has a value", at: .input(line: record.line, column: 1))
        }
        var texts: [String?] = []
        texts.reserveCapacity(tags.count)
        for tag in tags { texts.append(record.field(tag.index).isEmpty ? nil : try text(record, tag.index)) }
        times.append(time)
        lines.append(record.line)
        for (index, value) in values.enumerated() { fields[index].values.append(value) }
        for (index, text) in texts.enumerated() { tags[index].append(text) }
    }

    private func value(
        _ record: borrowing CSVScanner.Record, _ index: Int, _ type: ColumnType
    ) throws(MartletError) -> FieldValue? {
        let field = record.field(index)
        if type == .string { return record.isMissing(index) ? nil : .string(try text(record, index)) }
        if CSVValue.isMissing(record, index) { return nil }
        let value: FieldValue? =
            switch type {
            case .int64: CSVValue.integer(field).map { .int64($0) }
            case .uint64: CSVValue.unsigned(field).map { .uint64($0) }
            case .float64: CSVValue.float(field).map { .float64($0) }
            case .bool: CSVValue.boolean(field).map { .bool($0) }
            case .string, .timestamp, .interval: nil
            }
        guard let value else {
            throw refusal(
                record, index, "does not fit column '\(layout.names[index])' of type \(type.name)",
                hint: "--type \(layout.names[index])=double or =varchar changes the type of a new column")
        }
        return value
    }

    private func text(_ record: borrowing CSVScanner.Record, _ index: Int) throws(MartletError) -> String {
        guard let text = String(validating: record.field(index), as: UTF8.self) else {
            throw refusal(record, index, "is not UTF-8", code: .invalidUTF8)
        }
        return text
    }

    private func refusal(
        _ record: borrowing CSVScanner.Record, _ index: Int, _ reason: String, hint: String? = nil,
        code: MartletError.Code = .typeConflict
    ) -> MartletError {
        var shown = record.text(index)
        if shown.count > 60 { shown = shown.prefix(60) + "…" }
        return MartletError(
            code, "'\(shown)' \(reason)", at: .input(line: record.line, column: index + 1), hint: hint)
    }

    /// The batch of all rows added so far; the builder is empty afterwards.
    mutating func take() throws(MartletError) -> (batch: TableBatch, lines: [Int]) {
        var schema = [ColumnDescription(TableSchema.timeColumn, .timestamp, .time)]
        var columns = [Column(.timestamp, unsafeElements: times)]
        for index in tags.indices {
            schema.append(ColumnDescription(layout.names[tags[index].index], .string, .tag))
            columns.append(tags[index].take())
        }
        for index in fields.indices {
            schema.append(ColumnDescription(layout.names[fields[index].index], fields[index].type, .field))
            columns.append(try Column(fields[index].type, fields[index].values))
            fields[index].values.removeAll(keepingCapacity: true)
        }
        let batch = RecordBatch(schema: schema, columns: columns, rowCount: times.count)
        defer {
            times.removeAll(keepingCapacity: true)
            lines.removeAll(keepingCapacity: true)
        }
        return (TableBatch(table: table, batch: batch), lines)
    }
}

extension CSVBatchBuilder.TagColumn {
    fileprivate mutating func append(_ text: String?) {
        isPresent.append(text != nil)
        guard let text else { return codes.append(0) }
        if let number = numbers[text] { return codes.append(number) }
        let number = UInt32(entries.count)
        numbers[text] = number
        entries.append(text)
        codes.append(number)
    }

    fileprivate mutating func take() -> Column {
        var validity = BitmapBuilder(capacity: isPresent.count)
        for flag in isPresent { validity.append(flag) }
        let nulls = validity.clearCount
        let column = Column(
            type: .string, count: codes.count, nullCount: nulls, validity: nulls > 0 ? validity.finish() : nil,
            values: Buffer(codes), dictionary: StringDictionary(entries))
        self = .init(index: index)
        return column
    }
}
