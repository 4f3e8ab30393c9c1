import MartletModel
import MartletTestSupport
import Testing

@Suite struct TagSetTests {
    @Test func tagsAreSortedByTheBytesOfTheirKeys() throws {
        let tags = try TagSet([("b", "2"), ("a", "1"), ("B", "3")])
        #expect(tags.tags.map(\.key) == ["B", "a", "b"])
        #expect(tags["a"] == "1")
        #expect(tags["c"] == nil)
    }

    @Test func canonicalBytesAreALengthAndTheTextTwiceATag() throws {
        #expect(try TagSet([("k", "vv"), ("a", "1")]).canonicalBytes == [1, 97, 1, 49, 1, 107, 2, 118, 118])
        #expect(TagSet.empty.canonicalBytes.isEmpty)
    }

    @Test func canonicalBytesReadBackToTheSameSet() throws {
        let long = String(repeating: "ü", count: 300)
        let tags = try TagSet([("host", "a b,c=d"), (long, long)])
        #expect(try tags.canonicalBytes.withUnsafeBytes { try TagSet(canonicalBytes: $0) } == tags)
    }

    @Test(arguments: [[("", "v")], [("k", "")], [("k", "1"), ("k", "2")]])
    func emptyAndRepeatedTagsAreRefused(pairs: [(String, String)]) {
        #expect(throws: MartletError.self) { try TagSet(pairs) }
    }

    @Test func mutatedCanonicalBytesNeverCrashTheReader() throws {
        let seed: UInt64 = 20_261_124
        var generator = SeededGenerator(seed: seed)
        let original = try TagSet([("host", "alpha"), ("region", "eu"), ("zone", "1")]).canonicalBytes
        var refused = 0
        for _ in 0..<5_000 {
            var bytes = original
            for _ in 0...Int.random(in: 0...2, using: &generator) {
                bytes[Int.random(in: 0..<bytes.count, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
            }
            bytes.removeLast(Int.random(in: 0...3, using: &generator))
            do { _ = try bytes.withUnsafeBytes { try TagSet(canonicalBytes: $0) } } catch { refused += 1 }
        }
        #expect(refused > 1_000, "seed \(seed)")
    }
}
