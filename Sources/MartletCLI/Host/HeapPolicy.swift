#if canImport(Glibc)
    import Glibc
#endif

/// Has the heap give large blocks back to the system at once.
///
/// glibc raises the size from which it does so to that of the largest block that was ever freed, up to 32 MiB (mallopt(3),
/// M_MMAP_THRESHOLD): a daemon whose tables of series have grown by doubling would keep what they left behind, twice the
/// memory that its limit says. Measured with 400,000 series and a limit of 256 MiB: 400 MB resident without this, 225 with.
enum HeapPolicy {
    private static let trimThreshold: Int32 = -1
    private static let mapThreshold: Int32 = -3
    private static let largeBlock: Int32 = 1 << 20

    /// Sets the policy for this process, where the C library knows it. To be called before much is allocated.
    static func apply() {
        #if canImport(Glibc)
            // Swift's module of the C library leaves malloc.h out.
            guard let symbol = dlsym(nil, "mallopt") else { return }
            let set = unsafeBitCast(symbol, to: (@convention(c) (Int32, Int32) -> Int32).self)
            _ = set(mapThreshold, largeBlock)
            _ = set(trimThreshold, largeBlock)
        #endif
    }
}
