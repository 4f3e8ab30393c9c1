import MartletModel
import MartletTestSupport
import Testing

@testable import MartletStorage

/// What a sync that failed leaves behind: pages that the kernel holds and the disk may lack, a renaming that is not
/// there after a power cut, a commit that was refused and is on the disk all the same.
@Suite struct FailedSyncTests {
    private static var options: StorageOptions {
        var options = StorageOptions()
        options.mergesInBackground = false
        return options
    }

    private func open(_ disk: SimulatedFileSystem) throws -> (StorageEngine, any NamespaceEngine) {
        let engine = try StorageEngine.open(
            at: "/data", options: Self.options, fileSystem: disk, clock: ManualClock())
        return (engine, try engine.namespace("default"))
    }

    private func batch(_ host: String, _ time: Int64) throws -> TableBatch {
        try TableBatch("cpu", [TestRow(["host": host], time, ["load": .float64(1)])])
    }

    @Test(arguments: 1...8 as ClosedRange<UInt64>)
    func whatIsAppendedBehindALayerThatOnlyTheKernelHoldsIsNotLost(seed: UInt64) throws {
        let disk = SimulatedFileSystem(seed: seed)
        let (_, namespace) = try open(disk)
        _ = try namespace.append([batch("a", 1)])
        disk.inject(.syncLoss, atOperation: disk.operationCount + 1)
        #expect(throws: MartletError.self) { try namespace.append([batch("b", 2)]) }
        let killed = disk.killProcess()
        _ = try open(killed).1.append([batch("c", 3)])
        let times = try TestReader(open(killed.crash()).1).rows("cpu").map(\.time)
        #expect(times.contains(1) && times.contains(3))
    }

    @Test(arguments: 1...8 as ClosedRange<UInt64>)
    func whatIsAppendedUnderAManifestWhoseRenamingWasNotSyncedIsNotLost(seed: UInt64) throws {
        let rehearsal = SimulatedFileSystem(seed: seed)
        let (engine, namespace) = try open(rehearsal)
        _ = try namespace.append([batch("a", 1)])
        try engine.close()
        let (_, again) = try open(rehearsal)
        let before = rehearsal.operationCount
        try again.compact()
        let syncs = rehearsal.operationLog.filter { $0.number >= before && $0.kind == .syncDirectory }.map(\.number)
        for sync in syncs {
            let disk = SimulatedFileSystem(seed: seed)
            let (engine, namespace) = try open(disk)
            _ = try namespace.append([batch("a", 1)])
            try engine.close()
            let (_, again) = try open(disk)
            disk.inject(.inputOutputError, atOperation: sync)
            #expect(throws: MartletError.self) { try again.compact() }
            let killed = disk.killProcess()
            _ = try open(killed).1.append([batch("c", 3)])
            #expect(try TestReader(open(killed.crash()).1).rows("cpu").map(\.time).sorted() == [1, 3])
        }
    }

    @Test(arguments: 1...8 as ClosedRange<UInt64>)
    func aDeletionOfNothingPromisesThatARefusedAppendDoesNotComeBack(seed: UInt64) throws {
        let disk = SimulatedFileSystem(seed: seed)
        let (_, namespace) = try open(disk)
        _ = try namespace.append([batch("a", 1)])
        disk.inject(.inputOutputError, atOperation: disk.operationCount + 1)
        #expect(throws: MartletError.self) { try namespace.append([batch("b", 2)]) }
        #expect(try namespace.delete(from: "cpu", time: TimeRange(2, 2), series: .all) == 0)
        #expect(try TestReader(open(disk.crash()).1).rows("cpu").map(\.time) == [1])
    }
}
