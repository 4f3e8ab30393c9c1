import Martlet
import MartletModel

/// Line protocol read the obvious way, byte by byte into Swift values: the oracle of the real parser.
struct ReferenceLineParser {
    struct Row: Equatable {
        var line: Int
        var table: String
        var tags: [String: String]
        var fields: [String: FieldValue]
        var time: Int64

        static func == (left: Row, right: Row) -> Bool {
            left.line == right.line && left.table == right.table && left.tags == right.tags && left.time == right.time
                && left.fields.mapValues(Self.bits) == right.fields.mapValues(Self.bits)
        }

        /// Floats by their bits, so that -0 is not 0.
        private static func bits(_ value: FieldValue) -> FieldValue {
            if case .float64(let number) = value { return .string("float \(number.bitPattern)") }
            return value
        }
    }

    struct Refusal: Error, Equatable {
        var line: Int
        var column: Int
    }

    var rows: [Row] = []
    var refusals: [Refusal] = []
    private let bytes: [UInt8]
    private let now: Int64
    private let unit: Int64
    private let lineLength: Int
    private var types: [String: ColumnType] = [:]
    private var strictEnd = 0
    private var position = 0
    private var lineStart = 0

    /// Something is wrong with the byte at `at`.
    private struct Failure: Error { var at: Int }

    init(_ text: [UInt8], now: Int64 = 0, unit: Int64 = 1, lineLength: Int = 65_536) {
        bytes = text.last == 10 ? text : text + [10]
        self.now = now
        self.unit = unit
        self.lineLength = lineLength
        if !text.isEmpty { run() }
    }

    private mutating func run() {
        var line = 1
        while position < bytes.count {
            lineStart = position
            let physicalEnd = bytes[position...].firstIndex(of: 10)!
            do {
                if let row = try readLine(line) { rows.append(row) }
                line += bytes[lineStart..<position].count { $0 == 10 }
            } catch let failure as Failure {
                if failure.at > physicalEnd {
                    strictEnd = max(strictEnd, failure.at)
                    refusals.append(Refusal(line: line, column: physicalEnd - lineStart + 1))
                } else {
                    refusals.append(Refusal(line: line, column: failure.at - lineStart + 1))
                }
                line += 1
                position = physicalEnd + 1
            } catch {
                fatalError("no other error is thrown")
            }
        }
    }

    private var byte: UInt8 { bytes[position] }

    private func isNewline(_ index: Int) -> Bool {
        bytes[index] == 10 || (bytes[index] == 13 && bytes[index + 1] == 10)
    }

    private func isEscape(_ index: Int) -> Bool { bytes[index] == 92 && [44, 32, 61].contains(bytes[index + 1]) }

    private mutating func endLine() {
        if byte == 13 { position += 1 }
        position += 1
    }

    private mutating func readLine(_ line: Int) throws -> Row? {
        while byte == 32 || byte == 9 { position += 1 }
        if byte == 35 {
            while byte != 10 { position += 1 }
            position += 1
            return nil
        }
        if isNewline(position) {
            endLine()
            return nil
        }
        let keyStart = position
        var keyEnd = position
        while bytes[keyEnd] != 32 && bytes[keyEnd] != 10 { keyEnd += isEscape(keyEnd) ? 2 : 1 }
        try requireUTF8(keyStart, keyEnd)
        let table = try readName(until: [44], keyEnd, escapes: [44, 32], isTime: false)
        var tags: [String: String] = [:]
        var starts: [(key: String, at: Int)] = []
        while position < keyEnd {
            position += 1
            let start = position
            var at = position
            while at < keyEnd && bytes[at] != 61 && bytes[at] != 44 { at += isEscape(at) ? 2 : 1 }
            if at >= keyEnd || bytes[at] != 61 { throw Failure(at: min(at, keyEnd)) }
            let key = try readName(until: [61, 44], keyEnd, escapes: [44, 32, 61], isTime: true)
            position += 1
            let valueStart = position
            while position < keyEnd && byte != 44 {
                if byte == 61 { throw Failure(at: position) }
                position += isEscape(position) ? 2 : 1
            }
            if valueStart == position { throw Failure(at: position) }
            tags[key] = unescape(valueStart, position, [44, 32, 61])
            starts.append((key, start))
        }
        // The first repetition in the order of the keys.
        let sorted = starts.sorted {
            $0.key == $1.key ? $0.at < $1.at : $0.key.utf8.lexicographicallyPrecedes($1.key.utf8)
        }
        for (first, second) in zip(sorted, sorted.dropFirst()) where first.key == second.key {
            throw Failure(at: second.at)
        }
        if byte != 32 { throw Failure(at: position) }
        while byte == 32 { position += 1 }

        var fields: [String: FieldValue] = [:]
        while true {
            let start = position
            while byte != 61 {
                if byte == 10 || byte == 44 || byte == 32 {
                    throw Failure(at: position == start + 1 && bytes[start] == 13 ? start : position)
                }
                position += isEscape(position) ? 2 : 1
            }
            let end = position
            position = start
            let name = try readName(until: [61], end, escapes: [44, 32, 61], isTime: true, validates: true)
            position = end + 1
            let valueStart = position
            var value = try readValue()
            if let type = types[table + "\u{0}" + name], type != value.type {
                switch (type, value) {
                case (.float64, .int64(let number)): value = .float64(Double(number))
                case (.float64, .uint64(let number)): value = .float64(Double(number))
                default: throw Failure(at: valueStart)
                }
            }
            fields[name] = value
            if byte != 44 { break }
            position += 1
        }

        var time = now
        if !isNewline(position) {
            if byte != 32 { throw Failure(at: position) }
            while byte == 32 { position += 1 }
            if !isNewline(position) {
                let start = position
                if byte == 45 { position += 1 }
                let digits = position
                while byte >= 48 && byte <= 57 { position += 1 }
                let end = position
                while byte == 32 { position += 1 }
                if end == digits || !isNewline(position) { throw Failure(at: end) }
                guard let units = Int64(String(decoding: bytes[start..<end], as: UTF8.self)),
                    case let (scaled, overflow) = units.multipliedReportingOverflow(by: unit), !overflow
                else { throw Failure(at: start) }
                time = scaled
            }
        }
        if byte == 13 { position += 1 }
        if position - lineStart > lineLength {
            let spans = bytes[lineStart..<position].contains(10)
            throw Failure(at: spans ? position : lineStart + lineLength)
        }
        position += 1
        for (name, value) in fields { types[table + "\u{0}" + name] = value.type }
        return Row(line: line, table: table, tags: tags, fields: fields, time: time)
    }

