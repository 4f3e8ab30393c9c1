import MartletModel
import MartletTestSupport
import Testing

@Suite struct ColumnTests {
    @Test func valuesOfEveryTypeComeBackAsAppended() throws {
        let samples: [(ColumnType, [FieldValue?])] = [
            (.timestamp, [.timestamp(.min), nil, .timestamp(.max)]),
            (.float64, [.float64(-0.0), nil, .float64(.infinity)]),
            (.int64, [.int64(.min), nil, .int64(.max)]),
            (.uint64, [.uint64(.max), nil, .uint64(0)]),
            (.bool, [.bool(true), nil, .bool(false)]),
            (.string, [.string("grüße"), nil, .string("")]),
            (.interval, [.interval(Interval(months: 1, days: -2, nanoseconds: 3)), nil]),
        ]
        for (type, values) in samples {
            let column = try Column(type, values)
            #expect(column.nullCount == 1)
            #expect((0..<column.count).map(column.value(at:)) == values, "\(type.name)")
        }
    }

    @Test func aColumnWithoutNullsHasNoValidityBitmap() throws {
        let column = try Column(.int64, [.int64(1), .int64(2)])
        #expect(column.validity == nil)
        #expect(column.isValid(1))
    }

    @Test func anIntegerWidensToAFloatColumn() throws {
        let column = try Column(.float64, [.int64(-3), .uint64(4)])
        #expect(column.value(at: 0) == .float64(-3))
        #expect(column.value(at: 1) == .float64(4))
    }

    @Test func aValueOfAnotherTypeIsRefusedByName() {
        let error = #expect(throws: MartletError.self) { try Column(.int64, [.string("x")]) }
        #expect(error?.code == .typeConflict)
        #expect(error?.message.contains("VARCHAR") == true)
        #expect(error?.message.contains("BIGINT") == true)
    }

    @Test func dictionaryEncodedStringsReadLikePlainOnes() {
        let column = Column(indices: [1, 0, 1], dictionary: StringDictionary(["a", "bc"]))
        #expect((0..<3).map(column.value(at:)) == [.string("bc"), .string("a"), .string("bc")])
    }

    @Test(arguments: ColumnType.allCases) func aColumnOfNullsHasNoValues(type: ColumnType) {
        let column = Column.nulls(type, count: 11)
        #expect(column.nullCount == 11)
        #expect((0..<11).allSatisfy { column.value(at: $0) == nil })
    }
}

@Suite struct BufferTests {
    @Test func aGrowingBufferKeepsItsBytes() {
        var buffer = MutableBuffer(capacity: 0)
        for number in 0..<10_000 { buffer.append(UInt32(number)) }
        let finished = buffer.finish()
        #expect(Array(finished.elements(of: UInt32.self)) == (0..<10_000).map(UInt32.init))
    }

    @Test func memoryIsAlignedForVectorInstructions() {
        let buffer = Buffer([1, 2, 3] as [Int64])
        #expect(Int(bitPattern: buffer.baseAddress) % Buffer.alignment == 0)
    }

    @Test func aBitmapCountsTheBitsThatAreSet() {
        var generator = SeededBits(seed: 7)
        for count in [0, 1, 7, 8, 63, 64, 65, 1000] {
            let bits = (0..<count).map { _ in generator.next() }
            var builder = BitmapBuilder()
            for bit in bits { builder.append(bit) }
            #expect(builder.clearCount == bits.count { !$0 })
            let bitmap = builder.finish()
            #expect(Bitmap.countSet(bitmap.baseAddress, count: count) == bits.count { $0 })
            #expect((0..<count).map { Bitmap.isSet(bitmap.baseAddress, $0) } == bits)
        }
    }

    private struct SeededBits {
        var generator: SeededGenerator
        init(seed: UInt64) { generator = SeededGenerator(seed: seed) }
        mutating func next() -> Bool { generator.next() & 1 == 1 }
    }
}
