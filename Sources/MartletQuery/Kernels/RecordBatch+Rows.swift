import MartletModel

extension RecordBatch {
    /// Some of the rows. O(rows); dictionaries are shared.
    package func rows(_ range: Range<Int>) -> RecordBatch {
        if range == 0..<rowCount { return self }
        return RecordBatch(
            schema: schema, columns: columns.map { ColumnKernels.slice($0, range) }, rowCount: range.count)
    }
}
