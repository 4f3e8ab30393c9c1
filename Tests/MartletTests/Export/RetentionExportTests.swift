import MartletModel
import MartletParquet
import MartletTestSupport
import Testing

@testable import Martlet

/// Rows that policies export before they let them go.
@Suite struct RetentionExportTests {
    private static let day: Int64 = 86_400_000_000_000
    private static let hour: Int64 = 3_600_000_000_000

    /// A database and its archive, both on one simulated disk.
    private struct Machine {
        let disk: SimulatedFileSystem
        let clock = ManualClock(now: Timestamp(nanoseconds: 100 * RetentionExportTests.day))
        let database: Database
        var space: Namespace { get throws { try database.namespace() } }

        init(_ disk: SimulatedFileSystem, exports: ExportPolicy = .anywhere) throws {
            self.disk = disk
            var options = Database.Options()
            options.fileSystem = disk
            options.clock = clock
            options.queryTimeout = nil
            options.worksInBackground = false
            options.exports = exports
            database = try Database.open(at: "/data", options: options)
        }

        @discardableResult
        func run(_ sql: String) throws -> [[FieldValue?]] { try space.query(sql).rows() }

        /// Rows of table `t`.
        @discardableResult
        func append(_ values: [(time: Int64, value: Int64)]) throws -> AppendResult {
            try space.append(
                values.map { row in
                    let time = Timestamp(nanoseconds: row.time)
                    return Row("t", tags: ["host": "a"], fields: ["v": .int64(row.value)], time: time)
                })
        }

        /// The finished files below the archive.
        func files(_ folder: String = "/archive") throws -> [String] {
            if !disk.exists(folder) { return [] }
            var found: [String] = []
            for name in try disk.list(folder) {
                let path = folder + "/" + name
                if name.hasSuffix(".parquet") && !name.hasPrefix(".") {
                    found.append(path)
                } else if name.contains("=") {
                    found += try files(path)
                }
            }
            return found.sorted()
        }

        /// The values in the archive, sorted.
        func archived() throws -> [Int64] {
            var values: [Int64] = []
            for path in try files() {
                let reader = try ParquetReader(try disk.open(path, .read), path: path)
                let column = try #require(reader.schema.firstIndex { $0.name == "v" })
                while let batch = try reader.next() {
                    for row in 0..<batch.rowCount {
                        if case .int64(let value)? = batch.row(row)[column] { values.append(value) }
                    }
                }
            }
            return values.sorted()
        }

        /// The values of the database's rows, sorted; rows that were rolled up do not show.
        func kept() throws -> [Int64] {
            try run("SELECT v FROM t").compactMap {
                if case .int64(let value)? = $0[0] { value } else { nil }
            }.sorted()
        }
    }

