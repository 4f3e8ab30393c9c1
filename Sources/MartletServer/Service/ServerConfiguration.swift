import MartletModel

/// Where a server listens and what it allows. `ServerConfiguration()` has the defaults.
public struct ServerConfiguration: Sendable {
    /// The line-protocol port.
    public var lineProtocol = LineProtocolSettings()
    /// The wire-protocol port.
    public var wire = WireSettings()
    /// The HTTP port.
    public var http = HTTPSettings()
    /// How long a shutdown waits for connections to finish before it closes them: 10 seconds.
    public var shutdownGrace: Duration = .seconds(10)

    /// The defaults.
    public init() {}

    /// Settings of the line-protocol listener.
    public struct LineProtocolSettings: Sendable {
        /// Whether the listener is started.
        public var isEnabled = true
        /// The address to bind: 127.0.0.1.
        public var host = "127.0.0.1"
        /// The port to bind: 9009; 0 lets the system choose.
        public var port = 9009
        /// Bytes of one line without its newline: 64 KiB.
        public var maximumLineLength = 65_536
        /// How long a new connection may stay silent: 60 seconds.
        public var firstLineTimeout: Duration = .seconds(60)
        /// How long a connection may stay silent afterwards: 10 minutes.
        public var idleTimeout: Duration = .seconds(600)
        /// Connections at once: 1,024.
        public var maximumConnections = 1_024
        /// Connections at once from one address: 256.
        public var maximumConnectionsPerAddress = 256
        /// Under load, the time over which a connection's rows are collected before they are committed together:
        /// 50 ms. A connection that was silent for longer commits at once, and so does a flush.
        public var commitInterval: Duration = .milliseconds(50)
        /// Rows committed together: 65,536.
        public var maximumBatchRows = 65_536
        /// Bytes of one batch in memory: 8 MiB.
        public var maximumBatchBytes = 8 << 20
        /// Batches of one connection that may wait for their commit before nothing more is read from it: 2.
        public var maximumBatchesInFlight = 2
        /// Bytes read from a socket at once: 256 KiB.
        public var readSize = 256 << 10
        /// Bytes of answers held for a client that does not read them: 64 KiB.
        public var maximumReplyBytes = 64 << 10
        /// Bytes of series, tables and fields that a connection remembers from batch to batch: 48 MiB.
        public var maximumCacheBytes = 48 << 20

        /// The defaults.
        public init() {}
    }

    /// Settings of the wire-protocol listener.
    public struct WireSettings: Sendable {
        /// Whether the listener is started.
        public var isEnabled = true
        /// The address to bind: 127.0.0.1.
        public var host = "127.0.0.1"
        /// The port to bind: 9010; 0 lets the system choose.
        public var port = 9010
        /// Connections at once: 128.
        public var maximumConnections = 128
        /// Threads that run queries: 4.
        public var queryThreads = 4
        /// How long a connection may stay silent: 10 minutes.
        public var idleTimeout: Duration = .seconds(600)

        /// The defaults.
        public init() {}
    }

    /// Settings of the HTTP listener.
    public struct HTTPSettings: Sendable {
        /// Whether the listener is started.
        public var isEnabled = true
        /// The address to bind: 127.0.0.1.
        public var host = "127.0.0.1"
        /// The port to bind: 8086; 0 lets the system choose.
        public var port = 8086
        /// Bytes of one request's body as sent: 32 MiB.
        public var maximumBodyBytes = 32 << 20
        /// Bytes of one request's body once it is unpacked: 256 MiB.
        public var maximumUnpackedBytes = 256 << 20
        /// How many times larger than its body a packed body may become: 200.
        public var maximumExpansion = 200
        /// Bytes of one line without its newline: 64 KiB.
        public var maximumLineLength = 65_536
        /// Bytes of SQL text: 1 MiB.
        public var maximumStatementBytes = 1 << 20
        /// Threads that run queries, taking turns batch by batch where there are more queries: 4.
        public var queryThreads = 4
        /// Whether a database or bucket that is no namespace stands for the namespace `default`, so that clients of
        /// InfluxDB need no preparation: yes. Otherwise writing to it is refused.
        public var mapsUnknownToDefault = true

        /// The defaults.
        public init() {}
    }

    /// Checks what can be checked before anything is bound.
    ///
    /// - Throws: `.invalidArgument` for a setting out of its range, and for an address that other machines can reach:
    ///   this version has no authentication, so whoever reaches a port may read and write everything.
    public func validate() throws(MartletError) {
        if lineProtocol.isEnabled { try Self.check(lineProtocol.host, lineProtocol.port, "line protocol") }
        if wire.isEnabled { try Self.check(wire.host, wire.port, "the wire protocol") }
        if http.isEnabled { try Self.check(http.host, http.port, "HTTP") }
        let positive: [(String, Int)] = [
            ("the line length", lineProtocol.maximumLineLength), ("the batch's rows", lineProtocol.maximumBatchRows),
            ("the batch's bytes", lineProtocol.maximumBatchBytes), ("connections", lineProtocol.maximumConnections),
            ("connections per address", lineProtocol.maximumConnectionsPerAddress),
            ("batches in flight", lineProtocol.maximumBatchesInFlight), ("the read size", lineProtocol.readSize),
            ("the body's bytes", http.maximumBodyBytes), ("query threads", http.queryThreads),
            ("wire connections", wire.maximumConnections), ("wire query threads", wire.queryThreads),
        ]
        for (name, value) in positive where value <= 0 {
            throw MartletError(.invalidArgument, "the limit of \(name) must be positive, not \(value)")
        }
    }

    /// Refuses an address that is not this machine's own, and a port that is none.
    package static func check(_ host: String, _ port: Int, _ listener: String) throws(MartletError) {
        guard (0...65_535).contains(port) else {
            throw MartletError(.invalidArgument, "\(port) is no port for \(listener)")
        }
        let isLoopback = host == "localhost" || host == "::1" || isLoopbackIPv4(host)
        guard isLoopback else {
            throw MartletError(
                .invalidArgument,
                "\(listener) would listen on \(host), where other machines reach it, and this version has no "
                    + "authentication: anybody could read and write everything",
                hint: "bind 127.0.0.1, and let a proxy that authenticates or an SSH tunnel forward to it")
        }
    }

    private static func isLoopbackIPv4(_ host: String) -> Bool {
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
    }
}
