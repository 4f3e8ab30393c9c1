import MartletModel

/// The erasure of a table's rows in a range of time: of all series, or of those listed.
struct Tombstone: Sendable, Hashable {
    /// The commit of the erasure; rows of later commits are not concerned.
    var commit: UInt64
    var table: UInt32
    var time: TimeRange
    /// The canonical tag bytes of the series concerned, or `nil` for all.
    var series: [[UInt8]]?

    func encode(into writer: inout ByteWriter) {
        writer.varint(commit)
        writer.varint(UInt64(table))
        writer.i64(time.lowerBound)
        writer.i64(time.upperBound)
        writer.u8(series == nil ? 0 : 1)
        guard let series else { return }
        writer.varint(series.count)
        for tags in series { tags.withUnsafeBytes { writer.blob($0) } }
    }

    init(commit: UInt64, table: UInt32, time: TimeRange, series: [[UInt8]]?) {
        self.commit = commit
        self.table = table
        self.time = time
        self.series = series
    }

    init(from reader: inout ByteReader) throws(MartletError) {
        commit = try reader.varint()
        table = UInt32(try reader.count(upTo: Int(UInt32.max)))
        let lower = try reader.i64()
        time = TimeRange(lower, try reader.i64())
        guard try reader.u8() != 0 else {
            series = nil
            return
        }
        var list: [[UInt8]] = []
        for _ in 0..<(try reader.itemCount()) { list.append([UInt8](try reader.blob())) }
        series = list
    }
}
