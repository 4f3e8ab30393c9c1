import MartletCodec
import MartletModel

/// What a restore did.
package struct RestoreReport: Sendable, Hashable {
    /// The record that was restored, and when its backup was made.
    package var record = ""
    package var created = Timestamp(nanoseconds: 0)
    package var namespaces: [String] = []
    package var files = 0
    package var bytes: Int64 = 0
}

/// Brings a backup back as a database, or one of its namespaces into one.
///
/// Everything is copied beside its place, checked against the backup's checksums, and then renamed into it in one step: an
/// interrupted restore leaves nothing that is taken for a database, and the next one begins anew. The backup is only read.
package enum BackupRestore {
    /// What a database or namespace is called while it is being restored.
    private static let ending = ".restoring"

    /// Restores the newest backup, or the newest that was made at `time` or before.
    ///
    /// - Parameters:
    ///   - target: A directory that does not exist. With `namespace` it may also be a database without one of that
    ///     name; no process may have it open.
    ///   - namespace: The only namespace to restore.
    /// - Throws: `.notFound` where there is no such backup or namespace; `.alreadyExists` where something is in the way;
    ///   `.corrupt`, naming the file, where the backup is damaged; `.locked`; what the file system throws.
    package static func restore(
        from backup: String, to target: String, at time: Timestamp? = nil, namespace: String? = nil,
        fileSystem files: any FileSystem = POSIXFileSystem()
    ) throws(MartletError) -> RestoreReport {
        let (name, record) = try find(backup, time, files)
        var report = RestoreReport()
        report.record = name
        report.created = record.created
        var chosen = record.namespaces
        if let namespace {
            chosen = chosen.filter { $0.name == namespace }
            guard !chosen.isEmpty else {
                throw MartletError(
                    .notFound, "the backup has no namespace '\(namespace)'",
                    hint: "it has " + record.namespaces.map(\.name).joined(separator: ", "))
            }
        }
        report.namespaces = chosen.map(\.name)
        var target = target
        while target.utf8.count > 1 && target.hasSuffix("/") { target.removeLast() }
        if files.exists(target) {
            guard let only = chosen.first, namespace != nil,
                files.exists(target + "/" + DirectoryLayout.formatFile)
            else {
                throw MartletError(
                    .alreadyExists, "a restore makes its directory anew, and this one is there",
                    at: .file(path: target, offset: nil),
                    hint: "name another one, or restore one namespace into this database")
            }
            try restore(only, into: target, from: backup, files, &report)
            return report
        }
        let temporary = target + ending
        if files.exists(temporary) { try clear(temporary, files) }
        try files.createDirectory(temporary)
        let layout = DirectoryLayout(path: temporary, files: files)
        let folder = temporary + "/" + DirectoryLayout.namespaceFolder
        try files.createDirectory(folder)
        for namespace in chosen {
            try copy(namespace, to: folder + "/" + namespace.name, from: backup, files, &report)
        }
        try files.syncDirectory(folder)
        try layout.writeFormat()
        try files.rename(temporary, to: target)
        try files.syncDirectory(DirectoryLayout.parent(of: target))
        return report
    }

    /// The backups of a directory, oldest first.
    package static func list(
        _ backup: String, fileSystem files: any FileSystem = POSIXFileSystem()
    ) throws(MartletError) -> [(record: String, created: Timestamp)] {
        guard files.exists(backup) else {
            throw MartletError(.notFound, "there is no such directory", at: .file(path: backup, offset: nil))
        }
        var found: [(record: String, created: Timestamp)] = []
        for name in try files.list(backup).filter({ BackupRecord.number($0) != nil }).sorted() {
            found.append((name, try BackupRecord.read(backup + "/" + name, files).created))
        }
        return found
    }

    private static func find(
        _ backup: String, _ time: Timestamp?, _ files: any FileSystem
    ) throws(MartletError) -> (String, BackupRecord) {
        let all = try list(backup, fileSystem: files)
        // Of two of the same moment the later one.
        let limit = time ?? .max
        let fitting = all.filter { $0.created <= limit }
        guard let chosen = fitting.last else {
            throw MartletError(
                .notFound, all.isEmpty ? "there is no complete backup here" : "every backup here is newer than that",
                at: .file(path: backup, offset: nil))
        }
        return (chosen.record, try BackupRecord.read(backup + "/" + chosen.record, files))
    }

    /// Restores a namespace into a database that has none of its name.
    private static func restore(
        _ namespace: BackupRecord.Namespace, into target: String, from backup: String, _ files: any FileSystem,
        _ report: inout RestoreReport
    ) throws(MartletError) {
        let layout = DirectoryLayout(path: target, files: files)
        try layout.checkFormat()
        let lock = try files.lock(target + "/" + DirectoryLayout.lockFile)
        defer { lock.unlock() }
        let folder = target + "/" + DirectoryLayout.namespaceFolder
        let place = folder + "/" + namespace.name
        guard !files.exists(place) else {
            throw MartletError(
                .alreadyExists, "the database has a namespace '\(namespace.name)'",
                at: .file(path: place, offset: nil), hint: "DROP NAMESPACE it first, or restore into another directory")
        }
        // Beside `namespaces/`, so that nothing in there is ever half a namespace.
        let temporary = target + "/" + namespace.name + ending
        if files.exists(temporary) { try clear(temporary, files) }
        try copy(namespace, to: temporary, from: backup, files, &report)
        try files.rename(temporary, to: place)
        try files.syncDirectory(folder)
        try files.syncDirectory(target)
    }

    private static func copy(
        _ namespace: BackupRecord.Namespace, to directory: String, from backup: String, _ files: any FileSystem,
        _ report: inout RestoreReport
    ) throws(MartletError) {
        try files.createDirectory(directory)
        for entry in namespace.files {
            let path = backup + "/" + entry.stored
            let source = try files.open(path, .read)
            guard try source.size() == Int64(clamping: entry.byteCount) else {
                throw damaged(path, "the file is not of the length that the record gives")
            }
            let sum = try FileCopy.copy(
                source, byteCount: Int64(clamping: entry.byteCount), path: path, to: directory + "/" + entry.name, files
            )
            guard sum == entry.crc32c else { throw damaged(path, "the file fails its checksum") }
            report.files += 1
            report.bytes += Int64(clamping: entry.byteCount)
        }
        try files.syncDirectory(directory)
        _ = try namespace.manifest.write(directory, files)
    }

    private static func damaged(_ path: String, _ reason: String) -> MartletError {
        MartletError(
            .corrupt, reason, at: .file(path: path, offset: nil),
            hint: "an older backup, by its time, may not need the file")
    }

    /// Removes a directory of an interrupted restore.
    private static func clear(_ path: String, _ files: any FileSystem) throws(MartletError) {
        let namespaces = path + "/" + DirectoryLayout.namespaceFolder
        if files.exists(namespaces) {
            for name in try files.list(namespaces) { try clear(namespaces + "/" + name, files) }
            try files.removeDirectory(namespaces)
        }
        for name in try files.list(path) { try files.remove(path + "/" + name) }
        try files.removeDirectory(path)
    }
}
