// Bytes per value and speed of the block codec on the columns of a directory of numpy files, beside the best peer of
// a table of anchors.
//
// usage: MartletCodecBench DIRECTORY [--anchors FILE] [--json FILE] [--only NAME] [--block ROWS] [--seconds S]
//                          [--effort hot|sealed|cold] [--skip encode,sum]

import Foundation
import MartletCodec
import MartletModel

struct Options {
    var directory = ""
    var anchors: String?
    var json: String?
    var only: String?
    var block = BlockCodec.maximumRowCount
    var seconds = 0.15
    var efforts: [Effort] = [.hot, .sealed, .cold]
    var skipped = ""

    init(_ arguments: [String]) {
        var rest = arguments.dropFirst()
        while let argument = rest.popFirst() {
            switch argument {
            case "--anchors": anchors = rest.popFirst()
            case "--json": json = rest.popFirst()
            case "--only": only = rest.popFirst()
            case "--block": block = rest.popFirst().flatMap { Int($0) } ?? block
            case "--seconds": seconds = rest.popFirst().flatMap { Double($0) } ?? seconds
            case "--effort":
                let name = rest.popFirst()
                efforts = Effort.allCases.filter { "\($0)" == name }
            case "--skip": skipped = rest.popFirst() ?? ""
            default: directory = argument
            }
        }
    }
}

struct Measurement: Codable {
    var bytesPerValue: Double
    var encodeMillionsPerSecond: Double
    var decodeMillionsPerSecond: Double
    var aggregateMillionsPerSecond: Double
    var encodings: [String: Int]
}

struct SetResult: Codable {
    var name: String
    var bestPeer: String?
    var bestPeerBytesPerValue: Double?
    var efforts: [String: Measurement]
}

/// Seconds of processor time that this process has used: what others on the machine take does not count.
func processorTime() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
}

/// The lowest time of `work` among repeats that together take about `seconds`, at least three.
func best(seconds: Double, _ work: () throws -> Void) rethrows -> Double {
    var lowest = Double.infinity
    var total = 0.0
    var repeats = 0
    while total < seconds || repeats < 3 {
        let start = processorTime()
        try work()
        let time = processorTime() - start
        lowest = min(lowest, time)
        total += time
        repeats += 1
    }
    return lowest
}

func measure(_ file: NumpyFile, _ effort: Effort, _ options: Options) throws -> Measurement {
    let seconds = options.seconds
    var encoded: [Buffer] = []
    var encodings: [String: Int] = [:]
    for block in file.blocks {
        var output = MutableBuffer(capacity: block.count)
        try BlockCodec.encode(block, effort: effort, into: &output)
        let bytes = output.finish()
        let back = try BlockCodec.decode(bytes.bytes)
        guard back.values.bytes.elementsEqual(block.values.bytes) else {
            throw MartletError(.internal, "\(file.name) does not come back at effort \(effort)")
        }
        encodings[try BlockCodec.describe(bytes.bytes), default: 0] += 1
        encoded.append(bytes)
    }
    let encodeTime =
        try options.skipped.contains("encode")
        ? .infinity
        : best(seconds: seconds) {
            for block in file.blocks {
                var output = MutableBuffer(capacity: block.count)
                try BlockCodec.encode(block, effort: effort, into: &output)
            }
        }
    // One block decoded again and again: what a scan sees whose output stays in cache.
    let decodeTime = try best(seconds: seconds) {
        for bytes in encoded { _ = try BlockCodec.decode(bytes.bytes) }
    }
    let aggregateTime =
        try options.skipped.contains("sum")
        ? .infinity
        : best(seconds: seconds) {
            for bytes in encoded { _ = try BlockCodec.aggregate(bytes.bytes, rows: nil, of: .sum) }
        }
    let millions = Double(file.count) / 1e6
    return Measurement(
        bytesPerValue: Double(encoded.reduce(0) { $0 + $1.byteCount }) / Double(file.count),
        encodeMillionsPerSecond: millions / encodeTime, decodeMillionsPerSecond: millions / decodeTime,
        aggregateMillionsPerSecond: millions / aggregateTime, encodings: encodings)
}

