import MartletModel
import MartletWire

/// Statements over the wire protocol.
final class DaemonTarget: StatementTarget {
    let name: String
    let client: WireClient

    private init(name: String, client: WireClient) {
        self.name = name
        self.client = client
    }

    /// - Throws: `CommandFailure` of status `.cannotConnect`.
    static func connect(host: String, port: Int) async throws -> DaemonTarget {
        do throws(MartletError) {
            let configuration = WireClient.Configuration(software: "martlet \(Version.current)")
            let client = try await WireClient.connect(host: host, port: port, configuration: configuration)
            return DaemonTarget(name: "\(host):\(port)", client: client)
        } catch {
            throw CommandFailure(error, status: .cannotConnect)
        }
    }

    func run(_ sql: String, namespace: String) async throws(MartletError) -> any StatementResult {
        DaemonResult(try await client.query(sql, namespace: namespace))
    }

    func append(_ batches: [TableBatch], namespace: String) async throws(MartletError) -> AppendReport {
        let receipt = try await client.append(batches, namespace: namespace)
        return AppendReport(
            accepted: Int(receipt.accepted), rejectedCount: Int(receipt.rejected),
            rejections: receipt.rejections.map { .init(batch: $0.batch, row: $0.row, error: $0.error) })
    }

    func close() async throws(MartletError) { await client.close() }
}

private final class DaemonResult: StatementResult {
    private let result: WireResult

    init(_ result: WireResult) { self.result = result }

    var schema: [ColumnDescription] { result.schema }
    var notices: [String] { result.summary?.notices ?? [] }
    func next() async throws(MartletError) -> RecordBatch? { try await result.next() }
    func cancel() { result.cancel() }
}
