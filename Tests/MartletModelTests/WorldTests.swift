import Foundation
import MartletModel
import Testing

@Suite struct POSIXFileSystemTests {
    private let files = POSIXFileSystem()

    private func withDirectory(_ body: (String) throws -> Void) throws {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("martlet-\(UUID().uuidString)").path
        try files.createDirectory(path)
        defer { try? FileManager.default.removeItem(atPath: path) }
        try body(path)
    }

    @Test func writtenBytesAreReadBackAtTheirOffset() throws {
        try withDirectory { directory in
            let file = try files.open(directory + "/a", .create)
            let bytes = Buffer([1, 2, 3, 4] as [Int64])
            try withExtendedLifetime(bytes) { try file.write(bytes.bytes, at: 8) }
            try file.sync()
            #expect(try file.size() == 40)
            let read = try file.readExactly(16, at: 16)
            withExtendedLifetime(read) { #expect(Array(read.elements(of: Int64.self)) == [2, 3]) }
            try file.truncate(to: 24)
            #expect(try file.size() == 24)
        }
    }

    @Test func aShortReadIsReportedAsCorrupt() throws {
        try withDirectory { directory in
            let file = try files.open(directory + "/a", .create)
            #expect { try file.readExactly(1, at: 0) } throws: { ($0 as? MartletError)?.code == .corrupt }
        }
    }

    @Test func errorsNameTheFileAndTheKind() throws {
        try withDirectory { directory in
            let missing = #expect(throws: MartletError.self) { try files.open(directory + "/none", .read) }
            #expect(missing?.code == .notFound)
            #expect(missing?.description.contains(directory + "/none") == true)
            _ = try files.open(directory + "/a", .create)
            let present = #expect(throws: MartletError.self) { try files.open(directory + "/a", .create) }
            #expect(present?.code == .alreadyExists)
        }
    }

    @Test func aSecondLockIsRefusedUntilTheFirstIsGivenUp() throws {
        try withDirectory { directory in
            let lock = try files.lock(directory + "/LOCK")
            let refusal = #expect(throws: MartletError.self) { try files.lock(directory + "/LOCK") }
            #expect(refusal?.code == .locked)
            lock.unlock()
            _ = try files.lock(directory + "/LOCK")
        }
    }

    @Test func aClosedFileRefusesToCloseAgain() throws {
        try withDirectory { directory in
            let file = try files.open(directory + "/a", .create)
            try file.close()
            #expect { try file.close() } throws: { ($0 as? MartletError)?.code == .closed }
        }
    }
}

@Suite struct MemoryBudgetTests {
    @Test func aReservationThatDoesNotFitIsRefusedWithItsPurpose() throws {
        let budget = MemoryBudget(limit: 100)
        try budget.reserve(60, for: "a sort")
        let refusal = #expect(throws: MartletError.self) { try budget.reserve(41, for: "a join") }
        #expect(refusal?.code == .resourceExhausted)
        #expect(refusal?.message.contains("a join") == true)
        budget.release(60)
        #expect(budget.tryReserve(100))
        #expect(budget.peak == 100)
    }

    @Test func aPartsReservationCountsAgainstTheWhole() throws {
        let whole = MemoryBudget(limit: 100)
        let part = MemoryBudget(limit: 80, parent: whole)
        #expect(whole.tryReserve(50))
        #expect(!part.tryReserve(60))
        #expect(part.used == 0)
        #expect(part.tryReserve(50))
        #expect(whole.used == 100)
        part.release(50)
        #expect(whole.used == 50)
    }

    @Test func whatOtherUsesGiveUpIsReserved() throws {
        let whole = MemoryBudget(limit: 100)
        let part = MemoryBudget(limit: 80, parent: whole)
        #expect(whole.tryReserve(90))
        // Gives up 20 bytes a time, and the last 20 never.
        whole.reclaim { [unowned whole] wanted in
            #expect(wanted == 60)
            guard whole.used > 20 else { return false }
            whole.release(min(20, whole.used - 20))
            return true
        }
        #expect(part.tryReserve(60))
        #expect(whole.used == 90)
        #expect(!whole.tryReserveNow(60))
    }

    @Test func reservationsFromManyThreadsNeverPassTheLimit() async {
        let budget = MemoryBudget(limit: 64)
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    for _ in 0..<10_000 where budget.tryReserve(13) { budget.release(13) }
                }
            }
        }
        #expect(budget.used == 0)
        #expect(budget.peak <= 64)
    }
}

@Suite struct TimeRangeTests {
    @Test func bothEndsBelongToARange() {
        let range = TimeRange(5, 7)
        #expect(range.contains(5) && range.contains(7) && !range.contains(8))
        #expect(TimeRange.all.contains(.min) && TimeRange.all.contains(.max))
    }

    @Test func anEmptyRangeOverlapsNothing() {
        #expect(!TimeRange.empty.overlaps(.all))
        #expect(TimeRange(1, 3).intersection(TimeRange(4, 9)).isEmpty)
        #expect(TimeRange.empty.union(TimeRange(1, 2)) == TimeRange(1, 2))
    }
}

@Suite struct MartletErrorTests {
    @Test func theDescriptionSaysWhereWhatAndWhatToDo() {
        let error = MartletError(.malformedLine, "no field", at: .input(line: 3, column: 9), hint: "add one")
        #expect(error.description == "line 3, column 9: no field (add one)")
    }

    @Test func codesKeepTheirNumbers() {
        #expect(MartletError.Code.allCases.map(\.rawValue) == Array(1...23))
    }
}
