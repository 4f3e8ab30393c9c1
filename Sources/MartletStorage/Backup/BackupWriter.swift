import MartletCodec
import MartletModel

/// What a backup did.
package struct BackupReport: Sendable, Hashable {
    /// The record that completes it.
    package var record = ""
    package var namespaces = 0
    package var files = 0
    package var bytes: Int64 = 0
    /// Files that an earlier backup had already.
    package var reusedFiles = 0
    /// New files that share their bytes with the database.
    package var linkedFiles = 0
    package var copiedFiles = 0
    package var copiedBytes: Int64 = 0
    /// Segments that the database has lost and no backup can hold.
    package var missing: [String] = []
}

/// A namespace at one moment: what its manifest would say if it were closed, and its open files.
struct BackupSource {
    var name: String
    var manifest: Manifest
    var state: NamespaceState
}

/// Writes backups into a directory: a pool of segment files, which several backups share, and a record a backup.
///
/// A file enters the pool whole and durable, or not at all; the record comes last. So an interrupted backup leaves the
/// earlier ones as they were, and the next one finds the files that it got to.
struct BackupWriter {
    static let pool = "files"
    static let lockFile = "LOCK"
    private let directory: String
    private let files: any FileSystem
    private let links: Bool
    /// Checksums of the files that earlier backups list.
    private var known: [String: BackupRecord.File] = [:]
    private var next: UInt64 = 1
    private let lock: any FileLock

    /// - Parameter links: whether sealed segments may be hard links.
    /// - Throws: `.locked` when another backup into the directory is running; `.corrupt` for a damaged record in it.
    init(_ directory: String, links: Bool, _ files: any FileSystem) throws(MartletError) {
        self.directory = directory
        self.files = files
        self.links = links
        for path in [directory, directory + "/" + Self.pool] where !files.exists(path) {
            try files.createDirectory(path)
            try files.syncDirectory(DirectoryLayout.parent(of: path))
        }
        if files.exists(directory + "/" + DirectoryLayout.formatFile) {
            throw MartletError(
                .invalidArgument, "this is a database, not a place for its backups",
                at: .file(path: directory, offset: nil))
        }
        lock = try files.lock(directory + "/" + Self.lockFile)
        for name in try files.list(directory) {
            guard let number = BackupRecord.number(name) else { continue }
            next = max(next, number + 1)
            let record = try BackupRecord.read(directory + "/" + name, files)
            for file in record.namespaces.flatMap(\.files) { known[file.stored] = file }
        }
    }

    /// Backs the namespaces up as they stand.
    mutating func write(_ sources: [BackupSource], created: Timestamp) throws(MartletError) -> BackupReport {
        defer { lock.unlock() }
        var report = BackupReport()
        var record = BackupRecord(created: created)
        for source in sources {
            record.namespaces.append(try add(source, &report))
            report.namespaces += 1
        }
        let name = BackupRecord.fileName(next)
        let partial = directory + "/." + name + ".partial"
        if files.exists(partial) { try files.remove(partial) }
        let bytes = record.encode()
        let file = try files.open(partial, .create)
        try file.write(bytes.bytes, at: 0)
        withExtendedLifetime(bytes) {}
        try file.sync()
        try file.close()
        try files.rename(partial, to: directory + "/" + name)
        try files.syncDirectory(directory)
        report.record = name
        return report
    }

