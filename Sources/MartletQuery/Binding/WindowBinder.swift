import MartletModel

/// A window call whose parts are bound.
struct BoundWindow: Sendable, Equatable {
    enum Kind: Sendable, Equatable {
        /// `row_number`, `lag` and their kin, by name.
        case function(String)
        /// Any aggregate over the frame.
        case aggregate(BoundAggregate)
        /// A function of the registry, by name.
        case registered(String)
    }
    struct Frame: Sendable, Equatable {
        enum Bound: Sendable, Equatable {
            case unboundedPreceding
            case currentRow
            /// Rows, groups, or a distance in the order key, negative for PRECEDING.
            case rows(Int)
            case distance(FieldValue, isPreceding: Bool)
            case unboundedFollowing
        }
        var unit: FrameSyntax.Unit
        var start: Bound
        var end: Bound

        /// From the partition's start to the last peer of the row: what SQL says where nothing is said.
        static let standard = Frame(unit: .range, start: .unboundedPreceding, end: .currentRow)
        /// The whole partition.
        static let everything = Frame(unit: .rows, start: .unboundedPreceding, end: .unboundedFollowing)
    }

    var kind: Kind
    var arguments: [BoundExpression]
    var ignoresNulls: Bool
    var partition: [BoundExpression]
    var order: [SortKey]
    var frame: Frame
    var type: ColumnType
    var offset: Int

    static func == (left: BoundWindow, right: BoundWindow) -> Bool {
        left.kind == right.kind && left.arguments == right.arguments && left.ignoresNulls == right.ignoresNulls
            && left.partition == right.partition && left.order == right.order && left.frame == right.frame
    }

    /// Whether the two can be answered from one sort.
    func sharesOrder(with other: BoundWindow) -> Bool { partition == other.partition && order == other.order }

    /// With every expression rewritten.
    func rewritten(
        _ transform: (BoundExpression) throws(MartletError) -> BoundExpression?
    ) throws(MartletError) -> BoundWindow {
        var copy = self
        for index in arguments.indices { copy.arguments[index] = try arguments[index].rewritten(transform) }
        for index in partition.indices { copy.partition[index] = try partition[index].rewritten(transform) }
        for index in order.indices { copy.order[index].expression = try order[index].expression.rewritten(transform) }
        if case .aggregate(var aggregate) = kind {
            aggregate = try aggregate.rewritten(transform)
            copy.kind = .aggregate(aggregate)
        }
        return copy
    }
}

extension BoundAggregate {
    /// With every expression rewritten.
    func rewritten(
        _ transform: (BoundExpression) throws(MartletError) -> BoundExpression?
    ) throws(MartletError) -> BoundAggregate {
        var copy = self
        for index in arguments.indices { copy.arguments[index] = try arguments[index].rewritten(transform) }
        if let filter { copy.filter = try filter.rewritten(transform) }
        if let time { copy.time = try time.rewritten(transform) }
        for index in order.indices { copy.order[index].expression = try order[index].expression.rewritten(transform) }
        return copy
    }

    /// Every expression of the call.
    var expressions: [BoundExpression] {
        arguments + [filter, time].compactMap { $0 } + order.map(\.expression)
    }
}

/// Binds OVER clauses.
struct WindowBinder {
    private let binder: ExpressionBinder
    private var context: StatementContext { binder.context }

    init(_ binder: ExpressionBinder) { self.binder = binder }

