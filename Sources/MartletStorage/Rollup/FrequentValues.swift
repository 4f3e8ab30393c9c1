import MartletModel

/// The values of a text or truth field that are most frequent in a bucket, with how often each is there: enough for the most
/// frequent value of any union of buckets to be exact, as long as there are few different ones.
package struct FrequentValues: Sendable, Hashable {
    /// Different values that are kept; the frequent ones stay.
    private static let most = 16
    /// Different values that are counted while a bucket is made.
    private static let mostWhileCounting = 4_096
    /// Characters of a text beyond which it is not kept.
    private static let longest = 256

    /// How often each value is there.
    package private(set) var counts: [FieldValue: Int] = [:]
    /// How often values are there that are not kept.
    package private(set) var others = 0

    init() {}

    mutating func add(_ value: FieldValue, _ count: Int = 1) {
        if case .string(let text) = value, text.unicodeScalars.count > Self.longest {
            others += count
        } else if counts[value] != nil || counts.count < Self.mostWhileCounting {
            counts[value, default: 0] += count
        } else {
            others += count
        }
    }

    mutating func merge(_ other: FrequentValues) {
        for (value, count) in other.counts { add(value, count) }
        others += other.others
    }

    /// Whether the most frequent value is known for sure: no value that was dropped could be more frequent.
    package var isCertain: Bool { others == 0 || others < (counts.values.max() ?? 0) }

    // MARK: Coding

    /// As text: see format-spec/rollup.md. Keeps the most frequent ones, the least of them first where they are as frequent.
    var text: String {
        let sorted = counts.map { (Self.text($0.key), $0.value) }.sorted { ($1.1, $0.0) < ($0.1, $1.0) }
        let kept = sorted.prefix(Self.most)
        var writer = NumberText()
        writer.write(others + sorted.dropFirst(Self.most).reduce(0) { $0 + $1.1 })
        for (value, count) in kept {
            writer.write(count)
            writer.write(value)
        }
        return writer.text
    }

    private static func text(_ value: FieldValue) -> String {
        switch value {
        case .string(let text): text
        case .bool(let flag): flag ? "true" : "false"
        default: ""
        }
    }

    /// - Returns: `nil` where the text is none that was written for a field of this type.
    init?(text: String, _ type: ColumnType) {
        var reader = NumberText.Reader(text)
        guard let others = reader.read() else { return nil }
        self.others = others
        while !reader.isAtEnd {
            guard let count = reader.read(), let value = reader.readString() else { return nil }
            switch (type, value) {
            case (.string, _): counts[.string(value)] = count
            case (.bool, "true"): counts[.bool(true)] = count
            case (.bool, "false"): counts[.bool(false)] = count
            default: return nil
            }
        }
    }
}