func bestPeer(_ anchors: [String: Any], _ name: String) -> (String, Double)? {
    guard let peers = anchors[name] as? [String: [String: Any]] else { return nil }
    var best: (String, Double)?
    for (peer, figures) in peers.sorted(by: { $0.key < $1.key }) {
        guard let bytes = figures["bytes_per_value"] as? Double, figures["lossless"] as? Bool ?? true else { continue }
        if bytes < best?.1 ?? .infinity { best = (peer, bytes) }
    }
    return best
}

func padded(_ text: String, _ width: Int) -> String {
    text.count >= width ? text + " " : text + String(repeating: " ", count: width - text.count)
}

func number(_ value: Double, _ digits: Int) -> String { String(format: "%.\(digits)f", value) }

func run() throws {
    let options = Options(CommandLine.arguments)
    guard !options.directory.isEmpty else {
        throw MartletError(.invalidArgument, "no directory of .npy files given")
    }
    var anchors: [String: Any] = [:]
    if let path = options.anchors {
        let data = try Data(contentsOf: URL(fileURLWithPath: path))
        anchors = try JSONSerialization.jsonObject(with: data) as? [String: Any] ?? [:]
    }
    let files = try FileManager.default.contentsOfDirectory(atPath: options.directory)
        .filter { $0.hasSuffix(".npy") && (options.only.map($0.contains) ?? true) }.sorted()
    let efforts = options.efforts
    var head = padded("set", 20) + padded("best peer", 26)
    for effort in efforts {
        head += padded("\(effort) B/v", 11) + padded("ratio", 7) + padded("enc", 6) + padded("dec", 7)
    }
    print(head + "sum (M values/s)")
    var logs: [Effort: Double] = [:]
    var compared = 0
    var results: [SetResult] = []
    for file in files {
        let set = try NumpyFile(path: options.directory + "/" + file, blockLength: options.block)
        let peer = bestPeer(anchors, set.name)
        var result = SetResult(
            name: set.name, bestPeer: peer?.0, bestPeerBytesPerValue: peer?.1, efforts: [:])
        var line = padded(set.name, 20) + padded(peer.map { "\($0.0) \(number($0.1, 4))" } ?? "-", 26)
        for effort in efforts {
            let figures = try measure(set, effort, options)
            result.efforts["\(effort)"] = figures
            let ratio = peer.map { figures.bytesPerValue / $0.1 }
            logs[effort, default: 0] += ratio.map { log($0) } ?? 0
            line += padded(number(figures.bytesPerValue, 5), 11) + padded(ratio.map { number($0, 3) } ?? "-", 7)
            line += padded(number(figures.encodeMillionsPerSecond, 0), 6)
            line += padded(number(figures.decodeMillionsPerSecond, 0), 7)
        }
        if peer != nil { compared += 1 }
        line += result.efforts["hot"].map { number($0.aggregateMillionsPerSecond, 0) } ?? ""
        let names = efforts.map { effort in
            (result.efforts["\(effort)"]?.encodings ?? [:]).sorted { $0.value > $1.value }.map(\.key).first ?? ""
        }
        print(line + "  " + names.joined(separator: " | "))
        results.append(result)
    }
    if compared > 0 {
        for effort in efforts {
            print(
                "geometric mean against the best peer, \(effort): \(number(exp((logs[effort] ?? 0) / Double(compared)), 4))"
            )
        }
    }
    if let path = options.json {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        try encoder.encode(results).write(to: URL(fileURLWithPath: path))
    }
}

do {
    try run()
} catch {
    FileHandle.standardError.write(Data("\(error)\n".utf8))
    exit(1)
}
