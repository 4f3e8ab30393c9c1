import MartletModel

/// Where a block of encoded values lies in its segment, and the CRC32C of its bytes.
struct BlockReference: Sendable, Hashable {
    var offset: Int64
    var length: Int
    var checksum: UInt32
}

/// One field's block of a row group.
struct FieldBlock: Sendable {
    /// The field's id in its table.
    var field: UInt32
    /// The type of the stored values, which may differ from the catalog's after a change of type.
    var type: ColumnType
    var block: BlockReference
    /// Statistics over the block's non-null values.
    var summary: FieldSummary
}

/// Which rows of a row group belong to which series, and when: runs in canonical order of their series, each series
/// at most once.
struct RunIndex: Sendable {
    /// The series of each run, as ids of the namespace's `SeriesCatalog`.
    var series: [UInt32] = []
    /// `count + 1` row numbers: run `i` is `starts[i] ..< starts[i + 1]`.
    var starts: [Int32] = [0]
    /// The time of each run's first row.
    var minimumTimes: [Int64] = []
    /// The time of each run's last row.
    var maximumTimes: [Int64] = []

    var count: Int { series.count }
    var rowCount: Int { Int(starts[starts.count - 1]) }

    mutating func append(series id: UInt32, rows: Int, from first: Int64, through last: Int64) {
        series.append(id)
        starts.append(starts[starts.count - 1] + Int32(rows))
        minimumTimes.append(first)
        maximumTimes.append(last)
    }

    /// The times of all runs.
    var time: TimeRange {
        TimeRange(minimumTimes.min() ?? .max, maximumTimes.max() ?? .min)
    }

    /// Bytes of memory held.
    var memoryFootprint: Int {
        (series.capacity + starts.capacity) * 4 + (minimumTimes.capacity + maximumTimes.capacity) * 8
    }
}

/// Up to 65,536 rows of one table, sorted by series and time, each (series, time) once: the unit that layers and
/// sealed segments are made of. Immutable.
final class RowGroup: Sendable {
    /// The most rows in one row group: what one block may hold.
    static let maximumRows = 65_536

    let table: UInt32
    let runs: RunIndex
    let time: TimeRange
    let timeBlock: BlockReference
    let fields: [FieldBlock]
    let source: BlockSource
    /// Orders sources for "last write wins": of two row groups that hold the same (series, time), the greater wins.
    let precedence: UInt64
    /// Tombstones of commits up to this one do not concern these rows: they were applied, or are older.
    let tombstonesAppliedThrough: UInt64

    init(
        table: UInt32, runs: RunIndex, timeBlock: BlockReference, fields: [FieldBlock], source: BlockSource,
        precedence: UInt64, tombstonesAppliedThrough: UInt64
    ) {
        self.table = table
        self.runs = runs
        self.time = runs.time
        self.timeBlock = timeBlock
        self.fields = fields
        self.source = source
        self.precedence = precedence
        self.tombstonesAppliedThrough = tombstonesAppliedThrough
    }

    var rowCount: Int { runs.rowCount }

    /// Bytes of its stored blocks.
    var byteCount: Int { fields.reduce(timeBlock.length) { $0 + $1.block.length } }

    /// Bytes of memory held, without the blocks.
    var memoryFootprint: Int {
        Self.ownBytes + runs.memoryFootprint + fields.capacity * MemoryLayout<FieldBlock>.stride
    }

    /// The object and the headers of its arrays.
    private static let ownBytes = 320

    /// The block of field `id`, if the group has one.
    func block(of id: UInt32) -> FieldBlock? { fields.first { $0.field == id } }
}
