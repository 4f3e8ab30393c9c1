import Foundation
import Martlet
import MartletTestSupport
import Testing

/// A database on a simulated disk whose streams a test waits for.
final class StreamWorld {
    static let start: Int64 = 1_700_000_000_000_000_000
    static let second: Int64 = 1_000_000_000

    let clock: ManualClock
    private(set) var disk: SimulatedFileSystem
    private(set) var database: Database
    var namespace: Namespace { get throws { try database.namespace() } }

    init(seed: UInt64 = 1, notifiers: [any Notifier] = []) throws {
        clock = ManualClock(now: Timestamp(nanoseconds: Self.start))
        disk = SimulatedFileSystem(seed: seed)
        database = try Self.open(disk, clock, notifiers)
        try database.startStreams()
    }

    private static func open(
        _ disk: SimulatedFileSystem, _ clock: ManualClock, _ notifiers: [any Notifier] = []
    ) throws -> Database {
        var options = Database.Options()
        options.fileSystem = disk
        options.clock = clock
        options.retentionInterval = nil
        options.notifiers = notifiers
        return try Database.open(at: "db", options: options)
    }

    /// Closes the database and opens it anew.
    func reopen() throws {
        try database.close()
        try reopenClosed()
    }

    /// Opens the database after it was closed.
    func reopenClosed() throws {
        database = try Self.open(disk, clock)
        try database.startStreams()
    }

    /// Cuts the power, loses what was not durable, and opens the database anew.
    func crash(notifiers: [any Notifier] = []) throws {
        disk = disk.crash()
        database = try Self.open(disk, clock, notifiers)
        try database.startStreams()
    }

    @discardableResult
    func run(_ sql: String) throws -> [[FieldValue?]] { try namespace.query(sql).rows() }

    /// One value of each host, `seconds` after the start.
    func append(_ seconds: Int64, _ values: [String: Double], table: String = "cpu") throws {
        try namespace.append(
            values.sorted { $0.key < $1.key }.map { host, value in
                Row(
                    table, tags: ["host": host], fields: ["usage": .float64(value)],
                    time: Timestamp(nanoseconds: Self.start + seconds * Self.second))
            })
    }

    /// Waits until a query gives what is expected, two minutes at most; records what it gives instead.
    func expect(
        _ sql: String, _ expected: [[FieldValue?]], _ location: SourceLocation = #_sourceLocation
    ) throws {
        var rows: [[FieldValue?]] = []
        for _ in 0..<12_000 {
            rows = (try? run(sql)) ?? []
            if rows == expected { return }
            try wait()
        }
        #expect(rows == expected, "\(sql)", sourceLocation: location)
    }

    /// Lets streams work for a moment; their clock goes on.
    func wait() throws {
        Thread.sleep(forTimeInterval: 0.01)
        clock.advance(by: 20_000_000)
    }
}
