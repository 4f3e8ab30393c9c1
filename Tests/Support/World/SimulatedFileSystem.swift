import MartletModel

/// A file system in memory that behaves as badly as a real one is allowed to, and the same way for the same seed.
///
/// What a program writes is readable at once, but survives `crash()` for certain only after `File.sync` (bytes and
/// length) and `syncDirectory` (names). `SimulatedCrash` says what may become of the rest. Faults can be injected at
/// any operation, and since operations are counted, a test can crash a program at every single one of them:
///
/// ```swift
/// let rehearsal = SimulatedFileSystem(seed: 1)
/// try run(rehearsal)
/// for number in 0..<rehearsal.operationCount {
///     let disk = SimulatedFileSystem(seed: 1)
///     disk.inject(.powerLoss, atOperation: number)
///     try? run(disk)
///     try verify(disk.crash())
/// }
/// ```
///
/// Thread-safe; runs are repeatable as long as the program's operations come in the same order. Paths are kept apart
/// by `/`; the root directory exists from the start, and relative paths start there.
public final class SimulatedFileSystem: FileSystem, @unchecked Sendable {
    // Everything below is read and written with `mutex` held.
    private let mutex = Guarded(())
    private var root: SimulatedDirectory
    private var pendingNames: [SimulatedNameChange] = []
    private var nameChanges = 0
    private var generator: SeededGenerator
    private var faults: [Int: SimulatedFault] = [:]
    private var readFaults: Set<Int> = []
    private var log: [SimulatedOperation] = []
    private var operations = 0
    private var readings = 0
    private var powerIsOff = false
    private var capacityLimit: Int64?
    private var refusesChanges = false
    private var locks: Set<String> = []

    /// An empty file system. The seed decides what crashes leave over.
    public convenience init(seed: UInt64) { self.init(root: SimulatedDirectory(), seed: seed) }

    private init(root: SimulatedDirectory, seed: UInt64) {
        self.root = root
        generator = SeededGenerator(seed: seed)
    }

    // MARK: Faults, crashes and what happened

    /// The number of operations so far that change anything, failed ones included. Reads and look-ups don't count.
    public var operationCount: Int { mutex.withLock { _ in operations } }

    /// The number of reads so far.
    public var readCount: Int { mutex.withLock { _ in readings } }

    /// All operations so far that change anything, in order.
    public var operationLog: [SimulatedOperation] { mutex.withLock { _ in log } }

    /// Makes operation `number` (see `operationCount`) go wrong.
    public func inject(_ fault: SimulatedFault, atOperation number: Int) {
        mutex.withLock { _ in faults[number] = fault }
    }

    /// Makes read `number` (see `readCount`) fail with EIO.
    public func injectReadError(atRead number: Int) { mutex.withLock { _ in _ = readFaults.insert(number) } }

    /// Forgets faults that have not happened yet.
    public func clearFaults() {
        mutex.withLock { _ in
            faults = [:]
            readFaults = []
        }
    }

    /// Bytes that all files together may hold; `nil` for no limit. Writes beyond it fail with `.storageFull` after
    /// writing what fits.
    public var capacity: Int64? {
        get { mutex.withLock { _ in capacityLimit } }
        set { mutex.withLock { _ in capacityLimit = newValue } }
    }

    /// Whether every change fails with `.readOnly`, as on a file system that is mounted so.
    public var isReadOnly: Bool {
        get { mutex.withLock { _ in refusesChanges } }
        set { mutex.withLock { _ in refusesChanges = newValue } }
    }

    /// Whether the power failed or the process was ended; every call fails then.
    public var isOff: Bool { mutex.withLock { _ in powerIsOff } }

    /// Cuts the power and returns the disk as the next start finds it. This object fails every call from now on, so
    /// threads that still hold it can change nothing.
    public func crash() -> SimulatedFileSystem {
        mutex.withLock { _ in
            powerIsOff = true
            var crash = SimulatedCrash(generator: generator)
            let survivors = crash.survivors(of: root, pending: pendingNames)
            let next = SimulatedFileSystem(root: survivors, seed: generator.next())
            next.capacityLimit = capacityLimit
            return next
        }
    }

