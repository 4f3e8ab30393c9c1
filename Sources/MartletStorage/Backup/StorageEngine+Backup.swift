import MartletModel

extension StorageEngine {
    /// Backs all namespaces up into `directory`, each as it stands at one moment, while writes go on. Files that an
    /// earlier backup in the directory has are not written again.
    ///
    /// - Parameter links: Whether sealed segments become hard links where the file system allows it. A link costs no
    ///   space and shares the fate of the disk.
    /// - Throws: `.locked` while another backup into the directory runs; what the file system throws. The earlier
    ///   backups of the directory stay as they were.
    package func backup(to directory: String, links: Bool = true) throws(MartletError) -> BackupReport {
        var writer = try BackupWriter(directory, links: links, core.files)
        var sources: [BackupSource] = []
        for name in namespaceNames { sources.append(try backupSource(try namespace(name))) }
        return try writer.write(sources, created: core.clock.now())
    }

    private func backupSource(_ engine: any NamespaceEngine) throws(MartletError) -> BackupSource {
        switch engine {
        case let store as NamespaceStore: return try store.backupSource()
        case let follower as NamespaceFollower: return try follower.backupSource()
        default: throw MartletError(.internal, "a namespace that is neither written nor followed")
        }
    }
}

extension NamespaceStore {
    /// The state at this moment, with everything in it synced.
    func backupSource() throws(MartletError) -> BackupSource {
        let (manifest, state) = try change { (writer) throws(MartletError) in
            try writer.sync()
            return (writer.manifest, writer.state)
        }
        return BackupSource(name: name, manifest: manifest.closed(state), state: state)
    }
}

extension Manifest {
    /// The manifest as it would stand if no log went on: each has the length that counts now.
    func closed(_ state: NamespaceState) -> Manifest {
        var result = self
        for segment in state.hot {
            guard let index = result.hot.firstIndex(where: { $0.number == segment.number }) else { continue }
            result.hot[index].length = UInt64(segment.length)
        }
        return result
    }
}
