import Foundation
import MartletModel
import Testing

@testable import MartletWire

/// The frames that format-spec/wire-protocol.md fixes, as hexadecimal text. A change of them is a change of the protocol.
@Suite struct GoldenFrameTests {
    @Test func everyMessageHasTheBytesOfItsGoldenFile() throws {
        for (name, requestID, message) in try Samples.messages() {
            let frame = try Samples.frame(message, requestID: requestID)
            #expect(frame == (try Self.golden(name)), "\(name)")
        }
    }

    @Test func everyGoldenFileReadsAsItsMessage() throws {
        for (name, requestID, message) in try Samples.messages() {
            let (header, read) = try Samples.read(try Self.golden(name))
            #expect(header.requestID == requestID, "\(name)")
            #expect(header.type == message.type, "\(name)")
            #expect(try Samples.frame(read, requestID: requestID) == Samples.frame(message, requestID: requestID))
        }
    }

    @Test func everyFrameTypeHasAGoldenFile() throws {
        #expect(Set(try Samples.messages().map(\.message.type)) == Set(FrameType.allCases))
    }

    private static func golden(_ name: String) throws -> [UInt8] {
        let url = try #require(Bundle.module.url(forResource: name, withExtension: "hex", subdirectory: "Golden"))
        let digits = try String(contentsOf: url, encoding: .utf8).split(whereSeparator: \.isWhitespace)
        return try digits.map { try #require(UInt8($0, radix: 16), "\(name): \($0)") }
    }
}
