import Testing

@testable import MartletQuery

@Suite struct SQLScriptTests {
    @Test("the scripts are found and none is empty")
    func scriptsAreFound() {
        #expect(SQLScript.all.count >= 7)
        for script in SQLScript.all { #expect(!script.records.isEmpty, "\(script.name)") }
    }

    @Test("a script's statements give what it says", arguments: SQLScript.all.map(\.name))
    func runs(_ name: String) throws {
        let script = try #require(SQLScript.all.first { $0.name == name })
        let fixture = try QueryFixture()
        for record in script.records {
            if let complaint = SQLScript.complaint(about: record, in: fixture) {
                Issue.record("\(name):\(record.line): \(record.sql)\n\(complaint)")
            }
        }
    }
}
