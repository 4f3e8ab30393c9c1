import MartletModel
import MartletQuery

/// How the columns of a CSV file map to a table.
struct CSVLayout: Sendable, Equatable {
    /// What a column of the file becomes.
    enum Target: Sendable, Equatable {
        case time
        case tag
        case field(ColumnType)
        /// Not imported.
        case skipped
    }

    /// How moments are written.
    enum TimeForm: Sendable, Equatable {
        /// RFC 3339 and what SQL takes.
        case text
        /// A number of so many nanoseconds since the epoch.
        case number(unit: Int64)
    }

    var names: [String]
    var targets: [Target]
    var timeForm: TimeForm
    /// The column of role time; `nil`: rows get the time of the import.
    var timeColumn: Int? { targets.firstIndex(of: .time) }

    /// What the command line says.
    struct Request: Sendable {
        var timeColumn: String?
        /// Nanoseconds in a unit of a numeric time; `nil`: guessed from the size of the first number.
        var timeUnit: Int64?
        var tags: Set<String> = []
        var types: [String: ColumnType] = [:]
        var skipped: Set<String> = []
    }

    /// Names that a time column goes by, the likeliest first.
    private static let timeNames = ["time", "timestamp", "_time", "ts", "datetime", "date_time", "date", "day"]

    /// Reads the header and the first records: finds the time column and infers each field's type.
    ///
    /// - Parameter stored: roles and types of a table that exists already; they win over what the file looks like.
    /// - Throws: `.invalidArgument` for options that do not fit the header.
    init(
        header: [String], sample: [CSVScanner.Record], request: Request, stored: [String: Target] = [:]
    ) throws(MartletError) {
        let names = header.map { $0.trimmingSpaces() }
        if let twice = names.first(where: { name in names.filter { $0 == name }.count > 1 }) {
            throw MartletError(.invalidArgument, "column '\(twice)' is in the header twice")
        }
        if names.contains("") { throw MartletError(.invalidArgument, "a column of the header has no name") }
        let named = Set(request.types.keys).union(request.tags).union(request.skipped)
            .union(request.timeColumn.map { [$0] } ?? [])
        if let unknown = named.subtracting(names).sorted().first {
            throw MartletError(
                .invalidArgument, "there is no column '\(unknown)' in the header",
                hint: "the columns are \(names.joined(separator: ", "))")
        }
        var time = request.timeColumn.flatMap { names.firstIndex(of: $0) }
        if time == nil {
            time =
                Self.timeNames.lazy.compactMap { wanted in
                    names.firstIndex { $0.lowercased() == wanted && !named.contains($0) }
                }.first
        }
        if time == nil {
            // No telling name: the first column all of whose values are moments.
            time = names.indices.first { index in
                !named.contains(names[index])
                    && Self.holds(sample, index) { $0.withUnsafeBytes { TimeText.parse($0) != nil } }
            }
        }
        let targets: [Target] = names.enumerated().map { index, name in
            if index == time { return .time }
            if request.skipped.contains(name) { return .skipped }
            if request.tags.contains(name) { return .tag }
            if let type = request.types[name] { return .field(type) }
            if let target = stored[name], target != .time { return target }
            return .field(Self.inferredType(sample, index))
        }
        guard targets.contains(where: { if case .field = $0 { true } else { false } }) else {
            throw MartletError(
                .invalidArgument, "no column is left to be a field", hint: "a row needs one besides its time and tags")
        }
        self.names = names
        self.targets = targets
        timeForm = Self.timeForm(sample, time, unit: request.timeUnit)
    }

    private static func timeForm(_ sample: [CSVScanner.Record], _ time: Int?, unit: Int64?) -> TimeForm {
        guard let time else { return .text }
        for record in sample where time < record.count && !record.isMissing(time) {
            guard let number = CSVValue.float(record.field(time)) else { return .text }
            if let unit { return .number(unit: unit) }
            // Seconds of this century have ten digits; each finer unit has three more.
            switch number.magnitude {
            case ..<1e11: return .number(unit: 1_000_000_000)
            case ..<1e14: return .number(unit: 1_000_000)
            case ..<1e17: return .number(unit: 1000)
            default: return .number(unit: 1)
            }
        }
        return unit.map { .number(unit: $0) } ?? .text
    }

