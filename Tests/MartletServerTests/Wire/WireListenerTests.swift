import MartletModel
import MartletTestSupport
import MartletWire
import Testing

@testable import MartletServer

private func rows(_ count: Int, table: String = "cpu") -> TableBatch {
    TableBatch(
        table: table,
        batch: RecordBatch(
            schema: [
                ColumnDescription("time", .timestamp, .time), ColumnDescription("host", .string, .tag),
                ColumnDescription("v", .float64, .field),
            ],
            columns: [
                Column(.timestamp, unsafeElements: (0..<Int64(count)).map { $0 }),
                Column(indices: (0..<count).map { UInt32($0 % 2) }, dictionary: StringDictionary(["a", "b"])),
                Column(.float64, unsafeElements: (0..<count).map(Double.init)),
            ], rowCount: count))
}

@Suite(.serialized) struct WireListenerTests {
    @Test func aClientGreetsAndPings() async throws {
        try await withListener { listener, port in
            let client = try await WireClient.connect(port: port)
            #expect(client.server.version == 1)
            #expect(client.server.maximumRequests == 64)
            _ = try await client.ping()
            await client.close()
            #expect(listener.figures.connections == 1)
        }
    }

    @Test(arguments: [WireFeatures(), .lz4, .zstd])
    func anAppendArrivesAsItWasSentAndItsReceiptSaysHowDurableItIs(features: WireFeatures) async throws {
        let backend = ScriptedBackend()
        try await withListener(backend) { _, port in
            let client = try await WireClient.connect(port: port, configuration: .init(features: features))
            let receipt = try await client.append([rows(5000), rows(1, table: "mem")], durability: .durable)
            #expect(receipt.accepted == 5000)
            #expect(receipt.rejected == 1)
            #expect(receipt.commit == 7)
            #expect(receipt.isDurable)
            #expect(receipt.rejections.map(\.error.code) == [.typeConflict])
            let appended = backend.state.withLock { $0.appended }
            #expect(appended.map(\.table) == ["cpu", "mem"])
            #expect(appended[0].batch.schema == rows(1).batch.schema)
            #expect(appended[0].batch.row(4999) == rows(5000).batch.row(4999))
            await client.close()
        }
    }

    @Test func durabilityThatTheServerDoesNotPromiseIsRefusedBeforeAnythingIsStored() async throws {
        let backend = ScriptedBackend(acknowledgesDurably: false)
        try await withListener(backend) { _, port in
            let client = try await WireClient.connect(port: port)
            await #expect(throws: MartletError.self) { try await client.append([rows(2)], durability: .durable) }
            #expect(backend.state.withLock { $0.appended.isEmpty })
            #expect(try await client.append([rows(2)]).isDurable == false)
            await client.close()
        }
    }

    @Test func anAppendOfTheWrongShapeIsRefusedWithItsTable() async throws {
        try await withListener { _, port in
            let client = try await WireClient.connect(port: port)
            let time = RecordBatch(
                schema: [ColumnDescription("time", .timestamp, .time)],
                columns: [Column(.timestamp, unsafeElements: [1] as [Int64])], rowCount: 1)
            do throws(MartletError) {
                _ = try await client.append([TableBatch(table: "cpu", batch: time)])
                Issue.record("accepted rows without a field")
            } catch {
                #expect(error.code == .invalidArgument)
                #expect(error.location == .column(table: "cpu", column: nil))
            }
            await client.close()
        }
    }

