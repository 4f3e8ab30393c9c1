import ArgumentParser
import Foundation
import Martlet
import MartletModel
import MartletQuery

struct WatchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "watch",
        abstract: "Show what a continuous query, a detector or an alert makes, as it makes it.",
        discussion: """
            Asks a running daemon over its wire port and prints each row when it is made, until Ctrl-C or until the \
            stream is dropped. Exit status: 0 the stream ended; 1 there is no such stream or it failed; 3 the daemon \
            does not answer; 130 ended by Ctrl-C.
            """)

    @Argument(help: "The name of a continuous query, detector or alert.")
    var name: String

    @OptionGroup var connection: ConnectionOptions

    @Flag(name: .long, help: "Print rows as JSON lines.")
    var json = false

    func run() async throws {
        let target = try await connection.open(making: false)
        do throws(MartletError) {
            let result = try await target.run("SUBSCRIBE TO \(SQLText.name(name))", namespace: connection.namespace)
            let interrupts = InterruptWatch()
            interrupts.watch { result.cancel() }
            defer { _ = interrupts.rest() }
            if !json { Terminal.writeError("watching \(name); Ctrl-C ends\n") }
            while let batch = try await result.next() {
                Terminal.write(json ? Self.lines(batch) : Self.text(batch))
            }
            try await target.close()
        } catch {
            if error.code == .cancelled { throw ExitCode(ExitStatus.interrupted.rawValue) }
            throw CommandFailure(error)
        }
    }

    private static func lines(_ batch: RecordBatch) -> String {
        var formatter = JSONFormatter(shape: .lines)
        var output = MutableBuffer(capacity: 1024)
        formatter.begin(batch.schema, into: &output)
        formatter.append(batch, into: &output)
        return String(decoding: output.bytes, as: UTF8.self)
    }

    /// One line a row: the time, then `name=value` for what is there.
    private static func text(_ batch: RecordBatch) -> String {
        var text = ""
        for row in 0..<batch.rowCount {
            var parts: [String] = []
            for (column, value) in zip(batch.schema, batch.row(row)) {
                guard let value else { continue }
                let shown = Self.shown(value)
                parts.append(column.type == .timestamp && parts.isEmpty ? shown : "\(column.name)=\(shown)")
            }
            text += parts.joined(separator: "  ") + "\n"
        }
        return text
    }

    private static func shown(_ value: FieldValue) -> String {
        switch value {
        case .float64(let number): "\(number)"
        case .int64(let number): "\(number)"
        case .uint64(let number): "\(number)"
        case .bool(let truth): "\(truth)"
        case .string(let text): text
        case .timestamp(let time): TimeText.format(time.nanoseconds)
        case .interval(let interval): TimeText.format(interval)
        }
    }
}
