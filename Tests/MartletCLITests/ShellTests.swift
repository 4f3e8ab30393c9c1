import Foundation
import Testing

@testable import MartletCLI

@Suite struct StatementSplitterTests {
    @Test(
        arguments: [
            ("SELECT 1; SELECT 2", ["SELECT 1", "SELECT 2"]), ("SELECT ';'", ["SELECT ';'"]),
            ("SELECT 'it''s;'; SELECT 2;", ["SELECT 'it''s;'", "SELECT 2"]),
            ("SELECT \"a;b\" FROM t;", ["SELECT \"a;b\" FROM t"]),
            ("-- only; a comment\n", []), (" ; ;; ", []),
            (
                "SELECT 1 -- a;b\n, 2; /* x; /* y */ ; */ SELECT 3",
                ["SELECT 1 -- a;b\n, 2", "/* x; /* y */ ; */ SELECT 3"]
            ),
        ] as [(String, [String])])
    func statementsEndAtSemicolonsOutsideOfQuotesAndComments(text: String, expected: [String]) {
        #expect(StatementSplitter.split(text).map(\.sql) == expected)
    }

    @Test(arguments: [
        ("SELECT 1", true), ("SELECT 1;", false), ("SELECT ';", true), ("", false), ("SELECT 1; -- done", false),
        ("SELECT 1; SELECT", true),
    ])
    func incompleteTextIsKnown(text: String, expected: Bool) {
        #expect(StatementSplitter.isIncomplete(text) == expected)
    }
}

@Suite struct KeyParserTests {
    @Test(
        arguments: [
            ("a", [.character("a")]), ("ü日", [.character("ü"), .character("日")]), ("\r", [.enter]),
            ("\u{1}", [.control("a")]), ("\u{1b}[A", [.up]), ("\u{1b}OD", [.left]), ("\u{1b}[1;5C", [.wordRight]),
            ("\u{1b}[3~", [.delete]), ("\u{1b}b", [.meta("b")]), ("\u{7f}", [.backspace]),
            ("\u{1b}[200~SELECT\n1\u{1b}[201~x", [.paste("SELECT\n1"), .character("x")]), ("\u{1b}[99;99Z", [.unknown]),
        ] as [(String, [Key])])
    func bytesBecomeKeys(text: String, expected: [Key]) {
        var parser = KeyParser()
        #expect(parser.feed(Array(text.utf8)) == expected)
    }

    @Test func aKeyMayComeInPieces() {
        var parser = KeyParser()
        #expect(parser.feed([0xe6, 0x97]) == [])
        #expect(parser.feed([0xa5]) == [.character("日")])
        #expect(parser.feed(Array("\u{1b}[".utf8)) == [])
        #expect(parser.feed(Array("A".utf8)) == [.up])
        #expect(parser.feed(Array("\u{1b}[200~ab".utf8)) == [])
        #expect(parser.feed(Array("c\u{1b}[201~".utf8)) == [.paste("abc")])
    }
}

@Suite struct LineEditorTests {
    /// The text after the keys, with `|` at the cursor.
    private func edited(_ keys: [Key], history: [String] = [], _ completion: Completion = Completion()) -> String {
        var stored = History(path: nil)
        for entry in history { stored.add(entry) }
        var editor = LineEditor(history: stored) { completion.candidates(for: $0) }
        for key in keys { _ = editor.handle(key) }
        var text = editor.buffer.text
        text.insert("|", at: text.index(text.startIndex, offsetBy: editor.buffer.cursor))
        return text
    }

    private func typed(_ text: String) -> [Key] { text.map { .character($0) } }

    @Test func theKeysOfEmacsEdit() {
        #expect(edited(typed("select") + [.control("a"), .character("x")]) == "x|select")
        #expect(edited(typed("one two") + [.control("w"), .character("3")]) == "one 3|")
        #expect(edited(typed("one two") + [.meta("b"), .control("k"), .control("a"), .control("y")]) == "two|one ")
        #expect(edited(typed("ab") + [.control("t")]) == "ba|")
        #expect(edited(typed("日本") + [.backspace, .left, .delete]) == "|")
        #expect(edited(typed("a.b_c d") + [.wordLeft, .wordLeft, .meta("\u{7f}")]) == "|b_c d")
        #expect(edited(typed("abc") + [.control("u")]) == "|")
    }

    @Test func upAndDownWalkThroughTheHistoryAndKeepTheDraft() {
        let history = ["SELECT 1;", "SELECT 2;"]
        #expect(edited(typed("dr") + [.up], history: history) == "SELECT 2;|")
        #expect(edited(typed("dr") + [.up, .up, .up], history: history) == "SELECT 1;|")
        #expect(edited(typed("dr") + [.up, .down], history: history) == "dr|")
    }

    @Test func controlRSearchesBackwards() {
        let history = ["SELECT a FROM cpu;", "SELECT b FROM mem;", "SELECT c FROM cpu;"]
        #expect(edited([.control("r")] + typed("cpu"), history: history) == "SELECT c FROM cpu;|")
        #expect(edited([.control("r")] + typed("CPU") + [.control("r")], history: history) == "SELECT a FROM cpu;|")
        #expect(edited(typed("x") + [.control("r")] + typed("cpu") + [.control("g")], history: history) == "x|")
    }

    @Test func tabCompletesTablesColumnsAndKeywords() {
        let completion = Completion(tables: ["cpu": ["usage_user", "usage_system"]], functions: ["time_bucket"])
        #expect(edited(typed("sel") + [.tab], completion) == "select |")
        #expect(edited(typed("SELECT * FROM c") + [.tab], completion) == "SELECT * FROM cpu |")
        #expect(edited(typed("SELECT us") + [.tab], completion) == "SELECT us|")
        #expect(edited(typed("SELECT usage_u") + [.tab], completion) == "SELECT usage_user |")
        #expect(edited(typed("SELECT cpu.usage_s") + [.tab], completion) == "SELECT cpu.usage_system |")
        #expect(edited(typed("\\ti") + [.tab], completion) == "\\timing |")
    }

    @Test func severalCompletionsAreShown() {
        var editor = LineEditor(history: History(path: nil)) { text in
            Completion(tables: ["cpu": [], "cpu_total": []]).candidates(for: text)
        }
        for key in typed("SELECT * FROM cpu") { _ = editor.handle(key) }
        #expect(editor.handle(.tab) == .choices(["cpu", "cpu_total"]))
    }

    @Test func controlDEndsAnEmptyLineOnly() {
        var editor = LineEditor(history: History(path: nil)) { _ in (0, []) }
        #expect(editor.handle(.control("d")) == .ended)
        _ = editor.handle(.character("x"))
        #expect(editor.handle(.control("d")) == .editing)
    }

    @Test func longLinesScrollAroundTheCursor() {
        let buffer = LineBuffer(String(repeating: "x", count: 50) + "end")
        let view = RawTerminal.view(of: buffer, room: 20)
        #expect(view.text.hasSuffix("end"))
        #expect(view.cursor < 20)
    }
}

@Suite struct HistoryTests {
    @Test func historySurvivesInAFileOfTheOwnersAlone() throws {
        let path = NSTemporaryDirectory() + "martlet-history-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: path) }
        var history = History(path: path)
        history.add("SELECT 1\n  FROM t;")
        history.add("SELECT '\\n';")
        history.add("SELECT '\\n';")
        try history.save()
        #expect(History(path: path).entries == ["SELECT 1\n  FROM t;", "SELECT '\\n';"])
        let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
        #expect(mode == 0o600)
    }
}
