import MartletModel
import MartletStorage

/// What the listeners need of the engine. Called from several threads at once.
package protocol ServerBackend: Sendable {
    /// The engine's memory limit, within which connections hold what they remember.
    var memory: MemoryBudget { get }
    /// The namespaces, sorted by name.
    var namespaceNames: [String] { get }
    /// A namespace to write to.
    ///
    /// - Throws: `.notFound`, or `.closed` when the database is.
    func namespace(_ name: String) throws(MartletError) -> any NamespaceEngine
    /// Plans and starts a statement. May take long: not for an event loop.
    func query(_ sql: String, namespace: String, timeout: Duration?) throws(MartletError) -> any ServerQuery
    /// The engine's own figures, for Prometheus.
    var figures: [Figure] { get }
}

/// A running statement. One caller at a time; `cancel` from any thread at any time.
package protocol ServerQuery: AnyObject, Sendable {
    var schema: [ColumnDescription] { get }
    func next() throws(MartletError) -> RecordBatch?
    func cancel()
    var notices: [String] { get }
}

/// One number that says how the server is doing.
package struct Figure: Sendable {
    /// How the number behaves.
    package enum Kind: String, Sendable {
        /// Only ever grows.
        case counter
        /// Goes up and down.
        case gauge
    }

    /// The name in Prometheus' form, without the prefix `martlet_`.
    package var name: String
    package var kind: Kind
    /// What it counts, in one sentence.
    package var help: String
    package var value: Double

    package init(_ name: String, _ kind: Kind, _ help: String, _ value: some BinaryInteger) {
        (self.name, self.kind, self.help, self.value) = (name, kind, help, Double(value))
    }
}
