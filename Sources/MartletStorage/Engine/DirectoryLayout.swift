import MartletModel

/// The files of a database directory beside its namespaces: `MARTLET`, which names the version of the layout, `LOCK`,
/// which the writer holds, and `namespaces/`.
struct DirectoryLayout {
    static let formatFile = "MARTLET"
    static let lockFile = "LOCK"
    static let namespaceFolder = "namespaces"
    /// The version of the directory's layout that this build writes, and the only one it opens.
    static let version = 1

    let path: String
    let files: any FileSystem

    /// Makes what is missing and takes the writer's lock.
    func prepareForWriting() throws(MartletError) -> any FileLock {
        try files.createDirectory(path)
        try files.syncDirectory(Self.parent(of: path))
        let lock = try files.lock(path + "/" + Self.lockFile)
        if files.exists(path + "/" + Self.formatFile) {
            try checkFormat()
            // What the writer before renamed or made may not be on the disk, if its own sync failed.
            try files.syncDirectory(path)
            try files.syncDirectory(path + "/" + Self.namespaceFolder)
        } else {
            try files.createDirectory(path + "/" + Self.namespaceFolder)
            try writeFormat()
        }
        return lock
    }

    /// - Throws: `.notFound` where there is no database, `.unsupportedVersion` for another version.
    func checkFormat() throws(MartletError) {
        let name = path + "/" + Self.formatFile
        guard files.exists(name) else {
            throw MartletError(
                .notFound, "there is no database here", at: .file(path: path, offset: nil),
                hint: "open it for writing once to make one")
        }
        let file = try files.open(name, .read)
        let size = Int(min(try file.size(), 256))
        let bytes = try file.readExactly(size, at: 0)
        defer { withExtendedLifetime(bytes) {} }
        let text = String(decoding: bytes.bytes, as: UTF8.self)
        guard text.hasPrefix(Self.prefix), text.hasSuffix("\n"),
            let version = Int(text.dropFirst(Self.prefix.count).dropLast())
        else {
            throw MartletError(
                .corrupt, "the file does not name a format version", at: .file(path: name, offset: nil))
        }
        guard version == Self.version else {
            throw MartletError(
                .unsupportedVersion,
                "the directory is of format version \(version); this build knows \(Self.version)",
                at: .file(path: path, offset: nil), hint: "open it with the release that wrote it, or a newer one")
        }
    }

    /// The directory in which the last name of `path` stands.
    static func parent(of path: String) -> String {
        var bytes = Substring(path)
        while bytes.count > 1 && bytes.hasSuffix("/") { bytes.removeLast() }
        guard let slash = bytes.lastIndex(of: "/") else { return "." }
        return slash == bytes.startIndex ? "/" : String(bytes[..<slash])
    }

    private static let prefix = "martlet directory format "

    /// Writes the file that names the format.
    func writeFormat() throws(MartletError) {
        let temporary = path + "/" + Self.formatFile + ".new"
        if files.exists(temporary) { try files.remove(temporary) }
        let file = try files.open(temporary, .create)
        let text = Array("\(Self.prefix)\(Self.version)\n".utf8)
        try text.withRawBytes { bytes throws(MartletError) in try file.write(bytes, at: 0) }
        try file.sync()
        try file.close()
        try files.rename(temporary, to: path + "/" + Self.formatFile)
        try files.syncDirectory(path)
    }

    /// The namespaces that exist.
    func namespaces() throws(MartletError) -> Set<String> {
        let folder = path + "/" + Self.namespaceFolder
        var names: Set<String> = []
        for name in try files.list(folder)
        where files.exists(folder + "/" + name + "/" + Manifest.fileName) && Self.isValid(name) {
            names.insert(name)
        }
        return names
    }

    /// Marks a namespace's directory whose segments count no longer.
    static let droppedMarker = "MANIFEST.dropped"

    /// Removes a namespace's directory. The manifest becomes a marker first: from then on, nothing in the directory
    /// counts. Without the marker, segments that have no manifest are taken for damage, not for waste.
    func removeNamespace(_ name: String) throws(MartletError) {
        let folder = path + "/" + Self.namespaceFolder + "/" + name
        let marker = folder + "/" + Self.droppedMarker
        if files.exists(folder + "/" + Manifest.fileName) {
            try files.rename(folder + "/" + Manifest.fileName, to: marker)
            try files.syncDirectory(folder)
        }
        for file in try files.list(folder) where file != Self.droppedMarker { try files.remove(folder + "/" + file) }
        try files.syncDirectory(folder)
        if files.exists(marker) { try files.remove(marker) }
        try files.removeDirectory(folder)
        try files.syncDirectory(path + "/" + Self.namespaceFolder)
    }

    /// - Throws: `.invalidArgument` for a name that can't be a namespace's.
    static func check(_ name: String) throws(MartletError) {
        guard isValid(name) else {
            throw MartletError(
                .invalidArgument, "'\(name)' can't be the name of a namespace",
                hint: "use 1 to 64 letters, digits, '_', '-' and '.', not beginning with '.'")
        }
    }

    private static func isValid(_ name: String) -> Bool {
        let bytes = Array(name.utf8)
        guard (1...64).contains(bytes.count), bytes[0] != UInt8(ascii: ".") else { return false }
        return bytes.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "."):
                true
            default: false
            }
        }
    }
}
