import Synchronization

/// Where connections add their figures up. Lock-free.
final class LineMeter: Sendable {
    let connections = Atomic<Int>(0)
    let openConnections = Atomic<Int>(0)
    let refusedConnections = Atomic<Int>(0)
    let bytes = Atomic<Int>(0)
    let rowsAccepted = Atomic<Int>(0)
    let linesRejected = Atomic<Int>(0)
    let batches = Atomic<Int>(0)
    let pauses = Atomic<Int>(0)
    let repliesDropped = Atomic<Int>(0)

    var figures: [Figure] {
        func count(_ name: String, _ help: String, _ value: borrowing Atomic<Int>) -> Figure {
            Figure("line_" + name, .counter, help, value.load(ordering: .relaxed))
        }
        return [
            count("connections_total", "Line-protocol connections accepted.", connections),
            Figure(
                "line_connections_open", .gauge, "Line-protocol connections open now.",
                openConnections.load(ordering: .relaxed)),
            count("connections_refused_total", "Line-protocol connections refused at a limit.", refusedConnections),
            count("received_bytes_total", "Bytes read from line-protocol connections.", bytes),
            count("rows_accepted_total", "Rows committed from line-protocol connections.", rowsAccepted),
            count("lines_rejected_total", "Lines refused on line-protocol connections.", linesRejected),
            count("batches_total", "Batches committed from line-protocol connections.", batches),
            count("pauses_total", "Times that a connection was not read because commits were behind.", pauses),
            count("replies_dropped_total", "Replies that a client did not read in time.", repliesDropped),
        ]
    }
}

extension Atomic where Value == Int {
    func add(_ amount: Int = 1) { wrappingAdd(amount, ordering: .relaxed) }
}
