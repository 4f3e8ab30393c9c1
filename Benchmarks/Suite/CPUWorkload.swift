import Foundation
import MartletModel

/// A seeded workload of servers' CPU readings after the Time Series Benchmark Suite's cpu-only case: ten tags and ten
/// fields a host, each field a random walk of steps N(0, 1) clamped to 0...100 and written as an integer, one row per
/// host and tick of ten seconds. The same seed gives the same bytes.
struct CPUWorkload {
    static let fields = [
        "usage_user", "usage_system", "usage_idle", "usage_nice", "usage_iowait", "usage_irq", "usage_softirq",
        "usage_steal", "usage_guest", "usage_guest_nice",
    ]
    /// 2016-01-01T00:00:00Z, as TSBS has it.
    static let start: Int64 = 1_451_606_400_000_000_000
    static let interval: Int64 = 10_000_000_000

    let hosts: Int
    let points: Int
    private(set) var tick = 0
    private let tags: [TagSet]
    private let linePrefixes: [[UInt8]]
    private var walks: [Double]
    private var generator: BenchmarkGenerator

    var rows: Int { hosts * points }
    var values: Int { rows * Self.fields.count }

    init(hosts: Int, points: Int, seed: UInt64 = 1) throws {
        self.hosts = hosts
        self.points = points
        var generator = BenchmarkGenerator(seed: seed)
        var tags: [TagSet] = []
        for host in 0..<hosts { tags.append(try Self.hostTags(host, &generator)) }
        self.tags = tags
        linePrefixes = tags.map { set in
            Array(("cpu" + set.tags.map { ",\($0.key)=\($0.value)" }.joined() + " ").utf8)
        }
        walks = (0..<hosts * Self.fields.count).map { _ in Double.random(in: 0...100, using: &generator) }
        self.generator = generator
    }

    private static func hostTags(_ host: Int, _ generator: inout BenchmarkGenerator) throws -> TagSet {
        let region = ["us-east-1", "us-west-2", "eu-west-1", "eu-central-1", "ap-southeast-2", "sa-east-1"]
            .randomElement(using: &generator)!
        return try TagSet([
            ("hostname", "host_\(host)"), ("region", region),
            ("datacenter", region + ["a", "b", "c"].randomElement(using: &generator)!),
            ("rack", String(Int.random(in: 0..<100, using: &generator))),
            ("os", ["Ubuntu16.10", "Ubuntu16.04LTS", "Ubuntu15.10"].randomElement(using: &generator)!),
            ("arch", ["x64", "x86"].randomElement(using: &generator)!),
            ("team", ["SF", "NYC", "LON", "CHI"].randomElement(using: &generator)!),
            ("service", String(Int.random(in: 0..<20, using: &generator))),
            ("service_version", String(Int.random(in: 0..<2, using: &generator))),
            ("service_environment", ["production", "staging", "test"].randomElement(using: &generator)!),
        ])
    }

    /// One step of host `host`'s field `field`.
    private mutating func step(_ host: Int, _ field: Int) -> Int64 {
        let index = host * Self.fields.count + field
        let next = min(100, max(0, walks[index] + generator.nextNormal()))
        walks[index] = next
        return Int64(next.rounded())
    }

    /// Appends the next `count` ticks of all hosts as lines; returns the rows written (0 at the end).
    mutating func appendLines(ticks count: Int, to output: inout [UInt8]) -> Int {
        let end = min(points, tick + count)
        let names = Self.fields.map { Array(($0 + "=").utf8) }
        let first = tick
        while tick < end {
            let time = Array(" \(Self.start + Int64(tick) * Self.interval)\n".utf8)
            for host in 0..<hosts {
                output.append(contentsOf: linePrefixes[host])
                for field in names.indices {
                    if field > 0 { output.append(UInt8(ascii: ",")) }
                    output.append(contentsOf: names[field])
                    output.append(contentsOf: String(step(host, field)).utf8)
                    output.append(UInt8(ascii: "i"))
                }
                output.append(contentsOf: time)
            }
            tick += 1
        }
        return (end - first) * hosts
    }

    /// The first line of the CSV form.
    static let csvHeader = Array(
        ("time,hostname,region,datacenter,rack,os,arch,team,service,service_version,service_environment,"
            + fields.joined(separator: ",") + "\n").utf8)

    /// Appends the next `count` ticks of all hosts as CSV; returns the rows written (0 at the end).
    mutating func appendCSV(ticks count: Int, to output: inout [UInt8]) -> Int {
        let end = min(points, tick + count)
        let order = [
            "hostname", "region", "datacenter", "rack", "os", "arch", "team", "service", "service_version",
            "service_environment",
        ]
        let columns = tags.map { set in Array(order.map { "," + set[$0]! }.joined().utf8) }
        let first = tick
        while tick < end {
            let time = Array(String(Self.start + Int64(tick) * Self.interval).utf8)
            for host in 0..<hosts {
                output += time
                output += columns[host]
                for field in Self.fields.indices {
                    output.append(UInt8(ascii: ","))
                    output.append(contentsOf: String(step(host, field)).utf8)
                }
                output.append(UInt8(ascii: "\n"))
            }
            tick += 1
        }
        return (end - first) * hosts
    }

    /// The next `count` ticks of all hosts as one batch, or `nil` at the end.
    mutating func nextBatch(ticks count: Int) -> TableBatch? {
        let end = min(points, tick + count)
        guard tick < end else { return nil }
        let rows = (end - tick) * hosts
        var times: [Int64] = []
        var series: [UInt32] = []
        var columns = [[Int64]](repeating: [], count: Self.fields.count)
        times.reserveCapacity(rows)
        series.reserveCapacity(rows)
        for field in columns.indices { columns[field].reserveCapacity(rows) }
        while tick < end {
            for host in 0..<hosts {
                times.append(Self.start + Int64(tick) * Self.interval)
                series.append(UInt32(host))
                for field in columns.indices { columns[field].append(step(host, field)) }
            }
            tick += 1
        }
        var schema = [
            ColumnDescription("time", .timestamp, .time), ColumnDescription("series", .string, .series),
        ]
        var data = [
            Column(.timestamp, unsafeElements: times), Column(indices: series, dictionary: seriesDictionary),
        ]
        for (field, values) in zip(Self.fields, columns) {
            schema.append(ColumnDescription(field, .int64, .field))
            data.append(Column(.int64, unsafeElements: values))
        }
        return TableBatch(table: "cpu", batch: RecordBatch(schema: schema, columns: data, rowCount: rows))
    }

    private var seriesDictionary: StringDictionary {
        var offsets: [Int32] = [0]
        var bytes: [UInt8] = []
        for set in tags {
            bytes += set.canonicalBytes
            offsets.append(Int32(bytes.count))
        }
        return StringDictionary(offsets: Buffer(offsets), bytes: Buffer(bytes), count: tags.count)
    }
}

/// SplitMix64 (Steele et al., OOPSLA 2014) with normal deviates by the polar method (Marsaglia and Bray, 1964).
struct BenchmarkGenerator: RandomNumberGenerator {
    private var state: UInt64
    private var spare: Double?

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }

    mutating func nextNormal() -> Double {
        if let value = spare {
            spare = nil
            return value
        }
        while true {
            let u = Double(next() >> 11) * 0x1p-52 - 1
            let v = Double(next() >> 11) * 0x1p-52 - 1
            let square = u * u + v * v
            guard square > 0, square < 1 else { continue }
            let factor = logarithmFactor(square)
            spare = v * factor
            return u * factor
        }
    }

    private func logarithmFactor(_ square: Double) -> Double { (-2 * log(square) / square).squareRoot() }
}