    @Test func rowsAreInTheArchiveBeforeTheyGo() throws {
        let machine = try Machine(SimulatedFileSystem(seed: 1))
        try machine.append((0..<96).map { ($0 * Self.hour, $0) })
        try machine.run("CREATE RETENTION POLICY p ON t KEEP '1 day' EXPORT TO '/archive'")
        let dry = try machine.run("RUN RETENTION DRY RUN")
        #expect(dry.count == 1 && machine.disk.exists("/archive") == false)
        let report = try machine.space.query("RUN RETENTION")
        let exported = report.schema.firstIndex { $0.name == "exported" }
        #expect(try report.rows()[0][#require(exported)] == .int64(48))
        // The newest row is of hour 95: a day before that is hour 71, and whole days go.
        #expect(try machine.archived() == Array(0..<48))
        #expect(try machine.kept() == Array(48..<96))
        #expect(try machine.files().count == 2)
        // The record says which files, with what checksums.
        let record = try machine.run("SELECT state, rows, destination, files FROM _retention_exports")
        #expect(record.count == 1 && record[0][0] == .string("written") && record[0][1] == .int64(48))
        #expect(record[0][2] == .string("/archive"))
        guard case .string(let list)? = record[0][3] else { return #expect(Bool(false)) }
        for path in try machine.files() {
            // From the date on: the signs before it are escaped in the list.
            #expect(list.contains(try #require(path.split(separator: "=").last)))
        }
        // Another run has nothing to do.
        #expect(try machine.run("RUN RETENTION").isEmpty)
        #expect(try machine.files().count == 2)
        let run = try machine.run("SELECT exported_rows, exported_to, error FROM _retention_runs")
        #expect(run == [[.int64(48), .string("/archive"), .string("")]])
    }

    @Test func rowsThatBecomeRollupsAreExportedAndRollupsAnswerOn() throws {
        let machine = try Machine(SimulatedFileSystem(seed: 1))
        try machine.append((0..<96).map { ($0 * Self.hour, $0) })
        try machine.run("CREATE RETENTION POLICY p ON t KEEP '1 day', '6 hours' FOR '100 days' EXPORT TO '/archive'")
        try machine.run("RUN RETENTION")
        #expect(try machine.archived() == Array(0..<48))
        #expect(try machine.run("SELECT count(v), sum(v) FROM t") == [[.int64(96), .int64((0..<96).reduce(0, +))]])
        // Rows that come late to exported days become part of the rollups, and go to the archive in files of their own.
        try machine.append([(Self.hour * 3 + 1, 1000)])
        try machine.run("RUN RETENTION")
        #expect(try machine.archived() == Array(0..<48) + [1000])
        #expect(try machine.files().count == 3)
    }

    @Test func bucketsThatDoNotFitIntoDaysAreNotCut() throws {
        let machine = try Machine(SimulatedFileSystem(seed: 1))
        try machine.append((0..<96).map { ($0 * Self.hour, $0) })
        try machine.run("CREATE RETENTION POLICY p ON t KEEP '1 day', '5 hours' FOR '100 days' EXPORT TO '/archive'")
        try machine.run("RUN RETENTION")
        // The last whole bucket before the third day begins ends with hour 44.
        #expect(try machine.archived() == Array(0..<45))
    }

    @Test func aDeletionSaysWhichExportedFilesHoldRowsOfItsTime() throws {
        let machine = try Machine(SimulatedFileSystem(seed: 1))
        try machine.append((0..<96).map { ($0 * Self.hour, $0) })
        try machine.run("CREATE RETENTION POLICY p ON t KEEP '1 day', '6 hours' FOR '100 days' EXPORT TO '/archive'")
        try machine.run("RUN RETENTION")
        guard case .string(let lot)? = try machine.run("SELECT export FROM _retention_exports")[0][0] else {
            return #expect(Bool(false))
        }
        let late = try machine.space.query("DELETE FROM t WHERE time >= '1970-01-04'")
        _ = try late.rows()
        #expect(late.notices.isEmpty)
        let early = try machine.space.query("DELETE FROM t WHERE time < '1970-01-02'")
        _ = try early.rows()
        #expect(early.notices.count == 1 && early.notices[0].contains(lot) && early.notices[0].contains("/archive"))
    }

    @Test func timesFinerThanMicrosecondsAreKeptExactly() throws {
        let machine = try Machine(SimulatedFileSystem(seed: 1))
        try machine.append([(1_234_567_891, 1), (4 * Self.day, 2)])
        try machine.run("CREATE RETENTION POLICY p ON t KEEP '1 day' EXPORT TO '/archive'")
        try machine.run("RUN RETENTION")
        let path = try #require(try machine.files().first)
        let reader = try ParquetReader(try machine.disk.open(path, .read), path: path)
        let batch = try #require(try reader.next())
        #expect(batch.row(0)[0] == .timestamp(Timestamp(nanoseconds: 1_234_567_891)))
    }

    @Test func whereTheArchiveRefusesRowsStayAndTheReportSaysWhy() throws {
        let machine = try Machine(SimulatedFileSystem(seed: 1))
        try machine.append((0..<96).map { ($0 * Self.hour, $0) })
        // A file is where the folder should be.
        try machine.disk.open("/archive", .create).close()
        try machine.run("CREATE RETENTION POLICY p ON t KEEP '1 day' EXPORT TO '/archive'")
        let report = try machine.space.query("RUN RETENTION")
        let error = try #require(report.schema.firstIndex { $0.name == "error" })
        let rows = try report.rows()
        #expect(rows.count == 1 && rows[0][error] != nil)
        #expect(try machine.kept() == Array(0..<96))
        #expect(try machine.run("SELECT error FROM _retention_runs")[0][0] != .string(""))
        // Elsewhere there is room.
        try machine.run("ALTER RETENTION POLICY p EXPORT TO '/archive2'")
        try machine.run("RUN RETENTION")
        #expect(try machine.kept() == Array(48..<96))
        #expect(try machine.files("/archive2").count == 2)
    }

    @Test func aServersPolicyGoesWhereItsExportsMayGo() throws {
        let machine = try Machine(SimulatedFileSystem(seed: 1), exports: .below("/exports"))
        try machine.append([(0, 0), (5 * Self.day, 1)])
        let error = #expect(throws: MartletError.self) {
            try machine.run("CREATE RETENTION POLICY p ON t KEEP '1 day' EXPORT TO '/elsewhere'")
        }
        #expect(error?.code == .unauthorized)
        #expect(throws: MartletError.self) {
            try machine.run("CREATE RETENTION POLICY p ON t KEEP '1 day' EXPORT TO 'one.parquet'")
        }
        try machine.run("CREATE RETENTION POLICY p ON t KEEP '1 day' EXPORT TO 'old'")
        try machine.run("RUN RETENTION")
        #expect(try machine.files("/exports/old").count == 1)
        let shown = try machine.space.query("SHOW RETENTION POLICIES")
        let column = try #require(shown.schema.firstIndex { $0.name == "export_to" })
        #expect(try shown.rows()[0][column] == .string("old"))
        try machine.run("ALTER RETENTION POLICY p EXPORT TO NONE")
        #expect(try machine.run("SHOW RETENTION POLICIES")[0][column] == nil)
    }

    @Test func runsAtTheSameTimeExportEachRowOnce() async throws {
        let machine = try Machine(SimulatedFileSystem(seed: 1))
        try machine.append((0..<200).map { ($0 * Self.hour, $0) })
        try machine.run("CREATE RETENTION POLICY p ON t KEEP '1 day' EXPORT TO '/archive'")
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<4 {
                group.addTask {
                    for row in (try? machine.space.query("RUN RETENTION").rows()) ?? [[.string("failed")]] {
                        // The last column is the error.
                        #expect(row.last == .some(nil))
                    }
                }
            }
        }
        let (archived, kept) = (try machine.archived(), try machine.kept())
        #expect(!archived.isEmpty && archived + kept == Array(0..<200))
    }

    @Test(arguments: 1...16 as ClosedRange<UInt64>)
    func everyRowIsInTheDatabaseOrInTheArchiveAndNotInBoth(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var machine = try Machine(SimulatedFileSystem(seed: seed))
        try machine.run("CREATE RETENTION POLICY p ON t KEEP '1 day' EXPORT TO '/archive'")
        var acknowledged: Set<Int64> = []
        var attempted: Set<Int64> = []
        for step in 0..<Int64(30) {
            let values = (0..<Int64.random(in: 1...20, using: &random)).map { row in
                let number = step * 1000 + row
                return (time: Int64.random(in: 0..<10, using: &random) * Self.day + number, value: number)
            }
            if Int.random(in: 0..<2, using: &random) == 0 {
                let faults: [SimulatedFault] = [.powerLoss, .inputOutputError, .syncLoss]
                machine.disk.inject(
                    faults.randomElement(using: &random)!,
                    atOperation: machine.disk.operationCount + Int.random(in: 0..<80, using: &random))
            }
            attempted.formUnion(values.map(\.value))
            if let outcome = try? machine.append(values) {
                // Rows of before what the table keeps are refused.
                let refused = Set(outcome.rejected.map(\.row))
                for (row, value) in values.enumerated() where !refused.contains(row) {
                    acknowledged.insert(value.value)
                }
            }
            if Bool.random(using: &random) { _ = try? machine.run("RUN RETENTION") }
            if machine.disk.isOff || Int.random(in: 0..<4, using: &random) == 0 {
                machine = try Machine(machine.disk.crash())
            }
            machine.disk.clearFaults()
            if step % 5 == 4 {
                // A run that nothing disturbs removes what was left half done.
                let report = try machine.space.query("RUN RETENTION")
                let error = try #require(report.schema.firstIndex { $0.name == "error" })
                for row in try report.rows() { #expect(row[error] == nil, "step \(step): \(row)") }
                let found = try machine.archived() + machine.kept()
                #expect(Set(found).count == found.count, "step \(step): rows are there twice")
                #expect(acknowledged.isSubset(of: found), "step \(step)")
                #expect(Set(found).isSubset(of: attempted))
            }
        }
        #expect(try !machine.archived().isEmpty)
    }
}
