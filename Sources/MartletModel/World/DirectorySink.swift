/// A sink that is a directory: an object's name is its path below it.
///
/// While an object is written its last part is called `.NAME.partial`; it gets its name by a rename after `fdatasync`,
/// and then the directory is synced, with those above it up to the sink's own: one of them may be left by a process that
/// did not come to syncing it. Readers of folders pass over names that begin with a dot; what a killed process
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

    public func remove(_ name: String) throws(MartletError) {
        let path = try path(of: name)
        guard files.exists(path) else { return }
        try files.remove(path)
        try files.syncDirectory(Self.parts(of: path).folder)
    }

    public func create(_ name: String) throws(MartletError) -> any SinkObject {
        let path = try path(of: name)
        guard !files.exists(path) else { throw Self.exists(path) }
        let (folder, last) = Self.parts(of: path)
        try Self.makeFolders(folder, in: files)
        return try DirectorySinkObject(folders: folders(to: folder), name: last, files: files)
    }

    /// A directory and those above it, the lowest first, up to the sink's own.
    private func folders(to folder: String) -> [String] {
        var folders = [folder]
        while let last = folders.last, last != location, last != "/", last != "." {
            folders.append(Self.parts(of: last).folder)
        }
        return folders
    }

    private static func parts(of path: String) -> (folder: String, last: String) {
        guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return (".", path) }
        return (
            slash == path.startIndex ? "/" : String(path[..<slash]), String(path[path.utf8.index(after: slash)...])
        )
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
        do throws(MartletError) {
            try files.syncDirectory(parent)
        } catch {
            // Whoever tries again is to sync it, and does so for what is not there. The error to tell is the first one.
            try? files.removeDirectory(path)
            throw error
        }
    }
}

/// A file that gets its name when it is whole.
private final class DirectorySinkObject: SinkObject {
    private let files: any FileSystem
    private let folders: [String]
    private let path: String
    private let partialPath: String
    private let file: any File
    private var offset: Int64 = 0
    private var isDone = false

    /// - Parameter folders: the object's, and those above it that are to be made durable with it.
    init(folders: [String], name: String, files: any FileSystem) throws(MartletError) {
        self.files = files
        self.folders = folders
        let folder = folders[0]
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
        for folder in folders { try files.syncDirectory(folder) }
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
