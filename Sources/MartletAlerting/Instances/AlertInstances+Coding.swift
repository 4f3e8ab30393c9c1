import MartletModel

/// The stored form of a rule's instances: format-spec/stream-state.md.
extension AlertInstances {
    private static let version: UInt64 = 1
    private static let states: [AlertTransition.State?] = [nil, .pending, .firing]

    /// Versioned bytes.
    package var bytes: [UInt8] {
        var bytes: [UInt8] = []
        func put(_ value: UInt64) {
            for shift in 0..<8 { bytes.append(UInt8(truncatingIfNeeded: value >> (8 * UInt64(shift)))) }
        }
        func put(_ value: Int64) { put(UInt64(bitPattern: value)) }
        func put(_ text: String) {
            put(UInt64(text.utf8.count))
            bytes += text.utf8
        }
        func put(_ pairs: [String: String]) {
            put(UInt64(pairs.count))
            for (key, value) in pairs.sorted(by: { $0.key < $1.key }) {
                put(key)
                put(value)
            }
        }
        put(Self.version)
        put(UInt64(lastEvaluation == nil ? 0 : 1))
        put(lastEvaluation ?? 0)
        put(UInt64(instances.count))
        for (_, instance) in instances.sorted(by: { $0.key < $1.key }) {
            put(instance.labels)
            put(instance.columns)
            put(UInt64(instance.value == nil ? 0 : 1))
            put((instance.value ?? 0).bitPattern)
            put(UInt64(Self.states.firstIndex(of: instance.state) ?? 0))
            put(instance.activeSince)
            put(instance.endedAt ?? .min)
            put(UInt64(instance.firings.count))
            for time in instance.firings { put(time) }
            put(UInt64(instance.isFlapping ? 1 : 0))
        }
        return bytes
    }

    /// Reads `bytes` back.
    ///
    /// - Throws: `.corrupt` for other bytes, `.unsupportedVersion` for those of a newer version.
    package init(_ bytes: [UInt8]) throws(MartletError) {
        self.init()
        var position = 0
        func corrupt() -> MartletError {
            MartletError(.corrupt, "the stored state of an alert is damaged at byte \(position)")
        }
        func word() throws(MartletError) -> UInt64 {
            guard bytes.count - position >= 8 else { throw corrupt() }
            defer { position += 8 }
            return (0..<8).reduce(0) { $0 | UInt64(bytes[position + $1]) << (8 * UInt64($1)) }
        }
        func count(_ bytesEach: Int) throws(MartletError) -> Int {
            let value = try word()
            guard value <= UInt64((bytes.count - position) / bytesEach) else { throw corrupt() }
            return Int(value)
        }
        func flag() throws(MartletError) -> Bool {
            let value = try word()
            guard value <= 1 else { throw corrupt() }
            return value == 1
        }
        func text() throws(MartletError) -> String {
            let length = try count(1)
            defer { position += length }
            guard let text = String(validating: bytes[position..<position + length], as: UTF8.self) else {
                throw corrupt()
            }
            return text
        }
        func pairs() throws(MartletError) -> [String: String] {
            var pairs: [String: String] = [:]
            for _ in 0..<(try count(16)) { pairs[try text()] = try text() }
            return pairs
        }
        guard try word() == Self.version else {
            throw MartletError(.unsupportedVersion, "the stored state of an alert is of another version")
        }
        let hasRun = try flag()
        let last = Int64(bitPattern: try word())
        lastEvaluation = hasRun ? last : nil
        for _ in 0..<(try count(72)) {
            let (labels, columns) = (try pairs(), try pairs())
            let hasValue = try flag()
            let value = Double(bitPattern: try word())
            let place = try word()
            guard place < UInt64(Self.states.count) else { throw corrupt() }
            var instance = Instance(
                labels: labels, columns: columns, value: hasValue ? value : nil, state: Self.states[Int(place)],
                activeSince: Int64(bitPattern: try word()))
            let ended = Int64(bitPattern: try word())
            instance.endedAt = ended == .min ? nil : ended
            for _ in 0..<(try count(8)) { instance.firings.append(Int64(bitPattern: try word())) }
            instance.isFlapping = try flag()
            guard instances.updateValue(instance, forKey: Self.fingerprint(labels)) == nil else { throw corrupt() }
        }
        guard position == bytes.count else { throw corrupt() }
    }
}
