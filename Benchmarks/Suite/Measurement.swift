import Foundation

/// One figure of the suite.
struct Figure: Codable {
    var name: String
    var value: Double
    var unit: String
    var note: String?
}

/// Wall and CPU time of a piece of work, and the process's peak memory.
enum Measurement {
    struct Times {
        var wall: Double
        var cpu: Double
    }

    static func wallSeconds() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
    }

    /// CPU seconds of all threads of this process.
    static func cpuSeconds() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
    }

    static func time(_ work: () throws -> Void) rethrows -> Times {
        let wall = wallSeconds()
        let cpu = cpuSeconds()
        try work()
        return Times(wall: wallSeconds() - wall, cpu: cpuSeconds() - cpu)
    }

    /// The median wall time of `repetitions` runs, after one that does not count.
    static func medianWall(_ repetitions: Int, _ work: () throws -> Void) rethrows -> Double {
        try work()
        var times: [Double] = []
        for _ in 0..<repetitions { times.append(try time(work).wall) }
        return times.sorted()[times.count / 2]
    }

    /// The most memory this process ever had resident, in MiB.
    static func peakMemory() -> Double {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        return Double(usage.ru_maxrss) / 1024
    }

    /// Bytes of all files below `path`.
    static func bytesOnDisk(_ path: String) -> Int {
        let files = FileManager.default
        guard let names = files.enumerator(atPath: path) else { return 0 }
        var total = 0
        for case let name as String in names {
            let attributes = try? files.attributesOfItem(atPath: path + "/" + name)
            if attributes?[.type] as? FileAttributeType == .typeRegular {
                total += (attributes?[.size] as? Int) ?? 0
            }
        }
        return total
    }
}
