import MartletModel

/// A database directory: one directory per namespace, a file that names the format, and a lock for the one writer.
package final class StorageEngine: Sendable {
    /// The namespace that every database has.
    package static let defaultNamespace = "default"

    private struct State {
        var open: [String: NamespaceStore] = [:]
        var followed: [String: NamespaceFollower] = [:]
        var names: Set<String> = []
        var isClosed = false
        var lock: (any FileLock)?
    }

    let core: StorageCore
    private let path: String
    private let state: Guarded<State>

    private init(core: StorageCore, path: String, names: Set<String>, lock: (any FileLock)?) {
        self.core = core
        self.path = path
        state = Guarded(State(names: names, lock: lock))
    }

    /// Opens a database directory, making it if it does not exist. O(number of namespaces); a namespace's manifest and
    /// unsealed tail are read when it is first used.
    ///
    /// - Throws: `.locked` when another process writes to it, `.unsupportedVersion` for a newer format, `.notFound`
    ///   for a read-only opening of nothing, `.readOnly` where the file system refuses to write.
    package static func open(
        at path: String, options: StorageOptions, fileSystem: any FileSystem = POSIXFileSystem(),
        clock: any Clock = SystemClock()
    ) throws(MartletError) -> StorageEngine {
        let core = StorageCore(options: options, files: fileSystem, clock: clock)
        let layout = DirectoryLayout(path: path, files: fileSystem)
        var lock: (any FileLock)?
        if options.readOnly {
            try layout.checkFormat()
        } else {
            lock = try layout.prepareForWriting()
        }
        let engine = StorageEngine(core: core, path: path, names: try layout.namespaces(), lock: lock)
        if !options.readOnly && !engine.namespaceNames.contains(defaultNamespace) {
            try engine.createNamespace(defaultNamespace)
        }
        return engine
    }

    /// The namespaces that are open now.
    var openStores: [NamespaceStore] { state.withLock { Array($0.open.values) } }

    /// The namespaces, sorted. Of a database that another process writes: as of its opening, and those that were asked
    /// for since.
    package var namespaceNames: [String] { state.withLock { $0.names.sorted() } }

    /// The memory that this engine's parts and its queries share.
    package var memory: MemoryBudget { core.budget }

    /// A namespace, which is opened if it is not yet.
    package func namespace(_ name: String) throws(MartletError) -> any NamespaceEngine {
        try state.withLock { (state) throws(MartletError) in
            if state.isClosed { throw MartletError(.closed, "the database is closed") }
            if let store = state.open[name] { return store }
            if core.options.readOnly { return try follow(name, &state) }
            guard state.names.contains(name) else {
                throw MartletError(.notFound, "there is no namespace '\(name)'", hint: "CREATE NAMESPACE makes one")
            }
            let store = try NamespaceStore.open(name, at: directory(name), core: core)
            state.open[name] = store
            return store
        }
    }

    /// A namespace that another process writes, which may have been made after this engine was opened.
    private func follow(_ name: String, _ state: inout State) throws(MartletError) -> NamespaceFollower {
        if let follower = state.followed[name] { return follower }
        try DirectoryLayout.check(name)
        guard core.files.exists(directory(name) + "/" + Manifest.fileName) else {
            throw MartletError(.notFound, "there is no namespace '\(name)'")
        }
        let follower = try NamespaceFollower(name, at: directory(name), core: core)
        state.followed[name] = follower
        state.names.insert(name)
        return follower
    }

    /// Seals and merges what is due in a namespace now, on the calling thread. The background does so by itself unless
    /// `StorageOptions.mergesInBackground` is off.
    ///
    /// - Throws: as `namespace(_:)`; a failure of the work itself counts in the statistics, and is tried again.
    package func maintain(_ name: String) throws(MartletError) {
        _ = try namespace(name)
        let store = state.withLock { $0.open[name] }
        store?.maintain()
    }

    /// Makes an empty namespace.
    ///
    /// - Throws: `.invalidArgument` for a name that can't be a directory's, `.alreadyExists`, `.readOnly`.
    package func createNamespace(_ name: String) throws(MartletError) {
        try DirectoryLayout.check(name)
        try state.withLock { (state) throws(MartletError) in
            if state.isClosed { throw MartletError(.closed, "the database is closed") }
            if core.options.readOnly { throw MartletError(.readOnly, "the database was opened for reading only") }
            if state.names.contains(name) {
                throw MartletError(.alreadyExists, "the namespace '\(name)' exists already")
            }
            state.open[name] = try NamespaceStore.open(name, at: directory(name), core: core)
            try core.files.syncDirectory(path + "/" + DirectoryLayout.namespaceFolder)
            state.names.insert(name)
        }
    }

    /// Removes a namespace with all of its data.
    ///
    /// - Throws: `.notFound`, `.readOnly`, `.invalidArgument` for the default namespace.
    package func dropNamespace(_ name: String) throws(MartletError) {
        if name == Self.defaultNamespace {
            throw MartletError(.invalidArgument, "the namespace '\(name)' can't be dropped")
        }
        try state.withLock { (state) throws(MartletError) in
            if state.isClosed { throw MartletError(.closed, "the database is closed") }
            if core.options.readOnly { throw MartletError(.readOnly, "the database was opened for reading only") }
            guard state.names.contains(name) else { throw MartletError(.notFound, "there is no namespace '\(name)'") }
            if let store = state.open.removeValue(forKey: name) { try store.close() }
            state.names.remove(name)
            try DirectoryLayout(path: path, files: core.files).removeNamespace(name)
        }
    }

    /// Syncs what is not durable yet and gives up the lock. Further calls throw `.closed`.
    package func close() throws(MartletError) {
        try state.withLock { (state) throws(MartletError) in
            if state.isClosed { return }
            // The directory is given up whatever fails: what a failed sync lost no second one brings back.
            var failure: MartletError?
            for store in state.open.values {
                do throws(MartletError) { try store.close() } catch { failure = failure ?? error }
            }
            state.open = [:]
            state.followed = [:]
            state.isClosed = true
            state.lock?.unlock()
            state.lock = nil
            if let failure { throw failure }
        }
    }

    private func directory(_ name: String) -> String { path + "/" + DirectoryLayout.namespaceFolder + "/" + name }
}
