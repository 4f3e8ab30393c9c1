import MartletModel
import Testing

@testable import Martlet

@Suite("Line protocol")
struct LineProtocolParserTests {
    private func only(_ text: String, precision: TimestampPrecision = .nanoseconds) -> ReferenceLineParser.Row? {
        let parsed = parse(text, precision: precision, now: 77)
        #expect(parsed.errors.isEmpty)
        return parsed.rows.count == 1 ? parsed.rows[0] : nil
    }

    @Test("a line becomes a row with its table, tags, fields and time")
    func plainLine() throws {
        let row = try #require(only("cpu,host=a,region=eu usage=1.5,count=3i 1700000000000000001\n"))
        #expect(row.table == "cpu")
        #expect(row.tags == ["host": "a", "region": "eu"])
        #expect(row.fields == ["usage": .float64(1.5), "count": .int64(3)])
        #expect(row.time == 1_700_000_000_000_000_001)
        #expect(row.line == 1)
    }

    @Test("every field type has its spelling")
    func fieldTypes() throws {
        let row = try #require(
            only(
                #"t a=1,b=-2i,c=18446744073709551615u,d="x",e=t,f=False,g=1e3,h=-.5,i=2.,j=+4,k=-9223372036854775808i"#)
        )
        #expect(
            row.fields == [
                "a": .float64(1), "b": .int64(-2), "c": .uint64(.max), "d": .string("x"), "e": .bool(true),
                "f": .bool(false), "g": .float64(1_000), "h": .float64(-0.5), "i": .float64(2), "j": .float64(4),
                "k": .int64(.min),
            ])
    }

    @Test("truth values are accepted in all ten spellings")
    func truthValues() {
        let spellings = ["t", "T", "true", "True", "TRUE", "f", "F", "false", "False", "FALSE"]
        let parsed = parse(spellings.enumerated().map { "t v=\($1) \($0)" }.joined(separator: "\n"))
        #expect(parsed.rows.map { $0.fields["v"] } == spellings.map { .bool($0.lowercased().hasPrefix("t")) })
    }

    @Test("escapes stand for commas, spaces and equals signs")
    func escapes() throws {
        let row = try #require(only(#"my\ table\,x,tag\ key\=1=value\,\ 2\=b,b\\x=c\d fie\ ld\=\,="a" 5"#))
        #expect(row.table == "my table,x")
        #expect(row.tags == ["tag key=1": "value, 2=b", #"b\\x"#: #"c\d"#])
        #expect(row.fields == ["fie ld=,": .string("a")])
    }

    @Test("quoted text keeps commas, spaces and newlines, and unescapes quotes and backslashes")
    func quotedText() throws {
        let row = try #require(only("t s=\"a, b=c\\\"d\\\\e\\nf\ng\",n=1i 9\n"))
        #expect(row.fields == ["s": .string("a, b=c\"d\\e\\nf\ng"), "n": .int64(1)])
        #expect(row.time == 9)
    }

    @Test("comments, blank lines and carriage returns are passed over and counted")
    func blankLines() {
        let parsed = parse("# a comment\n\r\n   \nt v=1 1\r\n  # another\n\tt v=2 2  \n")
        #expect(parsed.errors.isEmpty)
        #expect(parsed.rows.map(\.line) == [4, 6])
        #expect(parsed.rows.map(\.time) == [1, 2])
    }

    @Test("a line without a timestamp gets the time that was passed in")
    func missingTimestamp() throws {
        #expect(try #require(only("t v=1")).time == 77)
        #expect(try #require(only("t v=1 \r\n", precision: .seconds)).time == 77)
    }

    @Test("timestamps are scaled by the precision", arguments: TimestampPrecision.allCases)
    func precision(_ precision: TimestampPrecision) throws {
        #expect(try #require(only("t v=1 -12", precision: precision)).time == -12 * precision.nanoseconds)
    }

    @Test("the whole range of nanoseconds is accepted and nothing beyond it")
    func timestampRange() {
        let parsed = parse("t v=1 9223372036854775807\nt v=1 -9223372036854775808\nt v=1 9223372036854775808\n")
        #expect(parsed.rows.map(\.time) == [.max, .min])
        #expect(parsed.refusals == [.init(line: 3, column: 7)])
        let seconds = parse("t v=1 9223372036\nt v=1 9223372037\nt v=1 99999999999999999999999", precision: .seconds)
        #expect(seconds.rows.map(\.time) == [9_223_372_036_000_000_000])
        #expect(seconds.refusals == [.init(line: 2, column: 7), .init(line: 3, column: 7)])
    }

    @Test("an integer written to a float field is widened")
    func widening() {
        let parsed = parse("t v=1.5 1\nt v=2i 2\nt v=3u 3\nt v=12345678i 4\n")
        #expect(parsed.rows.map { $0.fields["v"] } == [.float64(1.5), .float64(2), .float64(3), .float64(12_345_678)])
    }

    @Test("another type conflict refuses that line alone, naming table, field and both types")
    func typeConflict() throws {
        let parsed = parse("t v=1i,w=1 1\nt w=2,v=2.5 2\nt v=\"x\" 3\nt v=4i 4\n")
        #expect(parsed.rows.map(\.time) == [1, 4])
        #expect(parsed.refusals == [.init(line: 2, column: 9), .init(line: 3, column: 5)])
        let error = try #require(parsed.errors.first)
        #expect(error.code == .typeConflict)
        #expect(error.reason == "field 'v' of table 't' is stored as BIGINT; this value is DOUBLE")
    }

    @Test("the stored schema decides a field's type")
    func storedSchema() {
        let schema = TableSchema(
            name: "t", fields: [ColumnDescription("v", .float64, .field), ColumnDescription("s", .string, .field)])
        let parsed = parse("t v=1i 1\nt s=1i 2\nt v=2.5,s=\"a\" 3\nu s=1i 4\n") { $0 == "t" ? schema : nil }
        #expect(parsed.rows.map(\.time) == [1, 3, 4])
        #expect(parsed.rows[0].fields == ["v": .float64(1)])
        #expect(parsed.refusals == [.init(line: 2, column: 5)])
    }

    @Test("a refused line leaves no table, column, series or widened type behind")
    func refusedLineLeavesNothing() {
        let parsed = parse("t,a=1 v=1i 1\nt,a=2 v=2i,w=3,x=oops 2\nu,b=1 v=1x 3\nt,a=1 v=5i 4\n")
        #expect(parsed.errorCount == 2)
        let tables = parsed.batches[0].tables
        #expect(tables.map(\.table) == ["t"])
        #expect(tables[0].batch.schema.map(\.name) == ["time", "series", "v"])
        #expect(tables[0].batch.columns[1].dictionary?.count == 1)
        let retyped = parse("t v=1i,w=zz 1\nt v=\"s\" 2\n")
        #expect(retyped.rows.map(\.fields) == [["v": .string("s")]])
    }

    @Test("a field that some lines lack is null there and only there")
    func sparseFields() {
        let parsed = parse("t a=1,b=2i 1\nt b=3i 2\nt a=4,c=\"x\" 3\nt a=5,b=6i,c=\"y\",d=t 4\nt d=f 5\n")
        let batch = parsed.batches[0].tables[0].batch
        #expect(batch["a"]?.nullCount == 2)
        #expect(batch["b"]?.nullCount == 2)
        #expect(batch["c"]?.nullCount == 3)
        #expect(batch["d"]?.nullCount == 3)
        #expect(parsed.rows.map { $0.fields["b"] } == [.int64(2), .int64(3), nil, .int64(6), nil])
        #expect(parsed.rows.map { $0.fields["d"] } == [nil, nil, nil, .bool(true), .bool(false)])
        #expect(parse("t a=1,b=2 1\nt b=3,a=4 2\n").batches[0].tables[0].batch["a"]?.validity == nil)
    }

    @Test("two spellings of the same tags are one series")
    func seriesSpellings() {
        let parsed = parse("t,a=1,b=2 v=1 1\nt,b=2,a=1 v=2 2\nt,a=1,b=2 v=3 3\n")
        let series = parsed.batches[0].tables[0].batch.columns[1]
        #expect(series.dictionary?.count == 1)
        let tags = try? TagSet([("a", "1"), ("b", "2")])
        #expect(series.dictionary.map { Array($0.entry(0)) } == tags?.canonicalBytes)
    }

    @Test("a field given twice in a line keeps the last value")
    func repeatedField() throws {
        #expect(try #require(only("t a=1i,a=2i")).fields == ["a": .int64(2)])
        #expect(try #require(only("t a=1i,b=3,a=\"x\"")).fields == ["a": .string("x"), "b": .float64(3)])
    }

    @Test("the comment '# flush' stops the parser")
    func flush() {
        let parsed = parse("t v=1 1\n# flush\nt v=2 2\n#FLUSH \r\n# flushed\n")
        #expect(parsed.flushes == 2)
        #expect(parsed.rows.count == 2)
    }

    @Test("a cut text loses its unfinished line and says so")
    func cutText() throws {
        let parsed = parse("t v=1 1\nt v=23", end: .cut)
        #expect(parsed.rows.map(\.time) == [1])
        #expect(parsed.refusals == [.init(line: 2, column: 7)])
        #expect(parse("t v=1 1\nt v=2 2\n", end: .cut).errorCount == 0)
    }

    @Test("a line longer than the limit is refused, whether it comes whole or in pieces")
    func longLines() {
        var limits = LineLimits()
        limits.lineLength = 100
        let long = "t s=\"" + String(repeating: "x", count: 120) + "\" 1"
        let text = "t v=1 1\n\(long)\nt v=2 2\n"
        for pieces in [[], [20, 20, 20, 20, 20, 20, 20], [8, 110]] {
            let parsed = parse(text, pieces: pieces, limits: limits)
            #expect(parsed.rows.map(\.line) == [1, 3])
            #expect(parsed.refusals == [.init(line: 2, column: 101)], "pieces \(pieces)")
        }
        let fits = "t s=\"" + String(repeating: "x", count: 92) + "\" 1"
        #expect(fits.utf8.count == 100)
        #expect(parse(fits + "\n", limits: limits).rows.count == 1)
    }

    @Test("an unclosed quote refuses its own line and spares its neighbours")
    func unclosedQuote() {
        let parsed = parse("t v=1 1\nt s=\"abc 2\nt v=3 3\nt s=\"ok\" 4\nt v=5 5\n")
        #expect(parsed.rows.map(\.line) == [1, 3, 4, 5])
        #expect(parsed.refusals == [.init(line: 2, column: 11)])
    }

    @Test("errors beyond the bound are counted, not kept")
    func boundedErrors() {
        var limits = LineLimits()
        limits.errors = 3
        let parsed = parse(String(repeating: "bad\n", count: 50) + "t v=1 1\n", limits: limits)
        #expect(parsed.errors.count == 3)
        #expect(parsed.errorCount == 50)
        #expect(parsed.rows.count == 1)
    }

    @Test("a full batch stops the parser, and the rest goes on in the next")
    func fullBatches() {
        var limits = LineLimits()
        limits.batchRows = 10
        let text = (0..<95).map { "t,h=\($0 % 7) v=\($0)i,w=\($0).5 \($0)\n" }.joined()
        let parsed = parse(text, limits: limits)
        #expect(parsed.batches.map(\.rowCount) == [10, 10, 10, 10, 10, 10, 10, 10, 10, 5])
        #expect(parsed.rows.map(\.time) == (0..<95).map(Int64.init))
        #expect(parsed.rows.map(\.line) == Array(1...95))
    }

    @Test("wide, sparse rows and long texts fill a batch by bytes")
    func batchBytes() {
        var limits = LineLimits()
        limits.batchBytes = 1 << 20
        let sparse = (0..<3_000).map { "t f\($0)=1 \($0)\n" }.joined()
        let parsed = parse(sparse, limits: limits)
        #expect(parsed.rows.count == 3_000)
        #expect(parsed.batches.count > 1)
        #expect(parsed.batches.allSatisfy { $0.tables.allSatisfy { $0.batch.memoryFootprint < 4 << 20 } })
        let texts = (0..<100).map { "t s=\"\(String(repeating: "y", count: 50_000))\" \($0)\n" }.joined()
        #expect(parse(texts, limits: limits).batches.count >= 4)
    }

    @Test("caches are bounded: many series, tables and refused lines do not pile up")
    func boundedCaches() {
        var limits = LineLimits()
        limits.cacheBytes = 200_000
        let text = (0..<5_000).map { "t\($0 % 50),h=\($0) v=1 \($0)\nx,h=\($0) v=oops\n" }.joined()
        let parsed = parse(text, limits: limits, takeEvery: 500)
        #expect(parsed.rows.count == 5_000)
        #expect(parsed.errorCount == 5_000)
        #expect(parsed.batches.count > 10)
    }

    @Test("what is remembered is reserved, forgotten where it does not fit, and given back")
    func reservedCaches() {
        let memory = MemoryBudget(limit: 1 << 20)
        func rows(_ numbers: Range<Int>, into parser: inout LineProtocolParser) -> Int {
            let text = numbers.map { "t,h=\($0) v=1 \($0)\n" }.joined()
            _ = Array(text.utf8).withUnsafeBytes {
                parser.parse($0, end: .complete, now: Timestamp(nanoseconds: 0)) { _ in nil }
            }
            return parser.takeBatch().rowCount
        }
        do {
            var parser = LineProtocolParser(memory: memory)
            #expect(rows(0..<500, into: &parser) == 500)
            let some = memory.used
            #expect(some > 500 * 20)
            #expect(rows(500..<1_000, into: &parser) == 500)
            #expect(memory.used > some)
            // Twenty thousand series do not fit: their rows are kept all the same.
            #expect(rows(1_000..<21_000, into: &parser) == 20_000)
            #expect(memory.used == 0)
            #expect(rows(0..<500, into: &parser) == 500)
            #expect(memory.used > 0)
        }
        #expect(memory.used == 0)
    }
}
