import MartletModel

/// Decodes the wanted columns of one row group, a window of rows at a time, and keeps the window: scans walk forward
/// through a row group, so most requests hit it. Not thread-safe.
final class GroupReader {
    let group: RowGroup
    private let fields: [FieldDefinition]
    private let blocks: [FieldBlock?]
    /// The most rows that are decoded ahead of what is asked for.
    private let windowRows: Int
    private let caching: Bool
    /// Rows from here on are never asked for.
    private let end: Int
    private var timeWindow: (rows: Range<Int>, column: Column)?
    private var fieldWindows: [(rows: Range<Int>, column: Column)?]

    init(_ group: RowGroup, fields: [FieldDefinition], windowRows: Int, end: Int, caching: Bool) {
        self.group = group
        self.fields = fields
        self.windowRows = windowRows
        self.end = end
        self.caching = caching
        blocks = fields.map { group.block(of: $0.id) }
        fieldWindows = Array(repeating: nil, count: fields.count)
    }

    /// The times of at least the given rows, and the row that the column begins with.
    func times(_ rows: Range<Int>, _ statistics: inout ScanStatistics) throws(MartletError) -> (Column, first: Int) {
        if let (window, column) = timeWindow, window.lowerBound <= rows.lowerBound, rows.upperBound <= window.upperBound
        {
            return (column, window.lowerBound)
        }
        let window = window(for: rows)
        let column = try decode(group.timeBlock, .timestamp, window, &statistics)
        timeWindow = (window, column)
        return (column, window.lowerBound)
    }

    /// Field `index` of the wanted ones, likewise; `nil` where the group does not have it.
    func field(
        _ index: Int, _ rows: Range<Int>, _ statistics: inout ScanStatistics
    ) throws(MartletError) -> (Column, first: Int)? {
        guard let block = blocks[index] else { return nil }
        if let (window, column) = fieldWindows[index], window.lowerBound <= rows.lowerBound,
            rows.upperBound <= window.upperBound
        {
            return (column, window.lowerBound)
        }
        let window = window(for: rows)
        var column = try decode(block.block, block.type, window, &statistics)
        if block.type != fields[index].type { column = try Columns.convert(column, to: fields[index].type).column }
        fieldWindows[index] = (window, column)
        return (column, window.lowerBound)
    }

    func block(_ index: Int) -> FieldBlock? { blocks[index] }

    private func window(for rows: Range<Int>) -> Range<Int> {
        // The cache holds whole blocks of files, so a part costs as much as the whole.
        if caching, case .file = group.source { return 0..<group.rowCount }
        let start = rows.lowerBound & ~1023
        let needed = max(rows.upperBound, min(start + windowRows, end))
        let end = min((needed + 1023) & ~1023, group.rowCount)
        return start..<end
    }

    private func decode(
        _ block: BlockReference, _ type: ColumnType, _ rows: Range<Int>, _ statistics: inout ScanStatistics
    ) throws(MartletError) -> Column {
        let column = try group.source.decode(block, rows: rows, of: group.rowCount, caching: caching)
        guard column.type == type, column.count == rows.count else {
            throw MartletError(
                .corrupt,
                "a block holds \(column.count) values of type \(column.type.name), not \(rows.count) of type"
                    + " \(type.name)", at: .file(path: group.source.path, offset: block.offset))
        }
        statistics.bytesRead += block.length
        statistics.vectorsRead += ScanPlan.vectors(rows.count)
        return column
    }
}
