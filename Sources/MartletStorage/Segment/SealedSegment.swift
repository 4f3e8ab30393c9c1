import MartletModel
import Synchronization

/// A sealed segment of a namespace. Its indexes are read when they are first needed. Immutable.
final class SealedSegment: Sendable {
    let info: Manifest.Sealed
    let file: SegmentFile

    init(info: Manifest.Sealed, file: SegmentFile) {
        self.info = info
        self.file = file
    }

    static func fileName(_ number: UInt64) -> String { "\(number).sealed" }

    /// The row groups of a table, in canonical order.
    func groups(of table: UInt32) throws(MartletError) -> [RowGroup] { [] }
}
