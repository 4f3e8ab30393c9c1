@_exported import MartletAlerting
@_exported import MartletDetectors
@_exported import MartletModel
@_exported import MartletQuery
import MartletStorage
import MartletStream

/// A Martlet database: a directory of namespaces, open in this process.
///
/// One process writes a directory at a time; any number of others open it with `Options.readOnly` and follow what the
/// writer commits. All methods may be called from any thread.
///
/// ```swift
/// let db = try Database.open(at: "sensors")
/// let home = try db.namespace("default")
/// try home.append([Row("room", tags: ["name": "kitchen"], fields: ["temperature": 21.5])])
/// let batches = try home.query("SELECT name, last(temperature) FROM room GROUP BY name")
/// ```
public final class Database: Sendable {
    /// When an append counts as done.
    public enum Durability: Sendable, Hashable {
        /// After `fdatasync`: what was acknowledged survives `kill -9` and power loss. The default.
        case commit
        /// The file is synced every so many milliseconds: a power cut loses at most what was acknowledged since the
        /// last sync; `kill -9` loses nothing.
        case interval(milliseconds: Int)
        /// The operating system decides when to write: a power cut loses what it had not written yet, commonly the last
        /// 30 seconds; `kill -9` loses nothing.
        case none
    }

    /// How a database is opened. `Options()` has the defaults.
    public struct Options: Sendable {
        /// When an append counts as done.
        public var durability: Durability = .commit
        /// The most bytes that head, caches, merges and queries hold together: 256 MiB.
        public var memoryLimit = 256 << 20
        /// Opens the directory for reading only, beside another process that may be writing it.
        public var readOnly = false
        /// The most series in one namespace; rows of further ones are refused one by one: 1 million.
        public var seriesLimit = 1_000_000
        /// Seconds between runs of the retention policies, or `nil` to leave them to `RUN RETENTION`: 300.
        public var retentionInterval: Int? = 300
        /// Bytes a second that runs of retention read at most, or `nil` for as fast as they go.
        public var retentionBytesPerSecond: Int?
        /// Segments of this many bytes or more are not merged into larger ones: 512 MiB.
        public var largestSegmentBytes = 512 << 20
        /// A log is sealed, which sorts and packs its rows, when it has this many bytes: 16 MiB.
        public var hotSegmentBytes = 16 << 20
        /// The time limit of a query in seconds, or `nil` for none: 60.
        public var queryTimeout: Double? = 60
        /// The most bytes that one query may hold, within `memoryLimit`; `nil` means half of it.
        public var queryMemoryLimit: Int?
        /// The functions that SQL knows; add your own with `register`, and your own detectors with `registerDetectors`.
        public var functions = FunctionRegistry.builtInWithDetectors
        /// The detectors that CREATE DETECTOR knows; `registerDetectors` makes your own known to SELECT as well.
        public var detectors = DetectorRegistry.builtIn
        /// Who is told of alerts; nobody unless you say so. They are rows of `_alerts` in any case.
        public var notifiers: [any Notifier] = []
        /// Where destinations of exports may lead, by their scheme; add an object store with `register`.
        public var sinks = SegmentSinkRegistry.builtIn
        /// Where EXPORT may write: anywhere that this process can. A server's clients name paths of its machine.
        public var exports = ExportPolicy.anywhere
        /// Files; a simulated file system in tests.
        public var fileSystem: any FileSystem = POSIXFileSystem()
        /// Time; a set clock in tests.
        public var clock: any Clock = SystemClock()
        /// Whether streams work, segments are sealed and merged by themselves; tests have each happen when they say.
        package var worksInBackground = true

        /// The defaults.
        public init() {}

        /// For a machine with 1 GiB of memory and a slow card: 128 MiB of memory, one sync a second at most, so that a power
        /// cut may lose the last second, small logs and merges, and retention at 4 MiB a second.
        public static var edge: Options {
            var options = Options()
            options.memoryLimit = 128 << 20
            options.durability = .interval(milliseconds: 1_000)
            options.hotSegmentBytes = 4 << 20
            options.largestSegmentBytes = 32 << 20
            options.retentionBytesPerSecond = 4 << 20
            return options
        }
    }

    /// The directory.
    public let path: String
    package let engine: StorageEngine
    package let queries: QueryEngine
    private let directory: StreamingDirectory
    /// The namespaces, with the streams that stand in them.
    package var namespaceDirectory: any NamespaceDirectory { directory }

