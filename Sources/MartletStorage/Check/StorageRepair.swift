import MartletModel

/// What a repair did.
package struct RepairReport: Sendable, Hashable {
    /// What was found, before the repair.
    package var check = CheckReport()
    /// The damaged files, as they were, under their new names in the directory's `quarantine` folder.
    package var quarantined: [String] = []
    /// What could not be brought back as it was, in words.
    package var losses: [String] = []
}

/// Sets damaged bytes aside and rewrites what is intact around them.
///
/// A damaged file is given a second name in `quarantine/`, its intact rows are written to a new segment, and one new
/// manifest names that in its place. A crash at any moment leaves either the state before or the state after.
package enum StorageRepair {
    /// The folder for damaged files, beside `namespaces`. It is never read again; remove it when it is of no more use.
    package static let quarantineFolder = "quarantine"

    /// Repairs a data directory that no process has open for writing.
    ///
    /// - Throws: `.locked` when another process writes to it, `.unsupportedVersion` for another version of the layout.
    package static func repair(
        at path: String, fileSystem: any FileSystem = POSIXFileSystem(), memoryLimit: Int = 256 << 20,
        progress: (String) -> Void = { _ in }
    ) throws(MartletError) -> RepairReport {
        var report = RepairReport()
        var toCompact: [String] = []
        do {
            let lock = try fileSystem.lock(path + "/" + DirectoryLayout.lockFile)
            defer { lock.unlock() }
            let core = StorageCheck.core(fileSystem, memoryLimit)
            let inspections = try StorageCheck.inspect(at: path, core, progress, &report.check)
            if !report.check.damage.isEmpty {
                try DirectoryLayout(path: path, files: fileSystem).writeFormat()
            }
            for inspection in inspections {
                report.check.add(inspection.report)
                if inspection.report.isSound { continue }
                var repair = NamespaceRepair(inspection, path + "/" + quarantineFolder, core)
                try repair.run()
                report.quarantined += repair.quarantined
                report.losses += repair.losses
                if repair.needsCompaction { toCompact.append(inspection.name) }
            }
        }
        if toCompact.isEmpty { return report }
        var options = StorageOptions()
        options.memoryLimit = memoryLimit
        options.mergesInBackground = false
        let engine = try StorageEngine.open(at: path, options: options, fileSystem: fileSystem)
        for name in toCompact { try engine.namespace(name).compact() }
        try engine.close()
        return report
    }
}

/// Repairs one namespace.
private struct NamespaceRepair {
    private let inspection: NamespaceInspection
    private let quarantine: String
    private let core: StorageCore
    private var manifest: Manifest
    private(set) var quarantined: [String] = []
    private(set) var losses: [String] = []
    /// Whether damaged logs are to be sealed.
    private(set) var needsCompaction = false

    init(_ inspection: NamespaceInspection, _ quarantine: String, _ core: StorageCore) {
        self.inspection = inspection
        self.quarantine = quarantine
        self.core = core
        manifest = inspection.manifest ?? inspection.rebuiltManifest
    }

    mutating func run() throws(MartletError) {
        var damaged: [String] = []
        if inspection.manifest == nil {
            damaged.append(Manifest.fileName)
            losses.append(
                "namespace '\(inspection.name)': the manifest was rebuilt from the segments; erasures that no merge had"
                    + " carried out yet, and were logged before the oldest hot segment, must be repeated")
        }
        var sealed: [Manifest.Sealed] = []
        for segment in inspection.sealed {
            guard segment.isDamaged else {
                sealed.append(segment.entry)
                continue
            }
            damaged.append(SealedSegment.fileName(segment.entry.number))
            if let rewritten = try rewrite(segment) { sealed.append(rewritten) }
        }
        var hot: [Manifest.Hot] = []
        var logs: [String] = []
        for segment in inspection.hot {
            if inspection.manifest == nil, let recovery = segment.recovery {
                hot.append(Manifest.Hot(number: segment.entry.number, length: UInt64(recovery.length)))
                if segment.isDamaged { logs.append(HotLog.fileName(segment.entry.number)) }
            } else if !segment.isDamaged {
                hot.append(segment.entry)
            } else if segment.recovery == nil {
                damaged.append(HotLog.fileName(segment.entry.number))
            } else {
                // The engine reads around the damage; a compaction writes what it reads to a new segment.
                hot.append(segment.entry)
                logs.append(HotLog.fileName(segment.entry.number))
            }
        }
        manifest.sealed = sealed.sorted { $0.lastCommit < $1.lastCommit }
        manifest.hot = hot
        if hot.last?.length != nil || hot.isEmpty { manifest.hot.append(try emptyLog()) }
        manifest.edit += 1

        let files = core.files
        let existing = damaged.filter { files.exists(inspection.directory + "/" + $0) }
        for name in existing + logs { try setAside(name) }
        needsCompaction = !logs.isEmpty
        _ = try manifest.write(inspection.directory, files)
        for name in existing where name != Manifest.fileName {
            try files.remove(inspection.directory + "/" + name)
        }
        try files.syncDirectory(inspection.directory)
    }

