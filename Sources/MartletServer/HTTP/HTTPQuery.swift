import HTTPTypes
import Hummingbird
import HummingbirdCore
import Martlet
import MartletModel
import NIOCore
import NIOPosix

/// `GET` and `POST /api/v1/query`: SQL in, rows out as JSON, NDJSON, CSV, line protocol or a table, streamed.
struct HTTPQuery {
    let settings: ServerConfiguration.HTTPSettings
    let backend: any ServerBackend
    let threads: NIOThreadPool
    let running: RunningQueries

    /// What is asked.
    struct Question: Equatable {
        var sql: String
        var namespace = "default"
        var format = ResultFormat.json
        var timeout: Duration?
    }

    func respond(to request: Request, context: HTTPContext) async throws -> Response {
        let question: Question
        do {
            question = try await Self.question(of: request, maximumBytes: settings.maximumStatementBytes)
        } catch let error as MartletError {
            return .error(error)
        }
        let run = QueryRun(format: question.format)
        let channel = context.channel
        let first: ByteBuffer
        do {
            // What takes long runs on the query threads; a client that goes away in the meantime ends it.
            first = try await threads.runIfActive { [backend, running] in
                let query = try backend.query(
                    question.sql, namespace: question.namespace, timeout: question.timeout)
                running.add(query, on: channel)
                return try run.begin(query)
            }
        } catch {
            finish(run, on: channel)
            return .error(error as? MartletError ?? MartletError(.closed, "the server is shutting down"))
        }
        var headers: HTTPFields = [.contentType: question.format.contentType]
        if !run.notices.isEmpty, let name = HTTPField.Name("Martlet-Notice") {
            headers[name] = String(
                run.notices.joined(separator: "; ").map { $0.isASCII && !$0.isNewline ? $0 : "?" })
        }
        if run.isFinished {
            finish(run, on: channel)
            return Response(status: .ok, headers: headers, body: .init(byteBuffer: first))
        }
        return Response(
            status: .ok, headers: headers,
            body: .init { [threads, running] writer in
                defer { if let query = run.query { running.remove(query, on: channel) } }
                do {
                    try await writer.write(first)
                    while !run.isFinished {
                        try await writer.write(try await threads.runIfActive { try run.step() })
                    }
                    try await writer.finish(nil)
                } catch {
                    // The status is sent already: the missing last chunk tells the client that the rest is missing.
                    run.query?.cancel()
                    throw error
                }
            })
    }

    private func finish(_ run: QueryRun, on channel: any Channel) {
        if let query = run.query { running.remove(query, on: channel) }
    }

    // MARK: Reading the question

    private static func question(of request: Request, maximumBytes: Int) async throws -> Question {
        var values: [String: String] = [:]
        add(request.uri.query ?? "", to: &values)
        if request.method == .post {
            let body: ByteBuffer
            do {
                body = try await request.body.collect(upTo: maximumBytes)
            } catch is NIOTooManyBytesError {
                throw MartletError(.outOfRange, "the statement is longer than \(maximumBytes) bytes")
            }
            guard let text = String(validating: body.readableBytesView, as: UTF8.self) else {
                throw MartletError(.invalidUTF8, "the body is not valid UTF-8")
            }
            let type = request.headers[.contentType]?.prefix { $0 != ";" }.lowercased() ?? ""
            if type == "application/json" {
                values.merge(try jsonValues(body)) { $1 }
            } else if type == "application/x-www-form-urlencoded", text.hasPrefix("q=") {
                add(text, to: &values)
            } else if !text.isEmpty {
                values["q"] = text
            }
        }
        guard let sql = values["q"] ?? values["sql"], !sql.isEmpty else {
            throw MartletError(
                .invalidArgument, "the request has no statement",
                hint: "send it as the body, as \"q\" in a JSON object, or as ?q=")
        }
        if request.method == .get { try requireReading(sql) }
        var question = Question(sql: sql)
        if let name = values["namespace"] ?? values["ns"] ?? values["db"] { question.namespace = name }
        question.format = try format(values["format"], accept: request.headers[.accept])
        if let text = values["timeout"] {
            guard let seconds = Double(text), seconds > 0, seconds < 1e6 else {
                throw MartletError(.invalidArgument, "timeout '\(text)' is not a number of seconds")
            }
            question.timeout = .milliseconds(Int(seconds * 1_000))
        }
        return question
    }

