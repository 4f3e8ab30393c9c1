import MartletModel
import MartletWire
import Synchronization

/// Settings of the wire listener.
package struct WireConfiguration: Sendable {
    /// The address to bind.
    package var host = "127.0.0.1"
    /// The port to bind; 0 lets the system choose.
    package var port = WireProtocol.defaultPort
    /// Largest frame body that is accepted, in bytes. A connection holds at most about twice this much unfinished.
    package var maximumBody = 8 << 20
    /// Requests that a connection may have open at once.
    package var maximumRequests = 64
    /// Bytes of appends not yet acknowledged on one connection, above which nothing more is read from it.
    package var maximumAppendBytes = 16 << 20
    /// Connections at once; one more is told so and closed.
    package var maximumConnections = 128
    /// Threads that run queries, shared by all connections.
    package var queryThreads = 4
    /// Nanoseconds within which a client must greet.
    package var helloTimeout: Int64 = 10_000_000_000
    /// Nanoseconds after which a connection without traffic and running requests is closed.
    package var idleTimeout: Int64 = 600_000_000_000
    /// Nanoseconds that a shutdown waits for open requests.
    package var shutdownGrace: Int64 = 5_000_000_000
    /// Compression that is offered.
    package var features: WireFeatures = [.lz4, .zstd]
    /// Name and version, as the welcome says them.
    package var software = "martlet"

    package init() {}
}

/// The wire listener's own figures, ever growing but for the gauges.
package struct WireFigures: Sendable, Hashable {
    /// Connections accepted so far.
    package var connections = 0
    /// Connections open now.
    package var openConnections = 0
    /// Requests open now.
    package var openRequests = 0
    /// Appends acknowledged so far.
    package var appends = 0
    /// Rows accepted so far.
    package var rowsAccepted = 0
    /// Rows rejected so far.
    package var rowsRejected = 0
    /// Queries begun so far.
    package var queries = 0
    /// Requests answered with an error so far.
    package var errors = 0
    /// Bytes of frames received so far.
    package var bytesReceived = 0
    /// Bytes of frames sent so far.
    package var bytesSent = 0
}

/// Where connections add their figures up.
package final class WireMeter: Sendable {
    private let figures = Mutex(WireFigures())

    /// The figures as they stand.
    package var current: WireFigures { figures.withLock { $0 } }

    func add(_ change: (inout WireFigures) -> Void) { figures.withLock { change(&$0) } }
}
