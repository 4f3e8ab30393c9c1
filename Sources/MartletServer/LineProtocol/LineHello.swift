import Martlet
import MartletModel

/// The first line of a connection, where it is a greeting: `martlet:v1` followed by `:name:value` pairs.
///
/// A data line has a space, and a greeting has none, nor a comma nor an equals sign; see format-spec/line-protocol.md.
struct LineHello: Equatable {
    var namespace = "default"
    var precision = TimestampPrecision.nanoseconds

    /// What is wrong with a greeting, and at which byte, counted from 1.
    struct Problem: Error, Equatable {
        var column: Int
        var reason: String
    }

    static let longest = 1_024

    /// What the bytes that came so far say about the first line.
    enum FirstLine: Equatable {
        /// It cannot be told yet.
        case unknown
        /// It is data, a comment or blank.
        case data
        /// It is a greeting of so many bytes, its newline not counted.
        case hello(Int)
    }

    static func classify(_ bytes: some Collection<UInt8>) -> FirstLine {
        var count = 0
        for byte in bytes {
            switch byte {
            case UInt8(ascii: "\n"): return count == 0 ? .data : .hello(count)
            case UInt8(ascii: "#") where count == 0: return .data
            case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: ","), UInt8(ascii: "="): return .data
            case UInt8(ascii: "\r") where count == 0: return .data
            default: break
            }
            count += 1
            if count > longest { return .data }
        }
        return .unknown
    }

    /// Reads a greeting.
    init(_ bytes: some Collection<UInt8>) throws(Problem) {
        var bytes = Array(bytes)
        if bytes.last == UInt8(ascii: "\r") { bytes.removeLast() }
        let parts = bytes.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
        guard parts[0].elementsEqual("martlet".utf8) else {
            throw Problem(
                column: 1, reason: "a first line without a space is a greeting and starts with 'martlet:v1'")
        }
        guard parts.count > 1, parts[1].elementsEqual("v1".utf8) else {
            throw Problem(column: 9, reason: "this server speaks 'martlet:v1'")
        }
        guard parts.count % 2 == 0 else {
            throw Problem(column: bytes.count + 1, reason: "the last name of the greeting has no value")
        }
        var seen: Set<String> = []
        for index in stride(from: 2, to: parts.count, by: 2) {
            let name = String(decoding: parts[index], as: UTF8.self)
            let column = parts[index].startIndex + 1
            guard seen.insert(name).inserted else {
                throw Problem(column: column, reason: "'\(name)' is given twice")
            }
            try set(name, parts[index + 1], column)
        }
    }

    init() {}

    private mutating func set(_ name: String, _ bytes: ArraySlice<UInt8>, _ column: Int) throws(Problem) {
        guard let value = Self.decode(bytes) else {
            throw Problem(column: bytes.startIndex + 1, reason: "the value of '\(name)' is not UTF-8 with %XX escapes")
        }
        switch name {
        case "ns":
            guard !value.isEmpty else { throw Problem(column: bytes.startIndex + 1, reason: "the namespace is empty") }
            namespace = value
        case "precision":
            guard let known = TimestampPrecision(name: value) else {
                throw Problem(
                    column: bytes.startIndex + 1, reason: "precision '\(value)' is not one of ns, us, ms, s, m, h")
            }
            precision = known
        case "key":
            throw Problem(column: column, reason: "this server knows no keys; leave 'key' out")
        default:
            throw Problem(column: column, reason: "'\(name)' is not one of ns, precision, key")
        }
    }

    private static func decode(_ bytes: ArraySlice<UInt8>) -> String? {
        var decoded: [UInt8] = []
        var index = bytes.startIndex
        while index < bytes.endIndex {
            if bytes[index] == UInt8(ascii: "%") {
                guard index + 2 < bytes.endIndex,
                    let byte = UInt8(String(decoding: bytes[index + 1...index + 2], as: UTF8.self), radix: 16)
                else { return nil }
                decoded.append(byte)
                index += 3
            } else {
                decoded.append(bytes[index])
                index += 1
            }
        }
        return String(validating: decoded, as: UTF8.self)
    }

    /// The answer.
    var reply: String { "HELLO martlet:v1:ns:\(namespace):precision:\(precision.rawValue)" }
}
