import MartletModel
import MartletStorage

/// What `Database.backup(to:linking:)` did.
public struct BackupSummary: Sendable, Hashable {
    /// The file that completes the backup, within its directory.
    public let record: String
    /// Segment files of the backup.
    public let files: Int
    /// The bytes of those files.
    public let bytes: Int64
    /// Files that an earlier backup in the directory had already.
    public let reusedFiles: Int
    /// Bytes that were copied; the rest is reused or hard links.
    public let copiedBytes: Int64
    /// Segments that the database itself has lost, as `NAMESPACE/FILE`.
    public let missing: [String]
}

/// What `Database.restore(from:to:at:namespace:)` did.
public struct RestoreSummary: Sendable, Hashable {
    /// The record that was restored.
    public let record: String
    /// When its backup was made.
    public let created: Timestamp
    /// The namespaces that were restored.
    public let namespaces: [String]
    /// Files that were written.
    public let files: Int
    /// The bytes of those files.
    public let bytes: Int64
}

extension Database {
    /// Backs all namespaces up into a directory, each as it stands at one moment, while writes go on.
    ///
    /// Backups in one directory share their files: only segments that no earlier one has are written. O(new bytes), and
    /// one pass over them for their checksums. Works on a database that was opened for reading beside its writer, too.
    ///
    /// - Parameters:
    ///   - directory: made where it does not exist; never the database itself.
    ///   - linking: whether sealed segments become hard links where the file system allows it. A link takes no space,
    ///     and no protection against the loss of the disk.
    /// - Throws: `.locked` while another backup into the directory runs; `.storageFull`, `.io`. The directory's earlier
    ///   backups stay as they were.
    @discardableResult
    public func backup(to directory: String, linking: Bool = true) throws(MartletError) -> BackupSummary {
        let report = try engine.backup(to: directory, links: linking)
        return BackupSummary(
            record: report.record, files: report.files, bytes: report.bytes, reusedFiles: report.reusedFiles,
            copiedBytes: report.copiedBytes, missing: report.missing)
    }

    /// Makes a database of a backup, or brings one namespace of it into a database that has none of its name.
    ///
    /// Every file is checked against the backup's checksums before anything is in its place; an interrupted restore
    /// leaves nothing that is taken for data. The backup is only read.
    ///
    /// - Parameters:
    ///   - target: a directory that does not exist; with `namespace` also a database that no process has open.
    ///   - time: takes the newest backup that was made at this moment or before; the newest of all without it.
    /// - Throws: `.notFound` for no such backup or namespace, `.alreadyExists` where something is in the way, `.corrupt`
    ///   with the file where the backup is damaged, `.locked`.
    @discardableResult
    public static func restore(
        from backup: String, to target: String, at time: Timestamp? = nil, namespace: String? = nil
    ) throws(MartletError) -> RestoreSummary {
        let report = try BackupRestore.restore(from: backup, to: target, at: time, namespace: namespace)
        return RestoreSummary(
            record: report.record, created: report.created, namespaces: report.namespaces, files: report.files,
            bytes: report.bytes)
    }
}
