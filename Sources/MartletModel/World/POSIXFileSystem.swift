#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// The operating system's files.
public struct POSIXFileSystem: FileSystem {
    /// The operating system's files.
    public init() {}

    public func open(_ path: String, _ mode: FileMode) throws(MartletError) -> any File {
        let flags: Int32 =
            switch mode {
            case .read: O_RDONLY
            case .readWrite: O_RDWR
            case .create: O_RDWR | O_CREAT | O_EXCL
            }
        return POSIXFile(try openDescriptor(path, flags), path: path)
    }

    public func createDirectory(_ path: String) throws(MartletError) {
        if mkdir(path, 0o755) != 0 && errno != EEXIST { throw systemError("make directory", path) }
    }

    public func list(_ path: String) throws(MartletError) -> [String] {
        guard let directory = opendir(path) else { throw systemError("list", path) }
        defer { closedir(directory) }
        var names: [String] = []
        errno = 0
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != "." && name != ".." { names.append(name) }
            errno = 0
        }
        if errno != 0 { throw systemError("list", path) }
        return names
    }

    public func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

    public func rename(_ source: String, to target: String) throws(MartletError) {
        #if canImport(Glibc)
            let result = Glibc.rename(source, target)
        #elseif canImport(Musl)
            let result = Musl.rename(source, target)
        #else
            let result = Darwin.rename(source, target)
        #endif
        if result != 0 { throw systemError("rename to \(target)", source) }
    }

    public func remove(_ path: String) throws(MartletError) {
        if unlink(path) != 0 { throw systemError("remove", path) }
    }

    public func removeDirectory(_ path: String) throws(MartletError) {
        if rmdir(path) != 0 { throw systemError("remove directory", path) }
    }

    public func link(_ source: String, to target: String) throws(MartletError) {
        #if canImport(Glibc)
            let result = Glibc.link(source, target)
        #elseif canImport(Musl)
            let result = Musl.link(source, target)
        #else
            let result = Darwin.link(source, target)
        #endif
        if result != 0 { throw systemError("link as \(target)", source) }
    }

    public func syncDirectory(_ path: String) throws(MartletError) {
        let descriptor = try openDescriptor(path, O_RDONLY | O_DIRECTORY)
        defer { _ = close(descriptor) }
        if fsync(descriptor) != 0 { throw systemError("sync directory", path) }
    }

    public func lock(_ path: String) throws(MartletError) -> any FileLock {
        let descriptor = try openDescriptor(path, O_RDWR | O_CREAT)
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            let code = errno
            _ = close(descriptor)
            if code == EWOULDBLOCK {
                throw MartletError(
                    .locked, "another process has it open for writing", at: .file(path: path, offset: nil),
                    hint: "close that process, or open the directory read-only")
            }
            errno = code
            throw systemError("lock", path)
        }
        return POSIXLock(descriptor)
    }

    public func freeBytes(at path: String) throws(MartletError) -> Int64 {
        var status = statvfs()
        if statvfs(path, &status) != 0 { throw systemError("ask for free space of", path) }
        return Int64(status.f_bavail) * Int64(status.f_frsize)
    }

    private func openDescriptor(_ path: String, _ flags: Int32) throws(MartletError) -> Int32 {
        #if canImport(Glibc)
            let descriptor = Glibc.open(path, flags | O_CLOEXEC, 0o644)
        #elseif canImport(Musl)
            let descriptor = Musl.open(path, flags | O_CLOEXEC, 0o644)
        #else
            let descriptor = Darwin.open(path, flags | O_CLOEXEC, 0o644)
        #endif
        if descriptor < 0 { throw systemError("open", path) }
        return descriptor
    }
}

/// The error for the current `errno`.
private func systemError(_ verb: String, _ path: String, offset: Int64? = nil) -> MartletError {
    let number = errno
    let code: MartletError.Code =
        switch number {
        case ENOENT: .notFound
        case EEXIST: .alreadyExists
        case ENOSPC, EDQUOT: .storageFull
        case EROFS, EACCES, EPERM: .readOnly
        default: .io
        }
    return MartletError(
        code, "cannot \(verb): \(String(cString: strerror(number)))", at: .file(path: path, offset: offset))
}

/// Invariant: `descriptor` is open until `closed` is true; `state` guards the change from the one to the other, and
/// calls in flight keep the object alive, so a descriptor is never reused under a reader.
private final class POSIXFile: File, @unchecked Sendable {
    private let descriptor: Int32
    private let path: String
    private var closed = false

    init(_ descriptor: Int32, path: String) {
        self.descriptor = descriptor
        self.path = path
    }

    deinit { if !closed { _ = DescriptorCalls.close(descriptor) } }

    func size() throws(MartletError) -> Int64 {
        var status = stat()
        if fstat(descriptor, &status) != 0 { throw systemError("ask for the size of", path) }
        return Int64(status.st_size)
    }

    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(MartletError) -> Int {
        var done = 0
        while done < buffer.count {
            let count = pread(
                descriptor, buffer.baseAddress! + done, buffer.count - done, off_t(offset + Int64(done)))
            if count < 0 {
                if errno == EINTR { continue }
                throw systemError("read", path, offset: offset)
            }
            if count == 0 { break }
            done += count
        }
        return done
    }

    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(MartletError) {
        var done = 0
        while done < bytes.count {
            let count = pwrite(descriptor, bytes.baseAddress! + done, bytes.count - done, off_t(offset + Int64(done)))
            if count < 0 {
                if errno == EINTR { continue }
                throw systemError("write", path, offset: offset)
            }
            done += count
        }
    }

    func sync() throws(MartletError) {
        if fdatasync(descriptor) != 0 { throw systemError("sync", path) }
    }

    func truncate(to size: Int64) throws(MartletError) {
        if ftruncate(descriptor, off_t(size)) != 0 { throw systemError("truncate", path, offset: size) }
    }

    func close() throws(MartletError) {
        if closed { throw MartletError(.closed, "the file is closed", at: .file(path: path, offset: nil)) }
        closed = true
        if DescriptorCalls.close(descriptor) != 0 { throw systemError("close", path) }
    }
}

private final class POSIXLock: FileLock, @unchecked Sendable {
    private var descriptor: Int32
    init(_ descriptor: Int32) { self.descriptor = descriptor }
    deinit { unlock() }
    func unlock() {
        if descriptor >= 0 { _ = DescriptorCalls.close(descriptor) }
        descriptor = -1
    }
}

/// The C calls whose names the protocols' methods hide.
private enum DescriptorCalls {
    static func close(_ descriptor: Int32) -> Int32 {
        #if canImport(Glibc)
            Glibc.close(descriptor)
        #elseif canImport(Musl)
            Musl.close(descriptor)
        #else
            Darwin.close(descriptor)
        #endif
    }
}