    /// The narrowest of BIGINT, UBIGINT, DOUBLE, BOOLEAN and VARCHAR that holds all values of the sample.
    private static func inferredType(_ sample: [CSVScanner.Record], _ index: Int) -> ColumnType {
        if holds(sample, index, { CSVValue.integer($0) != nil }) { return .int64 }
        if holds(sample, index, { CSVValue.unsigned($0) != nil }) { return .uint64 }
        if holds(sample, index, { CSVValue.float($0) != nil }) { return .float64 }
        if holds(sample, index, { CSVValue.boolean($0) != nil }) { return .bool }
        return .string
    }

    /// Whether the column has values in the sample and each passes.
    private static func holds(
        _ sample: [CSVScanner.Record], _ index: Int, _ passes: (ArraySlice<UInt8>) -> Bool
    ) -> Bool {
        var hasAny = false
        for record in sample where index < record.count && !CSVValue.isMissing(record, index) {
            guard passes(record.field(index)) else { return false }
            hasAny = true
        }
        return hasAny
    }
}

/// Values out of the fields of a record.
enum CSVValue {
    /// Whether the field says nothing: empty, or one of the words that programs write for a missing value.
    static func isMissing(_ record: CSVScanner.Record, _ index: Int) -> Bool {
        let field = record.field(index)
        if record.quoted[index] { return false }
        switch field.count {
        case 0: return true
        case 2: return field.elementsEqual("NA".utf8)
        case 3: return ["NaN", "nan", "N/A"].contains { field.elementsEqual($0.utf8) }
        case 4: return ["NULL", "null"].contains { field.elementsEqual($0.utf8) }
        default: return false
        }
    }

    static func integer(_ field: ArraySlice<UInt8>) -> Int64? {
        guard let first = field.first, field.count <= 20 else { return nil }
        let isNegative = first == UInt8(ascii: "-")
        let digits = isNegative || first == UInt8(ascii: "+") ? field.dropFirst() : field
        guard !digits.isEmpty else { return nil }
        var value: Int64 = 0
        for byte in digits {
            guard byte >= 0x30, byte <= 0x39 else { return nil }
            let digit = Int64(byte - 0x30)
            let (product, overflow) = value.multipliedReportingOverflow(by: 10)
            let (sum, overflow2) = product.subtractingReportingOverflow(digit)
            if overflow || overflow2 { return nil }
            value = sum
        }
        // Counted downwards, because the least integer has no positive twin.
        if isNegative { return value }
        return value == .min ? nil : -value
    }

    static func unsigned(_ field: ArraySlice<UInt8>) -> UInt64? {
        UInt64(String(decoding: field, as: UTF8.self))
    }

    static func float(_ field: ArraySlice<UInt8>) -> Double? {
        guard let first = field.first, field.count <= 64 else { return nil }
        // Words such as "infinity" and hexadecimal forms are texts in a CSV file.
        guard
            (0x30...0x39).contains(first) || first == UInt8(ascii: "-") || first == UInt8(ascii: "+")
                || first == UInt8(ascii: ".")
        else { return nil }
        guard !field.contains(where: { $0 == UInt8(ascii: "x") || $0 == UInt8(ascii: "X") || $0 == UInt8(ascii: "i") })
        else { return nil }
        return Double(String(decoding: field, as: UTF8.self))
    }

    static func boolean(_ field: ArraySlice<UInt8>) -> Bool? {
        switch String(decoding: field, as: UTF8.self).lowercased() {
        case "true", "t", "yes": true
        case "false", "f", "no": false
        default: nil
        }
    }

    /// A moment in nanoseconds since the epoch.
    static func time(_ field: ArraySlice<UInt8>, _ form: CSVLayout.TimeForm) -> Int64? {
        switch form {
        case .text: return field.withUnsafeBytes { TimeText.parse($0) }
        case .number(let unit):
            if let integer = integer(field) {
                let (product, overflow) = integer.multipliedReportingOverflow(by: unit)
                return overflow ? nil : product
            }
            guard let number = float(field) else { return nil }
            return Int64(exactly: (number * Double(unit)).rounded())
        }
    }
}

extension String {
    fileprivate func trimmingSpaces() -> String {
        var text = Substring(self)
        while text.first?.isWhitespace == true { text.removeFirst() }
        while text.last?.isWhitespace == true { text.removeLast() }
        return String(text)
    }
}
