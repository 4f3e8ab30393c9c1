import MartletModel

/// Decodes the blocks of a row group and compares them with what its descriptor says.
struct RowGroupVerifier {
    private let group: RowGroup

    init(_ group: RowGroup) { self.group = group }

    /// - Throws: `.corrupt` where the times fail their checksum or decoding, or do not ascend within their runs.
    func verifyTimes() throws(MartletError) {
        let times = try decode(group.timeBlock, .timestamp)
        guard times.nullCount == 0 else { throw MartletError(.corrupt, "\(times.nullCount) rows have no time") }
        let values = times.values.pointer(to: Int64.self)
        defer { withExtendedLifetime(times) {} }
        for run in 0..<group.runs.count {
            let rows = Int(group.runs.starts[run])..<Int(group.runs.starts[run + 1])
            guard values[rows.lowerBound] == group.runs.minimumTimes[run],
                values[rows.upperBound - 1] == group.runs.maximumTimes[run]
            else { throw MartletError(.corrupt, "the times of a series are not within what the index says") }
            for row in rows.dropFirst() where values[row - 1] >= values[row] {
                throw MartletError(.corrupt, "the times of a series do not ascend at row \(row)")
            }
        }
    }

    /// - Throws: `.corrupt` where a field's values fail their checksum or decoding, or are not as many as is said.
    func verify(_ field: FieldBlock) throws(MartletError) {
        let column = try decode(field.block, field.type)
        let present = column.count - column.nullCount
        guard present == field.summary.count else {
            throw MartletError(.corrupt, "\(present) values where the index says \(field.summary.count)")
        }
    }

    private func decode(_ block: BlockReference, _ type: ColumnType) throws(MartletError) -> Column {
        let column = try group.source.decode(block, rows: 0..<group.rowCount, of: group.rowCount, caching: false)
        guard column.type == type, column.count == group.rowCount else {
            throw MartletError(
                .corrupt,
                "a block holds \(column.count) values of type \(column.type.name), not \(group.rowCount) of type"
                    + " \(type.name)")
        }
        return column
    }
}
