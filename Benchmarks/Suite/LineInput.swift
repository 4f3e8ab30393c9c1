import Foundation
import Martlet

/// The line-protocol parser as the TCP port drives it: text in pieces, batches out.
enum LineInput {
    static func countNewlines(_ text: [UInt8]) -> Int {
        text.withUnsafeBytes { bytes in
            var count = 0
            var at = bytes.baseAddress!
            let end = at + bytes.count
            while at < end, let newline = memchr(at, 10, end - at) {
                count += 1
                at = UnsafeRawPointer(newline) + 1
            }
            return count
        }
    }

    /// Parses all of `text` and hands over each full batch.
    static func parse(_ text: [UInt8], _ take: (ParsedBatch) throws -> Void) throws {
        var parser = LineProtocolParser()
        try text.withUnsafeBytes { bytes in
            var offset = 0
            while offset < bytes.count {
                let (consumed, stop) = parser.parse(
                    UnsafeRawBufferPointer(rebasing: bytes[offset...]), end: .complete, now: Timestamp(nanoseconds: 0)
                ) { _ in nil }
                offset += consumed
                if stop == .batchFull { try take(parser.takeBatch()) }
            }
        }
        if parser.rowCount > 0 { try take(parser.takeBatch()) }
        if let error = parser.errors.first { throw error.error }
    }
}
