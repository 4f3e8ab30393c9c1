import Martlet
import MartletModel

/// Imports line protocol.
struct LineImport {
    /// Bytes of text that are parsed at once.
    static let blockBytes = 2 << 20

    /// A block of text with the lines of the rows that were parsed out of it.
    private struct Block: ImportPipeline.Origin {
        var text: Buffer
        var firstLine: Int
        var lines: [RowLines]

        func line(batch: Int, row: Int) -> (number: Int, text: [UInt8]) {
            let number = lines[batch][row]
            return (number, Self.text(of: number, in: text, firstLine: firstLine))
        }

        /// The bytes of a line of the block.
        static func text(of line: Int, in block: Buffer, firstLine: Int) -> [UInt8] {
            var rest = block.bytes[...]
            for _ in firstLine..<max(firstLine, line) {
                guard let newline = rest.firstIndex(of: UInt8(ascii: "\n")) else { return [] }
                rest = rest[(newline + 1)...]
            }
            return Array(rest.prefix { $0 != UInt8(ascii: "\n") })
        }
    }

    var precision = TimestampPrecision.nanoseconds
    var clock: any Clock = SystemClock()

    /// Reads `source` to its end.
    ///
    /// - Throws: what reading or appending ends with. Refused lines are no error; they are in `rejects`.
    func run(
        _ source: any ByteSource, into pipeline: ImportPipeline, rejects: RejectFile, figures: ImportFigures
    ) async throws(MartletError) {
        var limits = LineLimits()
        limits.errors = 100_000
        limits.batchBytes = 3 << 20
        var parser = LineProtocolParser(precision: precision, limits: limits)
        var pending = MutableBuffer(capacity: Self.blockBytes)
        var isAtEnd = false
        while !isAtEnd {
            isAtEnd = try Self.fill(&pending, from: source)
            let block = Buffer(copying: pending.bytes)
            let firstLine = parser.lineNumber
            var consumed = 0
            while true {
                let rest = UnsafeRawBufferPointer(rebasing: block.bytes[consumed...])
                let (read, stop) = parser.parse(
                    rest, end: isAtEnd ? .complete : .open, now: clock.now(), schema: { _ in nil })
                consumed += read
                let (errors, count) = parser.takeErrors()
                figures.add(rejected: count)
                for error in errors {
                    try rejects.add(
                        line: error.line, reason: "column \(error.column): \(error.reason)",
                        text: Block.text(of: error.line, in: block, firstLine: firstLine))
                }
                try rejects.add(unlisted: count - errors.count)
                if stop == .none { break }
                try await submit(&parser, block, firstLine, to: pipeline)
            }
            try await submit(&parser, block, firstLine, to: pipeline)
            pending.byteCount = 0
            pending.append(UnsafeRawBufferPointer(rebasing: block.bytes[consumed...]))
        }
        try await pipeline.finish()
    }

    private func submit(
        _ parser: inout LineProtocolParser, _ block: Buffer, _ firstLine: Int, to pipeline: ImportPipeline
    ) async throws(MartletError) {
        let batch = parser.takeBatch()
        guard batch.rowCount > 0 else { return }
        let origin = Block(text: block, firstLine: firstLine, lines: batch.lines)
        try await pipeline.submit(batch.tables, values: batch.valueCount, from: origin)
    }

    /// Reads until the block is full; says whether the source has ended. A line that is longer than a block makes the
    /// block grow.
    private static func fill(_ pending: inout MutableBuffer, from source: any ByteSource) throws(MartletError) -> Bool {
        let wanted = pending.byteCount + blockBytes
        pending.reserve(blockBytes)
        while pending.byteCount < wanted {
            let room = UnsafeMutableRawBufferPointer(
                start: pending.base + pending.byteCount, count: wanted - pending.byteCount)
            let count = try source.read(into: room)
            if count == 0 { return true }
            pending.byteCount += count
        }
        return false
    }
}
