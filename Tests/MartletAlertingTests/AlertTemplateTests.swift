import MartletModel
import Testing

@testable import MartletAlerting

@Suite struct AlertTemplateTests {
    private func filled(_ text: String, _ value: Double? = 1236.4) throws -> String {
        try AlertTemplate(text).filled(
            labels: ["host": "web-1"], value: value, columns: ["n": "42", "zone": "eu west"])
    }

    @Test(arguments: [
        ("plain", "plain"), ("{{ $labels.host }} down", "web-1 down"), ("{{$labels.nothing}}|", "|"),
        ("{{ $value }}", "1236.4"), ("{{ $value | humanize }}", "1.236k"), ("{{ humanize $value }}", "1.236k"),
        ("{{ $value | printf \"%.2f %%\" }}", ""), ("{{ $row.n }} of {{ $row.zone | toUpper }}", "42 of EU WEST"),
        ("{{ $labels.host | title }}", "Web-1"), ("{{ $value | humanizeDuration }}", "20m 36s"),
        ("{{ $row.n | printf \"n=%d!\" }}", "n=42!"), ("{{ \"x\" | toUpper }}", "X"),
    ])
    func placesAreFilled(_ text: String, _ expected: String) throws {
        if expected.isEmpty && text.contains("%%") {
            #expect(throws: MartletError.self) { try filled(text) }
        } else {
            #expect(try filled(text) == expected)
        }
    }

    @Test(arguments: [
        (0.0, "0"), (1.0, "1"), (1500.0, "1.5k"), (2_500_000.0, "2.5M"), (0.0025, "2.5m"), (-1500.0, "-1.5k"),
        (999.94, "999.9"),
    ])
    func numbersAreHumanised(_ value: Double, _ expected: String) throws {
        #expect(try filled("{{ $value | humanize }}", value) == expected)
    }

    @Test(arguments: [
        (0.25, "25%"), (1.0, "100%"),
    ])
    func sharesAreHumanised(_ value: Double, _ expected: String) throws {
        #expect(try filled("{{ $value | humanizePercentage }}", value) == expected)
    }

    @Test(arguments: [
        ("a\n  {{ $value", 2, 3), ("{{ frobnicate $value }}", 1, 3), ("{{ value }}", 1, 3),
        ("{{ $value | nothing }}", 1, 3),
    ])
    func whatCannotBeReadIsAnErrorWithItsPlace(_ text: String, _ line: Int, _ column: Int) throws {
        let error = #expect(throws: MartletError.self) { try AlertTemplate(text) }
        #expect(error?.location == .input(line: line, column: column))
    }

    @Test(arguments: [("PAGE", AlertSeverity.critical), ("warn", .medium), ("high", .high), ("none", .info)])
    func severitiesOfOtherSystemsAreUnderstood(_ word: String, _ severity: AlertSeverity) throws {
        #expect(try AlertSeverity(word: word) == severity)
        #expect(throws: MartletError.self) { try AlertSeverity(word: word + "?") }
    }
}
