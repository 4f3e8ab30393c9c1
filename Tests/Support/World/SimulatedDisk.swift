/// A file's bytes: as the machine sees them, and as the disk has them. Guarded by the file system's lock.
final class SimulatedInode: @unchecked Sendable {
    /// A change that no sync has made durable yet.
    enum Change {
        case write(offset: Int, bytes: [UInt8])
        case truncate(size: Int)
    }

    /// What reads return.
    var contents: [UInt8] = []
    /// What is certain to survive a crash.
    var durable: [UInt8] = []
    /// What may survive a crash, in whole, in part or not at all.
    var pending: [Change] = []

    func apply(_ change: Change) {
        Self.apply(change, to: &contents)
        pending.append(change)
    }

    func sync() {
        for change in pending { Self.apply(change, to: &durable) }
        pending = []
    }

    static func apply(_ change: Change, to bytes: inout [UInt8]) {
        switch change {
        case .truncate(let size):
            if size < bytes.count {
                bytes.removeLast(bytes.count - size)
            } else {
                bytes.append(contentsOf: repeatElement(0, count: size - bytes.count))
            }
        case .write(let offset, let new):
            if new.isEmpty { return }
            let end = offset + new.count
            if end > bytes.count { bytes.append(contentsOf: repeatElement(0, count: end - bytes.count)) }
            bytes.replaceSubrange(offset..<end, with: new)
        }
    }
}

/// A directory's names. Guarded by the file system's lock.
final class SimulatedDirectory: @unchecked Sendable {
    /// What a name leads to.
    enum Node {
        case file(SimulatedInode)
        case directory(SimulatedDirectory)
    }

    /// What look-ups find.
    var entries: [String: Node] = [:]
    /// What is certain to survive a crash: a node or, where `nil`, the name's absence; and the number of the change
    /// that made it so, because changes become durable out of order.
    var durable: [String: (node: Node?, change: Int)] = [:]
}

/// A change of names that happens as one: a rename has two edits, the others one.
struct SimulatedNameChange {
    struct Edit {
        let directory: SimulatedDirectory
        let name: String
        let node: SimulatedDirectory.Node?
    }

    let number: Int
    let edits: [Edit]

    func persist() {
        for edit in edits where edit.directory.durable[edit.name].map({ $0.change < number }) ?? true {
            edit.directory.durable[edit.name] = (edit.node, number)
        }
    }
}

/// Look-ups from the root.
extension SimulatedDirectory {
    /// The paths of all files below, sorted.
    var filePaths: [String] {
        var paths: [String] = []
        var open = [("", self)]
        while let (prefix, directory) = open.popLast() {
            for (name, node) in directory.entries {
                switch node {
                case .file: paths.append("\(prefix)/\(name)")
                case .directory(let inner): open.append(("\(prefix)/\(name)", inner))
                }
            }
        }
        return paths.sorted()
    }

    /// Bytes of all files below, each counted once.
    var usedBytes: Int64 {
        var seen: Set<ObjectIdentifier> = []
        var open = [self]
        var total = 0
        while let directory = open.popLast() {
            for node in directory.entries.values {
                switch node {
                case .directory(let inner): open.append(inner)
                case .file(let inode):
                    if seen.insert(ObjectIdentifier(inode)).inserted { total += inode.contents.count }
                }
            }
        }
        return Int64(total)
    }

    /// The names that a path is made of.
    static func parts(of path: String) -> [Substring] { path.split(separator: "/").filter { $0 != "." } }

    /// What is found at a path.
    func node(at path: String) -> Node? {
        var node = Node.directory(self)
        for part in Self.parts(of: path) {
            guard case .directory(let directory) = node, let next = directory.entries[String(part)] else { return nil }
            node = next
        }
        return node
    }

    /// The directory that holds a path's last name, and that name.
    func place(of path: String) -> (SimulatedDirectory, String)? {
        let parts = Self.parts(of: path)
        guard let name = parts.last else { return nil }
        guard case .directory(let parent)? = node(at: parts.dropLast().joined(separator: "/")) else { return nil }
        return (parent, String(name))
    }
}