    private mutating func add(
        _ source: BackupSource, _ report: inout BackupReport
    ) throws(MartletError) -> BackupRecord.Namespace {
        let folder = Self.pool + "/" + source.name
        if !files.exists(directory + "/" + folder) {
            try files.createDirectory(directory + "/" + folder)
            try files.syncDirectory(directory + "/" + Self.pool)
        }
        var result = BackupRecord.Namespace(name: source.name, manifest: source.manifest, files: [])
        var present: Set<String> = []
        var isFolderChanged = false
        for segment in source.state.sealed {
            let name = SealedSegment.fileName(segment.info.number)
            present.insert(name)
            let size = Int64(clamping: segment.info.byteCount)
            let identity = try Self.identity(segment.file, size: size)
            result.files.append(
                try store(
                    name, segment.file, size: size, at: "\(folder)/\(segment.info.number)-\(identity).sealed",
                    mayLink: links, &isFolderChanged, &report))
        }
        for segment in source.state.hot {
            let name = HotLog.fileName(segment.number)
            present.insert(name)
            let head = try Self.hex(segment.file.file, 0, FileHeader.byteCount, segment.file.path)
            // A log goes on growing after it was copied; its length is part of its name, and it is never a link.
            result.files.append(
                try store(
                    name, segment.file, size: segment.length,
                    at: "\(folder)/\(segment.number)-\(head)-\(segment.length).hot",
                    mayLink: false, &isFolderChanged, &report))
        }
        if isFolderChanged { try files.syncDirectory(directory + "/" + folder) }
        let named =
            source.manifest.hot.map { HotLog.fileName($0.number) }
            + source.manifest.sealed.map { SealedSegment.fileName($0.number) }
        report.missing += named.filter { !present.contains($0) }.map { source.name + "/" + $0 }
        return result
    }

    /// Puts a file into the pool unless it is there.
    private mutating func store(
        _ name: String, _ source: SegmentFile, size: Int64, at stored: String, mayLink: Bool,
        _ isFolderChanged: inout Bool, _ report: inout BackupReport
    ) throws(MartletError) -> BackupRecord.File {
        let target = directory + "/" + stored
        report.files += 1
        report.bytes += size
        if files.exists(target) {
            let there = try files.open(target, .read)
            if try there.size() == size {
                report.reusedFiles += 1
                if let file = known[stored] {
                    return BackupRecord.File(
                        name: name, stored: stored, byteCount: file.byteCount, crc32c: file.crc32c)
                }
                // It is of a backup that did not end: its name says what it is, and its bytes are read once.
                let sum = try FileCopy.checksum(there, byteCount: size, path: target)
                return BackupRecord.File(name: name, stored: stored, byteCount: UInt64(size), crc32c: sum)
            }
            try files.remove(target)
        }
        isFolderChanged = true
        let sum: UInt32
        if mayLink, try source.file.size() == size, link(source.path, target) {
            sum = try FileCopy.checksum(try files.open(target, .read), byteCount: size, path: target)
            report.linkedFiles += 1
        } else {
            let partial = target + ".partial"
            sum = try FileCopy.copy(source.file, byteCount: size, path: source.path, to: partial, files)
            try files.rename(partial, to: target)
            report.copiedFiles += 1
            report.copiedBytes += size
        }
        return BackupRecord.File(name: name, stored: stored, byteCount: UInt64(size), crc32c: sum)
    }

    /// Links a file, where the two directories are on one device that has links and the file is still there; a file
    /// that a merge has removed meanwhile is copied from its open handle.
    private func link(_ source: String, _ target: String) -> Bool {
        if case .success = Result(catching: { () throws(MartletError) in try files.link(source, to: target) }) {
            return true
        }
        return false
    }

    /// What tells a sealed segment from any other of its number: header and trailer, which holds the checksum of the
    /// checksums of everything else.
    private static func identity(_ file: SegmentFile, size: Int64) throws(MartletError) -> String {
        let trailer = SegmentFooter.trailerLength
        guard size >= Int64(FileHeader.byteCount + trailer) else {
            throw MartletError(
                .corrupt, "a sealed segment of \(size) bytes", at: .file(path: file.path, offset: nil))
        }
        return try hex(file.file, 0, FileHeader.byteCount, file.path)
            + hex(file.file, size - Int64(trailer), trailer, file.path)
    }

    private static func hex(
        _ file: any File, _ offset: Int64, _ count: Int, _ path: String
    ) throws(MartletError) -> String {
        let bytes = try file.readExactly(count, at: offset)
        let digits = String(CRC32C.checksum(bytes.bytes), radix: 16)
        withExtendedLifetime(bytes) {}
        return String(repeating: "0", count: 8 - digits.count) + digits
    }
}
