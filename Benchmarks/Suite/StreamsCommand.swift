import Foundation
import Martlet

/// How much time detectors take as rows are committed, and how long it takes from the commit to the anomaly.
enum StreamsCommand {
    private static let fields = 10
    private static let start: Int64 = 1_700_000_000_000_000_000
    private static let second: Int64 = 1_000_000_000

    /// Devices that send ten values each a second; a detector of `method` for each field.
    static func run(_ options: Options) throws {
        print("| method | devices x fields | us per value | share of a core at one row a second | state a series |")
        print("|---|---|---|---|---|")
        for method in options.methods { try detect(method, options) }
        try latency(options)
    }

    private static func open(_ scratch: String) throws -> Database {
        var options = Database.Options()
        options.retentionInterval = nil
        options.memoryLimit = 512 << 20
        return try Database.open(at: scratch, options: options)
    }

    private static func withDatabase(_ body: (Namespace) throws -> Void) throws {
        let scratch = FileManager.default.temporaryDirectory.appendingPathComponent(
            "martlet-streams-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: scratch) }
        let database = try open(scratch.path)
        try body(try database.namespace())
        try database.close()
    }

    /// One row of each device, `tick` seconds after the start.
    private static func batch(
        _ devices: Int, ticks: Range<Int>, _ generator: inout SystemRandomNumberGenerator, spike: Int? = nil
    ) throws -> TableBatch {
        var times: [Int64] = []
        var series: [UInt32] = []
        var values = [[Double]](repeating: [], count: fields)
        for tick in ticks {
            for device in 0..<devices {
                times.append(start + Int64(tick) * second)
                series.append(UInt32(device))
                for field in 0..<fields {
                    let value = 50 + Double(field) + Double.random(in: -1...1, using: &generator)
                    values[field].append(device == spike && field == 0 ? 500 : value)
                }
            }
        }
        let names = (0..<devices).map { "device-\($0)" }
        let schema =
            [
                ColumnDescription("time", .timestamp, .time), ColumnDescription("device", .string, .tag),
            ] + (0..<fields).map { ColumnDescription("f\($0)", .float64, .field) }
        let columns =
            [
                Column(.timestamp, unsafeElements: times),
                Column(indices: series, dictionary: StringDictionary(names)),
            ] + values.map { Column(.float64, unsafeElements: $0) }
        return TableBatch(
            table: "metrics", batch: RecordBatch(schema: schema, columns: columns, rowCount: times.count))
    }

    /// Rows and nanoseconds of all detectors so far.
    private static func figures(_ namespace: Namespace) throws -> (rows: Double, spent: Double, bytes: Double) {
        var (rows, spent, bytes) = (0.0, 0.0, 0.0)
        for row in try namespace.query("SHOW DETECTORS").rows() {
            guard case .int64(let count)? = row[3] else { continue }
            rows += Double(count)
            if case .float64(let each)? = row[5] { spent += each * Double(count) }
            if case .float64(let size)? = row[7] { bytes = max(bytes, size) }
        }
        return (rows, spent, bytes)
    }

    private static func waitFor(_ rows: Double, _ namespace: Namespace) throws {
        while try figures(namespace).rows < rows { usleep(20_000) }
    }

    private static func detect(_ method: String, _ options: Options) throws {
        try withDatabase { namespace in
            var generator = SystemRandomNumberGenerator()
            let devices = options.hosts
            let learning = 2000
            for first in stride(from: 0, to: learning, by: 100) {
                try namespace.append([try batch(devices, ticks: first..<first + 100, &generator)])
            }
            for field in 0..<fields {
                try namespace.query("CREATE DETECTOR d\(field) ON metrics(f\(field)) USING \(method)")
            }
            try waitFor(Double(devices * fields * learning), namespace)
            let before = try figures(namespace)
            let cpu = Measurement.cpuSeconds()
            for tick in learning..<learning + options.points {
                try namespace.append([try batch(devices, ticks: tick..<tick + 1, &generator)])
                try waitFor(before.rows + Double((tick - learning + 1) * devices * fields), namespace)
            }
            let after = try figures(namespace)
            let values = after.rows - before.rows
            let micro = (after.spent - before.spent) / values / 1000
            let share = (Measurement.cpuSeconds() - cpu) / Double(options.points)
            print(
                "| \(method) | \(devices) x \(fields) | \(String(format: "%.2f", micro)) | "
                    + "\(String(format: "%.1f", share * 100)) % with ingest, "
                    + "\(String(format: "%.1f", micro * Double(devices * fields) / 10_000)) % alone | "
                    + "\(Int(after.bytes)) |")
        }
    }

    /// From the moment when an append returns to the moment when a subscriber has the anomaly.
    private static func latency(_ options: Options) throws {
        try withDatabase { namespace in
            var generator = SystemRandomNumberGenerator()
            try namespace.append([try batch(10, ticks: 0..<2000, &generator)])
            try namespace.query("CREATE DETECTOR d ON metrics(f0) USING zscore(refractory = 0)")
            try waitFor(20_000, namespace)
            let subscription = try namespace.query("SUBSCRIBE d")
            var times: [Double] = []
            for round in 0..<options.points {
                let tick = 2000 + round * 20
                try namespace.append([try batch(10, ticks: tick..<tick + 19, &generator)])
                let spike = try batch(10, ticks: tick + 19..<tick + 20, &generator, spike: 3)
                let begun = Measurement.wallSeconds()
                try namespace.append([spike])
                while let rows = try subscription.next(), rows.columns[3].value(at: 0) != .float64(500) {}
                times.append(Measurement.wallSeconds() - begun)
            }
            times.sort()
            func percentile(_ share: Double) -> String {
                String(format: "%.2f", times[min(times.count - 1, Int(Double(times.count) * share))] * 1000)
            }
            print(
                "\nfrom the append to the anomaly at a subscriber, its durable commit and that of the anomaly included:"
            )
            print("median \(percentile(0.5)) ms, p90 \(percentile(0.9)) ms, p99 \(percentile(0.99)) ms")
        }
    }
}
