import MartletModel

/// Verifies a data directory: every checksum, and that what the bytes say holds together.
package enum StorageCheck {
    /// Reads everything and lists what is damaged. Changes nothing and takes no lock; beside a running writer it may
    /// report files that were being replaced.
    ///
    /// - Parameter progress: is told each namespace before it is read.
    /// - Throws: `.notFound` where there is no database, `.unsupportedVersion` for another version of the directory's
    ///   layout, and what the file system throws. Damage is reported, not thrown.
    package static func check(
        at path: String, fileSystem: any FileSystem = POSIXFileSystem(), memoryLimit: Int = 256 << 20,
        progress: (String) -> Void = { _ in }
    ) throws(MartletError) -> CheckReport {
        var report = CheckReport()
        for inspection in try inspect(at: path, core(fileSystem, memoryLimit), progress, &report) {
            report.add(inspection.report)
        }
        return report
    }

    static func core(_ files: any FileSystem, _ memoryLimit: Int) -> StorageCore {
        var options = StorageOptions()
        options.memoryLimit = memoryLimit
        options.readOnly = true
        return StorageCore(options: options, files: files, clock: SystemClock())
    }

    /// Inspects the namespaces one by one; damage of the directory itself goes to `report`.
    static func inspect(
        at path: String, _ core: StorageCore, _ progress: (String) -> Void, _ report: inout CheckReport
    ) throws(MartletError) -> [NamespaceInspection] {
        let folder = path + "/" + DirectoryLayout.namespaceFolder
        do throws(MartletError) {
            try DirectoryLayout(path: path, files: core.files).checkFormat()
        } catch {
            let isMissing = error.code == .notFound && core.files.exists(folder)
            guard error.code == .corrupt || isMissing else { throw error }
            report.damage.append(
                Damage(
                    namespace: nil, path: path + "/" + DirectoryLayout.formatFile, offset: 0, byteCount: 0,
                    reason: error.message))
        }
        var inspections: [NamespaceInspection] = []
        for name in try core.files.list(folder).sorted() {
            progress(name)
            inspections.append(try NamespaceInspection(name, at: folder + "/" + name, core: core))
        }
        return inspections
    }
}

extension CheckReport {
    mutating func add(_ other: CheckReport) {
        damage += other.damage
        notes += other.notes
        namespaces += other.namespaces
        segments += other.segments
        layers += other.layers
        blocks += other.blocks
        rows += other.rows
        bytes += other.bytes
    }
}