    /// Gives a file a second name in the quarantine.
    private mutating func setAside(_ name: String) throws(MartletError) {
        let files = core.files
        try files.createDirectory(quarantine)
        var target = quarantine + "/" + inspection.name + "." + name
        var attempt = 1
        while files.exists(target) {
            attempt += 1
            target = quarantine + "/" + inspection.name + "." + name + ".\(attempt)"
        }
        try files.link(inspection.directory + "/" + name, to: target)
        try files.syncDirectory(quarantine)
        quarantined.append(target)
    }

    private mutating func takeNumber() -> UInt64 {
        defer { manifest.nextSegment += 1 }
        // Files of an unfinished merge may have taken numbers that the manifest does not know of.
        while core.files.exists(inspection.directory + "/" + HotLog.fileName(manifest.nextSegment))
            || core.files.exists(inspection.directory + "/" + SealedSegment.fileName(manifest.nextSegment))
        {
            manifest.nextSegment += 1
        }
        return manifest.nextSegment
    }

    private func salt(_ number: UInt64) -> UInt64 {
        UInt64(bitPattern: core.clock.now().nanoseconds) &* 0x9e37_79b9_7f4a_7c15 ^ number
    }

    private mutating func emptyLog() throws(MartletError) -> Manifest.Hot {
        let number = takeNumber()
        _ = try HotLog.create(number, salt: salt(number), in: inspection.directory, core.files, core.cache)
        return Manifest.Hot(number: number, length: nil)
    }

    /// Writes a sealed segment's intact rows to a new one.
    private mutating func rewrite(_ segment: NamespaceInspection.Sealed) throws(MartletError) -> Manifest.Sealed? {
        guard let content = segment.content, let footer = content.footer else { return nil }
        let number = takeNumber()
        let writer = try SealedSegmentWriter(
            number: number, directory: inspection.directory, salt: salt(number), files: core.files)
        for table in content.tables {
            writer.begin(table.definition)
            for group in table.groups { try SalvagedGroup(group, table.definition)?.write(to: writer) }
            try writer.end()
        }
        if writer.rowCount == 0 {
            try core.files.remove(writer.path)
            return nil
        }
        let entry = try writer.finish(
            catalog: inspection.catalog, commits: footer.firstCommit...max(footer.firstCommit, footer.lastCommit),
            tombstonesAppliedThrough: footer.tombstonesAppliedThrough)
        try core.files.syncDirectory(inspection.directory)
        return entry
    }
}

/// The rows of a row group whose series are known.
private struct SalvagedGroup {
    private let group: RowGroup
    private let table: TableDefinition
    private var runs = RunIndex()
    private var rows: [UInt32] = []

    init?(_ group: RowGroup, _ table: TableDefinition) {
        self.group = group
        self.table = table
        for run in 0..<group.runs.count where SealedInspection.isKnown(group.runs.series[run]) {
            let range = group.runs.starts[run]..<group.runs.starts[run + 1]
            runs.append(
                series: group.runs.series[run], rows: range.count, from: group.runs.minimumTimes[run],
                through: group.runs.maximumTimes[run])
            rows += range.map { UInt32($0) }
        }
        if rows.isEmpty { return nil }
    }

    func write(to writer: SealedSegmentWriter) throws(MartletError) {
        var fields: [(definition: FieldDefinition, column: Column)] = []
        for field in group.fields {
            guard let definition = table.field(id: field.field) else { continue }
            fields.append((definition, try column(field.block)))
        }
        try writer.append(runs, times: try column(group.timeBlock), fields: fields)
    }

    private func column(_ block: BlockReference) throws(MartletError) -> Column {
        let column = try group.source.decode(block, rows: 0..<group.rowCount, of: group.rowCount, caching: false)
        if rows.count == group.rowCount { return column }
        return rows.withUnsafeBufferPointer { Columns.gather(column, $0) }
    }
}

extension NamespaceInspection {
    /// A manifest made of what the segments say of themselves.
    var rebuiltManifest: Manifest {
        var manifest = Manifest()
        for segment in sealed.sorted(by: { $0.entry.lastCommit < $1.entry.lastCommit }) {
            for table in segment.content?.footer?.tables ?? [] { manifest.catalog.define(table.definition) }
            manifest.lastCommit = max(manifest.lastCommit, segment.entry.lastCommit)
        }
        for change in hot.flatMap({ $0.recovery?.changes ?? [] }) { manifest.catalog.apply(change) }
        let numbers = hot.map(\.entry.number) + sealed.map(\.entry.number)
        manifest.nextSegment = (numbers.max() ?? 0) + 1
        return manifest
    }
}
