import MartletCodec
import MartletModel

/// Where a writer's bytes go: bytes are appended, never changed. A file is one; an upload to an object store another.
package protocol ByteSink: AnyObject {
    /// Bytes accepted so far.
    var byteCount: Int64 { get }
    /// Accepts `bytes`, which are valid during the call only.
    func write(_ bytes: UnsafeRawBufferPointer) throws(MartletError)
}

/// A sink that hands bytes to an object through a buffer, and sums up what passes. One writer at a time.
package final class ObjectSink: ByteSink {
    /// The object.
    package let object: any SinkObject
    private var pending: MutableBuffer
    private var written: Int64 = 0
    private let bufferSize: Int
    private var checksum: UInt32 = 0

    /// A sink for an object that nothing was written to.
    package init(_ object: any SinkObject, bufferSize: Int = 64 << 10) {
        self.object = object
        self.bufferSize = bufferSize
        pending = MutableBuffer(capacity: bufferSize)
    }

    package var byteCount: Int64 { written + Int64(pending.byteCount) }

    /// The CRC32C of all bytes accepted so far.
    package var crc32c: UInt32 { checksum }

    package func write(_ bytes: UnsafeRawBufferPointer) throws(MartletError) {
        checksum = CRC32C.checksum(bytes, seed: checksum)
        if pending.byteCount + bytes.count > bufferSize { try flush() }
        if bytes.count >= bufferSize {
            try object.write(bytes)
            written += Int64(bytes.count)
        } else {
            pending.append(bytes)
        }
    }

    /// Hands everything accepted to the object and finishes it.
    package func finish() throws(MartletError) {
        try flush()
        try object.finish()
    }

    private func flush() throws(MartletError) {
        guard pending.byteCount > 0 else { return }
        try object.write(pending.bytes)
        written += Int64(pending.byteCount)
        pending.byteCount = 0
    }
}

/// A sink that keeps the bytes in memory, for small files and tests.
package final class MemorySink: ByteSink {
    private var buffer = MutableBuffer(capacity: 4096)

    /// An empty sink.
    package init() {}

    package var byteCount: Int64 { Int64(buffer.byteCount) }

    /// The bytes so far; valid until the next write.
    package var bytes: UnsafeRawBufferPointer { buffer.bytes }

    package func write(_ bytes: UnsafeRawBufferPointer) throws(MartletError) { buffer.append(bytes) }
}
