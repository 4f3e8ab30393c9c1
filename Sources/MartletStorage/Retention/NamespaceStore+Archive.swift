import MartletModel

/// Moving rows on with their archive.
extension NamespaceStore {
    /// How often a lot is written anew where rows come to its range meanwhile, before the step is left to the next run.
    private static let mostAttempts = 3

    /// Writes the rows of a step out and moves them on. Others append meanwhile; where they append to the same range, what
    /// was written is removed and written again.
    ///
    /// Another run of the namespace that archives waits meanwhile.
    ///
    /// - Returns: `nil` where rows kept coming.
    func moveArchiving(
        _ step: TierStep, to destination: String, policy: String, _ context: QueryContext
    ) throws(MartletError) -> TierMove? {
        try archiving.withLock { (_) throws(MartletError) in
            try moveAlone(step, to: destination, policy: policy, context)
        }
    }

    private func moveAlone(
        _ step: TierStep, to destination: String, policy: String, _ context: QueryContext
    ) throws(MartletError) -> TierMove? {
        guard let archive = core.options.archive else {
            throw MartletError(
                .unsupported,
                "retention policy '\(policy)' exports to '\(destination)', and this program has no exporter",
                hint: "open the database with one that has, or ALTER RETENTION POLICY \(policy) EXPORT TO NONE")
        }
        try discardUnfinished(of: step.table, archive, context)
        for _ in 0..<Self.mostAttempts {
            let state = try settled()
            var reading = try read(step, state)
            if reading.move.sourceCount == 0 { return reading.move }
            let lot = ArchiveLot(
                id: Self.randomID(), policy: policy, table: step.table, destination: destination,
                begun: core.clock.now().nanoseconds, time: reading.move.time)
            try note(try ArchiveRecord.begun(lot))
            let snapshot = NamespaceSnapshot(state, series: series, core: core, readsTiers: false)
            let files = try archive.write(lot, series: step.series, of: snapshot, in: self, context: context)
            reading.move.archivedRowCount = Int(files.reduce(0) { $0 + $1.rows })
            reading.move.archivedByteCount = Int(files.reduce(0) { $0 + $1.bytes })
            guard reading.move.archivedRowCount == reading.move.sourceCount else {
                throw MartletError(
                    .io,
                    "\(reading.move.archivedRowCount) of \(reading.move.sourceCount) rows of '\(step.table)' were "
                        + "exported to '\(destination)'", hint: "none of them is erased; see the place and run again")
            }
            reading.batches.append(try AppendBatch(try ArchiveRecord.written(lot, files)))
            // Where the commit fails, the lot is left as it is: whether its rows are erased is what the log says when the
            // next run has settled it, and that run removes the lot if they are not.
            let complete = reading
            let move = try change { (writer) throws(MartletError) -> TierMove? in
                holds(complete, step, former: state, present: writer.state)
                    ? try write(complete, step, writer) : nil
            }
            if let move { return move }
            try discard(lot, archive)
        }
        return nil
    }

    private static func randomID() -> String {
        let digits = String(UInt64.random(in: .min ... .max), radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }

    private func discardUnfinished(
        of table: String, _ archive: any RetentionArchive, _ context: QueryContext
    ) throws(MartletError) {
        // A commit that failed and yet is on the disk would erase the rows of a lot whose files are gone.
        let snapshot = NamespaceSnapshot(try settled(), series: series, core: core)
        let lots = try ArchiveRecord.unfinished(of: table, snapshot, context)
        for lot in lots { try discard(lot, archive) }
    }

    private func discard(_ lot: ArchiveLot, _ archive: any RetentionArchive) throws(MartletError) {
        guard let schema = currentState.catalog[lot.table]?.schema else { return }
        try archive.discard(lot, of: schema, namespace: name)
        try note(try ArchiveRecord.discarded(lot))
    }

    private func note(_ row: TableBatch) throws(MartletError) {
        if let refused = try append([row]).rejected.first { throw refused.error }
    }
}
