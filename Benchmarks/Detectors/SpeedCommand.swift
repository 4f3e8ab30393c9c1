import Foundation
import MartletDetectors
import MartletModel
import MartletTestSupport

/// Measures what detectors cost: training on 1,000 rows, a row after it, the bytes of a series.
struct SpeedCommand {
    static func run() throws {
        let registry = DetectorRegistry.builtIn
        print("| method | values a row | training on 1,000 rows, ms | ns a row | bytes |\n|---|---:|---:|---:|---:|")
        for method in registry.names {
            let kind = try registry.method(method)
            let dimensions = kind.dimensions.contains(1) ? 1 : 5
            var shape = LabelledSeries.Shape()
            shape.dimensions = dimensions
            let series = LabelledSeries(nil, count: 9000, anomalies: 0, quiet: 0, shape: shape, seed: 3)
            let scorer = try registry.scorer(method, dimensions: dimensions)
            var baseline = Baseline(dimensions: dimensions)
            try series.values.withUnsafeBufferPointer { (values) throws(MartletError) in
                for row in 0..<1000 { baseline.append(series.times[row], values.baseAddress! + row * dimensions) }
                let begin = cpuNanoseconds()
                try scorer.train(baseline)
                let trained = cpuNanoseconds()
                for row in 1000..<9000 {
                    _ = try scorer.score(series.times[row], values.baseAddress! + row * dimensions)
                }
                let end = cpuNanoseconds()
                print(
                    "| `\(method)` | \(dimensions) | \(String(format: "%.1f", (trained - begin) / 1e6)) | "
                        + "\(Int((end - trained) / 8000)) | \(scorer.stateBytes) |")
            }
        }
    }

    private static func cpuNanoseconds() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Double(time.tv_sec) * 1e9 + Double(time.tv_nsec)
    }
}
