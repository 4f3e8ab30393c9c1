import MartletModel
import Testing

@testable import Martlet

/// One malformed line, the column that is to blame and the kind of error.
struct MalformedLine: CustomTestStringConvertible {
    var text: [UInt8]
    var column: Int
    var code: MartletError.Code

    init(_ text: String, _ column: Int, _ code: MartletError.Code = .malformedLine) {
        (self.text, self.column, self.code) = (Array(text.utf8), column, code)
    }

    init(bytes: [UInt8], _ column: Int) { (text, self.column, code) = (bytes, column, .invalidUTF8) }

    var testDescription: String { String(decoding: text.prefix(60), as: UTF8.self) }

    static let all: [MalformedLine] = [
        MalformedLine("t", 2),
        MalformedLine("t ", 3),
        MalformedLine("t   ", 5),
        MalformedLine("hello world", 12),
        MalformedLine(",a=b v=1", 1),
        MalformedLine("t, v=1", 3),
        MalformedLine("t,a v=1", 4),
        MalformedLine("t,a=1,,b=2 v=1", 7),
        MalformedLine("t,=b v=1", 3),
        MalformedLine("t,a= v=1", 5),
        MalformedLine("t,a=,b=1 v=1", 5),
        MalformedLine("t,a=b=c v=1", 6),
        MalformedLine("t,a=1,b=2,a=3 v=1", 11),
        MalformedLine("t,b=1,a=2,b=3 v=1", 11),
        MalformedLine("t,time=1 v=1", 3),
        MalformedLine("t,a=1", 6),
        MalformedLine("t,a=1 v", 8),
        MalformedLine("t =1", 3),
        MalformedLine("t v=", 5),
        MalformedLine("t v= 5", 5),
        MalformedLine("t v=,w=1", 5),
        MalformedLine("t v=1,", 7),
        MalformedLine("t v=1,,w=2", 7),
        MalformedLine("t v=1,w 5", 8),
        MalformedLine("t time=1", 3),
        MalformedLine("t v=abc", 5),
        MalformedLine("t v=nan", 5),
        MalformedLine("t v=NaN", 5),
        MalformedLine("t v=inf", 5),
        MalformedLine("t v=0x10", 6),
        MalformedLine("t v=1.5i", 8),
        MalformedLine("t v=1e", 7),
        MalformedLine("t v=1e+", 8),
        MalformedLine("t v=.", 5),
        MalformedLine("t v=-", 5),
        MalformedLine("t v=-i", 5),
        MalformedLine("t v=--1", 5),
        MalformedLine("t v=12ii", 8),
        MalformedLine("t v=-1u", 5),
        MalformedLine("t v=truer", 5),
        MalformedLine("t v=tRUE", 5),
        MalformedLine("t v=\"abc", 9),
        MalformedLine("t v=\"abc\\\"", 11),
        MalformedLine("t v=\"abc\"d", 10),
        MalformedLine("t v=1 abc", 7),
        MalformedLine("t v=1 12.5", 9),
        MalformedLine("t v=1 12 13", 9),
        MalformedLine("t v=1 -", 8),
        MalformedLine("t v=1 12i", 9),
        MalformedLine("t v=1\t5", 6),
        MalformedLine("t v=9223372036854775808i", 5, .outOfRange),
        MalformedLine("t v=-9223372036854775809i", 5, .outOfRange),
        MalformedLine("t v=18446744073709551616u", 5, .outOfRange),
        MalformedLine("t v=1e309", 5, .outOfRange),
        MalformedLine("t v=-1e99999999999", 5, .outOfRange),
        MalformedLine("t v=1 9223372036854775808", 7, .outOfRange),
        MalformedLine("t v=1 -9223372036854775809", 7, .outOfRange),
        MalformedLine(String(repeating: "m", count: 1_025) + " v=1", 1, .outOfRange),
        MalformedLine("t," + String(repeating: "k", count: 1_025) + "=x v=1", 3, .outOfRange),
        MalformedLine("t " + String(repeating: "f", count: 1_025) + "=1", 3, .outOfRange),
        MalformedLine(bytes: Array("t".utf8) + [0xFF] + Array(" v=1".utf8), 2),
        MalformedLine(bytes: Array("t,a=b".utf8) + [0xC3] + Array(" v=1".utf8), 6),
        MalformedLine(bytes: Array("t v".utf8) + [0xED, 0xA0, 0x80] + Array("=1".utf8), 4),
        MalformedLine(bytes: Array("t v=\"ab".utf8) + [0xC0, 0x80] + Array("\"".utf8), 8),
    ]
}

@Suite("Line protocol errors")
struct LineErrorTests {
    @Test("a malformed line is refused at its column, and its neighbours are kept", arguments: MalformedLine.all)
    func malformed(_ line: MalformedLine) {
        let text = Array("good v=1 1\n".utf8) + line.text + Array("\ngood v=2 2\n".utf8)
        for pieces in [[], [12], [11, 3]] {
            let parsed = parse(text, pieces: pieces)
            #expect(parsed.refusals == [.init(line: 2, column: line.column)])
            #expect(parsed.errors.first?.code == line.code)
            #expect(parsed.errors.first?.reason.isEmpty == false)
            #expect(parsed.rows.map(\.line) == [1, 3])
            #expect(parsed.batches[0].tables.map(\.table) == ["good"])
        }
    }

    @Test("the reference parser blames the same columns", arguments: MalformedLine.all)
    func reference(_ line: MalformedLine) {
        let text = Array("good v=1 1\n".utf8) + line.text + Array("\ngood v=2 2\n".utf8)
        let reference = ReferenceLineParser(text)
        #expect(reference.refusals == [.init(line: 2, column: line.column)])
    }
}
