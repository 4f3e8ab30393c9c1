import Foundation
import MartletDetectors
import MartletModel

/// Judges a labelled series from a file: rows of values and, last, 0 or 1 for what is anomalous.
///
/// The first `probation` rows are learnt from and not counted, as for an unlabelled start.
struct LabelledCommand {
    static func run(_ path: String, probation: Int, spacing: Double, _ methods: [String]) throws {
        let rows = try Rows.read(path)
        guard let width = rows.first?.count, width >= 2, rows.count > probation else {
            throw MartletError(.invalidArgument, "\(path) holds no values with labels after \(probation) rows")
        }
        let labels = rows.map { $0[width - 1] != 0 }
        let registry = DetectorRegistry.builtIn
        print("| method | events found | alarms elsewhere | AUC | VUS-PR |\n|---|---:|---:|---:|---:|")
        for method in methods.isEmpty ? registry.names : methods {
            guard try registry.method(method).dimensions.contains(width - 1) else { continue }
            let scorer = try registry.scorer(method, dimensions: width - 1)
            var verdicts: [Verdict?] = []
            for (index, row) in rows.enumerated() {
                verdicts.append(try scorer.score(Int64(Double(index) * spacing * 1e9), Array(row.dropLast())))
            }
            let events = ranges(labels, from: probation)
            let found = events.filter { event in
                verdicts[event.lowerBound..<min(event.upperBound + 100, rows.count)].contains { $0?.isAnomaly == true }
            }
            let elsewhere = verdicts.indices.count { row in
                row >= probation && verdicts[row]?.isAlarm == true
                    && !events.contains { row >= $0.lowerBound && row < $0.upperBound + 100 }
            }
            let scores = verdicts[probation...].map { $0?.significance ?? 0 }
            let counted = Array(labels[probation...])
            let shifted = events.map { $0.lowerBound - probation..<$0.upperBound - probation }
            print(
                "| `\(method)` | \(found.count) of \(events.count) | \(elsewhere) | "
                    + String(format: "%.2f | ", Evaluation.areaUnderROC(scores, counted))
                    + String(format: "%.2f |", Evaluation.volumeUnderPR(scores, counted, shifted, longest: 100)))
        }
    }

    private static func ranges(_ labels: [Bool], from start: Int) -> [Range<Int>] {
        var result: [Range<Int>] = []
        var row = start
        while row < labels.count {
            guard labels[row] else {
                row += 1
                continue
            }
            let begin = row
            while row < labels.count, labels[row] { row += 1 }
            result.append(begin..<row)
        }
        return result
    }
}
