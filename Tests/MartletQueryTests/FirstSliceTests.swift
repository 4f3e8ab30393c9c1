import MartletModel
import Testing

@testable import MartletQuery

@Suite struct FirstSliceTests {
    private func cpu() throws -> QueryFixture {
        let fixture = try QueryFixture()
        try fixture.write(
            "cpu", tags: ["host", "region"],
            fields: [ColumnDescription("usage", .float64, .field), ColumnDescription("cores", .int64, .field)],
            [
                ("2024-01-01 00:00:00", [.string("a"), .string("eu"), .float64(10.5), .int64(4)]),
                ("2024-01-01 00:30:00", [.string("a"), .string("eu"), .float64(20.5), .int64(4)]),
                ("2024-01-01 01:00:00", [.string("a"), .string("eu"), .float64(30), nil]),
                ("2024-01-01 00:10:00", [.string("b"), .string("us"), .float64(90), .int64(8)]),
                ("2024-01-01 01:10:00", [.string("b"), .string("us"), .float64(95), .int64(8)]),
                ("2024-01-01 00:20:00", [.string("c"), nil, .float64(50), .int64(2)]),
            ])
        return fixture
    }

    @Test func expressionsWithoutATableGiveOneRow() throws {
        let fixture = try QueryFixture()
        #expect(try fixture.rows("SELECT 1 + 2 * 3, 'a' || 'b', 7 / 2, 7 // 2, NULL IS NULL") == ["7|ab|3.5|3|true"])
        #expect(try fixture.rows("SELECT CASE WHEN 1 > 2 THEN 'x' ELSE 'y' END") == ["y"])
        #expect(try fixture.rows("SELECT $1 + 1", [.int64(41)]) == ["42"])
    }

    @Test func starGivesTimeTagsAndFields() throws {
        let fixture = try cpu()
        #expect(
            try fixture.rows("SELECT * FROM cpu WHERE host = 'a' ORDER BY time LIMIT 1")
                == ["2024-01-01 00:00:00|a|eu|10.5|4"])
    }

    @Test func conditionsOnTimeTagsAndFieldsSelectRows() throws {
        let fixture = try cpu()
        #expect(try fixture.rows("SELECT count(*) FROM cpu WHERE time >= '2024-01-01 01:00:00'") == ["2"])
        #expect(try fixture.rows("SELECT host FROM cpu WHERE usage > 60 ORDER BY time") == ["b", "b"])
        #expect(try fixture.rows("SELECT usage FROM cpu WHERE region IS NULL") == ["50.0"])
        #expect(try fixture.rows("SELECT count(*) FROM cpu WHERE region <> 'eu'") == ["2"])
        #expect(try fixture.rows("SELECT count(*) FROM cpu WHERE host IN ('a', 'c') AND cores = 4") == ["2"])
    }

    @Test func groupsByTagsGiveAggregates() throws {
        let fixture = try cpu()
        #expect(
            try fixture.rows("SELECT host, count(*), avg(usage), max(cores) FROM cpu GROUP BY host ORDER BY host")
                == ["a|3|20.333333333333332|4", "b|2|92.5|8", "c|1|50.0|2"])
        #expect(
            try fixture.rows("SELECT region, count(*) FROM cpu GROUP BY ALL ORDER BY 1 NULLS FIRST")
                == ["NULL|1", "eu|3", "us|2"])
        #expect(try fixture.rows("SELECT sum(usage) FROM cpu WHERE host = 'nobody'") == ["NULL"])
    }

    @Test func joinsMatchRows() throws {
        let fixture = try cpu()
        #expect(
            try fixture.rows(
                """
                SELECT a.host, count(*) FROM cpu a JOIN cpu b ON a.host = b.host GROUP BY a.host ORDER BY 1
                """) == ["a|9", "b|4", "c|1"])
        #expect(
            try fixture.rows(
                "SELECT v.k, c.usage FROM (VALUES ('a'), ('z')) v(k) LEFT JOIN cpu c ON v.k = c.host AND c.usage > 25 "
                    + "ORDER BY v.k") == ["a|30.0", "z|NULL"])
    }

    @Test func errorsPointAtThePlace() throws {
        let fixture = try cpu()
        let error = try #require(fixture.failure("SELECT usagee FROM cpu"))
        #expect(error.code == .semantic)
        #expect(error.location == .statement(offset: 7, line: 1, column: 8))
        #expect(error.hint == "did you mean 'usage'?")
        #expect(error.excerpt(of: "SELECT usagee FROM cpu") == "SELECT usagee FROM cpu\n       ^")
        #expect(fixture.failure("SELEC 1")?.code == .syntax)
    }
}
