import Foundation

/// One row of figures of this machine, as line protocol says it.
struct HostReading: Equatable {
    enum Value: Equatable {
        case float(Double)
        case integer(Int64)
    }

    var table: String
    var tags: [(String, String)]
    var fields: [(String, Value)]

    static func == (left: HostReading, right: HostReading) -> Bool {
        left.table == right.table && left.tags.elementsEqual(right.tags, by: ==)
            && left.fields.elementsEqual(right.fields, by: ==)
    }

    /// The line for a moment in nanoseconds.
    func line(at time: Int64) -> String {
        let tagText = tags.map { ",\($0.0)=\(Self.escaped($0.1))" }.joined()
        let fieldText = fields.map { name, value in
            switch value {
            case .float(let number): "\(name)=\((number * 1000).rounded() / 1000)"
            case .integer(let number): "\(name)=\(number)i"
            }
        }
        return "\(table)\(tagText) \(fieldText.joined(separator: ",")) \(time)\n"
    }

    private static func escaped(_ text: String) -> String {
        var result = ""
        for character in text where !character.isNewline {
            if character == "," || character == " " || character == "=" { result += "\\" }
            result.append(character)
        }
        return result.hasSuffix("\\") ? String(result.dropLast()) : result
    }
}

/// Reads the texts of Linux' /proc and /sys; see proc(5). Pure functions of the texts.
enum HostText {
    /// Ticks of each processor by kind: user, nice, system, idle, iowait, irq, softirq, steal. `total` is all of them.
    static func processorTicks(_ stat: String) -> [(name: String, ticks: [Int64])] {
        stat.split(separator: "\n").compactMap { line in
            let words = line.split(separator: " ")
            guard let first = words.first, first.hasPrefix("cpu"), words.count >= 8 else { return nil }
            let ticks = words.dropFirst().prefix(8).compactMap { Int64($0) }
            guard ticks.count >= 7 else { return nil }
            return (first == "cpu" ? "total" : String(first.dropFirst(3)), ticks)
        }
    }

    /// Shares of the time between two readings in percent; `nil` when no time passed.
    static func processorReading(name: String, from earlier: [Int64], to later: [Int64]) -> HostReading? {
        let differences = zip(earlier, later).map { max(0, $1 - $0) }
        let total = differences.reduce(0, +)
        guard total > 0, differences.count >= 7 else { return nil }
        func percent(_ ticks: Int64) -> HostReading.Value { .float(Double(ticks) * 100 / Double(total)) }
        return HostReading(
            table: "cpu", tags: [("cpu", name)],
            fields: [
                ("user_percent", percent(differences[0] + differences[1])),
                ("system_percent", percent(differences[2] + differences[5] + differences[6])),
                ("idle_percent", percent(differences[3])), ("iowait_percent", percent(differences[4])),
                ("steal_percent", percent(differences.count > 7 ? differences[7] : 0)),
            ])
    }

    static func memory(_ meminfo: String) -> HostReading? {
        var kibibytes: [Substring: Int64] = [:]
        for line in meminfo.split(separator: "\n") {
            let words = line.split(whereSeparator: { $0 == ":" || $0 == " " })
            if words.count >= 2, let number = Int64(words[1]) { kibibytes[words[0]] = number }
        }
        guard let total = kibibytes["MemTotal"], let available = kibibytes["MemAvailable"], total > 0 else {
            return nil
        }
        var fields: [(String, HostReading.Value)] = [
            ("total_bytes", .integer(total * 1024)), ("available_bytes", .integer(available * 1024)),
            ("used_bytes", .integer((total - available) * 1024)),
            ("used_percent", .float(Double(total - available) * 100 / Double(total))),
        ]
        for (key, name) in [("Cached", "cached_bytes"), ("Dirty", "dirty_bytes")] {
            if let number = kibibytes[Substring(key)] { fields.append((name, .integer(number * 1024))) }
        }
        if let swap = kibibytes["SwapTotal"], let free = kibibytes["SwapFree"] {
            fields.append(("swap_used_bytes", .integer((swap - free) * 1024)))
        }
        return HostReading(table: "mem", tags: [], fields: fields)
    }

