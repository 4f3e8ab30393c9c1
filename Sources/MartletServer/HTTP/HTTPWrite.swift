import HTTPTypes
import Hummingbird
import Logging
import Martlet
import MartletModel
import MartletStorage
import NIOCore

/// InfluxDB's two ways to write: `POST /write` and `POST /api/v2/write`.
///
/// The body is parsed as it comes, so a request holds one batch in memory however long it is. Good lines are kept
/// where others are bad. The answer comes after the last commit.
struct HTTPWrite {
    let settings: ServerConfiguration.HTTPSettings
    let backend: any ServerBackend

    /// What became of the lines.
    private struct Outcome {
        var accepted = 0
        var rejected = 0
        var errors: [LineError] = []
        /// Why reading stopped before the end, if it did.
        var failure: (status: HTTPResponse.Status?, error: MartletError)?
    }

    /// Answers a write to the namespace that `database` names, in the unit that `precision` names.
    func respond(to request: Request, database: String?, precision name: String?) async throws -> Response {
        guard let precision = TimestampPrecision(name: name ?? "ns") else {
            return .error(
                MartletError(.invalidArgument, "precision '\(name ?? "")' is not one of n, ns, u, us, ms, s, m, h"))
        }
        if let length = request.headers[.contentLength].flatMap({ Int($0) }), length > settings.maximumBodyBytes {
            return answer(Outcome(failure: (.contentTooLarge, tooLarge)))
        }
        let packing = request.headers[.contentEncoding]?.lowercased() ?? "identity"
        guard ["identity", "gzip", "x-gzip", "deflate"].contains(packing) else {
            return .error(MartletError(.unsupported, "content encoding '\(packing)' is not one of gzip, deflate"))
        }
        let engine: any NamespaceEngine
        do throws(MartletError) { engine = try namespace(database) } catch { return .error(error) }
        return answer(
            try await read(request.body, isPacked: packing != "identity", into: engine, precision: precision))
    }

    private var tooLarge: MartletError {
        MartletError(
            .outOfRange, "the body is larger than \(settings.maximumBodyBytes) bytes",
            hint: "send it in several requests")
    }

    /// The namespace of a database or bucket: the one of that name, or `default` (see `mapsUnknownToDefault`). A
    /// retention policy after a slash does not matter.
    private func namespace(_ database: String?) throws(MartletError) -> any NamespaceEngine {
        let name = database.map { String($0.prefix { $0 != "/" }) } ?? ""
        if name.isEmpty { return try backend.namespace("default") }
        do {
            return try backend.namespace(name)
        } catch  where error.code == .notFound || error.code == .invalidArgument {
            guard settings.mapsUnknownToDefault else { throw error }
            return try backend.namespace("default")
        }
    }

    // MARK: Reading

    private func read(
        _ body: RequestBody, isPacked: Bool, into engine: any NamespaceEngine, precision: TimestampPrecision
    ) async throws -> Outcome {
        var limits = LineLimits()
        limits.lineLength = settings.maximumLineLength
        // Some dozen requests at once stay within the engine's memory.
        limits.batchBytes = min(limits.batchBytes, backend.memory.limit / 64)
        limits.cacheBytes = min(limits.cacheBytes, backend.memory.limit / 32)
        let parser = LineProtocolParser(precision: precision, limits: limits, memory: backend.memory)
        let writer = Writer(parser: parser, engine: engine)
        var received = 0
        do {
            let inflater =
                isPacked
                ? try Inflater(
                    maximumBytes: settings.maximumUnpackedBytes, maximumExpansion: settings.maximumExpansion) : nil
            for try await chunk in body {
                received += chunk.readableBytes
                guard received <= settings.maximumBodyBytes else {
                    writer.outcome.failure = (.contentTooLarge, tooLarge)
                    break
                }
                if let inflater {
                    try await inflater.unpack(chunk) { try await writer.write($0) }
                } else {
                    try await writer.write(chunk)
                }
            }
            if writer.outcome.failure == nil {
                try inflater?.finish()
                try await writer.finish()
            }
        } catch let error as MartletError {
            let status: HTTPResponse.Status? = error.code == .outOfRange ? .contentTooLarge : nil
            writer.outcome.failure = (status, error)
        }
        return writer.outcome
    }

