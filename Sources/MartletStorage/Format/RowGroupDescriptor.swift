import MartletModel

/// What layers and segment indexes say about one row group: runs, places of the blocks and their statistics.
///
/// Blocks lie one after the other from `timeBlock.offset` on, so only that one offset is written. Series are numbers
/// local to the segment. Offsets are relative to `base`, which the container of the descriptor defines.
enum RowGroupDescriptor {
    static func encode(
        runs: RunIndex, localSeries: (UInt32) -> UInt32, timeBlock: BlockReference, fields: [FieldBlock],
        base: Int64, into writer: inout ByteWriter
    ) {
        writer.varint(runs.count)
        var previous: Int64 = -1
        for series in runs.series {
            let local = Int64(localSeries(series))
            writer.signed(local - previous - 1)
            previous = local
        }
        for run in 0..<runs.count { writer.varint(Int(runs.starts[run + 1] - runs.starts[run])) }
        var formerStart: Int64 = 0
        for start in runs.minimumTimes {
            writer.signed(start &- formerStart)
            formerStart = start
        }
        var formerSpan: Int64 = 0
        for run in 0..<runs.count {
            let span = runs.maximumTimes[run] &- runs.minimumTimes[run]
            writer.signed(span &- formerSpan)
            formerSpan = span
        }
        writer.varint(UInt64(timeBlock.offset - base))
        writer.varint(timeBlock.length)
        writer.u32(timeBlock.checksum)
        writer.varint(fields.count)
        for field in fields {
            writer.varint(UInt64(field.field))
            writer.u8(field.type.rawValue)
            writer.varint(field.block.length)
            writer.u32(field.block.checksum)
            field.summary.encode(field.type, into: &writer)
        }
    }

    /// - Parameters:
    ///   - series: the namespace's ids of the segment's series, by local number.
    ///   - base: what offsets are relative to.
    ///   - end: where the last block must end at the latest.
    static func decode(
        from reader: inout ByteReader, table: UInt32, series: [UInt32], base: Int64, end: Int64,
        source: BlockSource, precedence: UInt64, tombstonesAppliedThrough: UInt64
    ) throws(MartletError) -> RowGroup {
        let count = try reader.count(upTo: min(reader.remaining, RowGroup.maximumRows))
        var runs = RunIndex()
        runs.series.reserveCapacity(count)
        runs.starts.reserveCapacity(count + 1)
        runs.minimumTimes.reserveCapacity(count)
        runs.maximumTimes.reserveCapacity(count)
        var local: Int64 = -1
        for _ in 0..<count {
            local = local &+ 1 &+ (try reader.signed())
            guard local >= 0, local < Int64(series.count) else { throw reader.corrupt("series \(local) is unknown") }
            runs.series.append(series[Int(local)])
        }
        for _ in 0..<count {
            let rows = try reader.count(upTo: RowGroup.maximumRows - runs.rowCount)
            guard rows > 0 else { throw reader.corrupt("a run has no rows") }
            runs.starts.append(runs.starts[runs.starts.count - 1] + Int32(rows))
        }
        var start: Int64 = 0
        for _ in 0..<count {
            start = start &+ (try reader.signed())
            runs.minimumTimes.append(start)
        }
        var span: Int64 = 0
        for run in 0..<count {
            span = span &+ (try reader.signed())
            let last = runs.minimumTimes[run] &+ span
            guard last >= runs.minimumTimes[run] else { throw reader.corrupt("a run ends before it begins") }
            runs.maximumTimes.append(last)
        }
        let offset = try reader.varint()
        guard offset <= UInt64(Int64.max / 2) else { throw reader.corrupt("a block lies at \(offset)") }
        var position = base + Int64(offset)
        func block(_ reader: inout ByteReader) throws(MartletError) -> BlockReference {
            let length = try reader.varint()
            guard position <= end, length <= UInt64(end - position) else {
                throw reader.corrupt("a block of \(length) bytes at \(position) passes the end at \(end)")
            }
            defer { position += Int64(length) }
            return BlockReference(offset: position, length: Int(length), checksum: try reader.u32())
        }
        let timeBlock = try block(&reader)
        var fields: [FieldBlock] = []
        let fieldCount = try reader.itemCount()
        fields.reserveCapacity(fieldCount)
        for _ in 0..<fieldCount {
            let id = UInt32(try reader.count(upTo: Int(UInt32.max)))
            let raw = try reader.u8()
            guard let type = ColumnType(rawValue: raw), type.isFieldType else {
                throw reader.corrupt("\(raw) is not the type of a field")
            }
            let reference = try block(&reader)
            let summary = try FieldSummary(type, from: &reader)
            fields.append(FieldBlock(field: id, type: type, block: reference, summary: summary))
        }
        return RowGroup(
            table: table, runs: runs, timeBlock: timeBlock, fields: fields, source: source, precedence: precedence,
            tombstonesAppliedThrough: tombstonesAppliedThrough)
    }
}
