import MartletModel

/// Patched bit-packing (PFOR, Zukowski et al., ICDE 2006) of integers, differences or differences of differences, in
/// vectors of 1,024 that decode on their own.
///
/// With `y = (x - low) / gcd`, a vector stores for each value a residual that is `y - base` (`.reference`), the
/// zig-zag of `y - previous - step` (`.delta`) or of the change of that difference (`.deltaOfDelta`). Residuals take
/// `width` bits; the few that need more have their upper bits in a patch list.
enum PackedIntegers {
    enum Mode: UInt8, CaseIterable {
        case reference = 0
        case delta = 1
        case deltaOfDelta = 2
    }

    static let vectorLength = BitPacking.vectorLength

    /// How one vector's residuals are cut into packed low bits and patched high bits.
    struct Cut {
        var width = 0
        var patches = 0
        var highWidth = 0

        var hasPatches: Bool { patches > 0 }

        func payload(_ count: Int) -> Int {
            BitPacking.byteCount(count, width: width) + (patches * 10 + 7) >> 3 + (patches * highWidth + 7) >> 3
        }

        /// The cheapest cut for `count` residuals of which `histogram[b]` are `b` bits long.
        static func best(histogram: UnsafePointer<UInt32>, count: Int) -> Cut {
            var longest = 64
            while longest > 0 && histogram[longest] == 0 { longest -= 1 }
            var best = Cut(width: longest)
            var bestCost = longest * count
            var above = 0
            var width = longest
            while width > 0 {
                above += Int(histogram[width])
                width -= 1
                if above > count / 4 { break }
                let cost = width * count + above * (10 + longest - width) + 24
                if cost < bestCost {
                    bestCost = cost
                    best = Cut(width: width, patches: above, highWidth: longest - width)
                }
            }
            return best
        }
    }
}
