/// An immutable, 64-byte-aligned block of memory: the unit every column is made of.
///
/// Invariants of the unsafe parts of this file:
/// - a `Buffer` owns the bytes at `baseAddress`, allocated once and freed in `deinit`, or is a part of one that does
///   and that it keeps alive;
/// - bytes `0 ..< byteCount` are initialised; nothing writes to them after the `Buffer` is made, so a `Buffer`
///   may be read from any thread (that is what makes it `Sendable`);
/// - at least `Buffer.padding` readable bytes follow `byteCount`, so that kernels may load a whole SIMD word that
///   starts inside the content. Their value is unspecified.
public final class Buffer: @unchecked Sendable {
    /// The first byte. Valid as long as this object lives.
    public let baseAddress: UnsafeRawPointer
    /// The number of bytes of content.
    public let byteCount: Int
    /// The buffer whose bytes these are, where they are not this one's own.
    private let owner: Buffer?

    /// Readable bytes that follow the content.
    public static let padding = 64
    /// The alignment of `baseAddress`, as the Arrow format recommends.
    public static let alignment = 64

    /// A buffer of no bytes.
    public static let empty = MutableBuffer(capacity: 0).finish()

    /// Takes over memory allocated with `Buffer.alignment` by `MutableBuffer`.
    fileprivate init(taking base: UnsafeMutableRawPointer, byteCount: Int) {
        self.baseAddress = UnsafeRawPointer(base)
        self.byteCount = byteCount
        self.owner = nil
    }

    /// A part of another buffer, without a copy. `offset` must be a multiple of `Buffer.alignment`.
    public init(_ whole: Buffer, from offset: Int, byteCount: Int) {
        precondition(
            offset >= 0 && byteCount >= 0 && offset + byteCount <= whole.byteCount && offset % Self.alignment == 0,
            "bytes \(offset) ..< \(offset + byteCount) of \(whole.byteCount)")
        self.baseAddress = whole.baseAddress + offset
        self.byteCount = byteCount
        self.owner = whole.owner ?? whole
    }

    deinit { if owner == nil { UnsafeMutableRawPointer(mutating: baseAddress).deallocate() } }

    /// Copies the bytes of `source`.
    public convenience init(copying source: UnsafeRawBufferPointer) {
        let memory = MutableBuffer.allocate(capacity: source.count)
        if let base = source.baseAddress { memory.copyMemory(from: base, byteCount: source.count) }
        self.init(taking: memory, byteCount: source.count)
    }

    /// Copies the elements of `array` as they lie in memory.
    public convenience init<T: BitwiseCopyable>(_ array: [T]) {
        let count = array.count * MemoryLayout<T>.stride
        let memory = MutableBuffer.allocate(capacity: count)
        array.withUnsafeBytes { if let base = $0.baseAddress { memory.copyMemory(from: base, byteCount: count) } }
        self.init(taking: memory, byteCount: count)
    }

    /// The content as raw bytes. The pointer must not outlive this object.
    @inlinable public var bytes: UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: baseAddress, count: byteCount)
    }

    /// The content seen as elements of `type`. The pointer must not outlive this object.
    @inlinable public func elements<T: BitwiseCopyable>(of type: T.Type) -> UnsafeBufferPointer<T> {
        UnsafeBufferPointer(
            start: baseAddress.assumingMemoryBound(to: T.self), count: byteCount / MemoryLayout<T>.stride)
    }

    /// The first element's address, seen as `type`. The pointer must not outlive this object.
    @inlinable public func pointer<T: BitwiseCopyable>(to type: T.Type) -> UnsafePointer<T> {
        baseAddress.assumingMemoryBound(to: T.self)
    }

    fileprivate static func adopt(_ base: UnsafeMutableRawPointer, byteCount: Int) -> Buffer {
        Buffer(taking: base, byteCount: byteCount)
    }
}

/// Growable memory with one owner; `finish()` turns it into an immutable `Buffer` without a copy.
///
/// Invariant: `byteCount <= capacity`, and `capacity + Buffer.padding` bytes are allocated at `base`.
public struct MutableBuffer: ~Copyable {
    /// The first byte. Changes when the buffer grows.
    public private(set) var base: UnsafeMutableRawPointer
    /// Bytes written so far. A writer that fills memory through `base` sets it afterwards.
    public var byteCount: Int
    /// Bytes that fit before the next growth.
    public private(set) var capacity: Int

    /// Allocates room for `capacity` bytes.
    public init(capacity: Int) {
        self.capacity = capacity
        self.base = Self.allocate(capacity: capacity)
        self.byteCount = 0
    }

    deinit { base.deallocate() }

    fileprivate static func allocate(capacity: Int) -> UnsafeMutableRawPointer {
        .allocate(byteCount: capacity + Buffer.padding, alignment: Buffer.alignment)
    }

    /// Makes sure that `additional` more bytes fit. Amortised constant time per byte.
    @inlinable public mutating func reserve(_ additional: Int) {
        if byteCount + additional > capacity { grow(to: byteCount + additional) }
    }

    @usableFromInline mutating func grow(to needed: Int) {
        let newCapacity = max(needed, capacity * 2, 64)
        let memory = Self.allocate(capacity: newCapacity)
        memory.copyMemory(from: base, byteCount: byteCount)
        base.deallocate()
        base = memory
        capacity = newCapacity
    }

    /// Appends the bytes of `value` as they lie in memory (little-endian on every supported machine).
    @inlinable public mutating func append<T: BitwiseCopyable>(_ value: T) {
        reserve(MemoryLayout<T>.size)
        base.storeBytes(of: value, toByteOffset: byteCount, as: T.self)
        byteCount += MemoryLayout<T>.size
    }

    /// Appends raw bytes.
    @inlinable public mutating func append(_ bytes: UnsafeRawBufferPointer) {
        guard let source = bytes.baseAddress, bytes.count > 0 else { return }
        reserve(bytes.count)
        (base + byteCount).copyMemory(from: source, byteCount: bytes.count)
        byteCount += bytes.count
    }

    /// Appends `count` zero bytes.
    public mutating func appendZeros(_ count: Int) {
        reserve(count)
        (base + byteCount).initializeMemory(as: UInt8.self, repeating: 0, count: count)
        byteCount += count
    }

    /// The written bytes. The pointer is valid until the next mutation.
    @inlinable public var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: base, count: byteCount) }

    /// Hands the memory over to an immutable buffer. Constant time.
    public consuming func finish() -> Buffer {
        let buffer = Buffer.adopt(base, byteCount: byteCount)
        discard self
        return buffer
    }
}
