import MartletModel
import MartletTestSupport
import Testing

@testable import MartletStorage

/// Backups and what comes back of them, on a simulated disk.
@Suite struct BackupTests {
    private let clock = ManualClock(now: Timestamp(nanoseconds: 1_000))

    private func open(
        _ disk: SimulatedFileSystem, at path: String = "/data", readOnly: Bool = false
    ) throws -> StorageEngine {
        var options = StorageOptions()
        options.mergesInBackground = false
        options.readOnly = readOnly
        return try StorageEngine.open(at: path, options: options, fileSystem: disk, clock: clock)
    }

    private func append(_ engine: StorageEngine, _ times: [Int64], namespace: String = "default") throws {
        let rows = times.map { TestRow(["host": "h\($0 % 3)"], $0, ["v": .int64($0)]) }
        _ = try engine.namespace(namespace).append([TableBatch("t", rows)])
    }

    private func times(_ engine: StorageEngine, namespace: String = "default") throws -> [Int64] {
        try TestReader(engine.namespace(namespace)).rows("t").map(\.time).sorted()
    }

    @Test func aBackupHoldsWhatWasThereAndNothingLater() throws {
        let disk = SimulatedFileSystem(seed: 1)
        let engine = try open(disk)
        try append(engine, [1, 2, 3])
        try engine.namespace("default").compact()
        try append(engine, [4])
        let report = try engine.backup(to: "/backup")
        #expect(report.files == 2 && report.linkedFiles == 1 && report.missing.isEmpty)
        try append(engine, [5])
        try engine.namespace("default").compact()
        let restored = try BackupRestore.restore(from: "/backup", to: "/restored", fileSystem: disk)
        #expect(restored.namespaces == ["default"])
        let other = try open(disk, at: "/restored")
        #expect(try times(other) == [1, 2, 3, 4])
        try append(other, [6])
        #expect(try times(other) == [1, 2, 3, 4, 6])
        #expect(try times(engine) == [1, 2, 3, 4, 5])
    }

    @Test func anotherBackupWritesOnlyWhatIsNewAndEachMomentCanBeHadBack() throws {
        let disk = SimulatedFileSystem(seed: 2)
        let engine = try open(disk)
        try append(engine, Array(1...50))
        try engine.namespace("default").compact()
        _ = try engine.backup(to: "/backup", links: false)
        clock.advance(by: 1_000)
        try append(engine, [60])
        let second = try engine.backup(to: "/backup", links: false)
        #expect(second.reusedFiles == 1 && second.copiedFiles == 1)
        #expect(try BackupRestore.list("/backup", fileSystem: disk).count == 2)
        let early = try BackupRestore.restore(
            from: "/backup", to: "/early", at: Timestamp(nanoseconds: 1_500), fileSystem: disk)
        #expect(early.created.nanoseconds < 1_500)
        #expect(try times(open(disk, at: "/early")) == Array(1...50))
        _ = try BackupRestore.restore(from: "/backup", to: "/late", fileSystem: disk)
        #expect(try times(open(disk, at: "/late")) == Array(1...50) + [60])
        let error = #expect(throws: MartletError.self) {
            try BackupRestore.restore(from: "/backup", to: "/never", at: Timestamp(nanoseconds: 1), fileSystem: disk)
        }
        #expect(error?.code == .notFound)
    }

    @Test func oneNamespaceComesBackIntoADatabaseThatLacksIt() throws {
        let disk = SimulatedFileSystem(seed: 3)
        let engine = try open(disk)
        try engine.createNamespace("tenant")
        try append(engine, [1], namespace: "tenant")
        try append(engine, [2])
        _ = try engine.backup(to: "/backup")
        try engine.dropNamespace("tenant")
        try append(engine, [3])
        try engine.close()
        _ = try BackupRestore.restore(from: "/backup", to: "/data", namespace: "tenant", fileSystem: disk)
        let again = try open(disk)
        #expect(try times(again, namespace: "tenant") == [1])
        #expect(try times(again) == [2, 3])
        let error = #expect(throws: MartletError.self) {
            try BackupRestore.restore(from: "/backup", to: "/data", namespace: "tenant", fileSystem: disk)
        }
        #expect(error?.code == .locked || error?.code == .alreadyExists)
        #expect(throws: MartletError.self) {
            try BackupRestore.restore(from: "/backup", to: "/data", fileSystem: disk)
        }
    }

    @Test func aReaderBesideTheWriterBacksUpWhatIsDurable() throws {
        let disk = SimulatedFileSystem(seed: 4)
        let engine = try open(disk)
        try append(engine, [1, 2])
        _ = try open(disk, readOnly: true).backup(to: "/backup")
        try append(engine, [3])
        _ = try BackupRestore.restore(from: "/backup", to: "/restored", fileSystem: disk)
        #expect(try times(open(disk, at: "/restored")) == [1, 2])
    }

    @Test func aDamagedFileOfABackupIsNamedAndNothingIsRestored() throws {
        let disk = SimulatedFileSystem(seed: 5)
        let engine = try open(disk)
        try append(engine, [1, 2])
        _ = try engine.backup(to: "/backup", links: false)
        let folder = "/backup/files/default"
        let name = try #require(try disk.list(folder).first)
        let file = try disk.open(folder + "/" + name, .readWrite)
        try [UInt8(0xff)].withRawBytes { bytes throws(MartletError) in try file.write(bytes, at: 90) }
        let error = #expect(throws: MartletError.self) {
            try BackupRestore.restore(from: "/backup", to: "/restored", fileSystem: disk)
        }
        #expect(error?.code == .corrupt)
        #expect(error?.description.contains(name) == true)
        #expect(!disk.exists("/restored"))
    }

    @Test(arguments: 1...30 as ClosedRange<UInt64>)
    func aPowerCutDuringABackupOrARestoreLeavesTheDataAndTheEarlierBackup(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let disk = SimulatedFileSystem(seed: seed)
        let engine = try open(disk)
        try append(engine, [1, 2, 3])
        try engine.namespace("default").compact()
        _ = try engine.backup(to: "/backup")
        try append(engine, [4, 5])
        if Bool.random(using: &random) { try engine.namespace("default").compact() }
        disk.inject(.powerLoss, atOperation: disk.operationCount + Int.random(in: 0..<25, using: &random))
        let isComplete = Result { try engine.backup(to: "/backup") }
        let isRestored = Result { try BackupRestore.restore(from: "/backup", to: "/restored", fileSystem: disk) }
        let after = disk.crash()
        #expect(try times(open(after)) == [1, 2, 3, 4, 5])
        if case .success = isRestored { #expect(try !times(open(after, at: "/restored")).isEmpty) }
        _ = try BackupRestore.restore(from: "/backup", to: "/again", fileSystem: after)
        let found = try times(open(after, at: "/again"))
        if case .success = isComplete {
            #expect(found == [1, 2, 3, 4, 5])
        } else {
            #expect(found == [1, 2, 3] || found == [1, 2, 3, 4, 5])
        }
        // And the next backup goes through.
        _ = try open(after).backup(to: "/backup")
    }
}
