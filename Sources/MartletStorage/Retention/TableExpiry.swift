import MartletModel

/// Before when a table keeps nothing, under the policies that concern it: a row of that time would go with the next run.
struct TableExpiry: Sendable, Hashable {
    /// Nanoseconds since 1970: as the last run found it, so that a row which is refused is expired in any case.
    var cutoff: Int64
    /// The policy that keeps rows longest.
    var policy: String

    func refusal(of time: Int64, in table: String) -> MartletError {
        MartletError(
            .outOfRange,
            "the row is of \(Timestamp(nanoseconds: time)), and '\(table)' keeps nothing of before "
                + "\(Timestamp(nanoseconds: cutoff)) under the retention policy '\(policy)'",
            hint: "a longer last tier in the policy, or another table without one, takes such rows")
    }
}

extension NamespaceStore {
    /// Works out anew what tables keep. Called when policies have changed and after each run, since time goes on.
    func refreshExpiry() throws(MartletError) {
        let policies = try retentionPolicies()
        var limits: [String: TableExpiry] = [:]
        if !policies.policies.isEmpty {
            let now = core.clock.now().nanoseconds
            for definition in currentState.catalog.sorted where TierTable(named: definition.name) == nil {
                limits[definition.name] = try expiry(of: definition.name, policies, now: now)
            }
        }
        expiry.withLock { $0 = limits }
    }

    /// Nil where some series of the table is under no policy and so is kept for good, and where there are no rows whose age
    /// could be told.
    private func expiry(
        of table: String, _ policies: RetentionPolicies, now: Int64
    ) throws(MartletError) -> TableExpiry? {
        let assigned = policies.assignments(for: table).map(\.policy)
        guard assigned.last?.tags.isEmpty == true, let longest = assigned.max(by: { $0.life < $1.life }),
            let newest = try newestTime(of: table, currentState)
        else { return nil }
        let (age, overflow) = min(now, newest).subtractingReportingOverflow(longest.life)
        if overflow { return nil }
        let width = longest.tiers.last?.width ?? 1
        return TableExpiry(cutoff: TierTable(of: table, width: width).start(of: age), policy: longest.name)
    }
}
