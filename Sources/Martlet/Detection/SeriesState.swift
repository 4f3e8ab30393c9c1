import MartletDetectors
import MartletModel
import MartletStorage

/// What a detector knows of one series or group.
final class SeriesState {
    /// An event that is under way: anomalous rows that follow each other.
    struct Event {
        var start: Int64
        var end: Int64
        var peakTime: Int64
        var peakSignificance: Double
        var peakScore: Double
        var peakValue: Double
        var severity: Severity
        var rowCount: Int64
        /// Rows since the last anomalous one.
        var quiet: Int64
    }

    let tags: [(key: String, value: String)]
    /// `host=a,region=north`, with a backslash before backslashes, commas and equals signs of the texts.
    let name: String
    let scorer: AdaptiveScorer
    /// The detector's model version when the series was first seen; each relearning adds one.
    let firstVersion: Int64
    /// When the model began to judge, by the engine's clock.
    var trainedAt: Int64?
    /// The time of the last row that was judged or learnt from.
    var cursor = Int64.min
    var rowCount: Int64 = 0
    var firstTime: Int64?
    /// Whether the rows of the baseline were learnt from.
    var isTrained = false
    /// Rows of the baseline so far.
    var learning: Baseline
    var event: Event?
    /// Whether it differs from what is stored.
    var isChanged = false

    var version: Int64 { firstVersion + scorer.relearnings }

    init(tags: [(key: String, value: String)], scorer: AdaptiveScorer, firstVersion: Int64) {
        self.tags = tags
        self.scorer = scorer
        self.firstVersion = firstVersion
        name = PairList.encode(tags.map { ($0.key, $0.value) })
        learning = Baseline(dimensions: scorer.scorer.dimensions)
    }

    // MARK: Coding

    private static let version: UInt64 = 2

    static func corrupt(_ detector: String) -> MartletError {
        MartletError(
            .corrupt, "the stored state of the detector '\(detector)' is not one that this version wrote",
            hint: "CREATE OR REPLACE DETECTOR lets it learn anew")
    }

    /// Everything as text, little-endian numbers in Base64: format-spec/stream-state.md.
    var encoded: String {
        var bytes: [UInt8] = []
        func put(_ value: UInt64) {
            for shift in 0..<8 { bytes.append(UInt8(truncatingIfNeeded: value >> (8 * UInt64(shift)))) }
        }
        func put(_ value: Int64) { put(UInt64(bitPattern: value)) }
        func put(_ text: String) {
            put(UInt64(text.utf8.count))
            bytes += text.utf8
        }
        put(Self.version)
        put(UInt64(tags.count))
        for tag in tags {
            put(tag.key)
            put(tag.value)
        }
        put(cursor)
        put(rowCount)
        put(firstTime ?? .min)
        put(firstVersion)
        put(trainedAt ?? .min)
        put(UInt64((isTrained ? 1 : 0) | (event == nil ? 0 : 2)))
        if let event {
            for value in [event.start, event.end, event.peakTime, event.rowCount, event.quiet] { put(value) }
            for value in [event.peakSignificance, event.peakScore, event.peakValue] { put(value.bitPattern) }
            put(UInt64(event.severity.rawValue))
        }
        bytes += scorer.state()
        return Base64.encode(bytes)
    }

    /// - Throws: `.corrupt`; what the registry throws for a detector that it does not know.
    convenience init(
        decoding encoded: String, of detector: String, registry: DetectorRegistry, followsDrift: Bool
    ) throws(MartletError) {
        guard let bytes = Base64.decode(encoded) else { throw Self.corrupt(detector) }
        var position = 0
        func word() throws(MartletError) -> UInt64 {
            guard bytes.count - position >= 8 else { throw Self.corrupt(detector) }
            defer { position += 8 }
            return (0..<8).reduce(0) { $0 | UInt64(bytes[position + $1]) << (8 * UInt64($1)) }
        }
        func number() throws(MartletError) -> Int64 { Int64(bitPattern: try word()) }
        func text() throws(MartletError) -> String {
            let count = try word()
            guard count <= UInt64(bytes.count - position) else { throw Self.corrupt(detector) }
            defer { position += Int(count) }
            return String(decoding: bytes[position..<position + Int(count)], as: UTF8.self)
        }
        guard try word() == Self.version else { throw Self.corrupt(detector) }
        let count = try word()
        guard count <= 1 << 16 else { throw Self.corrupt(detector) }
        var tags: [(key: String, value: String)] = []
        for _ in 0..<count { tags.append((try text(), try text())) }
        let cursor = try number()
        let rowCount = try number()
        let firstTime = try number()
        let firstVersion = try number()
        let trainedAt = try number()
        let flags = try word()
        var event: Event?
        if flags & 2 != 0 {
            let (start, end, peak, rows, quiet) = (try number(), try number(), try number(), try number(), try number())
            let (significance, score, value) = (try word(), try word(), try word())
            guard let severity = Severity(rawValue: Int(clamping: try word())) else { throw Self.corrupt(detector) }
            event = Event(
                start: start, end: end, peakTime: peak, peakSignificance: Double(bitPattern: significance),
                peakScore: Double(bitPattern: score), peakValue: Double(bitPattern: value), severity: severity,
                rowCount: rows, quiet: quiet)
        }
        self.init(
            tags: tags,
            scorer: try AdaptiveScorer(
                restoring: Array(bytes[position...]), registry: registry, followsDrift: followsDrift),
            firstVersion: firstVersion)
        self.trainedAt = trainedAt == .min ? nil : trainedAt
        self.cursor = cursor
        self.rowCount = rowCount
        self.firstTime = firstTime == .min ? nil : firstTime
        isTrained = flags & 1 != 0
        self.event = event
    }
}