    /// Counters of whole disks since the start; partitions, loop and memory devices are left out.
    static func disks(_ diskstats: String) -> [HostReading] {
        diskstats.split(separator: "\n").compactMap { line in
            let words = line.split(separator: " ")
            guard words.count >= 14 else { return nil }
            let name = String(words[2])
            guard isWholeDisk(name) else { return nil }
            let numbers = words.dropFirst(3).compactMap { Int64($0) }
            guard numbers.count >= 11 else { return nil }
            return HostReading(
                table: "disk", tags: [("device", name)],
                fields: [
                    ("reads", .integer(numbers[0])), ("read_bytes", .integer(numbers[2] * 512)),
                    ("writes", .integer(numbers[4])), ("written_bytes", .integer(numbers[6] * 512)),
                    ("busy_ms", .integer(numbers[9])),
                ])
        }
    }

    static func isWholeDisk(_ name: String) -> Bool {
        if ["loop", "ram", "zram", "sr", "fd", "dm-", "md"].contains(where: name.hasPrefix) { return false }
        if name.hasPrefix("nvme") || name.hasPrefix("mmcblk") { return !name.contains("p") }
        return !(name.last?.isNumber ?? true)
    }

    /// Counters of each network interface since the start.
    static func network(_ netdev: String) -> [HostReading] {
        netdev.split(separator: "\n").compactMap { line in
            let parts = line.split(separator: ":", maxSplits: 1)
            guard parts.count == 2 else { return nil }
            let numbers = parts[1].split(separator: " ").compactMap { Int64($0) }
            guard numbers.count >= 16 else { return nil }
            return HostReading(
                table: "net", tags: [("interface", parts[0].trimmingCharacters(in: .whitespaces))],
                fields: [
                    ("received_bytes", .integer(numbers[0])), ("received_packets", .integer(numbers[1])),
                    ("received_errors", .integer(numbers[2])), ("sent_bytes", .integer(numbers[8])),
                    ("sent_packets", .integer(numbers[9])), ("sent_errors", .integer(numbers[10])),
                ])
        }
    }

    static func load(_ loadavg: String) -> HostReading? {
        let words = loadavg.split(separator: " ")
        guard words.count >= 4, let one = Double(words[0]), let five = Double(words[1]), let fifteen = Double(words[2])
        else { return nil }
        var fields: [(String, HostReading.Value)] = [
            ("load1", .float(one)), ("load5", .float(five)), ("load15", .float(fifteen)),
        ]
        let tasks = words[3].split(separator: "/").compactMap { Int64($0) }
        if tasks.count == 2 { fields += [("running", .integer(tasks[0])), ("tasks", .integer(tasks[1]))] }
        return HostReading(table: "load", tags: [], fields: fields)
    }

    /// A thermal zone: its kind, and thousandths of a degree Celsius.
    static func temperature(zone: String, kind: String, milli: String) -> HostReading? {
        guard let number = Int64(milli.trimmingCharacters(in: .whitespacesAndNewlines)) else { return nil }
        let name = kind.trimmingCharacters(in: .whitespacesAndNewlines)
        return HostReading(
            table: "temperature", tags: [("kind", name.isEmpty ? "unknown" : name), ("zone", zone)],
            fields: [("celsius", .float(Double(number) / 1000))])
    }
}

/// Reads this machine's figures.
struct HostSampler {
    private var lastTicks: [String: [Int64]] = [:]

    /// The figures of now. Processor shares need an earlier reading, so the first call lacks them.
    mutating func sample() -> [HostReading] {
        var readings: [HostReading] = []
        for (name, ticks) in HostText.processorTicks(Self.text("/proc/stat")) {
            if let earlier = lastTicks[name],
                let reading = HostText.processorReading(name: name, from: earlier, to: ticks)
            {
                readings.append(reading)
            }
            lastTicks[name] = ticks
        }
        if let memory = HostText.memory(Self.text("/proc/meminfo")) { readings.append(memory) }
        readings += HostText.disks(Self.text("/proc/diskstats"))
        readings += HostText.network(Self.text("/proc/net/dev"))
        if let load = HostText.load(Self.text("/proc/loadavg")) { readings.append(load) }
        let thermal = "/sys/class/thermal"
        let zones = (try? FileManager.default.contentsOfDirectory(atPath: thermal)) ?? []
        for zone in zones.sorted() where zone.hasPrefix("thermal_zone") {
            let path = "\(thermal)/\(zone)"
            if let reading = HostText.temperature(
                zone: zone, kind: Self.text("\(path)/type"), milli: Self.text("\(path)/temp"))
            {
                readings.append(reading)
            }
        }
        return readings
    }

    /// The text of a file of the kernel; empty where this machine has none, which leaves its figures out.
    private static func text(_ path: String) -> String {
        (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
    }
}