    private func requireUTF8(_ start: Int, _ end: Int) throws {
        if let offset = Self.invalidUTF8(Array(bytes[start..<end])) { throw Failure(at: start + offset) }
    }

    /// The offset of the first sequence that the standard library's decoder repairs.
    static func invalidUTF8(_ bytes: [UInt8]) -> Int? {
        if String(validating: bytes, as: UTF8.self) != nil { return nil }
        var offset = 0
        var decoder = UTF8()
        var rest = bytes.makeIterator()
        while case .scalarValue(let scalar) = decoder.decode(&rest) { offset += UTF8.width(scalar) }
        return offset
    }

    private mutating func readName(
        until stops: [UInt8], _ limit: Int, escapes: [UInt8], isTime: Bool, validates: Bool = false
    ) throws -> String {
        let start = position
        while position < limit && !stops.contains(byte) { position += isEscape(position) ? 2 : 1 }
        if position == start { throw Failure(at: start) }
        if position - start > 1_024 { throw Failure(at: start) }
        if isTime && Array(bytes[start..<position]) == Array("time".utf8) { throw Failure(at: start) }
        if validates { try requireUTF8(start, position) }
        return unescape(start, position, escapes)
    }

    private func unescape(_ start: Int, _ end: Int, _ escapes: [UInt8]) -> String {
        var text: [UInt8] = []
        var at = start
        while at < end {
            if bytes[at] == 92 && escapes.contains(bytes[at + 1]) { at += 1 }
            text.append(bytes[at])
            at += 1
        }
        return String(decoding: text, as: UTF8.self)
    }

    private mutating func readValue() throws -> FieldValue {
        let start = position
        switch byte {
        case 34: return try readText()
        case 116, 84, 102, 70:
            while (byte >= 65 && byte <= 90) || (byte >= 97 && byte <= 122) { position += 1 }
            switch String(decoding: bytes[start..<position], as: UTF8.self) {
            case "t", "T", "true", "True", "TRUE": return .bool(true)
            case "f", "F", "false", "False", "FALSE": return .bool(false)
            default: throw Failure(at: start)
            }
        default: return try readNumber()
        }
    }

    private mutating func readText() throws -> FieldValue {
        position += 1
        let start = position
        var text: [UInt8] = []
        while byte != 34 {
            if byte == 92 && (bytes[position + 1] == 34 || bytes[position + 1] == 92) {
                text.append(bytes[position + 1])
                position += 2
            } else {
                if byte == 10 && position < strictEnd { throw Failure(at: position) }
                text.append(byte)
                position += 1
            }
            if position >= bytes.count {
                throw Failure(at: bytes[lineStart...].firstIndex(of: 10)!)
            }
        }
        try requireUTF8(start, position)
        position += 1
        return .string(String(decoding: text, as: UTF8.self))
    }

    private mutating func readNumber() throws -> FieldValue {
        let start = position
        func isDigit(_ byte: UInt8) -> Bool { byte >= 48 && byte <= 57 }
        if byte == 45 || byte == 43 { position += 1 }
        let isSigned = position > start
        let whole = position
        while isDigit(byte) { position += 1 }
        var digits = position - whole
        let wholeText = String(decoding: bytes[start..<position], as: UTF8.self)
        if digits > 0 && byte == UInt8(ascii: "i") {
            position += 1
            guard let number = Int64(wholeText) else { throw Failure(at: start) }
            return .int64(number)
        }
        if digits > 0 && byte == UInt8(ascii: "u") {
            position += 1
            guard !isSigned, let number = UInt64(wholeText) else { throw Failure(at: start) }
            return .uint64(number)
        }
        if byte == UInt8(ascii: ".") {
            position += 1
            while isDigit(byte) {
                position += 1
                digits += 1
            }
        }
        if digits == 0 { throw Failure(at: start) }
        if byte == UInt8(ascii: "e") || byte == UInt8(ascii: "E") {
            position += 1
            if byte == 45 || byte == 43 { position += 1 }
            if !isDigit(byte) { throw Failure(at: position) }
            while isDigit(byte) { position += 1 }
        }
        var text = String(decoding: bytes[start..<position], as: UTF8.self)
        text = text.replacing(".e", with: ".0e").replacing(".E", with: ".0E")
        guard let number = Double(text.hasSuffix(".") ? text + "0" : text), number.isFinite else {
            throw Failure(at: start)
        }
        return .float64(number)
    }
}
