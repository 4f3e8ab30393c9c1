import HTTPTypes
import Hummingbird
import Martlet
import MartletModel
import NIOCore

extension MartletError.Code {
    /// The name that HTTP clients see.
    var httpName: String {
        switch self {
        case .invalidArgument: "invalid_argument"
        case .malformedLine: "malformed_line"
        case .typeConflict: "type_conflict"
        case .outOfRange: "out_of_range"
        case .invalidUTF8: "invalid_utf8"
        case .syntax: "syntax"
        case .semantic: "semantic"
        case .notFound: "not_found"
        case .alreadyExists: "already_exists"
        case .corrupt: "corrupt"
        case .unsupportedVersion: "unsupported_version"
        case .io: "io"
        case .storageFull: "storage_full"
        case .locked: "locked"
        case .readOnly: "read_only"
        case .resourceExhausted: "resource_exhausted"
        case .timeout: "timeout"
        case .cancelled: "cancelled"
        case .closed: "closed"
        case .protocolViolation: "protocol_violation"
        case .unauthorized: "unauthorized"
        case .unsupported: "unsupported"
        case .internal: "internal"
        }
    }

    var httpStatus: HTTPResponse.Status {
        switch self {
        case .invalidArgument, .malformedLine, .typeConflict, .outOfRange, .invalidUTF8, .syntax, .semantic,
            .protocolViolation:
            .badRequest
        case .notFound: .notFound
        case .alreadyExists, .locked: .conflict
        case .corrupt, .io, .internal: .internalServerError
        case .unsupportedVersion, .unsupported: .notImplemented
        case .storageFull: .init(code: 507, reasonPhrase: "Insufficient Storage")
        case .readOnly, .unauthorized: .forbidden
        case .resourceExhausted: .tooManyRequests
        case .timeout: .requestTimeout
        case .cancelled: .init(code: 499, reasonPhrase: "Client Closed Request")
        case .closed: .serviceUnavailable
        }
    }
}

/// JSON written key by key.
struct JSONObject: ~Copyable {
    private var buffer = MutableBuffer(capacity: 256)
    private var isFirst = true

    init() { buffer.append(ascii: "{") }

    private mutating func key(_ name: String) {
        if !isFirst { buffer.append(ascii: ",") }
        isFirst = false
        buffer.append(jsonText: name)
        buffer.append(ascii: ":")
    }

    mutating func set(_ name: String, _ text: String) {
        key(name)
        buffer.append(jsonText: text)
    }

    mutating func set(_ name: String, _ number: Int) {
        key(name)
        buffer.append(decimal: Int64(number))
    }

    /// Sets an array of objects or an object that is JSON already.
    mutating func set(_ name: String, json: String) {
        key(name)
        buffer.append(text: json)
    }

    consuming func finish() -> String {
        buffer.append(ascii: "}")
        return buffer.text
    }
}

extension Response {
    static func json(
        _ status: HTTPResponse.Status, _ text: String, headers: HTTPFields = [:]
    ) -> Response {
        var headers = headers
        headers[.contentType] = "application/json"
        return Response(status: status, headers: headers, body: .init(byteBuffer: ByteBuffer(string: text + "\n")))
    }

    /// `{"error":{"code":...,"message":...}}` with the place and the hint where they are known.
    static func error(_ error: MartletError) -> Response {
        var inner = JSONObject()
        inner.set("code", error.code.httpName)
        inner.set("message", error.message)
        switch error.location {
        case .input(let line, let column):
            inner.set("line", line)
            inner.set("column", column)
        case .statement(let offset, let line, let column):
            inner.set("line", line)
            inner.set("column", column)
            inner.set("offset", offset)
        case .file(let path, _): inner.set("file", path)
        case .column(let table, let column):
            inner.set("table", table)
            if let column { inner.set("field", column) }
        case nil: break
        }
        if let hint = error.hint { inner.set("hint", hint) }
        var outer = JSONObject()
        outer.set("error", json: inner.finish())
        var headers: HTTPFields = [:]
        if error.code == .resourceExhausted || error.code == .closed { headers[.retryAfter] = "1" }
        return json(error.code.httpStatus, outer.finish(), headers: headers)
    }
}
