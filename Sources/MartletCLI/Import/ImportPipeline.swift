import MartletModel
import Synchronization

/// Figures of a running import, read by the progress line.
final class ImportFigures: Sendable {
    struct Counts: Sendable {
        var rows = 0
        var values = 0
        var rejected = 0
    }

    private let counts = Mutex(Counts())
    var current: Counts { counts.withLock { $0 } }
    func add(rows: Int = 0, values: Int = 0, rejected: Int = 0) {
        counts.withLock {
            $0.rows += rows
            $0.values += values
            $0.rejected += rejected
        }
    }
}

extension ImportPipeline.Origin {
    var source: String? { nil }
}

/// Appends batches to a target, a few at a time in flight, and hands refused rows back in order.
final class ImportPipeline {
    /// Where the rows of a batch came from, for those that are refused.
    protocol Origin: Sendable {
        /// The line of a row, and its text.
        func line(batch: Int, row: Int) -> (number: Int, text: [UInt8])
        /// The file, where there are several.
        var source: String? { get }
    }

    private struct InFlight {
        var origin: any Origin
        var task: Task<Result<AppendReport, MartletError>, Never>
    }

    private static let depth = 3
    private let target: any StatementTarget
    private let namespace: String
    private let rejects: RejectFile
    private let figures: ImportFigures
    private var inFlight: [InFlight] = []

    init(target: any StatementTarget, namespace: String, rejects: RejectFile, figures: ImportFigures) {
        self.target = target
        self.namespace = namespace
        self.rejects = rejects
        self.figures = figures
    }

    /// Sends batches off; waits while too many are under way.
    ///
    /// - Throws: what an earlier batch ended with.
    func submit(_ batches: [TableBatch], values: Int, from origin: any Origin) async throws(MartletError) {
        guard !batches.isEmpty else { return }
        while inFlight.count >= Self.depth { try await settleFirst() }
        let (target, namespace, figures) = (target, namespace, figures)
        let task = Task { () async -> Result<AppendReport, MartletError> in
            do throws(MartletError) {
                let report = try await target.append(batches, namespace: namespace)
                figures.add(rows: report.accepted, values: values, rejected: report.rejectedCount)
                return .success(report)
            } catch {
                return .failure(error)
            }
        }
        inFlight.append(InFlight(origin: origin, task: task))
    }

    /// Waits until everything is acknowledged.
    func finish() async throws(MartletError) {
        while !inFlight.isEmpty { try await settleFirst() }
    }

    private func settleFirst() async throws(MartletError) {
        let first = inFlight.removeFirst()
        let report = try await first.task.value.get()
        for rejection in report.rejections {
            let (number, text) = first.origin.line(batch: rejection.batch, row: rejection.row)
            try rejects.add(
                line: number, reason: (first.origin.source.map { $0 + ": " } ?? "") + rejection.error.description,
                text: text)
        }
        try rejects.add(unlisted: report.rejectedCount - report.rejections.count)
    }
}
