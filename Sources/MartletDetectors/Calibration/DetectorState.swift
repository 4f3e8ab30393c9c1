import MartletModel

extension AnomalyScorer {
    static let magic: [UInt8] = Array("MDST".utf8)
    static let version: UInt8 = 1

    /// Everything that the scorer has learnt, as versioned bytes: format-spec/detector-state.md.
    public func state() -> [UInt8] {
        var archive = StateArchive()
        do throws(MartletError) {
            var name = method.name
            var version = Self.version
            var dimensions = dimensions
            for byte in Self.magic {
                var byte = byte
                try archive.transfer(&byte)
            }
            try archive.transfer(&version)
            try archive.transfer(&name)
            try archive.transfer(&dimensions, in: 1...65_535)
            _ = try archive.transferCount(parameters.names.count, maximum: 255, bytesEach: 9)
            for name in parameters.names {
                var name = name
                var value = parameters[name]
                try archive.transfer(&name)
                try archive.transfer(&value)
            }
            try transfer(&archive)
        } catch {
            // Writing fails only where a value is outside the range that reading accepts: a defect of a detector.
            preconditionFailure("the state of '\(method.name)' cannot be written: \(error)")
        }
        return archive.bytes
    }
}

extension DetectorRegistry {
    /// The scorer whose state `bytes` are.
    ///
    /// - Throws: `.corrupt` for bytes that are no state, `.unsupportedVersion` for those of a newer version,
    ///   `.notFound` for a kind of detector that is not registered.
    public func scorer(restoring bytes: [UInt8]) throws(MartletError) -> AnomalyScorer {
        var archive = StateArchive(reading: bytes)
        for byte in AnomalyScorer.magic {
            var code: UInt8 = 0
            try archive.transfer(&code)
            guard code == byte else { throw StateArchive.corrupt("does not begin with MDST") }
        }
        var version: UInt8 = 0
        try archive.transfer(&version)
        guard version == AnomalyScorer.version else {
            throw MartletError(
                .unsupportedVersion, "the state of a detector is of version \(version); this build reads 1")
        }
        var name = ""
        var dimensions = 0
        try archive.transfer(&name)
        let method = try method(name)
        try archive.transfer(&dimensions, in: 1...65_535)
        var parameters = try parameters(of: name)
        let count = try archive.transferCount(0, maximum: 255, bytesEach: 9)
        for _ in 0..<count {
            var name = ""
            var value = 0.0
            try archive.transfer(&name)
            try archive.transfer(&value)
            do throws(MartletError) { try parameters.set(name, value) } catch {
                throw StateArchive.corrupt("names a parameter that cannot be: \(error.message)")
            }
        }
        let scorer: AnomalyScorer
        do throws(MartletError) {
            scorer = try AnomalyScorer(method, parameters, dimensions: dimensions, registry: self)
        } catch { throw StateArchive.corrupt("cannot be: \(error.message)") }
        try scorer.transfer(&archive)
        guard archive.isAtEnd else { throw StateArchive.corrupt("is followed by other bytes") }
        return scorer
    }
}
