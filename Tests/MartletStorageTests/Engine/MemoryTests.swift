import MartletModel
import Testing

@testable import MartletStorage

/// What counts against the engine's one memory limit, beside the blocks of the cache.
@Suite struct MemoryTests {
    private func rows(_ series: Range<Int>, at time: Int64 = 1) -> [TestRow] {
        series.map { TestRow(["id": "sensor-\($0)", "site": "\($0 % 7)"], time, ["v": .int64(Int64($0))]) }
    }

    @Test func newSeriesAreRefusedWhereSeriesTakeHalfOfTheLimitAndKnownOnesGoOn() throws {
        var options = TestDatabase.plain
        options.memoryLimit = 1 << 20
        let database = try TestDatabase(options)
        let namespace = try database.namespace
        var accepted = 0
        var refusal: MartletError?
        for part in 0..<40 where refusal == nil {
            let outcome = try namespace.append([TableBatch("t", rows(part * 200..<part * 200 + 200))])
            accepted += outcome.accepted
            refusal = outcome.rejected.first?.error
        }
        #expect(refusal?.code == .resourceExhausted)
        #expect(refusal?.hint?.contains("raise the memory limit") == true)
        // Half a MiB holds thousands of series, and not tens of thousands.
        #expect((1000..<8000).contains(accepted), "\(accepted)")
        let known = try namespace.append([TableBatch("t", rows(0..<100, at: 2))])
        #expect(known.accepted == 100 && known.rejected.isEmpty)
        try database.reopen()
        #expect(try TestReader(database.namespace).rows("t").count == accepted + 100)
    }

    @Test func seriesOfTheEnginesOwnRowsAreNotRefused() throws {
        let catalog = SeriesCatalog(
            BlockCache(limit: 0, budget: MemoryBudget(limit: 1 << 20)), limit: MemoryBudget(limit: 4096))
        func intern(_ number: Int, limit: Int) throws -> UInt32 {
            let tags = try TagSet([("id", "\(number)")]).canonicalBytes
            return try tags.withUnsafeBytes { (tags) throws(MartletError) in
                try catalog.intern(table: 0, tags, limit: limit).id
            }
        }
        #expect(try intern(0, limit: 100) == 0)
        let error = #expect(throws: MartletError.self) { try intern(1, limit: 100) }
        #expect(error?.code == .resourceExhausted)
        #expect(try intern(0, limit: 100) == 0)
        #expect(try intern(1, limit: .max) == 1)
    }

    @Test func whatSeriesLayersAndIndexesTakeIsInTheBooksAndGivenBack() throws {
        let memory: MemoryBudget
        do {
            let database = try TestDatabase()
            memory = database.engine.memory
            let before = memory.used
            _ = try database.namespace.append([TableBatch("t", rows(0..<500))])
            // The series' names alone are longer than this.
            #expect(memory.used - before > 500 * 40)
            try database.namespace.compact()
            let sealed = memory.used
            _ = try TestReader(database.namespace).rows("t")
            // A run of each of the 500 series, and the numbers of the series.
            #expect(memory.used - sealed > 500 * 28)
            try database.engine.close()
        }
        #expect(memory.used == 0)
    }

    @Test func indexesThatTheCacheGaveUpAreReadAgain() throws {
        var options = TestDatabase.plain
        options.cacheBytes = 0
        let database = try TestDatabase(options)
        for time in Int64(1)...3 {
            _ = try database.namespace.append([TableBatch("t", rows(0..<300, at: time))])
            try database.namespace.compact()
        }
        for _ in 0..<2 { #expect(try TestReader(database.namespace).rows("t").count == 900) }
        #expect(database.engine.statistics.cacheBytes == 0)
    }

    @Test func aLogIsSealedBeforeTheIndexesOfItsLayersOutgrowMemory() throws {
        var options = TestDatabase.plain
        options.memoryLimit = 1 << 20
        let database = try TestDatabase(options)
        for time in Int64(1)...30 { _ = try database.namespace.append([TableBatch("t", rows(0..<500, at: time))]) }
        // 500 runs of 24 bytes thirty times, where one log's may take an eighth of the limit.
        #expect(database.engine.statistics.hotSegments > 1)
        #expect(try TestReader(database.namespace).rows("t").count == 15_000)
    }

    @Test func aQueryTakesTheMemoryOfCachedBlocks() throws {
        var options = TestDatabase.plain
        options.memoryLimit = 1 << 20
        options.cacheBytes = 1 << 20
        let database = try TestDatabase(options)
        _ = try database.namespace.append([TableBatch("t", rows(0..<500))])
        try database.namespace.compact()
        _ = try TestReader(database.namespace).rows("t")
        #expect(database.engine.statistics.cacheBytes > 0)
        let query = MemoryBudget(limit: 1 << 20, parent: database.engine.memory)
        let free = (1 << 20) - database.engine.memory.used
        #expect(query.tryReserve(free + 1))
        query.release(free + 1)
        #expect(query.tryReserve(free + database.engine.statistics.cacheBytes))
        #expect(database.engine.statistics.cacheBytes == 0)
    }

    @Test func rowsThatWaitCountUntilTheyAreCommitted() throws {
        let memory = MemoryBudget(limit: 1 << 20)
        let seen = Guarded(0)
        let queue = CommitQueue(label: "test", cache: BlockCache(limit: 0, budget: memory)) { group in
            seen.withLock { $0 = memory.used }
            for pending in group {
                pending.completion(.success(AppendOutcome(accepted: 0, rejected: [], commit: 1, isDurable: false)))
            }
        }
        let batch = try TableBatch("t", rows(0..<100))
        _ = try queue.appendAndWait([AppendBatch(batch)])
        #expect(seen.withLock { $0 } >= 100 * 20)
        #expect(memory.used == 0)
    }
}
