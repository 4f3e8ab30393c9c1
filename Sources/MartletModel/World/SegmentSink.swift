/// Where finished files go out of a database: exports and archives. A directory is one; an object store, which a
/// program or plugin adds, another.
///
/// A sink holds objects, each a name and its bytes. Names have parts separated by `/`, none of which is empty, `.` or
/// `..`. An object is invisible until it is whole and durable, is never changed afterwards, and is never replaced.
/// Sinks are safe to use from several threads; an object by one at a time.
public protocol SegmentSink: Sendable {
    /// What the sink is, for messages: a path or an address.
    var location: String { get }

    /// Whether there is a finished object of that name.
    ///
    /// - Throws: `.io` when that cannot be told.
    func contains(_ name: String) throws(MartletError) -> Bool

    /// Removes a finished object: one that is to be written anew, or whose rows are to be forgotten. Does nothing where
    /// there is none of that name.
    ///
    /// - Throws: `.readOnly` or `.io`.
    func remove(_ name: String) throws(MartletError)

    /// Begins an object.
    ///
    /// - Throws: `.alreadyExists` when there is a finished one of that name; `.storageFull`, `.readOnly` or `.io`.
    func create(_ name: String) throws(MartletError) -> any SinkObject
}

/// An object of a sink that is being written. One that is neither finished nor cancelled leaves nothing that a reader
/// of the sink would take for an object.
public protocol SinkObject: AnyObject {
    /// Appends bytes, which are valid during the call only.
    func write(_ bytes: UnsafeRawBufferPointer) throws(MartletError)

    /// Makes the object durable and then visible under its name.
    ///
    /// - Throws: `.alreadyExists` when another object of the name was finished meanwhile.
    func finish() throws(MartletError)

    /// Gives the object up and removes what was written. Does nothing to a finished one.
    func cancel() throws(MartletError)
}

/// The sinks that destinations may name, by the scheme before `://`. A destination without one is a path and goes to
/// the scheme `file`, which is built in.
///
/// ```swift
/// var options = Database.Options()
/// options.sinks.register("s3") { destination, _ throws(MartletError) in try BucketSink(destination) }
/// ```
public struct SegmentSinkRegistry: Sendable {
    /// Makes the sink of a destination, which is everything behind `scheme://`.
    public typealias Factory =
        @Sendable (_ destination: String, _ fileSystem: any FileSystem) throws(MartletError) -> any SegmentSink

    private var factories: [String: Factory] = [:]

    /// Directories only.
    public static let builtIn: SegmentSinkRegistry = {
        var registry = SegmentSinkRegistry()
        registry.register("file") { path, files throws(MartletError) in try DirectorySink(path, fileSystem: files) }
        return registry
    }()

    private init() {}

    /// The schemes, sorted.
    public var schemes: [String] { factories.keys.sorted() }

    /// Adds a scheme, or replaces it. Schemes are lower-case.
    public mutating func register(_ scheme: String, _ factory: @escaping Factory) {
        factories[scheme.lowercased()] = factory
    }

    /// The scheme of a destination and what follows it.
    public static func split(_ destination: String) -> (scheme: String, rest: String) {
        guard let mark = destination.firstRange(of: "://"), mark.lowerBound > destination.startIndex,
            destination[..<mark.lowerBound].utf8.allSatisfy({ byte in
                (0x61...0x7a).contains(byte | 0x20) || (0x30...0x39).contains(byte) || byte == 0x2b || byte == 0x2d
            })
        else { return ("file", destination) }
        return (destination[..<mark.lowerBound].lowercased(), String(destination[mark.upperBound...]))
    }

    /// The sink of a destination.
    ///
    /// - Throws: `.unsupported` for a scheme that nobody registered; what the sink's factory throws.
    public func sink(
        for destination: String, fileSystem: any FileSystem
    ) throws(MartletError) -> any SegmentSink {
        let (scheme, rest) = Self.split(destination)
        guard let factory = factories[scheme] else {
            throw MartletError(
                .unsupported, "there is no sink for '\(scheme)://'",
                hint: "known are " + schemes.joined(separator: ", "))
        }
        return try factory(rest, fileSystem)
    }
}
