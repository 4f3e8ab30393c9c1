/// What a power failure leaves of a disk. All choices come from the generator.
///
/// - Of the changes of names that no `syncDirectory` covered, either the first few survive (a journal) or any of them
///   (no journal); each survives as a whole.
/// - Of a file's changes since its last sync: none, all, the first few, or any of them survive. A write that survives
///   may be torn: cut at some byte, or with some of its 512-byte sectors missing. What is missing inside the file's
///   new length reads as the old bytes, as zeros, or as rubbish. The length may have been extended alone.
struct SimulatedCrash {
    private var generator: SeededGenerator
    private var inodes: [ObjectIdentifier: SimulatedInode] = [:]
    private var directories: [ObjectIdentifier: SimulatedDirectory] = [:]

    private static let sector = 512

    init(generator: SeededGenerator) { self.generator = generator }

    /// The directory tree as it is found after the power is back; everything in it is durable.
    mutating func survivors(
        of root: SimulatedDirectory, pending: [SimulatedNameChange]
    ) -> SimulatedDirectory {
        if Bool.random(using: &generator) {
            for change in pending.prefix(Int.random(in: 0...pending.count, using: &generator)) { change.persist() }
        } else {
            for change in pending where Bool.random(using: &generator) { change.persist() }
        }
        return survivor(of: root)
    }

    private mutating func survivor(of directory: SimulatedDirectory) -> SimulatedDirectory {
        if let known = directories[ObjectIdentifier(directory)] { return known }
        let result = SimulatedDirectory()
        directories[ObjectIdentifier(directory)] = result
        for (name, entry) in directory.durable.sorted(by: { $0.key < $1.key }) {
            switch entry.node {
            case nil: continue
            case .file(let inode): result.entries[name] = .file(survivor(of: inode))
            case .directory(let inner): result.entries[name] = .directory(survivor(of: inner))
            }
            result.durable[name] = (result.entries[name], 0)
        }
        return result
    }

    private mutating func survivor(of inode: SimulatedInode) -> SimulatedInode {
        if let known = inodes[ObjectIdentifier(inode)] { return known }
        let result = SimulatedInode()
        inodes[ObjectIdentifier(inode)] = result
        var bytes = inode.durable
        let pending = inode.pending
        switch Int.random(in: 0..<4, using: &generator) {
        case 0: break
        case 1: for change in pending { SimulatedInode.apply(change, to: &bytes) }
        case 2:
            let kept = Int.random(in: 0...pending.count, using: &generator)
            for change in pending.prefix(kept) { SimulatedInode.apply(change, to: &bytes) }
            if kept < pending.count { tear(pending[kept], into: &bytes) }
        default:
            for change in pending {
                switch Int.random(in: 0..<3, using: &generator) {
                case 0: break
                case 1: SimulatedInode.apply(change, to: &bytes)
                default: tear(change, into: &bytes)
                }
            }
        }
        if !pending.isEmpty, inode.contents.count > bytes.count, Int.random(in: 0..<4, using: &generator) == 0 {
            bytes.append(contentsOf: repeatElement(0, count: inode.contents.count - bytes.count))
        }
        result.contents = bytes
        result.durable = bytes
        return result
    }

    private mutating func tear(_ change: SimulatedInode.Change, into bytes: inout [UInt8]) {
        guard case .write(let offset, let new) = change, !new.isEmpty else { return }
        if Bool.random(using: &generator) {
            let kept = Int.random(in: 0..<new.count, using: &generator)
            SimulatedInode.apply(.write(offset: offset, bytes: Array(new[..<kept])), to: &bytes)
            return
        }
        let oldCount = bytes.count
        var cursor = 0
        while cursor < new.count {
            let inSector = Self.sector - (offset + cursor) % Self.sector
            let end = min(cursor + inSector, new.count)
            switch Int.random(in: 0..<5, using: &generator) {
            case 0, 1: break
            case 2 where offset + end > oldCount:
                let rubbish = (cursor..<end).map { _ in UInt8.random(in: 0...255, using: &generator) }
                SimulatedInode.apply(.write(offset: offset + cursor, bytes: rubbish), to: &bytes)
            default: SimulatedInode.apply(.write(offset: offset + cursor, bytes: Array(new[cursor..<end])), to: &bytes)
            }
            cursor = end
        }
    }
}
