import MartletModel

/// Everything that can be read of a namespace's files, and everything that can't.
struct NamespaceInspection {
    struct Hot {
        var entry: Manifest.Hot
        /// What the file holds; `nil` when it is missing or can't be made out at all.
        var recovery: HotRecovery?
        var isDamaged: Bool
    }

    struct Sealed {
        var entry: Manifest.Sealed
        /// What the file holds; `nil` when it is missing.
        var content: SealedInspection?
        var isDamaged: Bool
    }

    let name: String
    let directory: String
    let catalog: SeriesCatalog
    /// The manifest; `nil` when it is damaged or missing, and then `hot` and `sealed` are what the directory has.
    private(set) var manifest: Manifest?
    private(set) var hot: [Hot] = []
    private(set) var sealed: [Sealed] = []
    private(set) var report = CheckReport()
    private let core: StorageCore

    /// Reads and verifies every file.
    init(_ name: String, at directory: String, core: StorageCore) throws(MartletError) {
        self.name = name
        self.directory = directory
        self.core = core
        catalog = SeriesCatalog(core.cache, limit: core.seriesBudget)
        report.namespaces = 1
        let files = try core.files.list(directory)
        do throws(MartletError) {
            manifest = try Manifest.read(directory, core.files)
        } catch {
            guard error.isDamage || error.code == .notFound else { throw error }
            note(Manifest.fileName, offset: 0, byteCount: size(of: Manifest.fileName), error.message)
        }
        if let manifest {
            for entry in manifest.hot { try inspect(entry) }
            for entry in manifest.sealed { try inspect(entry) }
            noteStrangers(files, manifest)
        } else {
            for number in Self.numbers(files, ".hot") { try inspect(Manifest.Hot(number: number, length: nil)) }
            for number in Self.numbers(files, ".sealed") { try inspectUnlisted(number) }
        }
    }

    private static func numbers(_ files: [String], _ suffix: String) -> [UInt64] {
        files.compactMap { $0.hasSuffix(suffix) ? UInt64($0.dropLast(suffix.count)) : nil }.sorted()
    }

    private func size(of file: String) -> Int64 {
        let size = Result { () throws(MartletError) in try core.files.open(directory + "/" + file, .read).size() }
        guard case .success(let size) = size else { return 0 }
        return size
    }

    private mutating func note(_ file: String, offset: Int64, byteCount: Int64, _ reason: String) {
        report.damage.append(
            Damage(namespace: name, path: directory + "/" + file, offset: offset, byteCount: byteCount, reason: reason))
    }

    private func open(_ file: String) throws(MartletError) -> SegmentFile? {
        let path = directory + "/" + file
        do throws(MartletError) {
            return SegmentFile(path: path, file: try core.files.open(path, .read), cache: core.cache)
        } catch {
            if error.code == .notFound { return nil }
            throw error
        }
    }

    private mutating func inspect(_ entry: Manifest.Hot) throws(MartletError) {
        let name = HotLog.fileName(entry.number)
        report.segments += 1
        guard let file = try open(name) else {
            note(name, offset: 0, byteCount: 0, "the file is missing")
            hot.append(Hot(entry: entry, recovery: nil, isDamaged: true))
            return
        }
        let size = try file.file.size()
        report.bytes += size
        var recovery = HotRecovery(
            segment: file, number: entry.number, limit: entry.length.map { Int64(clamping: $0) }, catalog: catalog,
            budget: core.headBudget)
        do throws(MartletError) {
            try recovery.readOn()
        } catch {
            guard error.isDamage else { throw error }
            note(name, offset: 0, byteCount: size, error.message)
            hot.append(Hot(entry: entry, recovery: nil, isDamaged: true))
            return
        }
        let before = report.damage.count
        for damaged in recovery.damage {
            report.damage.append(
                Damage(
                    namespace: self.name, path: damaged.path, offset: damaged.offset, byteCount: damaged.byteCount,
                    time: damaged.time, reason: damaged.reason))
        }
        if let length = entry.length.map({ Int64(clamping: $0) }), recovery.length < length {
            note(name, offset: recovery.length, byteCount: length - recovery.length, "the last layers can't be read")
        } else if entry.length == nil && size > recovery.length {
            report.notes.append(
                "\(file.path): \(size - recovery.length) bytes at \(recovery.length) are of a commit that was never"
                    + " acknowledged")
        }
        report.layers += recovery.layers.count
        for layer in recovery.layers {
            for group in layer.groups { try verify(group, file) }
        }
        hot.append(Hot(entry: entry, recovery: recovery, isDamaged: report.damage.count > before))
    }