    func bind(_ call: CallSyntax, _ written: WindowSyntax, name: String, offset: Int) throws(MartletError)
        -> BoundWindow
    {
        let window = try resolved(written)
        var partition: [BoundExpression] = []
        for part in window.partition { partition.append(try binder.bind(part)) }
        var order: [SortKey] = []
        for key in window.order {
            order.append(
                SortKey(
                    expression: try binder.bind(key.expression), isDescending: key.isDescending,
                    nullsFirst: key.nullsFirst ?? false))
        }
        var frame = try boundFrame(window.frame, order: order, offset: window.offset)
        if let function = context.functions.aggregate(name), !WindowCalls.names.contains(name) {
            if call.isDistinct {
                throw context.error(.unsupported, "DISTINCT in a window call is not supported", at: offset)
            }
            let aggregate = filteredByCase(try binder.boundAggregate(call, function, offset: offset))
            if order.isEmpty && window.frame == nil { frame = .everything }
            return BoundWindow(
                kind: .aggregate(aggregate), arguments: aggregate.arguments, ignoresNulls: false, partition: partition,
                order: order, frame: frame, type: aggregate.type, offset: offset)
        }
        let registered = WindowCalls.names.contains(name) ? nil : context.functions.window(name)
        guard registered != nil || WindowCalls.names.contains(name) else {
            throw context.error(
                .semantic, "there is no window function or aggregate '\(name)'", at: offset,
                hint: Spelling.hint(for: name, in: WindowCalls.names + context.functions.windowNames))
        }
        if call.filter != nil || call.isDistinct || call.isStar {
            throw context.error(.semantic, "\(name) takes no *, DISTINCT or FILTER", at: offset)
        }
        var arguments: [BoundExpression] = []
        for argument in call.arguments { arguments.append(try binder.bind(argument)) }
        let type = try context.located(at: offset) { () throws(MartletError) in
            guard let registered else { return try WindowCalls.check(name, &arguments) }
            if call.ignoresNulls || window.frame != nil {
                throw MartletError(.semantic, "\(name) takes no frame and no IGNORE NULLS")
            }
            return try registered.resultType(
                of: arguments.map(\.type), constants: arguments.map { $0.constantValue ?? nil },
                order: order.map { WindowOrder(type: $0.expression.columnType, isDescending: $0.isDescending) })
        }
        return BoundWindow(
            kind: registered == nil ? .function(name) : .registered(name), arguments: arguments,
            ignoresNulls: call.ignoresNulls, partition: partition,
            order: order, frame: frame, type: type, offset: offset)
    }

    /// FILTER as a CASE around the argument: the values that it leaves out become NULL, which aggregates pass by.
    private func filteredByCase(_ aggregate: BoundAggregate) -> BoundAggregate {
        guard let filter = aggregate.filter,
            let first = aggregate.arguments.first ?? (aggregate.isCountOfRows ? .trueConstant : nil)
        else { return aggregate }
        var result = aggregate
        let argument = BoundExpression.caseWhen(
            [.init(when: filter, then: first)], otherwise: nil, first.columnType)
        if result.arguments.isEmpty { result.arguments = [argument] } else { result.arguments[0] = argument }
        result.isCountOfRows = false
        result.filter = nil
        return result
    }

    /// The window with that of the WINDOW clause which it names.
    private func resolved(_ window: WindowSyntax) throws(MartletError) -> WindowSyntax {
        guard let base = window.base else { return window }
        guard let named = binder.namedWindows.first(where: { Scope.same($0.name.text, base) }) else {
            throw context.error(
                .semantic, "there is no window '\(base.text)'", at: base.offset,
                hint: Spelling.hint(for: base.text, in: binder.namedWindows.map(\.name.text)))
        }
        var result = named.window
        if result.base != nil {
            throw context.error(.unsupported, "a named window cannot rest on another", at: named.name.offset)
        }
        if !window.partition.isEmpty {
            throw context.error(.semantic, "a named window's PARTITION BY cannot be replaced", at: window.offset)
        }
        if !window.order.isEmpty { result.order = window.order }
        if window.frame != nil { result.frame = window.frame }
        result.offset = window.offset
        return result
    }

    private func boundFrame(
        _ frame: FrameSyntax?, order: [SortKey], offset: Int
    ) throws(MartletError) -> BoundWindow.Frame {
        guard let frame else { return .standard }
        let start = try bound(frame.start, frame.unit, order: order)
        let end = try bound(frame.end, frame.unit, order: order)
        return BoundWindow.Frame(unit: frame.unit, start: start, end: end)
    }

    private func bound(
        _ bound: FrameSyntax.Bound, _ unit: FrameSyntax.Unit, order: [SortKey]
    ) throws(MartletError) -> BoundWindow.Frame.Bound {
        switch bound {
        case .unboundedPreceding: return .unboundedPreceding
        case .unboundedFollowing: return .unboundedFollowing
        case .currentRow: return .currentRow
        case .preceding(let syntax): return try distance(syntax, unit, order: order, isPreceding: true)
        case .following(let syntax): return try distance(syntax, unit, order: order, isPreceding: false)
        }
    }

