import MartletModel
import MartletStorage

/// EXPLAIN and EXPLAIN ANALYZE: the operators as a tree, with what each did.
struct ExplainRunner {
    private let context: StatementContext

    init(_ context: StatementContext) { self.context = context }

    func run(_ root: Operator, isAnalyze: Bool) throws(MartletError) -> Operator {
        if isAnalyze {
            while try root.next() != nil {}
        }
        var rows: [[FieldValue?]] = []
        list(root, depth: 0, isAnalyze: isAnalyze, into: &rows)
        var columns = [ColumnDescription("operator", .string), ColumnDescription("details", .string)]
        if isAnalyze {
            columns += [
                ColumnDescription("rows", .int64), ColumnDescription("time_ms", .float64),
                ColumnDescription("segments_read", .int64), ColumnDescription("segments_pruned", .int64),
                ColumnDescription("vectors_read", .int64), ColumnDescription("vectors_pruned", .int64),
                ColumnDescription("vectors_summarised", .int64), ColumnDescription("bytes_read", .int64),
            ]
        }
        return try context.table(columns, rows)
    }

    private func list(_ node: Operator, depth: Int, isAnalyze: Bool, into rows: inout [[FieldValue?]]) {
        var row: [FieldValue?] = [
            .string(String(repeating: "  ", count: depth) + node.title),
            .string(node.details.joined(separator: "; ")),
        ]
        if isAnalyze {
            let below = node.inputs.reduce(Int64(0)) { $0 + $1.profile.nanoseconds }
            row.append(.int64(Int64(node.profile.rows)))
            row.append(.float64(Double(max(0, node.profile.nanoseconds - below)) / 1e6))
            if let scan = node.scanStatistics {
                let figures = [
                    scan.segmentsRead, scan.segmentsPruned, scan.vectorsRead, scan.vectorsPruned,
                    scan.vectorsSummarised, scan.bytesRead,
                ]
                row += figures.map { .int64(Int64($0)) }
            } else {
                row += [nil, nil, nil, nil, nil, nil]
            }
        }
        rows.append(row)
        for input in node.inputs { list(input, depth: depth + 1, isAnalyze: isAnalyze, into: &rows) }
    }
}