    private mutating func verify(_ group: RowGroup, _ file: SegmentFile) throws(MartletError) {
        report.blocks += 1 + group.fields.count
        report.rows += group.rowCount
        let verifier = RowGroupVerifier(group)
        let table = manifest?.catalog[group.table]
        func check(
            _ block: BlockReference, _ field: FieldBlock?, _ body: () throws(MartletError) -> Void
        ) throws(MartletError) {
            do throws(MartletError) {
                try body()
            } catch {
                guard error.isDamage else { throw error }
                report.damage.append(
                    Damage(
                        namespace: name, path: file.path, offset: block.offset, byteCount: Int64(block.length),
                        table: table?.name, field: field.flatMap { table?.field(id: $0.field)?.name },
                        time: group.time, reason: error.message))
            }
        }
        try check(group.timeBlock, nil) { () throws(MartletError) in try verifier.verifyTimes() }
        for field in group.fields {
            try check(field.block, field) { () throws(MartletError) in try verifier.verify(field) }
        }
    }

    private mutating func inspect(_ entry: Manifest.Sealed) throws(MartletError) {
        let name = SealedSegment.fileName(entry.number)
        report.segments += 1
        guard let file = try open(name) else {
            note(name, offset: 0, byteCount: 0, "the file is missing")
            sealed.append(Sealed(entry: entry, content: nil, isDamaged: true))
            return
        }
        let content = try read(file, entry.number)
        sealed.append(Sealed(entry: entry, content: content, isDamaged: !content.damage.isEmpty))
    }

    private mutating func read(_ file: SegmentFile, _ number: UInt64) throws(MartletError) -> SealedInspection {
        let content = try SealedInspection(file, number: number, namespace: name, catalog: catalog)
        report.bytes += try file.file.size()
        report.blocks += content.blockCount
        report.rows += content.rowCount
        report.damage += content.damage
        return content
    }

    /// A sealed segment that no manifest describes: its footer says what a manifest would.
    private mutating func inspectUnlisted(_ number: UInt64) throws(MartletError) {
        report.segments += 1
        guard let file = try open(SealedSegment.fileName(number)) else { return }
        let content = try read(file, number)
        let footer = content.footer
        let time = footer?.tables.reduce(TimeRange.empty) { $0.union($1.time) } ?? .empty
        let entry = Manifest.Sealed(
            number: number, byteCount: UInt64(try file.file.size()), firstCommit: footer?.firstCommit ?? 0,
            lastCommit: footer?.lastCommit ?? 0, tombstonesAppliedThrough: footer?.tombstonesAppliedThrough ?? 0,
            time: time, rowCount: UInt64(footer?.tables.reduce(0) { $0 + $1.rowCount } ?? 0),
            seriesCount: UInt64(footer?.seriesCount ?? 0), tableCount: UInt32(footer?.tables.count ?? 0))
        sealed.append(Sealed(entry: entry, content: content, isDamaged: !content.damage.isEmpty))
    }

    private mutating func noteStrangers(_ files: [String], _ manifest: Manifest) {
        var known: Set<String> = [Manifest.fileName]
        for entry in manifest.hot { known.insert(HotLog.fileName(entry.number)) }
        for entry in manifest.sealed { known.insert(SealedSegment.fileName(entry.number)) }
        for file in files.sorted() where !known.contains(file) {
            report.notes.append("\(directory)/\(file) belongs to no segment; the next opening for writing removes it")
        }
    }
}
