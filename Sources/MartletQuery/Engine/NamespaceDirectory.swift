import MartletModel
import MartletStorage

/// Where statements find namespaces. The storage engine is one.
package protocol NamespaceDirectory: Sendable {
    /// The namespaces, sorted.
    var namespaceNames: [String] { get }
    /// The namespace called `name`; throws `.notFound`.
    func namespace(_ name: String) throws(MartletError) -> any NamespaceEngine
    /// What storage did since it was opened.
    var statistics: StorageStatistics { get }
    /// Makes an empty namespace; throws `.alreadyExists`.
    func createNamespace(_ name: String) throws(MartletError)
    /// Removes a namespace and everything in it; throws `.notFound`.
    func dropNamespace(_ name: String) throws(MartletError)
}
