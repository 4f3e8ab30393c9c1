import MartletModel
import MartletStorage

/// EXPORT.
struct ExportRunner {
    /// What rows that go to a client are windowed by.
    private static let clientWindow = (bytes: 32 << 20, days: 16)
    private let context: StatementContext

    init(_ context: StatementContext) { self.context = context }

    func run(_ export: ExportSyntax) throws(MartletError) -> Operator {
        let options = try options(export)
        switch export.destination {
        case .path(let path): return try run(export, to: path, options)
        case .standardOutput:
            if let option = export.options.first {
                throw context.error(
                    .semantic, "EXPORT TO STDOUT gives rows and takes no options", at: option.name.offset)
            }
            switch export.source {
            case .query(let query):
                try refuse(export.before, of: "a query")
                return try StatementRunner(context).operator(for: query)
            case .table(let name, let filter):
                let plan = try plan(context.schema(of: name.parts), filter, export.before)
                return try scan(plan, Self.clientWindow.bytes, Self.clientWindow.days)
            case .namespace:
                throw context.error(
                    .unsupported, "the rows of several tables don't make one result", at: export.destinationOffset,
                    hint: "EXPORT TABLE name TO STDOUT, table by table")
            }
        }
    }

    private func run(
        _ export: ExportSyntax, to path: String, _ options: ExportOptions
    ) throws(MartletError) -> Operator {
        guard let exporter = context.exporter else {
            throw context.error(
                .unsupported, "this engine has no exporter", at: export.destinationOffset,
                hint: "EXPORT ... TO STDOUT gives the rows as the statement's result")
        }
        var schemas: [TableSchema] = []
        var filter: ExpressionSyntax?
        switch export.source {
        case .query: try refuse(export.before, of: "a query")
        case .table(let name, let condition):
            schemas = [try context.schema(of: name.parts)]
            filter = condition
        case .namespace(let name):
            if let name, !Scope.same(context.namespace.name, name) {
                throw context.error(
                    .unsupported, "'\(name.text)' is not the namespace of this connection, '\(context.namespace.name)'",
                    at: name.offset, hint: "a statement reads the tables of one namespace; connect to the other")
            }
            schemas = try context.snapshot().tables
        }
        // Everything that can be wrong with the statement is found before anything is written.
        var plans: [ScanPlan] = []
        for schema in schemas { plans.append(try plan(schema, filter, export.before)) }
        var query: Operator?
        if case .query(let syntax) = export.source { query = try StatementRunner(context).operator(for: syntax) }
        var isSingle = true
        if case .namespace = export.source { isSingle = false }
        let request = ExportRequest(destination: path, options: options, isSingleTable: isSingle)
        let job = try context.located(at: export.destinationOffset) { () throws(MartletError) in
            try exporter.begin(request, memory: context.query.memory, clock: context.namespace.clock)
        }
        let (bytes, days) = (job.bufferBytes, job.windowDays)
        var sources = plans.map { plan in
            ExportOperator.Source(table: plan.table.name) { () throws(MartletError) in try scan(plan, bytes, days) }
        }
        if let query { sources.append(.init(table: options.table) { () throws(MartletError) in query }) }
        return ExportOperator(job, sources: sources, context: context)
    }

    private func refuse(_ before: ExpressionSyntax?, of what: String) throws(MartletError) {
        guard let before else { return }
        throw context.error(
            .semantic, "BEFORE does not go with \(what)", at: before.offset, hint: "write WHERE time < ...")
    }

    private func scan(_ plan: ScanPlan, _ bytes: Int, _ days: Int) throws(MartletError) -> Operator {
        if plan.time.isEmpty { return ScanOperator(plan, context: context) }
        return try ExportScanOperator(plan, context: context, windowBytes: bytes, windowDays: days)
    }

    private func plan(
        _ schema: TableSchema, _ filter: ExpressionSyntax?, _ before: ExpressionSyntax?
    ) throws(MartletError) -> ScanPlan {
        var plan = try TableConditions(context).scan(schema, filter)
        if let before {
            let end = try moment(before)
            plan.time = plan.time.intersection(end == .min ? .empty : TimeRange(.min, end - 1))
        }
        return plan
    }

    /// The moment that a constant expression means.
    private func moment(_ syntax: ExpressionSyntax) throws(MartletError) -> Int64 {
        let binder = ExpressionBinder(context, queries: QueryBinder(context), scope: Scope())
        switch try binder.bind(syntax, as: .values) {
        case .constant(.timestamp(let time)?, _): return time.nanoseconds
        case .constant(.string(var text)?, _):
            if let time = text.withUTF8({ TimeText.parse(UnsafeRawBufferPointer($0)) }) { return time }
            throw context.error(.semantic, "'\(text)' is not a time", at: syntax.offset)
        default:
            throw context.error(
                .semantic, "BEFORE takes a time that is known before any row is read", at: syntax.offset,
                hint: "BEFORE '2024-01-01', BEFORE now() - INTERVAL '90 days'")
        }
    }

    // MARK: Options

    private func options(_ export: ExportSyntax) throws(MartletError) -> ExportOptions {
        var options = ExportOptions()
        var seen: Set<String> = []
        for option in export.options {
            let name = option.name.text.lowercased()
            guard seen.insert(name).inserted else {
                throw context.error(.semantic, "option \(name) is given twice", at: option.name.offset)
            }
            switch name {
            case "format": options.format = try choice(option)
            case "compression": options.compression = try choice(option)
            case "compression_level": options.compressionLevel = Int(try number(option, 1...19))
            case "timestamps": options.timestamps = try choice(option)
            case "encodings": options.encodings = try choice(option)
            case "file_bytes": options.fileBytes = try number(option, 1...(1 << 40))
            case "table":
                guard case .text(let text) = option.value, !text.isEmpty else {
                    throw context.error(.semantic, "option table takes a name", at: option.offset)
                }
                options.table = text
            default:
                let names = [
                    "format", "compression", "compression_level", "timestamps", "encodings", "file_bytes", "table",
                ]
                throw context.error(
                    .semantic, "there is no option '\(option.name.text)'", at: option.name.offset,
                    hint: Spelling.hint(for: name, in: names) ?? "the options are " + names.joined(separator: ", "))
            }
        }
        return options
    }

    private func choice<Choice: RawRepresentable<String> & CaseIterable>(
        _ option: ExportSyntax.Option
    ) throws(MartletError) -> Choice {
        if case .text(let text) = option.value, let choice = Choice(rawValue: text.lowercased()) { return choice }
        throw context.error(
            .semantic,
            "option \(option.name.text.lowercased()) takes "
                + Choice.allCases.map(\.rawValue).joined(separator: ", "), at: option.offset)
    }

    private func number(
        _ option: ExportSyntax.Option, _ range: ClosedRange<Int64>
    ) throws(MartletError) -> Int64 {
        if case .number(.int64(let number)) = option.value, range.contains(number) { return number }
        throw context.error(
            .semantic,
            "option \(option.name.text.lowercased()) takes a whole number from \(range.lowerBound) to \(range.upperBound)",
            at: option.offset)
    }
}