    /// Feeds a parser and commits what it gives.
    private final class Writer {
        private var parser: LineProtocolParser
        private let engine: any NamespaceEngine
        private var text = ByteBuffer()
        var outcome = Outcome()

        init(parser: consuming LineProtocolParser, engine: any NamespaceEngine) {
            self.parser = parser
            self.engine = engine
        }

        func write(_ chunk: ByteBuffer) async throws {
            var chunk = chunk
            if text.readableBytes == 0 { text.clear() }
            text.writeBuffer(&chunk)
            try await parse(.open)
            text.discardReadBytes()
        }

        func finish() async throws {
            try await parse(.complete)
            try await commit()
            let (errors, count) = parser.takeErrors()
            outcome.rejected += count
            outcome.errors = errors + outcome.errors
        }

        private func parse(_ end: TextEnd) async throws {
            while true {
                let now = engine.clock.now()
                let (consumed, stop) = text.withUnsafeReadableBytes { bytes in
                    parser.parse(bytes, end: end, now: now) { table in
                        // A namespace that cannot be read now says so at the commit, which checks the types again.
                        (try? engine.snapshot())?.schema(of: table)
                    }
                }
                text.moveReaderIndex(forwardBy: consumed)
                if stop == .none { return }
                if stop == .batchFull { try await commit() }
            }
        }

        private func commit() async throws {
            let batch = parser.takeBatch()
            guard batch.rowCount > 0 else { return }
            let result = await withCheckedContinuation { continuation in
                engine.append(batch.tables) { continuation.resume(returning: $0) }
            }
            let committed = try result.get()
            outcome.accepted += committed.accepted
            outcome.rejected += committed.rejected.count
            for row in committed.rejected where outcome.errors.count < 100 {
                outcome.errors.append(
                    LineError(
                        line: batch.lines[row.batch][row.row], column: 0, code: row.error.code,
                        reason: row.error.message))
            }
        }
    }

    // MARK: Answering

    /// 204, or JSON that both generations of InfluxDB's clients understand: `error` for the first, `code` and
    /// `message` for the second; `line`, `column` and `reason` of the first refused line, and a list of them.
    private func answer(_ outcome: Outcome) -> Response {
        if outcome.failure == nil && outcome.rejected == 0 { return Response(status: .noContent) }
        var json = JSONObject()
        var headers: HTTPFields = [:]
        let status: HTTPResponse.Status
        if let (forced, error) = outcome.failure {
            let kept = outcome.accepted > 0 ? "; \(outcome.accepted) rows before that were kept" : ""
            status = forced ?? error.code.httpStatus
            json.set("code", error.code.httpName)
            json.set("message", error.description + kept)
            json.set("error", error.description + kept)
            if status == .tooManyRequests || status == .serviceUnavailable { headers[.retryAfter] = "1" }
        } else {
            status = .badRequest
            let first = outcome.errors.min { ($0.line, $0.column) < ($1.line, $1.column) }
            var message = "partial write: \(outcome.accepted) lines were kept, \(outcome.rejected) refused"
            if let first { message += "; line \(first.line), column \(first.column): \(first.reason)" }
            json.set("code", "invalid")
            json.set("message", message)
            json.set("error", message)
            if let first {
                json.set("line", first.line)
                json.set("column", first.column)
                json.set("reason", first.reason)
            }
        }
        json.set("accepted", outcome.accepted)
        json.set("rejected", outcome.rejected)
        if !outcome.errors.isEmpty {
            let list = outcome.errors.sorted { ($0.line, $0.column) < ($1.line, $1.column) }.map { error in
                var item = JSONObject()
                item.set("line", error.line)
                item.set("column", error.column)
                item.set("code", error.code.httpName)
                item.set("reason", error.reason)
                return item.finish()
            }
            json.set("errors", json: "[\(list.joined(separator: ","))]")
        }
        return .json(status, json.finish(), headers: headers)
    }
}
