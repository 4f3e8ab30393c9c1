import NIOCore

/// The wire listener as the service handles it.
struct WirePort: Listener {
    let name = "wire protocol"
    private let listener: WireListener

    init(_ listener: WireListener) { self.listener = listener }

    func start() async throws -> SocketAddress { try await listener.start() }

    func shutdown(grace: Duration) async { await listener.shutdown() }

    var figures: [Figure] {
        let now = listener.figures
        return [
            Figure("wire_connections_total", .counter, "Wire connections accepted.", now.connections),
            Figure("wire_connections_open", .gauge, "Wire connections open now.", now.openConnections),
            Figure("wire_requests_open", .gauge, "Wire requests open now.", now.openRequests),
            Figure("wire_appends_total", .counter, "Appends acknowledged on wire connections.", now.appends),
            Figure("wire_rows_accepted_total", .counter, "Rows accepted on wire connections.", now.rowsAccepted),
            Figure("wire_rows_rejected_total", .counter, "Rows refused on wire connections.", now.rowsRejected),
            Figure("wire_queries_total", .counter, "Queries begun on wire connections.", now.queries),
            Figure("wire_errors_total", .counter, "Wire requests answered with an error.", now.errors),
            Figure("wire_received_bytes_total", .counter, "Bytes read from wire connections.", now.bytesReceived),
            Figure("wire_sent_bytes_total", .counter, "Bytes written to wire connections.", now.bytesSent),
        ]
    }
}
