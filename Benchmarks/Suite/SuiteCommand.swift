import Foundation
import Martlet

/// Runs every benchmark of the engine in this process on one data set and prints a table.
enum SuiteCommand {
    static func run(_ options: Options) throws {
        var figures: [Figure] = []
        func report(_ name: String, _ value: Double, _ unit: String, _ note: String? = nil) {
            figures.append(Figure(name: name, value: value, unit: unit, note: note))
            let number = value >= 100 ? String(format: "%.0f", value) : String(format: "%.3f", value)
            print("| \(name) | \(number) | \(unit) | \(note ?? "") |")
        }
        print("| benchmark | figure | unit | note |\n|---|---|---|---|")
        let scratch = FileManager.default.temporaryDirectory.appendingPathComponent(
            "martlet-bench-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: scratch, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: scratch) }

        try ingest(options, scratch: scratch.path, report)
        try store(options, path: scratch.path + "/store", report)
        report("peak memory of this process", Measurement.peakMemory(), "MiB")

        if let path = options.json {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
            try encoder.encode(figures).write(to: URL(fileURLWithPath: path))
        }
    }

    typealias Report = (_ name: String, _ value: Double, _ unit: String, _ note: String?) -> Void

    /// Text in: a newline scan as the bound, the parser alone, the parser and a durable append.
    private static func ingest(_ options: Options, scratch: String, _ report: Report) throws {
        var workload = try CPUWorkload(hosts: options.hosts, points: min(options.points, 1000))
        var text: [UInt8] = []
        _ = workload.appendLines(ticks: workload.points, to: &text)
        let megabytes = Double(text.count) / 1e6

        let scan = Measurement.medianWall(5) { precondition(LineInput.countNewlines(text) == workload.rows) }
        report("newline scan (memchr)", megabytes / scan, "MB/s", nil)
        let parse = try Measurement.medianWall(5) { try LineInput.parse(text) { _ in } }
        report(
            "parse line protocol", megabytes / parse, "MB/s",
            String(format: "%.1f %% of the scan", scan / parse * 100))
        report("parse line protocol", Double(workload.values) / parse / 1e6, "M values/s", nil)

        let database = try Database.open(at: scratch + "/text")
        let namespace = try database.namespace()
        let times = try Measurement.time { try LineInput.parse(text) { try namespace.append($0.tables) } }
        report(
            "parse and append, durable", Double(workload.values) / times.cpu / 1e6, "M values/CPU-s",
            "one thread, each batch waits for its sync")
        try database.close()
    }

    /// Batches in, merged, asked, and opened again.
    private static func store(_ options: Options, path: String, _ report: Report) throws {
        var workload = try CPUWorkload(hosts: options.hosts, points: options.points)
        var database = try Database.open(at: path)
        var namespace = try database.namespace()
        let ticks = max(1, 65_536 / options.hosts)
        var cpu = 0.0
        var wall = 0.0
        while let batch = workload.nextBatch(ticks: ticks) {
            let times = try Measurement.time { try namespace.append([batch]) }
            cpu += times.cpu
            wall += times.wall
        }
        let values = Double(workload.values)
        report("append batches, durable", values / cpu / 1e6, "M values/CPU-s", "\(ticks * options.hosts) rows each")
        report("append batches, durable", values / wall / 1e6, "M values/s", nil)
        report("on disk before merging", Double(Measurement.bytesOnDisk(path)) / values, "bytes/value", nil)
        try database.close()

        let reopen = try Measurement.time {
            database = try Database.open(at: path)
            namespace = try database.namespace()
            _ = try namespace.query("SELECT count(*) FROM cpu").next()
        }
        report("open unmerged and count", reopen.wall * 1e3, "ms", nil)

        let merge = try Measurement.time { try namespace.compact() }
        report("merge everything", values / merge.cpu / 1e6, "M values/CPU-s", nil)
        report("append and merge", values / (cpu + merge.cpu) / 1e6, "M values/CPU-s", nil)
        report("on disk after merging", Double(Measurement.bytesOnDisk(path)) / values, "bytes/value", nil)
        try database.close()

        let cold = try Measurement.time {
            database = try Database.open(at: path)
            namespace = try database.namespace()
        }
        report("open merged", cold.wall * 1e3, "ms", nil)
        try Questions.measure(namespace, workload: workload, report)
        try database.close()
    }
}
