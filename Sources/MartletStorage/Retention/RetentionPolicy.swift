import MartletModel

/// How long rows live at which resolution: so long as they were written, then as rollups of growing width, then not at
/// all. All times are in nanoseconds.
package struct RetentionPolicy: Sendable, Hashable {
    /// Rollups of one width.
    package struct Tier: Sendable, Hashable {
        /// The buckets' width.
        package var width: Int64
        /// The age at which rollups go on to the next tier, or go.
        package var life: Int64

        package init(width: Int64, life: Int64) {
            self.width = width
            self.life = life
        }
    }

    package static let day: Int64 = 86_400_000_000_000

    /// The policy's name, unique in its namespace.
    package var name: String
    /// What it is for.
    package var about = ""
    /// The table concerned, or `nil` for all of the namespace but those whose names begin with an underscore.
    package var table: String?
    /// The device concerned: tags and the values that a series must have; empty for all series.
    package var tags: [String: String] = [:]
    /// The age at which rows become rollups, or go where there are no tiers.
    package var rowLife: Int64 = 7 * day
    /// The tiers, the finest first.
    package var tiers = [
        Tier(width: 60_000_000_000, life: 90 * day), Tier(width: 3_600_000_000_000, life: 365 * day),
    ]
    /// The most bytes that its tables may take together, or `nil`: beyond, the oldest rows and rollups go whatever their age.
    package var mostBytes: Int?
    /// Where rows are exported to before they become rollups or go, or `nil`: a directory, or what another sink takes.
    package var destination: String?
    /// Whether the policy is carried out.
    package var isEnabled = true

    package init(name: String) { self.name = name }

    /// The age at which nothing is left.
    package var life: Int64 { tiers.last?.life ?? rowLife }

    /// Larger for a policy of a narrower scope, which goes before: a device's before a table's before a namespace's.
    var specificity: Int { tags.count * 2 + (table == nil ? 0 : 1) }

    /// - Throws: `.invalidArgument` where the tiers are no ladder.
    package func validate() throws(MartletError) {
        func invalid(_ reason: String, _ hint: String) -> MartletError {
            MartletError(.invalidArgument, "retention policy '\(name)': \(reason)", hint: hint)
        }
        if name.isEmpty { throw MartletError(.invalidArgument, "a retention policy needs a name") }
        if mostBytes != nil, !tags.isEmpty {
            throw invalid(
                "bytes are those of a table or of the namespace, not of a device",
                "leave out WHERE, or AT MOST: KEEP bounds the life of a device's rows")
        }
        if rowLife <= 0 { throw invalid("rows must be kept for some time", "KEEP '7 days'") }
        var before = Tier(width: 1, life: rowLife)
        for tier in tiers {
            if tier.width <= before.width && before.width > 1 || tier.width < 1_000_000 {
                throw invalid(
                    "each tier's width must be greater than the one before, and at least a millisecond",
                    "KEEP '7 days', '1 minute' FOR '90 days', '1 hour' FOR '365 days'")
            }
            if tier.width % before.width != 0 {
                throw invalid(
                    "each tier's width must be a multiple of the one before",
                    "'1 minute', then '1 hour' or '15 minutes'")
            }
            if tier.life <= before.life {
                throw invalid(
                    "each tier must be kept longer than the one before; ages count from when the rows were",
                    "KEEP '7 days', '1 minute' FOR '90 days' keeps rollups until they are 90 days old")
            }
            if tier.width > before.life {
                throw invalid("a bucket must be complete before its rows go", "keep the tier before for longer")
            }
            before = tier
        }
    }

    /// Whether a series of the device is meant, for every series of a table.
    var predicate: TagPredicate {
        tags.isEmpty ? .all : .and(tags.sorted { $0.key < $1.key }.map { .equals($0.key, $0.value) })
    }

    func concerns(_ table: String) -> Bool {
        self.table.map { $0 == table } ?? !table.hasPrefix("_")
    }
}

