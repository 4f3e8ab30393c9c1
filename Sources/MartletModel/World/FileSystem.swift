/// Files as the engine sees them. Everything that touches a disk does so through one of these, so that a simulation
/// can tear writes, lose what was not synced, fill the disk and return errors.
///
/// Paths are absolute or relative to the process, with `/` between parts. Every method throws `MartletError`:
/// `.notFound`, `.alreadyExists`, `.storageFull`, `.readOnly`, `.locked` where the system says so, else `.io`.
public protocol FileSystem: Sendable {
    /// Opens a file.
    func open(_ path: String, _ mode: FileMode) throws(MartletError) -> any File
    /// Makes a directory; its parent must exist. Succeeds when it exists already.
    func createDirectory(_ path: String) throws(MartletError)
    /// The names in a directory, without `.` and `..`, in no order.
    func list(_ path: String) throws(MartletError) -> [String]
    /// Whether a file or directory of that name exists.
    func exists(_ path: String) -> Bool
    /// Replaces `target` by `source` in one step. Durable after `syncDirectory` of the parent.
    func rename(_ source: String, to target: String) throws(MartletError)
    /// Removes a file's name; its bytes live on while it is open.
    func remove(_ path: String) throws(MartletError)
    /// Removes an empty directory.
    func removeDirectory(_ path: String) throws(MartletError)
    /// Gives a file a second name.
    func link(_ source: String, to target: String) throws(MartletError)
    /// Makes the names in a directory durable.
    func syncDirectory(_ path: String) throws(MartletError)
    /// Takes an exclusive lock that ends with the returned object or with the process.
    ///
    /// - Throws: `.locked` when another holder has it.
    func lock(_ path: String) throws(MartletError) -> any FileLock
    /// Bytes free for this user on the device that holds `path`.
    func freeBytes(at path: String) throws(MartletError) -> Int64
}

/// How a file is opened.
public enum FileMode: Sendable {
    /// For reading; it must exist.
    case read
    /// For reading and writing; it must exist.
    case readWrite
    /// For reading and writing; it must not exist.
    case create
}

/// An open file. Safe to use from several threads as long as writes do not overlap.
public protocol File: AnyObject, Sendable {
    /// The length in bytes.
    func size() throws(MartletError) -> Int64
    /// Reads up to `buffer.count` bytes at `offset`; fewer only at the end of the file.
    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(MartletError) -> Int
    /// Writes all of `bytes` at `offset`, extending the file if needed. Not durable before `sync`.
    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(MartletError)
    /// Makes all written bytes and the length durable (fdatasync).
    func sync() throws(MartletError)
    /// Cuts or extends the file to `size` bytes.
    func truncate(to size: Int64) throws(MartletError)
    /// Closes the file; further calls throw `.closed`. Called by `deinit` where nobody did.
    func close() throws(MartletError)
}

/// A held lock.
public protocol FileLock: AnyObject, Sendable {
    /// Gives the lock up.
    func unlock()
}

extension File {
    /// Reads exactly `count` bytes at `offset`.
    ///
    /// - Throws: `.corrupt` when the file ends before that.
    public func readExactly(_ count: Int, at offset: Int64) throws(MartletError) -> Buffer {
        var buffer = MutableBuffer(capacity: count)
        let read = try self.read(into: UnsafeMutableRawBufferPointer(start: buffer.base, count: count), at: offset)
        guard read == count else {
            throw MartletError(.corrupt, "the file ends \(count - read) bytes short of a read of \(count) at \(offset)")
        }
        buffer.byteCount = count
        return buffer.finish()
    }
}
