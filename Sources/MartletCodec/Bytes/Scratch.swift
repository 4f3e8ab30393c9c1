import MartletModel

/// Working memory of `count` elements, freed with its owner.
///
/// Invariants: `pointer` addresses `count` elements plus `Buffer.padding` bytes; the content is unspecified until
/// written; elements are trivial.
struct Scratch<Element: BitwiseCopyable>: ~Copyable {
    let pointer: UnsafeMutablePointer<Element>
    let count: Int

    init(count: Int) {
        let bytes = count * MemoryLayout<Element>.stride + Buffer.padding
        pointer = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: Buffer.alignment)
            .bindMemory(to: Element.self, capacity: count)
        self.count = count
    }

    deinit { UnsafeMutableRawPointer(pointer).deallocate() }
}
