import NIOCore

/// A port that the service opens and closes.
package protocol Listener: Sendable {
    /// What it speaks, for the log.
    var name: String { get }
    /// Binds the port; returns the address that it got.
    func start() async throws -> SocketAddress
    /// Stops accepting, lets what is under way end within `grace`, closes the connections.
    func shutdown(grace: Duration) async
    /// The listener's figures.
    var figures: [Figure] { get }
}
