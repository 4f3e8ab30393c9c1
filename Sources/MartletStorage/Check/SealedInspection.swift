import MartletCodec
import MartletModel

/// A sealed segment read part by part, so that one damaged part does not hide the others.
struct SealedInspection {
    /// A table of the segment with what can be read of it.
    struct Table {
        var definition: TableDefinition
        /// Intact row groups; runs of series whose tags are lost, and fields whose block is damaged, are left out.
        var groups: [RowGroup]
    }

    private(set) var footer: SegmentFooter?
    private(set) var tables: [Table] = []
    private(set) var damage: [Damage] = []
    private(set) var blockCount = 0
    private(set) var rowCount = 0
    private let namespace: String
    private let file: SegmentFile
    private let size: Int64
    private let catalog: SeriesCatalog

    private static let lostSeries = UInt32.max

    /// Reads and verifies everything.
    ///
    /// - Throws: what the file system throws; damage is collected, not thrown.
    init(
        _ file: SegmentFile, number: UInt64, namespace: String, catalog: SeriesCatalog
    ) throws(MartletError) {
        self.file = file
        self.namespace = namespace
        self.catalog = catalog
        size = try file.file.size()
        let footer: SegmentFooter
        do throws(MartletError) {
            footer = try SegmentFooter.read(file)
            let head = try file.file.readExactly(FileHeader.byteCount, at: 0)
            defer { withExtendedLifetime(head) {} }
            let found = try FileHeader(head.bytes).segment
            guard found == number else {
                throw MartletError(.corrupt, "the file is segment \(found), not \(number)")
            }
        } catch {
            try collect(error, BlockReference(offset: 0, length: Int(size), checksum: 0))
            return
        }
        self.footer = footer
        guard let series = try readSeries(footer) else { return }
        for table in footer.tables { try read(table, footer, series) }
    }

    /// The namespace's ids by local number, `lostSeries` where the tags can't be read; `nil` where none can.
    private mutating func readSeries(_ footer: SegmentFooter) throws(MartletError) -> [UInt32]? {
        do throws(MartletError) {
            let bytes = try file.file.readExactly(footer.series.length, at: footer.series.offset)
            defer { withExtendedLifetime(bytes) {} }
            let section = try SeriesSectionReader(bytes.bytes)
            guard section.count == footer.seriesCount else {
                throw MartletError(.corrupt, "\(section.count) series where the footer says \(footer.seriesCount)")
            }
            var ids = [UInt32](repeating: Self.lostSeries, count: section.count)
            for part in 0..<section.partCount {
                do throws(MartletError) {
                    try section.forEach(inPart: part) { row, table, tags throws(MartletError) in
                        ids[row] = try catalog.intern(table: table, tags)
                    }
                } catch {
                    let table = section.table(ofPart: part)
                    try collect(
                        error, footer.series, footer.tables.first { $0.definition.id == table }?.definition.name)
                }
            }
            blockCount += section.blockCount
            return ids
        } catch {
            try collect(error, footer.series)
            return nil
        }
    }

    private mutating func read(
        _ table: SegmentFooter.Table, _ footer: SegmentFooter, _ series: [UInt32]
    ) throws(MartletError) {
        var groups: [RowGroup] = []
        do throws(MartletError) {
            let packed = try file.read(table.index)
            defer { withExtendedLifetime(packed) {} }
            let bytes = try Compression.decompressed(packed.bytes, method: .zstd, count: table.indexLength)
            defer { withExtendedLifetime(bytes) {} }
            blockCount += 1
            var reader = ByteReader(bytes.bytes, "segment index")
            for _ in 0..<table.groupCount {
                groups.append(
                    try RowGroupDescriptor.decode(
                        from: &reader, table: table.definition.id, series: series, base: 0, end: size,
                        source: .file(file), precedence: footer.lastCommit,
                        tombstonesAppliedThrough: footer.tombstonesAppliedThrough))
            }
            try reader.expectEnd()
        } catch {
            try collect(error, table.index, table.definition.name, time: table.time)
        }
        var intact: [RowGroup] = []
        for group in groups {
            rowCount += group.rowCount
            if let group = try verify(group, table.definition) { intact.append(group) }
        }
        tables.append(Table(definition: table.definition, groups: intact))
    }

    /// The group without its damaged fields; `nil` where its times are damaged.
    private mutating func verify(_ group: RowGroup, _ table: TableDefinition) throws(MartletError) -> RowGroup? {
        let verifier = RowGroupVerifier(group)
        blockCount += 1 + group.fields.count
        do throws(MartletError) {
            try verifier.verifyTimes()
        } catch {
            try collect(error, group.timeBlock, table.name, time: group.time)
            return nil
        }
        var intact: [FieldBlock] = []
        for field in group.fields {
            do throws(MartletError) {
                try verifier.verify(field)
                intact.append(field)
            } catch {
                let name = table.field(id: field.field)?.name ?? "number \(field.field)"
                try collect(error, field.block, table.name, field: name, time: group.time)
            }
        }
        if intact.count == group.fields.count { return group }
        return RowGroup(
            table: group.table, runs: group.runs, timeBlock: group.timeBlock, fields: intact, source: group.source,
            precedence: group.precedence, tombstonesAppliedThrough: group.tombstonesAppliedThrough)
    }

    /// Notes damage; errors of the machine are thrown on.
    private mutating func collect(
        _ error: MartletError, _ place: BlockReference, _ table: String? = nil, field: String? = nil,
        time: TimeRange? = nil
    ) throws(MartletError) {
        guard error.isDamage else { throw error }
        damage.append(
            Damage(
                namespace: namespace, path: file.path, offset: place.offset, byteCount: Int64(place.length),
                table: table, field: field, time: time, reason: error.message))
    }

    /// Whether a run's series is known by name.
    static func isKnown(_ series: UInt32) -> Bool { series != lostSeries }
}

extension MartletError {
    /// Whether the error says that bytes are wrong, not that the machine failed.
    var isDamage: Bool { code == .corrupt || code == .unsupportedVersion }
}
