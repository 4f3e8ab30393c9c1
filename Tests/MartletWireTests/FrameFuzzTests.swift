import MartletModel
import MartletTestSupport
import Testing

@testable import MartletWire

/// Bodies whose checksums are right and whose content is not: what a hostile or broken peer sends.
@Suite struct FrameFuzzTests {
    @Test func noMutatedBodyCrashesTheDecoder() throws {
        let messages = try Samples.messages()
        var refused = 0
        var accepted = 0
        for seed in UInt64(0)..<12_000 {
            var random = SeededGenerator(seed: seed)
            let (_, _, message) = messages[Int(seed) % messages.count]
            let body = Self.mutate(try Self.body(message), using: &random)
            do {
                let read = try Self.decode(message.type, body)
                accepted += 1
                // What was accepted can be sent again: every promise of a column holds.
                _ = try Samples.frame(read)
                if case .rows(let batch) = read { for row in 0..<batch.rowCount { _ = batch.row(row) } }
            } catch {
                refused += 1
                let known: Set<MartletError.Code> = [.protocolViolation, .invalidUTF8]
                #expect(known.contains((error as? MartletError)?.code ?? .internal), "seed \(seed): \(error)")
            }
        }
        #expect(
            refused > 1000 && accepted > 1000, "\(refused) refused, \(accepted) accepted: the mutations test nothing")
    }

    @Test func randomBytesOfEveryTypeAreRefusedOrRead() {
        for seed in UInt64(0)..<6000 {
            var random = SeededGenerator(seed: seed)
            let type = FrameType.allCases[Int(seed) % FrameType.allCases.count]
            let bytes = (0..<Int.random(in: 0...200, using: &random)).map { _ in
                UInt8.random(in: 0...255, using: &random)
            }
            do {
                _ = try Self.decode(type, bytes)
            } catch {
                #expect(error.code == .protocolViolation || error.code == .invalidUTF8, "seed \(seed): \(error)")
            }
        }
    }

    @Test func everyPrefixOfABodyIsRefusedOrRead() throws {
        for (name, _, message) in try Samples.messages() {
            let body = try Self.body(message)
            for count in 0..<body.count {
                do {
                    let read = try Self.decode(message.type, Array(body[..<count]))
                    _ = try Samples.frame(read)
                } catch let error as MartletError {
                    #expect(error.code == .protocolViolation || error.code == .invalidUTF8, "\(name) cut at \(count)")
                }
            }
        }
    }

    private static func body(_ message: Message) throws -> [UInt8] {
        var output = MutableBuffer(capacity: 256)
        try message.appendBody(to: &output)
        return Array(output.bytes)
    }

    private static func decode(_ type: FrameType, _ bytes: [UInt8]) throws(MartletError) -> Message {
        let copy = Buffer(bytes)
        return try withExtendedLifetime(copy) { () throws(MartletError) in try Message(type, body: copy.bytes) }
    }

    private static func mutate(_ original: [UInt8], using random: inout SeededGenerator) -> [UInt8] {
        var bytes = original
        for _ in 0..<Int.random(in: 1...3, using: &random) {
            guard !bytes.isEmpty else { break }
            let index = Int.random(in: 0..<bytes.count, using: &random)
            switch Int.random(in: 0..<6, using: &random) {
            case 0: bytes[index] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            case 1: bytes[index] = [0, 1, 0x7f, 0x80, 0xff].randomElement(using: &random)!
            case 2: bytes.removeSubrange(index...)
            case 3: bytes.insert(UInt8.random(in: 0...255, using: &random), at: index)
            case 4:
                for offset in index..<min(index + 4, bytes.count) { bytes[offset] = 0xff }
            default: bytes.append(contentsOf: bytes[index...].prefix(16))
            }
        }
        return bytes
    }
}
