import Testing

@testable import MartletModel

@Suite struct ByteSizeTests {
    @Test(arguments: [
        ("65536", 65_536), ("500 MB", 500_000_000), ("1.5GiB", 1_610_612_736), ("64k", 65_536), ("2 t", 1 << 41),
    ])
    func amountsAreRead(text: String, bytes: Int) { #expect(ByteSize.parse(text) == bytes) }

    @Test(arguments: ["", "MB", "0", "-1", "1 PB", "9e99", "1..2", "99999999999 TiB"])
    func whatIsNoAmountIsNil(text: String) { #expect(ByteSize.parse(text) == nil) }

    @Test func amountsAreWrittenWithTheLargestUnitTheyHaveWhole() {
        #expect(ByteSize.text(256 << 20) == "256 MiB")
        #expect(ByteSize.text(1_500) == "1500 bytes")
    }
}
