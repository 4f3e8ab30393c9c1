import ArgumentParser
import Foundation
import MartletModel

struct SendCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "send", abstract: "Send figures to a line-protocol port.", subcommands: [SendHostCommand.self])
}

struct SendHostCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "host",
        abstract: "Send this machine's CPU, memory, disk, network, load and temperatures.",
        discussion: """
            Reads /proc and /sys and writes the tables cpu, mem, disk, net, load and temperature. Counters are sent as \
            they are; SQL's rate() turns them into rates. A lost connection is opened again at the next reading.
            """)

    @Option(name: .long, help: "The line-protocol port to send to, as HOST:PORT.")
    var to = "127.0.0.1:9009"

    @Option(name: .long, help: "The time between readings, such as 1s, 500ms or 1m.")
    var interval = "1s"

    @Option(name: .long, help: "How many readings to send; without end by default.")
    var count: Int?

    @Option(name: .long, help: "The tag `host` of all rows; none by default.")
    var name: String?

    func validate() throws {
        _ = try address()
        _ = try Self.duration(interval)
        if let count, count < 1 { throw ValidationError("--count must be at least 1.") }
        if name == "" { throw ValidationError("--name must not be empty.") }
    }

    private func address() throws -> (host: String, port: Int) {
        guard let colon = to.lastIndex(of: ":"), let port = Int(to[to.index(after: colon)...]),
            (1...65_535).contains(port), colon > to.startIndex
        else { throw ValidationError("--to must be HOST:PORT, not \(to).") }
        return (String(to[..<colon]), port)
    }

    /// A time such as `500ms`, `1s` or `2m`.
    static func duration(_ text: String) throws -> Duration {
        let number = text.prefix { $0.isNumber || $0 == "." }
        let units: [String: Double] = ["ms": 0.001, "s": 1, "": 1, "m": 60, "h": 3600]
        guard let value = Double(number), let unit = units[String(text.dropFirst(number.count))],
            (0.01...86_400).contains(value * unit)
        else { throw ValidationError("--interval must be a time from 10ms to 24h, such as 1s, not \(text).") }
        return .nanoseconds(Int64(value * unit * 1e9))
    }

    func run() async throws {
        let (host, port) = try address()
        let pause = try Self.duration(interval)
        let clock = SystemClock()
        let stop = StopSignals()
        var sampler = HostSampler()
        // Shares of processor time need two readings.
        _ = sampler.sample()
        var connection: LineSender?
        var sent = 0
        var isComplaining = false
        var next = ContinuousClock.now + min(pause, .milliseconds(200))
        while count.map({ sent < $0 }) ?? true {
            if await Self.isStopped(stop, until: next) { break }
            next = max(next + pause, ContinuousClock.now)
            let time = clock.now().nanoseconds
            let text = sampler.sample().map { reading in
                var reading = reading
                if let name { reading.tags.insert(("host", name), at: 0) }
                return reading.line(at: time)
            }.joined()
            do {
                if connection == nil { connection = try LineSender(host: host, port: port) }
                try connection?.send(text)
                if isComplaining { Terminal.writeError("martlet: connected to \(to) again\n") }
                isComplaining = false
                sent += 1
            } catch let failure as CommandFailure {
                connection = nil
                if sent == 0 && !isComplaining && count != nil { throw failure }
                if !isComplaining { Terminal.writeError("martlet: \(failure.message); trying again at each reading\n") }
                isComplaining = true
            }
        }
        if let reply = try connection?.finish() {
            Terminal.write("sent \(sent) readings; the server says: \(reply)\n")
        }
    }

    /// Waits until `deadline` in small steps; says whether a signal came first.
    private static func isStopped(_ stop: StopSignals, until deadline: ContinuousClock.Instant) async -> Bool {
        while ContinuousClock.now < deadline {
            if stop.hasCome { return true }
            let step = min(deadline, ContinuousClock.now + .milliseconds(100))
            // Sleeping throws only in a cancelled task, which is as good as a signal.
            do { try await Task.sleep(until: step, clock: .continuous) } catch { return true }
        }
        return stop.hasCome
    }
}
