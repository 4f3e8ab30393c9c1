import MartletModel

/// The active hot segment as its writer knows it: where it ends, and which series and tables it has met. Not
/// thread-safe; the namespace's writer lock guards it.
final class HotLog {
    let number: UInt64
    let salt: UInt64
    let file: SegmentFile
    /// Bytes of intact layers, header included.
    private(set) var length: Int64
    /// Bytes known to be on disk.
    private(set) var syncedLength: Int64
    private(set) var layerCount: Int
    /// Bytes of memory that the indexes of its layers take.
    private(set) var indexBytes = 0
    /// Set when a write or sync failed: nothing more is appended, since what follows `length` is unknown.
    private(set) var isAbandoned = false
    /// Tables whose definition the segment holds.
    var knownTables: Set<UInt32>
    /// Local number + 1 of each series of the namespace, 0 where the segment has not met it.
    private var localNumbers = BlockedArray<UInt32>()
    /// Series that the segment has met.
    private(set) var localCount: UInt32 = 0

    init(number: UInt64, salt: UInt64, file: SegmentFile, length: Int64, layerCount: Int, knownTables: Set<UInt32>) {
        self.number = number
        self.salt = salt
        self.file = file
        self.length = length
        self.syncedLength = length
        self.layerCount = layerCount
        self.knownTables = knownTables
    }

    static func fileName(_ number: UInt64) -> String { "\(number).hot" }

    /// Makes a new, empty, durable hot segment file.
    static func create(
        _ number: UInt64, salt: UInt64, in directory: String, _ files: any FileSystem, _ cache: BlockCache
    ) throws(MartletError) -> HotLog {
        let path = directory + "/" + fileName(number)
        let file = try files.open(path, .create)
        var writer = ByteWriter(capacity: FileHeader.byteCount)
        FileHeader(kind: .hot, segment: number, salt: salt).encode(into: &writer)
        try file.write(writer.bytes, at: 0)
        try file.sync()
        try files.syncDirectory(directory)
        return HotLog(
            number: number, salt: salt, file: SegmentFile(path: path, file: file, cache: cache),
            length: Int64(FileHeader.byteCount), layerCount: 0, knownTables: [])
    }

    /// Appends a layer's bytes; durable only if `sync` follows.
    func append(_ bytes: Buffer) throws(MartletError) {
        precondition(!isAbandoned, "a layer for an abandoned segment")
        do throws(MartletError) {
            try file.file.write(bytes.bytes, at: length)
        } catch {
            isAbandoned = true
            throw error
        }
        withExtendedLifetime(bytes) {}
        length += Int64(bytes.byteCount)
        layerCount += 1
    }

    /// Takes note of the memory of a layer's indexes.
    func note(indexBytes: Int) { self.indexBytes += indexBytes }

    /// Ends the use of the segment after its last intact layer.
    func abandon() { isAbandoned = true }

    /// Takes the last layer back after a failed sync: it was not acknowledged.
    func retract(_ byteCount: Int) {
        length -= Int64(byteCount)
        layerCount -= 1
    }

    /// Makes all layers durable. After a failure the segment is abandoned: the kernel may have dropped the pages and
    /// would report success next time (Rebello et al., "Can Applications Recover from fsync Failures?", ATC 2020).
    func sync() throws(MartletError) {
        if syncedLength == length { return }
        do throws(MartletError) {
            try file.file.sync()
        } catch {
            isAbandoned = true
            throw error
        }
        syncedLength = length
    }

    /// The segment's number for a series, if it has met it.
    func local(_ series: UInt32) -> UInt32? {
        guard Int(series) < localNumbers.count, localNumbers[Int(series)] > 0 else { return nil }
        return localNumbers[Int(series)] - 1
    }

    /// Takes over the next number as recovery read it; `UInt32.max` stands for a series whose name was lost.
    func adopt(_ series: UInt32) {
        if series == UInt32.max { localCount += 1 } else { number(series) }
    }

    /// Gives a series the segment's next number.
    func number(_ series: UInt32) {
        while localNumbers.count <= Int(series) { localNumbers.append(0) }
        precondition(localNumbers[Int(series)] == 0, "series \(series) is numbered twice")
        localCount += 1
        localNumbers[Int(series)] = localCount
    }
}
