import Foundation
import MartletModel

/// The file that rejected lines go to: for each a comment with the place and the reason, then the line as it was, so
/// that the file can be mended and imported again. Made when the first line is rejected.
final class RejectFile {
    let path: String
    private(set) var count = 0
    private var handle: FileHandle?
    private let header: String?

    /// - Parameter header: a first line that the file needs to be imported again, as CSV does.
    init(path: String, header: String? = nil) {
        self.path = path
        self.header = header
    }

    /// - Throws: `.io` when the file cannot be written.
    func add(line: Int, reason: String, text: some Collection<UInt8>) throws(MartletError) {
        count += 1
        var entry = "# line \(line): \(reason.replacingOccurrences(of: "\n", with: " "))\n"
        entry += String(decoding: text, as: UTF8.self)
        if !entry.hasSuffix("\n") { entry += "\n" }
        try write(entry)
    }

    /// Counts lines whose text and reason are not known.
    func add(unlisted: Int) throws(MartletError) {
        guard unlisted > 0 else { return }
        count += unlisted
        try write("# \(unlisted) more lines were rejected and are not listed\n")
    }

    private func write(_ text: String) throws(MartletError) {
        do {
            if handle == nil {
                guard FileManager.default.createFile(atPath: path, contents: nil) else {
                    throw CocoaError(.fileWriteUnknown)
                }
                handle = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
                if let header { try handle?.write(contentsOf: Data((header + "\n").utf8)) }
            }
            try handle?.write(contentsOf: Data(text.utf8))
        } catch {
            throw MartletError(
                .io, "cannot write the rejected lines: \(error.localizedDescription)",
                at: .file(path: path, offset: nil), hint: "--rejects names another file")
        }
    }
}
