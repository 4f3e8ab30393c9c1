import MartletModel
import MartletStorage

/// Statements on retention policies.
struct RetentionRunner {
    private let context: StatementContext
    private var engine: any NamespaceEngine { context.namespace }

    init(_ context: StatementContext) { self.context = context }

    func run(_ statement: RetentionSyntax) throws(MartletError) -> Operator {
        switch statement {
        case .create(let syntax, let replaces):
            if !replaces, try policies().contains(where: { $0.name == syntax.name.text }) {
                throw context.error(
                    .alreadyExists, "there is a retention policy '\(syntax.name.text)' already", at: syntax.name.offset,
                    hint: "ALTER RETENTION POLICY changes it")
            }
            return try set(syntax, onto: RetentionPolicy(name: syntax.name.text), "CREATE RETENTION POLICY")
        case .alter(let syntax):
            return try set(syntax, onto: try policy(syntax.name), "ALTER RETENTION POLICY")
        case .drop(let name, let ifExists):
            let isKnown = try policies().contains { $0.name == name.text }
            if isKnown || !ifExists { try engine.dropRetentionPolicy(try policy(name).name) }
            return try done("DROP RETENTION POLICY", name.text, changed: isKnown)
        case .show: return try show(policies())
        case .run(let policy, let table, let isDryRun):
            if let policy { _ = try self.policy(policy) }
            let schema = try table.map { (table) throws(MartletError) in try context.schema(of: table.parts) }
            return try report(
                try engine.runRetention(
                    policy: policy?.text, table: schema?.name, isDryRun: isDryRun, context: context.query))
        case .cancel:
            return try context.report([
                ("statement", .string("CANCEL RETENTION")), ("runs", .int64(Int64(engine.cancelRetention()))),
            ])
        case .explain(let table, let tags): return try explain(table, tags)
        }
    }

    private func policies() throws(MartletError) -> [RetentionPolicy] {
        try RetentionPolicies(context.snapshot(), context: context.query).policies
    }

    private func policy(_ name: Name) throws(MartletError) -> RetentionPolicy {
        let all = try policies()
        guard let found = all.first(where: { $0.name == name.text }) else {
            throw context.error(
                .notFound, "there is no retention policy '\(name.text)'", at: name.offset,
                hint: Spelling.hint(for: name.text, in: all.map(\.name)))
        }
        return found
    }

    private func set(
        _ syntax: RetentionPolicySyntax, onto former: RetentionPolicy, _ statement: String
    ) throws(MartletError) -> Operator {
        var policy = former
        if let table = syntax.table { policy.table = table.parts[table.parts.count - 1].text }
        if !syntax.tags.isEmpty { policy.tags = tags(syntax.tags) }
        if let life = syntax.rowLife {
            policy.rowLife = try nanoseconds(life)
            policy.tiers = []
            for (width, life) in syntax.tiers {
                policy.tiers.append(RetentionPolicy.Tier(width: try nanoseconds(width), life: try nanoseconds(life)))
            }
        }
        if let most = syntax.mostBytes { policy.mostBytes = try bytes(most) }
        if let destination = syntax.destination {
            policy.destination = destination.text.isEmpty ? nil : destination.text
        }
        if let about = syntax.about { policy.about = about }
        if let isEnabled = syntax.isEnabled { policy.isEnabled = isEnabled }
        let checked = policy
        try context.located(at: syntax.name.offset) { () throws(MartletError) in
            try engine.setRetentionPolicy(checked)
        }
        return try done(statement, policy.name, changed: true)
    }

    private func tags(_ pairs: [(key: Name, value: String)]) -> [String: String] {
        Dictionary(pairs.map { ($0.key.text, $0.value) }) { $1 }
    }

    private func bytes(_ most: RetentionPolicySyntax.Span) throws(MartletError) -> Int? {
        if most.text.isEmpty { return nil }
        guard let bytes = ByteSize.parse(most.text) else {
            throw context.error(
                .semantic, "'\(most.text)' is not an amount of bytes", at: most.offset,
                hint: "'500 MB', '10 GiB', '1073741824'")
        }
        return bytes
    }

    private func nanoseconds(_ span: RetentionPolicySyntax.Span) throws(MartletError) -> Int64 {
        var text = span.text
        let interval = text.withUTF8 { TimeText.parseInterval(UnsafeRawBufferPointer($0)) }
        guard let interval, interval.months == 0 else {
            throw context.error(
                .semantic, "'\(span.text)' is not a span of days, hours, minutes or seconds", at: span.offset,
                hint: "'7 days', '1 minute', '36 hours'; months and years vary in length, so say days")
        }
        let (days, overflow) = Int64(interval.days).multipliedReportingOverflow(by: RetentionPolicy.day)
        let (sum, overflowed) = days.addingReportingOverflow(interval.nanoseconds)
        guard !overflow, !overflowed, sum > 0 else {
            throw context.error(.outOfRange, "'\(span.text)' is not a positive span of time", at: span.offset)
        }
        return sum
    }