    @Test func aQueryStreamsAllItsBatchesInOrderAndEndsWithASummary() async throws {
        let backend = ScriptedBackend()
        try await withListener(backend) { _, port in
            let client = try await WireClient.connect(port: port)
            let limits = WireClient.QueryLimits(timeout: .seconds(3), memory: 1000, rows: 500)
            let result = try await client.query("count 300", limits: limits)
            #expect(result.schema == [ColumnDescription("n", .int64)])
            var numbers: [FieldValue?] = []
            for try await batch in result { numbers += batch.row(0) }
            #expect(numbers == (0..<300).map { .int64($0) })
            #expect(result.summary?.rows == 300)
            #expect(result.summary?.notices == ["a notice"])
            #expect(
                backend.state.withLock { $0.limits }
                    == WireQueryLimits(timeout: 3_000_000_000, memory: 1000, rows: 500))
            await client.close()
        }
    }

    @Test func aBatchLargerThanTheClientsLargestFrameComesInParts() async throws {
        try await withListener { _, port in
            let client = try await WireClient.connect(
                port: port, configuration: .init(maximumBody: 64 << 10, features: []))
            let result = try await client.query("wide 1000 1000")
            var texts: [FieldValue?] = []
            for try await batch in result { texts += (0..<batch.rowCount).map { batch.row($0)[0] } }
            let text = String(repeating: "x", count: 1_000)
            #expect(texts == (0..<1_000).map { .string("\($0)" + text) })
            await client.close()
        }
    }

    @Test func aRowLargerThanTheClientsLargestFrameIsAnError() async throws {
        try await withListener { _, port in
            let client = try await WireClient.connect(
                port: port, configuration: .init(maximumBody: 64 << 10, features: []))
            let result = try await client.query("wide 1 100000")
            let error = await #expect(throws: MartletError.self) { for try await _ in result {} }
            #expect(error?.code == .outOfRange)
            await client.close()
        }
    }

    @Test func aStatementWithoutAResultHasNoColumns() async throws {
        try await withListener { _, port in
            let client = try await WireClient.connect(port: port)
            let result = try await client.query("nothing")
            #expect(result.schema.isEmpty)
            #expect(try await result.collect().isEmpty)
            await client.close()
        }
    }

    @Test func anErrorKeepsItsCodePlaceAndHint() async throws {
        try await withListener { listener, port in
            let client = try await WireClient.connect(port: port)
            do throws(MartletError) {
                _ = try await client.query("selec")
                Issue.record("no error")
            } catch {
                #expect(
                    error
                        == MartletError(
                            .syntax, "what is 'selec'?", at: .statement(offset: 3, line: 1, column: 4), hint: "no"))
            }
            _ = try await client.ping()
            #expect(listener.figures.errors == 1)
            await client.close()
        }
    }

    @Test func aCancelledQueryEndsAndLetsGoOfTheEngine() async throws {
        let backend = ScriptedBackend()
        try await withListener(backend) { _, port in
            let client = try await WireClient.connect(port: port)
            for sql in ["forever", "stuck"] {
                let result = try await client.query(sql)
                result.cancel()
                await #expect(throws: MartletError.self) { while try await result.next() != nil {} }
            }
            try await eventually("the queries live on") { backend.state.withLock { $0.liveQueries == 0 } }
            await client.close()
        }
    }

    @Test func cancellingTheTaskCancelsTheQuery() async throws {
        let backend = ScriptedBackend()
        try await withListener(backend) { _, port in
            let client = try await WireClient.connect(port: port)
            let task = Task {
                let result = try await client.query("stuck")
                return try await result.next()
            }
            try await eventually("the query did not begin") { backend.state.withLock { $0.liveQueries == 1 } }
            task.cancel()
            await #expect(throws: MartletError.self) { try await task.value }
            try await eventually("the query lives on") { backend.state.withLock { $0.liveQueries == 0 } }
            await client.close()
        }
    }

    @Test func aClientThatDoesNotReadCostsAFewBatchesAndNoThread() async throws {
        let backend = ScriptedBackend()
        try await withListener(backend, { $0.queryThreads = 1 }) { _, port in
            let client = try await WireClient.connect(port: port, configuration: .init(credit: 4))
            let unread = try await client.query("forever")
            try await Task.sleep(for: .milliseconds(100))
            #expect(backend.state.withLock { $0.produced } <= 4)
            // The only thread is free for others.
            #expect(try await client.query("count 10").collect().count == 10)
            unread.cancel()
            await client.close()
        }
    }

    @Test func aConnectionThatBreaksStopsItsQueries() async throws {
        let backend = ScriptedBackend()
        try await withListener(backend) { listener, port in
            let client = try await WireClient.connect(port: port)
            let result = try await client.query("forever")
            _ = try await result.next()
            await client.close()
            await #expect(throws: MartletError.self) { while try await result.next() != nil {} }
            try await eventually("the query lives on") {
                backend.state.withLock { $0.liveQueries == 0 } && listener.figures.openRequests == 0
            }
        }
    }

    @Test func manyRequestsAreOpenAtOnceOnOneConnection() async throws {
        try await withListener { _, port in
            let client = try await WireClient.connect(port: port)
            try await withThrowingTaskGroup(of: Int.self) { group in
                for number in 0..<40 {
                    group.addTask {
                        let batches = try await client.query("count \(number)").collect()
                        _ = try await client.append([rows(2)])
                        return batches.count - number
                    }
                }
                for try await difference in group { #expect(difference == 0) }
            }
            await client.close()
        }
    }

    @Test func oneRequestTooManyIsRefusedAndTheOthersGoOn() async throws {
        let backend = ScriptedBackend(holdsAppends: true)
        try await withListener(backend, { $0.maximumRequests = 2 }) { _, port in
            let client = try await WireClient.connect(port: port)
            async let first = client.append([rows(2)])
            async let second = client.append([rows(2)])
            try await eventually("the appends did not arrive") { backend.state.withLock { $0.held.count == 2 } }
            do throws(MartletError) {
                _ = try await client.append([rows(2)])
                Issue.record("a third request was taken")
            } catch {
                #expect(error.code == .resourceExhausted)
            }
            backend.releaseAppends()
            #expect(try await first.accepted + second.accepted == 2)
            await client.close()
        }
    }

    @Test func nothingMoreIsReadWhileTooMuchWaitsToBeAcknowledged() async throws {
        let backend = ScriptedBackend(holdsAppends: true)
        try await withListener(backend, { $0.maximumAppendBytes = 100_000 }) { _, port in
            let client = try await WireClient.connect(port: port)
            let receipts = Task {
                try await withThrowingTaskGroup(of: UInt64.self) { group in
                    for _ in 0..<20 { group.addTask { try await client.append([rows(4000)]).accepted } }
                    return try await group.reduce(0, +)
                }
            }
            try await Task.sleep(for: .milliseconds(200))
            // Each append takes about 80 kB; what one read had brought already is served too.
            #expect(backend.state.withLock { $0.held.count } < 12)
            while backend.state.withLock({ $0.appended.count < 20 || !$0.held.isEmpty }) {
                backend.releaseAppends()
                try await Task.sleep(for: .milliseconds(5))
            }
            #expect(try await receipts.value == 20 * 3999)
            await client.close()
        }
    }

    @Test func shutdownWaitsForOpenRequests() async throws {
        let backend = ScriptedBackend(holdsAppends: true)
        try await withListener(backend) { listener, port in
            let client = try await WireClient.connect(port: port)
            async let receipt = client.append([rows(2)])
            try await eventually("the append did not arrive") { backend.state.withLock { $0.held.count == 1 } }
            async let stopped: Void = listener.shutdown()
            try await Task.sleep(for: .milliseconds(50))
            backend.releaseAppends()
            #expect(try await receipt.accepted == 1)
            await stopped
            await #expect(throws: MartletError.self) { try await client.ping() }
        }
    }

    @Test func nothingListeningIsAClearError() async throws {
        var port = 0
        try await withListener { _, bound in port = bound }
        do throws(MartletError) {
            _ = try await WireClient.connect(port: port)
            Issue.record("connected to nothing")
        } catch {
            #expect(error.code == .io)
            #expect(error.description.contains("martlet serve"))
        }
    }
}
