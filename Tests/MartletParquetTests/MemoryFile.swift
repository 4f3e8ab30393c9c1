import MartletModel
import Synchronization

/// A file of fixed bytes, for readers.
final class MemoryFile: File {
    private let content: Buffer
    /// The most bytes that one read asked for.
    let largestRead = Mutex(0)

    init(_ content: Buffer) { self.content = content }
    init(_ bytes: [UInt8]) { content = Buffer(bytes) }

    func size() throws(MartletError) -> Int64 { Int64(content.byteCount) }

    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(MartletError) -> Int {
        largestRead.withLock { $0 = max($0, buffer.count) }
        let count = max(0, min(buffer.count, content.byteCount - Int(offset)))
        buffer.copyMemory(from: UnsafeRawBufferPointer(start: content.baseAddress + Int(offset), count: count))
        return count
    }

    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(MartletError) {
        throw MartletError(.readOnly, "this file is for reading")
    }
    func sync() throws(MartletError) {}
    func truncate(to size: Int64) throws(MartletError) {
        throw MartletError(.readOnly, "this file is for reading")
    }
    func close() throws(MartletError) {}
}