    private func done(_ statement: String, _ name: String, changed: Bool) throws(MartletError) -> Operator {
        try context.report([
            ("statement", .string(statement)), ("name", .string(name)), ("changed", .bool(changed)),
        ])
    }

    private static let columns = [
        ColumnDescription("name", .string), ColumnDescription("table", .string), ColumnDescription("device", .string),
        ColumnDescription("keep", .string), ColumnDescription("at_most", .string), ColumnDescription("enabled", .bool),
        ColumnDescription("description", .string), ColumnDescription("export_to", .string),
    ]

    private static func row(_ policy: RetentionPolicy) -> [FieldValue?] {
        let device = policy.tags.sorted { $0.key < $1.key }.map { "\($0.key) = '\($0.value)'" }
        let tiers = policy.tiers.map { "\(ScanNotice.text($0.width)) for \(ScanNotice.text($0.life))" }
        return [
            .string(policy.name), policy.table.map { .string($0) },
            device.isEmpty ? nil : .string(device.joined(separator: " AND ")),
            .string(([ScanNotice.text(policy.rowLife)] + tiers).joined(separator: ", ")),
            policy.mostBytes.map { .string(ByteSize.text($0)) }, .bool(policy.isEnabled),
            .string(policy.about), policy.destination.map { .string($0) },
        ]
    }

    private func show(_ policies: [RetentionPolicy]) throws(MartletError) -> Operator {
        try context.table(Self.columns, policies.map(Self.row))
    }

    /// Which policy a series falls under, and why: the policies that concern it, in the order in which they go.
    private func explain(
        _ table: TableNameSyntax, _ pairs: [(key: Name, value: String)]
    ) throws(MartletError) -> Operator {
        let schema = try context.schema(of: table.parts)
        let all = try RetentionPolicies(context.snapshot(), context: context.query)
        let set = try TagSet(tags(pairs).map { ($0.key, $0.value) })
        let (chosen, considered) = all.decision(for: schema.name, tags: set)
        let rows = considered.map { policy -> [FieldValue?] in
            let scope =
                policy.tags.isEmpty
                ? policy.table == nil ? "the whole namespace" : "the table" : "a device with \(policy.tags.count) tags"
            let reason =
                policy == chosen
                ? "the most specific one that is enabled" : policy.isEnabled ? "less specific" : "disabled"
            return Self.row(policy) + [.bool(policy == chosen), .string("\(scope): \(reason)")]
        }
        return try context.table(
            Self.columns + [ColumnDescription("applies", .bool), ColumnDescription("reason", .string)], rows)
    }

    private func report(_ run: RetentionRun) throws(MartletError) -> Operator {
        func moment(_ time: Int64) -> FieldValue { .timestamp(Timestamp(nanoseconds: time)) }
        let rows = run.reports.map { report -> [FieldValue?] in
            // Nothing was taken where a step failed at once.
            let time: TimeRange? = report.move.time.isEmpty ? nil : report.move.time
            let (first, last) = (time.map { moment($0.lowerBound) }, time.map { moment($0.upperBound) })
            return [
                .string(report.policy), .string(report.table),
                .string(report.source.map { "rollups of " + ScanNotice.text($0) } ?? "rows"),
                .string(report.target.map { "rollups of " + ScanNotice.text($0) } ?? "nothing"),
                moment(report.cutoff), .string(report.isForBytes ? "bytes" : "age"),
                .int64(Int64(report.move.rowCount)), .int64(Int64(report.move.sourceCount)),
                .int64(Int64(report.move.rollupCount)), first, last,
                .bool(report.move.isComplete), .int64(run.bytesBefore), .int64(run.bytesAfter),
                .int64(Int64(report.move.archivedRowCount)), report.destination.map { .string($0) },
                report.failure.map { .string($0) },
            ]
        }
        return try context.table(
            [
                ColumnDescription("policy", .string), ColumnDescription("table", .string),
                ColumnDescription("from", .string), ColumnDescription("to", .string),
                ColumnDescription("older_than", .timestamp), ColumnDescription("reason", .string),
                ColumnDescription("rows", .int64),
                ColumnDescription("taken", .int64), ColumnDescription("rollups", .int64),
                ColumnDescription("first_time", .timestamp), ColumnDescription("last_time", .timestamp),
                ColumnDescription("complete", .bool), ColumnDescription("bytes_before", .int64),
                ColumnDescription("bytes_after", .int64), ColumnDescription("exported", .int64),
                ColumnDescription("exported_to", .string), ColumnDescription("error", .string),
            ], rows)
    }
}