    /// Ends the process (`kill -9`) but not the machine: what was written stays readable, what was not synced stays
    /// unsynced, locks are given up. This object fails every call from now on.
    public func killProcess() -> SimulatedFileSystem {
        mutex.withLock { _ in
            powerIsOff = true
            let next = SimulatedFileSystem(root: root, seed: generator.next())
            next.pendingNames = pendingNames
            next.nameChanges = nameChanges
            next.capacityLimit = capacityLimit
            root = SimulatedDirectory()
            return next
        }
    }

    /// The bytes of a file as reads see them, or `nil` when there is none.
    public func contents(of path: String) -> [UInt8]? {
        mutex.withLock { _ in
            guard case .file(let inode)? = root.node(at: path) else { return nil }
            return inode.contents
        }
    }

    /// Replaces a file's bytes behind the program's back, durably; makes the file when there is none and its directory
    /// exists. Says whether it could.
    @discardableResult public func setContents(of path: String, to bytes: [UInt8]) -> Bool {
        mutex.withLock { _ in
            let inode: SimulatedInode
            if case .file(let existing)? = root.node(at: path) {
                inode = existing
            } else {
                guard let (parent, name) = root.place(of: path), parent.entries[name] == nil else { return false }
                inode = SimulatedInode()
                parent.entries[name] = .file(inode)
                nameChanges += 1
                parent.durable[name] = (.file(inode), nameChanges)
            }
            inode.contents = bytes
            inode.durable = bytes
            inode.pending = []
            return true
        }
    }

    /// The paths of all files, sorted.
    public var filePaths: [String] {
        mutex.withLock { _ in
            root.filePaths
        }
    }

    // MARK: FileSystem

    public func open(_ path: String, _ mode: FileMode) throws(MartletError) -> any File {
        try locked { () throws(MartletError) in
            try checkPower(path)
            switch (root.node(at: path), mode) {
            case (.file(let inode), .read), (.file(let inode), .readWrite):
                if mode == .readWrite && refusesChanges { throw failure(.readOnly, "Read-only file system", path) }
                return SimulatedFile(self, inode, path, isWritable: mode == .readWrite)
            case (.directory, .read), (.directory, .readWrite): throw failure(.io, "Is a directory", path)
            case (nil, .read), (nil, .readWrite): throw failure(.notFound, "No such file or directory", path)
            case (.some, .create): throw failure(.alreadyExists, "File exists", path)
            case (nil, .create):
                let (parent, name) = try parent(of: path)
                try count(.create, path)
                let inode = SimulatedInode()
                change([.init(directory: parent, name: name, node: .file(inode))])
                try failIfPowerIsOff(path)
                return SimulatedFile(self, inode, path, isWritable: true)
            }
        }
    }

    public func createDirectory(_ path: String) throws(MartletError) {
        try locked { () throws(MartletError) in
            try checkPower(path)
            switch root.node(at: path) {
            case .directory: return
            case .file: throw failure(.alreadyExists, "File exists", path)
            case nil: break
            }
            let (parent, name) = try parent(of: path)
            try count(.createDirectory, path)
            change([.init(directory: parent, name: name, node: .directory(SimulatedDirectory()))])
            try failIfPowerIsOff(path)
        }
    }

    public func list(_ path: String) throws(MartletError) -> [String] {
        try locked { () throws(MartletError) in
            try checkPower(path)
            return try directory(at: path).entries.keys.sorted()
        }
    }

    public func exists(_ path: String) -> Bool { mutex.withLock { _ in !powerIsOff && root.node(at: path) != nil } }

