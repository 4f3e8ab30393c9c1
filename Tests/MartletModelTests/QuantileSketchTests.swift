import MartletTestSupport
import Testing

@testable import MartletModel

@Suite struct QuantileSketchTests {
    private static let odd: [Double] = [
        0, -0.0, 1, -1, .infinity, -.infinity, .nan, .leastNonzeroMagnitude, -.greatestFiniteMagnitude, 1e-300, 3.5,
    ]

    private func sample(_ random: inout SeededGenerator, _ count: Int) -> [Double] {
        (0..<count).map { _ in
            Int.random(in: 0..<8, using: &random) == 0
                ? Self.odd.randomElement(using: &random)! : Double.random(in: -1_000...1_000, using: &random)
        }
    }

    @Test(arguments: [1, 2, 3] as [UInt64])
    func quantilesAreWithinOnePerCent(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let values = (0..<3_000).map { _ in Double.random(in: 0.001...1_000, using: &random) }
        var sketch = QuantileSketch()
        for value in values { sketch.add(value) }
        let sorted = values.sorted()
        for fraction in [0, 0.01, 0.5, 0.9, 0.99, 1] {
            let exact = sorted[Int(Double(sorted.count - 1) * fraction)]
            let found = try #require(sketch.quantile(fraction))
            #expect(abs(found - exact) <= 0.0101 * exact, "\(fraction): \(found) for \(exact)")
        }
    }

    @Test(arguments: [4, 5, 6] as [UInt64])
    func theOrderOfMergingDoesNotMatter(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let values = sample(&random, 2_000)
        var whole = QuantileSketch()
        var parts = (0..<7).map { _ in QuantileSketch() }
        for (index, value) in values.enumerated() {
            whole.add(value)
            parts[index % 7].add(value)
        }
        whole.settle()
        var merged = QuantileSketch()
        for part in parts.shuffled(using: &random) { merged.merge(part) }
        #expect(merged == whole)
        #expect(merged.count == 2_000)
    }

    @Test(arguments: 0..<200)
    func anySketchComesBackFromItsText(seed: Int) throws {
        var random = SeededGenerator(seed: UInt64(seed))
        var sketch = QuantileSketch()
        for value in sample(&random, Int.random(in: 0..<300, using: &random)) { sketch.add(value) }
        sketch.settle()
        let hasNumbers = sketch.least <= sketch.greatest
        let back = QuantileSketch(
            text: sketch.text, least: hasNumbers ? sketch.least : nil, greatest: hasNumbers ? sketch.greatest : nil)
        #expect(back == sketch)
        var damaged = Array(sketch.text.unicodeScalars)
        for _ in 0..<3 {
            let place = Int.random(in: 0..<damaged.count, using: &random)
            damaged[place] = Unicode.Scalar(UInt32.random(in: 0..<0xd800, using: &random)) ?? " "
        }
        var text = ""
        text.unicodeScalars.append(contentsOf: damaged.prefix(Int.random(in: 0...damaged.count, using: &random)))
        _ = QuantileSketch(text: text, least: 0, greatest: 1)
    }

    @Test func soManyOfOneValueAreAsIfAddedOneByOne() {
        var (one, other) = (QuantileSketch(), QuantileSketch())
        for value in [3.5, 0, -2, .nan] {
            for _ in 0..<5 { one.add(value) }
            other.add(value, count: 5)
        }
        one.settle()
        #expect(one == other)
    }

    @Test func numbersComeBackFromTheirText() {
        let numbers = [0, 1, 93, 94, 2_014, 2_015, 0xd7de, 0xd7df, 0xd7e0, 1 << 20 - 1, 1 << 20, 1 << 40, .max]
        var writer = NumberText()
        for number in numbers {
            writer.write(number)
            writer.write("a ! \u{1F426}")
        }
        var reader = NumberText.Reader(writer.text)
        for number in numbers {
            #expect(reader.read() == number)
            #expect(reader.readString() == "a ! \u{1F426}")
        }
        #expect(reader.isAtEnd && reader.read() == nil)
        #expect(NumberText.Reader("\u{7f}").isAtEnd == false)
    }
}
