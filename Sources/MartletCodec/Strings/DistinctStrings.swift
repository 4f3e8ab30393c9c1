import MartletModel

/// The distinct strings of a plain column, in order of appearance, and each row's index, where at most one in four is
/// distinct.
struct DistinctStrings: ~Copyable {
    let indices: Scratch<UInt32>
    private var offsets: [Int32] = [0]
    private var text: MutableBuffer

    /// `nil` when too many strings are distinct.
    init?(_ column: Column, _ rows: UnsafePointer<Int32>?, _ count: Int) {
        let limit = count / 4
        indices = Scratch(count: count)
        text = MutableBuffer(capacity: 256)
        guard count >= 8 else { return nil }
        let capacity = 1 << (BitPacking.bitLength(UInt64(limit)) + 1)
        let slots = Scratch<Int32>(count: capacity)
        slots.pointer.update(repeating: -1, count: capacity)
        for index in 0..<count {
            let string = column.stringBytes(rows.map { Int($0[index]) } ?? index)
            var slot = Self.hash(string) & (capacity - 1)
            while true {
                let place = Int(slots.pointer[slot])
                if place < 0 {
                    guard offsets.count <= limit else { return nil }
                    slots.pointer[slot] = Int32(offsets.count - 1)
                    indices.pointer[index] = UInt32(offsets.count - 1)
                    text.append(string)
                    offsets.append(Int32(text.byteCount))
                    break
                }
                let start = Int(offsets[place])
                let entry = UnsafeRawBufferPointer(start: text.base + start, count: Int(offsets[place + 1]) - start)
                if entry.elementsEqual(string) {
                    indices.pointer[index] = UInt32(place)
                    break
                }
                slot = (slot + 1) & (capacity - 1)
            }
        }
    }

    func dictionary() -> StringDictionary {
        StringDictionary(offsets: Buffer(offsets), bytes: Buffer(copying: text.bytes), count: offsets.count - 1)
    }

    /// FNV-1a over words of eight bytes, and over what is left of the last.
    private static func hash(_ string: UnsafeRawBufferPointer) -> Int {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325 ^ UInt64(string.count)
        var index = 0
        while index + 8 <= string.count {
            hash = (hash ^ string.loadUnaligned(fromByteOffset: index, as: UInt64.self)) &* 0x9e37_79b9_7f4a_7c15
            hash ^= hash >> 29
            index += 8
        }
        while index < string.count {
            hash = (hash ^ UInt64(string[index])) &* 0x0000_0100_0000_01b3
            index += 1
        }
        return Int(truncatingIfNeeded: (hash ^ hash >> 32) & 0x7fff_ffff)
    }
}
