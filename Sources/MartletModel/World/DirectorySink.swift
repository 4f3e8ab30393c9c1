/// A sink that is a directory: an object's name is its path below it.
///
/// While an object is written its last part is called `.NAME.partial`; it gets its name by a rename after `fdatasync`,
/// and then the directory is synced. Readers of folders pass over names that begin with a dot; what a killed process
/// leaves, the next object of the same name removes. Folders are made as they are needed, the directory's own too.
public struct DirectorySink: SegmentSink {
    /// The directory.
    public let location: String
    private let files: any FileSystem

    /// A sink for the directory at `path`, which need not exist yet.
    ///
    /// - Throws: `.invalidArgument` for an empty path.
    public init(_ path: String, fileSystem: any FileSystem) throws(MartletError) {
        var path = Substring(path)
        while path.utf8.count > 1 && path.utf8.last == UInt8(ascii: "/") { path.removeLast() }
        guard !path.isEmpty else { throw MartletError(.invalidArgument, "the path of a directory is empty") }
        location = String(path)
        files = fileSystem
    }

    public func contains(_ name: String) throws(MartletError) -> Bool { files.exists(try path(of: name)) }

    public func create(_ name: String) throws(MartletError) -> any SinkObject {
        let path = try path(of: name)
        guard !files.exists(path) else { throw Self.exists(path) }
        let slash = path.utf8.lastIndex(of: UInt8(ascii: "/"))
        let folder = slash.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
        let last = slash.map { String(path[path.utf8.index(after: $0)...]) } ?? path
        try Self.makeFolders(folder, in: files)
        return try DirectorySinkObject(folder: folder, name: last, files: files)
    }

    fileprivate static func exists(_ path: String) -> MartletError {
        MartletError(
            .alreadyExists, "there is a file of that name, and nothing is overwritten",
            at: .file(path: path, offset: nil), hint: "choose another name, or remove it")
    }

    private func path(of name: String) throws(MartletError) -> String {
        let parts = name.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        guard parts.allSatisfy({ !$0.isEmpty && !$0.elementsEqual(".".utf8) && !$0.elementsEqual("..".utf8) }) else {
            throw MartletError(.invalidArgument, "'\(name)' can't be the name of an object")
        }
        return location == "/" ? "/" + name : location + "/" + name
    }

    /// Makes a directory and those above it, each durable in its parent.
    private static func makeFolders(_ path: String, in files: any FileSystem) throws(MartletError) {
        if path.isEmpty || files.exists(path) { return }
        let slash = path.utf8.lastIndex(of: UInt8(ascii: "/"))
        let parent = slash.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
        if parent != "." && parent != path { try makeFolders(parent, in: files) }
        try files.createDirectory(path)
        try files.syncDirectory(parent)
    }
}

/// A file that gets its name when it is whole.
private final class DirectorySinkObject: SinkObject {
    private let files: any FileSystem
    private let folder: String
    private let path: String
    private let partialPath: String
    private let file: any File
    private var offset: Int64 = 0
    private var isDone = false

    init(folder: String, name: String, files: any FileSystem) throws(MartletError) {
        self.files = files
        self.folder = folder
        path = folder == "." ? name : folder == "/" ? "/" + name : folder + "/" + name
        partialPath =
            folder == "." ? ".\(name).partial" : folder == "/" ? "/.\(name).partial" : "\(folder)/.\(name).partial"
        if files.exists(partialPath) { try files.remove(partialPath) }
        file = try files.open(partialPath, .create)
    }

    func write(_ bytes: UnsafeRawBufferPointer) throws(MartletError) {
        try file.write(bytes, at: offset)
        offset += Int64(bytes.count)
    }

    func finish() throws(MartletError) {
        guard !isDone else { throw MartletError(.closed, "the file is finished already") }
        try file.sync()
        try file.close()
        guard !files.exists(path) else { throw DirectorySink.exists(path) }
        try files.rename(partialPath, to: path)
        try files.syncDirectory(folder)
        isDone = true
    }

    func cancel() throws(MartletError) {
        guard !isDone else { return }
        isDone = true
        // A `finish` that failed late may have closed the file, or renamed it.
        do throws(MartletError) {
            try file.close()
        } catch {
            guard error.code == .closed else { throw error }
        }
        if files.exists(partialPath) { try files.remove(partialPath) }
    }
}
