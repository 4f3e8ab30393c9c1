import MartletModel
import MartletTestSupport
import Testing

@testable import MartletQuery

@Suite struct QueryLimitTests {
    @Test("a result of more rows than allowed fails and says so")
    func rowLimit() throws {
        let fixture = try QueryFixture()
        var options = QueryOptions()
        options.maximumRows = 10
        let few = try fixture.engine.execute("SELECT * FROM range(10)", options: options)
        #expect(try few.rows().count == 10)
        let many = try fixture.engine.execute("SELECT * FROM range(11)", options: options)
        #expect(throws: MartletError.self) { try many.rows() }
    }

    @Test(
        "sorts, groups, joins, windows and DISTINCT stop at the memory limit",
        arguments: [
            "SELECT range FROM range(200000) ORDER BY range % 7",
            "SELECT range, count(*) FROM range(200000) GROUP BY range",
            "SELECT DISTINCT range FROM range(200000)",
            "SELECT count(*) FROM range(200000) a JOIN range(200000) b ON a.range = b.range",
            "SELECT sum(range) OVER (ORDER BY range) FROM range(200000)",
            "SELECT range FROM range(200000) EXCEPT SELECT 1",
            "SELECT 1 IN (SELECT range FROM range(200000))",
        ])
    func memoryLimit(_ sql: String) throws {
        let fixture = try QueryFixture()
        var options = QueryOptions()
        options.memoryLimit = 1 << 20
        do throws(MartletError) {
            _ = try fixture.engine.execute(sql, options: options).rows()
            Issue.record("\(sql) stayed within 1 MiB")
        } catch {
            #expect(error.code == .resourceExhausted, "\(error)")
            #expect(error.hint != nil)
        }
    }

    @Test("memory is given back when a result goes away half read")
    func memoryIsReleased() throws {
        let fixture = try QueryFixture()
        let engineMemory = MemoryBudget(limit: 64 << 20)
        let engine = QueryEngine(directory: fixture.storage, options: QueryOptions(), memory: engineMemory)
        do {
            let result = try engine.execute("SELECT range FROM range(100000) ORDER BY range DESC")
            _ = try result.next()
            #expect(engineMemory.used > 0)
        }
        #expect(engineMemory.used == 0)
    }

    @Test("a cancelled query ends with .cancelled, then and ever after")
    func cancel() throws {
        let fixture = try QueryFixture()
        let result = try fixture.engine.execute("SELECT a.range FROM range(100000) a CROSS JOIN range(100000) b")
        _ = try result.next()
        result.cancel()
        for _ in 0..<2 {
            do throws(MartletError) {
                _ = try result.next()
                Issue.record("a cancelled query went on")
            } catch {
                #expect(error.code == .cancelled)
            }
        }
    }

    @Test("a query past its time limit ends with .timeout")
    func timeout() throws {
        let fixture = try QueryFixture()
        var options = QueryOptions()
        options.timeout = 1_000_000
        let result = try fixture.engine.execute(
            "SELECT a.range FROM range(100000) a CROSS JOIN range(100000) b", options: options)
        _ = try result.next()
        fixture.clock.advance(by: 2_000_000)
        do throws(MartletError) {
            _ = try result.next()
            Issue.record("a query went on past its time limit")
        } catch {
            #expect(error.code == .timeout)
        }
    }

    @Test("now() is one moment for the whole statement")
    func nowStandsStill() throws {
        let fixture = try QueryFixture()
        let result = try fixture.engine.execute("SELECT now() AS a UNION ALL SELECT now()")
        fixture.clock.advance(by: 1_000_000_000)
        let rows = try result.rows()
        #expect(rows.count == 2 && rows[0] == rows[1])
    }

    @Test("a result does not see what is written after its statement")
    func snapshotIsolation() throws {
        let fixture = try QueryFixture()
        try fixture.run(
            "CREATE TABLE t (time TIMESTAMP, host TAG, v DOUBLE)", "INSERT INTO t VALUES ('2024-01-01', 'a', 1)")
        // The snapshot is taken when the tables are named.
        let result = try fixture.engine.execute("SELECT count(*) FROM t")
        try fixture.run("INSERT INTO t VALUES ('2024-01-02', 'a', 2)")
        #expect(try result.rows() == [[.int64(1)]])
        #expect(try fixture.rows("SELECT count(*) FROM t") == ["2"])
    }

    @Test("functions that a program registers are called like built-in ones")
    func ownFunctions() throws {
        struct Answer: ScalarFunction {
            let name = "answer"
            func resultType(of arguments: [ColumnType?]) throws(MartletError) -> ColumnType { .int64 }
            func evaluate(
                _ arguments: [Column], constant: [Bool], rowCount: Int, context: EvaluationContext
            ) throws(MartletError) -> Column {
                Column(.int64, unsafeElements: [Int64](repeating: 42, count: rowCount))
            }
        }
        var options = QueryOptions()
        options.functions.register(Answer())
        let fixture = try QueryFixture(options: options)
        #expect(try fixture.rows("SELECT answer() + range FROM range(2)") == ["42", "43"])
    }
}