    private init(path: String, engine: StorageEngine, queries: QueryEngine, directory: StreamingDirectory) {
        self.path = path
        self.engine = engine
        self.queries = queries
        self.directory = directory
    }

    // Streams hold the engine of queries, and that holds the directory of streams: here the circle is opened.
    deinit { directory.stop() }

    /// Opens the directory at `path`, making it where it does not exist. Time and memory are bounded by the manifests
    /// and the segments that are not sealed yet, not by the data. Damage is reported and set aside, never fatal.
    ///
    /// - Throws: `.locked` when another process has it open for writing, `.unsupportedVersion` for a directory of a
    ///   newer format, `.readOnly`, `.storageFull` or `.io` where the system refuses.
    public static func open(at path: String, options: Options = Options()) throws(MartletError) -> Database {
        var storage = StorageOptions()
        storage.memoryLimit = options.memoryLimit
        storage.readOnly = options.readOnly
        storage.seriesLimit = options.seriesLimit
        storage.retentionInterval = options.retentionInterval
        storage.retentionBytesPerSecond = options.retentionBytesPerSecond
        storage.hotSegmentBytes = options.hotSegmentBytes
        storage.largestSegmentBytes = options.largestSegmentBytes
        storage.mergesInBackground = options.worksInBackground
        switch options.durability {
        case .commit: storage.durability = .commit
        case .interval(let milliseconds): storage.durability = .interval(milliseconds: milliseconds)
        case .none: storage.durability = .none
        }
        let exporter = DatabaseExporter(
            sinks: options.sinks, fileSystem: options.fileSystem, policy: options.exports)
        storage.archive = RowArchive(exporter)
        let engine = try StorageEngine.open(
            at: path, options: storage, fileSystem: options.fileSystem, clock: options.clock)
        var limits = QueryOptions()
        limits.functions = options.functions
        limits.timeout = options.queryTimeout.map { Int64($0 * 1e9) }
        limits.exporter = exporter
        limits.memoryLimit = options.queryMemoryLimit ?? options.memoryLimit / 2
        let directory = StreamingDirectory(
            engine,
            factory: BuiltInStreams(
                detectors: options.detectors, dispatcher: AlertDispatcher(options.notifiers)),
            isReadOnly: options.readOnly, worksInBackground: options.worksInBackground)
        limits.streams = directory
        let queries = QueryEngine(directory: directory, options: limits, memory: engine.memory)
        directory.attach(queries)
        return Database(path: path, engine: engine, queries: queries, directory: directory)
    }

    /// The namespaces, sorted by name; `default` always exists.
    public var namespaces: [String] { engine.namespaceNames }

    /// A namespace of this database.
    ///
    /// - Throws: `.notFound` when there is none of that name.
    public func namespace(_ name: String = "default") throws(MartletError) -> Namespace {
        Namespace(name: name, database: self, engine: try directory.namespace(name))
    }

    /// Makes a namespace: a directory of its own.
    ///
    /// - Throws: `.alreadyExists`, or `.invalidArgument` for a name that is not 1 to 64 letters, digits, `_` or `-`.
    @discardableResult
    public func createNamespace(_ name: String) throws(MartletError) -> Namespace {
        try directory.createNamespace(name)
        return try namespace(name)
    }

    /// Removes a namespace and everything in it. Running queries on it end with an error.
    public func dropNamespace(_ name: String) throws(MartletError) { try directory.dropNamespace(name) }

    /// Waits for running commits, makes everything durable and gives the directory up. Further calls throw `.closed`.
    public func close() throws(MartletError) {
        directory.stop()
        try engine.close()
    }

    /// Sets the continuous queries, detectors and alerts of all namespaces to work. Those of a namespace work from its
    /// first use on; a program that is to watch namespaces that nobody uses calls this once after opening.
    ///
    /// - Throws: what opening a namespace throws.
    public func startStreams() throws(MartletError) {
        for name in namespaces { _ = try directory.namespace(name) }
    }

    /// Has the streams of all namespaces work until they have nothing to do at this moment of the clock, or for so many
    /// rounds: what happens by itself where `worksInBackground`.
    package func settleStreams(rounds: Int) { directory.settle(rounds: rounds) }
}
