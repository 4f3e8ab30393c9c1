import MartletCodec
import MartletModel

/// Puts the bytes of one layer together: header, encoded blocks, metadata.
struct LayerBuilder: ~Copyable {
    private var writer: ByteWriter
    private var groups: [RowGroupDraft] = []
    private var rowCount = 0
    private var time = TimeRange.empty

    init(capacity: Int) {
        writer = ByteWriter(capacity: max(capacity, 1024))
        writer.buffer.appendZeros(LayerHeader.byteCount)
    }

    /// Sorts and encodes the rows of one table.
    ///
    /// - Parameter ranks: the canonical order of the stage's series, by slot.
    mutating func add(_ stage: TableStage, ranks: [UInt32]) throws(MartletError) {
        let times = stage.allTimes()
        let sorted = stage.slots.withUnsafeBufferPointer { slots in
            RowSorter.sort(
                times: times.values.pointer(to: Int64.self), slots: slots.baseAddress!, count: times.count,
                series: stage.series, ranks: ranks)
        }
        let fields = stage.allFields()
        let count = sorted.rows.count
        rowCount += count
        time = time.union(sorted.runs.time)
        if sorted.isIdentity && count <= RowGroup.maximumRows {
            groups.append(
                try RowGroupDraft.encode(
                    table: stage.definition.id, runs: sorted.runs, times: times, fields: fields, effort: .hot, base: 0,
                    into: &writer))
            return
        }
        let orders = fields.map { Self.order(of: $0.column, sorted) }
        var start = 0
        while start < count {
            let end = min(start + RowGroup.maximumRows, count)
            func part(_ column: Column, _ order: [UInt32]) -> Column {
                order.withUnsafeBufferPointer { Columns.gather(column, UnsafeBufferPointer(rebasing: $0[start..<end])) }
            }
            let runTimes = part(times, sorted.rows)
            let runs = sorted.runs.cut(start..<end, times: runTimes)
            groups.append(
                try RowGroupDraft.encode(
                    table: stage.definition.id, runs: runs, times: runTimes,
                    fields: zip(fields, orders).map { ($0.definition, part($0.column, $1)) }, effort: .hot, base: 0,
                    into: &writer))
            start = end
        }
    }

    /// Which input row gives a field's value to each stored position: the last row that has one.
    private static func order(of column: Column, _ sorted: SortedRows) -> [UInt32] {
        if sorted.overwritten.isEmpty || column.nullCount == 0 { return sorted.rows }
        var rows = sorted.rows
        for (position, row) in sorted.overwritten
        where !column.isValid(Int(rows[Int(position)])) && column.isValid(Int(row)) {
            rows[Int(position)] = row
        }
        return rows
    }

    /// Writes metadata and header, and hands out the layer's bytes.
    consuming func finish(
        salt: UInt64, durableLength: Int64, commits: ClosedRange<UInt64>, changes: [CatalogChange], firstLocal: Int,
        newSeries: NewSeries, tombstones: [Tombstone], localSeries: (UInt32) -> UInt32
    ) -> BuiltLayer {
        let bodyEnd = writer.count
        LayerMetadata.encode(
            changes: changes, firstLocal: firstLocal, newSeries: newSeries, tombstones: tombstones, groups: groups,
            localSeries: localSeries, into: &writer)
        let checksum = CRC32C.checksum(UnsafeRawBufferPointer(rebasing: writer.bytes[bodyEnd...]))
        let header = LayerHeader(
            salt: salt, bodyLength: bodyEnd - LayerHeader.byteCount, metadataLength: writer.count - bodyEnd,
            metadataChecksum: checksum, firstCommit: commits.lowerBound, lastCommit: commits.upperBound, time: time,
            durableLength: UInt64(durableLength), rowCount: UInt32(rowCount))
        let head = header.encode()
        writer.buffer.base.copyMemory(from: head.baseAddress, byteCount: head.byteCount)
        withExtendedLifetime(head) {}
        let groups = groups
        // The head keeps these bytes; a copy of the right size costs less than the slack of a growing buffer.
        return BuiltLayer(header: header, bytes: Buffer(copying: writer.bytes), groups: groups)
    }
}

/// A layer's bytes and what they hold.
struct BuiltLayer {
    var header: LayerHeader
    var bytes: Buffer
    var groups: [RowGroupDraft]
}

extension RunIndex {
    /// The runs of consecutive rows; `times` holds the times of just these rows.
    func cut(_ rows: Range<Int>, times: Column) -> RunIndex {
        var result = RunIndex()
        let values = times.values.pointer(to: Int64.self)
        for run in 0..<count {
            let start = max(Int(starts[run]), rows.lowerBound)
            let end = min(Int(starts[run + 1]), rows.upperBound)
            if start >= end { continue }
            result.append(
                series: series[run], rows: end - start, from: values[start - rows.lowerBound],
                through: values[end - 1 - rows.lowerBound])
        }
        withExtendedLifetime(times) {}
        return result
    }
}
