import Foundation
import Testing

@Suite struct ReadmeExampleTests {
    private let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    @Test func theReadmeShowsTheProgramThatIsCompiledHere() throws {
        let readme = try String(contentsOf: root.appendingPathComponent("README.md"), encoding: .utf8)
        let program = try String(
            contentsOf: root.appendingPathComponent("Tests/ReadmeExample/main.swift"), encoding: .utf8)
        #expect(readme.contains("```swift\n" + program + "```"))
    }

    @Test func whatThePageOfEvidenceNamesExists() throws {
        let page = try String(contentsOf: root.appendingPathComponent("docs/evidence.md"), encoding: .utf8)
        let named = page.split(separator: "`", omittingEmptySubsequences: false).enumerated()
            .filter { $0.offset % 2 == 1 && ($0.element.contains("/") || $0.element.hasSuffix(".swift")) }
            .map { String($0.element) }
        #expect(named.count > 60)
        for path in named {
            let places = [root, root.appendingPathComponent("Tests")].map { $0.appendingPathComponent(path).path }
            #expect(places.contains { FileManager.default.fileExists(atPath: $0) }, "\(path)")
        }
    }

    @Test func theReadmesProgramPrintsTheLatestReadings() throws {
        let data = FileManager.default.temporaryDirectory.appendingPathComponent("readme-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: data) }
        let process = Process()
        process.executableURL = Bundle.module.bundleURL.deletingLastPathComponent()
            .appendingPathComponent("ReadmeExample")
        process.arguments = [data.path]
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
        #expect(text == "cellar: 12.25 °C\nkitchen: 21.5 °C\n")
    }
}
