import MartletModel
import MartletStorage

extension ScanNotice {
    /// What the notice tells a person.
    var text: String {
        switch self {
        case .onlyRollups(let table, let width):
            "some rows of \(table) in this range are kept as rollups of \(Self.text(width)) only and are left out: "
                + "count, sum, avg, min, max, first, last, approx_quantile, increase, rate, delta and mode of texts, by tags "
                + "and time buckets, can use them"
        case .unknown(let table, let width, let field):
            "some rows of \(table) are kept as rollups of \(Self.text(width)) that do not know this of \(field) and are left "
                + "out: quantiles of rollups that were made before they kept them, the growth of what is no counter or has "
                + "NaN, the most frequent of many texts"
        case .coarser(let table, let width):
            "some rows of \(table) are kept as rollups of \(Self.text(width)), coarser than or across the bounds asked "
                + "for: each rollup counts where its first row lies"
        }
    }

    /// `1 hour`, `90 seconds`.
    static func text(_ nanoseconds: Int64) -> String {
        let units: [(String, Int64)] = [
            ("day", 86_400_000_000_000), ("hour", 3_600_000_000_000), ("minute", 60_000_000_000),
            ("second", 1_000_000_000), ("millisecond", 1_000_000),
        ]
        for (name, length) in units where nanoseconds % length == 0 && nanoseconds > 0 {
            let count = nanoseconds / length
            return "\(count) \(name)\(count == 1 ? "" : "s")"
        }
        return "\(nanoseconds) nanoseconds"
    }
}

extension StatementContext {
    /// What EXPLAIN says of the rollups that may stand for rows of a scan's table.
    func rollupDetails(of scan: ScanPlan, areUsed: Bool) -> [String] {
        guard case .success(let snapshot) = Result(catching: { () throws(MartletError) in try self.snapshot() }) else {
            return []
        }
        let widths = snapshot.rollupWidths(of: scan.table.name).map(ScanNotice.text)
        if widths.isEmpty { return [] }
        return [
            "rollups of \(widths.joined(separator: ", ")) " + (areUsed ? "stand in for older rows" : "are left out")
        ]
    }
}
