import MartletModel

/// The accepted rows of one table that go into one layer, in order of arrival.
struct TableStage {
    /// The table as it stands after these rows.
    var definition: TableDefinition
    /// Whether the catalog has to learn `definition`.
    var isChanged: Bool
    /// The rows' times, part by part.
    private(set) var times: [Column] = []
    /// The rows' series, as indices into `series`.
    private(set) var slots: [UInt32] = []
    /// The distinct series by slot.
    private(set) var series: [UInt32] = []
    private var slotOfSeries: [UInt32: UInt32] = [:]
    /// By field id: for each part that has the field, the part's number and its column, in the field's type.
    private var fields: [UInt32: [(part: Int, column: Column)]] = [:]
    private var partCount = 0

    init(definition: TableDefinition, isChanged: Bool) {
        self.definition = definition
        self.isChanged = isChanged
    }

    var rowCount: Int { slots.count }

    /// Why a row was refused.
    typealias Refusal = (row: Int, error: MartletError)

    /// Takes over the rows of a batch, but for those that the catalog refuses and those that are expired.
    ///
    /// - Parameters:
    ///   - expiry: before when the table keeps nothing, if rows go at all.
    ///   - intern: gives the id of a series and whether it is new to the catalog.
    /// - Returns: the refused rows.
    mutating func add(
        _ batch: AppendBatch, expiry: TableExpiry? = nil,
        intern: (UnsafeRawBufferPointer) throws(MartletError) -> (id: UInt32, isNew: Bool)
    ) throws(MartletError) -> [Refusal] {
        let count = batch.rowCount
        if count == 0 { return [] }
        var refusals: [Int: MartletError] = [:]
        for (description, column) in batch.fields {
            guard let error = conflict(description, column, batch.table) else { continue }
            for row in 0..<count where column.isValid(row) && refusals[row] == nil { refusals[row] = error }
        }
        if let expiry {
            let times = batch.times.values.pointer(to: Int64.self)
            for row in 0..<count where times[row] < expiry.cutoff {
                refusals[row] = refusals[row] ?? expiry.refusal(of: times[row], in: batch.table)
            }
        }

        // One look-up per distinct series, and only for those that an accepted row has.
        let dictionary = batch.series.dictionary!
        let codes = batch.series.values.pointer(to: UInt32.self)
        let unknown = UInt32.max
        var slotOfEntry = [UInt32](repeating: unknown, count: dictionary.count)
        let base = slots.count
        slots.reserveCapacity(base + count)
        for row in 0..<count {
            if !refusals.isEmpty && refusals[row] != nil { continue }
            let entry = Int(codes[row])
            var slot = slotOfEntry[entry]
            if slot == unknown {
                do throws(MartletError) {
                    slot = try assign(dictionary.entry(entry), intern)
                } catch {
                    refusals[row] = error
                    continue
                }
                slotOfEntry[entry] = slot
            }
            slots.append(slot)
        }
        withExtendedLifetime(batch) {}
        if slots.count == base { return Self.list(refusals) }

        var accepted: [UInt32]?
        if !refusals.isEmpty { accepted = (0..<UInt32(count)).filter { refusals[Int($0)] == nil } }
        func kept(_ column: Column) -> Column {
            accepted.map { rows in rows.withUnsafeBufferPointer { Columns.gather(column, $0) } } ?? column
        }
        times.append(kept(batch.times))
        for (description, column) in batch.fields {
            let column = kept(column)
            if column.nullCount == column.count { continue }
            var field = definition.field(named: description.name)
            if field == nil {
                field = definition.addField(description.name, column.type)
                isChanged = true
            }
            let converted = column.type == field!.type ? column : try Self.widen(column)
            fields[field!.id, default: []].append((partCount, converted))
        }
        partCount += 1
        return Self.list(refusals)
    }

    /// The times of all rows.
    func allTimes() -> Column { Columns.concatenate(times, .timestamp) }

    /// The fields that these rows have, with the values of all rows.
    func allFields() -> [(definition: FieldDefinition, column: Column)] {
        definition.fields.compactMap { field in
            guard let parts = fields[field.id] else { return nil }
            if partCount == 1 { return (field, parts[0].column) }
            var assembler = ColumnAssembler(field.type, capacity: rowCount)
            var next = 0
            for part in 0..<partCount {
                if next < parts.count && parts[next].part == part {
                    assembler.append(parts[next].column, 0..<parts[next].column.count)
                    next += 1
                } else {
                    assembler.appendNulls(times[part].count)
                }
            }
            return (field, assembler.finish())
        }
    }

    private mutating func assign(
        _ tags: UnsafeRawBufferPointer,
        _ intern: (UnsafeRawBufferPointer) throws(MartletError) -> (id: UInt32, isNew: Bool)
    ) throws(MartletError) -> UInt32 {
        let (id, isNew) = try intern(tags)
        if let slot = slotOfSeries[id] { return slot }
        if isNew {
            var reader = CanonicalTagReader(tags)
            while let tag = try reader.next() {
                if definition.tags.contains(where: { $0.utf8.elementsEqual(tag.key) }) { continue }
                definition.tags.append(String(decoding: tag.key, as: UTF8.self))
                isChanged = true
            }
        }
        let slot = UInt32(series.count)
        series.append(id)
        slotOfSeries[id] = slot
        return slot
    }

    private func conflict(_ description: ColumnDescription, _ column: Column, _ table: String) -> MartletError? {
        if definition.tags.contains(description.name) {
            return MartletError(
                .typeConflict, "'\(description.name)' is a tag of table '\(table)' and can't be a field too",
                at: .column(table: table, column: description.name))
        }
        guard let stored = definition.field(named: description.name), stored.type != column.type else { return nil }
        if stored.type == .float64 && (column.type == .int64 || column.type == .uint64) { return nil }
        return MartletError(
            .typeConflict,
            "field '\(description.name)' of table '\(table)' is of type \(stored.type.name); the value offered is of"
                + " type \(column.type.name)", at: .column(table: table, column: description.name),
            hint: "send the stored type, or change the column's with ALTER TABLE")
    }

    /// Integers as floats, rounded to the nearest where 53 bits do not hold them.
    private static func widen(_ column: Column) throws(MartletError) -> Column {
        var values = MutableBuffer(capacity: column.count * 8)
        let out = values.base.bindMemory(to: Double.self, capacity: column.count)
        if column.type == .int64 {
            let source = column.values.pointer(to: Int64.self)
            for row in 0..<column.count { out[row] = Double(source[row]) }
        } else {
            let source = column.values.pointer(to: UInt64.self)
            for row in 0..<column.count { out[row] = Double(source[row]) }
        }
        values.byteCount = column.count * 8
        return Column(
            type: .float64, count: column.count, nullCount: column.nullCount, validity: column.validity,
            values: values.finish())
    }

    private static func list(_ refusals: [Int: MartletError]) -> [Refusal] {
        refusals.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }
}
