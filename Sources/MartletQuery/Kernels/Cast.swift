import MartletModel

extension ColumnKernels {
    /// Whether `CAST(from AS to)` exists. Text converts from and to everything; numbers and booleans among each other.
    /// A timestamp becomes a number through `epoch_ns` and its kin, and comes from one through `make_timestamp_ns`.
    package static func canCast(_ from: ColumnType, to: ColumnType) -> Bool {
        if from == to || from == .string || to == .string { return true }
        let plain: (ColumnType) -> Bool = { $0.isNumeric || $0 == .bool }
        return plain(from) && plain(to)
    }

    /// `column` in another type. Floats round to the nearest integer, ties to even; 0 is false and any other number true.
    ///
    /// - Parameter isTry: a value that does not convert becomes NULL instead of an error (TRY_CAST).
    /// - Throws: `.semantic` when there is no such conversion, `.outOfRange` or `.invalidArgument` for a value.
    package static func cast(
        _ column: Column, to type: ColumnType, isTry: Bool = false
    ) throws(MartletError) -> Column {
        if column.type == type { return column }
        // Nothing but NULLs converts to everything: an untyped NULL comes as such a column.
        if column.nullCount == column.count, column.count > 0 { return .nulls(type, count: column.count) }
        guard canCast(column.type, to: type) else {
            throw MartletError(
                .semantic, "\(column.type.name) cannot be cast to \(type.name)",
                hint: column.type == .timestamp || type == .timestamp
                    ? "use epoch_ns(time), make_timestamp_ns(nanoseconds) or to_timestamp(seconds)" : nil)
        }
        if column.count == 0 { return .nulls(type, count: 0) }
        if type == .string { return text(column) }
        if column.type == .string { return try fromText(column, to: type, isTry: isTry) }
        return try amongNumbers(column, to: type, isTry: isTry)
    }

    private static func amongNumbers(
        _ column: Column, to type: ColumnType, isTry: Bool
    ) throws(MartletError) -> Column {
        let count = column.count
        let validity = Validity(column, rowCount: count)
        let bits = column.values.baseAddress
        switch (column.type, type) {
        case (.int64, .float64):
            return mapFixed(column, type: type, rowCount: count) { (value: Int64) in Double(value) }
        case (.uint64, .float64):
            return mapFixed(column, type: type, rowCount: count) { (value: UInt64) in Double(value) }
        case (.bool, .float64):
            return try buildFixed(type: type, validity, count) { (row) throws(MartletError) -> Double in
                Bitmap.isSet(bits, row) ? 1 : 0
            }
        case (.bool, _):
            return try buildFixed(type: type, validity, count) { (row) throws(MartletError) -> UInt64 in
                Bitmap.isSet(bits, row) ? 1 : 0
            }
        case (.float64, .bool):
            let source = Lane<Double>(column, rowCount: count)
            return buildBool(validity, count) { source[$0] != 0 }
        case (_, .bool):
            let source = Lane<UInt64>(column, rowCount: count)
            return buildBool(validity, count) { source[$0] != 0 }
        case (.float64, .int64):
            return try convert(column, to: type, isTry: isTry) { (value: Double) -> Int64? in
                Int64(exactly: value.rounded(.toNearestOrEven))
            }
        case (.float64, .uint64):
            return try convert(column, to: type, isTry: isTry) { (value: Double) -> UInt64? in
                UInt64(exactly: value.rounded(.toNearestOrEven))
            }
        case (.int64, .uint64):
            return try convert(column, to: type, isTry: isTry) { (value: Int64) -> UInt64? in UInt64(exactly: value) }
        case (.uint64, .int64):
            return try convert(column, to: type, isTry: isTry) { (value: UInt64) -> Int64? in Int64(exactly: value) }
        default:
            throw MartletError(.internal, "no conversion from \(column.type.name) to \(type.name)")
        }
    }

    @inline(__always)
    private static func convert<A: BitwiseCopyable, R: BitwiseCopyable>(
        _ column: Column, to type: ColumnType, isTry: Bool, _ body: (A) -> R?
    ) throws(MartletError) -> Column {
        let source = Lane<A>(column, rowCount: column.count)
        let validity = Validity(column, rowCount: column.count)
        return try buildOptional(type: type, validity, column.count) { (row) throws(MartletError) -> R? in
            if let value = body(source[row]) { return value }
            if isTry { return nil }
            throw MartletError(
                .outOfRange, "\(source[row]) cannot be cast to \(type.name): it is outside the type's range",
                hint: "TRY_CAST gives NULL instead of an error")
        }
    }

