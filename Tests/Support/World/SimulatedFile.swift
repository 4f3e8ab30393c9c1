import MartletModel
import Synchronization

/// An open file of a `SimulatedFileSystem`.
final class SimulatedFile: File {
    private let system: SimulatedFileSystem
    private let inode: SimulatedInode
    private let path: String
    private let isWritable: Bool
    private let closed = Atomic<Bool>(false)

    init(_ system: SimulatedFileSystem, _ inode: SimulatedInode, _ path: String, isWritable: Bool) {
        self.system = system
        self.inode = inode
        self.path = path
        self.isWritable = isWritable
    }

    func size() throws(MartletError) -> Int64 {
        try checkOpen()
        return try system.size(of: inode, path)
    }

    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(MartletError) -> Int {
        try checkOpen()
        return try system.read(inode, path, into: buffer, at: offset)
    }

    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(MartletError) {
        try checkWritable()
        try system.write(inode, path, bytes, at: offset)
    }

    func sync() throws(MartletError) {
        try checkOpen()
        try system.sync(inode, path)
    }

    func truncate(to size: Int64) throws(MartletError) {
        try checkWritable()
        try system.truncate(inode, path, to: size)
    }

    func close() throws(MartletError) {
        if closed.exchange(true, ordering: .relaxed) { throw closedError }
    }

    private func checkOpen() throws(MartletError) { if closed.load(ordering: .relaxed) { throw closedError } }

    private func checkWritable() throws(MartletError) {
        try checkOpen()
        if !isWritable {
            throw MartletError(.io, "simulated: Bad file descriptor", at: .file(path: path, offset: nil))
        }
    }

    private var closedError: MartletError {
        MartletError(.closed, "the file is closed", at: .file(path: path, offset: nil))
    }
}

/// A lock of a `SimulatedFileSystem`.
final class SimulatedLock: FileLock {
    private let release: Guarded<(@Sendable () -> Void)?>

    init(release: @escaping @Sendable () -> Void) { self.release = Guarded(release) }

    deinit { unlock() }

    func unlock() {
        let action = release.withLock { release in
            defer { release = nil }
            return release
        }
        action?()
    }
}