    private func distance(
        _ syntax: ExpressionSyntax, _ unit: FrameSyntax.Unit, order: [SortKey], isPreceding: Bool
    ) throws(MartletError) -> BoundWindow.Frame.Bound {
        let value = try binder.bind(syntax)
        guard case .constant(let constant?, _) = value else {
            throw context.error(.semantic, "the width of a frame must be a constant", at: syntax.offset)
        }
        if unit != .range {
            guard case .int64(let rows) = constant, rows >= 0, rows <= Int64(Int32.max) else {
                throw context.error(
                    .semantic, "the width of a frame of rows is a whole number, not negative", at: syntax.offset)
            }
            return .rows(isPreceding ? -Int(rows) : Int(rows))
        }
        guard order.count == 1 else {
            throw context.error(
                .semantic, "a RANGE frame with a width needs ORDER BY with exactly one key", at: syntax.offset)
        }
        var width = constant
        switch (order[0].expression.columnType, constant) {
        case (.timestamp, .string):
            let cast = BoundExpression.cast(value, .interval, isTry: false, offset: syntax.offset)
            if case .constant(let interval?, _) = try binder.folded(cast, at: syntax.offset) { width = interval }
        case (.timestamp, .interval(let interval)):
            if interval.months < 0 || interval.days < 0 || interval.nanoseconds < 0 {
                throw context.error(.semantic, "the width of a frame cannot be negative", at: syntax.offset)
            }
        case (.float64, .int64(let number)): width = .float64(Double(number))
        case (.float64, .float64), (.int64, .int64), (.uint64, .uint64): break
        case (.uint64, .int64(let number)) where number >= 0: width = .uint64(UInt64(number))
        default:
            throw context.error(
                .semantic,
                "a RANGE over \(order[0].expression.columnType.name) cannot have a width of \(constant.type.name)",
                at: syntax.offset, hint: "over a TIMESTAMP it is an INTERVAL")
        }
        return .distance(width, isPreceding: isPreceding)
    }
}

/// The functions that exist only with OVER.
enum WindowCalls {
    static let names = [
        "row_number", "rank", "dense_rank", "percent_rank", "cume_dist", "ntile", "lag", "lead", "first_value",
        "last_value", "nth_value",
    ]

    /// Checks the arguments, completes them, and gives the type of the result.
    static func check(_ name: String, _ arguments: inout [BoundExpression]) throws(MartletError) -> ColumnType {
        func refuse(_ form: String) -> MartletError { MartletError(.semantic, "the form is \(form)") }
        switch name {
        case "row_number", "rank", "dense_rank":
            if !arguments.isEmpty { throw refuse("\(name)()") }
            return .int64
        case "percent_rank", "cume_dist":
            if !arguments.isEmpty { throw refuse("\(name)()") }
            return .float64
        case "ntile":
            guard arguments.count == 1, case .constant(.int64(let buckets)?, _) = arguments[0], buckets > 0 else {
                throw refuse("ntile(number of buckets)")
            }
            return .int64
        case "lag", "lead":
            guard (1...3).contains(arguments.count) else { throw refuse("\(name)(value, rows, otherwise)") }
            if arguments.count > 1 {
                guard case .constant(.int64?, _) = arguments[1] else { throw refuse("\(name)(value, rows, otherwise)") }
            }
            let type = arguments[0].columnType
            if arguments.count == 3, arguments[2].type != type {
                if case .constant(nil, _) = arguments[2] {
                    arguments[2] = .constant(nil, type)
                } else if ColumnKernels.commonType([arguments[2].type, type]) == type {
                    arguments[2] = .cast(arguments[2], type, isTry: false, offset: 0)
                } else {
                    throw MartletError(
                        .semantic, "\(name) of \(type.name) cannot give \(arguments[2].columnType.name) instead")
                }
            }
            return type
        case "nth_value":
            guard arguments.count == 2, case .constant(.int64(let row)?, _) = arguments[1], row > 0 else {
                throw refuse("nth_value(value, row)")
            }
            return arguments[0].columnType
        default:
            guard arguments.count == 1 else { throw refuse("\(name)(value)") }
            return arguments[0].columnType
        }
    }
}