    private static func fromText(_ column: Column, to type: ColumnType, isTry: Bool) throws(MartletError) -> Column {
        if let dictionary = column.dictionary, dictionary.count < column.count {
            // Entries that no row uses may not convert, so entries become NULL first and the rows decide.
            let entries = Column(
                type: .string, count: dictionary.count, values: dictionary.bytes, offsets: dictionary.offsets)
            let converted = try fromText(entries, to: type, isTry: true)
            let codes = column.values.pointer(to: UInt32.self)
            let rows = (0..<column.count).map { column.isValid($0) ? Int32(bitPattern: codes[$0]) : -1 }
            let result = take(converted, rows)
            if !isTry, result.nullCount > column.nullCount {
                for row in 0..<column.count where column.isValid(row) && !result.isValid(row) {
                    throw notA(type, column.stringBytes(row))
                }
            }
            return result
        }
        let count = column.count
        let validity = Validity(column, rowCount: count)
        func parse<R: BitwiseCopyable>(
            _ body: (UnsafeRawBufferPointer) -> R?
        ) throws(MartletError) -> Column {
            try buildOptional(type: type, validity, count) { (row) throws(MartletError) -> R? in
                if let value = body(column.stringBytes(row)) { return value }
                if isTry { return nil }
                throw notA(type, column.stringBytes(row))
            }
        }
        switch type {
        case .timestamp: return try parse { TimeText.parse($0) }
        case .float64: return try parse { NumberText.parseFloat($0) }
        case .int64: return try parse { NumberText.parseInteger($0, as: Int64.self) }
        case .uint64: return try parse { NumberText.parseInteger($0, as: UInt64.self) }
        case .interval: return try parse { TimeText.parseInterval($0) }
        case .string: return column
        case .bool:
            var values = BitmapBuilder(capacity: count)
            var valid = BitmapBuilder(capacity: count)
            for row in 0..<count {
                let value = validity.isValid(row) ? NumberText.parseBool(column.stringBytes(row)) : nil
                if value == nil, validity.isValid(row), !isTry { throw notA(type, column.stringBytes(row)) }
                values.append(value ?? false)
                valid.append(value != nil)
            }
            let nulls = valid.clearCount
            return Column(
                type: .bool, count: count, nullCount: nulls, validity: valid.finish(), values: values.finish())
        }
    }

    private static func notA(_ type: ColumnType, _ text: UnsafeRawBufferPointer) -> MartletError {
        let shown = String(decoding: text.prefix(64), as: UTF8.self)
        return MartletError(
            .invalidArgument, "'\(shown)' is not a \(type.name)", hint: "TRY_CAST gives NULL instead of an error")
    }

    /// Every value as text.
    private static func text(_ column: Column) -> Column {
        let count = column.count
        let validity = Validity(column, rowCount: count)
        switch column.type {
        case .string: return column
        case .bool:
            let bits = column.values.baseAddress
            let codes = (0..<count).map { Bitmap.isSet(bits, $0) ? UInt32(1) : 0 }
            return Column(
                type: .string, count: count, nullCount: validity.nullCount, validity: validity.bits,
                values: Buffer(codes), dictionary: StringDictionary(["false", "true"]))
        case .int64:
            let source = Lane<Int64>(column, rowCount: count)
            return buildText(validity, count) { NumberText.append(source[$0], to: &$1) }
        case .uint64:
            let source = Lane<UInt64>(column, rowCount: count)
            return buildText(validity, count) { NumberText.append(source[$0], to: &$1) }
        case .float64:
            let source = Lane<Double>(column, rowCount: count)
            return buildText(validity, count) { NumberText.append(source[$0], to: &$1) }
        case .timestamp:
            let source = Lane<Int64>(column, rowCount: count)
            return buildText(validity, count) { TimeText.append(source[$0], to: &$1) }
        case .interval:
            let source = Lane<Interval>(column, rowCount: count)
            return buildText(validity, count) { TimeText.append(source[$0], to: &$1) }
        }
    }
}
