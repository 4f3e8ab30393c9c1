import Foundation
import MartletDetectors
import MartletModel
import MartletTestSupport

/// Draws every detector at work on a made series: the plots of docs/detectors.md.
///
/// Above: the first value, the anomaly that was made shaded, anomalous rows as dots, alarms as rings. Below: -log10 p and the
/// bar from which a row is anomalous.
struct PlotCommand {
    let directory: String
    private let registry = DetectorRegistry.builtIn
    private static let rows = 3400
    private static let shown = 420
    private static let width = 760.0

    /// The kind of anomaly that a method is shown on, and whether under a season.
    private static func kind(_ method: String) -> (LabelledSeries.Kind, hasSeason: Bool) {
        switch method {
        case "ewma", "cusum", "level_shift", "memory": (.levelShift, false)
        case "variance_change": (.variance, false)
        case "trend_change": (.trend, false)
        case "flatline": (.flatLine, true)
        case "missing": (.gap, true)
        case "matrix_profile": (.collective, true)
        case "auto", "lstm_autoencoder": (.contextual, true)
        case "seasonal", "spike": (.point, true)
        case "correlation_break": (.correlationBreak, false)
        default: (.point, false)
        }
    }

    func run() throws {
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        for method in registry.names {
            let path = "\(directory)/\(method).svg"
            try plot(method).write(toFile: path, atomically: true, encoding: .utf8)
            print(path)
        }
    }

    private func plot(_ method: String) throws -> String {
        let (kind, hasSeason) = Self.kind(method)
        var shape = LabelledSeries.Shape()
        shape.season = hasSeason ? 5 : 0
        shape.dimensions = max(kind == .correlationBreak ? 3 : 1, try registry.method(method).dimensions.lowerBound)
        let series = LabelledSeries(kind, count: Self.rows, anomalies: 1, quiet: 3000, shape: shape, seed: 7)
        let scorer = try registry.scorer(method, dimensions: series.dimensions)
        let event = series.events[0]
        let first = min(max(0, event.lowerBound - Self.shown * 2 / 3), Self.rows - Self.shown)
        var points: [(value: Double, significance: Double, bar: Double, isAnomaly: Bool, isAlarm: Bool)] = []
        try series.values.withUnsafeBufferPointer { (values) throws(MartletError) in
            for row in series.times.indices {
                let place = values.baseAddress! + row * series.dimensions
                let verdict = try scorer.score(series.times[row], place)
                guard row >= first, row < first + Self.shown else { continue }
                points.append(
                    (
                        place[0], verdict?.significance ?? 0, scorer.bar, verdict?.isAnomaly ?? false,
                        verdict?.isAlarm ?? false
                    ))
            }
        }
        return svg(
            "\(method): \(kind.rawValue.replacing("_", with: " "))", points,
            event.lowerBound - first..<event.upperBound - first)
    }

    private func svg(
        _ title: String,
        _ points: [(value: Double, significance: Double, bar: Double, isAnomaly: Bool, isAlarm: Bool)],
        _ event: Range<Int>
    ) -> String {
        let values = points.map(\.value)
        let (low, high) = (values.min() ?? 0, values.max() ?? 1)
        let top = max(points.map(\.significance).max() ?? 1, points.map(\.bar).max() ?? 1) * 1.05
        func x(_ row: Int) -> String { Self.number(10 + Double(row) * (Self.width - 20) / Double(points.count - 1)) }
        func y(_ value: Double) -> String { Self.number(150 - 120 * (value - low) / max(high - low, 1e-9)) }
        func z(_ value: Double) -> String { Self.number(240 - 75 * min(value, top) / top) }
        func line(_ ordinates: [String], _ style: String) -> String {
            let places = ordinates.enumerated().map { "\(x($0)),\($1)" }.joined(separator: " ")
            return "<polyline fill=\"none\" \(style) points=\"\(places)\"/>"
        }
        var parts = [
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 \(Int(Self.width)) 250\" font-family=\"sans-serif\">",
            "<rect width=\"\(Int(Self.width))\" height=\"250\" fill=\"white\"/>",
            "<rect x=\"\(x(event.lowerBound))\" y=\"25\" width=\"\(Self.number(max(3, Double(event.count) * (Self.width - 20) / Double(points.count - 1))))\" height=\"220\" fill=\"#f6d9a8\"/>",
            "<text x=\"10\" y=\"17\" font-size=\"13\">\(title)</text>",
            line(points.map { y($0.value) }, "stroke=\"#33658a\" stroke-width=\"1\""),
            line(points.map { z($0.significance) }, "stroke=\"#666\" stroke-width=\"1\""),
            line(points.map { z($0.bar) }, "stroke=\"#b23a48\" stroke-dasharray=\"4 3\" stroke-width=\"1\""),
        ]
        for (row, point) in points.enumerated() where point.isAnomaly {
            parts.append("<circle cx=\"\(x(row))\" cy=\"\(y(point.value))\" r=\"2.5\" fill=\"#b23a48\"/>")
            if point.isAlarm {
                parts.append(
                    "<circle cx=\"\(x(row))\" cy=\"\(y(point.value))\" r=\"6\" fill=\"none\" stroke=\"#b23a48\"/>")
            }
        }
        return (parts + ["</svg>", ""]).joined(separator: "\n")
    }

    private static func number(_ value: Double) -> String { String(format: "%.1f", value) }
}
