import Foundation
import MartletModel

/// Writes the workload as line protocol or CSV, for the comparison with peers.
enum GenerateCommand {
    static func run(_ options: Options) throws {
        var workload = try CPUWorkload(hosts: options.hosts, points: options.points)
        guard let path = options.out else { throw MartletError(.invalidArgument, "generate needs --out FILE") }
        guard FileManager.default.createFile(atPath: path, contents: nil),
            let file = FileHandle(forWritingAtPath: path)
        else { throw MartletError(.io, "cannot write \(path)") }
        defer { try? file.close() }
        var buffer: [UInt8] = []
        if options.form == "csv" { buffer += CPUWorkload.csvHeader }
        while true {
            let rows =
                options.form == "csv"
                ? workload.appendCSV(ticks: 64, to: &buffer) : workload.appendLines(ticks: 64, to: &buffer)
            try file.write(contentsOf: buffer)
            buffer.removeAll(keepingCapacity: true)
            if rows == 0 { break }
        }
    }
}
