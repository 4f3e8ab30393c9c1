import Martlet
import MartletModel
import MartletQuery
import Synchronization

/// Figures of a running export, read by the progress line.
final class ExportFigures: Sendable {
    struct Counts: Sendable {
        var rows = 0
        /// Rows that there will be; 0 where that is not known.
        var expected = 0
        var files = 0
        var bytes = 0
    }

    private let counts = Mutex(Counts())
    var current: Counts { counts.withLock { $0 } }
    func change(_ body: (inout Counts) -> Void) { counts.withLock { body(&$0) } }

    /// What the progress line says.
    func text(_ seconds: Double) -> String {
        let now = current
        var text = now.expected > 0 ? Figures.bar(Double(now.rows) / Double(now.expected)) : ""
        text += "\(Figures.grouped(now.rows)) rows  "
        text += "\(Figures.grouped(Int(Double(now.rows) / max(seconds, 0.001)))) rows/s  "
        text += "\(Figures.grouped(now.files)) files, \(Figures.bytes(now.bytes))"
        return text
    }
}

/// Pulls rows from a target and writes them here.
struct ExportRun {
    /// Rows of one table.
    struct Source: Sendable {
        var namespace: String
        var table: String
        /// The statement whose result they are.
        var sql: String
        /// A statement that counts them, for the progress line.
        var count: String?
    }

    let target: any StatementTarget
    let figures: ExportFigures
    let interrupts: InterruptWatch

    /// Writes everything and finishes the job, or cancels it.
    ///
    /// - Returns: remarks for a person, or what the export ended with.
    func write(_ sources: [Source], to job: any ExportJob) async -> Result<[String], MartletError> {
        do throws(MartletError) {
            try await count(sources)
            for source in sources {
                let result = try await target.run(source.sql, namespace: source.namespace)
                interrupts.watch { result.cancel() }
                try job.beginTable(source.table, namespace: source.namespace, schema: result.schema)
                while let batch = try await result.next() {
                    try job.append(batch)
                    let finished = job.takeFinished()
                    figures.change { counts in
                        counts.rows += batch.rowCount
                        Self.add(finished, to: &counts)
                    }
                }
            }
            let notices = try job.finish()
            let finished = job.takeFinished()
            figures.change { Self.add(finished, to: &$0) }
            return .success(notices)
        } catch {
            do throws(MartletError) {
                try job.cancel()
            } catch let second {
                return .failure(
                    MartletError(
                        error.code, "\(error.message); and what was written could not be removed: \(second)",
                        at: error.location, hint: error.hint))
            }
            return .failure(error)
        }
    }

    private static func add(_ finished: [ExportedPart], to counts: inout ExportFigures.Counts) {
        counts.files += finished.count
        counts.bytes += finished.reduce(0) { $0 + Int($1.bytes) }
    }

    private func count(_ sources: [Source]) async throws(MartletError) {
        for source in sources {
            guard let count = source.count else { continue }
            let rows = try await target.rows(count, namespace: source.namespace)
            if case .int64(let number)? = rows.first?.first { figures.change { $0.expected += Int(number) } }
        }
    }
}

extension StatementTarget {
    /// The texts in the first column of a small result.
    func names(_ sql: String, namespace: String) async throws(MartletError) -> [String] {
        try await rows(sql, namespace: namespace).compactMap { row in
            if case .string(let name)? = row.first { name } else { nil }
        }
    }
}