    public func rename(_ source: String, to target: String) throws(MartletError) {
        try locked { () throws(MartletError) in
            try checkPower(source)
            let (oldParent, oldName) = try parent(of: source)
            let (newParent, newName) = try parent(of: target)
            guard let moved = oldParent.entries[oldName] else {
                throw failure(.notFound, "No such file or directory", source)
            }
            if case .directory(let replaced)? = newParent.entries[newName], !replaced.entries.isEmpty {
                throw failure(.io, "Directory not empty", target)
            }
            try count(.rename, source, "to \(target)")
            if oldParent !== newParent || oldName != newName {
                change([
                    .init(directory: oldParent, name: oldName, node: nil),
                    .init(directory: newParent, name: newName, node: moved),
                ])
            }
            try failIfPowerIsOff(source)
        }
    }

    public func remove(_ path: String) throws(MartletError) {
        try locked { () throws(MartletError) in
            try checkPower(path)
            let (parent, name) = try parent(of: path)
            switch parent.entries[name] {
            case nil: throw failure(.notFound, "No such file or directory", path)
            case .directory: throw failure(.io, "Is a directory", path)
            case .file: break
            }
            try count(.remove, path)
            change([.init(directory: parent, name: name, node: nil)])
            try failIfPowerIsOff(path)
        }
    }

    public func removeDirectory(_ path: String) throws(MartletError) {
        try locked { () throws(MartletError) in
            try checkPower(path)
            let (parent, name) = try parent(of: path)
            guard try directory(at: path).entries.isEmpty else { throw failure(.io, "Directory not empty", path) }
            try count(.removeDirectory, path)
            change([.init(directory: parent, name: name, node: nil)])
            try failIfPowerIsOff(path)
        }
    }

    public func link(_ source: String, to target: String) throws(MartletError) {
        try locked { () throws(MartletError) in
            try checkPower(source)
            guard case .file(let inode)? = root.node(at: source) else {
                throw failure(.notFound, "No such file or directory", source)
            }
            let (parent, name) = try parent(of: target)
            guard parent.entries[name] == nil else { throw failure(.alreadyExists, "File exists", target) }
            try count(.link, source, "as \(target)")
            change([.init(directory: parent, name: name, node: .file(inode))])
            try failIfPowerIsOff(source)
        }
    }

    public func syncDirectory(_ path: String) throws(MartletError) {
        try locked { () throws(MartletError) in
            try checkPower(path)
            let directory = try directory(at: path)
            try count(.syncDirectory, path)
            try failIfPowerIsOff(path)
            pendingNames.removeAll { change in
                guard change.edits.contains(where: { $0.directory === directory }) else { return false }
                change.persist()
                return true
            }
        }
    }

    public func lock(_ path: String) throws(MartletError) -> any FileLock {
        let name = SimulatedDirectory.parts(of: path).joined(separator: "/")
        if !exists(path) { _ = try open(path, .create) }
        return try locked { () throws(MartletError) in
            try checkPower(path)
            guard locks.insert(name).inserted else {
                throw MartletError(
                    .locked, "another process has it open for writing", at: .file(path: path, offset: nil),
                    hint: "close that process, or open the directory read-only")
            }
            return SimulatedLock { [weak self] in
                guard let self else { return }
                mutex.withLock { _ in _ = self.locks.remove(name) }
            }
        }
    }

    public func freeBytes(at path: String) throws(MartletError) -> Int64 {
        try locked { () throws(MartletError) in
            try checkPower(path)
            return max(0, (capacityLimit ?? 1 << 40) - root.usedBytes)
        }
    }

    // MARK: For files

    func size(of inode: SimulatedInode, _ path: String) throws(MartletError) -> Int64 {
        try locked { () throws(MartletError) in
            try checkPower(path)
            return Int64(inode.contents.count)
        }
    }

    func read(
        _ inode: SimulatedInode, _ path: String, into buffer: UnsafeMutableRawBufferPointer, at offset: Int64
    ) throws(MartletError) -> Int {
        try locked { () throws(MartletError) in
            try checkPower(path)
            defer { readings += 1 }
            if readFaults.contains(readings) { throw failure(.io, "Input/output error", path) }
            if offset < 0 { throw failure(.io, "Invalid argument", path) }
            let start = min(Int(offset), inode.contents.count)
            let count = min(buffer.count, inode.contents.count - start)
            buffer.copyBytes(from: inode.contents[start..<start + count])
            return count
        }
    }

