/// Takes CSV (RFC 4180) apart: fields in quotes may hold separators, line breaks and doubled quotes; lines end with LF
/// or CRLF; a byte order mark at the start is passed over.
struct CSVScanner {
    /// One record: its fields' unquoted bytes, and which of them stood in quotes.
    struct Record {
        /// The line that the record begins on, from 1.
        var line = 1
        fileprivate(set) var bytes: [UInt8] = []
        fileprivate(set) var ends: [Int] = []
        fileprivate(set) var quoted: [Bool] = []

        var count: Int { ends.count }

        func field(_ index: Int) -> ArraySlice<UInt8> { bytes[(index == 0 ? 0 : ends[index - 1])..<ends[index]] }

        func text(_ index: Int) -> String { String(decoding: field(index), as: UTF8.self) }

        /// Whether the field is empty and not in quotes: CSV's way to say nothing.
        func isMissing(_ index: Int) -> Bool { field(index).isEmpty && !quoted[index] }
    }

    /// A record may hold so many bytes; more means a quote that nobody closed.
    static let maximumRecordBytes = 4 << 20

    private enum State { case fieldStart, plain, quoted, afterQuote }

    private let separator: UInt8
    private var state = State.fieldStart
    private var record = Record()
    private var isQuoted = false
    private var line = 1
    private var markBytes = 0
    /// Whether the record's last byte stood outside of quotes.
    private var endsPlain = false

    init(separator: UInt8 = UInt8(ascii: ",")) { self.separator = separator }

    /// Whether the last record has grown beyond `maximumRecordBytes`.
    var isOverlong: Bool { record.bytes.count > Self.maximumRecordBytes }
    /// The line that the record being read begins on.
    var recordLine: Int { record.line }

    /// Reads bytes; hands each record that they complete to `body`.
    mutating func feed(
        _ bytes: UnsafeRawBufferPointer, _ body: (borrowing Record) throws -> Void
    ) rethrows {
        for byte in bytes {
            if markBytes >= 0 {
                let mark: [UInt8] = [0xef, 0xbb, 0xbf]
                if markBytes < 3 && byte == mark[markBytes] {
                    markBytes += 1
                    continue
                }
                // Part of a mark is ordinary text.
                if markBytes < 3 { for index in 0..<markBytes { append(mark[index]) } }
                markBytes = -1
            }
            if byte == UInt8(ascii: "\n") { line += 1 }
            switch state {
            case .quoted:
                endsPlain = false
                if byte == UInt8(ascii: "\"") { state = .afterQuote } else { record.bytes.append(byte) }
            case .fieldStart where byte == UInt8(ascii: "\""):
                isQuoted = true
                state = .quoted
            case .afterQuote where byte == UInt8(ascii: "\""):
                record.bytes.append(byte)
                state = .quoted
            default:
                if byte == separator {
                    endField()
                } else if byte == UInt8(ascii: "\n") {
                    try endRecord(body)
                } else {
                    append(byte)
                }
            }
        }
    }

    /// Ends the text; a last record without a line end is handed to `body`.
    ///
    /// - Returns: `false` when the text ends within quotes.
    mutating func finish(_ body: (borrowing Record) throws -> Void) rethrows -> Bool {
        if state == .quoted { return false }
        if !record.bytes.isEmpty || record.count > 0 || isQuoted { try endRecord(body) }
        return true
    }

    private mutating func append(_ byte: UInt8) {
        endsPlain = true
        record.bytes.append(byte)
        if state == .fieldStart { state = .plain }
    }

    private mutating func endField() {
        record.ends.append(record.bytes.count)
        record.quoted.append(isQuoted)
        isQuoted = false
        state = .fieldStart
    }

    private mutating func endRecord(_ body: (borrowing Record) throws -> Void) rethrows {
        // CRLF: the carriage return belongs to the line's end, unless quotes held it.
        if endsPlain && record.bytes.last == UInt8(ascii: "\r") && record.bytes.count > (record.ends.last ?? 0) {
            record.bytes.removeLast()
        }
        let isBlank = record.count == 0 && record.bytes.isEmpty && !isQuoted
        if !isBlank {
            endField()
            try body(record)
        }
        record.bytes.removeAll(keepingCapacity: true)
        record.ends.removeAll(keepingCapacity: true)
        record.quoted.removeAll(keepingCapacity: true)
        record.line = line
        isQuoted = false
        state = .fieldStart
    }
}
