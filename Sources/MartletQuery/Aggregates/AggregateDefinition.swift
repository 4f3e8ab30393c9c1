import MartletModel
import MartletStorage

/// An aggregate made of closures: how all built-in ones are written.
struct AggregateDefinition: AggregateFunction {
    let name: String
    let needsTime: Bool
    let check: @Sendable ([ColumnType?]) -> ColumnType?
    let forms: String
    let make: @Sendable ([ColumnType?], [FieldValue?]) throws(MartletError) -> any AggregateAccumulator

    /// - Parameters:
    ///   - forms: what a wrong call is told, like `sum(number)`.
    ///   - result: the result's type, or `nil` when the arguments do not fit.
    init(
        _ name: String, _ forms: String, needsTime: Bool = false,
        result: @escaping @Sendable ([ColumnType?]) -> ColumnType?,
        make: @escaping @Sendable ([ColumnType?], [FieldValue?]) throws(MartletError) -> any AggregateAccumulator
    ) {
        self.name = name
        self.forms = forms
        self.needsTime = needsTime
        self.check = result
        self.make = make
    }

    func resultType(of arguments: [ColumnType?]) throws(MartletError) -> ColumnType {
        if let type = check(arguments) { return type }
        let given = arguments.map { $0?.name ?? "NULL" }.joined(separator: ", ")
        throw MartletError(.semantic, "\(name)(\(given)) is not defined", hint: "the form is \(forms)")
    }

    func makeAccumulator(
        argumentTypes: [ColumnType?], constants: [FieldValue?]
    ) throws(MartletError) -> any AggregateAccumulator {
        _ = try resultType(of: argumentTypes)
        return try make(argumentTypes, constants)
    }
}

/// An accumulator that can take a block's statistics for the block's rows.
///
/// `first` and `last` take the block's ends as their times, which is exact as long as a group holds one series.
package protocol SummaryAccumulator: AggregateAccumulator {
    /// Adds what the rows behind `summary` would have added to `group`, which must exist.
    ///
    /// - Parameter summary: the argument's statistics; `nil` for an aggregate without an argument.
    func add(_ summary: FieldSummary?, rowCount: Int, time: TimeRange, group: Int) throws(MartletError)
}

/// The rows of one `add`, with the group of each.
///
/// Unsafe: holds the caller's pointers for the length of the call.
struct GroupedRows {
    let groups: UnsafePointer<UInt32>
    let selection: UnsafeBufferPointer<Int32>?
    let rowCount: Int

    /// Every row to add.
    @inline(__always)
    func forEach(_ body: (_ group: Int, _ row: Int) throws(MartletError) -> Void) throws(MartletError) {
        if let selection {
            for index in 0..<selection.count {
                let row = Int(selection[index])
                try body(Int(groups[row]), row)
            }
        } else {
            for row in 0..<rowCount { try body(Int(groups[row]), row) }
        }
    }

    /// Every row to add that is valid.
    @inline(__always)
    func forEach(
        _ validity: Validity, _ body: (_ group: Int, _ row: Int) throws(MartletError) -> Void
    ) throws(MartletError) {
        if validity.nullCount == 0 { return try forEach(body) }
        try forEach { (group, row) throws(MartletError) in
            if validity.isValid(row) { try body(group, row) }
        }
    }

    /// Every row to add that has a number; integers are widened.
    @inline(__always)
    func forEachNumber(
        _ argument: Column, _ body: (_ group: Int, _ row: Int, _ value: Double) throws(MartletError) -> Void
    ) throws(MartletError) {
        let column = try floatColumn(argument)
        let values = Lane<Double>(column, rowCount: rowCount)
        try withExtendedLifetime(column) { () throws(MartletError) in
            try forEach(Validity(column, rowCount: rowCount)) { (group, row) throws(MartletError) in
                try body(group, row, values[row])
            }
        }
    }

    /// Stretches of neighbouring rows of one group; only without a selection. Sorted or ungrouped input has few.
    @inline(__always)
    func forEachRun(_ body: (_ group: Int, _ rows: Range<Int>) -> Void) {
        var start = 0
        while start < rowCount {
            let group = groups[start]
            var end = start + 1
            while end < rowCount, groups[end] == group { end += 1 }
            body(Int(group), start..<end)
            start = end
        }
    }
}

extension AggregateAccumulator {
    /// `other` as an accumulator of the same kind; anything else is a defect of the caller.
    func sameKind<A: AggregateAccumulator>(_ other: any AggregateAccumulator, as: A.Type) throws(MartletError) -> A {
        guard let same = other as? A else {
            throw MartletError(.internal, "\(type(of: other)) cannot be merged into \(type(of: self))")
        }
        return same
    }
}

extension Array {
    /// Appends `filler` until there are `count` elements.
    mutating func grow(to newCount: Int, _ filler: Element) {
        if count < newCount { append(contentsOf: repeatElement(filler, count: newCount - count)) }
    }
}

/// The column that aggregates over floats read: integers are widened.
func floatColumn(_ column: Column) throws(MartletError) -> Column {
    column.type == .float64 ? column : try ColumnKernels.cast(column, to: .float64)
}

/// A finished column of optional floats.
func floats(_ count: Int, _ value: (Int) -> Double?) -> Column {
    var values = MutableBuffer(capacity: count * 8)
    var valid = BitmapBuilder(capacity: count)
    for group in 0..<count {
        let result = value(group)
        values.append(result ?? 0)
        valid.append(result != nil)
    }
    let nulls = valid.clearCount
    return Column(type: .float64, count: count, nullCount: nulls, validity: valid.finish(), values: values.finish())
}

/// A finished column of optional 64-bit values of a fixed-width type.
func words(_ type: ColumnType, _ count: Int, _ value: (Int) throws(MartletError) -> UInt64?) throws(MartletError)
    -> Column
{
    var values = MutableBuffer(capacity: count * 8)
    var valid = BitmapBuilder(capacity: count)
    for group in 0..<count {
        let result = try value(group)
        values.append(result ?? 0)
        valid.append(result != nil)
    }
    let nulls = valid.clearCount
    return Column(type: type, count: count, nullCount: nulls, validity: valid.finish(), values: values.finish())
}