    func write(
        _ inode: SimulatedInode, _ path: String, _ bytes: UnsafeRawBufferPointer, at offset: Int64
    ) throws(MartletError) {
        try locked { () throws(MartletError) in
            try checkPower(path)
            if offset < 0 { throw failure(.io, "Invalid argument", path) }
            let start = Int(offset)
            do throws(MartletError) {
                try count(.write, path, "\(bytes.count) bytes at \(offset)")
            } catch {
                if !refusesChanges && !bytes.isEmpty {
                    let written = Int.random(in: 0...bytes.count, using: &generator)
                    inode.apply(.write(offset: start, bytes: Array(bytes[..<written])))
                }
                throw error
            }
            var fitting = bytes.count
            if let capacityLimit {
                let growth = max(0, start + bytes.count - inode.contents.count)
                fitting -= max(0, min(bytes.count, growth - Int(max(0, capacityLimit - root.usedBytes))))
            }
            if fitting > 0 { inode.apply(.write(offset: start, bytes: Array(bytes[..<fitting]))) }
            if fitting < bytes.count { throw failure(.storageFull, "No space left on device", path) }
            try failIfPowerIsOff(path)
        }
    }

    func sync(_ inode: SimulatedInode, _ path: String) throws(MartletError) {
        try locked { () throws(MartletError) in
            try checkPower(path)
            if faults[operations] == .syncLoss { inode.pending = [] }
            try count(.sync, path)
            try failIfPowerIsOff(path)
            inode.sync()
        }
    }

    func truncate(_ inode: SimulatedInode, _ path: String, to size: Int64) throws(MartletError) {
        try locked { () throws(MartletError) in
            try checkPower(path)
            if size < 0 { throw failure(.io, "Invalid argument", path) }
            try count(.truncate, path, "to \(size)")
            inode.apply(.truncate(size: Int(size)))
            try failIfPowerIsOff(path)
        }
    }

    // MARK: Inside

    private func locked<Result: Sendable>(
        _ body: () throws(MartletError) -> Result
    ) throws(MartletError) -> Result {
        try mutex.withLock { (_) throws(MartletError) in try body() }
    }

    private func checkPower(_ path: String) throws(MartletError) {
        if powerIsOff { throw failure(.io, "the simulated machine is off", path) }
    }

    /// After an operation took effect: fails it if the power went during it.
    private func failIfPowerIsOff(_ path: String) throws(MartletError) { try checkPower(path) }

    private func failure(_ code: MartletError.Code, _ what: String, _ path: String) -> MartletError {
        MartletError(code, "simulated: \(what)", at: .file(path: path, offset: nil))
    }

    /// Counts and logs an operation and lets its fault happen.
    private func count(_ kind: SimulatedOperation.Kind, _ path: String, _ detail: String = "") throws(MartletError) {
        if refusesChanges { throw failure(.readOnly, "Read-only file system", path) }
        let number = operations
        operations += 1
        log.append(SimulatedOperation(number: number, kind: kind, path: path, detail: detail))
        switch faults[number] {
        case nil: break
        case .inputOutputError, .syncLoss: throw failure(.io, "Input/output error", path)
        case .storageFull: throw failure(.storageFull, "No space left on device", path)
        case .powerLoss: powerIsOff = true
        }
    }

    private func change(_ edits: [SimulatedNameChange.Edit]) {
        for edit in edits { edit.directory.entries[edit.name] = edit.node }
        nameChanges += 1
        pendingNames.append(SimulatedNameChange(number: nameChanges, edits: edits))
    }

    private func directory(at path: String) throws(MartletError) -> SimulatedDirectory {
        switch root.node(at: path) {
        case .directory(let directory): return directory
        case .file: throw failure(.io, "Not a directory", path)
        case nil: throw failure(.notFound, "No such file or directory", path)
        }
    }

    private func parent(of path: String) throws(MartletError) -> (SimulatedDirectory, String) {
        guard let place = root.place(of: path) else { throw failure(.notFound, "No such file or directory", path) }
        return place
    }
}
