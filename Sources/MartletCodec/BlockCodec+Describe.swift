import MartletModel

extension BlockCodec {
    /// The encoding of a block in words, outermost first: for `SHOW SEGMENTS`, benchmarks and tests.
    package static func describe(_ bytes: UnsafeRawBufferPointer) throws(MartletError) -> String {
        var reader = ByteReader(bytes)
        let header = try BlockHeader(&reader)
        var count = header.count
        if header.hasNulls {
            let validity = try BoolStream.decode(try reader.section(), count: count, range: 0..<count)
            count = Bitmap.countSet(validity.baseAddress, count: count)
        }
        guard count > 0 else { return "nothing" }
        switch header.type {
        case .timestamp, .int64, .uint64: return try IntegerDecoder(reader.rest, count: count).description
        case .float64: return try FloatDecoder(reader.rest, count: count).description
        case .bool: return BoolStream.Kind(rawValue: try reader.byte()).map { "\($0)" } ?? "unknown"
        case .string: return StringStream.Kind(rawValue: try reader.byte()).map { "\($0)" } ?? "unknown"
        case .interval: return "unknown"
        }
    }
}

extension IntegerDecoder {
    var description: String {
        switch self {
        case .constant: "constant"
        case .raw: "raw"
        case .packed(let decoder): "packed \(decoder.mode)"
        case .runs: "runs"
        case .pieces(let decoder): "pieces + \(decoder.residuals.description)"
        case .periodic: "periodic"
        case .listed: "listed"
        case .entropy(let decoder): "entropy \(decoder.plan.mode)\(decoder.tables.contexts == 4 ? " in context" : "")"
        case .dictionary(let decoder): "dictionary of \(decoder.indices.description)"
        }
    }
}

extension FloatDecoder {
    var description: String {
        switch self {
        case .constant: "constant"
        case .raw: "raw"
        case .decimal(let decoder): "decimal of \(decoder.integers.description)"
        case .single(let integers): "single of \(integers.description)"
        case .ordered(let integers): "ordered of \(integers.description)"
        case .patterns(let integers): "patterns of \(integers.description)"
        case .split: "split"
        case .nearDecimal(let decoder): "near decimal of \(decoder.integers.description)"
        }
    }
}
