import MartletCodec
import MartletModel

/// A row group whose blocks were encoded, with their offsets counted from the start of the encoded bytes.
struct RowGroupDraft {
    var table: UInt32
    var runs: RunIndex
    var timeBlock: BlockReference
    var fields: [FieldBlock]

    /// Encodes the columns of a row group, one block after the other, behind what `writer` holds already.
    ///
    /// - Parameter base: the position in `writer` that counts as offset 0.
    static func encode(
        table: UInt32, runs: RunIndex, times: Column, fields: [(definition: FieldDefinition, column: Column)],
        effort: Effort, base: Int, into writer: inout ByteWriter
    ) throws(MartletError) -> RowGroupDraft {
        precondition(times.count == runs.rowCount, "\(times.count) times for runs of \(runs.rowCount) rows")
        let timeBlock = try block(times, effort, base, &writer)
        var blocks: [FieldBlock] = []
        blocks.reserveCapacity(fields.count)
        for (definition, column) in fields where column.nullCount < column.count {
            let reference = try block(column, effort, base, &writer)
            blocks.append(
                FieldBlock(
                    field: definition.id, type: column.type, block: reference, summary: FieldSummary(of: column)))
        }
        return RowGroupDraft(table: table, runs: runs, timeBlock: timeBlock, fields: blocks)
    }

    private static func block(
        _ column: Column, _ effort: Effort, _ base: Int, _ writer: inout ByteWriter
    ) throws(MartletError) -> BlockReference {
        let start = writer.count
        try BlockCodec.encode(column, effort: effort, into: &writer.buffer)
        let checksum = CRC32C.checksum(UnsafeRawBufferPointer(rebasing: writer.bytes[start...]))
        return BlockReference(offset: Int64(start - base), length: writer.count - start, checksum: checksum)
    }

    /// The row group at its place in a file.
    func placed(
        at offset: Int64, source: BlockSource, precedence: UInt64, tombstonesAppliedThrough: UInt64
    ) -> RowGroup {
        func moved(_ block: BlockReference) -> BlockReference {
            BlockReference(offset: block.offset + offset, length: block.length, checksum: block.checksum)
        }
        return RowGroup(
            table: table, runs: runs, timeBlock: moved(timeBlock),
            fields: fields.map { field in
                var field = field
                field.block = moved(field.block)
                return field
            }, source: source, precedence: precedence, tombstonesAppliedThrough: tombstonesAppliedThrough)
    }
}

extension FieldSummary {
    /// The statistics of a column that are stored with its block. Where a float is NaN the extremes stay unknown, since
    /// SQL orders NaN above all numbers and pruning by them would lose it. Text has a count only.
    init(of column: Column) {
        guard column.type != .string else {
            self.init(count: column.count - column.nullCount, sum: nil, min: nil, max: nil, first: nil, last: nil)
            return
        }
        let statistics = ColumnStatistics.of(column, rows: 0..<column.count)
        self.init(
            count: statistics.count - statistics.nullCount, sum: statistics.sum,
            min: statistics.hasNaN ? nil : statistics.min, max: statistics.hasNaN ? nil : statistics.max,
            first: statistics.first, last: statistics.last)
    }
}
