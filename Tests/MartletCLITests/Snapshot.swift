import Foundation
import Testing

/// Compares text with a file of `Snapshots/`.
///
/// To accept new text, run the tests with `MARTLET_SNAPSHOTS` set to the folder of the source tree: each test that
/// differs then writes its file and still fails, so that a run that writes is never green.
func expectSnapshot(_ name: String, _ text: String, sourceLocation: SourceLocation = #_sourceLocation) throws {
    let url = Bundle.module.url(forResource: name, withExtension: "txt", subdirectory: "Snapshots")
    let expected = try url.map { try String(contentsOf: $0, encoding: .utf8) }
    guard text != expected else { return }
    if let folder = ProcessInfo.processInfo.environment["MARTLET_SNAPSHOTS"] {
        try text.write(toFile: "\(folder)/\(name).txt", atomically: true, encoding: .utf8)
    }
    Issue.record("\(name) differs; it now is:\n\(text)", sourceLocation: sourceLocation)
}
