import ArgumentParser
import Testing

@testable import MartletCLI

@Suite struct HelpTests {
    @Test func theHelpOfEveryCommandIsAsPublished() throws {
        var text = ""
        func add(_ command: any ParsableCommand.Type) {
            text += command.helpMessage(columns: 100) + "\n\n" + String(repeating: "=", count: 100) + "\n\n"
            for sub in command.configuration.subcommands { add(sub) }
        }
        add(MartletCommand.self)
        try expectSnapshot("help", text)
    }

    @Test(arguments: [
        ["query", "--port", "0"], ["query", "SELECT 1", "--file", "x"], ["query", "--max-rows", "-1"],
        ["query", "--format", "xml"], ["nonsense"], ["query", "--width", "3"],
    ])
    func wrongCommandLinesAreRefused(arguments: [String]) {
        #expect(throws: (any Error).self) { try MartletCommand.parseAsRoot(arguments) }
    }
}