    /// Adds `name=value&...`, in which a plus sign stands for a space.
    private static func add(_ text: String, to values: inout [String: String]) {
        let uri = URI("/?" + text.replacing("+", with: "%20"))
        for (name, value) in uri.queryParameters { values[String(name)] = String(value) }
    }

    private static func format(_ name: String?, accept: String?) throws -> ResultFormat {
        if let name {
            guard let format = ResultFormat(rawValue: name.lowercased()) else {
                let known = ResultFormat.allCases.map(\.rawValue).joined(separator: ", ")
                throw MartletError(.invalidArgument, "format '\(name)' is not one of \(known)")
            }
            return format
        }
        let accept = accept?.lowercased() ?? ""
        if accept.contains("text/csv") { return .csv }
        return accept.contains("application/x-ndjson") ? .ndjson : .json
    }

    /// A JSON body's values, numbers as text.
    private static func jsonValues(_ body: ByteBuffer) throws -> [String: String] {
        struct Body: Decodable {
            var q: String?
            var sql: String?
            var namespace: String?
            var format: String?
            var timeout: Double?
        }
        let decoded: Body
        do {
            decoded = try JSONBody.decode(Body.self, from: body)
        } catch {
            throw MartletError(
                .invalidArgument,
                "the body is not a JSON object with \"q\" and, if wanted, \"namespace\", \"format\" "
                    + "and \"timeout\" (seconds): \(error)")
        }
        var values: [String: String] = [:]
        values["q"] = decoded.q ?? decoded.sql
        values["namespace"] = decoded.namespace
        values["format"] = decoded.format
        values["timeout"] = decoded.timeout.map { "\($0)" }
        return values
    }

    /// A link must not change anything: `GET` is for statements that read.
    private static func requireReading(_ sql: String) throws {
        let reading = ["SELECT", "WITH", "SHOW", "EXPLAIN", "VALUES", "DESCRIBE", "FROM", "TABLE", "("]
        let start = sql.drop { $0.isWhitespace || $0.isNewline }
        let word = start.first == "(" ? "(" : start.prefix { $0.isLetter }.uppercased()
        guard reading.contains(word) else {
            throw MartletError(
                .invalidArgument, "a statement that starts with '\(word)' needs POST; GET is for statements that read")
        }
    }
}

/// A query and its formatter.
///
/// Invariant: `begin` and `step` are called one after the other, each after the former has returned, from whichever
/// thread; what they set is read only between the calls. That is what makes the class `Sendable`.
private final class QueryRun: @unchecked Sendable {
    private(set) var query: (any ServerQuery)?
    private(set) var isFinished = false
    private var formatter: any ResultFormatter
    private var output = MutableBuffer(capacity: 4_096)

    private static let pieceSize = 64 << 10

    init(format: ResultFormat) { formatter = format.makeFormatter() }

    var notices: [String] { query?.notices ?? [] }

    /// Starts the result; returns its first piece.
    func begin(_ query: any ServerQuery) throws(MartletError) -> ByteBuffer {
        self.query = query
        try formatter.begin(query.schema, into: &output)
        return try step()
    }

    /// The next piece of the result.
    func step() throws(MartletError) -> ByteBuffer {
        while output.byteCount < Self.pieceSize {
            guard let batch = try query?.next() else {
                try formatter.finish(into: &output)
                isFinished = true
                break
            }
            try formatter.append(batch, into: &output)
        }
        let piece = ByteBuffer(bytes: output.bytes)
        output.byteCount = 0
        return piece
    }
}
