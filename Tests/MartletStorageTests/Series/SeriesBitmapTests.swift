import MartletModel
import MartletTestSupport
import Testing

@testable import MartletStorage

/// Ids that mix the three container forms: sparse, dense and runs, in a few groups.
private func randomIds(_ generator: inout SeededGenerator) -> Set<UInt32> {
    var ids: Set<UInt32> = []
    for group in 0..<UInt32.random(in: 1...4, using: &generator) {
        let base = group * UInt32.random(in: 1...3, using: &generator) << 16
        switch Int.random(in: 0..<5, using: &generator) {
        case 0: for _ in 0..<20 { ids.insert(base + UInt32.random(in: 0..<65_536, using: &generator)) }
        case 1: for _ in 0..<6_000 { ids.insert(base + UInt32.random(in: 0..<65_536, using: &generator)) }
        case 2:
            for _ in 0..<5 {
                let start = UInt32.random(in: 0..<65_000, using: &generator)
                for low in start..<min(start + 1_000, 65_536) { ids.insert(base + low) }
            }
        case 3: for low in UInt32(0)..<65_536 { ids.insert(base + low) }
        default: break
        }
    }
    return ids
}

@Suite struct SeriesBitmapTests {
    @Test(arguments: 0..<12) func `set operations agree with Set`(seed: Int) {
        var generator = SeededGenerator(seed: UInt64(seed))
        let left = randomIds(&generator)
        let right = randomIds(&generator)
        let leftBitmap = SeriesBitmap(ascending: left.sorted())
        let rightBitmap = SeriesBitmap(ascending: right.sorted())
        #expect(leftBitmap.ids == left.sorted())
        #expect(leftBitmap.count == left.count)
        #expect(leftBitmap.intersection(rightBitmap).ids == left.intersection(right).sorted())
        #expect(leftBitmap.union(rightBitmap).ids == left.union(right).sorted())
        #expect(leftBitmap.subtracting(rightBitmap).ids == left.subtracting(right).sorted())
        #expect(leftBitmap.first == left.min())
    }

    @Test(arguments: 0..<12) func `insertion in any order gives the same set`(seed: Int) {
        var generator = SeededGenerator(seed: UInt64(seed) + 100)
        let ids = randomIds(&generator)
        var bitmap = SeriesBitmap()
        for id in ids { bitmap.insert(id) }
        for id in ids.prefix(10) { bitmap.insert(id) }
        #expect(bitmap == SeriesBitmap(ascending: ids.sorted()))
        var ascending = SeriesBitmap()
        for id in ids.sorted() { ascending.insert(id) }
        #expect(ascending == bitmap)
        for _ in 0..<1_000 {
            let probe = UInt32.random(in: 0..<(4 << 16), using: &generator)
            #expect(bitmap.contains(probe) == ids.contains(probe), "seed \(seed), id \(probe)")
        }
    }

    @Test func `inserting next to and into runs keeps the set right`() {
        var bitmap = SeriesBitmap(10..<20)
        for id: UInt32 in [20, 21, 9, 5, 15, 65_535, 65_536] { bitmap.insert(id) }
        #expect(bitmap.ids == [5] + Array(9...21) + [65_535, 65_536])
        var full = SeriesBitmap(0..<65_536)
        full.insert(65_535)
        full.insert(3)
        #expect(full == SeriesBitmap(0..<65_536))
    }

    @Test func `the complement within a universe leaves nothing outside it`() {
        let bitmap = SeriesBitmap(ascending: [3, 70_000, 200_000])
        let complement = bitmap.complement(within: 2..<100_000)
        #expect(complement.count == 99_998 - 2)
        #expect(!complement.contains(3) && !complement.contains(70_000) && !complement.contains(1))
        #expect(complement.contains(2) && complement.contains(99_999) && !complement.contains(100_000))
    }

    @Test(arguments: 0..<8) func `iteration and words give the same ids`(seed: Int) {
        var generator = SeededGenerator(seed: UInt64(seed) + 200)
        let ids = randomIds(&generator)
        let bitmap = SeriesBitmap(ascending: ids.sorted())
        #expect(Array(bitmap) == ids.sorted())
        var words = [UInt64](repeating: 0, count: 13 << 10)
        for id in ids { words[Int(id >> 6)] |= 1 << UInt64(id & 63) }
        #expect(words.withUnsafeBufferPointer { SeriesBitmap(words: $0) } == bitmap)
    }

    @Test(arguments: 0..<8) func `the stored form reads back and is no larger than the smallest container`(
        seed: Int
    ) throws {
        var generator = SeededGenerator(seed: UInt64(seed) + 300)
        let bitmap = SeriesBitmap(ascending: randomIds(&generator).sorted())
        var buffer = MutableBuffer(capacity: 0)
        bitmap.serialize(into: &buffer)
        let (read, byteCount) = try SeriesBitmap.deserialize(buffer.bytes)
        #expect(read == bitmap)
        #expect(byteCount == buffer.byteCount)
        #expect(buffer.byteCount <= 4 + bitmap.keys.count * (6 + 8_192))
    }

    @Test func `mutated bytes are refused or read as some set, and never crash`() {
        var generator = SeededGenerator(seed: 400)
        var buffer = MutableBuffer(capacity: 0)
        SeriesBitmap(ascending: [1, 2, 3, 10, 70_000]).union(SeriesBitmap(200_000..<210_000)).serialize(into: &buffer)
        var refused = 0
        for _ in 0..<5_000 {
            var bytes = Array(buffer.bytes)
            for _ in 0..<Int.random(in: 1...3, using: &generator) {
                bytes[Int.random(in: 0..<bytes.count, using: &generator)] = .random(in: 0...255, using: &generator)
            }
            let cut = Bool.random(using: &generator) ? bytes.count : Int.random(in: 0..<bytes.count, using: &generator)
            do {
                let (read, byteCount) = try Array(bytes[..<cut]).withRawBytes(SeriesBitmap.deserialize)
                #expect(byteCount <= cut)
                #expect(read.ids == Set(read.ids).sorted())
            } catch {
                #expect(error.code == .corrupt)
                refused += 1
            }
        }
        #expect(refused > 1_000)
    }
}