/// A namespace's policies, kept as rows of one of its tables.
package struct RetentionPolicies: Sendable {
    package static let table = "_retention_policies"
    private static let name = "policy"
    /// Columns that policies of earlier versions lack: the first that has something to say brings them.
    private static let mostBytes = "most_bytes"
    private static let destination = "destination"

    /// By name.
    package let policies: [RetentionPolicy]

    /// Reads the policies of a state.
    package init(_ snapshot: any ReadSnapshot, context: QueryContext) throws(MartletError) {
        guard let schema = snapshot.schema(of: Self.table) else {
            policies = []
            return
        }
        let optional = [Self.mostBytes, Self.destination]
            .filter { name in schema.fields.contains { $0.name == name } }
        let fields = ["about", "table", "tags", "row_life", "tiers", "enabled"] + optional
        let scan = try snapshot.scan(ScanRequest(table: Self.table, fields: fields), context: context)
        let names = try scan.tagCodes(Self.name)
        var found: [RetentionPolicy] = []
        while case .rows(let batch)? = try scan.next() {
            for run in batch.runs {
                let code = names.codes[Int(run.series)]
                guard code != SeriesTagCodes.absent else { continue }
                let row = Int(run.start + run.count) - 1
                found.append(
                    try Self.policy(
                        names.dictionary.string(Int(code)),
                        Dictionary(zip(fields, batch.fields.map { $0.value(at: row) })) { $1 }))
            }
        }
        policies = found.sorted { $0.name < $1.name }
    }

    private static func policy(
        _ name: String, _ values: [String: FieldValue?]
    ) throws(MartletError) -> RetentionPolicy {
        var policy = RetentionPolicy(name: name)
        func text(_ field: String) -> String? {
            guard case .string(let text)?? = values[field] else { return nil }
            return text
        }
        func unlessEmpty(_ text: String?) -> String? { text.flatMap { $0.isEmpty ? nil : $0 } }
        policy.about = text("about") ?? ""
        policy.table = unlessEmpty(text("table"))
        policy.destination = unlessEmpty(text(Self.destination))
        guard case .int64(let life)?? = values["row_life"], case .bool(let isEnabled)?? = values["enabled"],
            let tiers = text("tiers"), let tags = PairList.decode(text("tags") ?? ""),
            let ladder = PairList.decode(tiers)
        else {
            throw MartletError(
                .corrupt,
                "the row of retention policy '\(name)' in \(table) is not one that was written by a statement",
                hint: "DROP RETENTION POLICY and CREATE it again")
        }
        if case .int64(let bytes)?? = values[mostBytes], bytes > 0 { policy.mostBytes = Int(bytes) }
        policy.rowLife = life
        policy.isEnabled = isEnabled
        policy.tags = Dictionary(tags) { $1 }
        policy.tiers = []
        for (width, life) in ladder {
            guard let width = Int64(width), let life = Int64(life) else {
                throw MartletError(.corrupt, "the tiers of retention policy '\(name)' are not numbers: \(tiers)")
            }
            policy.tiers.append(RetentionPolicy.Tier(width: width, life: life))
        }
        return policy
    }

    /// The row that keeps a policy.
    static func row(_ policy: RetentionPolicy) throws(MartletError) -> TableBatch {
        let tags = policy.tags.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
        let tiers = policy.tiers.map { ("\($0.width)", "\($0.life)") }
        let values: [(String, FieldValue)] = [
            ("about", .string(policy.about)), ("table", .string(policy.table ?? "")),
            ("tags", .string(PairList.encode(tags))), ("row_life", .int64(policy.rowLife)),
            ("tiers", .string(PairList.encode(tiers))), ("enabled", .bool(policy.isEnabled)),
            (Self.mostBytes, .int64(Int64(policy.mostBytes ?? 0))),
            (Self.destination, .string(policy.destination ?? "")),
        ]
        var schema = [
            ColumnDescription(TableSchema.timeColumn, .timestamp, .time), ColumnDescription(name, .string, .tag),
        ]
        var columns = [Column(.timestamp, unsafeElements: [Int64(0)]), try Column(.string, [.string(policy.name)])]
        for (name, value) in values {
            schema.append(ColumnDescription(name, value.type, .field))
            columns.append(try Column(value.type, [value]))
        }
        return TableBatch(table: table, batch: RecordBatch(schema: schema, columns: columns, rowCount: 1))
    }

    static func series(of policy: String) -> TagPredicate { .equals(name, policy) }

    /// The enabled policies that concern a table, the most specific first, each with the series that are its own: those
    /// of its device that no more specific policy takes.
    func assignments(for table: String) -> [(policy: RetentionPolicy, series: TagPredicate)] {
        let candidates = policies.filter { $0.isEnabled && $0.concerns(table) }
            .sorted { ($1.specificity, $0.name) < ($0.specificity, $1.name) }
        var taken: [TagPredicate] = []
        var result: [(policy: RetentionPolicy, series: TagPredicate)] = []
        for policy in candidates {
            result.append((policy, taken.isEmpty ? policy.predicate : .and([policy.predicate, .not(.or(taken))])))
            if policy.tags.isEmpty { break }
            taken.append(policy.predicate)
        }
        return result
    }

    /// The policy under which a series of a table falls, if any, and all that were considered, in order.
    package func decision(for table: String, tags: TagSet) -> (chosen: RetentionPolicy?, considered: [RetentionPolicy])
    {
        let candidates = policies.filter { $0.concerns(table) && $0.predicate.holds(for: tags) }
            .sorted { ($1.specificity, $0.name) < ($0.specificity, $1.name) }
        return (candidates.first { $0.isEnabled }, candidates)
    }
}

/// `a=1,b=2`, with a backslash before backslashes, commas and equals signs of the texts.
package enum PairList {
    package static func encode(_ pairs: [(String, String)]) -> String {
        func escaped(_ text: String) -> String {
            var result = ""
            for character in text.unicodeScalars {
                if character == "\\" || character == "," || character == "=" { result.unicodeScalars.append("\\") }
                result.unicodeScalars.append(character)
            }
            return result
        }
        return pairs.map { escaped($0.0) + "=" + escaped($0.1) }.joined(separator: ",")
    }

    static func decode(_ text: String) -> [(String, String)]? {
        if text.isEmpty { return [] }
        var pairs: [(String, String)] = []
        var parts = [""]
        var isEscaped = false
        for character in text.unicodeScalars {
            if !isEscaped && character == "\\" {
                isEscaped = true
            } else if !isEscaped && character == "=" {
                parts.append("")
            } else if !isEscaped && character == "," {
                guard parts.count == 2 else { return nil }
                pairs.append((parts[0], parts[1]))
                parts = [""]
            } else {
                parts[parts.count - 1].unicodeScalars.append(character)
                isEscaped = false
            }
        }
        guard parts.count == 2, !isEscaped else { return nil }
        return pairs + [(parts[0], parts[1])]
    }
}
