import MartletModel

/// What a stored word means, beyond its bits.
enum WordConversion: Equatable {
    /// The word is the value.
    case none
    /// A count of units of so many nanoseconds.
    case nanoseconds(unit: Int64)
    /// The 32 bits of a float.
    case float
    /// An integer with so many decimal places.
    case decimal(scale: Int32)

    /// Converts words in place.
    ///
    /// - Throws: `.outOfRange` for a time outside what 64 bits of nanoseconds hold.
    func apply(_ words: UnsafeMutablePointer<UInt64>, count: Int) throws(MartletError) {
        switch self {
        case .none: break
        case .nanoseconds(let unit):
            if unit == 1 { return }
            for index in 0..<count {
                let value = Int64(bitPattern: words[index])
                let (product, overflow) = value.multipliedReportingOverflow(by: unit)
                guard !overflow else {
                    throw MartletError(
                        .outOfRange, "the time \(value) (in units of \(unit) ns) lies outside the years 1677 to 2262")
                }
                words[index] = UInt64(bitPattern: product)
            }
        case .float:
            for index in 0..<count {
                words[index] = Double(Float(bitPattern: UInt32(truncatingIfNeeded: words[index]))).bitPattern
            }
        case .decimal(let scale):
            var divisor = 1.0
            for _ in 0..<scale { divisor *= 10 }
            for index in 0..<count { words[index] = (Double(Int64(bitPattern: words[index])) / divisor).bitPattern }
        }
    }
}

/// A column of a file that can be read: what it is stored as and what it becomes.
struct ColumnLeaf {
    let name: String
    /// The place of its chunks in each row group.
    let ordinal: Int
    let physical: PhysicalType
    let isOptional: Bool
    let type: ColumnType
    let conversion: WordConversion
    /// Whether 32-bit integers are extended with zeros rather than their sign.
    let isUnsigned: Bool
}

/// The columns of a file's schema.
struct FileSchema {
    /// A top-level column: a leaf that can be read, or why it can't be.
    struct Entry {
        let name: String
        let leaf: ColumnLeaf?
        let obstacle: String
    }

    private(set) var entries: [Entry] = []
    private(set) var leafCount = 0

    /// - Throws: `.corrupt` when the elements are not a tree.
    init(_ elements: [SchemaElement]) throws(MartletError) {
        guard let root = elements.first, let children = root.childCount, children > 0 else {
            throw MartletError(.corrupt, "the Parquet schema has no columns")
        }
        var index = 1
        for _ in 0..<children {
            guard index < elements.count else { throw Self.cutOff }
            let element = elements[index]
            if (element.childCount ?? 0) > 0 {
                try skipGroup(elements, &index)
                entries.append(Entry(name: element.name, leaf: nil, obstacle: "is nested"))
            } else {
                entries.append(Self.entry(element, ordinal: leafCount))
                leafCount += 1
                index += 1
            }
        }
        guard index == elements.count else {
            throw MartletError(.corrupt, "the Parquet schema has \(elements.count - index) elements too many")
        }
    }

    /// Passes over a group, counting its leaves.
    private mutating func skipGroup(_ elements: [SchemaElement], _ index: inout Int) throws(MartletError) {
        var open = 1
        while open > 0 {
            guard index < elements.count else { throw Self.cutOff }
            open -= 1
            let children = Int(elements[index].childCount ?? 0)
            guard children >= 0, children <= elements.count else { throw Self.cutOff }
            if children > 0 { open += children } else { leafCount += 1 }
            index += 1
        }
    }

    private static var cutOff: MartletError {
        MartletError(.corrupt, "the Parquet schema names more columns than it describes")
    }

    private static func entry(_ element: SchemaElement, ordinal: Int) -> Entry {
        func unreadable(_ obstacle: String) -> Entry { Entry(name: element.name, leaf: nil, obstacle: obstacle) }
        guard let physical = element.type else {
            return unreadable("is of unknown physical type \(element.typeNumber ?? -1)")
        }
        guard let repetition = element.repetition, repetition != .repeated else {
            return unreadable("is a list of values")
        }
        guard let (type, conversion, unsigned) = meaning(element, physical) else {
            return unreadable("is \(annotation(element)) stored as \(physical.name)")
        }
        return Entry(
            name: element.name,
            leaf: ColumnLeaf(
                name: element.name, ordinal: ordinal, physical: physical, isOptional: repetition == .optional,
                type: type, conversion: conversion, isUnsigned: unsigned), obstacle: "")
    }

    private static func annotation(_ element: SchemaElement) -> String {
        if case .unsupported(let name) = element.logicalType { return name }
        if let logical = element.logicalType { return "\(logical)" }
        if let converted = element.convertedType { return "\(converted)".uppercased() }
        return "without a logical type"
    }

    /// The column type that a stored type becomes, or `nil` when there is none.
    private static func meaning(
        _ element: SchemaElement, _ physical: PhysicalType
    ) -> (ColumnType, WordConversion, unsigned: Bool)? {
        let logical = element.logicalType ?? converted(element)
        switch (physical, logical) {
        case (.boolean, nil): return (.bool, .none, false)
        case (.float, nil): return (.float64, .float, false)
        case (.double, nil): return (.float64, .none, false)
        case (.int32, nil), (.int64, nil), (.int32, .unknown), (.int64, .unknown): return (.int64, .none, false)
        case (.boolean, .unknown): return (.bool, .none, false)
        case (.double, .unknown): return (.float64, .none, false)
        case (.int96, nil): return (.timestamp, .none, false)
        case (.int32, .integer(_, let signed)), (.int64, .integer(_, let signed)):
            return (signed ? .int64 : .uint64, .none, !signed)
        case (.int64, .timestamp(let unit, _)): return (.timestamp, .nanoseconds(unit: unit.nanoseconds), false)
        case (.int32, .date): return (.timestamp, .nanoseconds(unit: 86_400_000_000_000), false)
        case (.int32, .decimal(let scale, _)), (.int64, .decimal(let scale, _)):
            return (0...18).contains(scale) ? (.float64, .decimal(scale: scale), false) : nil
        case (.byteArray, nil), (.byteArray, .string), (.byteArray, .enumeration), (.byteArray, .json),
            (.byteArray, .unknown):
            return (.string, .none, false)
        default: return nil
        }
    }

    /// The logical type that the older annotation stands for.
    private static func converted(_ element: SchemaElement) -> LogicalType? {
        switch element.convertedType {
        case nil: nil
        case .utf8: .string
        case .enumeration: .enumeration
        case .json: .json
        case .decimal: .decimal(scale: element.scale ?? 0, precision: element.precision ?? 0)
        case .date: .date
        case .timestampMillis: .timestamp(unit: .milliseconds, utc: true)
        case .timestampMicros: .timestamp(unit: .microseconds, utc: true)
        case .uint8: .integer(bits: 8, signed: false)
        case .uint16: .integer(bits: 16, signed: false)
        case .uint32: .integer(bits: 32, signed: false)
        case .uint64: .integer(bits: 64, signed: false)
        case .int8: .integer(bits: 8, signed: true)
        case .int16: .integer(bits: 16, signed: true)
        case .int32: .integer(bits: 32, signed: true)
        case .int64: .integer(bits: 64, signed: true)
        case .map, .mapKeyValue, .list, .bson, .interval, .timeMillis, .timeMicros:
            .unsupported("\(element.convertedType!)".uppercased())
        }
    }
}
